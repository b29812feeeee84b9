"""From documents to staging, block by block, so that memory is flat whatever the number of documents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC
from functools import partial
from itertools import chain, islice
from threading import Event, Thread

from sqlalchemy import Connection, text

from ccb_luigi import tables
from ccb_luigi.database import postgres
from ccb_luigi.documents.block import (
    DOCUMENTS,
    VERSION,
    BatchSpec,
    Rendered,
    blocks,
    is_full,
    judge_of,
    render,
)
from ccb_luigi.documents.judge import ROADS
from ccb_luigi.load import parallel, quarantine
from ccb_luigi.load.unchanged import Unchanged
from ccb_luigi.process.garbage import no_collection

TOGETHER = 1 << 20
"""Bytes of one table's lines that are worth a COPY."""

PATIENCE = 0.05
"""Seconds without a first document after which the time is used to get ready for judging."""

Progress = Callable[[int], None]

_ROADS = dict(
    zip(ROADS, ("together", "together but for their schedule", "alone", "by Cerberus"), strict=True)
)


@dataclass(slots=True)
class Counts:
    """What an extraction read and staged; ``esquecidos``, of erased clients, aren't among ``lidos``.

    ``por_data``: date → documents read and rejected, of batches of several dates. ``mais_novo``: the newest
    time in a dump, whatever its date, in ISO 8601 (UTC, so that the greater text is the later time).
    ``roads``: how the documents were read (``judge.ROADS``), without those that were passed over;
    ``roads_por_data``: the same per date, like ``por_data``.
    """

    lidos: int = 0
    intactos: int = 0
    quarentena: int = 0
    esquecidos: int = 0
    por_codigo: dict[str, int] = field(default_factory=dict)
    staging: dict[str, int] = field(default_factory=dict)
    por_data: dict[str, list[int]] = field(default_factory=dict)
    mais_novo: str = ""
    roads: dict[str, int] = field(default_factory=dict)
    roads_por_data: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def told_roads(self) -> str:
        """How the documents were read, in words."""
        numbers = ", ".join(f"{self.roads.get(road, 0)} {words}" for road, words in _ROADS.items())
        return f"documents read: {numbers}; {self.intactos} passed over as unchanged"

    def most_frequent(self, number: int) -> list[tuple[str, int]]:
        """The codes that most documents were rejected for."""
        return sorted(self.por_codigo.items(), key=lambda pair: -pair[1])[:number]

    def add(self, block: Rendered) -> None:
        """Takes a block's counts in."""
        self.lidos += block.read
        self.quarentena += len(block.refused)
        self.esquecidos += block.erased
        for _, document in block.refused:
            for code in document.codes:
                self.por_codigo[code] = self.por_codigo.get(code, 0) + 1
        if block.newest is not None:
            self.mais_novo = max(
                self.mais_novo, block.newest.astimezone(UTC).isoformat(timespec="microseconds")
            )
        for name, rows in block.counts.items():
            self.staging[name] = self.staging.get(name, 0) + rows
        for (_, road), number in block.roads.items():
            self.roads[road] = self.roads.get(road, 0) + number

    def add_dates(self, block: Rendered) -> None:
        """Takes a block's counts per date in."""
        for (day, road), number in block.roads.items():
            self.por_data.setdefault(day.isoformat(), [0, 0])[0] += number
            roads = self.roads_por_data.setdefault(day.isoformat(), {})
            roads[road] = roads.get(road, 0) + number
        for day, _ in block.refused:
            self.por_data[day.isoformat()][1] += 1


class _Copies:
    """Rendered lines on their way into staging.

    Each COPY costs something of its own, with PostgreSQL 17 and 18 up to a millisecond: it makes a thousand
    slots for tuples and finds each by walking past all others. So small ones are put together.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._waiting: dict[str, list[bytes]] = {table.name: [] for table in tables.STAGING}

    def add(self, lines: dict[str, bytes]) -> None:
        """Takes in a block's lines per table; they wait until there are ``TOGETHER`` bytes of them."""
        for name, some in lines.items():
            self._waiting[name].append(some)
        self.send(at_least=TOGETHER)

    def send(self, *, at_least: int = 1) -> None:
        """Copies what waits, of each table with ``at_least`` so many bytes."""
        for table in tables.STAGING:
            waiting = self._waiting[table.name]
            if sum(map(len, waiting)) >= at_least:
                names = VERSION if table is tables.staged_contratos else None
                postgres.copy_lines(self._connection, table, b"".join(waiting), names)
                waiting.clear()


