"""A million contracts from a dump, interrupted twice, beside few of them: `make bench-million`.

Both by the same command with shards of the same size; what counts is whether the rate stays and memory does.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import statistics
import subprocess
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks import measure, shown
from benchmarks.compare import RESULTS, own_servers
from benchmarks.databases import Databases, WrongContents, execute
from benchmarks.documents import DAY, SEED, WHOLE
from benchmarks.growth import BYTES_IN_DATABASE, BYTES_OF_DUMP
from benchmarks.measure import Failed, Memory
from ccb_luigi import __version__
from ccb_luigi.demo import synth
from ccb_luigi.demo.servers import Servers

PART = 20_000
"""Contracts that one process makes at a time; the dump begins with those of the first."""

SECONDS_BETWEEN_LOOKS = 0.5

INTERRUPTED = 130
"""What a command ends with that Ctrl-C stopped."""


@dataclass(frozen=True, slots=True)
class Run:
    """One migration: seconds of all its commands together, and the most memory that one of them held.

    ``first`` and ``last``: median seconds of a shard in the first and in the last fifth of them.
    """

    contracts: int
    seconds: float
    peak_bytes: int
    shards: int
    interruptions: int
    first: float
    last: float

    @property
    def rate(self) -> float:
        """Contracts per second."""
        return self.contracts / self.seconds


@click.command()
@click.option("--contracts", type=click.IntRange(1000), default=1_000_000, show_default=True)
@click.option("--beside", type=click.IntRange(1), default=PART, show_default=True, help="The smaller number.")
@click.option(
    "--days", type=click.IntRange(1), default=365, show_default=True, help="Dates they are spread over."
)
@click.option(
    "--shard", type=click.IntRange(1), default=10_000, show_default=True, help="CCB_SHARD_DOCUMENTS."
)
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True)
@click.option(
    "--interruptions", type=click.IntRange(0), default=2, show_default=True, help="Ctrl-C, evenly spread."
)
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS, help="Where the results go.")
def main(
    contracts: int, beside: int, days: int, shard: int, workers: int, interruptions: int, out: Path
) -> None:
    """Migrates the smaller and the larger number of contracts; prints a table, writes JSON."""
    screen = Console(highlight=False)
    settings = {"CCB_SHARD_DOCUMENTS": str(shard), "CCB_WORKERS": str(workers)}
    # What a shell starts in the background ignores Ctrl-C, and so would all that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with own_servers() as (directory, running):
            _check_room(directory, contracts)
            result = compare(running, directory, (beside, contracts), days, settings, interruptions, screen)
    except (Failed, WrongContents) as error:
        raise click.ClickException(str(error)) from error
    screen.print(_table(result))
    out.mkdir(parents=True, exist_ok=True)
    (out / "million.json").write_text(json.dumps(result, indent=1) + "\n")
    screen.print(f"written to {out}/million.json")


def compare(
    running: Servers,
    directory: Path,
    sizes: tuple[int, int],
    days: int,
    settings: dict[str, str],
    interruptions: int,
    screen: Console,
) -> dict[str, Any]:
    """The smaller number without, the larger one with interruptions."""
    state = measure.machine()
    databases = Databases(running.postgres)
    databases.prepare()
    found = []
    with shown.status(screen) as status:
        say = shown.Say(status)
        for size, times in zip(sizes, (0, interruptions), strict=True):
            began = time.monotonic()
            dump = directory / f"{size}.bson"
            parcelas = write_dump(dump, size, days, say)
            screen.print(f"{size:>10,} contracts written in {time.monotonic() - began:.0f} s")
            say(f"migrating {size:,} contracts")
            run = _migrate(databases, dump, size, parcelas, settings, times)
            dump.unlink()
            screen.print(f"{size:>10,} contracts {run.seconds:9.1f} s {run.rate:9,.0f} per second")
            found.append({**asdict(run), "rate": run.rate})
    return {
        "version": __version__,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {**state, "postgres": databases.about()},
        "settings": {**settings, "days": days},
        "runs": found,
        "rate_kept": found[1]["rate"] / found[0]["rate"],
    }


def write_dump(path: Path, size: int, days: int, say: shown.Say) -> int:
    """Contracts in parts of ``PART``, made by all cores; returns how many parcelas they have."""
    parts = [(n, min(PART, size - n * PART), days, path) for n in range(-(-size // PART))]
    progress = say.counting("writing the dump", size)
    parcelas = written = 0
    # Not forked: the thread that draws the status may hold a lock.
    with multiprocessing.get_context("spawn").Pool() as pool, path.open("wb") as dump:
        for part, rows, number in pool.imap(_write_part, parts):
            with part.open("rb") as file:
                shutil.copyfileobj(file, dump, 1 << 20)
            part.unlink()
            parcelas, written = parcelas + rows, written + number
            progress(written)
    return parcelas


def _write_part(part: tuple[int, int, int, Path]) -> tuple[Path, int, int]:
    number, size, days, path = part
    rows = 0

    def counted() -> Any:
        nonlocal rows
        for document in synth.contracts(size, SEED + number, until=DAY, days=days):
            rows += len(document["operation"]["parcelas"]["PrevisaoDeParcela"])
            yield document

    where = path.with_suffix(f".{number}")
    synth.write_bson(counted(), where)
    return where, rows, size


def _migrate(
    databases: Databases, dump: Path, size: int, parcelas: int, settings: dict[str, str], interruptions: int
) -> Run:
    url = databases.fresh("bench_million")
    databases.settle()
    words = measure.python(
        "ccb_luigi", "run", "--full", "--until", DAY, "--source", dump, "--covers-until", WHOLE
    )
    seconds, peak, stopped = 0.0, 0, 0
    for number in range(1, interruptions + 2):
        # At one third, at two thirds; the last one goes on to the end.
        stop = number / (interruptions + 1) if number <= interruptions else None
        took, held, status = _command(
            words, {**settings, "CCB_POSTGRES_URL": url}, dump.parent / "command.log", url, stop
        )
        seconds, peak, stopped = seconds + took, max(peak, held), stopped + (status == INTERRUPTED)
    (found,) = execute(
        url,
        "SELECT (SELECT count(*) FROM operacoes), (SELECT count(*) FROM parcelas),"
        " (SELECT sum(lidos) FROM controle.reconciliacoes WHERE ok)",
    )
    if found != (size, parcelas, size):
        raise WrongContents(f"{size:,} contracts and {parcelas:,} parcelas in; out, and proven: {found}")
    durations = [float(took) for (took,) in execute(url, _DURATIONS)]
    databases.drop("bench_million")
    fifth = max(1, len(durations) // 5)
    first, last = statistics.median(durations[:fifth]), statistics.median(durations[-fifth:])
    return Run(size, seconds, peak, len(durations), stopped, first, last)


_DURATIONS = "SELECT segundos FROM table_updates WHERE target_table = 'fatias' ORDER BY inserted"
_SHARE = (
    "SELECT coalesce(CAST((SELECT count(*) FROM table_updates WHERE target_table = 'fatias') AS float)"
    " / max(fatias), 0) FROM controle.planos"
)


def _command(
    words: list[str], settings: dict[str, str], log: Path, url: str, stop: float | None
) -> tuple[float, int, int]:
    """Runs it to its end, or until this share of the shards is done.

    Returns seconds, peak memory and its exit status.
    """
    with log.open("w+") as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            words,
            env=measure.environment(settings),
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        memory = Memory(process.pid)
        try:
            while stop is not None and process.poll() is None:
                time.sleep(SECONDS_BETWEEN_LOOKS)
                if execute(url, _SHARE)[0][0] >= stop:
                    os.killpg(process.pid, signal.SIGINT)  # as a terminal does it
                    break
            status = process.wait()
            seconds = time.perf_counter() - began
        finally:
            if process.poll() is None:  # interrupted ourselves
                os.killpg(process.pid, signal.SIGTERM)
                process.wait()
            memory.stop()
        wanted = (0,) if stop is None else (0, INTERRUPTED)
        if status not in wanted:
            output.seek(0)
            raise Failed(f"{' '.join(words)} ended with {status}:\n{output.read()[-2000:]}")
    return seconds, memory.peak, status


def _check_room(directory: Path, size: int) -> None:
    needed, free = size * (2 * BYTES_OF_DUMP + BYTES_IN_DATABASE), shutil.disk_usage(directory).free
    if free < needed:
        raise click.ClickException(
            f"{needed / 1e9:.0f} GB are needed in {directory.parent}, {free / 1e9:.0f} GB are free (TMPDIR)"
        )


def _table(result: dict[str, Any]) -> Table:
    found = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    headings = (
        *("contracts", "seconds", "per second", "peak MB"),
        *("shards", "Ctrl-C", "first fifth", "last fifth"),
    )
    for heading in headings:
        found.add_column(heading, justify="right")
    for run in result["runs"]:
        found.add_row(
            f"{run['contracts']:,}",
            f"{run['seconds']:.1f}",
            f"{run['rate']:,.0f}",
            f"{run['peak_bytes'] / 1e6:,.0f}",
            str(run["shards"]),
            str(run["interruptions"]),
            f"{run['first']:.1f} s",
            f"{run['last']:.1f} s",
        )
    found.caption = f"the rate is {result['rate_kept']:.0%} of the smaller number's"
    return found


if __name__ == "__main__":
    main()
