"""What has been done: the dates and their tables."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date

import click

from ccb_luigi.commands.frame import DAY, clean, console, json_option, say_json, with_settings
from ccb_luigi.database import postgres
from ccb_luigi.load import circumstances, recount, status
from ccb_luigi.settings import Settings
from ccb_luigi.tables import BY_NAME
from ccb_luigi.telemetry import display


@click.command("status", short_help="Dates × tables, done or missing; the last sweep.")
@click.option(
    "--days", "count", type=click.IntRange(1, 3660), default=10, show_default=True, help="How many dates."
)
@click.option("--until", type=DAY, help="Last date shown (default: yesterday).")
@json_option
@clean
@with_settings
def status_command(settings: Settings, count: int, until: date | None, as_json: bool) -> None:
    """Dates × tables: rows of each date, or a dash where a step is missing; and the last sweep."""
    last = until or settings.yesterday()
    target = postgres.of_process(settings)
    days = target.run(lambda c: status.last_days(c, settings, last, count))
    if as_json:
        say_json([{**asdict(day), "missing": day.missing} for day in days])
        return
    today = [] if until else target.run(lambda c: status.day_after(c, settings, last))
    screen = console()
    totals = target.run(lambda c: status.table_rows(c, list(BY_NAME)))
    screen.print(display.status_table([*days, *today], totals, width=screen.width))
    incomplete = [day for day in days if day.missing]
    screen.print(
        f"{len(days) - len(incomplete)} of {len(days)} dates complete (-: missing; quar: open rejections)"
    )
    for line in display.unmarked_lines([*days, *today]):
        screen.print(line, soft_wrap=True)
    if (counted := target.run(recount.last)) and counted.lost:
        screen.print(display.recount_line(counted, settings.zone), soft_wrap=True)
    screen.print(display.sweep_line(target.run(status.last_sweep), settings.zone))
    for doubt in target.run(lambda c: circumstances.of_tables(c, settings, last)):
        screen.print(f"[yellow]{doubt.en}[/]", soft_wrap=True)
    if ends := target.run(status.password_ends):
        screen.print(display.password_line(ends, settings.zone), soft_wrap=True)
