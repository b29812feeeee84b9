"""Migrating a date again, as if it had not been done."""

from __future__ import annotations

from datetime import date

import click
from sqlalchemy import Connection

from ccb_luigi.commands.frame import (
    DAY,
    clean,
    covers_option,
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
        return migrate(settings, [day], workers, recorder)
