"""Migrating dates again, as if they had not been done."""

from __future__ import annotations

import json
from datetime import date, timedelta
from functools import partial
from typing import IO

import click
from sqlalchemy import Connection

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
from ccb_luigi.database import postgres, schema
from ccb_luigi.load import closing, markers, unchanged
from ccb_luigi.settings import Settings
from ccb_luigi.tables import BY_NAME


@click.command()
@source_option
@covers_option
@click.option("--date", "day", type=DAY, help="The date to do again.")
@click.option("--since", type=DAY, help="First date of a range.")
@click.option("--until", type=DAY, help="Last date of a range (default: yesterday).")
@click.option(
    "--from-verify",
    "verified",
    metavar="FILE",
    type=click.File("rb"),
    help="The dates that differ, as `ccb-luigi verify --json` tells them; -: from standard input.",
)
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
def rerun(
    settings: Settings,
    day: date | None,
    since: date | None,
    until: date | None,
    verified: IO[bytes] | None,
    table: str | None,
    thorough: bool,
    workers: int | None,
) -> int:
    """Forget the markers of dates and migrate them again."""
    days = dates_asked_for(settings, day, since, until, verified)
    if not days:
        progress_console().print("no date differs: nothing is done again")
        return 0

    def forget(connection: Connection, day: date) -> None:
        schema.check(connection)
        steps = markers.again(table)
        postgres.lock(connection, *(markers.update_id(step, day) for step in steps))
        markers.forget(connection, day, table)
        unchanged.forget_the_gone(connection, day)
        if thorough:
            unchanged.forget(connection, day)

    closing.refuse_what_is_not_over(settings, days[-1])
    with recorded(settings, "rerun", days) as recorder:
        for each in days:  # in a transaction each: a server has only so many locks
            postgres.of_process(settings).run(partial(forget, day=each))
        return migrate(settings, days, workers, recorder)


def dates_asked_for(
    settings: Settings,
    day: date | None,
    since: date | None,
    until: date | None,
    verified: IO[bytes] | None,
) -> list[date]:
    """The dates, the oldest first.

    Raises:
        click.UsageError: none is named, or in two ways.
    """
    if (day is not None) + (since is not None) + (verified is not None) != 1 or (until and not since):
        raise click.UsageError("which dates? --date, or --since (and --until), or --from-verify")
    if verified:
        return dates_of(verified.read())
    if since:
        last = until or settings.yesterday()
        if since > last:
            raise click.UsageError("--since lies after --until")
        return [since + timedelta(days=n) for n in range((last - since).days + 1)]
    return [day] if day else []


def dates_of(report: bytes) -> list[date]:
    """The dates in what ``verify --json`` wrote.

    Raises:
        click.UsageError: it is something else.
    """
    try:
        return sorted({date.fromisoformat(day) for day in json.loads(report)["dates"]})
    except (ValueError, TypeError, KeyError):  # of JSON, of text, of dates
        raise click.UsageError("--from-verify: this isn't what `ccb-luigi verify --json` writes") from None
