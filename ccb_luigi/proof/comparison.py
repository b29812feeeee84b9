"""A group of documents against what the target holds for them, column by column."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Text, cast, select, text
from sqlalchemy import Row as SqlRow

from ccb_luigi import tables
from ccb_luigi.load.markers import EXTRACTION, RECONCILIATION
from ccb_luigi.proof import expected
from ccb_luigi.proof.expected import Expected, Row, exact_json

MOST_TOLD = 1000
"""Differences that are told one by one; all are counted."""

OF_CLIENT = ("identidades", "enderecos", "contatos", "dados_bancarios")
OF_CONTRACT = ("parcelas", "detalhamento_cet")
_BY_THE_LOAD = frozenset({"carregado_em"})

DIFFERS, MISSING, EXTRA, STALE = "differs", "missing", "extra", "stale"


@dataclass(frozen=True, slots=True)
class Difference:
    """One disagreement, without any value.

    ``subject`` is the contract's code, or of what isn't a contract the ``mongo_id`` or ``client_id``.
    ``column`` is empty where a whole row is meant; ``row`` is the key of it inside its owner, where that
    is nobody's data. ``day``: the date whose load brings the row, where one is known.
    """

    subject: str
    table: str
    column: str
    what: str
    row: str = ""
    day: date | None = None

    @property
    def place(self) -> str:
        """``table.column``, or the table alone."""
        return f"{self.table}.{self.column}" if self.column else self.table


@dataclass(slots=True)
class Proof:
    """What a verification found.

    ``pending``: documents that are newer in the source, ``newer`` the first of them. ``places``: (place,
    what) → how often, of all differences; ``days``: the dates of all differences.
    """

    documents: int = 0
    contracts: int = 0
    clients: int = 0
    quarantined: int = 0
    pending: int = 0
    newer: list[str] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    places: Counter[tuple[str, str]] = field(default_factory=Counter)
    days: set[date] = field(default_factory=set)

    @property
    def total(self) -> int:
        """All differences, also those beyond ``MOST_TOLD``."""
        return self.places.total()

    def wait_for(self, document: Expected) -> None:
        """Counts a version that no load has had to meet yet."""
        self.pending += 1
        if len(self.newer) < MOST_TOLD:
            self.newer.append(document.mongo_id)

    def add(self, found: Iterable[Difference]) -> None:
        """Counts differences, and keeps the first ones."""
        for difference in found:
            self.places[difference.place, difference.what] += 1
            if difference.day:
                self.days.add(difference.day)
            if len(self.differences) < MOST_TOLD:
                self.differences.append(difference)


@dataclass(slots=True)
class Target:
    """What the tables hold for a group of documents.

    ``children``: table → owner → rows. ``rejections``: open rows of the quarantine, with the hash of the
    bytes that are kept there for ``documento``.
    """

    by_id: dict[str, Row]
    by_code: dict[str, Row]
    clients: dict[str, Row]
    children: dict[str, dict[str, list[Row]]]
    findings: dict[str, set[tuple[str, str]]]
    rejections: dict[str, SqlRow[Any]]
    read_at: dict[date, datetime]
    any_read: bool

    def due(self, document: Expected) -> bool:
        """Whether the load must have met this version. One without a time belongs to every date."""
        if document.moment is None or document.day is None:
            return self.any_read
        return document.day in self.read_at and document.moment <= self.read_at[document.day]


def target_of(connection: Connection, group: list[Expected]) -> Target:
    """What a comparison of ``group`` needs, in one statement per table."""
    ids = [document.mongo_id for document in group]
    accepted = [document for document in group if document.accepted]
    contracts = [
        *_select(connection, tables.operacoes, "mongo_id", ids),
        *_select(connection, tables.operacoes, "ccb_code", [each.ccb_code for each in accepted]),
    ]
    clients = _select(connection, tables.clientes, "client_id", [each.client_id for each in accepted])
    versions = {(each.mongo_id, each.moment) for each in accepted}
    owners = {
        "ccb_code": [row["ccb_code"] for row in contracts],
        "client_id": [
            row["client_id"] for row in clients if (row["mongo_id"], row["atualizado_em"]) in versions
        ],
    }
    children: dict[str, dict[str, list[Row]]] = {name: {} for name in (*OF_CONTRACT, *OF_CLIENT)}
    for name, of_owner in children.items():
        table = tables.BY_NAME[name]
        owner = tables.owner(table)
        for row in _select(connection, table, owner, owners[owner]):
            of_owner.setdefault(row[owner], []).append(row)
    findings: dict[str, set[tuple[str, str]]] = {}
    for row in _select(connection, tables.qualidade, "ccb_code", owners["ccb_code"]):
        findings.setdefault(row["ccb_code"], set()).add((row["codigo"], row["campo"]))
    rejections = connection.execute(text(_REJECTIONS), {"ids": ids})
    days = [*{document.day for document in group if document.day is not None}]
    return Target(
        by_id={row["mongo_id"]: row for row in contracts},
        by_code={row["ccb_code"]: row for row in contracts},
        clients={row["client_id"]: row for row in clients},
        children=children,
        findings=findings,
        rejections={row.mongo_id: row for row in rejections},
        read_at={row.particao: row.inserted for row in connection.execute(text(_READ_AT), {"days": days})},
        any_read=bool(connection.execute(text(_ANY_READ)).scalar()),
    )


_REJECTIONS = """
    SELECT mongo_id, sha256, encode(sha256(documento), 'hex') AS documento, codigos
    FROM controle.quarentena WHERE resolvido_em IS NULL AND mongo_id = ANY(CAST(:ids AS text[]))
