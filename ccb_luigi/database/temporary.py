"""Temporary tables: a staging of a transaction's own, and results that are joined with."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, text

_OWN = "own_staging"
_ANALYSE_OWN = r"""
    CREATE OR REPLACE FUNCTION pg_temp.staging_analisar(nome text DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql AS $$
    DECLARE tabela text;
    DECLARE chaves text;
    BEGIN
        FOR tabela, chaves IN
            SELECT c.relname, string_agg(quote_ident(a.attname), ', ')
            FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
            WHERE c.relnamespace = pg_my_temp_schema() AND c.relname LIKE 'staging\_%'
              AND (nome IS NULL OR c.relname = 'staging_' || nome)
              AND a.attname IN ('lote', 'doc', 'mongo_id', 'ccb_code', 'client_id', 'situacao')
            GROUP BY c.relname
        LOOP
            EXECUTE format('ANALYZE pg_temp.%I (%s)', tabela, chaves);
        END LOOP;
    END $$
"""


def own_staging(connection: Connection, names: Sequence[str]) -> None:
    """From here on to the transaction's end ``staging`` means temporary tables of this transaction alone.

    What is staged and loaded in one transaction needs nobody else's eyes. In the shared tables it would be
    written to the log as well, and its rows would stay there dead: a TRUNCATE needs a moment in which nobody
    stages, and with workers on several hosts that never comes.
    """
    for name in names:
        connection.execute(
            text(f"CREATE TEMP TABLE {_owned(f'staging.{name}')} (LIKE staging.{name}) ON COMMIT DROP")
        )
    connection.execute(text(_ANALYSE_OWN))
    connection.execution_options(**{_OWN: True})


@contextmanager
def kept(
    connection: Connection, name: str, query: str, values: dict[str, Any], joined_by: list[str]
) -> Iterator[None]:
    """The query's result as a table with statistics: joins with it get sound plans, whatever its size.

    (As a common table expression it would have none, and "one row, probably" makes nested loops of
    twenty thousand times twenty thousand.)
    """
    connection.execute(text(f"CREATE TEMP TABLE {name} ON COMMIT DROP AS {query}"), values)
    connection.execute(text(f"ANALYZE {name} ({', '.join(joined_by)})"))
    yield
    connection.execute(text(f"DROP TABLE {name}"))


def meant(connection: Connection, statement: str) -> str:
    """The statement, or a table's name, as the connection's transaction means it."""
    return _owned(statement) if connection.get_execution_options().get(_OWN) else statement


def redirect(
    connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
) -> tuple[str, Any]:
    """SQLAlchemy's ``before_cursor_execute``, so that no statement has to know whose staging it uses."""
    return meant(connection, statement), parameters


def _owned(statement: str) -> str:
    """With names of their own: a temporary table ``clientes`` would hide the real one."""
    return re.sub(r"\bstaging\.(?=\w)", "pg_temp.staging_", statement)
