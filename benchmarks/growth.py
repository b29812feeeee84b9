"""One command on larger and larger dates: time should grow in proportion, memory not: `make bench-growth`."""

from __future__ import annotations

import json
import shutil
import statistics
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks import documents, measure, shown
from benchmarks.compare import RESULTS, own_servers
from benchmarks.databases import Databases, WrongContents, execute
from benchmarks.documents import DAY, WHOLE
from benchmarks.measure import Failed, Measured
from ccb_luigi import __version__
from ccb_luigi.demo.servers import Servers

BYTES_OF_DUMP = 7_000
BYTES_IN_DATABASE = 30_000
"""Per contract, rounded up: tables, indexes, staging and the log that is written before them."""

SMALL, RUNS = 20_000, 3
"""A date of at most so many contracts is measured so often before the largest one, and as often after it."""


@click.command()
@click.argument("sizes", type=click.IntRange(1), nargs=-1, required=True)
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS, help="Where the results go.")
def main(sizes: tuple[int, ...], out: Path) -> None:
    """Migrates dates of each of the SIZES (contracts) from a dump; prints a table, writes JSON, plots."""
    screen = Console(highlight=False)
    wanted = sorted(set(sizes))
    try:
        with own_servers() as (directory, running):
            _check_room(directory, wanted)
            result = grow(running, directory, wanted, screen)
    except (Failed, WrongContents) as error:
        raise click.ClickException(str(error)) from error
    screen.print(_table(result))
    out.mkdir(parents=True, exist_ok=True)
    (out / "growth.json").write_text(json.dumps(result, indent=1) + "\n")
    shown.draw(lambda plot: plot.growth(result, out), screen)
    screen.print(f"written to {out}/")


def grow(running: Servers, directory: Path, sizes: Sequence[int], screen: Console) -> dict[str, Any]:
    """The median of each size: a moment says little of a machine that others use as well."""
    state = measure.machine()
    databases = Databases(running.postgres)
    databases.prepare()
    found: dict[int, list[Measured]] = {size: [] for size in sizes}
    with shown.status(screen) as status:
        say = shown.Say(status)
        parcelas = _write_dumps(directory, sizes, say)
        for size in _order(sizes):
            say(f"migrating {size:,} contracts")
            found[size].append(_migrate(databases, directory, size, parcelas[size]))
            screen.print(f"{size:>10,} contracts {found[size][-1].seconds:9.2f} s")
    return {
        "version": __version__,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {**state, "postgres": databases.about()},
        "sizes": [
            {
                "contracts": size,
                "seconds": statistics.median(run.seconds for run in runs),
                "peak_bytes": max(run.peak_bytes or 0 for run in runs),
                "parcelas": parcelas[size],
                "runs": [asdict(run) for run in runs],
            }
            for size, runs in found.items()
        ],
    }


def _order(sizes: Sequence[int]) -> list[int]:
    """What is migrated one after the other: the largest in the middle, others on either side of it."""
    before = [size for size in sizes[:-1] for _ in range(RUNS if size <= SMALL else 1)]
    return [*before, sizes[-1], *reversed(before)]


def _dump(directory: Path, size: int) -> Path:
    return directory / f"{size}.bson"


def _write_dumps(directory: Path, sizes: Sequence[int], say: shown.Say) -> dict[int, int]:
    """All dumps in one go (a larger one begins with the smaller ones); returns the parcelas in each."""
    progress = say.counting("writing the dumps", max(sizes))
    parcelas, number = dict.fromkeys(sizes, 0), 0
    with ExitStack() as stack:
        files = [(size, stack.enter_context(_dump(directory, size).open("wb"))) for size in sizes]
        pool = stack.enter_context(ProcessPoolExecutor(mp_context=get_context("spawn")))
        for block in pool.map(documents.encoded, range(-(-max(sizes) // documents.BLOCK))):
            for raw, rows in block:
                for size, file in files:
                    if number < size:
                        file.write(raw)
                        parcelas[size] += rows
                number += 1
            progress(min(number, max(sizes)))
    return parcelas


def _migrate(databases: Databases, directory: Path, size: int, parcelas: int) -> Measured:
    url = databases.fresh("bench_growth")
    databases.settle()
    dump = _dump(directory, size)
    words = measure.python("ccb_luigi", "run", "--date", DAY, "--source", dump, "--covers-until", WHOLE)
    measured = measure.command(words, {"CCB_POSTGRES_URL": url}, directory / "command.log")
    (found,) = execute(url, "SELECT (SELECT count(*) FROM operacoes), (SELECT count(*) FROM parcelas)")
    if found != (size, parcelas):
        raise WrongContents(
            f"{size:,} contracts and {parcelas:,} parcelas in, {found[0]:,} and {found[1]:,} out"
        )
    databases.drop("bench_growth")
    return measured


def _check_room(directory: Path, sizes: Sequence[int]) -> None:
    needed = sum(sizes) * BYTES_OF_DUMP + max(sizes) * BYTES_IN_DATABASE
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise click.ClickException(
            f"{needed / 1e9:.0f} GB are needed in {directory.parent}, {free / 1e9:.0f} GB are free (TMPDIR)"
        )


def _table(result: dict[str, Any]) -> Table:
    found = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for heading in ("contracts", "runs", "seconds", "per second", "contracts ×", "seconds ×", "peak MB"):
        found.add_column(heading, justify="right")
    first = result["sizes"][0]
    for size in result["sizes"]:
        found.add_row(
            f"{size['contracts']:,}",
            f"{len(size['runs'])}",
            f"{size['seconds']:.2f}",
            f"{size['contracts'] / size['seconds']:,.0f}",
            f"{size['contracts'] / first['contracts']:.1f}",
            f"{size['seconds'] / first['seconds']:.1f}",
            f"{size['peak_bytes'] / 1e6:,.0f}",
        )
    return found


if __name__ == "__main__":
    main()
