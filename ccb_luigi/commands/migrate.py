"""Migrating: one date, a range, everything, what the timer starts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import click
from sqlalchemy import Connection

from ccb_luigi.commands import backfill, sweep
from ccb_luigi.commands.frame import (
    DAY,
    clean,
    complain,
    covers_option,
    progress_console,
    source_option,
    with_settings,
    workers_option,
)
from ccb_luigi.commands.record import recorded
from ccb_luigi.database import postgres, schema
from ccb_luigi.documents import block
from ccb_luigi.errors import CcbError, NotCovered
from ccb_luigi.load import closing, markers, pipeline, unchanged
from ccb_luigi.process import stopping
from ccb_luigi.process.events import Event
from ccb_luigi.process.stopping import DeadlinePassed, Stopped
from ccb_luigi.settings import Settings
from ccb_luigi.sources import source
from ccb_luigi.tables import BY_NAME, varreduras
from ccb_luigi.telemetry import display, logs
from ccb_luigi.telemetry.runs import Recorder


@click.command()
@source_option
@covers_option
@click.option("--date", "day", type=DAY, help="One date (default: yesterday).")
@click.option("--since", type=DAY, help="First date of a range.")
@click.option("--until", type=DAY, help="Last date of a range (default: yesterday).")
@click.option("--full", is_flag=True, help="Everything up to the end of the date.")
@click.option("--so-far", is_flag=True, help="Load also what can't be marked yet: today, the end of a dump.")
@workers_option
@clean
@with_settings
def run(
    settings: Settings,
    day: date | None,
    since: date | None,
    until: date | None,
    full: bool,
    so_far: bool,
    workers: int | None,
) -> int:
    """Migrate dates; what is complete is left alone. Only a date that is over is marked."""
    if day and (since or until):
        raise click.UsageError("--date goes alone; a range is --since and --until")
    if full and since:
        raise click.UsageError("--full begins with the first document: it has no --since")
    yesterday = settings.yesterday()
    last, today = day or until or yesterday, yesterday + timedelta(days=1)
    partly = so_far and (last == today or not (day or until or settings.source))
    first = None if full else since or last
    if first and first > last:
        raise click.UsageError("--since lies after --until")
    if partly:
        last = yesterday
    closing.refuse_what_is_not_over(settings, last)
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)] if first else []
    found: backfill.Planned | None = None
    with recorded(settings, "run", days) as recorder:
        if full or (days and (since or until)):
            found = backfill.migrate(settings, first, last, workers, recorder)
            if found and found.exit_code and not (so_far and found.exit_code == NotCovered.exit_code):
                return found.exit_code
            # Of a server's dates one may have appeared meanwhile; to look for a dump's is to read it all.
            if found and settings.source:
                days = found.days
            elif full:
                days = all_days(settings, last)
        recorder.run.days = days
        fresh = found is not None and found.now
        code = _migrate(settings, days, workers, recorder, so_far=so_far, just_planned=fresh) if days else 0
        if partly:
            _load_so_far(settings, today, recorder)
        return code


def _load_so_far(settings: Settings, day: date, recorder: Recorder) -> None:
    """Loads what there is of a date that isn't over, and says so in one line."""
    screen = progress_console()
    with display.RunDisplay(screen, [day]) as shown:

        def tell(kind: str, read: int) -> None:
            for each in (recorder.handle, shown.handle):
                each(Event(kind, markers.EXTRACTION, day, read))

        tell("started", 0)
        found = pipeline.load_so_far(settings, day, lambda read, _: tell("progress", read))
        recorder.handle(Event("done", markers.EXTRACTION, day, found.counts.lidos if found else 0))
    told = found.result.told if found and found.result else "it is marked by now"
    screen.print(f"[yellow]{day}  so far[/]  {told}; no marker: the date is not over", soft_wrap=True)


