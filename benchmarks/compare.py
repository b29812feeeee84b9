"""The pipeline beside the limit and the usual way, in turn, in one run: `make bench`."""

from __future__ import annotations

import contextlib
import json
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import psutil
from rich.console import Console

from benchmarks import documents, limit, measure, shown
from benchmarks.databases import Contents, Databases, WrongContents, contents
from benchmarks.measure import Failed, Measured
from benchmarks.ways import ALL, LIMIT, MONGO_DATABASE, SOME, USUAL, WAYS, Bench, Way, check
from ccb_luigi import __version__
from ccb_luigi.demo.servers import Servers, delete, servers

RESULTS = Path(__file__).parent / "results"


@dataclass
class Timed:
    """A way's measurements, and the rows that it left in the tables."""

    contracts: int
    rows: int = 0
    runs: list[Measured] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """The median."""
        return statistics.median(run.seconds for run in self.runs)


@click.command()
@click.option("--contracts", type=click.IntRange(20), default=20_000, show_default=True)
@click.option("--repeat", type=click.IntRange(1), default=5, show_default=True)
@click.option(
    "--usual-contracts",
    type=click.IntRange(1),
    default=2_000,
    show_default=True,
    help="How many of them the usual way gets: it is slow.",
)
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS, help="Where the results go.")
def main(contracts: int, repeat: int, usual_contracts: int, out: Path) -> None:
    """Measures every way in turn, checks the tables each time, prints a table, writes JSON and plots."""
    screen = Console(highlight=False)
    try:
        with own_servers() as (directory, running):
            result = compare(running, directory, contracts, repeat, usual_contracts, screen)
    except (Failed, WrongContents) as error:
        raise click.ClickException(str(error)) from error
    screen.print(shown.table(result))
    screen.print(shown.footnotes(result))
    out.mkdir(parents=True, exist_ok=True)
    (out / "latest.json").write_text(json.dumps(result, indent=1) + "\n")
    shown.draw(lambda plot: plot.compare(result, out), screen)
    screen.print(f"written to {out}/")


@contextlib.contextmanager
def own_servers() -> Iterator[tuple[Path, Servers]]:
    """Servers in a directory of their own, both gone at the end."""
    directory = Path(tempfile.mkdtemp(prefix="ccb-luigi-bench-"))
    directory.chmod(0o711)  # started by root, PostgreSQL runs as nobody and must get in
    try:
        with servers(directory, _recommended()) as running:
            yield directory, running
    finally:
        delete(directory)


def _recommended() -> dict[str, str]:
    """As docs/scaling.md recommends it for much data: the demo's server makes do with little memory."""
    megabytes = psutil.virtual_memory().total >> 20
    return {
        "shared_buffers": f"{megabytes // 4}MB",
        "effective_cache_size": f"{megabytes // 4 * 3}MB",
        "max_wal_size": "16GB",
        "checkpoint_timeout": "30min",
    }


def compare(
    running: Servers,
    directory: Path,
    contracts: int,
    repeat: int,
    usual_contracts: int,
    screen: Console,
    ways: Sequence[Way] = WAYS,
) -> dict[str, Any]:
    """Everything but the printing: prepares, measures round by round, and sums up.

    Raises:
        Failed: a command failed.
        WrongContents: a way didn't leave in the tables what it must.
    """
    state = measure.machine()
    databases = Databases(running.postgres)
    with shown.status(screen) as status:
        say = shown.Say(status)
        bench = prepare(running, directory, contracts, min(usual_contracts, contracts), say)
        expected = {
            name: _loaded_by_limit(databases, rendered)
            for name, rendered in (("dump", bench.rendered), ("changed", directory / "rendered-changed"))
        }
        timed = {w.name: Timed(bench.usual_contracts if w.name == USUAL else contracts) for w in ways}
        for number in range(1, repeat + 1):
            for way, measured, rows in _round(databases, bench, ways, expected, say):
                timed[way.name].rows = rows
                timed[way.name].runs.append(measured)
                screen.print(shown.line(number, repeat, way, measured, timed[way.name].contracts))
    return {
        "version": __version__,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {**state, "postgres": databases.about()},
        "contracts": contracts,
        "repeat": repeat,
        "changed_share": 1 / documents.CHANGED_EVERY,
        "dump_bytes": bench.dump.stat().st_size,
        "contents": {name: {t: asdict_of(c) for t, c in found.items()} for name, found in expected.items()},
        "ways": {way.name: _summary(way, timed) for way in ways},
    }


def asdict_of(content: Contents) -> dict[str, Any]:
    """A table's contents for JSON."""
    return content._asdict()


def prepare(running: Servers, directory: Path, contracts: int, usual_contracts: int, say: shown.Say) -> Bench:
    """Everything that no clock holds: dumps, collections, rendered rows, the template database."""
    bench = Bench(
        directory=directory,
        dump=directory / "dump.bson",
        changed=directory / "changed.bson",
        rendered=directory / "rendered",
        mongo_uri=running.mongo.uri,
        contracts=contracts,
        usual_contracts=usual_contracts,
    )
    documents.write_dump(contracts, bench.dump, say.counting("writing the dump", contracts))
    documents.write_changed(bench.dump, bench.changed)
    for collection, number in ((ALL, contracts), (SOME, usual_contracts)):
        progress = say.counting("filling MongoDB", number)
        documents.fill(bench.mongo_uri, MONGO_DATABASE, collection, bench.dump, number, progress)
    for dump, folder in ((bench.dump, "rendered"), (bench.changed, "rendered-changed")):
        limit.render(dump, directory / folder, say.counting("rendering rows for the limit", contracts))
    say("creating the tables")
    Databases(running.postgres).prepare()
    return bench


def _loaded_by_limit(databases: Databases, rendered: Path) -> dict[str, Contents]:
    """What must be in the tables, as the limit brings it into empty ones; it warms the server up, too."""
    url = databases.fresh("bench_expected")
    limit.load(url, rendered)
    found = contents(url)
    databases.drop("bench_expected")
    return found


def _round(
    databases: Databases,
    bench: Bench,
    ways: Sequence[Way],
    expected: dict[str, dict[str, Contents]],
    say: shown.Say,
) -> Iterator[tuple[Way, Measured, int]]:
    urls = {}
    for way in ways:
        say(way.title)
        urls[way.name] = urls[way.on] if way.on else databases.fresh(f"bench_{way.name}")
        databases.settle()
        measured = way.run(bench, urls[way.name])
        say(f"{way.title}: looking at the tables")
        yield way, measured, check(way, bench, urls[way.name], expected)
    for way in ways:
        databases.drop(f"bench_{way.name}")


def _summary(way: Way, timed: dict[str, Timed]) -> dict[str, Any]:
    own, least = timed[way.name], timed[LIMIT]
    per_contract, per_contract_at_least = own.seconds / own.contracts, least.seconds / least.contracts
    peaks = [run.peak_bytes for run in own.runs if run.peak_bytes]
    return {
        "title": way.title,
        "contracts": own.contracts,
        "rows": own.rows,
        "checked": "every byte" if way.holds else "count of contracts",
        "seconds": own.seconds,
        "contracts_per_second": own.contracts / own.seconds,
        "rows_per_second": own.rows / own.seconds,
        "ratio_to_limit": per_contract / per_contract_at_least,
        "cpu_seconds": statistics.median(run.cpu_seconds for run in own.runs),
        "peak_bytes": max(peaks) if peaks else None,
        "runs": [asdict(run) for run in own.runs],
    }


if __name__ == "__main__":
    main()
