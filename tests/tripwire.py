"""The command in a forked process that notes what it does, and stops at a given moment until it is let go.

A fork saves the seconds that Python takes to start; what runs is the program's own ``main``. Each
statement, COPY, commit and read of the whole process tree leaves a record of fixed length in one file:
an append is atomic, so that no lock is needed that a killed process would take to its grave.
"""

from __future__ import annotations

import faulthandler
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from uuid import uuid4

from pymongo import monitoring
from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.engine.default import DefaultDialect

from ccb_luigi import cli
from ccb_luigi.database import postgres
from ccb_luigi.documents import block
from ccb_luigi.load import staging
from ccb_luigi.sources import mongo

RECORD = 96
SMALL_BLOCK = 16
"""Documents of a block and of a batch: small dates take several of each, and several processes."""


@dataclass(frozen=True)
class Moment:
    """What a process was about to do: its id, that of its backend (or 0), the step and the act."""

    pid: int
    backend: int
    step: str
    act: str

    def __str__(self) -> str:
        return f"{self.step}/{self.act}"


class Tripwire:
    """Records moments in ``directory``; the ``nth`` of the step and act (or of all) stops its process."""

    def __init__(self, directory: Path, nth: int = 0, step: str = "", act: str = "") -> None:
        self.nth, self.step, self.act = nth, step, act
        # Of this wire alone: an orphan of the last one must find its own, where somebody has stopped already.
        name = uuid4().hex
        self._file, self._claim = directory / f"moments-{name}", directory / f"tripped-{name}"
        self._file.write_bytes(b"")
        self._told, self._tell = os.pipe()
        self._let_go, self._release = os.pipe()
        self._log = os.open(self._file, os.O_WRONLY | os.O_APPEND)
        self._step, self._backend = "", 0

    # --- in the processes of the command ------------------------------------------------------------

    def pass_(self, act: str, backend: int = 0) -> None:
        """Notes a moment; stops here if it is the one."""
        record = f"{os.getpid()} {backend} {self._step or 'between'} {act}".encode()[: RECORD - 1]
        os.write(self._log, record.ljust(RECORD - 1) + b"\n")
        if self.nth and self.step in ("", self._step) and self.act in ("", act) and self._reached():
            try:
                os.close(os.open(self._claim, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                return  # somebody else has stopped
            os.write(self._tell, record.ljust(RECORD))
            os.read(self._let_go, 1)

    def _reached(self) -> bool:
        if self._claim.exists():
            return False
        if not self.act and not self.step:
            return self._file.stat().st_size // RECORD >= self.nth
        found = self.moments()
        return sum(self.step in ("", m.step) and self.act in ("", m.act) for m in found) >= self.nth

    def install(self) -> None:
        """Has this process, and those that it forks, pass by here."""
        block.DOCUMENTS = mongo.BATCH_DOCUMENTS = mongo.BATCH_OF_FEW = SMALL_BLOCK
        staging.TOGETHER = 1  # each block's lines by COPYs of their own
        event.listen(Engine, "before_cursor_execute", self._statement)
        commit = DefaultDialect.do_commit

        def do_commit(dialect: Any, connection: Any) -> None:
            self.pass_("commit", self._backend)
            commit(dialect, connection)
            self.pass_("committed", self._backend)
            self._step = ""

        DefaultDialect.do_commit = do_commit  # type: ignore[method-assign]
        monitoring.register(_Reads(self))
        copy_lines = postgres.copy_lines

        def copy(*values: Any, **named: Any) -> None:
            self.pass_("COPY", self._backend)
            copy_lines(*values, **named)

        postgres.copy_lines = copy

    def _statement(self, connection: Any, cursor: Any, statement: str, values: Any, *_: Any) -> None:
        self._backend = cursor.connection.info.backend_pid
        words = statement.split()
        name = values.get("name", "") if isinstance(values, dict) else ""
        if words[0] == "SELECT" and "pg_advisory_xact_lock" in statement:
            subject, _, day = str(name).removeprefix("ccb_luigi:").partition(":")
            if day:
                self._step = f"{subject}:{day}"
            self.pass_("lock", self._backend)
            return
        self.pass_("marker" if "INSERT INTO table_updates" in statement else words[0], self._backend)

    # --- in the harness ------------------------------------------------------------------------------

    def tripped(self, seconds: float) -> Moment | None:
        """The moment at which a process stopped, if one does within ``seconds``."""
        ready, _, _ = select.select([self._told], [], [], seconds)
        return _moment(os.read(self._told, RECORD)) if ready else None

    def let_go(self) -> None:
        """Lets the stopped process go on, if it still lives."""
        os.write(self._release, b"x")

    def moments(self) -> list[Moment]:
        """All moments so far, in order."""
        found = self._file.read_bytes()
        return [_moment(found[at : at + RECORD]) for at in range(0, len(found), RECORD)]

    def close(self) -> None:
        for descriptor in (self._told, self._tell, self._let_go, self._release, self._log):
            os.close(descriptor)


def _moment(record: bytes) -> Moment:
    pid, backend, step, act = record.decode().split()
    return Moment(int(pid), int(backend), step, act)


class _Reads(monitoring.CommandListener):
    """Passes by the tripwire before each command to the source."""

    def __init__(self, tripwire: Tripwire) -> None:
        self._tripwire = tripwire

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name in ("find", "getMore", "aggregate"):
            self._tripwire.pass_(event.command_name)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Nothing to note."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Nothing to note."""


class Command:
    """The command in a session of its own, its output in a file.

    Without a tripwire it is a process as the shell would start it.
    """

    def __init__(
        self,
        words: Sequence[object],
        environment: Mapping[str, str],
        output: Path,
        tripwire: Tripwire | None,
    ) -> None:
        self.status: int | None = None
        self.output = output
        output.write_bytes(b"")
        self.pid = os.fork()
        if self.pid == 0:
            _become([str(word) for word in words], environment, output, tripwire)

    def poll(self) -> int | None:
        """The status that it ended with, if it has ended."""
        if self.status is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if ended:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status

    def wait(self, seconds: float) -> int:
        """The status that it ends with. Raises ``TimeoutError``, and kills its session."""
        deadline = time.monotonic() + seconds
        while (status := self.poll()) is None:
            if time.monotonic() > deadline:
                os.killpg(self.pid, signal.SIGABRT)  # each of its processes tells where it is
                time.sleep(1)
                os.killpg(self.pid, signal.SIGKILL)
                raise TimeoutError(f"the command did not end within {seconds:.0f} seconds:\n{self.said}")
            time.sleep(0.005)
        return status

    @property
    def said(self) -> str:
        return self.output.read_text(errors="replace")

    @property
    def last_line(self) -> str:
        lines = self.said.strip().splitlines()
        return lines[-1] if lines else "(it said nothing)"


def _become(
    arguments: list[str], environment: Mapping[str, str], output: Path, tripwire: Tripwire | None
) -> NoReturn:
    try:
        os.setsid()
        descriptor = os.open(output, os.O_WRONLY | os.O_APPEND)
        for standard in (1, 2):
            os.dup2(descriptor, standard)
        os.environ.update(environment)
        faulthandler.enable()
        if tripwire is None:
            os.execv(sys.executable, [sys.executable, "-m", "ccb_luigi", *arguments])
        tripwire.install()
        sys.argv = ["ccb-luigi", *arguments]
        cli.main()
    except SystemExit as end:
        sys.stdout.flush()
        os._exit(int(end.code or 0))
    except KeyboardInterrupt:  # before the program's own first line
        os._exit(130)
    except BaseException:  # noqa: BLE001 - the harness' own flaw, or a death of the program's
        traceback.print_exc()
        sys.stderr.flush()
    os._exit(99)
