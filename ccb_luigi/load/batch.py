"""A batch of documents in staging: its number, and the tables that hold its rows.

They are the shared ones of the schema ``staging``, or temporary ones of a transaction that stages and loads.
Statements name them through their batch, so that each works on both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, CursorResult, Table, text

from ccb_luigi import tables
from ccb_luigi.database import postgres

SHARED = "staging."

OWN = "pg_temp.ccb_luigi_"
"""How the name of each temporary table of ours begins, here and in SQL elsewhere.

A temporary table ``clientes`` would hide the real one; a table of the site's own in ``public`` would hide a
temporary one, which the search path has last; and a pooler lends sessions in which others left theirs.
"""

_KEYS = ("lote", "doc", "mongo_id", "ccb_code", "client_id", "situacao")
"""What staging is joined by: the statistics that its plans need (see ``staging.analisar``)."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The batch ``number`` (``lote``) within a transaction; ``prefix`` begins the names of its tables."""

    connection: Connection
    number: int
    prefix: str = SHARED

    @classmethod
    def of_date(cls, connection: Connection, day: date) -> Batch:
        """A date's batch in the shared tables, where each step finds it: its number is the ordinal."""
        return cls(connection, day.toordinal())

    @classmethod
    def own(cls, connection: Connection, number: int) -> Batch:
        """A batch in temporary tables, which end with the transaction.

        What is staged and loaded in one transaction needs nobody else's eyes. In the shared tables it would
        be written to the log as well, and its rows would stay there dead: a TRUNCATE needs a moment in which
        nobody stages, and with workers on several hosts that never comes.
        """
        for table in tables.STAGING:
            connection.execute(
                text(f"CREATE TEMP TABLE {OWN}{table.name} (LIKE {table.fullname}) ON COMMIT DROP")
            )
        return cls(connection, number, OWN)

    def name(self, table: Table) -> str:
        """What SQL calls the table of staging that holds the batch's rows."""
        return f"{self.prefix}{table.name}"

    def run(self, statement: str, **values: Any) -> CursorResult[Any]:
        """Executes a statement.

        In it ``{contratos}`` and ``{qualidade}`` are those tables of the batch, and ``:lote`` its number.
        """
        named = statement.format(
            contratos=self.name(tables.staged_contratos), qualidade=self.name(tables.staged_qualidade)
        )
        return self.connection.execute(text(named), {"lote": self.number, **values})

    @contextmanager
    def kept(self, name: str, query: str, joined_by: list[str]) -> Iterator[None]:
        """The query's result as a table with statistics: joins with it get sound plans, whatever its size.

        (As a common table expression it would have none, and "one row, probably" makes nested loops of
        twenty thousand times twenty thousand.) Its name is ``OWN`` and ``name``.
        """
        table = f"{OWN}{name}"
        self.run(f"CREATE TEMP TABLE {table} ON COMMIT DROP AS {query}")
        self.run(f"ANALYZE {table} ({', '.join(joined_by)})")
        yield
        self.run(f"DROP TABLE {table}")

    def copy(self, table: Table, lines: bytes, columns: Sequence[str] | None = None) -> None:
        """COPYs rendered lines into the batch's table, its ``columns`` or all."""
        names = columns or [column.name for column in table.columns]
        postgres.copy_lines(self.connection, self.name(table), names, lines)

    def analyse(self, table: Table | None = None) -> None:
        """Statistics of the batch's tables, or of one of them."""
        if self.prefix == SHARED:  # which aren't ours to analyse
            self.run("SELECT staging.analisar(:name)", name=None if table is None else table.name)
            return
        for each in tables.STAGING if table is None else (table,):
            keys = ", ".join(column.name for column in each.columns if column.name in _KEYS)
            self.run(f"ANALYZE {self.name(each)} ({keys})")

    def counts(self, *chosen: Table) -> dict[str, int]:
        """Rows of the batch per table of staging."""
        return {
            table.name: self.run(f"SELECT count(*) FROM {self.name(table)} WHERE lote = :lote").scalar_one()
            for table in chosen
        }

    def discard(self) -> None:
        """Takes leftovers of the batch out of staging, without a lock that others would wait for."""
        for table in tables.STAGING:
            self.run(f"DELETE FROM {self.name(table)} WHERE lote = :lote")

    def clear(self) -> None:
        """Empties staging of the batch at the end of its migration (TRUNCATE, if nobody else is in it).

        Its own tables end by themselves.
        """
        if self.prefix == SHARED:
            self.run("SELECT staging.limpar(:lote)")
