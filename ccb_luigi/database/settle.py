"""What a migration leaves to be done afterwards, without a lock that anybody would wait for.

A migration's transaction holds its locks to its end, so it may change catalogues and no more. Two things
take as long as a table is large, and are done here, each in a transaction of its own:

- An index. The migration says nothing of it: what ``tables`` names and the database lacks is built
  ``CONCURRENTLY`` (of a partitioned table part by part).
- The look at old rows. The migration adds a check or a foreign key ``NOT VALID``: new rows obey it at once,
  and here it is validated.

Whatever is interrupted is done by the next ``db upgrade``. Columns are added without a default that must be
computed per row, and types aren't changed: both would rewrite the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from sqlalchemy import Connection, Index, Table, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex

from ccb_luigi import tables
from ccb_luigi.database import postgres
from ccb_luigi.settings import Settings

Tell = Callable[[str], None]


def settle(settings: Settings, tell: Tell) -> None:
    """Builds the indexes that are missing and validates what isn't; tells what it begins."""
    target = postgres.of_process(settings)
    with target.outside() as connection, _first(connection) as alone:
        if not alone:  # another upgrade is at it
            return
        there = set(connection.execute(text(_INDEXES)).scalars())
        for table, index in tables.indexes():
            kind = connection.execute(text(_KIND), {"table": table.fullname}).scalar()
            if kind and index.name not in there:
                tell(f"building index {index.name} ...")
                _build(target, connection, table, kind, index)
        for name, constraint in connection.execute(text(_NOT_VALID)).all():
            tell(f"validating {constraint} of {name} ...")
            connection.execute(text(f'ALTER TABLE {name} VALIDATE CONSTRAINT "{constraint}"'))


@contextmanager
def _first(connection: Connection) -> Iterator[bool]:
    """Never waited for: who builds CONCURRENTLY waits for all who wait, and a lock would be a deadlock."""
    name = {"name": "ccb_luigi:settle"}
    take = text("SELECT pg_try_advisory_lock(hashtextextended(:name, 0))")
    alone = bool(connection.execute(take, name).scalar())
    try:
        yield alone
    finally:
        if alone:
            connection.execute(text("SELECT pg_advisory_unlock(hashtextextended(:name, 0))"), name)


# Those of a partitioned table are valid when each part has its own.
_INDEXES = """
    SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE i.indisvalid AND CAST(c.relnamespace AS regnamespace)::text IN ('public', 'controle')
"""

_KIND = "SELECT CAST(relkind AS text) FROM pg_class WHERE oid = to_regclass(:table)"

_NOT_VALID = """
    SELECT CAST(CAST(conrelid AS regclass) AS text), conname FROM pg_constraint
    WHERE NOT convalidated AND contype IN ('c', 'f') AND conparentid = 0
      AND CAST(connamespace AS regnamespace)::text IN ('public', 'controle')
    ORDER BY 1, 2
"""

# The parts of a partitioned table that have no part of the index yet.
_PARTS_WITHOUT = """
    SELECT CAST(CAST(t.inhrelid AS regclass) AS text) FROM pg_inherits t
    WHERE t.inhparent = CAST(:table AS regclass) AND NOT EXISTS (
        SELECT FROM pg_inherits i JOIN pg_index x ON x.indexrelid = i.inhrelid
        WHERE x.indrelid = t.inhrelid AND i.inhparent = to_regclass(:index)
    )
    ORDER BY 1
"""


def _build(target: postgres.Postgres, connection: Connection, table: Table, kind: str, index: Index) -> None:
    name = f"{table.schema or 'public'}.{index.name}"
    definition = str(CreateIndex(index).compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]
    create, _, on = definition.partition(f" {index.name} ON {table.fullname} ")
    if kind == "r":
        # What an interrupted build left is there, not valid, and costs every write.
        connection.execute(text(f"DROP INDEX CONCURRENTLY IF EXISTS {name}"))
        connection.execute(text(f"{create} CONCURRENTLY {index.name} ON {table.fullname} {on}"))
        return
    target.run(partial(_briefly, f"{create} IF NOT EXISTS {index.name} ON ONLY {table.fullname} {on}"))
    parts = connection.execute(text(_PARTS_WITHOUT), {"table": table.fullname, "index": name}).scalars()
    for part in parts.all():
        of_part = f"{part}_{index.name}"
        connection.execute(text(f"DROP INDEX CONCURRENTLY IF EXISTS {of_part}"))
        connection.execute(text(f"{create} CONCURRENTLY {of_part.rpartition('.')[2]} ON {part} {on}"))
        target.run(partial(_briefly, f"ALTER INDEX {name} ATTACH PARTITION {of_part}"))


def _briefly(statement: str, connection: Connection) -> None:
    """Changes catalogues only, but the lock that it takes may have to be waited for: rather again later."""
    postgres.wait_briefly(connection)
    connection.execute(text(statement))
