"""A normalised document as rows of the eight tables: pure, and in the columns' order of ``tables``.

Rows leave out what the load adds: the batch, the document's number and the keys of its owner.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter
from typing import Any

from bson import json_util
from sqlalchemy import Table

from ccb_luigi import tables
from ccb_luigi.documents import values
from ccb_luigi.documents.rawbson import Document

Row = tuple[Any, ...]

_RELAXED = json_util.RELAXED_JSON_OPTIONS
_PLAIN = frozenset({type(None), str, bool})
REMEMBERED = 2000
"""Characters, or bytes, that the fields of a document without a column may have to be remembered."""
_encode = json.JSONEncoder(ensure_ascii=False).encode
_ADDRESS_KINDS = {
    "residencial": "residencial",
    "residential": "residencial",
    "comercial": "comercial",
    "commercial": "comercial",
}


@dataclass(slots=True)
class Rows:
    """``tables``: name → rows. ``left_out``: (path, finding or None) of what has no row, only extras."""

    tables: dict[str, list[Row]]
    left_out: list[tuple[str, str | None]] = field(default_factory=list)
    extras: str = "{}"


def rows_of(document: Document, others: Document, raw: Callable[[], Document]) -> Rows:
    """The rows of one contract, but for its schedule's (``parcelas``).

    ``others``: path → value of the fields without a column. ``raw`` gives the document as it was read, for
    parts of it that have no row either.
    """
    rows = Rows({})
    operation = document["operation"]
    rows.tables["clientes"] = [_client.row(_client.fields(document), document["taxId"])]
    rows.tables["identidades"] = _identities(document, rows)
    rows.tables["enderecos"] = _addresses(document, rows)
    rows.tables["contatos"] = _contacts(document)
    rows.tables["dados_bancarios"] = _accounts(document, rows)
    cet = operation.get("detalhamentoDaCET")
    breakdown = _cet.fields(cet) if cet else ()
    shares = any(part is not None for part in breakdown)
    rows.tables["detalhamento_cet"] = [_cet.row(breakdown)] if shares else []
    if rows.left_out:
        read = raw()
        others = others | {path: _at(read, path) for path, _ in rows.left_out}
    rows.extras = _json(others)
    rows.tables["operacoes"] = [_operation.row(_operation.fields(document), rows.extras)]
    return rows


def _json(found: Document) -> str:
    """Dotted path → value as relaxed extended JSON."""
    if _PLAIN.issuperset(map(type, found.values())):
        short = sum(len(value) for value in found.values() if type(value) is str) <= REMEMBERED
        return _as_json(tuple(found.items())) if short else _encode(found)
    return json_util.dumps(found, json_options=_RELAXED, ensure_ascii=False)


@lru_cache(maxsize=1024)
def _as_json(items: tuple[tuple[str, Any], ...]) -> str:
    """Remembered: what has no column is nearly the same in every document of a source."""
    return _encode(dict(items))


def _at(raw: Document, path: str) -> Any:
    """What the raw document has at ``field.index[.field]``; an only item counts as index 0."""
    name, index, *inner = path.split(".")
    listed = raw[name] if isinstance(raw[name], list) else [raw[name]]
    item = listed[int(index)]
    return item[inner[0]] if inner else item


class _Columns:
    """Puts the values of a table's row under its columns, by name: resolved here, once.

    A column has its value from the field that its path names, or is one of the ``computed`` ones.
    """

    def __init__(self, table: Table, *computed: str) -> None:
        names = [column.name for column in staged_columns(table)]
        paths = {c.name: c.info["path"] for c in staged_columns(table) if "path" in c.info}
        inner = [name for name, path in paths.items() if path.startswith("operation.")]
        outer = [name for name in paths if name not in inner]
        for name in names:
            if name not in paths and name not in computed:
                raise LookupError(f"nobody says what belongs into {table.name}.{name}")
        self.fields = _getter(
            [paths[name] for name in outer], [paths[name].removeprefix("operation.") for name in inner]
        )
        given = [*outer, *inner, *computed]
        last = {name: place for place, name in enumerate(given)}
        self._ordered = _picked([last[name] for name in names])
        self.without: Row = (None,) * len(paths)

    def row(self, fields: Row, *computed: Any) -> Row:
        """The row of what ``fields`` gave (or ``without``); what is computed counts before it."""
        return self._ordered(fields + computed)


def _getter(outer: list[str], inner: list[str]) -> Callable[[Document], Row]:
    """A function from a normalised (sub-)document to the values of its fields, ``inner`` in its operation."""
    get_outer = _fields(outer)
    if not inner:
        return get_outer
    get_inner = _fields(inner)
    return lambda document: get_outer(document) + get_inner(document["operation"])


def _picked(keys: Sequence[Any]) -> Callable[[Any], Row]:
    """``itemgetter``, but always to a tuple."""
    if len(keys) > 1:
        return itemgetter(*keys)
    return lambda found: tuple([found[key] for key in keys])


def _fields(names: list[str]) -> Callable[[Document], Row]:
    all_of = _picked(names)

    def get(document: Document) -> Row:
        try:
            row: Row = all_of(document)
        except KeyError:  # Cerberus leaves missing fields out
            row = tuple([document.get(name) for name in names])
        return row

    return get


def staged_columns(table: Table) -> Iterator[Any]:
    """The columns of ``table`` that are staged with each row, in order."""
    staged = tables.STAGED[table.name].columns
    return (column for column in table.columns if column.name in staged)


_parcela = _Columns(tables.parcelas)
PARCELA_FIELDS = [column.info["path"] for column in staged_columns(tables.parcelas)]
"""The fields of a schedule's row, in the order of the columns that hold them."""
_cet = _Columns(tables.detalhamento_cet)
_operation = _Columns(tables.operacoes, "extras")
_client = _Columns(tables.clientes, "cpf_cnpj")
_identity = _Columns(tables.identidades, "tipo", "numero")
_address = _Columns(tables.enderecos, "tipo", "cep")
_contact = _Columns(tables.contatos, "tipo", "valor")
_account = _Columns(tables.dados_bancarios)
_account_key = _fields([c.info["path"] for c in tables.dados_bancarios.primary_key if "path" in c.info])


