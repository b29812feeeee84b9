"""The command line: what commands there are, and how much they say."""

from __future__ import annotations

import click

from ccb_luigi import __version__
from ccb_luigi import settings as settings_module
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
from ccb_luigi.errors import CcbError
from ccb_luigi.watch import logs


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="What each exit status means, and what to do then: docs/runbook.md",
)
@click.version_option(__version__, prog_name="ccb-luigi")
@click.option("-v", "--verbose", is_flag=True, help="Also show Luigi's own messages.")
def main(verbose: bool) -> None:
    """CCBs from MongoDB into eight PostgreSQL tables: every night, to the cent, proven complete."""
    logs.configure(_log_format(), verbose=verbose)


def _log_format() -> str:
    try:
        return settings_module.load().log_format
    except CcbError:  # the command will say so
        return "auto"


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
