"""The database's schema."""

from __future__ import annotations

import click

from ccb_luigi.commands.frame import clean, wait_option, with_settings, with_settings_alone
from ccb_luigi.database import partitioning, schema, words
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


@db.command("partition")
@click.option(
    "--parts",
    type=click.IntRange(1, partitioning.MOST_PARTS),
    required=True,
    help="How many; 1 makes it one plain table again.",
)
@clean
@with_settings
def db_partition(settings: Settings, parts: int) -> None:
    """Split parcelas into parts by the hash of ccb_code, with its rows.

    No run may be under way; reading goes on. It needs room for a second copy of the table.
    """
    done = partitioning.partition(settings, parts, lambda line: click.echo(line, err=True))
    shape = "one plain table" if done.after == 1 else f"a table of {done.after} parts"
    if done.before == done.after:
        click.echo(f"parcelas is {shape} already")
    else:
        click.echo(f"parcelas is {shape} now; {done.rows:,} rows were copied")


@db.command("grants")
@click.option("--apply", is_flag=True, help="Run it, as the tables' owner or a superuser.")
@wait_option
@clean
def db_grants(apply: bool) -> None:
    """Print the roles and their rights as SQL. Passwords are yours to set."""
    if not apply:
        click.echo(f"BEGIN;\n\n{words.GRANTS.read_text(encoding='utf-8')}\nCOMMIT;")
        return
    _apply_grants()


@with_settings_alone
def _apply_grants(settings: Settings) -> None:
    schema.grant(settings)
    click.echo("the roles have their rights, and no others; passwords: psql -c '\\password ccb_loader'")
