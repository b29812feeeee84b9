"""PostgreSQL at the edge: connections, transactions, locks, COPY, and errors without data in them."""

from __future__ import annotations

import io
import os
import re
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, TypeVar

import psycopg2
import psycopg2.extensions
from psycopg2 import errorcodes
from sqlalchemy import Connection, Engine, Table, create_engine, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ccb_luigi.database import temporary
from ccb_luigi.errors import Busy, CcbError, ConfigurationError, SchemaOutdated, TargetError, unreachable
from ccb_luigi.process.heartbeat import watched
from ccb_luigi.process.retry import retrying
from ccb_luigi.process.stopping import cut_when_stopped
from ccb_luigi.process.stopping import insist as insist_on_stopping
from ccb_luigi.settings import Settings

T = TypeVar("T")
COPY_BLOCK = 1 << 18

SECONDS_TO_CONNECT = 10

LONGEST_QUEUE = "500ms"
"""For how long a statement that changes a table waits for it, and others behind it."""

# Shown in pg_stat_activity; the timeouts make a lost peer known within minutes instead of hours.
_CONNECT: dict[str, Any] = {
    "application_name": "ccb_luigi",
    "connect_timeout": SECONDS_TO_CONNECT,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,  # keepalives are silent while data of ours wait to be acknowledged
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
    errorcodes.QUERY_CANCELED: "cancelled by an administrator or by statement_timeout (for this role: 0)",
    errorcodes.IDLE_IN_TRANSACTION_SESSION_TIMEOUT: "idle_in_transaction_session_timeout is shorter than"
    " the source is slow: set it to 0 for this role",
    errorcodes.IO_ERROR: "the server can't read or write its files: see its log and its disk",
    errorcodes.INTERNAL_ERROR: "the server's log says what (a file that can't grow, a bad page)",
    errorcodes.DATA_CORRUPTED: "the server's files are damaged: stop, and see its log",
    errorcodes.INDEX_CORRUPTED: "an index of the server is damaged: REINDEX, and see its log",
    errorcodes.READ_ONLY_SQL_TRANSACTION: "the server only reads: a standby, or it was set so",
    errorcodes.INSUFFICIENT_PRIVILEGE: "`ccb-luigi db grants` shows what each role may do",
}
# PostgreSQL 14 to 18 on Linux, macOS and the BSDs: a backend whose client died stops, and lets its locks go.
# Elsewhere the server refuses the setting, and an orphan ends with its statement.
# A load is one transaction, however long (as one of pg_dump's): from 17 on a server may have a limit for
# that, and a client that it ends so hears of a broken connection only.
_SESSION = """
    SET TIME ZONE 'UTC';
    SET search_path TO public;
    SET lock_timeout = {lock_timeout};
    DO $$ BEGIN
        SET client_connection_check_interval = '5s';
    EXCEPTION WHEN undefined_object OR invalid_parameter_value OR feature_not_supported THEN NULL;
    END $$;
    DO $$ BEGIN
        SET transaction_timeout = 0;
    EXCEPTION WHEN undefined_object THEN NULL;
    END $$
"""
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
    (
        "permission denied for database|permissão negada",
        "the user may not connect to this database",
    ),
)
_NO_ROOM = "too many (clients|connections)|connection slots|muit[ao]s (clientes|conexões)|slots de conex"


