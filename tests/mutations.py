"""Takes each guard out of a copy of the program, in turn, and asks the tests whether they notice.

``make mutations``, by hand on a quiet machine; ``ONLY="sweep NUL"``: guards whose name holds one of these.
What is found is noted after every step: ``RESUME=1`` goes on where a run was broken off, as long as program
and tests are the same. When all guards have been looked at the table in ``docs/proof.md`` is written anew.
The guards, and the tests that are to notice each, are in ``guards.py``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from types import FrameType

from guards import MUTATIONS, Mutation

PROJECT = Path(__file__).parents[1]
PAGE = PROJECT / "docs" / "proof.md"
BEGIN, END = "<!-- make mutations -->\n", "<!-- /make mutations -->\n"

LONGEST = 600
"""Seconds for the tests of one guard: without it they may wait for what never comes."""

SECONDS_TO_END = 30


class Stopped(BaseException):
    """A signal: its text says which."""


class Notes:
    """What has been found of these very files, on disk at any time; beside it a log of what pytest said.

    ``caught``: guard → the mutation as it was, and the tests that failed. ``passed``: tests, with every guard
    in place. ``doing``: what is under way; whoever finds it there knows that a run was killed over it.
    """

    def __init__(self) -> None:
        kept = Path(tempfile.gettempdir()) / f"ccb-luigi-mutations-{_digest()}"
        self.path, self.log = kept.with_suffix(".json"), kept.with_suffix(".log")
        self.caught: dict[str, tuple[list[object], list[str]]] = {}
        self.passed: list[str] = []
        self.doing = ""
        with suppress(FileNotFoundError):
            self.__dict__ |= json.loads(self.path.read_text(encoding="utf-8"))

    def begin(self, what: str) -> None:
        self.doing = what
        self._write()

    def put(self, mutation: Mutation, tests: list[str]) -> None:
        self.caught[mutation.guard] = (_as_noted(mutation), tests)
        self._write()

    def of(self, mutation: Mutation) -> list[str]:
        """The tests that noticed; none if nobody has asked them, or about another mutation."""
        was, tests = self.caught.get(mutation.guard, ([], []))
        return tests if was == _as_noted(mutation) else []

    def say(self, line: str) -> None:
        """To whoever listens, and to the log: a terminal or a pipe may have gone away."""
        with suppress(OSError):
            print(line, flush=True)
        with suppress(OSError), self.log.open("a", encoding="utf-8") as log:
            log.write(f"{line}\n")

    def _write(self) -> None:
        new = self.path.with_suffix(".new")
        kept = {"caught": self.caught, "passed": self.passed, "doing": self.doing}
        new.write_text(json.dumps(kept, indent=1), encoding="utf-8")
        new.replace(self.path)


def _as_noted(mutation: Mutation) -> list[object]:
    """As it comes back from the disk: JSON knows no tuples."""
    found: list[object] = json.loads(json.dumps(mutation))
    return found


def _digest() -> str:
    """Of the program and its tests, where they are; the list of guards may grow meanwhile."""
    found = hashlib.sha256(str(PROJECT).encode())
    ours = {"mutations.py", "guards.py", "test_guards.py"}
    for folder in ("ccb_luigi", "tests"):
        for file in sorted((PROJECT / folder).rglob("*")):
            if file.suffix in (".py", ".sql") and file.name not in ours:
                found.update(f"{file.relative_to(PROJECT)}\0".encode() + file.read_bytes())
    return found.hexdigest()[:12]


def failed(notes: Notes, program: Path, *tests: str) -> list[str]:
    """The names of those of the tests (files or single ones) that fail with the package in ``program``.

    Raises:
        RuntimeError: they couldn't be asked; it says why.
    """
    # Not the project's own folder first, as pyproject.toml has it.
    options = ("-q", "-n", "0", "-p", "no:cacheprovider", "-o", "pythonpath=", "--timeout=120")
    environment = {**os.environ, "PYTHONPATH": f"{program}{os.pathsep}{PROJECT}", "CI": "1"}
    where = [sys.executable, "-c", "import ccb_luigi; print(*ccb_luigi.__path__)"]
    met = subprocess.run(
        where, cwd=PROJECT / "tests", env=environment, capture_output=True, text=True, check=True
    )
    if met.stdout.strip() != str(program / "ccb_luigi"):
        raise RuntimeError(f"the tests would import {met.stdout.strip()}, not the copy in {program}")
    with notes.log.open("ab") as log:
        began = log.tell()
        # A session of its own: what tests do to their process group isn't for us.
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *options, *tests],
            cwd=PROJECT / "tests",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            status = process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"pytest did not end within {LONGEST} s") from None
        finally:
            _end(process)
    with notes.log.open("rb") as log:
        log.seek(began)
        said = log.read().decode(errors="replace")
    if status not in (0, 1):
        raise RuntimeError(f"pytest ended with {status}: {' '.join(said.split()[-30:])}")
    found: dict[str, list[str]] = {"FAILED": [], "ERROR": []}
    for word, name in re.findall(r"^(FAILED|ERROR) \S+?::(\w+)", said, re.MULTILINE):
        found[word] += [name] if name not in found[word] else []
    if found["ERROR"] and not found["FAILED"]:
        raise RuntimeError(f"before or after the test itself something broke: {', '.join(found['ERROR'])}")
    return found["FAILED"]


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends pytest if it is still there: gently first, so that it ends its servers."""
    for number in (signal.SIGINT, signal.SIGKILL):
        if process.poll() is None:
            os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(SECONDS_TO_END)


