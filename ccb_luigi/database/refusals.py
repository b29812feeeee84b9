"""What PostgreSQL refuses, and how it ends: an error of ours for each, in one line, without data in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import psycopg2
from psycopg2 import errorcodes
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ccb_luigi import tables
from ccb_luigi.database import connecting
from ccb_luigi.errors import Busy, CcbError, ConfigurationError, SchemaOutdated, TargetError, unreachable

_TRANSIENT = frozenset(
    {
        errorcodes.SERIALIZATION_FAILURE,
        errorcodes.DEADLOCK_DETECTED,
        errorcodes.LOCK_NOT_AVAILABLE,
        errorcodes.ADMIN_SHUTDOWN,
        errorcodes.CRASH_SHUTDOWN,
        errorcodes.CANNOT_CONNECT_NOW,
        errorcodes.TOO_MANY_CONNECTIONS,
        errorcodes.READ_ONLY_SQL_TRANSACTION,  # a standby, before its promotion
        errorcodes.STATEMENT_COMPLETION_UNKNOWN,
        errorcodes.TRANSACTION_INTEGRITY_CONSTRAINT_VIOLATION,
        errorcodes.IDLE_IN_TRANSACTION_SESSION_TIMEOUT,  # the source was slow: the session is gone
        "57P05",  # idle_session_timeout: likewise
    }
)
# What to do about it, where the state's own name doesn't say that. Whatever it is: the transaction is undone.
_ADVICE = {
    errorcodes.DISK_FULL: "the server's disk is full: make room, the same command goes on",
    errorcodes.OUT_OF_MEMORY: "the server is out of memory: see its log and work_mem",
    errorcodes.CONFIGURATION_LIMIT_EXCEEDED: "a limit of the server, such as temp_file_limit, is too small",
    errorcodes.QUERY_CANCELED: "cancelled by an administrator",
    errorcodes.IDLE_IN_TRANSACTION_SESSION_TIMEOUT: "idle_in_transaction_session_timeout is shorter than"
    " the source is slow: set it to 0 for this role",
    errorcodes.IO_ERROR: "the server can't read or write its files: see its log and its disk",
    errorcodes.INTERNAL_ERROR: "the server's log says what (a file that can't grow, a bad page)",
    errorcodes.DATA_CORRUPTED: "the server's files are damaged: stop, and see its log",
    errorcodes.INDEX_CORRUPTED: "an index of the server is damaged: REINDEX, and see its log",
    errorcodes.OBJECT_NOT_IN_PREREQUISITE_STATE: "if all tables are published (FOR ALL TABLES): `ccb-luigi db"
    " upgrade` prepares staging for it",
    errorcodes.FEATURE_NOT_SUPPORTED: "a standby, before its promotion, refuses this; so do servers that only"
    " speak PostgreSQL's protocol",
    errorcodes.READ_ONLY_SQL_TRANSACTION: "the server only reads: a standby, or it was set so",
    errorcodes.INSUFFICIENT_PRIVILEGE: "`ccb-luigi db grants` shows what each role may do",
}
_NO_SUCH_TABLE = frozenset(
    {errorcodes.UNDEFINED_TABLE, errorcodes.INVALID_SCHEMA_NAME, errorcodes.UNDEFINED_COLUMN}
)
_TABLES = frozenset({*tables.BY_NAME, "table_updates", "quarentena", "qualidade", "reconciliacoes"})
# The server may speak Portuguese, and psycopg2 has no SQLSTATE for a refused connection.
_REFUSALS = (
    ("certificate verify failed", "the server's certificate is not signed by a CA of sslrootcert"),
    ("certificate for .* does not match host name", "the server's certificate is another host's"),
    ("root certificate file", "sslrootcert names no file with the certificate of a CA"),
    ("does not support SSL", "the server offers no TLS, which sslmode demands"),
    ("SSL error", "TLS failed"),
    ("does not exist|n.{1,2}o existe|no such (database|user)", "the database or the user does not exist"),
    (
        "bouncer config error",
        "the pooler finds no such database, or can't look logins up (its auth_query; its own log says more)",
    ),
    (connecting.WRONG_PASSWORD, "user or password is wrong"),
    ("pg_hba.conf", "the server's pg_hba.conf refuses this user, host or TLS mode"),
    ("permission denied for database|permissão negada", "the user may not connect to this database"),
)
_NO_ROOM = (
    "too many (clients|connections)|connection slots|no more connections allowed|query_wait_timeout"
    "|muit[ao]s (clientes|conex)|slots de conex"
)
# No error of its own, and no state: what ended the session is in the server's log alone.
_ENDED = (
    "closed the connection unexpectedly|connection has been closed unexpectedly|EOF detected|invalid socket"
    "|terminating connection|no connection to the server|connection already closed"
)


def translated(error: Exception, held_by: Sequence[str] = ()) -> CcbError:
    """A driver's error as one of ours: SQLSTATE, table and constraint, but no text of the server.

    ``held_by``: who was seen to hold what was waited for.
    """
    original = getattr(error, "orig", None) or error
    if isinstance(error, PoolTimeout):
        return TargetError(
            "PostgreSQL: none of this process' connections became free (CCB_POOL_SIZE)", transient=True
        )
    if wrong := _of_address(original):
        return wrong
    if getattr(original, "pgcode", None) is None:
        return _of_connection(str(original))
    return _of_statement(original, held_by)


def _of_address(original: Any) -> ConfigurationError | None:
    """What no server need be asked for: the address can't be used as it stands."""
    if isinstance(original, psycopg2.ProgrammingError) and "dsn" in str(original):
        return ConfigurationError("CCB_POSTGRES_URL is not a libpq URL or key/value string")
    if re.search("invalid integer value|invalid port number", str(original)):
        return ConfigurationError("CCB_POSTGRES_URL holds something else where a number must be")
    if "unsupported startup parameter" in str(original):
        return ConfigurationError(
            "PostgreSQL: the pooler of CCB_POSTGRES_URL takes no options: leave them out of the address (and"
            " PGOPTIONS), or have it ignore them (ignore_startup_parameters)"
        )
    return None


