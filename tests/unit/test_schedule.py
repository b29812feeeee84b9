"""The arithmetic of a loan: known contracts to the cent, and what holds for every loan."""

from __future__ import annotations

import math
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from ccb_luigi.demo import schedule as s

CENT = Decimal("0.01")
EXAMPLE_ROWS = """
0 2024-04-10 0 434.11 0 18412.54 18846.65
1 2024-05-10 1370.86 459.67 1830.53 18846.65 17475.79
2 2024-06-10 1404.3 426.23 1830.53 17475.79 16071.49
3 2024-07-10 1438.55 391.98 1830.53 16071.49 14632.94
4 2024-08-10 1473.63 356.9 1830.53 14632.94 13159.31
5 2024-09-10 1509.57 320.96 1830.53 13159.31 11649.74
6 2024-10-10 1546.39 284.14 1830.53 11649.74 10103.35
7 2024-11-10 1584.11 246.42 1830.53 10103.35 8519.24
8 2024-12-10 1622.75 207.78 1830.53 8519.24 6896.49
9 2025-01-10 1662.32 168.21 1830.53 6896.49 5234.17
10 2025-02-10 1702.87 127.66 1830.53 5234.17 3531.3
11 2025-03-10 1744.4 86.13 1830.53 3531.3 1786.9
12 2025-04-10 1786.9 43.63 1830.53 1786.9 0
"""

cents = st.integers(50_000, 10**9)
rates = st.integers(1, 100_000).map(lambda n: Decimal(n).scaleb(-4))
terms = st.integers(1, 60)
releases = st.dates(date(2019, 1, 1), date(2027, 12, 31))
waits = st.integers(5, 120).map(lambda days: timedelta(days=days))


def rounded(value: Decimal) -> int:
    """In hundredths."""
    return int(value.quantize(CENT, ROUND_HALF_UP) * 100)


def nearest(value: Fraction) -> int:
    """A half upwards."""
    return math.floor(value + Fraction(1, 2))


def test_the_worked_contract_comes_out_to_the_cent() -> None:
    found = s.price(1544841, Decimal("2.8178"), date(2021, 10, 7), date(2021, 12, 7), 12)
    grace, first, last = found.rows[0], found.rows[1], found.rows[-1]
    assert grace == (0, date(2021, 11, 7), 0, 44982, 0, 1544841, 1589823)
    assert (first.juros, first.prestacao) == (44798, 157985)
    assert (last.numero, last.juros, last.saldo_atual) == (12, 4332, 0)
    assert found.total_juros == 350979
    assert found.total_amortizacao == 1589823
    assert found.total_parcelas == 1895820
    assert s.annual(Decimal("2.8178")) == 3958


def test_the_example_document_comes_out_to_the_cent_from_what_was_agreed() -> None:
    found = s.loan(1800000, Decimal("2.4390"), date(2024, 3, 12), date(2024, 5, 10), 12)
    lines = [
        f"{row.numero} {row.vencimento} " + " ".join(s.amount(value) for value in row[2:])
        for row in found.schedule.rows
    ]
    assert lines == EXAMPLE_ROWS.strip().splitlines()
    assert (s.amount(found.bruto), s.amount(found.iof)) == ("18412.54", "412.54")
    assert s.amount(found.schedule.total_amortizacao) == "18846.65"
    assert s.amount(found.schedule.total_juros) == "3553.82"
    assert s.two_decimals(found.schedule.total_parcelas) == "21966.36"
    assert s.annual(Decimal("2.4390")) == 3353
    assert found.cet == (276, 3864, 244, 32, 0, 0)


@given(cents, rates, releases, waits, terms)
def test_every_balance_follows_from_the_one_before(
    gross: int, rate: Decimal, released: date, wait: timedelta, n: int
) -> None:
    found = s.price(gross, rate, released, released + wait, n)
    balance = gross
    for row in found.rows:
        assert row.saldo_anterior == balance
        assert row.saldo_atual == balance + row.juros - row.prestacao
        assert row.prestacao == (row.amortizacao + row.juros if row.numero else 0)
        balance = row.saldo_atual
    assert balance == 0
    assert found.total_juros == sum(row.juros for row in found.rows)
    assert found.total_amortizacao == sum(row.amortizacao for row in found.rows)
    assert found.total_parcelas == sum(row.prestacao for row in found.rows)
    assert [row.numero for row in found.rows if row.numero] == list(range(1, n + 1))


