"""The installed program and ``luigid``, in processes of their own."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from click.testing import CliRunner
from world import World

from ccb_luigi.cli import main

BIN = Path(sys.executable).parent
REPOSITORY = Path(__file__).parents[1]
ANSI = re.compile(r"\x1b")


@dataclass
class Program:
    """``ccb-luigi`` and ``luigi``, as a user would start them."""

    world: World
    directory: Path
    environment: dict[str, str] = field(repr=False)

    def start(self, *words: object, program: str = "ccb-luigi", **environment: str) -> subprocess.Popen[str]:
        """The running command, in a session of its own."""
        return subprocess.Popen(
            [str(BIN / program), *map(str, words)],
            cwd=self.directory,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(
        self, *words: object, status: int = 0, program: str = "ccb-luigi", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """The finished command; fails the test unless it ended with ``status``.

        And without a traceback, but where Luigi's own messages were asked for.
        """
        process = self.start(*words, program=program, **environment)
        try:
            out, err = process.communicate(timeout=150)
        finally:
            kill(process)
        done = subprocess.CompletedProcess(process.args, process.returncode, out, err)
        assert done.returncode == status, shown(done)
        if program == "ccb-luigi" and words[0] != "-v":
            assert "Traceback" not in out + err, shown(done)
        return done

    def here(self, *words: object, status: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
        """As ``run``, but in this process: for commands that only say something. They start in no time."""
        with contextlib.chdir(self.directory):
            done = CliRunner().invoke(
                main, [*map(str, words)], env=self.environment | environment, prog_name="ccb-luigi"
            )
        found = subprocess.CompletedProcess([*words], done.exit_code, done.stdout, done.stderr)
        assert done.exit_code == status, shown(found)
        return found

    def forked(
        self, *words: object, status: int | None = 0, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """As ``run``, in a process forked from this one: without half a second of imports.

        ``status``: ``None`` for any.
        """
        out, err = self.directory / "stdout", self.directory / "stderr"
        process = multiprocessing.get_context("fork").Process(
            target=self._as_a_command, args=(words, self.environment | environment, out, err)
        )
        process.start()
        process.join(timeout=150)
        assert process.exitcode is not None, f"{words} takes for ever"
        done = subprocess.CompletedProcess([*words], process.exitcode, out.read_text(), err.read_text())
        assert status in (None, done.returncode), shown(done)
        assert "Traceback" not in done.stdout + done.stderr, shown(done)
        return done

    def _as_a_command(
        self, words: Sequence[object], environment: dict[str, str], out: Path, err: Path
    ) -> None:
        """The rest of this process is that command's."""
        os.setsid()
        os.chdir(self.directory)
        os.environ.clear()
        os.environ.update(environment)
        for number, name, path in ((1, "stdout", out), (2, "stderr", err)):
            with path.open("wb") as file:
                os.dup2(file.fileno(), number)
            setattr(sys, name, os.fdopen(os.dup(number), "w", encoding="utf-8", buffering=1))
        try:
            main([*map(str, words)], prog_name="ccb-luigi")
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # neither pytest's nor the servers' own ends are this process' business

    def luigi(self, *words: object, **rest: Any) -> subprocess.CompletedProcess[str]:
        """``luigi --module ccb_luigi.tasks ...``."""
        return self.run("--module", "ccb_luigi.tasks", *words, program="luigi", **rest)


@dataclass
class Scheduler:
    """A ``luigid`` on a free port of this machine."""

    url: str
    process: subprocess.Popen[bytes]

    def ask(self, method: str, **parameters: object) -> Any:
        """The scheduler's answer to one call of its API."""
        query = urllib.parse.urlencode({"data": json.dumps(parameters)})
        with urllib.request.urlopen(f"{self.url}/api/{method}?{query}", timeout=30) as answer:
            return json.load(answer)["response"]

    def statuses(self) -> dict[str, str]:
        """Task id → status."""
        return {name: task["status"] for name, task in self.ask("task_list", status="").items()}


def shown(done: subprocess.CompletedProcess[str]) -> str:
    return f"{done.args} ended with {done.returncode}\n--- stdout\n{done.stdout}\n--- stderr\n{done.stderr}"


def kill(process: subprocess.Popen[Any]) -> None:
    """The process and all that it forked."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, 9)
    process.wait()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def yesterday() -> date:
    return datetime.now(ZoneInfo("America/Sao_Paulo")).date() - timedelta(days=1)


TAKEN = "ddress already in use"
TRIES = 5
"""So often a server is started, each time on another port that was free a moment before."""


@contextlib.contextmanager
def luigid(state: Path, config: Path = REPOSITORY / "luigi.cfg") -> Iterator[Scheduler]:
    """A scheduler that keeps its state and writes its log in ``state``."""
    state.mkdir(exist_ok=True)
    for _ in range(TRIES):
        found = _started(state, config)
        if found.process.poll() is None or TAKEN not in (state / "luigid.log").read_text():
            break
    try:
        assert found.process.poll() is None, (state / "luigid.log").read_text()
        yield found
    finally:
        kill(found.process)


def _started(state: Path, config: Path) -> Scheduler:
    """It answers, or it has ended."""
    port = free_port()
    words = ["--address", "127.0.0.1", "--port", port, "--state-path", state / "state.pickle"]
    with (state / "luigid.log").open("wb") as log:
        process = subprocess.Popen(
            [BIN / "luigid", *map(str, words)],
            cwd=state,
            env=os.environ | {"LUIGI_CONFIG_PATH": str(config)},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    found = Scheduler(f"http://127.0.0.1:{port}", process)
    deadline = time.monotonic() + 60
    while process.poll() is None:
        try:
            found.statuses()
            break
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > deadline:
                kill(process)
            time.sleep(0.1)
    return found
