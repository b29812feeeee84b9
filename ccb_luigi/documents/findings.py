"""Findings: what reads well but does not add up (contract §3.8). The document is loaded all the same.

Every rule was checked to hold exactly on real contracts. Rows that lack a value are not judged by the
rules that need it; charges that are missing count as zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from ccb_luigi.codes import Strictness
from ccb_luigi.documents import identifiers
from ccb_luigi.documents.contract import OPERATION, PARCELA
from ccb_luigi.documents.rawbson import Document
from ccb_luigi.documents.sanity import HUNDREDTH, Finding, instalment, sanity
from ccb_luigi.documents.schedule import ZERO, Schedule, Totals
from ccb_luigi.documents.values import Rounded

ANNUAL_TOLERANCE = Decimal("0.10")
SURELY_NEAR = 0.099
CET_TOLERANCE = Decimal("0.02")
_LIST = "operation.parcelas.PrevisaoDeParcela"


def findings(document: Document, schedule: Schedule, zone: ZoneInfo, strictness: Strictness) -> list[Finding]:
    """All findings on a normalised document but ``rounded``; no value is ever part of one."""
    operation = document["operation"]
    found = [*_client(document), *_operation(operation), *sanity(document, zone, strictness.emission_days)]
    if schedule.totals is None or not _adds_up(operation, schedule.totals):
        found += _schedule(operation, schedule)
    return found


def rounded(value: Any, path: str = "") -> Iterator[Finding]:
    """Amounts that were doubles next to whole cents, wherever in the document they are."""
    if isinstance(value, Rounded):
        yield "arredondado", path
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from rounded(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from rounded(inner, f"{path}.{index}")


CHARGES = ("ValorDaCorrecao", "ValorDoSeguro", "ValorTaxaBancaria")
"""What is paid beside principal and interest; where it is missing it is zero."""
ROW_AMOUNTS = [name for name, rules in PARCELA.items() if rules.get("coerce") == "money"]

FEWEST_LEVEL = 3
"""Instalments from which on equal ones are a Price table: of two, one alone would be equal to itself."""


def _adds_up(operation: Document, rows: Totals) -> bool:
    """Whether an ordinary schedule holds in every respect; ``False`` only means that it isn't sure.

    The same rules as in ``_schedule``, without a look at the rows: nearly free, and no finding's words.
    """
    return (
        rows.holds
        and operation["ValorBruto"] * 100 == rows.before
        and operation["NumeroDeParcelas"] == rows.due
        and all(
            (stated := operation[name]) is not None and stated * 100 == cents
            for name, cents in (
                ("TotalDeAmortizacao", rows.principal),
                ("TotalDeJuros", rows.interest),
                ("TotalDoValorDasParcelas", rows.payment),
            )
        )
        and _is_day(operation["DataDeVencimentoInicial"], rows.first_due)
        and _is_day(operation["DataDeVencimentoFinal"], rows.last_due)
        and _is_surely_price(operation.get("TaxaDeJuros"), rows)
        and ((release := operation["DataDeLiberacao"]) is None or _as_number(release) <= rows.first_due)
    )


SURELY_NO_TIE = 0.499
EXACT_IN_FLOAT = 10**12
"""Cents: up to here a float's error in the instalment is far below a thousandth of a cent."""


def _is_surely_price(rate: Decimal | None, rows: Totals) -> bool:
    """Whether the level instalment is the Price table's, or there is none to be judged."""
    if not rows.level or rate is None:
        return True
    monthly = float(rate) / 100
    if not (0 < monthly < 1 and rows.opening < EXACT_IN_FLOAT):
        return False
    exact = rows.opening * monthly / (1 - (1 + monthly) ** -rows.due)
    return abs(exact - rows.level) < SURELY_NO_TIE


def _is_day(day: date | None, number: int) -> bool:
    return day is not None and _as_number(day) == number


