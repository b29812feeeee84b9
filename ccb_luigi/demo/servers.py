"""Embedded servers for the demo, the tests and the benchmarks: PostgreSQL 18 and SecantusDB.

A server lives in a directory and its data outlast it: whoever asks for it later gets the one that
is running there, or starts it again on the same files and, if still free, the same port. Both listen
on 127.0.0.1 only. SecantusDB speaks MongoDB's protocol and asks for no password: keep nothing but
synthetic documents in it.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import psutil
import psycopg2
import pymongo
from pymongo.errors import PyMongoError

from ccb_luigi.demo import cluster
from ccb_luigi.demo.daemon import Server

POSTGRES_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # a deep directory would exceed the 107 bytes of a socket's name
    "shared_buffers": "256MB",
    "work_mem": "32MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "4GB",
    "wal_compression": "pglz",  # the wheel is built without lz4 and zstd
    "checkpoint_timeout": "15min",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "client_connection_check_interval": "5s",
    # Starts, stops and crashes are logged, statements and errors aren't: even the first line of an
    # error may quote a value.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


class Postgres(Server):
    """PostgreSQL 18 with a random password; ``settings`` are added to ``POSTGRES_SETTINGS``."""

    name = "postgres"
    stop_signal = signal.SIGINT  # "fast"; SIGTERM would wait for every client to leave

    def __init__(self, directory: Path, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(directory)
        self._settings = POSTGRES_SETTINGS | _shared_memory() | dict(settings or {})

    @property
    def url(self) -> str:
        """libpq's URL of the database ``postgres``, for the superuser. It holds the password."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """The same for another database."""
        password = cluster.password(self._home)
        return f"postgresql://{cluster.USER}:{password}@127.0.0.1:{self._port}/{database}"

    @property
    def data(self) -> Path:
        """The cluster; its own system user's, in a directory that nobody else can enter."""
        return self._home.resolve() / "data"

    @property
    def _home(self) -> Path:
        return self.directory / "postgres"

    def _spawn(self, log: int) -> psutil.Popen:
        owner = cluster.ensure_home(self._home)
        programs = cluster.programs(self._home, owner)
        process = self.detached(log, self._home) | owner.as_popen_arguments()
        if not self.data.exists():
            cluster.create(programs, self.data, process)
        words = [f"{name}={value}" for name, value in self._settings.items()]
        command = [str(programs / "postgres"), "-D", str(self.data), "-p", str(self._port)]
        return psutil.Popen(
            [*command, *(part for word in words for part in ("-c", word))],
            **process,
        )

    def _ping(self) -> str | None:
        try:
            psycopg2.connect(self.url, connect_timeout=5).close()
        except psycopg2.OperationalError as error:
            return str(error).strip()
        return None


class Mongo(Server):
    """SecantusDB; every acknowledged write is on disk. ``options``: see ``SecantusDBServer``."""

    name = "mongo"
    stop_signal = signal.SIGTERM

    def __init__(self, directory: Path, *, test_commands: bool = False, **options: Any) -> None:
        super().__init__(directory)
        self._options = options | {"sync_on_commit": True, "enable_test_commands": test_commands}

    @property
    def uri(self) -> str:
        """The address, without a database."""
        return f"mongodb://127.0.0.1:{self._port}/"

    @property
    def data(self) -> Path:
        """WiredTiger's files."""
        return self.directory.resolve() / "mongo"

    def _spawn(self, log: int) -> psutil.Popen:
        self.data.mkdir(mode=0o700, exist_ok=True)
        script = str(Path(__file__).with_name("mongod.py"))
        # -P: the script's folder is no place to import from.
        command = [sys.executable, "-P", script, str(self.data), str(self._port)]
        return psutil.Popen([*command, json.dumps(self._options)], **self.detached(log, self.data))

    def _ping(self) -> str | None:
        try:
            with pymongo.MongoClient[Any](self.uri, serverSelectionTimeoutMS=500) as client:
                client.admin.command("ping")
        except PyMongoError as error:
            return type(error).__name__
        return None

    def _nudge(self) -> None:
        # Its accept() is not interrupted by the stop: without a caller it takes two seconds.
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self._port), timeout=0.1).close()


class Servers(NamedTuple):
    """Both, running."""

    postgres: Postgres
    mongo: Mongo


@contextlib.contextmanager
def servers(directory: Path, settings: Mapping[str, str] | None = None) -> Iterator[Servers]:
    """Both servers on ``directory``, running; those that this call started stop at the end.

    Also after an exception, Ctrl-C and SIGTERM. The data stay. ``settings``: more of PostgreSQL's.
    """
    with _unwinding_on_sigterm(), Postgres(directory, settings) as postgres, Mongo(directory) as mongo:
        yield Servers(postgres, mongo)


@contextlib.contextmanager
def postgres_alone(directory: Path) -> Iterator[Postgres]:
    """The same without MongoDB."""
    with _unwinding_on_sigterm(), Postgres(directory) as postgres:
        yield postgres


def delete(directory: Path) -> None:
    """Stops what runs on ``directory`` and deletes it, with the data kept elsewhere for root."""
    for server in (Postgres(directory), Mongo(directory)):
        server.stop()
    shutil.rmtree((directory / "postgres").resolve(), ignore_errors=True)
    shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def _unwinding_on_sigterm() -> Iterator[None]:
    """By default Python dies of SIGTERM at once, without running any ``finally``."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    ):
        yield
        return
    signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _shared_memory() -> dict[str, str]:
    """A container's /dev/shm often has 64 MB, too few for parallel queries: use files then."""
    shm = Path("/dev/shm")  # noqa: S108 - only looked at
    roomy = shm.exists() and shutil.disk_usage(shm).free > 1 << 30
    return {} if roomy else {"dynamic_shared_memory_type": "mmap"}
