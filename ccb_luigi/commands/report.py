"""The morning page."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ccb_luigi.commands.frame import DAY, clean, json_option, say_json, with_settings
from ccb_luigi.load import status
from ccb_luigi.process import files, streams
from ccb_luigi.settings import LANGUAGES, Settings

if TYPE_CHECKING:
    from ccb_luigi.report.facts import Facts


@click.command()
@click.option("--date", "day", type=DAY, help="The page's date (default: yesterday).")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="The file; - is stdout (default: ccb-DATE.html in CCB_REPORT_DIR, or here).",
)
@click.option(
    "--days",
    "count",
    type=click.IntRange(1, 366),
    default=status.DAYS,
    show_default=True,
    help="How many dates.",
)
@click.option("--lang", type=click.Choice(LANGUAGES), help="What shows first; both are in the page"
              " (default: CCB_LANGUAGE).")  # fmt: skip
@json_option
@clean
@with_settings
def report(
    settings: Settings, day: date | None, out: Path | None, count: int, lang: str | None, as_json: bool
) -> None:
    """Write the morning page: how the night went, in one HTML file.

    With --json no page: its verdict and its dates.
    """
    from ccb_luigi.report import morning, page, verdict  # Jinja takes a while to import

    if as_json and out:
        raise click.UsageError("--json writes to stdout: it has no --out")
    day = day or settings.yesterday()
    facts = morning.read(settings, day, count)
    if as_json:
        say_json(_as_json(facts))
        return
    html = page.render(facts, language=lang or settings.language)
    if str(out) == "-":
        click.echo(html if streams.speaks_utf8() else html.encode("ascii", "xmlcharrefreplace").decode())
        return
    path = out or Path(settings.report_dir or ".") / morning.name_of(day)
    files.write_whole(path, html.encode())
    click.echo(f"{verdict.judge(facts)[0].said('en')} {path}")


def _as_json(facts: Facts) -> dict[str, Any]:
    from ccb_luigi.report import verdict

    points, states = verdict.judge(facts), facts.states
    return {
        "date": facts.day,
        "level": points[0].level,
        "points": [
            {
                "level": point.level,
                "key": point.key,
                "en": point.said("en"),
                "pt": point.said("pt"),
                "command": point.command,
            }
            for point in points
        ],
        "dates": [
            {
                **asdict(each),
                "missing": each.missing,
                "state": states.get(each.day),
                "flagged": facts.flagged.get(each.day, 0),
                "seconds": {
                    step: seconds for (day, step), seconds in facts.seconds.items() if day == each.day
                },
            }
            for each in facts.days
        ],
        "rejections": [asdict(each) for each in facts.rejections],
        "findings": [asdict(each) for each in facts.findings],
        "open_rejections": len(facts.open_rejections),
        "read_at": facts.read_at,
        "sweep": asdict(facts.sweep) if facts.sweep else None,
        "in_tables": {name: asdict(each) for name, each in facts.in_tables.items()},
        "closed": facts.closed,
    }
