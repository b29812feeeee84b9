"""What a migration leaves to be done afterwards, without a lock that anybody would wait for.

A migration's transaction holds its locks to its end, so it may change catalogues and no more. What takes as
long as a table is large, or what no migration has to say, is done here, each in a transaction of its own:

- An index. The migration says nothing of it: what ``tables`` names and the database lacks is built
  ``CONCURRENTLY`` (of a partitioned table part by part).
- The look at old rows. The migration adds a check or a foreign key ``NOT VALID``: new rows obey it at once,
  and here it is validated.
- What a publication of all tables needs: without a key to name a row by, the row as a whole.

Whatever is interrupted is done by the next ``db upgrade``. Columns are added without a default that must be
computed per row, and types aren't changed: both would rewrite the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from sqlalchemy import Connection, Index, Table, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex

from ccb_luigi import tables
from ccb_luigi.database import postgres
from ccb_luigi.settings import Settings


def settle(settings: Settings, tell: Callable[[str], None]) -> None:
    """Builds the indexes that are missing, and does what else is left; tells what it begins."""
    target = postgres.of_process(settings)
    _prepare_for_publications(target)
    with target.transaction() as watching:
        todo = [*_indexes(target, watching), *_not_valid(target, watching)]
        # Never waited for: who builds CONCURRENTLY waits for all who wait, and a lock would be a deadlock.
        # One who holds a lock and does nothing isn't waited for.
        if not todo or postgres.try_lock(watching, "settle"):
            for told, work in todo:
                tell(f"{told} ...")
                work()
            return
    tell("another upgrade is under way; what this one leaves to it: " + ", ".join(told for told, _ in todo))


Todo = Iterator[tuple[str, Callable[[], None]]]


def _indexes(target: postgres.Postgres, watching: Connection) -> Todo:
    # Those of a partitioned table are valid when each part has its own.
    valid = watching.execute(
        text("""
            SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
            WHERE i.indisvalid AND CAST(c.relnamespace AS regnamespace)::text IN ('public', 'controle')
        """)
    )
    there = set(valid.scalars())
    find_kind = text("SELECT CAST(relkind AS text) FROM pg_class WHERE oid = to_regclass(:table)")
    for table, index in tables.indexes():
        kind = watching.execute(find_kind, {"table": table.fullname}).scalar()
        if kind and index.name not in there:
            yield f"building index {index.name}", partial(_build, target, table, kind, index)


def _prepare_for_publications(target: postgres.Postgres) -> None:
    """Staging has no keys: where all tables are published, nothing could be deleted from it."""
    keyless = text("""
        SELECT CAST(c.oid AS regclass)::text FROM pg_class c
        WHERE c.relkind = 'r' AND c.relreplident = 'd'
          AND CAST(c.relnamespace AS regnamespace)::text IN ('public', 'controle', 'staging')
          AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)
        ORDER BY 1
    """)
    for name in target.run(lambda connection: connection.execute(keyless).scalars().all()):
        target.run(partial(_briefly, f"ALTER TABLE {name} REPLICA IDENTITY FULL"))


def _not_valid(target: postgres.Postgres, watching: Connection) -> Todo:
    found = watching.execute(
        text("""
            SELECT CAST(CAST(conrelid AS regclass) AS text), conname FROM pg_constraint
            WHERE NOT convalidated AND contype IN ('c', 'f') AND conparentid = 0
              AND CAST(connamespace AS regnamespace)::text IN ('public', 'controle')
            ORDER BY 1, 2
        """)
    )
    for name, constraint in found.all():
        statement = f'ALTER TABLE {name} VALIDATE CONSTRAINT "{constraint}"'
        validate = partial(target.run, partial(postgres.plainly, statement=statement))
        yield f"validating {constraint} of {name}", validate


def _build(target: postgres.Postgres, table: Table, kind: str, index: Index) -> None:
    name = f"{table.schema or 'public'}.{index.name}"
    definition = str(CreateIndex(index).compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]
    create, _, on = definition.partition(f" {index.name} ON {table.fullname} ")
    if kind == "r":
        _build_one(target, create, name, table.fullname, on)
        return
    target.run(partial(_briefly, f"{create} IF NOT EXISTS {index.name} ON ONLY {table.fullname} {on}"))
    # The parts of a partitioned table that have no part of the index yet.
    without = text("""
        SELECT CAST(CAST(t.inhrelid AS regclass) AS text) FROM pg_inherits t
        WHERE t.inhparent = CAST(:table AS regclass) AND NOT EXISTS (
            SELECT FROM pg_inherits i JOIN pg_index x ON x.indexrelid = i.inhrelid
            WHERE x.indrelid = t.inhrelid AND i.inhparent = to_regclass(:index)
        )
        ORDER BY 1
    """).bindparams(table=table.fullname, index=name)
    for part in target.run(lambda connection: connection.execute(without).scalars().all()):
        of_part = f"{part}_{index.name}"
        _build_one(target, create, of_part, part, on)
        target.run(partial(_briefly, f"ALTER INDEX {name} ATTACH PARTITION {of_part}"))


def _build_one(target: postgres.Postgres, create: str, name: str, table: str, on: str) -> None:
    """``name`` with its schema. What an interrupted build left is there, not valid, and costs every write.

    Through a pooler writers wait: it can't be done CONCURRENTLY in a transaction, and outside of one nobody
    knows what the session is like.
    """
    left, new = f"IF EXISTS {name}", f"{name.rpartition('.')[2]} ON {table} {on}"
    if target.is_direct():
        with target.outside() as connection:
            connection.execute(text(f"DROP INDEX CONCURRENTLY {left}"))
            connection.execute(text(f"{create} CONCURRENTLY {new}"))
    else:
        target.run(partial(_briefly, f"DROP INDEX {left}; {create} {new}"))


def _briefly(statement: str, connection: Connection) -> None:
    """The lock that it takes may have to be waited for: rather again later than others behind it."""
    postgres.wait_briefly(connection)
    postgres.plainly(connection, statement)
