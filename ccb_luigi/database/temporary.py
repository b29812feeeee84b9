"""Temporary tables: a staging of a transaction's own, and results that are joined with."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Table, text

from ccb_luigi import tables

_OWN = "own_staging"
_PREFIX = "pg_temp.ccb_luigi_"
"""With names of their own: a temporary table ``clientes`` would hide the real one, or be another client's."""

_KEYS = ("lote", "doc", "mongo_id", "ccb_code", "client_id", "situacao")
"""What staging is joined by: the statistics that its plans need (see ``staging.analisar``)."""


def own_staging(connection: Connection, names: Sequence[str]) -> None:
    """From here on to the transaction's end ``staging`` means temporary tables of this transaction alone.

    What is staged and loaded in one transaction needs nobody else's eyes. In the shared tables it would be
    written to the log as well, and its rows would stay there dead: a TRUNCATE needs a moment in which nobody
    stages, and with workers on several hosts that never comes.
    """
    for name in names:
        connection.execute(text(f"CREATE TEMP TABLE {_PREFIX}{name} (LIKE staging.{name}) ON COMMIT DROP"))
    connection.execution_options(**{_OWN: True})


def analyse(connection: Connection, table: Table | None = None) -> None:
    """Statistics of staging, as the transaction means it, or of one of its tables."""
    if not connection.get_execution_options().get(_OWN):
        connection.execute(
            text("SELECT staging.analisar(:name)"), {"name": None if table is None else table.name}
        )
        return
    for each in tables.STAGING if table is None else (table,):
        keys = ", ".join(column.name for column in each.columns if column.name in _KEYS)
        connection.execute(text(f"ANALYZE {each.fullname} ({keys})"))


@contextmanager
def kept(
    connection: Connection, name: str, query: str, values: dict[str, Any], joined_by: list[str]
) -> Iterator[None]:
    """The query's result as a table with statistics: joins with it get sound plans, whatever its size.

    (As a common table expression it would have none, and "one row, probably" makes nested loops of
    twenty thousand times twenty thousand.) Its name is ``pg_temp.`` and ``name``. Where a pooler lends its
    sessions somebody may have left one of that name.
    """
    table = f"pg_temp.{name}"
    made = f"DROP TABLE IF EXISTS {table}; CREATE TEMP TABLE {table} ON COMMIT DROP AS {query}"
    connection.execute(text(made), values)
    connection.execute(text(f"ANALYZE {table} ({', '.join(joined_by)})"))
    yield
    connection.execute(text(f"DROP TABLE {table}"))


def meant(connection: Connection, statement: str) -> str:
    """The statement, or a table's name, as the connection's transaction means it."""
    return _owned(statement) if connection.get_execution_options().get(_OWN) else statement


def redirect(
    connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
) -> tuple[str, Any]:
    """SQLAlchemy's ``before_cursor_execute``, so that no statement has to know whose staging it uses."""
    return meant(connection, statement), parameters


def _owned(statement: str) -> str:
    return re.sub(r"\bstaging\.(?=\w)", _PREFIX, statement)
