"""What the timer starts every night."""

from __future__ import annotations

from datetime import date, timedelta

import click

from ccb_luigi.commands import sweep
from ccb_luigi.commands.frame import clean, complain, with_settings, workers_option
from ccb_luigi.commands.migrate import migrate
from ccb_luigi.commands.record import recorded
from ccb_luigi.database import postgres, schema
from ccb_luigi.errors import CcbError
from ccb_luigi.load import circumstances, closing, markers, recount
from ccb_luigi.load.status import SWEEP
from ccb_luigi.process import stopping
from ccb_luigi.process.events import Event
from ccb_luigi.process.stopping import DeadlinePassed, Stopped
from ccb_luigi.settings import Settings
from ccb_luigi.telemetry import logs
from ccb_luigi.telemetry.runs import Recorder


@click.command(short_help="The last days' incomplete dates, the sweep, the morning page.")
@workers_option
@clean
@with_settings
def nightly(settings: Settings, workers: int | None) -> int:
    """What the timer starts: the last days' incomplete dates, then the sweep and the morning page."""
    from ccb_luigi.report import morning  # Jinja takes a while to import

    last = settings.yesterday()
    days = [last - timedelta(days=n) for n in reversed(range(settings.nightly_days))]
    with (
        recorded(settings, "nightly", days) as recorder,
        morning.around(
            settings, last, recorder.run.failures, lambda words: complain(words, event="not_recorded")
        ),
    ):
        try:
            end, target = settings.night_end, postgres.of_process(settings)
            with stopping.until(stopping.following(end, settings.zone) if end else None):
                target.run(schema.check)
                for doubt in target.run(
                    lambda connection: circumstances.of_night(connection, settings, last)
                ):
                    complain(doubt.en, event="doubt")
                days = target.run(lambda connection: closing.of_night(connection, settings, last))
                recorder.run.days = days
                code = migrate(settings, days, workers, recorder)
                swept = _sweep(settings, last, recorder)
                code = code or swept
                counted = _recount(settings, last, recorder)
                code = code or counted
        except Stopped as stopped:
            code = _stopped(days, stopped, recorder)
        recorder.run.exit_code = code
        return code


def _stopped(days: list[date], stopped: Stopped, recorder: Recorder) -> int:
    """Says in one line what is left of a night that had to end; its exit status.

    As always the first failure gives the number, but a signal's is its own.
    """
    from ccb_luigi.orchestration.targets import all_done

    stopping.heard()
    complete = set(all_done(markers.STEPS, days))
    recorder.run.complete = len(complete)
    missing = [day for day in days if day not in complete]
    left = f"missing: {', '.join(map(str, missing))}" if missing else "the sweep is not finished"
    complain(
        f"{stopped}: {len(complete)} of {len(days)} dates complete; {left};"
        " the next night goes on where this one ended",
        event="stopped",
    )
    failures = recorder.run.failures
    earlier = [event.exit_code for event in failures if event.day in missing and event.exit_code]
    for day in missing or days[-1:]:
        step = "migration" if missing else SWEEP
        failures.append(Event("failed", step, day, message=str(stopped), exit_code=stopped.exit_code))
    return (
        next(iter(earlier), stopped.exit_code) if isinstance(stopped, DeadlinePassed) else stopped.exit_code
    )


def _sweep(settings: Settings, day: date, recorder: Recorder) -> int:
    """The night's sweep and its exit status; its failure is one of the night's."""
    if not settings.nightly_sweep or settings.source:  # a dump can't tell what there is now
        return 0
    try:
        sweep.run(settings, day, recorder)
    except CcbError as error:
        if not logs.are_lines():  # there the recorder has told it
            complain(f"sweep: {error}")
        return error.exit_code
    return 0


def _recount(settings: Settings, day: date, recorder: Recorder) -> int:
    """Whether what was loaded is still there: after the sweep, which brings whole contracts back."""
    recorder.handle(Event("started", recount.NAME, day))
    try:
        found = recount.recount(settings)
    except CcbError as error:
        recorder.handle(Event("failed", recount.NAME, day, message=str(error), exit_code=error.exit_code))
        if not logs.are_lines():
            complain(str(error))
        return error.exit_code
    recorder.handle(Event("done", recount.NAME, day, found.contracts))
    return 0
