"""The runbook is executable: who follows a bad night's chapter, and does nothing else, ends with a good."""

from __future__ import annotations

import html
import re
import shlex
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click
import pytest
from nights import NIGHTS, START, Case, Night
from program import REPOSITORY, Program

from ccb_luigi.cli import main
from ccb_luigi.settings import Settings

RUNBOOK = (REPOSITORY / "docs" / "runbook.md").read_text(encoding="utf-8")
UNIT = "ccb-luigi.service"


def _chapters() -> dict[str, str]:
    """Slug → text, without its line breaks."""
    parts = re.split(r"^### (.+)$", RUNBOOK, flags=re.MULTILINE)
    return {name.lower().replace(" ", "-"): text for name, text in zip(parts[1::2], parts[2::2], strict=True)}


CHAPTERS = _chapters()


def plain(text: str) -> str:
    """On one line."""
    return " ".join(text.split())


def commands(chapter: str) -> list[str]:
    """What of a chapter can be typed: its blocks' lines and what stands between backquotes."""
    blocks = re.findall(r"(?ms)^ *```console\n(.*?)^ *```", chapter)
    lines = [line.strip().removeprefix("$ ") for block in blocks for line in block.splitlines()]
    inline = re.findall(r"`([^`]+)`", re.sub(r"(?ms)^ *```.*?^ *```", "", chapter))
    return [
        plain(re.sub(r"\s+#.*|\s*\| (tail|head)\b.*", "", line)) for line in [*lines, *map(plain, inline)]
    ]


def whole(chapter: str, begins: str) -> str:
    """The command of the chapter that begins so."""
    found = {command for command in commands(chapter) if command == begins}
    found = found or {command for command in commands(chapter) if command.startswith(begins)}
    assert len(found) == 1, f"{begins!r} stands {len(found)} times in the chapter"
    return found.pop()


