"""What each transaction says for itself, so that it means the same on any server and behind any pooler.

A server, a database or a role may have defaults of their own, and in a session that a pooler lends by
transactions anybody may have left anything. So nothing is set for a session: what a transaction needs it
sets for itself (``SET LOCAL``), and what it can't set is refused before anything is written.
"""

from __future__ import annotations

from psycopg2 import extensions

from ccb_luigi.errors import ConfigurationError

ISOLATION = "ISOLATION LEVEL READ COMMITTED"
"""Two runs of one step wait for each other: each has to see what the other has committed meanwhile."""

# The role and the user first. DEFAULT is what the administrator said for this role or database.
_SETTINGS = {
    "session_authorization": "DEFAULT",
    "role": "DEFAULT",
    "synchronous_commit": "DEFAULT",
    "quote_all_identifiers": "off",  # first: the names of the next ones are kept as they are written
    # Temporary tables last: unless they are named, they come before all others, whoever left them there.
    "search_path": "public, pg_temp",
    # Rows that a policy hides would count as gone: PostgreSQL rather refuses.
    "row_security": "off",
    # A load is one transaction, however long (as one of pg_dump's), and the source may be slow in it.
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "client_encoding": "'UTF8'",
    "standard_conforming_strings": "on",
    "TimeZone": "'UTC'",
    "DateStyle": "'ISO, MDY'",
    "IntervalStyle": "'postgres'",
    "bytea_output": "'hex'",
    "extra_float_digits": "1",
    "array_nulls": "on",
    "transform_null_equals": "off",
    "exit_on_error": "off",
}


def settings(version: int, lock_timeout: int, *, watches_clients: bool) -> dict[str, str]:
    """All that is set, for a server of this version (180006); ``lock_timeout`` in milliseconds."""
    found = {**_SETTINGS, "lock_timeout": str(lock_timeout)}
    if watches_clients:  # a backend whose client died stops, and lets its locks go
        found["client_connection_check_interval"] = "'5s'"
    if version >= 170_000:
        found["transaction_timeout"] = "0"
    return found


def begin(connection: extensions.connection, wanted: dict[str, str]) -> None:
    """Begins a transaction, in one round trip, without a snapshot: it may still ask for another isolation.

    Raises:
        ConfigurationError: foreign keys are switched off, and it isn't ours to switch them on.
    """
    # A standby can't be asked to let anybody write; that it doesn't is found by whoever wants to.
    standby = connection.info.parameter_status("in_hot_standby") == "on"
    mode = ", NOT DEFERRABLE" if standby else ", READ WRITE, NOT DEFERRABLE"
    statements = [f"SET TRANSACTION {ISOLATION}{mode}"]
    statements += [f"SET LOCAL {name} TO {value}" for name, value in wanted.items()]
    with connection.cursor() as cursor:
        cursor.execute("; ".join([*statements, "SHOW session_replication_role"]))
        if cursor.fetchall() != [("origin",)]:
            raise ConfigurationError(
                "PostgreSQL: session_replication_role isn't origin, so foreign keys are not checked: RESET it"
                " for this role and this database (ALTER ROLE, ALTER DATABASE)"
            )


def for_statements(connection: extensions.connection, wanted: dict[str, str]) -> None:
    """The same for a session of our own, in which each statement is a transaction."""
    statements = [f"SET SESSION CHARACTERISTICS AS TRANSACTION {ISOLATION}, READ WRITE, NOT DEFERRABLE"]
    statements += [f"SET {name} TO {value}" for name, value in wanted.items()]
    with connection.cursor() as cursor:
        cursor.execute("; ".join(statements))
