"""The ways from documents into the eight tables that are compared, in the order in which they take turns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import databases, limit, measure
from benchmarks.documents import DAY, WHOLE
from benchmarks.measure import Measured
from ccb_luigi.load import markers

MONGO_DATABASE = "ccb_bench"
ALL, SOME = "contratos", "alguns"
"""The collections: with all documents, and with those of the usual way."""


@dataclass(frozen=True)
class Bench:
    """What has been laid ready before any clock runs."""

    directory: Path
    dump: Path
    changed: Path
    rendered: Path
    mongo_uri: str
    contracts: int
    usual_contracts: int

    def command(self, url: str, *words: object, collection: str = ALL) -> Measured:
        """``ccb-luigi``, or with the first word ``-m`` another module, as anybody would start it."""
        module, *rest = words[1:] if words[0] == "-m" else ("ccb_luigi", *words)
        settings = {
            "CCB_POSTGRES_URL": url,
            "CCB_MONGO_URI": self.mongo_uri,
            "CCB_MONGO_DATABASE": MONGO_DATABASE,
            "CCB_MONGO_COLLECTION": collection,
        }
        return measure.command(measure.python(str(module), *rest), settings, self.directory / "command.log")


@dataclass(frozen=True)
class Way:
    """One way. ``holds`` names what must be in the tables afterwards; ``on`` the way that it comes after,
    in the same database, if that is not to be a fresh one."""

    name: str
    title: str
    run: Callable[[Bench, str], Measured]
    holds: str | None = "dump"
    on: str | None = None


def _limit(bench: Bench, url: str) -> Measured:
    return measure.in_process(lambda: limit.load(url, bench.rendered))


def _dump(bench: Bench, url: str) -> Measured:
    return bench.command(url, "run", "--date", DAY, "--source", bench.dump, "--covers-until", WHOLE)


def _mongo(bench: Bench, url: str) -> Measured:
    return bench.command(url, "run", "--date", DAY)


def _usual(bench: Bench, url: str) -> Measured:
    return bench.command(url, "-m", "benchmarks.usual", collection=SOME)


def _rerun(bench: Bench, url: str) -> Measured:
    return bench.command(url, "rerun", "--date", DAY, "--source", bench.dump, "--covers-until", WHOLE)


def _changed(bench: Bench, url: str) -> Measured:
    return bench.command(url, "rerun", "--date", DAY, "--source", bench.changed, "--covers-until", WHOLE)


LIMIT, USUAL = "limit", "usual"

WAYS = (
    Way(LIMIT, "limit: COPY and plain upsert", _limit),
    Way("dump", "ccb-luigi run, from a dump", _dump),
    Way("mongo", "ccb-luigi run, from MongoDB", _mongo),
    Way(USUAL, "usual: Cerberus, SQLAlchemy", _usual, holds=None),
    Way("rerun", "ccb-luigi rerun, no change", _rerun, on="dump"),
    Way("changed", "ccb-luigi rerun, 5 % changed", _changed, holds="changed", on="dump"),
)


def check(way: Way, bench: Bench, url: str, expected: dict[str, dict[str, databases.Contents]]) -> int:
    """Looks at the tables after a way; returns the number of rows in them.

    Raises:
        WrongContents: they don't hold what they must.
    """
    found = databases.contents(url)
    if way.holds:
        databases.check(way.name, found, expected[way.holds])
    elif found["operacoes"].rows != bench.usual_contracts:
        raise databases.WrongContents(f"{way.name}: {found['operacoes'].rows:,} contracts in the table")
    if way.holds and way.name != LIMIT:
        _check_marked(way, url)
    return sum(content.rows for content in found.values())


def _check_marked(way: Way, url: str) -> None:
    marked = databases.execute(url, f"SELECT count(*) FROM table_updates WHERE particao = '{DAY}'")[0][0]
    if marked != len(markers.STEPS):
        raise databases.WrongContents(f"{way.name}: {marked} of {len(markers.STEPS)} steps are marked")
