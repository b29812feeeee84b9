"""Where a field of a document goes: the columns that are made of it."""

from __future__ import annotations

from functools import cache

from ccb_luigi import tables
from ccb_luigi.documents.compiled import Rules
from ccb_luigi.documents.contract import SCHEMA
from ccb_luigi.preflight.census import EACH

EXTRAS = "operacoes.extras"
"""Where a field without a column goes."""

# The table of what lies in a (sub-)document; of the others the document itself.
_INSIDE = {
    "identity": tables.identidades,
    "address": tables.enderecos,
    "bankData": tables.dados_bancarios,
    "operation.parcelas.PrevisaoDeParcela": tables.parcelas,
    "operation.detalhamentoDaCET": tables.detalhamento_cet,
}
_COMPUTED = {
    "_id": "operacoes.mongo_id",
    "taxId": "clientes.cpf_cnpj",
    "address.type": "enderecos.tipo",
    "contacts.email": "contatos.valor",
    "contacts.phone": "contatos.valor",
    "updatedAt": "operacoes.atualizado_em",
}
"""Fields whose column isn't simply their value."""


@cache
def known() -> dict[str, tuple[str, bool]]:
    """Each field of the contract that holds a value → (its column, whether it must be there)."""
    found: dict[str, tuple[str, bool]] = {}
    _walk(SCHEMA, "", found)
    return found


def _walk(schema: Rules, prefix: str, found: dict[str, tuple[str, bool]]) -> None:
    for name, rules in schema.items():
        path, inner = prefix + name, rules.get("schema", {})
        if rules["type"] == "list":
            inner = inner.get("schema", {})
        if inner:
            _walk(inner, f"{path}.", found)
        else:
            found[path] = _column(path), bool(rules.get("required"))


def _column(path: str) -> str:
    if path in _COMPUTED:
        return _COMPUTED[path]
    within, _, name = path.rpartition(".")
    own = [_INSIDE[within]] if within in _INSIDE else [tables.clientes, tables.operacoes]
    wanted = name if within in _INSIDE else path
    (found,) = {f"{t.name}.{c.name}" for t in own for c in t.columns if c.info.get("path") == wanted}
    return found


def of(path: str) -> str:
    """Its column, ``EXTRAS``, or nothing: what holds other fields is no value."""
    plain = path.replace(f".{EACH}", "")
    if plain in known():
        return known()[plain][0]
    return "" if any(each.startswith(f"{plain}.") for each in known()) else EXTRAS
