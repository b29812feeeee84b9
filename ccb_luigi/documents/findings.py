"""Findings: what reads well but does not add up (contract §3.8). The document is loaded all the same.

Every rule was checked to hold exactly on real contracts. Rows that lack a value are not judged by the
rules that need it; charges that are missing count as zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from functools import lru_cache
from itertools import chain
from operator import add
from typing import Any

from ccb_luigi.documents import identifiers
from ccb_luigi.documents.contract import OPERATION, Document
from ccb_luigi.documents.rows import schedule
from ccb_luigi.documents.uniform import Uniform
from ccb_luigi.documents.values import Rounded

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
    if not (type(rows) is Uniform and _adds_up(operation, rows)):
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


_PRINCIPAL, _INTEREST, _PAYMENT = "ValorDaAmortizacao", "ValorDoJuros", "ValorDaPrestacao"
_BEFORE, _AFTER = "ValorDoSaldoAnterior", "ValorDoSaldoAtual"
_CHARGES = ("ValorDaCorrecao", "ValorDoSeguro", "ValorTaxaBancaria")
_ZEROS = frozenset({"0", "0.0", "0.00"})


def _adds_up(operation: Document, rows: Uniform) -> bool:
    """Whether an ordinary schedule holds in every respect; ``False`` only means that it isn't sure.

    The same rules as in ``_schedule``, on whole columns at once: nearly free, and no finding's words.
    """
    number, size = rows.column("NumeroDaParcela"), len(rows)
    start = int(number[0] == "0")
    if number != _numbers(1 - start, size) or not _ZEROS.issuperset(chain(*map(rows.column, _CHARGES))):
        return False
    principal, interest, payment, after = map(rows.amounts, (_PRINCIPAL, _INTEREST, _PAYMENT, _AFTER))
    before = [operation["ValorBruto"], *after[:-1]]
    if not _chained(rows, before) or after[-1] or before[0] + interest[0] != after[0] + payment[0]:
        return False
    due, parts = rows.column("DataDeVencimento"), principal[start:]
    return (
        payment[start:] == [*map(add, parts, interest[start:])]
        and before[start:] == [*map(add, after[start:], parts)]  # and so interest less payment
        and operation["TotalDeAmortizacao"] == sum(principal)
        and operation["TotalDeJuros"] == sum(interest)
        and operation["TotalDoValorDasParcelas"] == sum(payment)
        and operation["NumeroDeParcelas"] == size - start > 0
        and _same_day(operation["DataDeVencimentoInicial"], due[start])
        and _same_day(operation["DataDeVencimentoFinal"], due[-1])
    )


@lru_cache(maxsize=1024)
def _numbers(first: int, size: int) -> tuple[str, ...]:
    return tuple(map(str, range(first, first + size)))


def _chained(rows: Uniform, before: list[Decimal]) -> bool:
    """Whether each row begins with ``before``, which but for the first is where the row above it ended."""
    texts = rows.column(_BEFORE)
    if texts[1:] == rows.column(_AFTER)[:-1]:
        return Decimal(texts[0]) == before[0]
    return rows.amounts(_BEFORE) == before


def _same_day(day: date | None, text: str) -> bool:
    return day is not None and day.isoformat() == text[:10]


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
