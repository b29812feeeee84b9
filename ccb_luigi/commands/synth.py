"""Synthetic contracts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import click

from ccb_luigi import settings as settings_module
from ccb_luigi.commands.frame import DAY, clean, demo_or, progress_console, wait_option
from ccb_luigi.errors import CcbError
from ccb_luigi.settings import Settings
from ccb_luigi.sources import source
from ccb_luigi.sources.mongo import MongoSource
from ccb_luigi.sources.mongo_errors import translated
from ccb_luigi.telemetry.display import Bar, counted


@click.command()
@click.option("--contracts", type=click.IntRange(0), required=True, help="How many.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed, the same contracts.")
@click.option("--days", type=click.IntRange(1), default=10, show_default=True, help="Spread over.")
@click.option("--until", type=DAY, help="Last date (default: yesterday).")
@click.option("--to-mongo", is_flag=True, help="Insert into the collection of the settings.")
@click.option("--to-bson", type=click.Path(path_type=Path), help="Write a dump (.bson or .bson.gz).")
@wait_option
@clean
def synth(
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
    settings = settings_module.load()
    last = until or settings.yesterday()
    documents = generator.contracts(contracts, seed, until=last, days=days, timezone=settings.timezone)
    with Bar(progress_console(), total=None, about=f"writing {counted(contracts, 'contract')}"):
        if to_bson is not None:
            try:
                written = generator.write_bson(documents, to_bson)
            except OSError as error:
                raise CcbError(f"{to_bson} can't be written: {error.strerror}") from None
        else:
            with demo_or(settings) as settings:
                written = _insert(settings, generator.write_mongo, documents)
    click.echo(f"{written} contracts written")


def _insert(
    settings: Settings, write: Callable[[Iterable[Any], Any], int], documents: Iterable[dict[str, Any]]
) -> int:
    source.await_server(settings)
    with closing(MongoSource(settings)) as origin, translated():
        return write(documents, origin.collection)
