"""From documents to staging, block by block, so that memory is flat whatever the number of documents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date
from functools import partial
from itertools import chain, islice
from threading import Event, Thread

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
from ccb_luigi.documents.valid import ROADS
from ccb_luigi.load import parallel, quarantine
from ccb_luigi.load.batch import Batch
from ccb_luigi.load.unchanged import Unchanged
from ccb_luigi.process.garbage import no_collection

TOGETHER = 1 << 20
"""Bytes of one table's lines that are worth a COPY."""

PATIENCE = 0.05
"""Seconds without a first document after which the time is used to get ready for judging."""

_ROADS = dict(
    zip(ROADS, ("together", "together but for their schedule", "alone", "by Cerberus"), strict=True)
)


@dataclass(slots=True)
class Counts:
    """What an extraction read and staged.

    Not among ``lidos``: ``esquecidos``, of erased clients, and ``sem_hora``, whose time can't be read: they
    are in quarantine, and count with another date, the first that met them.
    ``por_data``: date → documents read and rejected, of batches of several dates. ``mais_novo``: the newest
    time in a dump, whatever its date, in ISO 8601 (UTC, so that the greater text is the later time).
    ``roads``: how the documents were read (``valid.ROADS``), without those that were passed over;
    ``roads_por_data``: the same per date, like ``por_data``.
    """

    lidos: int = 0
    intactos: int = 0
    quarentena: int = 0
    esquecidos: int = 0
    sem_hora: int = 0
    por_codigo: dict[str, int] = field(default_factory=dict)
    staging: dict[str, int] = field(default_factory=dict)
    por_data: dict[date, list[int]] = field(default_factory=dict)
    mais_novo: str = ""
    roads: dict[str, int] = field(default_factory=dict)
    roads_por_data: dict[date, dict[str, int]] = field(default_factory=dict)

    @property
    def told_roads(self) -> str:
        """How the documents were read, in words."""
        numbers = ", ".join(f"{self.roads.get(road, 0)} {words}" for road, words in _ROADS.items())
        return f"documents read: {numbers}; {self.intactos} passed over as unchanged"

    def most_frequent(self, number: int) -> list[tuple[str, int]]:
        """The codes that most documents were rejected for."""
        return sorted(self.por_codigo.items(), key=lambda pair: -pair[1])[:number]

    def add(self, block: Rendered, *, per_date: bool) -> None:
        """Takes a block's counts in, those ``per_date`` as well if the batch has several."""
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
        for (day, road), number in block.roads.items():
            self.roads[road] = self.roads.get(road, 0) + number
            if per_date:
                self.por_data.setdefault(day, [0, 0])[0] += number
                roads = self.roads_por_data.setdefault(day, {})
                roads[road] = roads.get(road, 0) + number
        for day, _ in block.refused if per_date else ():
            self.por_data[day][1] += 1

    def per_date(self, only: date | None) -> dict[date, list[int]]:
        """Date → documents read and rejected; ``only``: the date of a batch that has one."""
        return {only: [self.lidos, self.quarentena]} if only else self.por_data

    def add_intact(self, number: int) -> None:
        """Takes documents in that were passed over."""
        self.lidos += number
        self.intactos += number
        self.staging[tables.staged_contratos.name] += number

    def drop(self, dates: Sequence[date]) -> None:
        """Takes documents of these dates out, which were read twice."""
        self.lidos -= len(dates)
        for day in dates if self.por_data else ():
            self.por_data[day][0] -= 1


