"""The command line: what commands there are, and how much they say."""

from __future__ import annotations

import logging
import sys

import click

from ccb_luigi import __version__
from ccb_luigi.commands import (
    alert,
    database,
    erasure,
    migrate,
    overview,
    proof,
    rejections,
    report,
    sweep,
    trial,
)


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


for command in (
    migrate.run,
    migrate.rerun,
    migrate.nightly,
    sweep.sweep_command,
    overview.status_command,
    report.report,
    proof.verify_command,
    rejections.quarantine_group,
    erasure.forget,
    database.db,
    alert.alert,
    trial.synth,
    trial.demo,
):
    main.add_command(command)
