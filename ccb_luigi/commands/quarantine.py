"""The quarantine: what is in it, why, and whether it reads well now."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import click

from ccb_luigi import codes
from ccb_luigi.commands.frame import (
    DAY,
    NAME,
    clean,
    console,
    json_option,
    progress_console,
    say_json,
    with_settings,
)
from ccb_luigi.database import postgres, schema
from ccb_luigi.errors import CcbError
from ccb_luigi.load import by_id, quarantine
from ccb_luigi.process.streams import printable
from ccb_luigi.settings import Settings
from ccb_luigi.telemetry import display

MOST_DAYS = 36_500
"""A hundred years."""

MOST_PLACES = 10
"""So many fields are told for each code."""


@click.group("quarantine")
def quarantine_group() -> None:
    """The rejected documents."""


@quarantine_group.command("list", short_help="Open rejections, and in which fields they are.")
@click.option("--date", "day", type=DAY, help="Only this date's.")
@click.option(
    "--code",
    metavar="CODE",
    type=click.Choice([*codes.REJECTIONS, *codes.FINDINGS]),
    help="Only those that have this code among theirs.",
)
@json_option
@clean
@with_settings
def quarantine_list(settings: Settings, day: date | None, code: str | None, as_json: bool) -> None:
    """Open rejections: _id, date, codes; then what each code means, and in which fields it is."""
    entries = postgres.of_process(settings).run(lambda c: quarantine.open_entries(c, day))
    entries = [entry for entry in entries if code is None or code in entry.codigos]
    if as_json:
        say_json([asdict(entry) for entry in entries])
        return
    if not entries:
        click.echo("the quarantine is empty" + (" of what was asked for" if day or code else ""))
        return
    screen = console()
    screen.print(display.quarantine_table(entries, width=screen.width))
    places = quarantine.places(entries)
    for seen in sorted({code for entry in entries for code in entry.codigos}):
        screen.print(f"  {codes.message(seen)}", soft_wrap=True, highlight=False)
        for path, count in [(path, count) for code, path, count in places if code == seen][:MOST_PLACES]:
            where = display.harmless(path or "(document)")
            screen.print(
                f"    {display.counted(count, 'document')}: {where}", soft_wrap=True, highlight=False
            )


@quarantine_group.command("show")
@click.argument("mongo_id", type=NAME)
@click.option("--out", type=click.Path(path_type=Path), help="Write the raw BSON there (mode 0600).")
@json_option
@clean
@with_settings
def quarantine_show(settings: Settings, mongo_id: str, out: Path | None, as_json: bool) -> None:
    """Why a document was rejected, field by field, and what to do. The document itself is never printed."""

    def work(connection: Any) -> tuple[quarantine.Entry, bytes | None]:
        found = quarantine.open_entries(connection, mongo_id=mongo_id)
        if not found:
            raise CcbError(
                f"no open rejection of _id {printable(mongo_id)}:"
                " `ccb-luigi quarantine list` shows those there are"
            )
        return found[0], quarantine.raw_document(connection, mongo_id)

    entry, raw = postgres.of_process(settings).run(work)
    if out and raw is not None:
        try:
            out.touch(mode=0o600, exist_ok=False)
            out.write_bytes(raw)
        except OSError as error:
            raise CcbError(f"{out} can't be written: {error.strerror}") from None
    if as_json:
        say_json(asdict(entry))
        return
    screen = console()
    moments = (entry.primeira_vez, entry.ultima_vez)
    since, last = (f"{moment.astimezone(settings.zone):%Y-%m-%d %H:%M}" for moment in moments)
    tried = "once" if entry.tentativas == 1 else f"{entry.tentativas} times, last {last}"
    screen.print(f"_id    {display.harmless(entry.mongo_id)}", soft_wrap=True)
    screen.print(f"date   {entry.particao}")
    screen.print(f"since  {since}, tried {tried}", soft_wrap=True)
    for path, messages in entry.erros.items():
        for message in messages:
            where = display.harmless(path or "(document)")
            display.tell_indented(screen, f"{where}: {display.harmless(message)}", "  ")
    for code in entry.codigos:
        if found := codes.told(code):
            display.tell_indented(screen, f"{code}: {found.action}", "  ")
    if out and raw is not None:
        screen.print(f"{len(raw)} bytes written to {out}")


@quarantine_group.command("retry", short_help="Read rejected documents again; load what is good now.")
@click.argument("mongo_ids", nargs=-1, type=NAME)
@click.option("--date", "day", type=DAY, help="All open rejections of this date.")
@clean
@with_settings
def quarantine_retry(settings: Settings, mongo_ids: tuple[str, ...], day: date | None) -> int:
    """Read rejected documents from the source again (all, or the named ones) and load what is good now."""
    target = postgres.of_process(settings)
    wanted = list(mongo_ids) or [e.mongo_id for e in target.run(lambda c: quarantine.open_entries(c, day))]
    if not wanted:
        click.echo("the quarantine is empty")
        return 0
    with display.Bar(
        progress_console(), total=None, about=f"reading {display.counted(len(wanted), 'document')}"
    ):
        counts, gone = by_id.migrate_ids(settings, wanted)
    click.echo(
        f"{counts.lidos} read again: {counts.lidos - counts.quarentena} loaded,"
        f" {counts.quarentena} still rejected" + (f"; {gone} closed: no longer in the source" if gone else "")
    )
    return 0


class Days(click.ParamType[int]):
    """A number of days: ``180d`` or ``180``."""

    name = "days"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Reads the option's text."""
        number = str(value).removesuffix("d")
        if not (number.isascii() and number.isdigit()):
            self.fail("days are written as 180d or 180", param, ctx)
        if not 0 < int(number[:6]) <= MOST_DAYS:
            self.fail(f"it must be from 1 to {MOST_DAYS} days", param, ctx)
        return int(number)


@quarantine_group.command("purge")
@click.option("--older-than", "days", type=Days(), required=True, help="Days since they were closed: 180d.")
@clean
@with_settings
def quarantine_purge(settings: Settings, days: int) -> None:
    """Remove closed rejections, with their raw documents. Open ones stay, however old."""
    target = postgres.of_process(settings)
    target.run(schema.check)
    removed = target.run(lambda connection: quarantine.purge(connection, days))
    click.echo(f"rejections removed: {removed} (closed more than {days} days ago)")
