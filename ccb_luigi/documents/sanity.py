"""Findings on what each value says by itself, or beside one other: signs, order of days, stated rates.

The rules of a schedule's rows are in ``findings``; here is what is asked of the contract as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from zoneinfo import ZoneInfo

from ccb_luigi.documents.contract import OPERATION
from ccb_luigi.documents.rawbson import Document

Finding = tuple[str, str]
"""(code, path of the field)."""

HUNDREDTH = Decimal("0.01")
"""A cent, or one step of a rate that is stated in per cent with two decimals: rounding is no finding."""

_AMOUNTS = [name for name, rules in OPERATION.items() if rules.get("coerce") == "money"]


def sanity(document: Document, zone: ZoneInfo, emission_days: int) -> Iterator[Finding]:
    """Findings on a normalised document; ``emission_days``: so long after the release it may be emitted."""
    operation = document["operation"]
    yield from _signs(document, operation)
    yield from _days(document, operation, zone, emission_days)
    yield from _rates(document["type"], operation)


def _signs(document: Document, operation: Document) -> Iterator[Finding]:
    for name in _AMOUNTS:
        if (amount := operation.get(name)) is not None and amount < 0:
            yield "valor_negativo", f"operation.{name}"
    if (income := document.get("averageMonthlyIncome")) is not None and income < 0:
        yield "valor_negativo", "averageMonthlyIncome"
    gross, net = operation["ValorBruto"], operation["ValorLiquido"]
    for name, amount in (("ValorBruto", gross), ("ValorLiquido", net)):
        if amount <= 0:
            yield "valor_zero", f"operation.{name}"
    if net > gross:
        yield "liquido_maior_que_bruto", "operation.ValorLiquido"


def _days(document: Document, operation: Document, zone: ZoneInfo, emission_days: int) -> Iterator[Finding]:
    release: date | None = operation.get("DataDeLiberacao")
    if release is None:
        return
    if release > operation["VencimentoPrimeiraParcela"]:
        yield "liberacao_depois_do_vencimento", "operation.DataDeLiberacao"
    emitted = document.get("emitedAt")
    if emitted and emitted.astimezone(zone).date() - release > timedelta(days=emission_days):
        yield "emissao_depois_da_liberacao", "emitedAt"


def _rates(person: str, operation: Document) -> Iterator[Finding]:
    cet, interest = operation.get("CET_ANUAL"), operation.get("TaxaDeJurosAnual")
    if cet is not None and interest is not None and cet < interest - HUNDREDTH:
        yield "cet_menor_que_juros", "operation.CET_ANUAL"
    if person == "PF" and cet is None and operation.get("CET") is None:
        yield "cet_ausente", "operation.CET_ANUAL"


MOST_INSTALMENTS = 1200
HIGHEST_RATE = 1000
_PLACES = -20
"""What is judged by the Price table: more instalments, per cent a month or decimals are no loan's."""


def instalment(balance: Decimal, rate: Decimal, count: int) -> Decimal | None:
    """The instalment of the Price table in reais, half up to cents: balance · i / (1 − (1 + i)^−n).

    ``rate``: i in per cent per instalment. ``None``: that isn't a loan's.
    """
    exponent = rate.as_tuple().exponent
    if not (0 <= rate <= HIGHEST_RATE and count <= MOST_INSTALMENTS and balance > 0):
        return None
    if not isinstance(exponent, int) or exponent < _PLACES:
        return None
    with localcontext(prec=60, rounding=ROUND_HALF_UP):
        monthly = rate / 100
        grown = (1 + monthly) ** count
        exact = balance * monthly * grown / (grown - 1) if monthly else balance / count
        return exact.quantize(HUNDREDTH)
