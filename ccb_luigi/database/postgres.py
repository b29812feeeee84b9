"""PostgreSQL at the edge: connections, transactions, locks and COPY."""

from __future__ import annotations

import io
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from functools import partial
from typing import TypeVar

import psycopg2
import psycopg2.extensions
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ccb_luigi.database import connecting, copying, session, waiting
from ccb_luigi.database.refusals import translated
from ccb_luigi.errors import ConfigurationError, TargetError
from ccb_luigi.process.heartbeat import watched
from ccb_luigi.process.retry import retrying, soon
from ccb_luigi.process.stopping import cut_when_stopped
from ccb_luigi.process.stopping import insist as insist_on_stopping
from ccb_luigi.settings import Settings

T = TypeVar("T")
COPY_BLOCK = 1 << 18


class Postgres:
    """A small pool of connections of one process; made after the fork, see ``of_process``."""

    def __init__(self, settings: Settings) -> None:
        if not settings.postgres_url:
            raise ConfigurationError("CCB_POSTGRES_URL is not set (a libpq URL: docs/settings.md)")
        self._connector = connecting.Connector(settings.postgres_url)
        self._lock_timeout = int(settings.lock_seconds * 1000)
        self._deadline = self._patience = settings.retry_seconds
        self._first = settings.first_seconds if settings.impatient else None
        self.engine: Engine = create_engine(
            "postgresql+psycopg2://",
            creator=self._connector,
            pool_size=settings.pool_size,
            max_overflow=2,
            pool_pre_ping=True,
            hide_parameters=True,
        )

    def begin_in_child(self) -> None:
        """After a fork: the parent's connections stay open, and are the parent's alone."""
        self.engine.dispose(close=False)
        self._patience = self._deadline

    def _answers(self, process: int, held_by: list[str]) -> bool:
        """Whether the server says anything to a new client, be it that it won't have one.

        ``held_by`` becomes whom ``process`` waits for, while there is somebody to ask. It is cut off
        when its time is up: a pooler lets clients in beside a server that says nothing any more.
        """
        started = time.monotonic()
        try:
            with closing(self._connector.open()) as connection:
                late = threading.Timer(connecting.SECONDS_TO_CONNECT, _cutter(connection))
                late.start()
                try:
                    before, held_by[:] = [*held_by], waiting.holders(connection, process)
                    waiting.tell(held_by, before)
                finally:
                    late.cancel()
        except psycopg2.Error:
            return time.monotonic() - started < connecting.SECONDS_TO_CONNECT - 1
        return True

    def _settings(self, driver: psycopg2.extensions.connection) -> dict[str, str]:
        """What a transaction needs of the server, by name."""
        watches = bool(self._connector.watches_clients)
        return session.settings(driver.info.server_version, self._lock_timeout, watches_clients=watches)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """The only place where a transaction begins. Errors come out as ours, without data."""
        with self._used(self.engine.begin) as connection:
            driver = driver_connection(connection)
            session.begin(driver, self._settings(driver))
            yield connection

    def is_direct(self) -> bool:
        """Whether no pooler is between: it makes up the number of the process that it lends."""
        with self.transaction() as connection:
            ours = driver_connection(connection).info.backend_pid
            return bool(connection.execute(text("SELECT pg_backend_pid()")).scalar() == ours)

    @contextmanager
    def outside(self) -> Iterator[Connection]:
        """For what refuses to be in a transaction (CONCURRENTLY): each statement is one of its own.

        The session must be ours, see ``is_direct``.
        """

        each_alone = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        with self._used(each_alone.connect) as connection:
            driver = driver_connection(connection)
            session.for_statements(driver, self._settings(driver))
            yield connection

    @contextmanager
    def _used(self, opened: Callable[[], AbstractContextManager[Connection]]) -> Iterator[Connection]:
        held_by: list[str] = []
        try:
            with opened() as connection:
                cut = _cutter(driver_connection(connection))
                asked = partial(self._answers, driver_connection(connection).info.backend_pid, held_by)
                with watched(asked, cut), cut_when_stopped(cut):
                    yield connection
        except (psycopg2.Error, DBAPIError, PoolTimeout) as error:
            insist_on_stopping()
            # Not chained: the driver's text quotes rows in DETAIL and CONTEXT.
            raise translated(error, held_by) from None

    def run(self, work: Callable[[Connection], T]) -> T:
        """``work`` in a transaction of its own, the whole of it tried again on transient errors."""
        self._knock()

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

    def _knock(self) -> None:
        """Whether anybody is there, before a person waits as long as a night does."""
        if self._first is not None:
            soon(self._connect, self._first)
            self._first = None

    def _connect(self) -> None:
        with self._used(self.engine.connect):  # back in the pool it is the next one's
            pass


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


def _cutter(connection: psycopg2.extensions.connection) -> Callable[[], None]:
    """A function for another thread that ends whatever this connection waits for."""
    descriptor = connection.fileno()

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


def try_lock(connection: Connection, name: str) -> bool:
    """An advisory lock as in ``lock``, if it is free."""
    take = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:name, 0))")
    return bool(connection.execute(take, {"name": f"ccb_luigi:{name}"}).scalar())


def wait_briefly(connection: Connection) -> None:
    """From here to the transaction's end no lock is waited for longer than a moment.

    Whoever waits for a table's strongest lock makes all others wait that come after: behind one long query
    of an analyst nobody could read. Shorter than ``deadlock_timeout`` (1 s): of two who wait for each other
    it is us who give up.
    """
    connection.execute(text("SET LOCAL lock_timeout = '500ms'"))


def plainly(connection: Connection, statement: str) -> None:
    """Runs statements as they stand: neither % nor : means a parameter."""
    connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


def driver_connection(connection: Connection) -> psycopg2.extensions.connection:
    """psycopg2's own connection, in the same transaction, for what SQLAlchemy has no words for."""
    found: psycopg2.extensions.connection = connection.connection.driver_connection  # type: ignore[assignment]
    return found


def copy_lines(connection: Connection, table: str, columns: Sequence[str], lines: bytes) -> None:
    """COPYs lines of text into columns of the table of this name."""
    copy_in(connection, f"COPY {table} ({', '.join(columns)}) FROM STDIN", lines)


def copy_in(connection: Connection, statement: str, content: bytes) -> None:
    """Sends a COPY FROM STDIN what it reads, in large blocks; of what fails nothing comes out on stderr."""
    with driver_connection(connection).cursor() as cursor, copying.unheard():
        cursor.copy_expert(statement, io.BytesIO(content), COPY_BLOCK)