def _of_statement(original: Any, held_by: Sequence[str]) -> CcbError:
    state = original.pgcode
    if state in _NO_SUCH_TABLE:
        return SchemaOutdated("the tables are missing or old: run `ccb-luigi db upgrade`")
    if state == errorcodes.LOCK_NOT_AVAILABLE:
        who = " and ".join(held_by) or "another session"
        return Busy(
            f"{who} holds a lock that this one needs: run this again when it has ended, or end it",
            transient=True,
        )
    diagnostics = getattr(original, "diag", None)
    named = {name: getattr(diagnostics, f"{name}_name", None) for name in ("table", "column", "constraint")}
    place = ", ".join(f"{name} {value}" for name, value in named.items() if value)
    advice = _ADVICE.get(state, "the log of the server says more")
    if getattr(diagnostics, "source_function", None) == "check_enable_rls":
        advice = (
            f"row-level security of {_named(str(original))} hides rows from this role (it needs BYPASSRLS)"
        )
    return TargetError(
        f"PostgreSQL: {_state_name(state)} ({state}){' in ' + place if place else ''}: {advice}",
        transient=state in _TRANSIENT or state.startswith("08"),
    )


def _state_name(state: str) -> str:
    try:
        return errorcodes.lookup(state).lower().replace("_", " ")
    except KeyError:
        return "error"


def _named(message: str) -> str:
    """The table of ours that a text in any language names."""
    return next((name for name in re.findall(r"\w+", message) if name in _TABLES), "a table")


def _of_connection(message: str) -> TargetError:
    where = _place(message)
    for pattern, meaning in _REFUSALS:
        if re.search(pattern, message, re.IGNORECASE):
            return TargetError(f"PostgreSQL refused the connection: {meaning} ({where})")
    connecting_failed = re.search("connection to server|conex.{1,2}o com o servidor", message)
    if not connecting_failed and re.search(_ENDED, message, re.IGNORECASE):
        return TargetError(
            "PostgreSQL: the server ended the session, or the network did: a restart, a fail-over, an"
            " administrator, a limit of a pooler (the server's log says which)",
            transient=True,
        )
    if re.search(_NO_ROOM, message, re.IGNORECASE):
        return TargetError(
            "PostgreSQL has no connection free: raise max_connections, or the limit of the role or database",
            transient=True,
        )
    return TargetError(f"{unreachable('PostgreSQL', message)} ({where})", transient=True)


def _place(message: str) -> str:
    """The setting, and the server that libpq speaks of, in whatever language."""
    found = re.search(r'"([^"\s]+)"(?: \([^()]*\))?, \w+ (\d+) ', message)
    return f"CCB_POSTGRES_URL: {found[1]}:{found[2]}" if found else "CCB_POSTGRES_URL"