"""

# The extraction's marker bears the time at which it began to read.
_READ_AT = f"""
    SELECT m.particao, m.inserted FROM table_updates m
    WHERE m.target_table = '{EXTRACTION}' AND m.particao = ANY(CAST(:days AS date[]))
      AND EXISTS (SELECT FROM table_updates r
                  WHERE r.target_table = '{RECONCILIATION}' AND r.particao = m.particao)
"""

_ANY_READ = f"SELECT EXISTS (SELECT FROM table_updates WHERE target_table = '{RECONCILIATION}')"


def _select(connection: Connection, table: Any, key: str, wanted: list[str]) -> list[Row]:
    """Rows by the values of a column, as Python values; numbers in JSON stay exact."""
    if not wanted:
        return []
    columns = [column for column in table.columns if column.name not in _BY_THE_LOAD]
    as_text = [cast(c, Text).label(c.name) if c.name == "extras" else c for c in columns]
    found = connection.execute(select(*as_text).where(table.c[key].in_({*wanted})))
    rows = [dict(row._mapping) for row in found]
    for row in rows:
        if "extras" in row:
            row["extras"] = exact_json(row["extras"])
    return rows


def compare(group: list[Expected], target: Target, proof: Proof) -> None:
    """Puts into ``proof`` what became of each document of the group."""
    for document in group:
        proof.documents += 1
        if not document.accepted:
            proof.add(_dated(_rejected(document, target, proof), document))
            continue
        proof.add(_dated(_contract(document, target, proof), document))
        client = target.clients.get(document.client_id)
        if client and (client["mongo_id"], client["atualizado_em"]) == (document.mongo_id, document.moment):
            proof.clients += 1
            proof.add(_dated(_client(document, client, target), document))


def _dated(found: Iterator[Difference], document: Expected) -> Iterator[Difference]:
    return (replace(difference, day=document.day) for difference in found)


def _rejected(document: Expected, target: Target, proof: Proof) -> Iterator[Difference]:
    """It must be in the quarantine, byte for byte."""
    entry = target.rejections.get(document.mongo_id)
    if entry and entry.sha256 == entry.documento == document.sha256:
        proof.quarantined += 1
    elif not target.due(document):
        proof.wait_for(document)
    elif entry is None:
        yield Difference(document.mongo_id, "controle.quarentena", "", MISSING)
    else:
        column = "sha256" if entry.documento == document.sha256 else "documento"
        yield Difference(document.mongo_id, "controle.quarentena", column, DIFFERS)


def _contract(document: Expected, target: Target, proof: Proof) -> Iterator[Difference]:
    entry = target.rejections.get(document.mongo_id)
    holder = target.by_code.get(document.ccb_code)
    row = target.by_id.get(document.mongo_id)
    if row is None and entry is None and holder and holder["atualizado_em"] == document.moment:
        row = holder  # the very version, under another document's name
    if row is None:
        yield from _without_row(document, entry, holder, target, proof)
    elif row["atualizado_em"] < document.moment and not target.due(document):
        proof.wait_for(document)
    else:
        proof.contracts += 1
        yield from _contract_rows(document, row, target)
        if entry is not None:
            yield Difference(document.mongo_id, "controle.quarentena", "", EXTRA)


def _without_row(
    document: Expected, entry: SqlRow[Any] | None, holder: Row | None, target: Target, proof: Proof
) -> Iterator[Difference]:
    """Right for a document that lost its code to a newer one, and is in the quarantine for it.

    A contract that is gone from the source takes no code from anybody.
    """
    version = (document.moment, document.mongo_id)
    lost = (
        holder is not None
        and holder["excluido_em"] is None
        and (holder["atualizado_em"], holder["mongo_id"]) > version
    )
    waits = entry is not None and "ccb_duplicado" in entry.codigos
    if lost and waits and entry and entry.sha256 == entry.documento == document.sha256:
        proof.quarantined += 1
    elif not target.due(document):
        proof.wait_for(document)
    elif lost and waits:
        yield Difference(document.mongo_id, "controle.quarentena", "documento", DIFFERS)
    elif lost:
        yield Difference(document.mongo_id, "controle.quarentena", "", MISSING)
    else:
        yield Difference(document.ccb_code, "operacoes", "", MISSING)


def _contract_rows(document: Expected, row: Row, target: Target) -> Iterator[Difference]:
    code = document.ccb_code
    (wanted,) = document.rows["operacoes"]
    yield from _columns(code, "operacoes", {**wanted, "excluido_em": None}, row)
    for name in OF_CONTRACT:
        found = target.children[name].get(row["ccb_code"], [])
        yield from _children(code, name, "ccb_code", document.rows[name], found)
    noted = target.findings.get(row["ccb_code"], set())
    for what, some in ((MISSING, document.findings - noted), (EXTRA, noted - document.findings)):
        for codigo, campo in sorted(some):
            yield Difference(code, "controle.qualidade", "", what, f"{codigo} {campo}")


def _client(document: Expected, row: Row, target: Target) -> Iterator[Difference]:
    """The client's rows come from this very version (who else they may come from: see ``verify``)."""
    client_id = document.client_id
    yield from _columns(client_id, "clientes", document.rows["clientes"][0], row)
    for name in OF_CLIENT:
        found = target.children[name].get(client_id, [])
        yield from _children(client_id, name, "client_id", document.rows[name], found)


