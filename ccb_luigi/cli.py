"""The command line: what commands there are, and how much they say."""

from __future__ import annotations

import atexit
import gc
from importlib import import_module

import click

from ccb_luigi import __version__
from ccb_luigi import settings as settings_module
from ccb_luigi.errors import CcbError
from ccb_luigi.process import garbage
from ccb_luigi.telemetry import logs

COMMANDS = (
    *("alert", "census", "db", "demo", "forget", "nightly", "preflight", "quarantine"),
    *("report", "rerun", "run", "status", "sweep", "synth", "verify"),
)
"""Each is a module of its name in ``commands``, and the command of its name in that."""


class _Commands(click.Group):
    """Imports a command when it is asked for: each needs a part of the program, and importing takes time."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        with garbage.no_collection():
            found = vars(import_module(f"ccb_luigi.commands.{cmd_name}")).values()
        gc.freeze()  # what there is now stays: no later collection walks over it, nor does one after a fork
        return next(each for each in found if isinstance(each, click.Command) and each.name == cmd_name)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="What each exit status means, and what to do then: docs/runbook.md",
)
@click.version_option(__version__, prog_name="ccb-luigi")
@click.option("-v", "--verbose", is_flag=True, help="Also show Luigi's own messages.")
@click.option(
    "-q", "--quiet", is_flag=True, envvar="CCB_QUIET", help="Where there is no terminal: not how far it is."
)
def main(verbose: bool, quiet: bool) -> None:
    """CCBs from MongoDB into eight PostgreSQL tables: every night, to the cent, proven complete."""
    atexit.register(gc.freeze)  # at its end Python would look through every module once more
    try:
        log_format = settings_module.load().log_format
    except CcbError:  # the command will say so
        log_format = "auto"
    logs.configure(log_format, verbose=verbose, quiet=quiet)
