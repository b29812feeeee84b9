"""Erases a client (LGPD, art. 18): from the tables, the quarantine and staging, and for the runs to come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import Connection, Table, text

from ccb_luigi import tables
from ccb_luigi.database import postgres, schema
from ccb_luigi.documents import erased
from ccb_luigi.errors import ConfigurationError
from ccb_luigi.load import erasures, markers, quarantine
from ccb_luigi.load.batch import Batch
from ccb_luigi.settings import Settings
from ccb_luigi.tables import esquecimentos

ROWS_AT_A_TIME = 10
"""Of the quarantine: a document can have 16 MB."""


@dataclass(frozen=True, slots=True)
class Found:
    """What there is of a client.

    ``rows``: table → rows. ``batches``: staged batches that hold something of the client. ``codes``: the
    contracts. ``mongo_ids``: the documents. ``rejections``: rows of the quarantine, by their ``id``.
    """

    rows: dict[str, int]
    batches: list[int] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    mongo_ids: set[str] = field(default_factory=set)
    rejections: list[int] = field(default_factory=list)

    @property
    def days(self) -> list[date]:
        """The dates that are under way with documents of the client."""
        return [date.fromordinal(batch) for batch in self.batches if batch > 0]

    @property
    def nothing(self) -> bool:
        """Whether there is nothing at all."""
        return not any(self.rows.values()) and not self.batches


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was removed; ``before``: the client had been erased already. ``freed``: see ``erase``."""

    found: Found
    before: bool
    freed: list[str]


def preview(settings: Settings, client_id: str) -> Found:
    """What ``erase`` would remove.

    Raises:
        ConfigurationError: ``CCB_FORGET_KEY`` isn't set, or isn't the one of earlier erasures.
    """

    def work(connection: Connection) -> Found:
        schema.check(connection)
        _checked_key(connection, settings)
        return find(connection, client_id)

    return postgres.of_process(settings).run(work)


def erase(settings: Settings, client_id: str, waiting: Callable[[str], None] = lambda _: None) -> Erasure:
    """Removes the client in one transaction, and leaves what keeps the next run from loading them again.

    No step of a run is under way meanwhile. Dates that were between extraction and proof with documents of
    the client lose their markers, so that the next run reads them again. ``freed`` in the result: rejected
    documents of others that may have a ``ccbCode`` now that was the client's.

    Raises:
        ConfigurationError: as ``preview``.
        Busy: a run did not end within ``lock_seconds``.
    """

    def work(connection: Connection) -> Erasure:
        schema.alone(connection, waiting)
        known = _checked_key(connection, settings)
        before = known is not None and known.holds(client_id)
        found = find(connection, client_id)
        if not (before and found.nothing):
            _remove(connection, client_id, found)
            _remember(connection, settings, client_id, found)
        return Erasure(found, before, quarantine.waiting_for(connection, found.codes) if found.codes else [])

    return postgres.of_process(settings).run(work)


def find(connection: Connection, client_id: str) -> Found:
    """Everything there is of the client."""
    values = {"client": client_id}
    codes = connection.execute(text("SELECT ccb_code FROM operacoes WHERE client_id = :client"), values)
    batches = connection.execute(
        text("SELECT DISTINCT lote FROM staging.contratos WHERE client_id = :client"), values
    )
    documents = connection.execute(
        text("""
            SELECT mongo_id FROM operacoes WHERE client_id = :client
            UNION SELECT mongo_id FROM clientes WHERE client_id = :client
            UNION SELECT mongo_id FROM staging.contratos WHERE client_id = :client
            UNION SELECT mongo_id FROM controle.versoes WHERE client_id = :client
        """),
        values,
    )
    mongo_ids = set(documents.scalars())
    rejections = _rejections(connection, client_id, mongo_ids)
    rows = {
        table.fullname: connection.execute(
            text(f"SELECT count(*) FROM {table.fullname} WHERE {_of_client(table)}"), values
        ).scalar_one()
        for table in (*tables.LOADED, tables.qualidade)
    }
    return Found(
        rows | {tables.quarentena.fullname: len(rejections)},
        sorted(batches.scalars()),
        sorted(codes.scalars()),
        mongo_ids,
        rejections,
    )


def _of_client(table: Table) -> str:
    if "client_id" in table.columns:
        return "client_id = :client"
    return "ccb_code IN (SELECT ccb_code FROM operacoes WHERE client_id = :client)"


def _rejections(connection: Connection, client_id: str, mongo_ids: set[str]) -> list[int]:
    """Rows of the quarantine, open or not, with the client's documents; adds these to ``mongo_ids``.

    A document tells its client itself; where it doesn't (broken, without ``clientId``, no bytes kept) its
    ``_id`` does.
    """
    found, silent = [], []
    rows = connection.execute(
        text("SELECT id, mongo_id, documento FROM controle.quarentena"),
        execution_options={"stream_results": True, "yield_per": ROWS_AT_A_TIME},
    )
    for row, mongo_id, raw in rows:
        clients = erased.clients_of(bytes(raw or b""))
        if client_id in clients:
            found.append(row)
            mongo_ids.add(mongo_id)
        elif not clients:
            silent.append((row, mongo_id))
    return found + [row for row, mongo_id in silent if mongo_id in mongo_ids]


def _remove(connection: Connection, client_id: str, found: Found) -> None:
    connection.execute(
        text("DELETE FROM controle.quarentena WHERE id = ANY(:rows)"), {"rows": found.rejections}
    )
    for table in (tables.qualidade, *reversed(tables.LOADED)):
        connection.execute(
            text(f"DELETE FROM {table.fullname} WHERE {_of_client(table)}"), {"client": client_id}
        )
    connection.execute(
        text("DELETE FROM controle.versoes WHERE client_id = :client OR mongo_id = ANY(:ids)"),
        {"client": client_id, "ids": sorted(found.mongo_ids)},
    )
    for batch in found.batches:
        Batch(connection, batch).discard()
    for day in found.days:
        markers.forget(connection, day)
    # Markers name the documents that wait for a code.
    connection.execute(
        text("""
            UPDATE table_updates SET contagens =
                jsonb_set(contagens, '{liberados}', (contagens -> 'liberados') - CAST(:ids AS text[]))
            WHERE contagens -> 'liberados' ?| CAST(:ids AS text[])
        """),
        {"ids": sorted(found.mongo_ids)},
    )


def _remember(connection: Connection, settings: Settings, client_id: str, found: Found) -> None:
    """The audit line, which is the tombstone as well. The database adds who and when."""
    row = erased.tombstone(settings.forget_key.encode(), client_id, found.mongo_ids)
    counts = {name: rows for name, rows in found.rows.items() if rows}
    connection.execute(esquecimentos.insert().values(**row, contagens=counts))


def _checked_key(connection: Connection, settings: Settings) -> erased.Erased | None:
    if not settings.forget_key:
        raise ConfigurationError(
            "CCB_FORGET_KEY is not set: a client is remembered as erased by a hash under this key; choose a"
            " long random one, keep it, and give it to every run from then on (docs/security.md)"
        )
    return erasures.known(connection, settings)
