"""Documents that the contract rejects, for the demo's quarantine and for tests.

Made of a document as ``synth.contracts`` makes it, of which a copy is changed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy
from typing import Any, NamedTuple

from bson import Decimal128

from ccb_luigi.documents.rawbson import Document

_MISSING = object()


class Spoiler(NamedTuple):
    """The rejection code that the pipeline must answer with, where, and what is made of the value there."""

    code: str
    path: str
    form: Callable[[Any], Any]


def spoil(document: Document, kind: str) -> Document:
    """A copy that must be rejected, with ``SPOILED[kind].code`` at ``SPOILED[kind].path``."""
    copy = deepcopy(document)
    _, path, form = SPOILED[kind]
    *steps, name = path.split(".")
    holder: Any = copy
    for step in steps:
        holder = holder[int(step) if isinstance(holder, list) else step]
    holder[name] = form(holder[name])
    if holder[name] is _MISSING:
        del holder[name]
    return copy


def _is(code: str, path: str, value: Any) -> Spoiler:
    return Spoiler(code, path, lambda _: value)


def _without(path: str) -> Spoiler:
    return _is("ausente", path, _MISSING)


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
    "repeated_number": Spoiler("parcela_repetida", _ROWS, lambda rows: [*rows, dict(rows[-1])]),
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
