"""The database's schema."""

from __future__ import annotations

import click

from ccb_luigi import schema
from ccb_luigi.commands.frame import clean, with_settings
from ccb_luigi.settings import Settings


@click.group()
def db() -> None:
    """The database's schema."""


@db.command("upgrade")
@clean
@with_settings
def db_upgrade(settings: Settings) -> None:
    """Create the tables, or migrate them to this version."""
    before, after = schema.upgrade(settings)
    click.echo(f"schema is at revision {after}" + ("" if before == after else f" (was {before or 'empty'})"))