def stage(
    connection: Connection,
    task: BatchSpec,
    documents: Iterable[bytes],
    *,
    known: Unchanged | None = None,
    workers: parallel.Workers | None = None,
    progress: Progress = lambda _: None,
    when_read: Callable[[], object] = lambda: None,
) -> Counts:
    """Judges ``documents`` and fills staging and quarantine with those that belong to the batch.

    What is ``known`` to be intact isn't judged again. ``when_read`` is called once all is read and nearly all
    is staged: other processes still judge the rest.
    """
    all_read = told = False
    get_ready = judge_of(task.zone, task.strictness).prepare
    counts = Counts(staging={table.name: 0 for table in tables.STAGING})
    copies = _Copies(connection)

    def changed() -> Iterator[tuple[int, list[bytes]]]:
        nonlocal all_read
        for number, block in blocks(_awaited(documents, get_ready)):
            intact = known.pass_over(number * DOCUMENTS, block) if known else 0
            counts.lidos += intact
            counts.intactos += intact
            counts.staging[tables.staged_contratos.name] += intact
            if intact < len(block):
                yield number, block
            else:
                progress(counts.lidos)
        all_read = True

    def let_go() -> list[int]:
        get_ready()  # once for all that are forked
        return [postgres.driver_connection(connection).fileno()]

    blocks_in_order = parallel.ordered_map(
        partial(_render, task),
        changed(),
        workers,
        let_go=let_go,
        more_to_come=lambda _, block: is_full(len(block), sum(map(len, block))),
    )
    # Closed also when PostgreSQL fails us: its processes would wait for more, and ours for their end.
    with closing(blocks_in_order) as rendered:
        for block in rendered:
            copies.add(block.lines)
            if all_read:  # others still judge, and nothing more comes to be waited for
                copies.send()
            for partition in dict.fromkeys(partition for partition, _ in block.refused):
                these = (document for other, document in block.refused if other == partition)
                quarantine.put(connection, these, partition)
            counts.add(block)
            if task.day is None:
                counts.add_dates(block)
            progress(counts.lidos)
            if all_read and not told:
                when_read()
                told = True
    copies.send()
    if not told:
        when_read()
    _drop_repeated(connection, task.batch, counts)
    return counts


def _awaited(documents: Iterable[bytes], meanwhile: Callable[[], None]) -> Iterator[bytes]:
    """The documents; ``meanwhile`` is done while their source thinks, if it does so for long.

    It is over when the first one is given out: a process that is forked then has what it made, once for all.
    """
    remaining, arrived = iter(documents), Event()

    def use_the_time() -> None:
        if not arrived.wait(PATIENCE):
            meanwhile()

    helper = Thread(target=use_the_time, daemon=True)
    helper.start()
    try:
        first = list(islice(remaining, 1))
    finally:
        arrived.set()
        helper.join()
    yield from chain(first, remaining)


def _render(task: BatchSpec, number: int, documents: Sequence[bytes]) -> Rendered:
    """Of a block's hundred thousand objects hardly one is part of a cycle, and none outlives the block."""
    with no_collection():
        return render(task, number, documents)


_REPEATED = """
    SELECT doc, particao FROM (
        SELECT doc, particao, row_number() OVER (PARTITION BY mongo_id ORDER BY doc DESC) AS n
        FROM staging.contratos WHERE lote = :lote
    ) numbered WHERE n > 1
"""


def _drop_repeated(connection: Connection, batch: int, counts: Counts) -> None:
    """A document that changed while the cursor ran can be met twice: the later reading counts."""
    found = connection.execute(text(_REPEATED), {"lote": batch}).all()
    for table in tables.STAGING if found else ():
        gone = connection.execute(
            text(f"DELETE FROM {table.fullname} WHERE lote = :lote AND doc = ANY(:docs)"),
            {"lote": batch, "docs": [row.doc for row in found]},
        )
        counts.staging[table.name] -= gone.rowcount
    counts.lidos -= len(found)
    for row in found if counts.por_data else ():
        counts.por_data[row.particao.isoformat()][0] -= 1
