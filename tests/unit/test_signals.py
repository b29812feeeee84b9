"""A signal at any moment of the program, from its first instruction to its last: its status, and one line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tomllib
from ast import literal_eval
from collections.abc import Sequence
from pathlib import Path

import pytest
from strike import AT_THE_END, NEVER, counted, strike

import ccb_luigi
from ccb_luigi.errors import STATUSES
from ccb_luigi.process import early
from ccb_luigi.telemetry.loglines import FIELDS

REPOSITORY = Path(__file__).parents[2]
PACKAGE = Path(ccb_luigi.__file__).parents[1]
"""Where the program is that the tests are about: a copy of it, when guards are taken out."""
# Nothing listens there: the command imports most of the program, runs, and ends with 14.
ENVIRONMENT = {
    "CCB_POSTGRES_URL": "postgresql://127.0.0.1:1/x",
    "CCB_RETRY_SECONDS": "0",
    "PYTHONHASHSEED": "0",
}
COMMAND, STATUS = ("status",), 14
ENDING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
WORDS = {
    signal.SIGINT: "interrupted",
    signal.SIGTERM: "ended by SIGTERM",
    signal.SIGHUP: "its terminal is gone (SIGHUP)",
}


def line(number: signal.Signals) -> str:
    return f"ccb-luigi: {WORDS[number]}; what is done is marked, the same command goes on"


def run(
    directory: Path,
    number: signal.Signals,
    nth: int,
    *words: str,
    command: Sequence[str] = (),
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    """The program, struck."""
    return subprocess.run(
        command or [sys.executable, *(words or ("-m", "ccb_luigi", *COMMAND))],
        env=ENVIRONMENT
        | {"PATH": os.environ["PATH"], "HOME": str(directory)}
        | strike(directory, number, nth, str(PACKAGE))
        | environment,
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def console_script(directory: Path, begins: str) -> str:
    """As pip writes it, the older one or the newer."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    module, name = project["project"]["scripts"]["ccb-luigi"].split(":")
    script = directory / "ccb-luigi"
    script.write_text(
        f"{begins}\nfrom {module} import {name}\nif __name__ == '__main__':\n    sys.exit({name}())\n"
    )
    return str(script)


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> int:
    """So often the program calls or returns when nobody strikes it."""
    directory = tmp_path_factory.mktemp("unstruck")
    assert run(directory, signal.SIGINT, NEVER).returncode == STATUS
    calls = counted(directory)
    assert calls > 10_000
    return calls


MOMENTS = {
    signal.SIGINT: (0.02, 0.2, 0.4, 0.6, 0.8, 0.9),
    signal.SIGTERM: (0.1, 0.5, 0.9),
    signal.SIGHUP: (0.3, 0.7),
}
"""Parts of the program's whole course; who listens is the same for all, so the others look elsewhere."""


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_at_any_moment_ends_the_program_with_its_status_and_one_line(
    number: signal.Signals, calls: int, tmp_path: Path
) -> None:
    moments = [1, *(int(calls * part) for part in MOMENTS[number])]
    for nth in moments:
        done = run(tmp_path, number, nth)
        assert done.returncode == 128 + number, (nth, done.stderr)
        assert done.stderr.splitlines()[-1:] == [line(number)], (nth, done.stderr)
        assert "Traceback" not in done.stderr
        assert "Aborted" not in done.stderr


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_in_python_s_last_instructions_counts_as_well(
    number: signal.Signals, tmp_path: Path
) -> None:
    done = run(tmp_path, number, AT_THE_END)
    assert done.returncode == 128 + number
    assert done.stderr.splitlines()[-1] == line(number)
    helped = run(tmp_path, number, AT_THE_END, "-m", "ccb_luigi", "--version")
    assert (helped.returncode, helped.stderr) == (128 + number, f"{line(number)}\n")


@pytest.mark.parametrize("begins", ["import sys", "import re\nimport sys"])
@pytest.mark.parametrize("nth", [1, 5000])
def test_the_console_script_listens_from_its_first_instruction_of_ours(
    begins: str, nth: int, tmp_path: Path
) -> None:
    script = console_script(tmp_path, begins)
    done = run(tmp_path, signal.SIGINT, nth, script, *COMMAND)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", f"{line(signal.SIGINT)}\n")


def test_nothing_but_python_s_own_parts_is_imported_before_somebody_listens(tmp_path: Path) -> None:
    code = "from ccb_luigi.process import early; print({*sys.modules} - before)"
    code = f"import sys; before = {{*sys.modules}}; {code}"
    done = run(tmp_path, signal.SIGINT, NEVER, "-c", code)
    found = {name for name in literal_eval(done.stdout) if not name.startswith("ccb_luigi")}
    assert found <= {*sys.builtin_module_names, "__future__"}


def test_where_lines_are_json_that_one_is_too(tmp_path: Path) -> None:
    done = run(tmp_path, signal.SIGTERM, 1, CCB_LOG_FORMAT="json")
    said = json.loads(done.stderr)
    assert done.returncode == said["exit_code"] == 143
    assert said["message"] == line(signal.SIGTERM).removeprefix("ccb-luigi: ")
    assert said.keys() <= {"ts", "level", "event", "message", "logger", *FIELDS}
    assert run(tmp_path, signal.SIGTERM, 1, CCB_LOG_FORMAT="text").stderr == f"{line(signal.SIGTERM)}\n"


@pytest.mark.parametrize("name", ["INT", "HUP"])
def test_a_signal_that_is_ignored_as_behind_nohup_stays_unheard(name: str, tmp_path: Path) -> None:
    number = signal.Signals[f"SIG{name}"]
    ignoring = ["sh", "-c", f"trap '' {name}; exec {sys.executable} -m ccb_luigi status"]
    assert run(tmp_path, number, 5000, command=ignoring).returncode == STATUS


def test_every_signal_that_ends_has_its_words_once() -> None:
    assert early.WORDS == WORDS
    for number, words in early.WORDS.items():
        assert STATUSES[128 + number].meaning == words