def parcelas(schedule: Iterable[Document]) -> list[Row]:
    """The rows of a contract's schedule."""
    return [_parcela.row(_parcela.fields(row)) for row in schedule]


def _identities(document: Document, rows: Rows) -> list[Row]:
    tax_id = document["taxId"]
    found = [_identity.row(_identity.without, "CPF" if len(tax_id) == 11 else "CNPJ", tax_id)]
    for index, item in _items(document, "identity"):
        fields, number = _identity.fields(item), item.get("number")
        if len(found) == 1 and number is not None:
            found.append(_identity.row(fields, "RG", number))
        elif any(value is not None for value in fields):
            rows.left_out.append((f"identity.{index}", None))
    return found


def _addresses(document: Document, rows: Rows) -> list[Row]:
    usual = "residencial" if document["type"] == "PF" else "comercial"
    found: dict[str, Row] = {}
    for index, item in _items(document, "address"):
        path = f"address.{index}"
        said = item.get("type")
        kind = _ADDRESS_KINDS.get((said or usual).lower(), usual)
        fields, zip_code = _address.fields(item), item.get("zipCode")
        if fields.count(None) == len(fields):
            continue
        if kind in found:
            rows.left_out.append((path, None))
            continue
        if said and said.lower() not in _ADDRESS_KINDS:
            rows.left_out.append((f"{path}.type", None))
        if zip_code is not None and not values.is_zip_code(zip_code):
            rows.left_out.append((f"{path}.zipCode", "cep_invalido"))
            zip_code = None
        found[kind] = _address.row(fields, kind, zip_code)
    return list(found.values())


def _contacts(document: Document) -> list[Row]:
    contacts = document.get("contacts") or {}
    found = [
        _contact.row(_contact.without, kind, value)
        for kind, name in (("email", "email"), ("telefone", "phone"))
        for value in contacts.get(name) or ()
        if value is not None
    ]
    return list(dict.fromkeys(found))


def _accounts(document: Document, rows: Rows) -> list[Row]:
    found: dict[Row, None] = {}
    for index, item in _items(document, "bankData"):
        account = _account.fields(item)
        if None not in _account_key(item):
            found[_account.row(account)] = None
        elif any(value is not None for value in account):
            rows.left_out.append((f"bankData.{index}", "conta_incompleta"))
    return list(found)


def _items(document: Document, name: str) -> Iterator[tuple[int, Document]]:
    """(index, item) of a list field, null items left out."""
    listed = document.get(name) or ()
    return ((index, item) for index, item in enumerate(listed) if item is not None)
