"""PostgreSQL at the edge: connections, transactions, locks, COPY, and errors without data in them."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg2
import psycopg2.extensions
from psycopg2 import errorcodes
from sqlalchemy import Connection, Engine, Table, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ccb_luigi.errors import Busy, CcbError, ConfigurationError, SchemaOutdated, TargetError
from ccb_luigi.retry import retrying
from ccb_luigi.settings import Settings

T = TypeVar("T")
COPY_BLOCK = 1 << 18

# Shown in pg_stat_activity; the timeouts make a lost peer known within minutes instead of hours.
_CONNECT: dict[str, Any] = {
    "application_name": "ccb_luigi",
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "client_encoding": "UTF8",
}
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
    }
)
# The server may speak Portuguese, and psycopg2 has no SQLSTATE for a refused connection.
_REFUSALS = (
    ("certificate verify failed", "the server's certificate is not signed by a CA of sslrootcert"),
    ("certificate for .* does not match host name", "the server's certificate is another host's"),
    ("root certificate file", "sslrootcert names no file with the certificate of a CA"),
    ("does not support SSL", "the server offers no TLS, which sslmode demands"),
    ("SSL error", "TLS failed"),
    ("does not exist|não existe", "the database or the user does not exist"),
    (
        "authentication failed|autentica[çc].* falhou|no password supplied",
        "user or password is wrong",
    ),
    ("pg_hba.conf", "the server's pg_hba.conf refuses this user, host or TLS mode"),
    ("Name or service not known|No address associated|nodename nor servname", "host is unknown"),
    (
        "permission denied for database|permissão negada",
        "the user may not connect to this database",
    ),
)


class Postgres:
    """A small pool of connections of one process; made after the fork, see ``of_process``."""

    def __init__(self, settings: Settings) -> None:
        if not settings.postgres_url:
            raise ConfigurationError("CCB_POSTGRES_URL is not set (a libpq URL, see README)")
        self._dsn = settings.postgres_url
        self._lock_timeout = int(settings.lock_seconds * 1000)
        self._deadline = settings.retry_seconds
        self.engine: Engine = create_engine(
            "postgresql+psycopg2://",
            creator=self._connect,
            pool_size=settings.pool_size,
            max_overflow=2,
            pool_pre_ping=True,
            hide_parameters=True,
        )

    def _connect(self) -> Any:
        connection = psycopg2.connect(self._dsn, **_CONNECT)
        with connection, connection.cursor() as cursor:
            cursor.execute("SET TIME ZONE 'UTC'; SET search_path TO public")
            cursor.execute(f"SET lock_timeout = {self._lock_timeout}")
        return connection

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """The only place where a transaction begins. Errors come out as ours, without data."""
        try:
            with self.engine.begin() as connection:
                yield connection
        except (psycopg2.Error, DBAPIError, PoolTimeout) as error:
            # Not chained: the driver's text quotes rows in DETAIL and CONTEXT.
            raise translated(error) from None

    def run(self, work: Callable[[Connection], T]) -> T:
        """``work`` in a transaction of its own, the whole of it tried again on transient errors."""

        def once() -> T:
            with self.transaction() as connection:
                return work(connection)

        return retrying(once, self._deadline)


_of_process: tuple[int, Settings, Postgres] | None = None


def of_process(settings: Settings) -> Postgres:
    """This process' pool. A forked child makes its own: a shared connection would mix rows up."""
    global _of_process
    if _of_process and _of_process[0] == os.getpid() and _of_process[1] == settings:
        return _of_process[2]
    if _of_process and _of_process[0] != os.getpid():
        _of_process[2].engine.dispose(close=False)
    _of_process = (os.getpid(), settings, Postgres(settings))
    return _of_process[2]


