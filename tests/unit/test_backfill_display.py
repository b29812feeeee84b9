"""What a person is told of a plan: how much is done by all hosts, how fast, how long it takes still."""

from __future__ import annotations

import io
from datetime import date

import pytest
from rich.console import Console

from ccb_luigi.load.backfill_plan import Plan, PlanProgress
from ccb_luigi.process.events import Event
from ccb_luigi.telemetry import display
from ccb_luigi.telemetry.display import PlanDisplay, lasting

PLAN = Plan(7, "mongodb ccb.contratos", "America/Sao_Paulo", None, date(2026, 11, 22), [], 1000, 10)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(display.time, "monotonic", lambda: now[0])
    return now


def test_a_shard_that_is_done_is_told_with_what_all_hosts_have_done(clock: list[float]) -> None:
    out, asked = io.StringIO(), iter([PlanProgress(5, 500, 500), None])
    shown = PlanDisplay(Console(file=out, width=100), PLAN, PlanProgress(2, 200, 200), lambda: next(asked))
    with shown:
        clock[0] += 10
        shown.handle(Event("started", "fatias", shard=3))
        shown.handle(Event("progress", "fatias", rows=40, shard=4))
        shown.handle(Event("done", "fatias", rows=100, shard=3, told="100 read, 99 loaded, 1 rejected"))
        clock[0] += 10
        shown.handle(Event("done", "fatias", rows=0, shard=4))  # another host did it; the database is away
    assert out.getvalue() == (
        "shard 3 of 10  done  100 read, 99 loaded, 1 rejected; proven; 540 of 1,000, 34/s, 14 s left\n"
    )
    assert shown.pace() == "500 of 1,000, 15/s, 33 s left"


def test_a_failure_is_told_once(clock: list[float]) -> None:
    out = io.StringIO()
    shown = PlanDisplay(Console(file=out, width=40), PLAN, PlanProgress(0, 0, 0), lambda: None)
    with shown:
        for _ in range(3):
            shown.handle(Event("failed", "fatias", message="[no] disk", exit_code=14, shard=3))
        shown.handle(Event("failed", "plano", message="held back", exit_code=10))
    assert out.getvalue() == "shard 3  failed: [no] disk\nplan  failed: held back\n"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0 s"),
        (89, "89 s"),
        (90, "2 min"),
        (5000, "83 min"),
        (5400, "1 h 30 min"),
        (10_980, "3 h 03 min"),
    ],
)
def test_a_stretch_of_time_is_said_as_one_says_it(seconds: float, words: str) -> None:
    assert lasting(seconds) == words
