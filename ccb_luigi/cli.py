"""The command line: every command ends with a true exit status and, if it fails, one clear line."""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date, timedelta
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn

import click
from rich.console import Console

from ccb_luigi import (
    __version__,
    block,
    codes,
    display,
    markers,
    pipeline,
    postgres,
    quarantine,
    schema,
    source,
    status,
)
from ccb_luigi import settings as settings_module
from ccb_luigi.errors import CcbError
from ccb_luigi.settings import Settings
from ccb_luigi.tables import BY_NAME

log = logging.getLogger(__name__)


class Day(click.ParamType[date]):
    """A date as YYYY-MM-DD."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Reads the option's text."""
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail("a date is written as YYYY-MM-DD", param, ctx)


DAY = Day()
DEMO = Path(".demo")


@contextmanager
def _settings() -> Iterator[Settings]:
    """The settings; where no PostgreSQL is set and a demo has left its data, the demo's."""
    settings = settings_module.load()
    if settings.postgres_url or not DEMO.is_dir():
        yield settings
        return
    from ccb_luigi.demo.show import attached  # needs the extra `demo`

    click.echo(f"(no CCB_POSTGRES_URL: using the demo's servers in {DEMO}/)", err=True)
    with attached(DEMO) as settings:
        yield settings


def _with_settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives the command its settings, as the first argument."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with _settings() as settings:
            return command(settings, *args, **kwargs)

    return wrapped


def _interrupted() -> NoReturn:
    click.echo("ccb-luigi: interrupted; what is done is marked, the same command goes on", err=True)
    sys.exit(130)


def _clean(command: Callable[..., Any]) -> Callable[..., None]:
    """Turns our errors into one line on stderr and their exit status."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            code = command(*args, **kwargs)
        except CcbError as error:
            click.echo(f"ccb-luigi: {error}", err=True)
            sys.exit(error.exit_code)
        except KeyboardInterrupt:
            _interrupted()
        except click.ClickException:
            raise
        except Exception as error:  # noqa: BLE001 - its text may quote data: only its place gets out
            if isinstance(error.__context__, KeyboardInterrupt):  # a library stumbled over Ctrl-C
                _interrupted()
            place = traceback.extract_tb(error.__traceback__)[-1]
            log.info("".join(traceback.format_tb(error.__traceback__)))
            click.echo(
                f"ccb-luigi: unexpected {type(error).__name__} in {place.name}, line {place.lineno}"
                " (`ccb-luigi -v` shows the way there)",
                err=True,
            )
            sys.exit(1)
        sys.exit(code or 0)

    return wrapped


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ccb-luigi")
@click.option("-v", "--verbose", is_flag=True, help="Also show Luigi's own messages.")
def main(verbose: bool) -> None:
    """CCBs from MongoDB into eight PostgreSQL tables: every night, to the cent, proven complete."""
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(asctime)s %(levelname)-7s %(message)s",
        stream=sys.stderr,
    )
    if not verbose:
        for noisy in ("luigi", "luigi-interface", "luigi.scheduler", "alembic"):
            logging.getLogger(noisy).setLevel(logging.CRITICAL)


@main.group()
def db() -> None:
    """The database's schema."""


@db.command("upgrade")
@_clean
@_with_settings
def db_upgrade(settings: Settings) -> None:
    """Create the tables, or migrate them to this version."""
    before, after = schema.upgrade(settings)
    click.echo(f"schema is at revision {after}" + ("" if before == after else f" (was {before or 'empty'})"))


def _from_dump(context: click.Context, param: click.Parameter, path: Path | None) -> None:
    """Puts the option where the settings, also those of the workers, find it."""
    if path is not None:
        os.environ["CCB_SOURCE"] = str(path.absolute())


source_option = click.option(
    "--source",
    type=click.Path(path_type=Path),
    expose_value=False,
    is_eager=True,
    callback=_from_dump,
    help="Read a mongodump file (.bson, .bson.gz) instead of the server.",
)


