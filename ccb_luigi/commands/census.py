"""The fields of a collection or a dump: what a newcomer looks at first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import click
from rich.console import Console
from rich.progress import MofNCompleteColumn
from rich.table import Table

from ccb_luigi import settings as settings_module
from ccb_luigi.commands.frame import (
    clean,
    console,
    demo_or,
    json_option,
    say_json,
    source_option,
    wait_option,
)
from ccb_luigi.errors import SourceError
from ccb_luigi.preflight import census, destinations
from ccb_luigi.preflight.census import Census, Field
from ccb_luigi.settings import Settings
from ccb_luigi.sources import source
from ccb_luigi.sources.queries import EVERYTHING
from ccb_luigi.telemetry.display import Bar, counted, harmless

WIDTH_OF_COLUMNS = 120
"""Columns of a terminal in which those of the tables find room."""

STEP = 100
"""Documents between two looks of the progress bar."""


@click.command("census", short_help="Which fields the documents have, and where they go.")
@source_option
@click.option("--documents", "most", type=click.IntRange(1), default=10_000, show_default=True,
              help="So many documents are read at most.")  # fmt: skip
@wait_option
@json_option
@clean
def census_command(most: int, as_json: bool) -> None:
    """The fields of a collection or dump: how often each is there, of which types, and its column.

    It reads the source alone, and tells counts, never a value.
    """
    with demo_or(settings_module.load(), source_is_enough=True) as settings:
        taken = _take(settings, most, quiet=as_json)
    if as_json:
        say_json(_as_json(taken))
        return
    screen = console()
    screen.print(_table(taken.fields(), screen.width))
    _conclude(screen, taken)


def _take(settings: Settings, most: int, *, quiet: bool) -> Census:
    taken = Census()
    source.await_server(settings)
    with source.opened(settings) as origin, _progress(most, quiet=quiet) as bar:
        for raw in islice(origin.documents(*EVERYTHING), most):
            taken.add(raw)
            if taken.documents % STEP == 0:
                bar.update(bar.all, completed=taken.documents, refresh=True)
        if not taken.documents:
            raise SourceError(f"{origin.why_empty()} (CCB_MONGO_DATABASE, CCB_MONGO_COLLECTION)")
    return taken


@contextmanager
def _progress(most: int, *, quiet: bool) -> Iterator[Bar]:
    """On stderr, since the result may be piped."""
    screen = Console(stderr=True, highlight=False)
    with Bar(screen, MofNCompleteColumn(), total=most, about="documents looked at", hidden=quiet) as bar:
        yield bar


def _table(fields: list[Field], width: int) -> Table:
    """A tree of fields; of their columns a narrow terminal gets what is required, and what has none."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("field", overflow="fold")
    for heading in ("there", "null", "empty"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("types", overflow="fold")
    table.add_column("column", overflow="fold")
    for one in fields:
        required = _plain(one.path) in _required()
        missing = required and (one.holders < one.within or one.null or one.empty)
        there = share(one.holders, one.within)
        table.add_row(
            f"{'  ' * one.depth}{harmless(one.name)}",
            f"[red]{there}[/]" if missing else there,
            share(one.null, one.found) if one.null else "",
            share(one.empty, one.found) if one.empty else "",
            _types(one),
            _goes_to(one.path, required=required, whole=width >= WIDTH_OF_COLUMNS),
        )
    return table


def _goes_to(path: str, *, required: bool, whole: bool) -> str:
    column = destinations.of(path)
    if column == destinations.EXTRAS:
        return f"[yellow]{column if whole else 'extras'}[/]"
    return ", ".join([*([column] if whole and column else []), *(["required"] if required else [])])


def _plain(path: str) -> str:
    return path.replace(f".{census.EACH}", "")


def _required() -> set[str]:
    return {path for path, (_, required) in destinations.known().items() if required}


def _types(one: Field) -> str:
    """The commonest first; shares where there are several."""
    named = one.types.most_common()
    if len(named) == 1:
        return named[0][0]
    return ", ".join(f"{name} {share(number, one.found)}" for name, number in named)


def share(part: int, whole: int) -> str:
    """In whole percent; what isn't all is never 100 %, what is something never 0 %."""
    if part in (0, whole):
        return "100%" if part else "0%"
    percent = round(100 * part / whole)
    return "<1%" if percent < 1 else ">99%" if percent > 99 else f"{percent}%"


def _conclude(screen: Console, taken: Census) -> None:
    screen.print()
    told = f"{counted(taken.documents, 'document')} looked at"
    if taken.unreadable:
        told += f", [red]{taken.unreadable:,} of them no readable BSON[/]"
    screen.print(told)
    seen = {_plain(one.path) for one in taken.fields()}
    never = [path for path in destinations.known() if path not in seen]
    if needed := [path for path in never if path in _required()]:
        screen.print(f"[red]required, and never there:[/] {', '.join(needed)}", soft_wrap=True)
    if others := [path for path in never if path not in _required()]:
        screen.print(f"never there: {', '.join(others)}", soft_wrap=True)


def _as_json(taken: Census) -> dict[str, Any]:
    return {
        "documents": taken.documents,
        "unreadable": taken.unreadable,
        "fields": [
            {
                "path": one.path,
                "within": one.within,
                "holders": one.holders,
                "found": one.found,
                "null": one.null,
                "empty": one.empty,
                "types": dict(one.types.most_common()),
                "column": destinations.of(one.path) or None,
                "required": _plain(one.path) in _required(),
            }
            for one in taken.fields()
        ],
    }