def translated(error: Exception) -> CcbError:
    """A driver's error as one of ours: SQLSTATE, table and constraint, but no text of the server."""
    original = getattr(error, "orig", None) or error
    if isinstance(error, PoolTimeout):
        return TargetError("PostgreSQL: no connection became free", transient=True)
    if isinstance(original, psycopg2.ProgrammingError) and "dsn" in str(original):
        return ConfigurationError("CCB_POSTGRES_URL is not a libpq URL or key/value string")
    if re.search("invalid integer value|invalid port number", str(original)):
        return ConfigurationError("CCB_POSTGRES_URL holds something else where a number must be")
    state = getattr(original, "pgcode", None)
    if state is None:
        return _of_connection(str(original))
    diagnostics = getattr(original, "diag", None)
    named = {name: getattr(diagnostics, f"{name}_name", None) for name in ("table", "column", "constraint")}
    place = ", ".join(f"{name} {value}" for name, value in named.items() if value)
    what = f"PostgreSQL: {_state_name(state)} ({state}){' in ' + place if place else ''}"
    if state in (
        errorcodes.UNDEFINED_TABLE,
        errorcodes.INVALID_SCHEMA_NAME,
        errorcodes.UNDEFINED_COLUMN,
    ):
        return SchemaOutdated("the tables are missing or old: run `ccb-luigi db upgrade`")
    if state == errorcodes.LOCK_NOT_AVAILABLE:
        return Busy("another run holds a lock that this one needs", transient=True)
    if state == errorcodes.INSUFFICIENT_PRIVILEGE:
        return TargetError(f"{what}: `ccb-luigi db grants` shows what each role may do")
    return TargetError(what, transient=state in _TRANSIENT or state.startswith("08"))


def _state_name(state: str) -> str:
    try:
        return errorcodes.lookup(state).lower().replace("_", " ")
    except KeyError:
        return "error"


def _of_connection(message: str) -> TargetError:
    for pattern, meaning in _REFUSALS:
        if re.search(pattern, message, re.IGNORECASE):
            return TargetError(f"PostgreSQL refused the connection: {meaning} (CCB_POSTGRES_URL)")
    return TargetError("PostgreSQL can't be reached, or the connection broke", transient=True)


def lock(connection: Connection, *names: str, shared: bool = False) -> None:
    """Advisory locks until the transaction's end, in sorted order, so that no two runs deadlock."""
    kind = "_shared" if shared else ""
    for name in sorted(names):
        connection.execute(
            text(f"SELECT pg_advisory_xact_lock{kind}(hashtextextended(:name, 0))"),
            {"name": f"ccb_luigi:{name}"},
        )


def lock_alone(connection: Connection, name: str, waiting: Callable[[str], None]) -> None:
    """An advisory lock as in ``lock``, telling whom it waits for, if it has to.

    Raises:
        Busy: the lock wasn't free within ``lock_seconds``. Not transient: it has been waited for.
    """
    key = {"name": f"ccb_luigi:{name}"}
    take = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:name, 0))")
    if connection.execute(take, key).scalar():
        return
    waiting(f"waiting for {_holders(connection, key)} ...")
    try:
        with connection.begin_nested():
            lock(connection, name)
    except DBAPIError as error:
        if not isinstance(translated(error), Busy):
            raise
        raise Busy(
            f"nothing was changed: still at work is {_holders(connection, key)}; run this again when it has"
            " ended, or wait longer (CCB_LOCK_SECONDS)"
        ) from None


# The lock's number is split into two halves; who may not see others' activity sees null for its time.
_HOLDERS = """
    SELECT a.pid, a.usename, a.application_name, to_char(a.xact_start, 'HH24:MI:SS') AS since
    FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND pid <> pg_backend_pid()
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND (CAST(l.classid AS bigint) << 32) | CAST(l.objid AS bigint) = hashtextextended(:name, 0)
    ORDER BY a.xact_start, a.pid
"""


def _holders(connection: Connection, key: dict[str, str]) -> str:
    """Who holds the lock, in words."""
    found = [
        f"{row.application_name or 'a session'} of {row.usename} (pid {row.pid}"
        + (f", since {row.since} UTC)" if row.since else ")")
        for row in connection.execute(text(_HOLDERS), key)
    ]
    return " and ".join(found) or "a run that has just ended"


def driver_connection(connection: Connection) -> psycopg2.extensions.connection:
    """psycopg2's own connection, in the same transaction, for what SQLAlchemy has no words for."""
    found: psycopg2.extensions.connection = connection.connection.driver_connection  # type: ignore[assignment]
    return found


def copy_lines(
    connection: Connection, table: Table, lines: bytes, names: Sequence[str] | None = None
) -> None:
    """COPYs lines of text into ``table`` (its columns ``names``, or all), in large blocks."""
    columns = ", ".join(names or [column.name for column in table.columns])
    with driver_connection(connection).cursor() as cursor:
        cursor.copy_expert(f"COPY {table.fullname} ({columns}) FROM STDIN", io.BytesIO(lines), COPY_BLOCK)