@pytest.fixture
def case(program: Program, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    """Nobody waits as long as a night does; who holds a lock is asked as soon as it is waited for."""
    monkeypatch.setattr("ccb_luigi.process.heartbeat.EVERY", 0.2)
    monkeypatch.setattr("ccb_luigi.sources.mongo.SECONDS_TO_CONNECT", 0.2)
    found = Case(
        program,
        {
            "CCB_NIGHTLY_DAYS": "1",
            "CCB_LANGUAGE": "en",
            "CCB_RETRY_SECONDS": "0.2",
            "CCB_LOCK_SECONDS": "0.5",
            "CCB_REPORT_DIR": str(program.directory / "report"),
            "CCB_METRICS_DIR": str(program.directory / "metrics"),
            "CCB_RUNBOOK_URL": "https://wiki.example.com/runbook.md",
        },
    )
    yield found
    for statement in found.last:
        found.query(statement)


def ready(case: Case, night: Night) -> None:
    """Documents of two days; unless the night is the first one, the older ones are loaded."""
    (case.program.directory / "metrics").mkdir()
    case.put(*case.documents("b", 12))
    if not night.empty:
        before = case.day.fromordinal(case.day.toordinal() - 1)
        case.put(*case.documents("a", 3, before))
        case.program.world.migrate(before)


class Typing:
    """Whoever is on call, at the terminal of the machine of the nights."""

    def __init__(self, case: Case) -> None:
        self.case = case

    def type(self, words: str, status: int | None = 0) -> str:
        """What a command, or a statement in psql, answers."""
        given = re.sub(r"\bD\b", str(self.case.day), re.sub(r"\bID\b", self.case.id, words))
        if given == "sudo systemctl start ccb-luigi.service":
            return self.start(status)
        if given.startswith(("SELECT", "ALTER")):
            return "\n".join(str(row) for row in self.case.query(given))
        first, *rest = shlex.split(given)
        environment = dict(self.case.settings)
        while "=" in first:
            name, _, value = first.partition("=")
            environment[name] = value
            first, *rest = rest
        assert first == "ccb-luigi", words
        if rest[0] == "db":  # as the owner of the tables
            environment.pop("CCB_POSTGRES_URL", None)
        done = self.case.program.forked(*rest, status=status, **environment)
        return done.stdout + done.stderr

    def start(self, status: int | None = 0) -> str:
        return self.type("ccb-luigi nightly", status)


def page(case: Case) -> tuple[str, str]:
    """The morning page's class and its text."""
    text = (case.program.directory / "report" / "ultimo.html").read_text(encoding="utf-8")
    return text, plain(html.unescape(re.sub(r"<[^>]+>", "", text)))


def exit_code(case: Case) -> int:
    """What Prometheus would read of the last night."""
    text = (case.program.directory / "metrics" / "ccb_luigi_nightly.prom").read_text(encoding="utf-8")
    (found,) = re.findall(r'^ccb_luigi_run_exit_code\{command="nightly"\} (\d+)', text, re.MULTILINE)
    return int(found)


@pytest.mark.parametrize("night", NIGHTS, ids=lambda night: night.name)
def test_a_bad_night_says_its_cause_and_its_chapter_mends_it(case: Case, night: Night) -> None:
    typing, chapter = Typing(case), CHAPTERS[night.chapters[-1]]
    ready(case, night)
    with closing(night.breaks(case)) as breaking:
        next(breaking)
        failing = shlex.join(["ccb-luigi", *night.by])
        said = typing.type(failing, night.status)
        assert re.search(night.says.replace("DATE", str(case.day)), said), said
        assert_told_everywhere(case, night)
        for look in night.look:
            shown = typing.type(whole(chapter, look.command), look.status)
            assert re.search(look.shows.replace("DATE", str(case.day)), shown), shown
        if night.again:
            typing.type(failing, night.status)  # it was not green before it was mended, and still isn't
        assert plain(night.told) in plain(chapter)
        next(breaking, None)
        for command in night.do:
            if command == START:
                assert START in plain(chapter)
                typing.start()
            else:
                typing.type(whole(chapter, command))
    if night.do[-1] != START:
        typing.start()  # as "the first five minutes" end
    assert_green(case, typing)


def assert_told_everywhere(case: Case, night: Night) -> None:
    """The page and the mail name the same cause as the line, and lead to the chapter."""
    link = f"https://wiki.example.com/runbook.md#{night.chapters[0]}"
    if not night.status or night.chapters[0] != f"exit-code-{night.status}":
        return
    mail = case.program.here(
        "alert", UNIT, "--status", str(night.status), "--dry-run", **case.settings
    ).stdout
    assert link in mail
    if night.by == ("nightly",) and not night.silent:
        marked, text = page(case)
        assert re.search(night.says, text), text
        assert f'href="{link}"' in marked
        assert exit_code(case) == night.status
        assert "All well" not in text
    for chapter, following in zip(night.chapters, night.chapters[1:], strict=False):
        assert f"(#{following})" in CHAPTERS[chapter]


def assert_green(case: Case, typing: Typing) -> None:
    assert exit_code(case) == 0
    _, text = page(case)
    assert re.search("All well|rejected", text), text
    all_of_it = "--full" if "CCB_SOURCE" not in case.settings else f"--date={case.day}"
    assert "no difference" in case.program.here("verify", all_of_it, **case.settings).stdout
    assert set(case.program.world.contracts()) == case.expected


# --- the whole of it -------------------------------------------------------------------------------------

OTHERWISE = {
    "exit-code-0": "a good night",
    "exit-code-1": "a defect, or a small thing asked for: test_cli, test_erasure",
    "exit-code-2": "the command line: test_exit_codes; a clock that is wrong: test_open_dates",
    "exit-code-10": "a worker that was killed: test_killed_processes",
    "exit-code-21": "a night that ends at its deadline, and the one after it: test_stopping",
    "exit-code-22": "a mail or a webhook that fails: test_alert",
    "exit-code-23": "a disk that is full under the output: test_outputs",
    "exit-code-25": "test_preflight_servers",
    "exit-code-129": "test_stopping",
    "exit-code-130": "test_stopping",
    "exit-code-143": "test_stopping; by systemd's time limit: tests/booted",
    "ccbluiginightfailed": "leads to the exit status; Prometheus fires it in test_prometheus",
    "ccbluiginosuccess": "systemd's own: tests/booted",
    "ccbluigirowslost": "deleted by hand, and what brings them back: test_sweeping",
    "ccbluigirunslow": "nothing is to be done by a command; alerts_test.yml fires it",
    "ccbluigimetricsabsent": "node_exporter and Prometheus: test_prometheus",
}
"""Chapters that no night here leads to, and why."""


def test_every_chapter_is_followed_by_a_night_or_it_is_said_why_not() -> None:
    followed = {chapter for night in NIGHTS for chapter in night.chapters}
    assert followed | OTHERWISE.keys() == CHAPTERS.keys()
    assert not followed & OTHERWISE.keys()


def _typed() -> list[str]:
    """Every command of ours that the runbook has anybody type."""
    found = [line for line in commands(RUNBOOK) if re.match(r"(CCB_\w+=\S+ )*ccb-luigi \S", line)]
    return sorted({line for line in found if "..." not in line})


@pytest.mark.parametrize("line", _typed())
def test_every_command_of_the_runbook_is_one(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "verify.json").touch()  # a command before it writes the file
    words = shlex.split(re.sub(r" > \S+$", "", line).replace(" D", " 2026-11-22"))
    while "=" in words[0]:
        name, _ = words.pop(0).split("=")
        assert name.removeprefix("CCB_").lower() in Settings.__dataclass_fields__
    command: click.Command = main
    context = click.Context(main)
    rest = words[1:]
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        found = command.get_command(context, rest.pop(0))
        assert found, line
        command = found
    if words[1:] == [command.name]:
        return  # spoken of, not typed
    command.make_context("ccb-luigi", rest, resilient_parsing="--help" in rest)


def test_every_statement_of_the_runbook_is_one(program: Program) -> None:
    statements = [line for line in commands(RUNBOOK) if line.startswith("SELECT")]
    assert len(statements) >= 4
    for statement in statements:
        program.world.query(statement)
