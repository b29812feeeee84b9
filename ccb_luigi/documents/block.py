"""A block of raw documents as lines for COPY: pure, so that any process can do it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from itertools import chain, repeat
from operator import add, attrgetter
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from bson.errors import InvalidBSON

from ccb_luigi import tables
from ccb_luigi.codes import Strictness
from ccb_luigi.documents import copytext, fingerprint, rawbson
from ccb_luigi.documents.judge import Accepted, Judge, Refused
from ccb_luigi.documents.rawbson import Document, decode
from ccb_luigi.documents.rows import Row
from ccb_luigi.documents.shard import Covered, Shard, owns
from ccb_luigi.documents.valid import Valid

if TYPE_CHECKING:
    from ccb_luigi.documents.erased import Erased

BYTES = 4 << 20
"""A block ends here even if it has few documents: some have 15 MB."""

DOCUMENTS = 1000
"""A block has at most so many documents; they are numbered from its number times this on."""

HIDING = "0" * 100
"""What a line that says something of a person begins with, before the number of its batch.

When a session ends within a COPY (a restart, a fail-over, a time-out), PostgreSQL writes the first hundred
bytes of the line at which it stood into its own log, and into the client's error.
"""

SIDE_BY_SIDE = 100
"""So many documents are read side by side: for fewer it isn't worth making ready for that."""

_JUDGED = ("mongo_id", "ccb_code", "client_id", "atualizado_em", "valor_bruto", "soma_prestacoes")
VERSION = ("lote", "doc", *_JUDGED, "particao", "impressao")
"""The columns of staging.contratos that come from the document."""


@dataclass(frozen=True, slots=True)
class BatchSpec:
    """What to do with every block of a batch.

    Documents of the ``day`` count, or those that ``covered`` covers (of a ``shard``), or else all.
    ``horizon``: of all documents, whatever their date, the newest time up to here is asked for.
    """

    batch: int
    day: date | None
    zone: ZoneInfo
    strictness: Strictness
    erased: Erased | None = None
    covered: Covered | None = None
    shard: Shard | None = None
    horizon: datetime | None = None

    @property
    def by_id(self) -> bool:
        """Whether the documents were asked for one by one, whatever their date."""
        return self.day is None and self.covered is None

    def leaves_out(self, found: date | None, updated: Any) -> bool:
        """Whether a document of this date (``None``: its time can't be read) is somebody else's."""
        if self.day is not None:
            return found is not None and found != self.day
        if self.covered is None or self.shard is None:
            return False
        if found is not None:
            return found not in self.covered
        return not owns(self.shard, updated, self.covered, self.zone)

    def partition(self, found: date | None, today: Callable[[], date]) -> date:
        """The date that a document counts with; one without a time with the last of a plan, or today."""
        if self.covered is None:
            return self.day or found or today()
        return found if found is not None and found in self.covered else self.covered.until


@dataclass(slots=True)
class Rendered:
    """One block: per staging table its lines and their number, and what goes to the quarantine.

    ``timeless``: rejected documents whose time can't be read, with the date and the road to count them with.
    ``erased``: documents of erased clients, which go nowhere. ``roads``: (date, which of ``ROADS``) →
    documents that were read. ``newest``: the newest time up to the horizon, if that is asked for.
    """

    lines: dict[str, bytes] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    refused: list[tuple[date, Refused]] = field(default_factory=list)
    timeless: list[tuple[date, str, Refused]] = field(default_factory=list)
    erased: int = 0
    roads: Counter[tuple[date, str]] = field(default_factory=Counter)
    newest: datetime | None = None

    @property
    def read(self) -> int:
        """Documents of the batch in this block, without those of erased clients."""
        return self.counts["contratos"] + len(self.refused) + len(self.timeless)

    def settle(self, ours: Mapping[date, Container[str]]) -> int:
        """Counts those of ``timeless`` that are ours (date → names); returns how many aren't."""
        met, self.timeless = self.timeless, []
        counting = [each for each in met if each[2].mongo_id in ours[each[0]]]
        for partition, road, document in counting:
            self.refused.append((partition, document))
            self.roads[partition, road] += 1
        return len(met) - len(counting)

    def see(self, moment: datetime | None, horizon: datetime) -> None:
        """Takes in a document's time. One of the future, or from after the dump, tells nothing."""
        if moment is not None and moment <= horizon and (self.newest is None or moment > self.newest):
            self.newest = moment

    def put(self, accepted: Sequence[tuple[str, Row, Accepted]]) -> None:
        """Renders all tables; with each document: what its lines begin with, and the rest of its version."""
        prefixes = [prefix for prefix, _, _ in accepted]
        rows_of_each: dict[str, list[Sequence[Row]]] = {
            "contratos": [[version] for _, version, _ in accepted],
            **{name: [judged.rows[name] for _, _, judged in accepted] for name in _OTHERS},
            "qualidade": [judged.findings for _, _, judged in accepted],
        }
        self.counts = {name: sum(map(len, rows)) for name, rows in rows_of_each.items()}
        self.lines = {
            name: _lines(name, prefixes, rows) for name, rows in rows_of_each.items() if self.counts[name]
        }
        self.counts[_SCHEDULE] = sum(len(judged.schedule) for _, _, judged in accepted)
        if self.counts[_SCHEDULE]:
            self.lines[_SCHEDULE] = _encoded(
                line for prefix, _, judged in accepted for line in judged.schedule.lines(prefix)
            )