def _children(
    subject: str, name: str, owner: str, wanted: list[Row], found: list[Row]
) -> Iterator[Difference]:
    """Two sets of rows, by what their key is beside the owner."""
    table = tables.BY_NAME[name]
    key = [column.name for column in table.primary_key if column.name != owner]
    ours = {tuple(row[part] for part in key): row for row in wanted}
    theirs = {tuple(row[part] for part in key): row for row in found}
    for place in dict.fromkeys((*ours, *theirs)):
        shown = str(place[0]) if name in expected.OPEN_KEYS else ""
        if place not in theirs:
            yield Difference(subject, name, "", MISSING, shown)
        elif place not in ours:
            yield Difference(subject, name, "", EXTRA, shown)
        else:
            yield from _columns(subject, name, ours[place], theirs[place], shown, (owner,))


def _columns(
    subject: str, table: str, wanted: Row, found: Row, shown: str = "", without: tuple[str, ...] = ()
) -> Iterator[Difference]:
    for name, value in found.items():
        if name not in without and not same(wanted[name], value):
            yield Difference(subject, table, name, DIFFERS, shown)


def same(wanted: Any, found: Any) -> bool:
    """Equal, where ``True`` isn't 1: in JSON they would be."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return wanted.keys() == found.keys() and all(same(wanted[key], found[key]) for key in wanted)
    if isinstance(wanted, list) and isinstance(found, list):
        return len(wanted) == len(found) and all(map(same, wanted, found))
    return isinstance(wanted, bool) == isinstance(found, bool) and bool(wanted == found)
