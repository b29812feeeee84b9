"""Findings: what reads well but does not add up (contract §3.8). The document is loaded all the same.

Every rule was checked to hold exactly on real contracts. Rows that lack a value are not judged by the
rules that need it; charges that are missing count as zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from ccb_luigi.documents import identifiers
from ccb_luigi.documents.contract import OPERATION, Document
from ccb_luigi.documents.rows import schedule
from ccb_luigi.documents.uniform import Uniform
from ccb_luigi.documents.values import Rounded

if TYPE_CHECKING:
    from ccb_luigi.documents.alike import Table

Finding = tuple[str, str]
"""(code, path of the field)."""

ANNUAL_TOLERANCE = Decimal("0.10")
SURELY_NEAR = 0.099
CET_TOLERANCE = Decimal("0.02")
ZERO = Decimal(0)
_LIST = "operation.parcelas.PrevisaoDeParcela"


def findings(document: Document) -> list[Finding]:
    """All findings on a normalised document but ``rounded``; no value is ever part of one."""
    operation = document["operation"]
    rows = schedule(document)
    found = [*_client(document), *_operation(operation)]
    if not (type(rows) is Uniform and _adds_up(operation, rows.known)):
        found += _schedule(operation)
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


class Totals(NamedTuple):
    """What a schedule's rows amount to; amounts in cents, days as the number YYYYMMDD.

    ``holds``: the rows are in order, and every rule that looks at rows alone holds on all of them.
    """

    holds: bool
    due: int
    before: int
    principal: int
    interest: int
    payment: int
    first_due: int
    last_due: int


def totals(table: Table) -> list[Totals]:
    """The schedules of many contracts: the rules of ``_schedule``, on whole columns at once."""
    import numpy as np  # for many documents only

    columns, begins = table.columns, table.begins
    number, day = columns["NumeroDaParcela"], columns["DataDeVencimento"]
    before, after = columns["ValorDoSaldoAnterior"], columns["ValorDoSaldoAtual"]
    principal, interest, payment = (columns[name] for name in _PARTS)
    charges = sum(columns[name] for name in _CHARGES)
    first = np.zeros(len(number), bool)
    first[begins] = True
    is_due = number >= 1
    holds = after == before + interest + charges - payment
    holds &= ~is_due | (payment == principal + interest + charges)
    holds[1:] &= first[1:] | ((before[1:] == after[:-1]) & (number[1:] == number[:-1] + 1))
    holds[begins] &= number[begins] <= 1
    ends = np.append(begins[1:], len(number)) - 1
    holds[ends] &= (after[ends] == 0) & is_due[ends]
    for name in _JUDGED & table.missing.keys():  # a charge or interest that is missing counts as zero
        holds &= ~table.missing[name]
    first_due = begins + ~is_due[begins]
    facts = (
        np.logical_and.reduceat(holds, begins),
        np.add.reduceat(is_due.astype(np.int64), begins),
        before[begins],
        *(np.add.reduceat(amounts, begins) for amounts in (principal, interest, payment)),
        day[np.minimum(first_due, ends)],
        day[ends],
    )
    return [*map(Totals, *(fact.tolist() for fact in facts))]


_PARTS = ("ValorDaAmortizacao", "ValorDoJuros", "ValorDaPrestacao")
_CHARGES = ("ValorDaCorrecao", "ValorDoSeguro", "ValorTaxaBancaria")
_JUDGED = {"ValorDaAmortizacao", "ValorDoSaldoAnterior", "ValorDoSaldoAtual"}


def as_amount(cents: int) -> Decimal:
    """An amount in reais."""
    return Decimal(cents).scaleb(-2)


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
    )


def _is_day(day: date | None, number: int) -> bool:
    return day is not None and day.year * 10_000 + day.month * 100 + day.day == number


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


def _schedule(operation: Document) -> Iterator[Finding]:
    listed = (operation.get("parcelas") or {}).get("PrevisaoDeParcela") or ()
    # Null items count for the index: it is the source's own.
    present = [(index, row) for index, row in enumerate(listed) if row is not None]
    indexed = sorted(present, key=lambda pair: pair[1]["NumeroDaParcela"])
    rows = [row for _, row in indexed]
    due = [row for row in rows if row["NumeroDaParcela"] >= 1]
    if operation.get("NumeroDeParcelas") not in (None, len(due)):
        yield "numero_parcelas", "operation.NumeroDeParcelas"
    if not rows:
        return
    balance = operation["ValorBruto"]
    for index, row in indexed:
        yield from _row(row, balance, f"{_LIST}.{index}")
        balance = row.get("ValorDoSaldoAtual")
    if balance:
        yield "saldo_final", f"{_LIST}.{indexed[-1][0]}.ValorDoSaldoAtual"
    for code, total, column in (
        ("total_amortizacao", "TotalDeAmortizacao", "ValorDaAmortizacao"),
        ("total_juros", "TotalDeJuros", "ValorDoJuros"),
        ("total_parcelas", "TotalDoValorDasParcelas", "ValorDaPrestacao"),
    ):
        stated = operation.get(total)
        if stated is not None and stated != sum(row.get(column) or ZERO for row in rows):
            yield code, f"operation.{total}"
    if due:
        for code, stated_date, row in (
            ("primeiro_vencimento", "DataDeVencimentoInicial", due[0]),
            ("ultimo_vencimento", "DataDeVencimentoFinal", due[-1]),
        ):
            if operation.get(stated_date) not in (None, row["DataDeVencimento"]):
                yield code, f"operation.{stated_date}"


def _row(row: Document, balance_before: Decimal | None, path: str) -> Iterator[Finding]:
    before, after = row.get("ValorDoSaldoAnterior"), row.get("ValorDoSaldoAtual")
    interest, payment = row.get("ValorDoJuros") or ZERO, row.get("ValorDaPrestacao") or ZERO
    charges = sum(row.get(name) or ZERO for name in ("ValorDaCorrecao", "ValorDoSeguro", "ValorTaxaBancaria"))
    if before is not None and after is not None and after != before + interest + charges - payment:
        yield "saldo_da_linha", f"{path}.ValorDoSaldoAtual"
    if before is not None and balance_before is not None and before != balance_before:
        yield "saldo_encadeado", f"{path}.ValorDoSaldoAnterior"
    principal = row.get("ValorDaAmortizacao")
    if row["NumeroDaParcela"] < 1 or principal is None:
        return
    if payment != principal + interest + charges:
        yield "prestacao", f"{path}.ValorDaPrestacao"
