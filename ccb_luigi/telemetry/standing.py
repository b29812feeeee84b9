"""Where things stand after a run, and what it did: what the metrics tell. Only dates, codes and counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import Connection, text

from ccb_luigi import tables
from ccb_luigi.documents.valid import ROADS
from ccb_luigi.load import markers, reconcile, recount, status
from ccb_luigi.load.status import Sweep
from ccb_luigi.settings import Settings
from ccb_luigi.telemetry.runs import Run


@dataclass(frozen=True, slots=True)
class Standing:
    """What the tables say.

    ``dates``: state → how many of the last dates. ``differences``: what → on how many dates source and tables
    differ in it. ``open_codes``: code → open rejections with it (a document may have several). ``lost``:
    table → rows that the last recount no longer found.
    """

    dates: dict[str, int]
    differences: dict[str, int]
    open_documents: int
    open_codes: dict[str, int]
    newest_update: datetime | None = None
    sweep: Sweep | None = None
    lost: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Effects:
    """What a run did: documents by outcome and by road, rejections by code, rows by (table, change)."""

    documents: dict[str, int] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)
    rows: dict[tuple[str, str], int] = field(default_factory=dict)
    roads: dict[str, int] = field(default_factory=dict)


def gather(connection: Connection, settings: Settings, day: date) -> Standing:
    """Where things stand, ``day`` being the newest date that ought to be there."""
    nightly_days = settings.nightly_days
    days = status.last_days(connection, settings, day, max(status.DAYS, nightly_days))
    states = list(status.states(days, status.first_known(connection), nightly_days).values())
    dates = {state: states.count(state) for state in status.STATES}
    dates["complete"] = sum(not each.missing for each in days)
    proofs = reconcile.stored(connection, "NOT ok").values()
    counted = recount.last(connection)
    return Standing(
        dates=dates,
        differences={name: sum(name in each.differing for each in proofs) for name in reconcile.SIDES},
        open_documents=connection.execute(text(_OPEN)).scalar_one(),
        open_codes=_codes(connection, "", {}),
        newest_update=connection.execute(text(_NEWEST), {"zone": settings.timezone}).scalar(),
        sweep=status.last_sweep(connection),
        lost=counted.rows if counted else {},
    )


def effects(connection: Connection, run: Run) -> Effects:
    """What the run did. Dates that it read but didn't prove count with what it read and what was rejected."""
    proven, unproven = run.proven(), run.unproven()
    proof = reconcile.total(reconcile.stored(connection, "particao = ANY(:days)", days=proven).values())
    rejected = text(f"{_OPEN} AND particao = ANY(:days)")
    documents = {
        "read": proof.lidos + sum(run.read[day] for day in unproven),
        "loaded": proof.carregados,
        "unchanged": proof.sem_mudanca,
        "stale": proof.obsoletos,
        "quarantined": proof.quarentena + connection.execute(rejected, {"days": unproven}).scalar_one(),
    }
    return Effects(
        documents=documents,
        codes=_codes(connection, "AND particao = ANY(:days)", {"days": [*proven, *unproven]}),
        rows=_rows(connection, run),
        roads=_roads(connection, [*proven, *unproven]),
    )


_OPEN = "SELECT count(*) FROM controle.quarentena WHERE resolvido_em IS NULL"

# By the index of the dates. A document from the future says nothing about how far behind we are.
_NEWEST = """
    SELECT max(atualizado_em) FROM controle.versoes
    WHERE atualizado_em <= now() AND particao = (
        SELECT particao FROM controle.versoes
        WHERE particao <= CAST(now() AT TIME ZONE :zone AS date) AND atualizado_em <= now()
        ORDER BY particao DESC LIMIT 1)
"""


def _codes(connection: Connection, condition: str, values: dict[str, object]) -> dict[str, int]:
    query = f"""
        SELECT codigo, count(*) FROM controle.quarentena, unnest(codigos) AS codigo
        WHERE resolvido_em IS NULL {condition} GROUP BY codigo
    """
    return dict(tuple(row) for row in connection.execute(text(query), values))


def _rows(connection: Connection, run: Run) -> dict[tuple[str, str], int]:
    loads = [markers.update_id(step, day) for day, step in run.done if day and step in tables.BY_NAME]
    changes = ", ".join(f"coalesce(sum(CAST(contagens->>'{name}' AS bigint)), 0)" for name in status.CHANGES)
    query = f"SELECT target_table, {changes} FROM table_updates WHERE update_id = ANY(:ids) GROUP BY 1"
    found = {name: rest for name, *rest in connection.execute(text(query), {"ids": loads})}
    return {
        (name, change): int(number)
        for name in tables.BY_NAME
        for change, number in zip(status.CHANGES, found.get(name, (0, 0, 0)), strict=True)
    }


def _roads(connection: Connection, days: list[date]) -> dict[str, int]:
    query = """
        SELECT key, sum(CAST(value AS bigint)) FROM table_updates, jsonb_each_text(contagens->'roads')
        WHERE update_id = ANY(:ids) GROUP BY key
    """
    ids = [markers.update_id(markers.EXTRACTION, day) for day in days]
    found = dict(tuple(row) for row in connection.execute(text(query), {"ids": ids}))
    return {road: int(found.get(road, 0)) for road in ROADS}
