"""Documents made worse: for tests, and for the demo's quarantine.

``SPOILED`` holds what the contract rejects; ``FLAGGED`` what loads with a finding, named by the finding's
code. Both take a document as ``synth.contracts`` makes it, and change a copy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from bson import Decimal128

from ccb_luigi.documents.identifiers import cnpj_digits, cpf_digits
from ccb_luigi.documents.rawbson import Document

Change = Callable[[Document], None]


class Spoiler(NamedTuple):
    """A change in place, and what the pipeline must answer with: the rejection code at this path."""

    code: str
    path: str
    change: Change


def spoil(document: Document, kind: str) -> Document:
    """A copy that must be rejected, with ``SPOILED[kind].code`` at ``SPOILED[kind].path``."""
    copy = deepcopy(document)
    SPOILED[kind].change(copy)
    return copy


def flag(document: Document, kind: str) -> Document:
    """A copy that loads with the finding ``kind`` (and perhaps with others that follow from it)."""
    copy = deepcopy(document)
    FLAGGED[kind](copy)
    return copy


def _parent(document: Document, path: str) -> tuple[Any, Any]:
    """The object or list that holds the field at a dotted path, and its key or index there."""
    *steps, name = path.split(".")
    inner: Any = document
    for step in steps:
        inner = inner[int(step) if isinstance(inner, list) else step]
    return inner, int(name) if isinstance(inner, list) else name


def _set(path: str, value: Any) -> Change:
    def change(document: Document) -> None:
        inner, name = _parent(document, path)
        inner[name] = value

    return change


def _remove(path: str) -> Change:
    def change(document: Document) -> None:
        inner, name = _parent(document, path)
        del inner[name]

    return change


def _add(path: str, step: str) -> Change:
    """Adds to a number in text."""

    def change(document: Document) -> None:
        inner, name = _parent(document, path)
        inner[name] = str(Decimal(inner[name]) + Decimal(step))

    return change


def _repeat_last(document: Document) -> None:
    inner, name = _parent(document, _ROWS)
    inner[name].append(dict(inner[name][-1]))


def _is(code: str, path: str, value: Any) -> Spoiler:
    return Spoiler(code, path, _set(path, value))


def _without(path: str) -> Spoiler:
    return Spoiler("ausente", path, _remove(path))


_ROWS = "operation.parcelas.PrevisaoDeParcela"
_FIRST = f"{_ROWS}.0"
_GROSS = "operation.ValorBruto"
SPOILED: dict[str, Spoiler] = {
    "missing_ccb_code": _without("ccbCode"),
    "missing_operation": _without("operation"),
    "missing_due_date": _without(f"{_FIRST}.DataDeVencimento"),
    "blank_client_id": _is("ausente", "clientId", "  "),
    "nil_gross_amount": _is("ausente", _GROSS, {"@i:nil": "true"}),
    "third_decimal": _is("fracao_de_centavo", _GROSS, "100.0010"),  # "100.001" is ambiguous instead
    "third_decimal_double": _is("fracao_de_centavo", _GROSS, 100.001),
    "ambiguous_amount": _is("valor_ambiguo", _GROSS, "1.234"),
    "nan_double": _is("nao_finito", f"{_FIRST}.ValorDoJuros", math.nan),
    "nan_text": _is("nao_finito", "operation.TaxaDeJuros", "NaN"),
    "infinite_decimal128": _is("nao_finito", _GROSS, Decimal128("Infinity")),
    "too_large_amount": _is("valor_excede", _GROSS, "10000000000000"),
    "unreadable_amount": _is("numero_invalido", _GROSS, "1,2,3"),
    "repeated_number": Spoiler("parcela_repetida", _ROWS, _repeat_last),
    "negative_number": _is("parcela_negativa", f"{_FIRST}.NumeroDaParcela", "-1"),
    "impossible_due_date": _is("data_invalida", f"{_FIRST}.DataDeVencimento", "2026-02-30T00:00:00"),
    "unreadable_updated_at": _is("data_invalida", "updatedAt", "ontem"),
    "updated_at_in_seconds": _is("data_ambigua", "updatedAt", 1_795_186_800),
    "birth_date_in_digits": _is("data_ambigua", "birthDate", 19_801_208),
    "nul_in_name": _is("nul", "name", "FULANO\0 DE TAL"),
    "object_for_name": _is("tipo_invalido", "name", {"first": "FULANO"}),
    "nine_letter_tax_id": _is("cpf_cnpj_invalido", "taxId", "ABCDEFGHI"),
    "unknown_person_type": _is("tipo_pessoa_invalido", "type", "PX"),
    "unknown_boolean": _is("booleano_invalido", "operation.FinanIOF", "talvez"),
    "long_ccb_code": _is("texto_longo", "ccbCode", "A" * 256),
    "numeric_id": _is("id_invalido", "_id", 12345),
}
"""Kind → how to make a document that must be rejected, and why it is."""


def _wrong_digit(person: str, digits: Callable[[str], str], base: str) -> Change:
    wrong = f"{base}{(int(digits(base)) + 1) % 100:02d}"

    def change(document: Document) -> None:
        document.update(type=person, taxId=wrong)

    return change


def _other_type(document: Document) -> None:
    document["type"] = "PJ" if document["type"] == "PF" else "PF"


def _near_cents(document: Document) -> None:
    operation = document["operation"]
    operation["ValorDoIOF"] = float(operation["ValorDoIOF"]) + 2e-7


def _without_branch(document: Document) -> None:
    for account in _items(document["bankData"]):
        account["branchNumber"] = None


def _short_zip_code(document: Document) -> None:
    for address in _items(document["address"]):
        address["zipCode"] = "123"


def _undated(document: Document) -> None:
    document["_id"] = str(document["_id"])  # an ObjectId would tell
    for name in ("updatedAt", "createdAt", "emitedAt"):
        document[name] = None


def _items(value: Any) -> list[Document]:
    return value if isinstance(value, list) else [value]


def _day_later(path: str) -> Change:
    def change(document: Document) -> None:
        inner, name = _parent(document, path)
        inner[name] = (date.fromisoformat(inner[name]) + timedelta(days=1)).isoformat()

    return change


def _one_more(document: Document) -> None:
    document["operation"]["NumeroDeParcelas"] += 1


def _as_the_day_before(document: Document) -> None:
    rows = document["operation"]["parcelas"]["PrevisaoDeParcela"]
    rows[-1]["DataDeVencimento"] = rows[0]["DataDeVencimento"]


def _under_another_name(document: Document) -> None:
    schedule = document["operation"]["parcelas"]
    schedule["Parcelas"] = schedule.pop("PrevisaoDeParcela")


def _more_than_the_gross(document: Document) -> None:
    operation = document["operation"]
    operation["ValorLiquido"] = str(Decimal(operation["ValorBruto"]) + Decimal("0.01"))


def _released_late(document: Document) -> None:
    operation = document["operation"]
    first = date.fromisoformat(operation["VencimentoPrimeiraParcela"][:10])
    operation["DataDeLiberacao"] = (first + timedelta(days=1)).isoformat()


def _emitted_late(document: Document) -> None:
    released = date.fromisoformat(document["operation"]["DataDeLiberacao"][:10])
    document["emitedAt"] = (released + timedelta(days=60)).isoformat()


def _cheaper_than_its_interest(document: Document) -> None:
    operation = document["operation"]
    operation["CET_ANUAL"] = str(Decimal(operation["TaxaDeJurosAnual"]) - Decimal("0.02"))


def _without_cet(document: Document) -> None:
    document.update(type="PF", taxId=f"123456780{cpf_digits('123456780')}")
    document["operation"].update(CET=None, CET_ANUAL="")


def _dearer_instalments(document: Document) -> None:
    """Each row pays a real more, as interest: every line and total holds."""
    operation = document["operation"]
    rows = operation["parcelas"]["PrevisaoDeParcela"]
    due = [row for row in rows if int(row["NumeroDaParcela"]) > 0]
    for row in due:
        for name in ("ValorDoJuros", "ValorDaPrestacao"):
            row[name] = str(Decimal(row[name]) + 1)
    for name in ("TotalDeJuros", "TotalDoValorDasParcelas"):
        operation[name] = str(Decimal(operation[name]) + len(due))


FLAGGED: dict[str, Change] = {
    "sem_data": _undated,
    "arredondado": _near_cents,
    "conta_incompleta": _without_branch,
    "cep_invalido": _short_zip_code,
    "cpf_digito": _wrong_digit("PF", cpf_digits, "123456780"),
    "cnpj_digito": _wrong_digit("PJ", cnpj_digits, "12ABC34501DE"),
    "tipo_documento": _other_type,
    "uf_desconhecida": _set("state", "XX"),
    "saldo_da_linha": _add(f"{_ROWS}.0.ValorDoSaldoAtual", "0.01"),
    "saldo_encadeado": _add(f"{_ROWS}.0.ValorDoSaldoAnterior", "0.01"),
    "prestacao": _add(f"{_ROWS}.-1.ValorDaAmortizacao", "0.01"),
    "saldo_final": _add(f"{_ROWS}.-1.ValorDoSaldoAtual", "0.01"),
    "total_amortizacao": _add("operation.TotalDeAmortizacao", "0.01"),
    "total_juros": _add("operation.TotalDeJuros", "0.01"),
    "total_parcelas": _add("operation.TotalDoValorDasParcelas", "0.01"),
    "valor_bruto": _add("operation.ValorDoIOF", "0.01"),
    "numero_parcelas": _one_more,
    "primeiro_vencimento": _day_later("operation.DataDeVencimentoInicial"),
    "ultimo_vencimento": _day_later("operation.DataDeVencimentoFinal"),
    "taxa_anual": _add("operation.TaxaDeJurosAnual", "0.20"),
    "cet_anual": _add("operation.CET_ANUAL", "0.20"),
    "cet_soma": _add("operation.detalhamentoDaCET.PorcentagemDeImpostos", "0.03"),
    "vencimentos_fora_de_ordem": _as_the_day_before,
    "sem_cronograma": _under_another_name,
    "valor_negativo": _set("operation.ValorDoIOF", "-0.01"),
    "valor_zero": _set("operation.ValorLiquido", "0"),
    "liquido_maior_que_bruto": _more_than_the_gross,
    "liberacao_depois_do_vencimento": _released_late,
    "emissao_depois_da_liberacao": _emitted_late,
    "cet_menor_que_juros": _cheaper_than_its_interest,
    "cet_ausente": _without_cet,
    "prestacao_price": _dearer_instalments,
}
"""Finding code → how to make a document that loads with it."""