_SCHEDULE = tables.parcelas.name
"""The table whose rows may be text already."""
_OTHERS = [name for name in tables.STAGED if name != _SCHEDULE]
_of_version = attrgetter(*_JUDGED)


def _lines(name: str, prefixes: list[str], rows_of_each: list[Sequence[Row]]) -> bytes:
    """The lines of one table, of whose rows each document has some."""
    if name in tables.PERSONAL:
        prefixes = [HIDING + prefix for prefix in prefixes]
    prefix_of_each = chain.from_iterable(map(repeat, prefixes, map(len, rows_of_each)))
    return _encoded(map(add, prefix_of_each, copytext.lines([*chain.from_iterable(rows_of_each)])))


def _encoded(lines: Iterable[str]) -> bytes:
    return "\n".join([*lines, ""]).encode()


@lru_cache(maxsize=4)
def judge_of(zone: ZoneInfo, strictness: Strictness) -> Judge:
    """The process' own judge: compiling the contract takes milliseconds."""
    return Judge(zone, strictness)


def blocks(documents: Iterable[bytes]) -> Iterator[tuple[int, list[bytes]]]:
    """(number, documents): the documents in blocks of bounded length and size."""
    number, size = 0, 0
    block: list[bytes] = []
    for raw in documents:
        block.append(raw)
        size += len(raw)
        if is_full(len(block), size):
            yield number, block
            number, size, block = number + 1, 0, []
    if block:
        yield number, block


def is_full(documents: int, size: int) -> bool:
    """Whether a block of so many documents and bytes ends here, and the next document begins another."""
    return documents == DOCUMENTS or size >= BYTES


def _read(judge: Judge, documents: Sequence[bytes]) -> Iterator[tuple[int, bytes, Valid | None]]:
    """(place, document, what it is if that is sure by reading all side by side), without empty places."""
    places = [place for place, raw in enumerate(documents) if raw]
    there = [documents[place] for place in places]
    known = judge.read(there) if len(there) >= SIDE_BY_SIDE else [None] * len(there)
    return zip(places, there, known, strict=True)


def _opened(
    judge: Judge, raw: bytes, known: Valid | None
) -> tuple[date | None, Any, Valid | Document | None]:
    """A document's date, its ``updatedAt`` as it came, and itself, as far as it is read by now.

    All ``None``: it can't be decoded. No date: its time can't be read.
    """
    if known is not None:
        return judge.day(known.moment), None, known
    try:
        decoded = decode(raw)
    except InvalidBSON:
        return None, None, None
    return judge.partition(decoded), decoded.get("updatedAt"), decoded


def render(spec: BatchSpec, number: int, documents: Sequence[bytes]) -> Rendered:
    """Judges the documents of a block, and renders what is accepted.

    A document whose time can't be read is met by every date; which one it counts with the quarantine knows.
    """
    judge = judge_of(spec.zone, spec.strictness)
    rules = fingerprint.key(spec.zone, spec.strictness)
    rendered = Rendered()
    accepted: list[tuple[str, Row, Accepted]] = []
    for place, raw, known in _read(judge, documents):
        found, updated, read = _opened(judge, raw, known)
        if spec.horizon is not None and read is not None:
            rendered.see(judge.moment(read), spec.horizon)
        # Of two updatedAt the server finds a document by one, and the other one is decoded.
        elsewhere = read is not None and spec.leaves_out(found, updated)
        if elsewhere and not rawbson.occurs_twice(raw, b"updatedAt"):
            continue
        partition = spec.partition(found, judge.today)
        judged, road = judge.judge_and_tell(raw, read)
        if spec.erased and spec.erased.drops(judged):
            rendered.erased += 1
            continue
        if found is None and isinstance(judged, Refused):
            rendered.timeless.append((partition, road, judged))
            continue
        rendered.roads[partition, road] += 1
        if isinstance(judged, Refused):
            rendered.refused.append((partition, judged))
        else:
            version = (*_of_version(judged), partition, fingerprint.of(raw, rules))
            accepted.append((f"{spec.batch}\t{number * DOCUMENTS + place}\t", version, judged))
    rendered.put(accepted)
    return rendered
