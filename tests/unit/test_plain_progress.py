"""How far a command is, where no terminal is: lines on stderr, few, and none where nobody wants them."""

from __future__ import annotations

import io
import queue
from datetime import date

import pytest
from rich.console import Console

from ccb_luigi.load.backfill_plan import Plan, PlanProgress
from ccb_luigi.process.events import IDLE, Event
from ccb_luigi.telemetry import logs, plain_progress
from ccb_luigi.telemetry.display import Bar, PlanDisplay, RunDisplay
from ccb_luigi.telemetry.plain_progress import LONGEST, SECONDS, pause_after

DAY = date(2026, 11, 22)
PLAN = Plan(7, "mongodb ccb.contratos", "America/Sao_Paulo", None, DAY, [], 1000, 10)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> queue.Queue[bytes]:
    """The lines that were written, all at once."""
    found: queue.Queue[bytes] = queue.Queue()
    monkeypatch.setattr(plain_progress, "SECONDS", 0.001)
    monkeypatch.setattr(plain_progress, "_to_stderr", found.put)
    monkeypatch.setattr(logs, "_progress", True)
    return found


def piped() -> Console:
    return Console(file=io.StringIO(), width=80)


def in_words(display: Bar, said: queue.Queue[bytes], *events: Event) -> str:
    """What is said of it after the events, without the time."""
    with display:
        for event in events:
            display.handle(event)  # type: ignore[attr-defined]
        while not said.empty():
            said.get()
        said.get(timeout=60)  # its words may have been chosen before the events
        line = said.get(timeout=60).decode()
    assert line.endswith(" s\n")
    return line.rpartition(", ")[0]


def test_a_run_of_dates_says_which_it_is_at_and_how_many_steps_are_done(said: queue.Queue[bytes]) -> None:
    events = (Event("started", "contratos", DAY), Event("progress", "contratos", DAY, 1200), IDLE)
    run = RunDisplay(piped(), [DAY])
    assert in_words(run, said, *events) == "2026-11-22  1,200 contracts read 0/10 steps"
    events = (*events, Event("done", "contratos", DAY, 1200), Event("started", "parcelas", DAY))
    assert in_words(RunDisplay(piped(), [DAY]), said, *events) == "2026-11-22  parcelas 1/10 steps"


def test_a_plan_says_how_many_shards_and_documents_are_done(said: queue.Queue[bytes]) -> None:
    plan = PlanDisplay(piped(), PLAN, PlanProgress(2, 200, 200), lambda: None)
    told = in_words(plan, said, Event("progress", "fatias", rows=40, shard=3))
    assert told.startswith("2 of 10 shards 240 of 1,000")


def test_it_is_said_also_while_nothing_happens_and_no_more_after_the_end(said: queue.Queue[bytes]) -> None:
    with Bar(piped(), total=None, about="looking") as bar:
        lines = [said.get(timeout=60) for _ in range(3)]
    assert {line.rpartition(b", ")[0] for line in lines} == {b"looking"}
    assert bar._lines is not None
    bar._lines._thread.join(60)
    assert not bar._lines._thread.is_alive()


@pytest.mark.parametrize("why", ["a terminal", "hidden", "quiet or JSON"])
def test_nothing_is_said_where_there_is_a_bar_or_nobody_wants_it(
    why: str, said: queue.Queue[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=why == "a terminal")
    monkeypatch.setattr(logs, "_progress", why != "quiet or JSON")
    with Bar(console, total=None, hidden=why == "hidden") as bar:
        assert bar._lines is None


@pytest.mark.parametrize(
    ("form", "quiet", "told"), [("text", False, True), ("text", True, False), ("json", False, False)]
)
def test_json_lines_and_quiet_mean_no_progress(form: str, quiet: bool, told: bool) -> None:
    logs.configure(form, verbose=False, quiet=quiet, stream=io.StringIO())
    try:
        assert logs.tells_progress() is told
    finally:
        logs.configure("text", verbose=False)


def test_the_lines_come_every_few_seconds_and_a_long_load_leaves_few() -> None:
    assert pause_after(0) == SECONDS == 5
    assert pause_after(4 * 3600) == LONGEST == 60
    lines, now = 0, 0.0
    for within, most in ((60.0, 12), (600.0, 60), (4 * 3600.0, 320)):
        while now < within:
            now += pause_after(now)
            lines += 1
        assert lines <= most


def test_a_reader_of_stderr_that_left_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(plain_progress.os, "write", refuse)
    plain_progress._to_stderr(b"x\n")