def _as_number(day: date) -> int:
    return day.year * 10_000 + day.month * 100 + day.day


def _client(document: Document) -> Iterator[Finding]:
    tax_id, person = document["taxId"], document["type"]
    if len(tax_id) == 11:
        if not identifiers.valid_cpf(tax_id):
            yield "cpf_digito", "taxId"
    elif not identifiers.valid_cnpj(tax_id):
        yield "cnpj_digito", "taxId"
    if (person == "PF") != (len(tax_id) == 11):
        yield "tipo_documento", "type"
    if _unknown_state(document.get("state")):
        yield "uf_desconhecida", "state"
    for name, inner in (("address", "state"), ("identity", "issuerState")):
        for index, item in enumerate(document.get(name) or ()):
            if item and _unknown_state(item.get(inner)):
                yield "uf_desconhecida", f"{name}.{index}.{inner}"


def _unknown_state(state: str | None) -> bool:
    return state is not None and state.upper() not in identifiers.UFS


_FINANCED = ("ValorLiquido", "ValorDoIOF", "ValorDoSeguro", "ValorDaCAD")
_PARTS_OF_CET = tuple(OPERATION["detalhamentoDaCET"]["schema"])


def _operation(operation: Document) -> Iterator[Finding]:
    financed = sum(filter(None, map(operation.get, _FINANCED)))
    if operation.get("FinanIOF") and operation["ValorBruto"] != financed:
        yield "valor_bruto", "operation.ValorBruto"
    for code, month, year in (
        ("taxa_anual", "TaxaDeJuros", "TaxaDeJurosAnual"),
        ("cet_anual", "CET", "CET_ANUAL"),
    ):
        if not _compounds(operation.get(month), operation.get(year)):
            yield code, f"operation.{year}"
    if (breakdown := operation.get("detalhamentoDaCET")) and operation.get("CET") is not None:
        known = [part for part in map(breakdown.get, _PARTS_OF_CET) if part is not None]
        if known and abs(operation["CET"] - sum(known)) > CET_TOLERANCE:
            yield "cet_soma", "operation.CET"


def _compounds(monthly: Decimal | None, annual: Decimal | None) -> bool:
    """annual = ((1 + monthly/100)^12 - 1) * 100, both in percent."""
    if monthly is None or annual is None:
        return True
    near = float(monthly)
    if -100 < near < 100 and abs(((1 + near / 100) ** 12 - 1) * 100 - float(annual)) < SURELY_NEAR:
        return True  # floating point is off by less than a millionth there, and it isn't money
    if abs(monthly) > 1000 or abs(annual) > Decimal(10) ** 40:
        return False
    return abs(((1 + monthly / 100) ** 12 - 1) * 100 - annual) <= ANNUAL_TOLERANCE


def _schedule(operation: Document, schedule: Schedule) -> Iterator[Finding]:
    indexed = sorted(schedule.indexed(), key=lambda pair: pair[1]["NumeroDaParcela"])
    rows = [row for _, row in indexed]
    due = [row for row in rows if row["NumeroDaParcela"] >= 1]
    if operation.get("NumeroDeParcelas") not in (None, len(due)):
        yield "numero_parcelas", "operation.NumeroDeParcelas"
    for code, total, column in _TOTALS:
        stated = operation.get(total)
        if stated is not None and stated != sum(row.get(column) or ZERO for row in rows):
            yield code, f"operation.{total}"
    if not rows:
        if any(map(operation.get, _OF_A_SCHEDULE)):
            yield "sem_cronograma", _LIST
        return
    balance = operation["ValorBruto"]
    for index, row in indexed:
        yield from _row(row, balance, f"{_LIST}.{index}")
        balance = row.get("ValorDoSaldoAtual")
    if balance:
        yield "saldo_final", f"{_LIST}.{indexed[-1][0]}.ValorDoSaldoAtual"
    yield from _negative(indexed, len(due))
    release, stated = operation.get("DataDeLiberacao"), operation["VencimentoPrimeiraParcela"]
    if due and release is not None and due[0]["DataDeVencimento"] < release <= stated:
        yield "liberacao_depois_do_vencimento", "operation.DataDeLiberacao"
    for (_, before), (index, row) in pairwise(indexed):
        if row["DataDeVencimento"] <= before["DataDeVencimento"]:
            yield "vencimentos_fora_de_ordem", f"{_LIST}.{index}.DataDeVencimento"
    if not _is_price(operation.get("TaxaDeJuros"), due):
        yield "prestacao_price", f"{_LIST}.{indexed[-len(due)][0]}.ValorDaPrestacao"
    if due:
        for code, stated_date, row in (
            ("primeiro_vencimento", "DataDeVencimentoInicial", due[0]),
            ("ultimo_vencimento", "DataDeVencimentoFinal", due[-1]),
        ):
            if operation.get(stated_date) not in (None, row["DataDeVencimento"]):
                yield code, f"operation.{stated_date}"


