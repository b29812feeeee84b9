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
    before, after = schema.upgrade(settings, lambda line: click.echo(line, err=True))
    click.echo(f"schema is at revision {after}" + ("" if before == after else f" (was {before or 'empty'})"))


@db.command("grants")
@click.option("--apply", is_flag=True, help="Run it, as the tables' owner or a superuser.")
@clean
def db_grants(apply: bool) -> None:
    """Print the roles and their rights as SQL. Passwords are yours to set."""
    if not apply:
        click.echo(f"BEGIN;\n\n{schema.GRANTS.read_text(encoding='utf-8')}\nCOMMIT;")
        return
    _apply_grants()


@with_settings
def _apply_grants(settings: Settings) -> None:
    schema.grant(settings)
    click.echo("the roles have their rights, and no others; passwords: psql -c '\\password ccb_loader'")
