"""What has been done: the dates and their tables."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date

import click

from ccb_luigi.commands.frame import DAY, clean, console, json_option, say_json, with_settings
from ccb_luigi.database import postgres
from ccb_luigi.load import circumstances, recount, status
from ccb_luigi.report import facts, verdict
from ccb_luigi.report.verdict import Severity
from ccb_luigi.settings import Settings
from ccb_luigi.telemetry import display

COLOURS = {Severity.GOOD: "green", Severity.ATTENTION: "yellow", Severity.BAD: "red"}


@click.command("status", short_help="Dates × tables, done or missing; the last sweep.")
@click.option(
    "--days", "count", type=click.IntRange(1, 3660), default=10, show_default=True, help="How many dates."
)
@click.option("--until", type=DAY, help="Last date shown (default: yesterday).")
@json_option
@clean
@with_settings
def status_command(settings: Settings, count: int, until: date | None, as_json: bool) -> None:
    """Whether all is there, what is new (dates × tables, the last sweep), and what to do."""
    last = until or settings.yesterday()
    target = postgres.of_process(settings)
    days = target.run(lambda c: status.last_days(c, settings, last, count))
    if as_json:
        say_json([{**asdict(day), "missing": day.missing} for day in days])
        return
    today = [] if until else target.run(lambda c: status.day_after(c, settings, last))
    known = target.run(lambda c: facts.of_status(c, settings, days))
    totals = target.run(status.in_tables)
    screen, points = console(), verdict.judge(known)
    for point in points:
        display.tell_indented(screen, point.said("en"), style=COLOURS[point.level])
    screen.print(display.status_table([*days, *today], totals, width=screen.width))
    if screen.width < display.WIDTH_OF_STATUS:
        display.tell_indented(screen, display.in_tables_line(totals))
    screen.print(display.complete_line(days, target.run(status.proven_dates), totals), soft_wrap=True)
    for line in display.unmarked_lines([*days, *today]):
        screen.print(line, soft_wrap=True)
    if (counted := target.run(recount.last)) and counted.lost:
        screen.print(display.recount_line(counted, settings.zone), soft_wrap=True)
    screen.print(display.sweep_line(known.sweep, settings.zone), soft_wrap=True)
    if closed := target.run(status.closed_lately):
        screen.print(display.closed_line(closed), soft_wrap=True)
    for doubt in target.run(lambda c: circumstances.of_tables(c, settings, last)):
        screen.print(f"[yellow]{doubt.en}[/]", soft_wrap=True)
    if ends := target.run(status.password_ends):
        screen.print(display.password_line(ends, settings.zone), soft_wrap=True)
    for command in dict.fromkeys(point.command for point in points if point.command):
        screen.print(f"what to do: {command}", soft_wrap=True, highlight=False)