class Extraction:
    """The documents of one batch on their way from the source into staging and quarantine.

    What is ``unchanged`` isn't judged again. ``progress`` is told how many documents were read by now.
    """

    def __init__(
        self,
        batch: Batch,
        spec: BatchSpec,
        *,
        unchanged: Unchanged | None = None,
        workers: parallel.Workers | None = None,
        progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.counts = Counts(staging={table.name: 0 for table in tables.STAGING})
        self._batch = batch
        self._spec = spec
        self._unchanged = unchanged
        self._workers = workers
        self._progress = progress
        self._copies = _Copies(batch)
        self._get_ready = judge_of(spec.zone, spec.strictness).prepare
        self._all_read = self._analysed = False

    def run(self, documents: Iterable[bytes]) -> Counts:
        """Stages those of ``documents`` that belong to the batch."""
        judged = parallel.ordered_map(
            partial(_render, self._spec),
            self._to_judge(documents),
            self._workers,
            let_go=self._before_the_fork,
            more_to_come=lambda _, block: is_full(len(block), sum(map(len, block))),
        )
        # Closed also when PostgreSQL fails us: its processes would wait for more, and ours for their end.
        with closing(judged) as blocks_in_order:
            for block in blocks_in_order:
                self._take(block)
        self._copies.send()
        if not self._analysed:
            self._batch.analyse()
        self._drop_repeated()
        return self.counts

    def _to_judge(self, documents: Iterable[bytes]) -> Iterator[tuple[int, list[bytes]]]:
        """The blocks of which not every document is intact, numbered; the intact ones are staged here."""
        for number, block in blocks(_awaited(documents, self._get_ready)):
            intact = self._unchanged.pass_over(number * DOCUMENTS, block) if self._unchanged else 0
            self.counts.add_intact(intact)
            if intact < len(block):
                yield number, block
            else:
                self._progress(self.counts.lidos)
        self._all_read = True

    def _before_the_fork(self) -> list[int]:
        """Gets ready once for all that are forked; names the connection that they are to close."""
        self._get_ready()
        return [postgres.driver_connection(self._batch.connection).fileno()]

    def _take(self, block: Rendered) -> None:
        """Stages a judged block, and puts into quarantine what was rejected in it."""
        self._copies.add(block.lines)
        connection = self._batch.connection
        for partition in dict.fromkeys(partition for partition, _ in block.refused):
            these = (document for other, document in block.refused if other == partition)
            quarantine.put(connection, these, partition)
        self.counts.sem_hora += block.settle(
            {
                partition: quarantine.put_timeless(
                    connection,
                    [document for other, _, document in block.timeless if other == partition],
                    partition,
                    again=self._spec.by_id,
                )
                for partition in dict.fromkeys(partition for partition, _, _ in block.timeless)
            }
        )
        self.counts.add(block, per_date=self._spec.day is None)
        self._progress(self.counts.lidos)
        if self._all_read:  # others still judge, and nothing more comes to be waited for
            self._copies.send()
            if not self._analysed:  # what is staged later is of the last few blocks
                self._batch.analyse()
                self._analysed = True

    def _drop_repeated(self) -> None:
        """A document that changed while the cursor ran can be met twice: the later reading counts."""
        found = self._batch.run("""
            SELECT doc, particao FROM (
                SELECT doc, particao, row_number() OVER (PARTITION BY mongo_id ORDER BY doc DESC) AS n
                FROM {contratos} WHERE lote = :lote
            ) numbered WHERE n > 1
        """).all()
        for table in tables.STAGING if found else ():
            gone = self._batch.run(
                f"DELETE FROM {self._batch.name(table)} WHERE lote = :lote AND doc = ANY(:docs)",
                docs=[row.doc for row in found],
            )
            self.counts.staging[table.name] -= gone.rowcount
        self.counts.drop([row.particao for row in found])


class _Copies:
    """Rendered lines on their way into staging.

    Each COPY costs something of its own, with PostgreSQL 17 and 18 up to a millisecond: it makes a thousand
    slots for tuples and finds each by walking past all others. So small ones are put together.
    """

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
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
                columns = VERSION if table is tables.staged_contratos else None
                self._batch.copy(table, b"".join(waiting), columns)
                waiting.clear()


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


def _render(spec: BatchSpec, number: int, documents: Sequence[bytes]) -> Rendered:
    """Of a block's hundred thousand objects hardly one is part of a cycle, and none outlives the block."""
    with no_collection():
        return render(spec, number, documents)
