"""Trying it out."""

from __future__ import annotations

from pathlib import Path

import click

from ccb_luigi.commands import run
from ccb_luigi.commands.frame import clean, console


@click.command(short_help="Embedded servers, synthetic contracts, a migration, a summary.")
@click.option("--contracts", type=click.IntRange(100), default=2000, show_default=True, help="How many.")
@click.option("--directory", type=click.Path(path_type=Path), default=Path(".demo"), show_default=True,
              help="Where the servers' data stay.")  # fmt: skip
@click.option("--source", "dump", type=click.Path(path_type=Path, exists=True, dir_okay=False, readable=True),
              help="A mongodump file (.bson, .bson.gz) of your own instead: its documents, and what became of"
              " them.")  # fmt: skip
@clean
def demo(contracts: int, directory: Path, dump: Path | None) -> int:
    """Embedded servers, synthetic contracts, a migration, a rerun, a change, a summary."""
    from ccb_luigi.demo import show  # needs the extra `demo`

    if dump is None:
        return show.run(directory, contracts, console())
    return show.own(directory, dump, console(), run.everything)
