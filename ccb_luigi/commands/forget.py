"""Erasing a client on request (LGPD, art. 18)."""

from __future__ import annotations

import click

from ccb_luigi.commands.frame import NAME, clean, with_settings
from ccb_luigi.documents.values import key
from ccb_luigi.errors import CcbError
from ccb_luigi.proof import erasure
from ccb_luigi.settings import Settings


@click.command()
@click.argument("client_id", type=NAME)
@click.option("--yes", is_flag=True, help="Don't ask.")
@clean
@with_settings
def forget(settings: Settings, client_id: str, yes: bool) -> None:
    """Erase a client everywhere, with all contracts, for good.

    First it tells how many rows that are. No later run loads the client again; CCB_FORGET_KEY is needed for
    that. The law may want contracts to be kept for years: ask who knows before.
    """
    client = key(client_id)  # as the tables have it
    if client is None:
        raise click.UsageError("an id isn't blank")
    found = erasure.preview(settings, client)
    _show(found)
    if not yes:
        _confirm()
    done = erasure.erase(settings, client, lambda line: click.echo(line, err=True))
    if done.before and done.found.nothing:
        click.echo("the client was erased before, and nothing has come back")
        return
    click.echo(f"{sum(done.found.rows.values())} rows removed; no run will load this client again")
    for day in done.found.days:
        click.echo(f"{day} was under way: the next run of that date reads it again")
    if done.freed:
        click.echo(f"for {len(done.freed)} rejected documents a code may be free: ccb-luigi quarantine retry")


def _show(found: erasure.Found) -> None:
    if found.nothing:
        click.echo("there is nothing of this client here (capitals and small letters differ)")
    width = max(map(len, found.rows))
    for name, rows in found.rows.items():
        if rows:
            click.echo(f"{name:<{width}} {rows:>9,}")


def _confirm() -> None:
    try:
        agreed = click.confirm("Erase all of it, and keep this client out from now on?")
    except click.Abort:  # nobody there to answer
        click.echo()
        agreed = False
    if not agreed:
        raise CcbError("nothing was removed: it wasn't confirmed (--yes confirms beforehand)")
