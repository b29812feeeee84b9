"""The morning page."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from ccb_luigi.commands.frame import DAY, clean, with_settings
from ccb_luigi.settings import Settings


@click.command()
@click.option("--date", "day", type=DAY, help="The page's date (default: yesterday).")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="The file; - is stdout (default: ccb-DATE.html in CCB_REPORT_DIR, or here).",
)
@click.option("--days", "count", type=click.IntRange(1, 366), default=30, show_default=True)
@click.option("--lang", type=click.Choice(["pt", "en"]), default="pt", show_default=True,
              help="What shows first; both are in the page.")  # fmt: skip
@clean
@with_settings
def report(settings: Settings, day: date | None, out: Path | None, count: int, lang: str) -> None:
    """Write the morning page: how the night went, in one HTML file."""
    from ccb_luigi.report import morning, page, verdict  # Jinja takes a while to import

    day = day or settings.yesterday()
    facts = morning.read(settings, day, count)
    html = page.render(facts, language=lang)
    if str(out) == "-":
        click.echo(html)
        return
    path = out or Path(settings.report_dir or ".") / morning.name_of(day)
    morning.write(path, html)
    headline = verdict.judge(facts).headline
    click.echo(f"{headline.said('en')} {path}")
