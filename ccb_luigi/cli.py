"""The command line: what commands there are, and how much they say."""

from __future__ import annotations

import atexit
from importlib import import_module

import click

from ccb_luigi import __version__
from ccb_luigi import settings as settings_module
from ccb_luigi.errors import CcbError
from ccb_luigi.process import garbage
from ccb_luigi.telemetry import logs

COMMANDS = {
    "alert": "alert.alert",
    "db": "db.db",
    "demo": "demo.demo",
    "forget": "forget.forget",
    "nightly": "migrate.nightly",
    "preflight": "preflight.preflight_command",
    "quarantine": "quarantine.quarantine_group",
    "report": "report.report",
    "rerun": "migrate.rerun",
    "run": "migrate.run",
    "status": "status.status_command",
    "sweep": "sweep.sweep_command",
    "synth": "synth.synth",
    "verify": "verify.verify_command",
}
"""Command → its module in ``commands``, and its name there."""


class _Commands(click.Group):
    """Imports a command when it is asked for: each needs a part of the program, and importing takes time."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name].split(".")
        with garbage.no_collection():
            command: click.Command = getattr(import_module(f"ccb_luigi.commands.{module}"), name)
        garbage.keep_all()
        return command


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="What each exit status means, and what to do then: docs/runbook.md",
)
@click.version_option(__version__, prog_name="ccb-luigi")
@click.option("-v", "--verbose", is_flag=True, help="Also show Luigi's own messages.")
def main(verbose: bool) -> None:
    """CCBs from MongoDB into eight PostgreSQL tables: every night, to the cent, proven complete."""
    atexit.register(garbage.keep_all)  # at its end Python would look through every module once more
    logs.configure(_log_format(), verbose=verbose)


def _log_format() -> str:
    try:
        return settings_module.load().log_format
    except CcbError:  # the command will say so
        return "auto"
