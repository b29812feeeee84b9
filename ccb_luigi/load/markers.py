"""Markers in ``table_updates``: what has been done for which date.

A marker is written in the transaction of the rows that it speaks of; nothing else ever says "done".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, extract, func, select

from ccb_luigi import tables
from ccb_luigi.tables import table_updates

EXTRACTION = "contratos"
RECONCILIATION = "reconciliacoes"
STEPS = (EXTRACTION, *tables.BY_NAME, RECONCILIATION)
"""What is marked for every date, in order."""


@dataclass(frozen=True, slots=True)
class Marker:
    """What a row of ``table_updates`` says: when its transaction began, and the counts of its step."""

    inserted: datetime
    contagens: dict[str, Any]


def update_id(step: str, day: date) -> str:
    """The primary key of a marker: ``<table>:<date>``."""
    return f"{step}:{day.isoformat()}"


def find(connection: Connection, step: str, day: date) -> Marker | None:
    """The marker, if it has been set."""
    query = select(table_updates.c.inserted, table_updates.c.contagens).where(
        table_updates.c.update_id == update_id(step, day)
    )
    row = connection.execute(query).one_or_none()
    return Marker(*row) if row else None


def done(connection: Connection, update_ids: Iterable[str]) -> set[str]:
    """Which of these are there, in one query."""
    query = select(table_updates.c.update_id).where(table_updates.c.update_id.in_(list(update_ids)))
    return set(connection.execute(query).scalars())


def put(
    connection: Connection,
    step: str,
    day: date | None,
    rows: int,
    counts: dict[str, Any],
    *,
    name: str = "",
    timed: bool = True,
) -> None:
    """Sets a marker in the caller's transaction; its primary key stops a second runner.

    ``name``: the key of what isn't a date's step. The duration is the transaction's own, so far, if it is
    ``timed`` at all.
    """
    so_far = extract("epoch", func.clock_timestamp() - func.now())
    connection.execute(
        table_updates.insert().values(
            update_id=update_id(step, day) if day else name,
            target_table=step,
            particao=day,
            linhas=rows,
            contagens=counts,
            segundos=so_far if timed else None,
        )
    )


def again(table: str | None = None) -> list[str]:
    """The steps of a date that is done again: all, or the table's own and those of what depends on it.

    The extraction as well, since staging is empty after a migration, and the reconciliation.
    """
    if table is None:
        return list(STEPS)
    dependants = (dependant.name for dependant in tables.dependants(tables.BY_NAME[table]))
    return [EXTRACTION, table, *dependants, RECONCILIATION]


def forget(connection: Connection, day: date, table: str | None = None) -> None:
    """Removes the date's markers: all, or those of the steps to be done again with the table."""
    ids = [update_id(step, day) for step in again(table)]
    connection.execute(table_updates.delete().where(table_updates.c.update_id.in_(ids)))