@click.command()
@source_option
@covers_option
@click.option("--date", "day", type=DAY, required=True, help="The date to do again.")
@click.option(
    "--table",
    metavar="TABLE",
    type=click.Choice(list(BY_NAME)),
    help=f"Only this table and what depends on it: {', '.join(BY_NAME)}.",
)
@click.option("--thorough", is_flag=True, help="Judge and compare also what bears the mark of its last load.")
@workers_option
@clean
@with_settings
def rerun(settings: Settings, day: date, table: str | None, thorough: bool, workers: int | None) -> int:
    """Forget the markers of a date and migrate it again."""

    def forget(connection: Connection) -> None:
        schema.check(connection)
        steps = markers.again(table)
        postgres.lock(connection, *(markers.update_id(step, day) for step in steps))
        markers.forget(connection, day, table)
        if thorough:
            unchanged.forget(connection, day)

    closing.refuse_what_is_not_over(settings, day)
    with recorded(settings, "rerun", [day]) as recorder:
        postgres.of_process(settings).run(forget)
        return _migrate(settings, [day], workers, recorder)


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
        morning.around(settings, last, lambda words: complain(words, event="not_recorded")) as failures,
    ):
        try:
            with stopping.until(_deadline(settings)):
                days = postgres.of_process(settings).run(
                    lambda connection: _of_night(connection, settings, last)
                )
                recorder.run.days = days
                code = _migrate(settings, days, workers, recorder, failures)
                swept = _sweep(settings, last, recorder, failures)
                code = code or swept
        except Stopped as stopped:
            code = _stopped(days, stopped, recorder, failures)
        recorder.run.exit_code = code
        return code


def _of_night(connection: Connection, settings: Settings, last: date) -> list[date]:
    schema.check(connection)
    return closing.of_night(connection, settings, last)


def _deadline(settings: Settings) -> datetime | None:
    """When this night has to be over."""
    end = settings.night_end
    return stopping.following(end, settings.zone) if end else None


def _stopped(days: list[date], stopped: Stopped, recorder: Recorder, failures: list[Event]) -> int:
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
    earlier = [event.exit_code for event in failures if event.day in missing and event.exit_code]
    for day in missing or days[-1:]:
        step = "migration" if missing else varreduras.name
        failures.append(Event("failed", step, day, message=str(stopped), exit_code=stopped.exit_code))
    return (
        next(iter(earlier), stopped.exit_code) if isinstance(stopped, DeadlinePassed) else stopped.exit_code
    )


def _sweep(settings: Settings, day: date, recorder: Recorder, failures: list[Event]) -> int:
    """The night's sweep and its exit status; its failure is one of the night's."""
    if not settings.nightly_sweep or settings.source:  # a dump can't tell what there is now
        return 0
    try:
        sweep.run(settings, recorder)
    except CcbError as error:
        if not logs.are_lines():  # there the recorder has told it
            complain(f"sweep: {error}")
        failures.append(Event("failed", varreduras.name, day, message=str(error), exit_code=error.exit_code))
        return error.exit_code
    return 0


def all_days(settings: Settings, until: date) -> list[date]:
    """Every date up to ``until`` that has documents, the oldest first."""
    judge = block.judge_of(settings.zone, settings.strictness)
    with source.opened(settings) as origin:
        found = set(origin.days(settings.zone, until))
        for raw in origin.odd():
            partition = judge.partition_of_raw(raw)
            if partition is not None and partition <= until:
                found.add(partition)
    return sorted(found) or [until]


def _migrate(
    settings: Settings,
    days: Sequence[date],
    workers: int | None,
    recorder: Recorder,
    failures: list[Event] | None = None,
    *,
    so_far: bool = False,
    just_planned: bool = False,
) -> int:
    """Runs the dates with a progress display, and sums up in one line; ``failures`` is added to.

    ``so_far``: a date that a dump doesn't reach the end of may be loaded without a marker. ``just_planned``:
    a plan of this command has done the dates.
    """
    from ccb_luigi.orchestration import runner  # Luigi takes a while to import: only where it is needed

    screen = progress_console()
    with display.RunDisplay(screen, days) as shown:

        def watch(event: Event) -> None:
            recorder.handle(event)
            if failures is not None and event.kind == "failed":
                failures.append(event)
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