@given(cents, rates, releases, waits, terms)
def test_a_grace_row_exists_exactly_when_the_first_due_date_is_over_a_month_away(
    gross: int, rate: Decimal, released: date, wait: timedelta, n: int
) -> None:
    first = released + wait
    row = s.price(gross, rate, released, first, n).rows[0]
    if s.add_months(first, -1) > released:
        days = (row.vencimento - released).days
        assert (row.numero, row.vencimento) == (0, s.add_months(first, -1))
        assert row.juros == rounded(Decimal(gross) / 100 * rate / 100 * days / 30)
    else:
        assert (row.numero, row.vencimento, row.saldo_anterior) == (1, first, gross)


@given(cents, rates, terms)
def test_the_instalment_is_the_formula_to_the_last_digit(balance: int, rate: Decimal, n: int) -> None:
    numerator, denominator = (rate / 100).as_integer_ratio()
    i = Fraction(numerator, denominator)
    assert s.instalment(balance, numerator, denominator, n) == nearest(balance * i / (1 - (1 + i) ** -n))


def test_a_loan_without_interest_is_shared_out_evenly() -> None:
    found = s.price(100000, Decimal(0), date(2026, 1, 10), date(2026, 2, 10), 4)
    assert [row.prestacao for row in found.rows] == [25000] * 4
    assert found.total_juros == 0


@given(cents, rates, releases, waits, terms, st.integers(0, 10**6), st.integers(0, 10**6))
def test_gross_is_net_and_all_that_is_financed_and_the_tax_is_that_of_its_own_schedule(
    net: int, rate: Decimal, released: date, wait: timedelta, n: int, insurance: int, fee: int
) -> None:
    found = s.loan(net, rate, released, released + wait, n, seguro=insurance, cad=fee)
    assert found.bruto == net + found.iof + insurance + fee
    assert found.schedule == s.price(found.bruto, rate, released, released + wait, n)
    weighted = sum(
        Decimal(row.amortizacao * min((row.vencimento - released).days, 365)) for row in found.schedule.rows
    )
    share = weighted / found.schedule.total_amortizacao * Decimal("0.000082") + Decimal("0.0038")
    assert abs(found.iof - rounded(net * share / 100)) <= 1


@given(cents, rates, releases, waits, terms)
def test_discounted_at_the_cet_the_instalments_are_what_was_released(
    net: int, rate: Decimal, released: date, wait: timedelta, n: int
) -> None:
    found = s.loan(net, rate, released, released + wait, n)
    year = (1 + s.monthly_cost(net, found.schedule, released)) ** 12
    present = sum(
        row.prestacao / year ** ((row.vencimento - released).days / 365) for row in found.schedule.rows
    )
    assert abs(present - net) < 0.01 * net / 10_000


@given(cents, rates, releases, waits, terms, st.integers(0, 10**6), st.integers(0, 10**6))
def test_the_parts_of_the_cet_are_never_negative_and_sum_to_it(
    net: int, rate: Decimal, released: date, wait: timedelta, n: int, insurance: int, fee: int
) -> None:
    cet = s.loan(net, rate, released, released + wait, n, seguro=insurance, cad=fee).cet
    parts = cet[2:]
    assert min(parts) >= 0
    assert sum(parts) == cet.mes
    assert cet.ano == nearest(((1 + Fraction(cet.mes, 10_000)) ** 12 - 1) * 10_000)
    assert cet.juros in (rounded(rate), cet.mes)


@given(st.integers(0, 10**12), st.integers(1, 10**9))
def test_half_a_cent_is_rounded_up(numerator: int, denominator: int) -> None:
    assert s.half_up(numerator, denominator) == nearest(Fraction(numerator, denominator))
    assert s.half_up(denominator, 2 * denominator) == 1


@given(st.dates(date(2000, 1, 1), date(2060, 12, 31)), st.integers(-24, 72))
def test_a_month_later_is_the_same_day_or_the_last_of_a_shorter_month(day: date, months: int) -> None:
    found = s.add_months(day, months)
    assert (found.year - day.year) * 12 + found.month - day.month == months
    assert found.day == day.day or (found.day < day.day and (found + timedelta(days=1)).day == 1)


@given(st.integers(-(10**12), 10**12))
def test_amounts_are_written_without_trailing_zeros_and_read_back_the_same(value: int) -> None:
    text = s.amount(value)
    assert Decimal(text) * 100 == value
    assert "." not in text or not text.endswith("0")


def test_each_field_has_the_text_form_of_the_source() -> None:
    assert [s.amount(value) for value in (0, 5, 50, 16620, 100)] == ["0", "0.05", "0.5", "166.2", "1"]
    assert [s.with_decimal(value) for value in (1500000, 150050, 150055)] == ["15000.0", "1500.5", "1500.55"]
    assert [s.two_decimals(value) for value in (1895820, 0, 32)] == ["18958.20", "0.00", "0.32"]
