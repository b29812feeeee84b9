"""Documents that load with a finding, named by its code.

Made of a document as ``synth.contracts`` makes it, of which a copy is changed.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from ccb_luigi.documents.identifiers import cnpj_digits, cpf_digits

Document = dict[str, Any]
Change = Callable[[Document], None]

_ROWS = "operation.parcelas.PrevisaoDeParcela"


def flag(document: Document, kind: str) -> Document:
    """A copy that loads with the finding ``kind`` (and perhaps with others that follow from it)."""
    copy = deepcopy(document)
    FLAGGED[kind](copy)
    return copy


def _made(path: str, form: Callable[[Any], Any]) -> Change:
    """Puts in place of the value at a dotted path what ``form`` makes of it."""
    *steps, name = path.split(".")

    def change(document: Document) -> None:
        holder: Any = document
        for step in steps:
            holder = holder[int(step) if isinstance(holder, list) else step]
        holder[name] = form(holder[name])

    return change


def _set(path: str, value: Any) -> Change:
    return _made(path, lambda _: value)


def _add(path: str, step: str) -> Change:
    """Adds to a number in text."""
    return _made(path, lambda number: str(Decimal(number) + Decimal(step)))


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
    return _made(path, lambda day: (date.fromisoformat(day) + timedelta(days=1)).isoformat())


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
