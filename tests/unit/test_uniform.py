"""A list that is checked as one text says what its items say one by one."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from bson import Code
from contracts import contract, schedule
from hypothesis import given, settings
from hypothesis import strategies as st

from ccb_luigi.contract import PARCELA, Contract, Document
from ccb_luigi.rows import rows_of
from ccb_luigi.uniform import Uniform

CONTRACT = Contract(ZoneInfo("America/Sao_Paulo"))
AMOUNTS = [name for name in PARCELA if name.startswith("Valor")]


def judged(rows: Any) -> tuple[Any, Any]:
    """The schedule as the gate passes it, and as Cerberus does."""
    document = contract(rows)
    passed = CONTRACT.gate(document)
    return (
        passed and passed["operation"]["parcelas"]["PrevisaoDeParcela"],
        CONTRACT.judge(document)["operation"]["parcelas"]["PrevisaoDeParcela"],
    )


def parsed(line: str) -> tuple[Any, ...]:
    """A line of COPY text as PostgreSQL would read it into the columns of parcelas."""
    number, due, *amounts = line.split("\t")
    return (int(number), date.fromisoformat(due), *(Decimal(amount) for amount in amounts))


money = st.decimals(-(10**13) + 1, 10**13 - 1, places=2).map(str) | st.decimals(0, 10**9, places=2).map(
    lambda amount: f"00{amount}"
)
rows = st.lists(
    st.fixed_dictionaries(
        {
            "NumeroDaParcela": st.integers(0, 400).map(str),
            "DataDeVencimento": st.dates(date(1900, 1, 1), date(9998, 1, 1)).map(str)
            | st.dates(date(2000, 1, 1)).map(lambda day: f"{day}T00:00:00"),
            **dict.fromkeys(AMOUNTS, money | st.sampled_from(["0", "0.0", "0.00", "-0", "1836", "1899.7"])),
        }
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda row: row["NumeroDaParcela"],
)


@settings(max_examples=100, deadline=None)
@given(rows)
def test_the_text_for_copy_says_what_cerberus_reads(items: list[Document]) -> None:
    passed, by_cerberus = judged(items)
    assert isinstance(passed, Uniform)
    assert [*passed] == by_cerberus
    expected = [tuple(row[name] for name in PARCELA) for row in by_cerberus]
    assert [parsed(line) for line in passed.text.split("\n")] == expected
    assert passed.amounts("ValorDoJuros") == [row["ValorDoJuros"] for row in by_cerberus]


def test_an_ordinary_schedule_is_checked_as_one_text() -> None:
    passed, by_cerberus = judged(schedule())
    assert isinstance(passed, Uniform)
    assert len(passed) == len(by_cerberus) == 13
    assert passed[0] == by_cerberus[0]
    assert passed[-2:] == by_cerberus[-2:]


def test_rows_of_a_uniform_schedule_are_rows_and_text_at_once() -> None:
    document = contract()
    found = rows_of(CONTRACT.check(document), document).tables["parcelas"]
    assert isinstance(found, Uniform)
    assert found == rows_of(CONTRACT.judge(document), document).tables["parcelas"]
    assert [parsed(line) for line in found.text.split("\n")] == [*found]


@pytest.mark.parametrize(
    "change",
    [
        {"ValorDoJuros": None},
        {"ValorDoJuros": ""},
        {"ValorDoJuros": " 1.00"},
        {"ValorDoJuros": "1,00"},
        {"ValorDoJuros": "+1.00"},
        {"ValorDoJuros": "1.000"},
        {"ValorDoJuros": "1."},
        {"ValorDoJuros": ".5"},
        {"ValorDoJuros": "1e3"},
        {"ValorDoJuros": "1_0"},
        {"ValorDoJuros": "\u0661"},
        {"ValorDoJuros": "NaN"},
        {"ValorDoJuros": "99999999999999.00"},
        {"ValorDoJuros": "1.00\t2.00"},
        {"ValorDoJuros": "1.00\n"},
        {"ValorDoJuros": 1},
        {"ValorDoJuros": {"$numberDecimal": "1.00"}},
        {"ValorDoJuros": Code("1.00")},
        {"ValorDaCorrecao": Code("0")},
        {"NumeroDaParcela": Code("1")},
        {"DataDeVencimento": Code("2025-05-10")},
        {"NumeroDaParcela": "-1"},
        {"NumeroDaParcela": "1.0"},
        {"NumeroDaParcela": "9999999999"},
        {"DataDeVencimento": "2025-02-30"},
        {"DataDeVencimento": "0001-01-01"},
        {"DataDeVencimento": "10/05/2025"},
        {"DataDeVencimento": "2025-05-10T03:00:00"},
        {"DataDeVencimento": "2025-05-10T00:00:00Z"},
    ],
    ids=lambda change: "-".join(f"{name}={value!r}" for name, value in change.items()),
)
@pytest.mark.parametrize("place", [0, 6, 12])
def test_a_value_of_another_form_is_never_taken_for_text_that_can_be_copied(
    change: Document, place: int
) -> None:
    items = schedule()
    items[place] = {**items[place], **change}
    passed = CONTRACT.gate(contract(items))
    if passed is not None:
        assert not isinstance(passed["operation"]["parcelas"]["PrevisaoDeParcela"], Uniform)


def test_a_repeated_number_is_not_passed() -> None:
    items = schedule()
    items[3] = {**items[3], "NumeroDaParcela": items[4]["NumeroDaParcela"]}
    assert CONTRACT.gate(contract(items)) is None
    items[3] = {**items[3], "NumeroDaParcela": "0" + items[4]["NumeroDaParcela"]}
    assert CONTRACT.gate(contract(items)) is None


def test_a_field_too_many_is_no_hindrance_and_one_too_few_is() -> None:
    items = schedule()
    items[2] = {**items[2], "Nova": "x"}
    assert isinstance(judged(items)[0], Uniform)
    del items[2]["ValorDaCorrecao"]
    passed, by_cerberus = judged(items)
    assert not isinstance(passed, Uniform)
    assert passed[2]["ValorDaCorrecao"] is None
    assert by_cerberus[2].get("ValorDaCorrecao") is None
