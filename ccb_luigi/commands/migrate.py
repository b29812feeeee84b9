"""Dates done one by one by Luigi, as ``run``, ``rerun`` and ``nightly`` all have them done."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from ccb_luigi.commands.frame import progress_console
from ccb_luigi.errors import NotCovered
from ccb_luigi.process.events import Event
from ccb_luigi.settings import Settings
from ccb_luigi.telemetry import display
from ccb_luigi.telemetry.runs import Recorder


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
    done = f"{len(outcome.complete)} of {len(days)} dates complete"
    others = len(days) - len(outcome.complete)
    if outcome.incomplete:
        first = ", ".join(str(day) for day in outcome.incomplete[:5])
        screen.print(f"[red]{done}[/]; missing: {first}{' ...' if len(outcome.incomplete) > 5 else ''}")
    elif outcome.before == len(days) and not just_planned:
        where = f" from {display.harmless(settings.source)}" if settings.source else ""
        screen.print(f"{done}; all were before: nothing was read{where}", soft_wrap=True)
    else:
        screen.print(f"{done}; {others} loaded so far, without a marker" if others else done)
    return outcome.exit_code
