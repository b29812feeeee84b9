"""Embedded servers for the demo, the tests and the benchmarks: PostgreSQL 18 and SecantusDB.

A server lives in a directory and its data outlast it: whoever asks for it later gets the one that
is running there, or starts it again on the same files and, if still free, the same port. Both listen
on 127.0.0.1 only. SecantusDB speaks MongoDB's protocol and asks for no password: keep nothing but
synthetic documents in it.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar, NamedTuple, Self

import psutil
import psycopg2
import pymongo
from pymongo.errors import PyMongoError

from ccb_luigi.demo import cluster
from ccb_luigi.demo.cluster import DemoError

__all__ = ["DemoError", "Mongo", "Postgres", "Server", "Servers", "delete", "postgres_alone", "servers"]

SECONDS_TO_START = 60.0  # after a crash, recovery comes first
SECONDS_TO_STOP = 30.0
LINES_OF_LOG = 12

# Below the ports that systems hand out to clients (from 32768 on Linux): a client that keeps trying
# such a port while its server restarts can get it as its own source port and keep the server out.
PORTS = range(20_000, 32_000)

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


class Server(ABC):
    """One server on one directory; as a context manager it stops only what it started itself.

    Start it from the main thread: on Linux the server ends with the thread that started it, however
    that one ends, so that nothing lingers after a ``kill -9``.
    """

    name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals]

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()
        self.log = self.directory / f"{self.name}.log"
        self._starter = 0
        self._port, self._process = self._recorded()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self._starter == os.getpid():  # not in a forked child, and not if we only attached
            self.stop()

    @property
    def running(self) -> bool:
        """Whether its process lives, as far as this object knows of it."""
        return _alive(self._process)

    @property
    def pid(self) -> int:
        """The process' id (PostgreSQL: the postmaster's).

        Raises:
            DemoError: it is not running.
        """
        if self._process is None:
            raise DemoError(f"{self.name} is not running")
        return int(self._process.pid)

    def start(self) -> Self:
        """Attaches to the server that runs on the directory, or starts it; returns once it answers.

        Raises:
            DemoError: it did not start; the text holds the end of its log.
        """
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            with (self.directory / f"{self.name}.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._attach_or_launch()
        except (OSError, subprocess.SubprocessError) as error:
            raise DemoError(f"{self.name}: {error}{self._end_of_log()}") from error
        return self

    def _attach_or_launch(self) -> None:
        if not self.running:
            self._starter = 0
            self._port, self._process = self._recorded()
        attached = self._process is not None
        try:
            if not attached:
                self._launch()
            self._await_answer()
        except BaseException:
            if not attached:
                self.kill()
            raise
        if not attached:
            self._starter = os.getpid()

    def stop(self) -> None:
        """Shuts the server down in order, whoever started it; nothing to do if it isn't running.

        Raises:
            DemoError: it took too long and was killed.
        """
        if self._process is None:
            return
        processes = _family(self._process)
        with contextlib.suppress(psutil.NoSuchProcess):
            self._process.send_signal(self.stop_signal)
        if not _await_end(processes, self._nudge):
            self.kill()
            raise DemoError(f"{self.name} did not stop and was killed{self._end_of_log()}")
        self._forget()

    def kill(self) -> None:
        """SIGKILL to all its processes, as in a crash; the next ``start`` recovers the data."""
        if self._process is None:
            return
        processes = _family(self._process)
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        _await_end(processes)
        self._forget()

    @property
    @abstractmethod
    def data(self) -> Path:
        """The data directory. A word of the command line: by it the process is known again."""

    @abstractmethod
    def _spawn(self, log: int) -> psutil.Popen:
        """The server's process, on a data directory that is made if need be."""

    @abstractmethod
    def _ping(self) -> str | None:
        """``None`` if the server answers, else why it does not."""

    def _nudge(self) -> None:  # noqa: B027 - most need nothing
        """Called again and again while the server stops."""

    def _recorded(self) -> tuple[int, psutil.Process | None]:
        """The port of the last start, and its process if that still runs."""
        try:
            pid, port = map(int, (self.directory / f"{self.name}.pid").read_text().split())
        except (OSError, ValueError):
            return 0, None
        try:
            process = psutil.Process(pid)
            # By now the number may be another program's.
            return port, process if str(self.data) in process.cmdline() else None
        except psutil.Error:
            return port, None

    def _launch(self) -> None:
        self._port = _free_port(self._port)
        with self.log.open("ab") as log:
            self._process = self._spawn(log.fileno())
        (self.directory / f"{self.name}.pid").write_text(f"{self.pid} {self._port}\n")

    def _await_answer(self) -> None:
        deadline = time.monotonic() + SECONDS_TO_START
        while (reason := self._ping()) or not self.running:
            if not self.running:
                raise DemoError(f"{self.name} ended while it started{self._end_of_log()}")
            if time.monotonic() > deadline:
                raise DemoError(f"{self.name} does not answer: {reason}{self._end_of_log()}")
            time.sleep(0.02)

    def _forget(self) -> None:
        if isinstance(self._process, psutil.Popen):
            self._process.wait()  # our own child: don't leave a zombie
        self._process = None
        self._starter = 0

    def _end_of_log(self) -> str:
        try:
            lines = self.log.read_text(errors="replace").splitlines()
        except OSError:
            return ""
        return "\n  ".join([f"; {self.log} ends:", *lines[-LINES_OF_LOG:]])


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
        process = _detached(log, self._home) | owner.as_popen_arguments()
        if not self.data.exists():
            cluster.create(programs, self.data, process)
        words = [f"{name}={value}" for name, value in self._settings.items()]
        command = [str(programs / "postgres"), "-D", str(self.data), "-p", str(self._port)]
        return psutil.Popen(
            [*command, *(part for word in words for part in ("-c", word))],
            **process,
            preexec_fn=_die_with_parent(self.stop_signal),
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
        return psutil.Popen(
            [*command, json.dumps(self._options)],
            **_detached(log, self.data),
            preexec_fn=_die_with_parent(self.stop_signal),
        )

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


def _detached(log: int, directory: Path) -> dict[str, Any]:
    """For ``Popen``: output to a file, and a session of its own: Ctrl-C is ours to handle."""
    return {
        "stdin": subprocess.DEVNULL,
        "stdout": log,
        "stderr": subprocess.STDOUT,
        "cwd": directory,  # ours may be one that the server's user may not enter
        "start_new_session": True,
        "umask": 0o077,
    }


def _die_with_parent(number: signal.Signals) -> Any:
    """For ``preexec_fn``: has the kernel send ``number`` when the parent is gone (Linux only)."""
    if sys.platform != "linux":
        return None
    prctl, set_parent_death_signal = ctypes.CDLL(None).prctl, ctypes.c_int(1)
    return lambda: prctl(set_parent_death_signal, ctypes.c_ulong(number))


def _shared_memory() -> dict[str, str]:
    """A container's /dev/shm often has 64 MB, too few for parallel queries: use files then."""
    shm = Path("/dev/shm")  # noqa: S108 - only looked at
    roomy = shm.exists() and shutil.disk_usage(shm).free > 1 << 30
    return {} if roomy else {"dynamic_shared_memory_type": "mmap"}


def _free_port(wanted: int) -> int:
    for port in [wanted or secrets.choice(PORTS), *(secrets.choice(PORTS) for _ in range(50))]:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise DemoError(f"no free port between {PORTS.start} and {PORTS.stop}")


def _family(process: psutil.Process) -> list[psutil.Process]:
    """A process and its descendants, itself first: it would replace children that die before."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return [process]


def _alive(process: psutil.Process | None) -> bool:
    """Whether it still runs; a zombie, which waits for somebody else to notice, does not."""
    try:
        return process is not None and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _await_end(processes: Sequence[psutil.Process], meanwhile: Callable[[], None] = lambda: None) -> bool:
    deadline = time.monotonic() + SECONDS_TO_STOP
    while any(map(_alive, processes)):
        if time.monotonic() > deadline:
            return False
        meanwhile()
        time.sleep(0.01)
    return True