@main.command()
@source_option
@click.option("--date", "day", type=DAY, help="One date (default: yesterday).")
@click.option("--since", type=DAY, help="First date of a range.")
@click.option("--until", type=DAY, help="Last date of a range (default: yesterday).")
@click.option("--full", is_flag=True, help="Everything up to the end of the date.")
@click.option("--workers", type=click.IntRange(1, 64), help="Parallel tasks (default: from luigi.cfg).")
@_clean
@_with_settings
def run(
    settings: Settings,
    day: date | None,
    since: date | None,
    until: date | None,
    full: bool,
    workers: int | None,
) -> int:
    """Migrate dates; what is complete is left alone."""
    if day and (since or until):
        raise click.UsageError("--date goes alone; a range is --since and --until")
    if full and since:
        raise click.UsageError("--full begins with the first document: it has no --since")
    last = day or until or settings.yesterday()
    if full:
        days = all_days(settings, last)
    else:
        first = since or last
        if first > last:
            raise click.UsageError("--since lies after --until")
        days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return _migrate(settings, days, workers)


@main.command()
@source_option
@click.option("--date", "day", type=DAY, required=True, help="The date to do again.")
@click.option(
    "--table",
    metavar="TABLE",
    type=click.Choice(list(BY_NAME)),
    help=f"Only this table and what depends on it: {', '.join(BY_NAME)}.",
)
@click.option("--workers", type=click.IntRange(1, 64), help="Parallel tasks (default: from luigi.cfg).")
@_clean
@_with_settings
def rerun(settings: Settings, day: date, table: str | None, workers: int | None) -> int:
    """Forget the markers of a date and migrate it again."""
    postgres.of_process(settings).run(lambda c: markers.forget(c, day, table))
    return _migrate(settings, [day], workers)


@main.command()
@click.option("--workers", type=click.IntRange(1, 64), help="Parallel tasks (default: from luigi.cfg).")
@_clean
@_with_settings
def nightly(settings: Settings, workers: int | None) -> int:
    """What the timer starts: every date of the last days that is not complete."""
    last = settings.yesterday()
    days = [last - timedelta(days=n) for n in reversed(range(settings.nightly_days))]
    return _migrate(settings, days, workers)


@main.command("status")
@click.option("--days", "count", type=click.IntRange(1, 3660), default=10, show_default=True)
@click.option("--until", type=DAY, help="Last date shown (default: yesterday).")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@_clean
@_with_settings
def status_command(settings: Settings, count: int, until: date | None, as_json: bool) -> None:
    """Dates × tables: rows of each date, or a dash where a step is missing."""
    last = until or settings.yesterday()
    days = postgres.of_process(settings).run(lambda c: status.last_days(c, last, count))
    if as_json:
        click.echo(json.dumps([{**asdict(day), "missing": day.missing} for day in days], default=str))
        return
    console = _console()
    console.print(display.status_table(days))
    incomplete = [day for day in days if day.missing]
    console.print(
        f"{len(days) - len(incomplete)} of {len(days)} dates complete (-: missing; quar: open rejections)"
    )


@main.group("quarantine")
def quarantine_group() -> None:
    """The rejected documents."""


