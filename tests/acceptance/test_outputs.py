"""Each kind of command into each kind of output that refuses it: the work goes on, and its status is true."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
from program import BIN, Program
from world import D1, at, document, rejected

ODD = "não-€"

COMMANDS: dict[tuple[str, ...], int] = {
    ("run", "--date", str(D1)): 0,
    ("rerun", "--date", str(D1)): 0,
    ("status", "--until", str(D1)): 0,
    ("status", "--until", str(D1), "--json"): 0,
    ("quarantine", "list"): 0,
    ("quarantine", "list", "--json"): 0,
    ("quarantine", "show", ODD): 0,
    ("quarantine", "show", "nobody"): 1,
    ("verify", "--date", str(D1)): 0,
    ("verify", "--date", str(D1), "--json"): 0,
    ("report", "--date", str(D1), "--out", "-"): 0,
    ("report", "--date", str(D1), "--json"): 0,
    ("db", "upgrade"): 0,
    ("sweep",): 0,
    ("--help",): 0,
    ("no-such-command",): 2,
}
"""What each ends with when its words arrive."""

FULL = Path("/dev/full")
LOST = "ccb-luigi: done, but the output can't be written: No space left on device\n"


@pytest.fixture
def program(program: Program) -> Program:
    program.world.put(document("a", "A", at(D1)), rejected(document(ODD, "B", at(D1))))
    return program


def ask(
    program: Program, words: tuple[str, ...], *, closed: tuple[int, ...] = (), **how: Any
) -> subprocess.CompletedProcess[bytes]:
    """The command, its output to where ``how`` says; the ``closed`` descriptors it doesn't even have."""
    environment = program.environment | how.pop("environment", {})
    command = [BIN / "ccb-luigi", *words]
    if closed:
        redirections = " ".join(f"{number}>&-" for number in closed)
        command = ["sh", "-c", f'exec "$0" "$@" {redirections}', *map(str, command)]
    return subprocess.run(
        command, env=environment, cwd=program.directory, timeout=150, check=False,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **how},
    )  # fmt: skip


def assert_noted_as_done(program: Program) -> None:
    """What the runs did has nothing to do with where their words went."""
    noted = program.world.query("SELECT comando, codigo_saida FROM controle.execucoes ORDER BY iniciada_em")
    assert noted == [("run", 0), ("rerun", 0), ("sweep", 0)]
    assert program.world.contracts() == {"A": "a"}


@contextmanager
def pipe_without_a_reader() -> Iterator[int]:
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


def test_a_reader_that_left_is_no_failure(program: Program) -> None:
    with pipe_without_a_reader() as gone:
        for words, status in COMMANDS.items():
            done = ask(program, words, stdout=gone)
            assert done.returncode == status, (words, done.stderr)
            if not status:
                assert done.stderr == b"", words
        assert ask(program, ("status",), stdout=gone, stderr=gone).returncode == 0
        assert ask(program, ("no-such-command",), stdout=gone, stderr=gone).returncode == 2
    assert_noted_as_done(program)


def test_without_an_output_at_all_a_command_does_what_it_should(program: Program) -> None:
    for words, status in COMMANDS.items():
        done = ask(program, words, closed=(0, 1, 2))
        assert (done.returncode, done.stdout, done.stderr) == (status, b"", b""), words
    assert_noted_as_done(program)


def test_a_full_disk_is_told_in_one_line_and_by_a_status_of_its_own(program: Program) -> None:
    with FULL.open("wb") as full:
        for words, status in COMMANDS.items():
            done = ask(program, words, stdout=full)
            assert done.returncode == (status or 23), (words, done.stderr)
            if not status:
                assert done.stderr.decode() == LOST, words
        assert ask(program, ("status",), stdout=full, stderr=full).returncode == 23
    assert_noted_as_done(program)


def test_a_log_of_lines_on_a_full_disk_is_no_failure_of_the_night(program: Program) -> None:
    lines = {"CCB_LOG_FORMAT": "json", "CCB_NIGHTLY_DAYS": "1"}
    with FULL.open("wb") as full:
        done = ask(program, ("nightly",), stderr=full, environment=lines)
        assert (done.returncode, done.stdout) == (23, b"")
        done = ask(program, ("status",), stdout=full, environment=lines)
    assert program.world.query("SELECT comando, codigo_saida FROM controle.execucoes") == [("nightly", 0)]
    said = json.loads(done.stderr)
    assert said["exit_code"] == done.returncode == 23
    assert f"ccb-luigi: {said['message']}\n" == LOST


OUR_LETTERS = [words for words in COMMANDS if words[0] in ("quarantine", "report")]
"""What tells of documents, or is written for people who read Portuguese."""


@pytest.mark.parametrize(("encoding", "commands"), [("ascii", [*COMMANDS]), ("iso-8859-1", OUR_LETTERS)])
def test_a_terminal_without_our_letters_gets_them_spelled_out(
    program: Program, encoding: str, commands: list[tuple[str, ...]]
) -> None:
    program.world.migrate(D1)
    spelled = ODD.encode(encoding, "backslashreplace")
    for words in commands:
        status = COMMANDS[words]
        done = ask(program, words, environment={"PYTHONIOENCODING": encoding})
        assert done.returncode == status, (words, done.stderr)
        done.stdout.decode(encoding)
        if "--json" in words:
            json.loads(done.stdout.decode())
        if words[:2] == ("quarantine", "list") and "--json" in words:
            assert json.loads(done.stdout)[0]["mongo_id"] == ODD
        elif words[0] == "quarantine" and not status:
            assert spelled in done.stdout, words
        elif words[0] == "report" and "-" in words:
            page = done.stdout.decode()
            assert "&#227;" in page
            assert page.isascii()


def test_a_reader_that_leaves_in_the_middle_ends_nothing(program: Program) -> None:
    words = [str(BIN / "ccb-luigi"), "run", "--date", str(D1)]
    with subprocess.Popen(
        words, env=program.environment, cwd=program.directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        _left(process.stdout)
        assert process.stderr
        assert process.stderr.read() == b""
    assert process.returncode == 0
    assert program.world.query("SELECT codigo_saida FROM controle.execucoes") == [(0,)]


def _left(stream: IO[bytes] | None) -> None:
    assert stream
    stream.close()
