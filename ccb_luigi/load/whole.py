"""A batch that is staged, loaded, proven and remembered in one transaction, whichever documents it is of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import Connection, Table, text

from ccb_luigi import tables
from ccb_luigi.database import postgres
from ccb_luigi.documents.block import BatchSpec
from ccb_luigi.documents.shard import Covered, Shard
from ccb_luigi.errors import NotReconciled
from ccb_luigi.load import closing, erasures, loading, parallel, quarantine, reconcile
from ccb_luigi.load.batch import Batch
from ccb_luigi.load.planner_settings import look_up_by_keys
from ccb_luigi.load.reconcile import Reconciliation
from ccb_luigi.load.staging import Counts, Extraction
from ccb_luigi.load.unchanged import Unchanged, forget_documents, remember
from ccb_luigi.settings import Settings
from ccb_luigi.sources import source
from ccb_luigi.sources.source import Source

Reading = Callable[[int, float | None], None]
"""Is told of an extraction now and then: documents read, and their share of all (``None``: unknown)."""

Show = Callable[[str, float], None]
"""Is told what a step begins to do, in words without data, and how far it is, in per cent."""


@dataclass(slots=True)
class Loaded:
    """What became of a batch. ``days``: the proof of each of its dates.

    ``written``: table → rows that were touched, and how. ``freed``: the ``mongo_id`` of documents that may
    now have their ``ccbCode``, which a contract of the batch vacated; for ``by_id.settle``.
    """

    counts: Counts
    days: dict[date, Reconciliation] = field(default_factory=dict)
    written: dict[str, loading.Written] = field(default_factory=dict)
    freed: list[str] = field(default_factory=list)

    @property
    def result(self) -> Reconciliation:
        """The proof of all dates together."""
        return reconcile.total(self.days.values())


def stage(
    settings: Settings,
    batch: Batch,
    documents: Callable[[Source], Iterable[bytes]],
    *,
    day: date | None = None,
    shard: tuple[Covered, Shard] | None = None,
    unchanged: Unchanged | None = None,
    workers: parallel.Workers | None = None,
    progress: Reading = lambda *_: None,
) -> Counts:
    """Reads the ``documents`` of the source, and stages those of the ``day``, those of the shard, or all.

    Raises:
        SourceError: the source can't be read, or holds no document at all.
    """
    erased = erasures.known(batch.connection, settings)
    with source.opened(settings) as origin:
        horizon = closing.horizon(batch.connection, origin)
        covered, part = shard or (None, None)
        spec = BatchSpec(
            batch.number, day, settings.zone, settings.strictness, erased, covered, part, horizon
        )

        def tell(read: int) -> None:
            progress(read, origin.share_read())

        extraction = Extraction(batch, spec, unchanged=unchanged, workers=workers, progress=tell)
        counts = extraction.run(documents(origin))
        if not counts.lidos:
            closing.refuse_an_empty(origin)
    return counts


def now(connection: Connection) -> datetime:
    """PostgreSQL's clock: to be looked at before the source is read."""
    found: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return found


def table_lock(table: Table) -> str:
    """The name of the lock that whoever writes into the table holds."""
    return f"tabela {table.name}"


def load_staged(
    settings: Settings,
    batch: Batch,
    counts: Counts,
    read_at: datetime,
    what: str | date,
    show: Show = lambda *_: None,
) -> Loaded:
    """Loads a staged batch into all tables, proves it, remembers what it loaded, and empties its staging.

    ``read_at``: the moment before the source was read. ``what``: the batch's only date, or words for it.

    Raises:
        NotReconciled: counts or sums differ.
    """
    show("waits for its turn at the tables", 60)
    postgres.lock(batch.connection, *map(table_lock, tables.LOADED))
    found = Loaded(counts)
    for n, table in enumerate(tables.LOADED):
        show(f"loads {table.name}", 65 + 4 * n)
        written, freed = write(settings, batch, table, read_at)
        found.written[table.name] = written
        found.freed += freed
    show("counts and adds up both sides", 97)
    found.days = _proven(batch, counts, what)
    remember(batch)
    batch.clear()
    return found


def write(
    settings: Settings, batch: Batch, table: Table, read_at: datetime
) -> tuple[loading.Written, list[str]]:
    """Loads one table under the caller's lock.

    Of operacoes also the quarantine follows: who loses a ``ccbCode`` is put there, who was loaded is
    released, and who may now have a code that was vacated is returned, by ``mongo_id``.
    """
    look_up_by_keys(batch)
    if table is not tables.operacoes:
        return loading.write(batch, table), []
    vacated = loading.classify(batch)
    freed = quarantine.waiting_for(batch.connection, vacated) if vacated else []
    losers = loading.losers(batch, settings.zone)
    written = loading.write(batch, table)
    quarantine.close_loaded(batch, read_at)
    quarantine.put_losers(batch.connection, losers)
    forget_documents(batch.connection, [name for name, _ in losers])
    return written, freed


def _proven(batch: Batch, counts: Counts, what: str | date) -> dict[date, Reconciliation]:
    results = reconcile.reconcile(batch, counts.per_date(what if isinstance(what, date) else None))
    for day, result in results.items():
        if not result.ok:
            of = "" if day == what else f" of {day}"
            raise NotReconciled(
                f"{what}: source and target differ in {' and '.join(result.differences)}{of};"
                " nothing was changed, the same command tries again"
            )
    if sum(result.lidos for result in results.values()) != counts.lidos:
        raise NotReconciled(f"{what}: {counts.lidos} documents were read, and its dates hold another number")
    return results