_TOTALS = (
    ("total_amortizacao", "TotalDeAmortizacao", "ValorDaAmortizacao"),
    ("total_juros", "TotalDeJuros", "ValorDoJuros"),
    ("total_parcelas", "TotalDoValorDasParcelas", "ValorDaPrestacao"),
)
_OF_A_SCHEDULE = (
    *(name for name in OPERATION if name.startswith("Total")),
    *("NumeroDeParcelas", "DataDeVencimentoFinal"),
)
"""Each says that there is a schedule, unless it is null or zero."""


def _is_price(rate: Decimal | None, due: list[Document]) -> bool:
    """Whether level instalments are the Price table's, as far as that can be judged.

    Level: all but the last pay one amount without charges, and the first one repays something (a loan that
    pays interest alone until its end is no Price table).
    """
    if len(due) < FEWEST_LEVEL or rate is None:
        return True
    level, *others = {(row.get("ValorDaPrestacao") or ZERO) - _charges(row) for row in due[:-1]}
    balance, principal = due[0].get("ValorDoSaldoAnterior"), due[0].get("ValorDaAmortizacao")
    if others or level <= 0 or balance is None or not principal or principal < 0:
        return True
    return instalment(balance, rate, len(due)) in (None, level)


def _negative(indexed: list[tuple[int, Document]], due: int) -> Iterator[Finding]:
    """What rounding leaves over goes to the last interest: where there is hardly any, it may be below zero.

    By a cent per instalment at most: half from its own rounding, half from its interest's.
    """
    for index, row in indexed:
        for name in ROW_AMOUNTS:
            is_rest = name == "ValorDoJuros" and index == indexed[-1][0]
            if (amount := row.get(name)) is not None and amount < (-due * HUNDREDTH if is_rest else 0):
                yield "valor_negativo", f"{_LIST}.{index}.{name}"


def _charges(row: Document) -> Decimal:
    return sum((row.get(name) or ZERO for name in CHARGES), ZERO)


def _row(row: Document, balance_before: Decimal | None, path: str) -> Iterator[Finding]:
    before, after = row.get("ValorDoSaldoAnterior"), row.get("ValorDoSaldoAtual")
    interest, payment = row.get("ValorDoJuros") or ZERO, row.get("ValorDaPrestacao") or ZERO
    charges = _charges(row)
    if before is not None and after is not None and after != before + interest + charges - payment:
        yield "saldo_da_linha", f"{path}.ValorDoSaldoAtual"
    if before is not None and balance_before is not None and before != balance_before:
        yield "saldo_encadeado", f"{path}.ValorDoSaldoAnterior"
    principal = row.get("ValorDaAmortizacao")
    if row["NumeroDaParcela"] < 1 or principal is None:
        return
    if payment != principal + interest + charges:
        yield "prestacao", f"{path}.ValorDaPrestacao"
