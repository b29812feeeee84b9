"""The proof on demand: are the rows what the documents say?"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date
from typing import Any

import click
from rich.console import Console
from rich.progress import MofNCompleteColumn
from rich.table import Table

from ccb_luigi.commands.frame import (
    DAY,
    clean,
    console,
    json_option,
    say_json,
    source_option,
    with_settings,
)
from ccb_luigi.errors import NotProven, command_for
from ccb_luigi.proof import verify
from ccb_luigi.proof.comparison import Difference, Proof
from ccb_luigi.proof.verify import Scope
from ccb_luigi.settings import Settings
from ccb_luigi.telemetry import logs
from ccb_luigi.telemetry.display import Bar, counted, harmless

SHOWN = 50
"""Differences that a person wants to see one by one; --json has more."""


@click.command("verify", short_help="Compare every column of the rows with the documents.")
@source_option
@click.option("--date", "day", type=DAY, help="The documents of one date (default: yesterday).")
@click.option("--sample", type=click.IntRange(1), help="So many contracts of the tables, drawn by lot.")
@click.option("--seed", type=click.IntRange(0), help="Draws the same contracts again (with --sample).")
@click.option("--full", is_flag=True, help="Every document and every contract.")
@click.option("--strict", is_flag=True, help="What isn't loaded yet counts as a difference, too.")
@json_option
@clean
@with_settings
def verify_command(
    settings: Settings,
    day: date | None,
    sample: int | None,
    seed: int | None,
    full: bool,
    strict: bool,
    as_json: bool,
) -> None:
    """Compare every column of the loaded rows with the documents, read and judged anew.

    Nothing is written. Differences are told by contract, table and column, never by value.
    """
    if (day is not None) + (sample is not None) + full > 1:
        raise click.UsageError("--date, --sample and --full exclude each other")
    if seed is not None and sample is None:
        raise click.UsageError("--seed goes with --sample")
    if sample is None and not full:
        day = day or settings.yesterday()
    scope = Scope(day, sample, secrets.randbelow(10**6) if seed is None else seed)
    with _progress(settings, scope, quiet=as_json) as progress:
        proof = verify.verify(settings, scope, progress)
    if as_json:
        say_json(_as_json(scope, proof, strict=strict))
    else:
        _show(console(), scope, proof)
    _conclude(proof, strict=strict)


@contextmanager
def _progress(settings: Settings, scope: Scope, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal; on stderr, since the result may be piped."""
    screen = Console(stderr=True, highlight=False)
    shown = not quiet and (screen.is_terminal or logs.tells_progress())
    total = verify.expected_number(settings, scope) if shown else None
    with Bar(screen, MofNCompleteColumn(), total=total, about="documents compared", hidden=not shown) as bar:
        yield lambda documents: bar.update(bar.all, completed=documents, refresh=True)


def _show(screen: Console, scope: Scope, proof: Proof) -> None:
    which = f"of {scope.day}" if scope.day else "of the source"
    if scope.sample is not None:
        which = f"drawn with --seed {scope.seed}"
    screen.print(
        f"{counted(proof.documents, 'document')} {which}: {counted(proof.contracts, 'contract')} and"
        f" {counted(proof.clients, 'client')}"
        f" compared in every column, {proof.quarantined:,} in quarantine",
        soft_wrap=True,
    )
    if proof.pending:
        screen.print(f"{proof.pending:,} newer in the source than in the tables: not loaded yet")
    if proof.differences:
        screen.print(_table(proof.differences[:SHOWN]))
    if proof.total > SHOWN:
        screen.print(f"... and {proof.total - SHOWN:,} more; all together:")
        for (place, what), number in proof.places.most_common():
            screen.print(f"  {number:7,}  {place}  {what}")
    if not proof.total:
        screen.print("[green]no difference[/]")


def _table(differences: list[Difference]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("contract, client or _id", overflow="fold")
    table.add_column("where", overflow="fold")
    table.add_column("what", no_wrap=True)
    table.add_column("date", no_wrap=True)
    for each in differences:
        row = f" ({harmless(each.row)})" if each.row else ""
        table.add_row(harmless(each.subject), each.place + row, each.what, str(each.day or ""))
    return table


def _as_json(scope: Scope, proof: Proof, *, strict: bool) -> dict[str, Any]:
    return {
        "date": scope.day,
        "sample": scope.sample,
        "seed": None if scope.sample is None else scope.seed,
        "full": scope.full,
        "ok": not proof.total and not (strict and proof.pending),
        "documents": proof.documents,
        "contracts": proof.contracts,
        "clients": proof.clients,
        "quarantined": proof.quarantined,
        "pending": proof.pending,
        "newer": proof.newer,
        "total": proof.total,
        "dates": sorted(proof.days),
        "places": [
            {"place": place, "what": what, "number": number}
            for (place, what), number in proof.places.most_common()
        ],
        "differences": [asdict(each) for each in proof.differences],
    }


def _conclude(proof: Proof, *, strict: bool) -> None:
    """Raises ``NotProven`` unless all is well."""
    if proof.total:
        days = sorted(proof.days)
        command = command_for("rerun", days) if days else ""
        again = f"; `{command}` loads that date again" if len(days) == 1 else ""
        if len(days) > 1:
            again = (
                f"; on {len(days):,} dates: {', '.join(map(str, days))}; `{command}` loads them and"
                " those between them again, `ccb-luigi rerun --from-verify FILE` (what --json wrote) these"
                " alone"
            )
        raise NotProven(f"{counted(proof.total, 'difference')} between the documents and the tables{again}")
    if strict and proof.pending:
        newer = f"{counted(proof.pending, 'document')} {'is' if proof.pending == 1 else 'are'} newer"
        raise NotProven(f"{newer} in the source: `ccb-luigi nightly` loads what is")