class Postgres:
    """A small pool of connections of one process; made after the fork, see ``of_process``."""

    def __init__(self, settings: Settings) -> None:
        if not settings.postgres_url:
            raise ConfigurationError("CCB_POSTGRES_URL is not set (a libpq URL, see README)")
        self._dsn = settings.postgres_url
        self._lock_timeout = int(settings.lock_seconds * 1000)
        self._deadline = self._patience = settings.retry_seconds
        self.engine: Engine = create_engine(
            "postgresql+psycopg2://",
            creator=self._connect,
            pool_size=settings.pool_size,
            max_overflow=2,
            pool_pre_ping=True,
            hide_parameters=True,
        )
        event.listen(self.engine, "before_cursor_execute", temporary.redirect, retval=True)

    def begin_in_child(self) -> None:
        """After a fork: the parent's connections stay open, and are the parent's alone."""
        self.engine.dispose(close=False)
        self._patience = self._deadline

    def _connect(self) -> Any:
        connection = psycopg2.connect(self._dsn, **_CONNECT)
        with connection, connection.cursor() as cursor:
            cursor.execute(_SESSION.format(lock_timeout=self._lock_timeout))
        return connection

    def _answers(self) -> bool:
        """Whether the server says anything to a new client, be it that it won't have one."""
        started = time.monotonic()
        try:
            psycopg2.connect(self._dsn, **_CONNECT).close()
        except psycopg2.Error:
            return time.monotonic() - started < SECONDS_TO_CONNECT - 1
        return True

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """The only place where a transaction begins. Errors come out as ours, without data."""
        with self._used(self.engine.begin) as connection:
            yield connection

    @contextmanager
    def outside(self) -> Iterator[Connection]:
        """For what refuses to be in a transaction (CONCURRENTLY): each statement is one of its own."""

        @contextmanager
        def opened() -> Iterator[Connection]:
            with self.engine.connect() as connection:
                yield connection.execution_options(isolation_level="AUTOCOMMIT")

        with self._used(opened) as connection:
            yield connection

    @contextmanager
    def _used(self, opened: Callable[[], AbstractContextManager[Connection]]) -> Iterator[Connection]:
        try:
            with opened() as connection:
                cut = _cutter(connection)
                with watched(self._answers, cut), cut_when_stopped(cut):
                    yield connection
        except (psycopg2.Error, DBAPIError, PoolTimeout) as error:
            insist_on_stopping()
            # Not chained: the driver's text quotes rows in DETAIL and CONTEXT.
            raise translated(error) from None

    def run(self, work: Callable[[Connection], T]) -> T:
        """``work`` in a transaction of its own, the whole of it tried again on transient errors."""

        def once() -> T:
            with self.transaction() as connection:
                return work(connection)

        try:
            found = retrying(once, self._patience)
        except TargetError as error:
            if error.transient:  # who asks next needn't wait all over again for a server that is gone
                self._patience = 0.0
            raise
        self._patience = self._deadline
        return found


_of_process: tuple[int, Settings, Postgres] | None = None


def of_process(settings: Settings) -> Postgres:
    """This process' pool. A forked child connects anew: a shared connection would mix rows up.

    It goes on with what its parent's engine has learnt of the server, and with the statements compiled there.
    """
    global _of_process
    if _of_process and _of_process[0] != os.getpid():
        _of_process[2].begin_in_child()
        _of_process = (os.getpid(), *_of_process[1:])
    if not _of_process or _of_process[1] != settings:
        _of_process = (os.getpid(), settings, Postgres(settings))
    return _of_process[2]


def translated(error: Exception) -> CcbError:
    """A driver's error as one of ours: SQLSTATE, table and constraint, but no text of the server."""
    original = getattr(error, "orig", None) or error
    if isinstance(error, PoolTimeout):
        return TargetError(
            "PostgreSQL: none of this process' connections became free (CCB_POOL_SIZE)", transient=True
        )
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
        return Busy(
            "another run holds a lock that this one needs: run this again when it has ended, or end it",
            transient=True,
        )
    what = f"{what}: {_ADVICE.get(state, 'the log of the server says more')}"
    return TargetError(what, transient=state in _TRANSIENT or state.startswith("08"))


def _state_name(state: str) -> str:
    try:
        return errorcodes.lookup(state).lower().replace("_", " ")
    except KeyError:
        return "error"


def _of_connection(message: str) -> TargetError:
    where = _place(message)
    for pattern, meaning in _REFUSALS:
        if re.search(pattern, message, re.IGNORECASE):
            return TargetError(f"PostgreSQL refused the connection: {meaning} ({where})")
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


def _cutter(connection: Connection) -> Callable[[], None]:
    """A function for another thread that ends whatever this connection waits for."""
    descriptor = driver_connection(connection).fileno()

    def cut() -> None:
        with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as peer:
            peer.shutdown(socket.SHUT_RDWR)

    return cut


def lock(connection: Connection, *names: str, shared: bool = False) -> None:
    """Advisory locks until the transaction's end, in sorted order, so that no two runs deadlock."""
    kind = "_shared" if shared else ""
    for name in sorted(names):
        connection.execute(
            text(f"SELECT pg_advisory_xact_lock{kind}(hashtextextended(:name, 0))"),
            {"name": f"ccb_luigi:{name}"},
        )


def wait_briefly(connection: Connection) -> None:
    """From here to the transaction's end no lock is waited for longer than a moment.

    Whoever waits for a table's strongest lock makes all others wait that come after: behind one long query
    of an analyst nobody could read. Shorter than ``deadlock_timeout`` (1 s): of two who wait for each other
    it is us who give up.
    """
    connection.execute(text(f"SET LOCAL lock_timeout = '{LONGEST_QUEUE}'"))


def plainly(connection: Connection, statement: str) -> None:
    """Runs statements as they stand: neither % nor : means a parameter."""
    connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


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
    where = temporary.meant(connection, table.fullname)
    with driver_connection(connection).cursor() as cursor:
        cursor.copy_expert(f"COPY {where} ({columns}) FROM STDIN", io.BytesIO(lines), COPY_BLOCK)