def noticed(notes: Notes, mutation: Mutation) -> list[str]:
    """Which tests fail without the guard.

    Raises:
        RuntimeError: the guard isn't where the list says, or the tests couldn't be asked.
    """
    with tempfile.TemporaryDirectory() as directory:
        program = Path(directory).resolve()
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(PROJECT / "ccb_luigi", program / "ccb_luigi", ignore=ignored)
        file = program / mutation.file
        code = file.read_text(encoding="utf-8")
        if code.count(mutation.old) != mutation.places:
            raise RuntimeError(f"{mutation.file} has changed, and guards.py has not")
        file.write_text(code.replace(mutation.old, mutation.new), encoding="utf-8")
        return failed(notes, program, *mutation.tests)


def all_in_place(notes: Notes, chosen: list[Mutation]) -> list[str]:
    """Which of the tests fail as the program is; file by file, so that a broken run has got somewhere."""
    tests = sorted({test for mutation in chosen for test in mutation.tests} - {*notes.passed})
    files = [(file, [*these]) for file, these in groupby(tests, lambda test: test.partition("::")[0])]
    broken: list[str] = []
    for n, (file, these) in enumerate(files, 1):
        notes.begin(f"{file} with every guard in place")
        started = time.monotonic()
        bad = failed(notes, PROJECT, *these)
        notes.passed += [] if bad else these
        broken += bad
        notes.say(f"[{n}/{len(files)}] every guard in place: {file}, {time.monotonic() - started:.0f} s")
    return broken


def look(notes: Notes, chosen: list[Mutation]) -> dict[str, str]:
    """Takes the guards out in turn; guard → what is wrong with it."""
    wrong: dict[str, str] = {}
    for n, mutation in enumerate(chosen, 1):
        notes.begin(mutation.guard)
        started = time.monotonic()
        try:
            tests = noticed(notes, mutation)
        except RuntimeError as error:
            wrong[mutation.guard] = f"NOT ASKED: {error}"
        else:
            notes.put(mutation, tests)
            if not tests:
                wrong[mutation.guard] = "MISSED: no test fails without it"
        outcome = wrong.get(mutation.guard) or f"caught by {', '.join(tests)}"
        seconds = time.monotonic() - started
        notes.say(f"[{n}/{len(chosen)}] {mutation.guard}: {outcome} ({seconds:.0f} s)")
    return wrong


def write(notes: Notes) -> None:
    """The table in ``docs/proof.md``."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    lines = ["| guard that was taken out | tests that failed |", "|---|---|"]
    for mutation in MUTATIONS:
        lines.append(f"| {mutation.guard} | {'<br>'.join(f'`{test}`' for test in notes.of(mutation))} |")
    PAGE.write_text("\n".join([before + BEGIN, *lines, "", END]) + after, encoding="utf-8")


def run(notes: Notes, words: list[str], resume: bool) -> int:
    """All guards, or those whose name holds one of the words; returns the exit status."""
    chosen = [m for m in MUTATIONS if not words or any(word in m.guard for word in words)]
    if resume and notes.doing:
        notes.say(f"the run before was killed without a word: {notes.doing}")
    if not resume and not words:
        notes.caught.clear()
    if not resume:
        notes.passed.clear()
    left = [mutation for mutation in chosen if not (resume and notes.of(mutation))]
    notes.say(f"{len(left)} of {len(MUTATIONS)} guards are to be taken out; pytest's words: {notes.log}")
    if broken := all_in_place(notes, left):
        notes.say(f"stopped: fails with every guard in place: {', '.join(broken)}")
        return 1
    wrong = look(notes, left)
    for guard, what in wrong.items():
        notes.say(f"{guard}: {what}")
    if not wrong and all(map(notes.of, MUTATIONS)):
        write(notes)
        notes.say(f"every guard is guarded; {PAGE.relative_to(PROJECT)} is written")
    elif not wrong:
        notes.say(f"caught: all {len(left)}; the table is written when all guards have been looked at")
    return bool(wrong)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("words", nargs="*", help="only guards whose name holds one of these")
    parser.add_argument("--resume", action="store_true", help="what is noted of these very files counts")
    parser.add_argument("--list", action="store_true", help="the guards, and what is noted of them")
    options = parser.parse_args()
    notes = Notes()
    if options.list:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `| head` has seen enough
        for mutation in MUTATIONS:
            print(f"{mutation.guard:44} {', '.join(notes.of(mutation)) or '-'}")
        return 0
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # behind nohup it stays unheard
            signal.signal(number, _stop)
    try:
        return run(notes, options.words, options.resume)
    except BaseException as error:
        why = str(error) if isinstance(error, (Stopped, RuntimeError)) else f"{type(error).__name__} {error}"
        notes.say(f"stopped: {why}, at: {notes.doing}; --resume goes on there")
        if isinstance(error, (Stopped, RuntimeError, KeyboardInterrupt)):
            return 130 if isinstance(error, KeyboardInterrupt) else 1
        raise
    finally:
        notes.begin("")


def _stop(number: int, _: FrameType | None) -> None:
    raise Stopped(f"a signal, {signal.Signals(number).name}")


if __name__ == "__main__":
    sys.exit(main())