@quarantine_group.command("list")
@click.option("--date", "day", type=DAY, help="Only this date's.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@_clean
@_with_settings
def quarantine_list(settings: Settings, day: date | None, as_json: bool) -> None:
    """Open rejections: _id, date, codes."""
    entries = postgres.of_process(settings).run(lambda c: quarantine.open_entries(c, day))
    if as_json:
        click.echo(json.dumps([asdict(entry) for entry in entries], default=str))
        return
    if not entries:
        click.echo("the quarantine is empty")
        return
    console = _console()
    console.print(display.quarantine_table(entries))
    seen = sorted({code for entry in entries for code in entry.codigos})
    for code in seen:
        console.print(f"  {code}: {codes.meaning(code)}", soft_wrap=True, highlight=False)


@quarantine_group.command("show")
@click.argument("mongo_id")
@click.option("--out", type=click.Path(path_type=Path), help="Write the raw BSON there (mode 0600).")
@_clean
@_with_settings
def quarantine_show(settings: Settings, mongo_id: str, out: Path | None) -> None:
    """Why a document was rejected, field by field. The document itself is never printed."""

    def work(connection: Any) -> tuple[quarantine.Entry, bytes | None]:
        found = quarantine.open_entries(connection, mongo_id=mongo_id)
        if not found:
            raise CcbError(f"no open rejection of _id {display.printable(mongo_id)}")
        return found[0], quarantine.raw_document(connection, mongo_id)

    entry, raw = postgres.of_process(settings).run(work)
    console = _console()
    console.print(
        f"_id {display.printable(entry.mongo_id)}, date {entry.particao}, tried {entry.tentativas} times"
    )
    for path, messages in entry.erros.items():
        for message in messages:
            console.print(
                f"  {display.printable(path or '(document)')}: {message}",
                soft_wrap=True,
                highlight=False,
            )
    if out and raw is not None:
        out.touch(mode=0o600, exist_ok=False)
        out.write_bytes(raw)
        console.print(f"{len(raw)} bytes written to {out}")


@quarantine_group.command("retry")
@click.argument("mongo_ids", nargs=-1)
@click.option("--date", "day", type=DAY, help="All open rejections of this date.")
@_clean
@_with_settings
def quarantine_retry(settings: Settings, mongo_ids: tuple[str, ...], day: date | None) -> int:
    """Read rejected documents from the source again (all, or the named ones) and load what is good now."""
    target = postgres.of_process(settings)
    wanted = list(mongo_ids) or [e.mongo_id for e in target.run(lambda c: quarantine.open_entries(c, day))]
    if not wanted:
        click.echo("the quarantine is empty")
        return 0
    counts, gone = pipeline.migrate_ids(settings, wanted)
    click.echo(
        f"{counts.lidos} read again: {counts.lidos - counts.quarentena} loaded,"
        f" {counts.quarentena} still rejected" + (f"; {gone} closed: no longer in the source" if gone else "")
    )
    return 0


@main.command()
@click.option("--contracts", type=click.IntRange(0), required=True, help="How many.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed, the same contracts.")
@click.option("--days", type=click.IntRange(1), default=10, show_default=True, help="Spread over.")
@click.option("--until", type=DAY, help="Last date (default: yesterday).")
@click.option("--to-mongo", is_flag=True, help="Insert into the collection of the settings.")
@click.option("--to-bson", type=click.Path(path_type=Path), help="Write a dump (.bson or .bson.gz).")
@_clean
@_with_settings
def synth(
    settings: Settings,
    contracts: int,
    seed: int,
    days: int,
    until: date | None,
    to_mongo: bool,
    to_bson: Path | None,
) -> None:
    """Make synthetic contracts whose arithmetic holds to the cent. No real person is among them."""
    from ccb_luigi.demo import synth as generator  # needs the extra `demo`

    if to_mongo == (to_bson is not None):
        raise click.UsageError("give either --to-mongo or --to-bson FILE")
    last = until or settings.yesterday()
    documents = generator.contracts(contracts, seed, until=last, days=days, timezone=settings.timezone)
    if to_bson is not None:
        written = generator.write_bson(documents, to_bson)
    else:
        origin = source.MongoSource(settings)
        with source.translated():
            written = generator.write_mongo(documents, origin.collection)
        origin.close()
    click.echo(f"{written} contracts written")


@main.command()
@click.option("--contracts", type=click.IntRange(100), default=2000, show_default=True)
@click.option("--directory", type=click.Path(path_type=Path), default=Path(".demo"), show_default=True)
@_clean
def demo(contracts: int, directory: Path) -> int:
    """Embedded servers, synthetic contracts, a migration, a rerun, a change, a summary."""
    from ccb_luigi.demo import show  # needs the extra `demo`

    return show.run(directory, contracts, _console())


def all_days(settings: Settings, until: date) -> list[date]:
    """Every date up to ``until`` that has documents, the oldest first."""
    transform = block.transform_of(settings.zone, settings.promoted)
    with source.opened(settings) as origin:
        found = set(origin.days(settings.zone, until))
        for raw in origin.odd():
            partition = transform.partition_of_raw(raw)
            if partition is not None and partition <= until:
                found.add(partition)
    return sorted(found) or [until]


def _migrate(settings: Settings, days: Sequence[date], workers: int | None) -> int:
    """Runs the dates with a progress display, and sums up in one line."""
    from ccb_luigi import runner  # Luigi takes a while to import: only where it is needed

    console = _console()
    with display.RunDisplay(console, days) as shown:
        outcome = runner.run(settings, days, workers=workers or settings.workers, watch=shown.handle)
    done = f"{len(outcome.complete)} of {len(days)} dates complete"
    if outcome.incomplete:
        first = ", ".join(str(day) for day in outcome.incomplete[:5])
        console.print(f"[red]{done}[/]; missing: {first}{' ...' if len(outcome.incomplete) > 5 else ''}")
    else:
        console.print(done)
    return outcome.exit_code


def _console() -> Console:
    return Console(highlight=False)
