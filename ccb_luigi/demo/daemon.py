"""A server on a directory, whatever it serves: started, found again, stopped, or killed as in a crash."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import psutil

from ccb_luigi.errors import CcbError

SECONDS_TO_START = 60.0  # after a crash, recovery comes first
SECONDS_TO_STOP = 30.0
LINES_OF_LOG = 12

# Below the ports that systems hand out to clients (from 32768 on Linux): a client that keeps trying
# such a port while its server restarts can get it as its own source port and keep the server out.
PORTS = range(20_000, 32_000)


class DemoError(CcbError):
    """An embedded server can't be installed, started or stopped."""


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

    def detached(self, log: int, directory: Path) -> dict[str, Any]:
        """For ``Popen``: output to a file, and a session of its own: Ctrl-C is ours to handle."""
        return {
            "stdin": subprocess.DEVNULL,
            "stdout": log,
            "stderr": subprocess.STDOUT,
            "cwd": directory,  # ours may be one that the server's user may not enter
            "start_new_session": True,
            "umask": 0o077,
            "preexec_fn": _die_with_parent(self.stop_signal),
        }

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


def _die_with_parent(number: signal.Signals) -> Any:
    """For ``preexec_fn``: has the kernel send ``number`` when the parent is gone (Linux only)."""
    if sys.platform != "linux":
        return None
    prctl, set_parent_death_signal = ctypes.CDLL(None).prctl, ctypes.c_int(1)
    return lambda: prctl(set_parent_death_signal, ctypes.c_ulong(number))


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
