"""A loan by the Price table: schedule, IOF and CET, rounded as the origination system rounds them.

The formulas of schedule and IOF give real contracts to the cent; the system's own CET can't be recomputed
to its two decimals, so the CET here is merely a CET by its definition. Money is ``int``, in whole cents:
exact, and many times as fast as ``Decimal``. A rate is a ``Decimal`` in percent per month with the digits
that were agreed, or, where it is rounded to two decimals, an ``int`` in hundredths of a percent. Every
quotient is exact before it is rounded, half up.
"""

from __future__ import annotations

import math
from calendar import monthrange
from datetime import date
from decimal import Decimal
from typing import NamedTuple

# Decreto 6.306/2007, article 7, for a person's loan: a daily and an additional rate of tax.
_IOF_DAILY = (82, 1_000_000)
_IOF_ADDITIONAL = (38, 10_000)
_IOF_MAX_DAYS = 365


class Row(NamedTuple):
    """One row of the schedule; number 0 is the grace period. Money in cents."""

    numero: int
    vencimento: date
    amortizacao: int
    juros: int
    prestacao: int
    saldo_anterior: int
    saldo_atual: int


class Schedule(NamedTuple):
    """The rows in order, and their totals in cents (grace interest is in the first two)."""

    rows: list[Row]
    total_amortizacao: int
    total_juros: int
    total_parcelas: int


class Cet(NamedTuple):
    """Total effective cost in hundredths of a percent; ``mes`` is exactly the sum of the four parts."""

    mes: int
    ano: int
    juros: int
    impostos: int
    tarifas: int
    servicos: int


class Loan(NamedTuple):
    """Everything that follows from what was agreed. Money in cents."""

    bruto: int
    iof: int
    schedule: Schedule
    cet: Cet


def loan(
    liquido: int,
    taxa_juros: Decimal,
    liberacao: date,
    primeiro: date,
    n: int,
    *,
    seguro: int = 0,
    cad: int = 0,
) -> Loan:
    """The loan whose IOF, insurance and registration fee are financed with it.

    The IOF depends on the amortisations, they on ValorBruto, and that on the IOF. A change of cents in
    ValorBruto hardly moves the shares of the amortisations, so the second round nearly always confirms
    the first. Where two neighbouring cents would answer each other for ever, the last is taken.
    """
    tax = iof(liquido, price(liquido + seguro + cad, taxa_juros, liberacao, primeiro, n), liberacao)
    for _ in range(5):
        bruto = liquido + tax + seguro + cad
        schedule = price(bruto, taxa_juros, liberacao, primeiro, n)
        before, tax = tax, iof(liquido, schedule, liberacao)
        if tax == before:
            break
    fees = (before, cad, seguro)
    return Loan(bruto, before, schedule, cet(liquido, schedule, liberacao, taxa_juros, fees))


def price(bruto: int, taxa_juros: Decimal, liberacao: date, primeiro: date, n: int) -> Schedule:
    """Constant instalments; the interest of a grace period is capitalised.

    ``bruto`` in cents, ``taxa_juros`` in percent per month, ``n`` instalments without row 0. Row 0 exists
    when the first due date lies more than a month after the release.
    """
    numerator, denominator = (taxa_juros / 100).as_integer_ratio()
    rows = []
    balance = bruto
    grace = add_months(primeiro, -1)
    if grace > liberacao:
        interest = half_up(bruto * numerator * (grace - liberacao).days, denominator * 30)
        balance += interest
        rows.append(Row(0, grace, 0, interest, 0, bruto, balance))
    total, payment = balance, instalment(balance, numerator, denominator, n)
    for number in range(1, n + 1):
        interest = half_up(balance * numerator, denominator)
        if number == n:  # what rounding left over goes to the last interest
            interest = payment - balance
        principal = payment - interest
        after = balance - principal
        due = add_months(primeiro, number - 1)
        rows.append(Row(number, due, principal, interest, payment, balance, after))
        balance = after
    return Schedule(rows, total, sum(row.juros for row in rows), n * payment)


