"""Migrating what is asked for: one date, a range, everything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import click

from ccb_luigi.commands import backfill
from ccb_luigi.commands.frame import (
    DAY,
    clean,
    covers_option,
    progress_console,
    source_option,
    with_settings,
    workers_option,
)
from ccb_luigi.commands.migrate import migrate
from ccb_luigi.commands.record import recorded
from ccb_luigi.documents import block
from ccb_luigi.errors import NotCovered
from ccb_luigi.load import closing, markers, pipeline
from ccb_luigi.process.events import Event
from ccb_luigi.settings import Settings
from ccb_luigi.sources import source
from ccb_luigi.telemetry import display
from ccb_luigi.telemetry.runs import Recorder


@dataclass(frozen=True, slots=True)
class Asked:
    """The dates from ``first`` (``None``: from the first document on) to ``last``, both included.

    ``many``: they may be a plan's. ``today``: this date, too, as far as it is there, without a marker.
    """

    first: date | None
    last: date
    many: bool
    today: date | None = None

    @property
    def days(self) -> list[date]:
        """Those that are known before the source is asked."""
        if self.first is None:
            return []
        return [self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)]


def dates_asked_for(
    settings: Settings, day: date | None, since: date | None, until: date | None, *, full: bool, so_far: bool
) -> Asked:
    """What the options of ``run`` mean.

    Raises:
        click.UsageError: some exclude each other.
    """
    if day and (since or until):
        raise click.UsageError("--date goes alone; a range is --since and --until")
    if full and since:
        raise click.UsageError("--full begins with the first document: it has no --since")
    yesterday = settings.yesterday()
    last, today = day or until or yesterday, yesterday + timedelta(days=1)
    first = None if full else since or last
    if first and first > last:
        raise click.UsageError("--since lies after --until")
    # --so-far means today where today is named, or no end at all; but a dump ends with one of its own dates.
    partly = so_far and (last == today or not (day or until or settings.source))
    end = yesterday if partly else last
    many = full or bool((since or until) and first and first <= end)
    return Asked(first, end, many, today if partly else None)


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
    asked = dates_asked_for(settings, day, since, until, full=full, so_far=so_far)
    return _carry_out(settings, asked, workers, so_far=so_far)


def everything(settings: Settings) -> int:
    """What ``run --full --so-far`` does; returns the exit status."""
    asked = dates_asked_for(settings, None, None, None, full=True, so_far=True)
    return _carry_out(settings, asked, None, so_far=True)


def _carry_out(settings: Settings, asked: Asked, workers: int | None, *, so_far: bool) -> int:
    closing.refuse_what_is_not_over(settings, asked.last)
    with recorded(settings, "run", asked.days) as recorder:
        planned = (
            backfill.migrate(settings, asked.first, asked.last, workers, recorder) if asked.many else None
        )
        if planned and planned.exit_code and not (so_far and planned.exit_code == NotCovered.exit_code):
            return planned.exit_code
        recorder.run.days = days = _days(settings, asked, planned)
        fresh = planned is not None and planned.now
        code = migrate(settings, days, workers, recorder, so_far=so_far, just_planned=fresh) if days else 0
        if asked.today:
            _load_so_far(settings, asked.today, recorder)
        return code


def _days(settings: Settings, asked: Asked, planned: backfill.Planned | None) -> list[date]:
    """The dates to look at one by one, after a plan if there was one.

    Of a server's dates one may have appeared meanwhile. A dump never changes, and to ask it for its dates is
    to read it all.
    """
    if planned and settings.source:
        return planned.days
    return asked.days if asked.first else all_days(settings, asked.last)


def all_days(settings: Settings, until: date) -> list[date]:
    """Every date up to ``until`` that has documents, the oldest first."""
    judge = block.judge_of(settings.zone, settings.strictness)
    looking = display.Bar(progress_console(), total=None, about="looking for dates that have documents")
    with looking, source.opened(settings) as origin:
        found = set(origin.days(settings.zone, until))
        for raw in origin.odd():
            partition = judge.partition_of_raw(raw)
            if partition is not None and partition <= until:
                found.add(partition)
    return sorted(found) or [until]


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
    told = found.result.told if found else "it is marked by now"
    screen.print(f"[yellow]{day}  so far[/]  {told}; no marker: the date is not over", soft_wrap=True)
    if found:
        display.tell_changes(screen, found.written)
