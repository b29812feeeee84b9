"""Findings: what reads well but does not add up (contract §3.8). The document is loaded all the same.

Every rule was checked to hold exactly on real contracts. Rows that lack a value are not judged by the
rules that need it; charges that are missing count as zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from ccb_luigi.codes import Strictness
from ccb_luigi.documents import identifiers
from ccb_luigi.documents.contract import OPERATION, PARCELA, Document
from ccb_luigi.documents.rows import schedule
from ccb_luigi.documents.sanity import HUNDREDTH, Finding, instalment, sanity
from ccb_luigi.documents.schedule import TextSchedule
from ccb_luigi.documents.values import Rounded

if TYPE_CHECKING:
    from ccb_luigi.documents.fast.schedule_bytes import Table

ANNUAL_TOLERANCE = Decimal("0.10")
SURELY_NEAR = 0.099
CET_TOLERANCE = Decimal("0.02")
ZERO = Decimal(0)
_LIST = "operation.parcelas.PrevisaoDeParcela"


def findings(document: Document, zone: ZoneInfo, strictness: Strictness) -> list[Finding]:
    """All findings on a normalised document but ``rounded``; no value is ever part of one."""
    operation = document["operation"]
    rows = schedule(document)
    found = [*_client(document), *_operation(operation), *sanity(document, zone, strictness.emission_days)]
    if not (type(rows) is TextSchedule and _adds_up(operation, rows.known)):
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
    ``opening``: the balance before the first instalment; ``level``: what each instalment but the last pays
    without charges, where that is one amount to be judged by the Price table, else 0.
    """

    holds: bool
    due: int
    before: int
    principal: int
    interest: int
    payment: int
    first_due: int
    last_due: int
    opening: int
    level: int


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
    follows = (before[1:] == after[:-1]) & (number[1:] == number[:-1] + 1) & (day[1:] > day[:-1])
    holds[1:] &= first[1:] | follows
    for name in _ROW_AMOUNTS:
        holds &= columns[name] >= 0
    holds[begins] &= number[begins] <= 1
    ends = np.append(begins[1:], len(number)) - 1
    holds[ends] &= (after[ends] == 0) & is_due[ends]
    for name in _JUDGED & table.missing.keys():  # a charge or interest that is missing counts as zero
        holds &= ~table.missing[name]
    first_due = np.minimum(begins + ~is_due[begins], ends)
    due = np.add.reduceat(is_due.astype(np.int64), begins)
    fixed = payment - charges
    unlike = is_due & (fixed != np.repeat(fixed[first_due], ends - begins + 1))
    unlike[ends] = False  # what rounding leaves over may go to the last instalment
    is_level = ~np.logical_or.reduceat(unlike, begins) & (due >= FEWEST_LEVEL) & (principal[first_due] > 0)
    facts = (
        np.logical_and.reduceat(holds, begins),
        due,
        before[begins],
        *(np.add.reduceat(amounts, begins) for amounts in (principal, interest, payment)),
        day[first_due],
        day[ends],
        before[first_due],
        np.where(is_level, fixed[first_due], 0),
    )
    return [*map(Totals, *(fact.tolist() for fact in facts))]


_PARTS = ("ValorDaAmortizacao", "ValorDoJuros", "ValorDaPrestacao")
_CHARGES = ("ValorDaCorrecao", "ValorDoSeguro", "ValorTaxaBancaria")
_ROW_AMOUNTS = [name for name, rules in PARCELA.items() if rules.get("coerce") == "money"]

FEWEST_LEVEL = 3
"""Instalments from which on equal ones are a Price table: of two, one alone would be equal to itself."""
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


def _schedule(operation: Document) -> Iterator[Finding]:
    listed = (operation.get("parcelas") or {}).get("PrevisaoDeParcela") or ()
    # Null items count for the index: it is the source's own.
    present = [(index, row) for index, row in enumerate(listed) if row is not None]
    indexed = sorted(present, key=lambda pair: pair[1]["NumeroDaParcela"])
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
    level, *others = {_without_charges(row) for row in due[:-1]}
    balance, principal = due[0].get("ValorDoSaldoAnterior"), due[0].get("ValorDaAmortizacao")
    if others or level <= 0 or balance is None or not principal or principal < 0:
        return True
    return instalment(balance, rate, len(due)) in (None, level)


def _negative(indexed: list[tuple[int, Document]], due: int) -> Iterator[Finding]:
    """What rounding leaves over goes to the last interest: where there is hardly any, it may be below zero.

    By a cent per instalment at most: half from its own rounding, half from its interest's.
    """
    for index, row in indexed:
        for name in _ROW_AMOUNTS:
            is_rest = name == "ValorDoJuros" and index == indexed[-1][0]
            if (amount := row.get(name)) is not None and amount < (-due * HUNDREDTH if is_rest else 0):
                yield "valor_negativo", f"{_LIST}.{index}.{name}"


def _charges(row: Document) -> Decimal:
    return sum((row.get(name) or ZERO for name in _CHARGES), ZERO)


def _without_charges(row: Document) -> Decimal:
    return (row.get("ValorDaPrestacao") or ZERO) - _charges(row)


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