def instalment(balance: int, numerator: int, denominator: int, n: int) -> int:
    """balance · i / (1 − (1 + i)^−n) in cents, where i = numerator / denominator."""
    if not numerator:
        return half_up(balance, n)
    grown, base = (denominator + numerator) ** n, denominator**n
    return half_up(balance * numerator * grown, denominator * (grown - base))


def iof(liquido: int, schedule: Schedule, liberacao: date) -> int:
    """The tax in cents: a daily rate on each amortisation's share, at most 365 days, and an additional."""
    daily, per_day = _IOF_DAILY
    additional, per_loan = _IOF_ADDITIONAL
    weighted = sum(
        row.amortizacao * min((row.vencimento - liberacao).days, _IOF_MAX_DAYS)
        for row in schedule.rows
        if row.numero
    )
    whole = schedule.total_amortizacao * per_day
    return half_up(liquido * (weighted * daily * per_loan + additional * whole), whole * per_loan)


def cet(
    liquido: int, schedule: Schedule, liberacao: date, taxa_juros: Decimal, fees: tuple[int, int, int]
) -> Cet:
    """The cost of the loan, and its parts by ``fees`` = IOF, registration fee, insurance in cents.

    The interest part is the monthly rate; the rest is shared out by the fees, its remainder to the taxes.
    """
    month = half_up(round(monthly_cost(liquido, schedule, liberacao) * 10**8), 10**4)
    interest = min(month, _hundredths(taxa_juros))
    rest = month - interest
    _, registration, insurance = fees
    all_fees = sum(fees) or 1
    tariffs, services = rest * registration // all_fees, rest * insurance // all_fees
    taxes = rest - tariffs - services
    return Cet(month, annual(Decimal(month) / 100), interest, taxes, tariffs, services)


def monthly_cost(liquido: int, schedule: Schedule, liberacao: date) -> float:
    """The CET per month as a fraction: the twelfth root of the yearly rate whose discounted flows are
    the money released, actual days over 365 (CMN resolution 4.881/2020).

    Newton's method on the force of interest per day: the sum is convex and falls, so from the second
    step on the approach is from one side, whatever the start.
    """
    flows = [(row.prestacao, (row.vencimento - liberacao).days) for row in schedule.rows if row.numero]
    force = 0.001
    for _ in range(100):
        present = slope = 0.0
        for payment, days in flows:
            discounted = payment * math.exp(-force * days)
            present += discounted
            slope += discounted * days
        step = (present - liquido) / slope
        force += step
        if abs(step) < 1e-9:  # the error left is of the order of its square
            break
    return math.expm1(force * 365 / 12)


def annual(monthly: Decimal) -> int:
    """((1 + monthly/100)^12 − 1) · 100 in hundredths of a percent; ``monthly`` in percent."""
    numerator, denominator = (monthly / 100).as_integer_ratio()
    base = denominator**12
    return half_up(((denominator + numerator) ** 12 - base) * 10_000, base)


def _hundredths(percent: Decimal) -> int:
    numerator, denominator = percent.as_integer_ratio()
    return half_up(numerator * 100, denominator)


def half_up(numerator: int, denominator: int) -> int:
    """The quotient to the nearest whole number, a half upwards; neither may be negative."""
    return (2 * numerator + denominator) // (2 * denominator)


def add_months(day: date, months: int) -> date:
    """The same day of another month, or that month's last day if it has no such day."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    if day.day > 28:
        return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
    return date(year, month + 1, day.day)


def amount(cents: int) -> str:
    """Reais as the source writes most amounts: without trailing zeros (``0``, ``166.2``)."""
    if cents < 0:
        return "-" + amount(-cents)
    whole, part = divmod(cents, 100)
    if not part:
        return str(whole)
    return f"{whole}.{part:02d}" if part % 10 else f"{whole}.{part // 10}"


def with_decimal(cents: int) -> str:
    """Reais as the source writes ValorLiquido: one decimal at least (``15000.0``)."""
    return amount(cents) if cents % 100 else f"{cents // 100}.0"


def two_decimals(hundredths: int) -> str:
    """Two decimals always (``18958.20``): a total, or a percentage."""
    return f"{hundredths // 100}.{hundredths % 100:02d}"
