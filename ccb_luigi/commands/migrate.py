"""Dates done one by one by Luigi, as ``run``, ``rerun`` and ``nightly`` all have them done."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from rich.console import Console

from ccb_luigi.commands.frame import progress_console
from ccb_luigi.errors import NotCovered
from ccb_luigi.process.events import Event
from ccb_luigi.settings import Settings
from ccb_luigi.telemetry import display
from ccb_luigi.telemetry.runs import Recorder

if TYPE_CHECKING:
    from ccb_luigi.orchestration.runner import Outcome


def migrate(
    settings: Settings,
    days: Sequence[date],
    workers: int | None,
    recorder: Recorder,
    *,
    so_far: bool = False,
    just_planned: bool = False,
) -> int:
    """Runs the dates with a progress display, and sums up in one line.

    ``so_far``: a date that a dump doesn't reach the end of may be loaded without a marker. ``just_planned``:
    a plan of this command has done the dates.
    """
    from ccb_luigi.orchestration import runner  # Luigi takes a while to import: only where it is needed

    screen = progress_console()
    with display.RunDisplay(screen, days) as shown:

        def watch(event: Event) -> None:
            recorder.handle(event)
            shown.handle(event)

        outcome = runner.run(settings, days, workers=workers or settings.workers, watch=watch)
    if so_far:
        outcome.let_pass(NotCovered.exit_code)
    recorder.run.complete, recorder.run.exit_code = len(outcome.complete), outcome.exit_code
    _sum_up(screen, settings, days, outcome, recorder, just_planned)
    return outcome.exit_code


def _sum_up(
    screen: Console,
    settings: Settings,
    days: Sequence[date],
    outcome: Outcome,
    recorder: Recorder,
    just_planned: bool,
) -> None:
    """How many dates are complete, since now or before, and what was done to the tables."""
    done, which = f"{len(outcome.complete)} of {len(days)} dates complete", display.span(days)
    others = len(days) - len(outcome.complete)
    now = len(days) - outcome.before
    if outcome.incomplete:
        first = ", ".join(str(day) for day in outcome.incomplete[:5])
        screen.print(f"[red]{done}[/]; missing: {first}{' ...' if len(outcome.incomplete) > 5 else ''}")
    elif not now and not just_planned:
        screen.print(
            f"{done}, all of them before: {which}; {_nothing_read(settings, recorder)}", soft_wrap=True
        )
        return
    elif others:
        screen.print(f"{done}; {others} loaded so far, without a marker")
    else:
        before = f", {outcome.before} of them before" if outcome.before and not just_planned else ""
        screen.print(f"{done}{before}: {which}")
    if not outcome.incomplete or len(outcome.complete) > outcome.before:
        display.tell_changes(screen, recorder.run.changes)


def _nothing_read(settings: Settings, recorder: Recorder) -> str:
    """That a marked date isn't read again, and how it would be; a night needn't hear that."""
    dump = f" --source {display.harmless(settings.source)}" if settings.source else ""
    told = f"nothing was read{dump.replace(' --source', ' from')}"
    if recorder.run.command == "nightly":
        return told
    return f"{told}, since a marked date is done (`ccb-luigi rerun --date D{dump}` reads it again)"
