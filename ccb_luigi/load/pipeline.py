"""The steps of a partition's migration, as plain functions: extract, load (per table), reconcile.

Each step is one PostgreSQL transaction that ends with the step's marker. Each begins with the step's
advisory lock and looks for the marker again under it, so that of two runners one does the work and the
other finds it done.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Connection, Table, text

from ccb_luigi import tables
from ccb_luigi.database import postgres, schema, temporary
from ccb_luigi.documents import fingerprint
from ccb_luigi.documents.block import BatchSpec, judge_of
from ccb_luigi.documents.identity import name_of
from ccb_luigi.documents.judge import Refused
from ccb_luigi.errors import CircuitBroken, NotCovered, NotReconciled, StagingIncomplete
from ccb_luigi.load import (
    breaker,
    closing,
    cluster,
    erasures,
    loading,
    markers,
    missing,
    quarantine,
    reconcile,
    unchanged,
)
from ccb_luigi.load.planner_settings import look_up_by_keys
from ccb_luigi.load.staging import Counts, stage
from ccb_luigi.settings import LONGEST_OVERLAP, Settings
from ccb_luigi.sources import source

log = logging.getLogger(__name__)

AD_HOC = 0
"""The batch of documents that are migrated by ``_id``; a date's batch is its ordinal, from 1 on."""

FREED = "liberados"
"""In the marker of operacoes: the documents that wait for a code that this load vacated."""

Reading = Callable[[int, float | None], None]
"""Is told of an extraction now and then: documents read, and their share of all (``None``: unknown)."""

Show = Callable[[str, float], None]
"""Is told what a step begins to do, in words without data, and how far it is, in per cent."""


def extract(settings: Settings, day: date, progress: Reading = lambda *_: None) -> Counts | None:
    """Reads the date's documents once, into staging and quarantine. ``None``: it was done already.

    Raises:
        NotOver: the date hasn't ended; nothing was read.
        SourceError: the source can't be read, or holds no document at all.
        CircuitBroken: too many were rejected; they are in the quarantine, and nothing is staged.
        NotCovered: the source is a dump that ends before the date; it was loaded, and not marked.
    """

    def work(connection: Connection) -> Counts | SoFar | None:
        schema.check(connection)
        closing.reopen(connection, settings, day)
        with _step(connection, markers.EXTRACTION, day) as todo:
            if not todo:
                return None
            closing.refuse_what_is_not_over(settings, day, connection)
            started = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
            counts = _read(connection, settings, day, progress)
            if _flooded(settings, counts):
                return counts
            if not closing.covered(settings, day, counts.mais_novo):
                return _keep_so_far(connection, settings, day, counts, started)
            markers.put(connection, markers.EXTRACTION, day, counts.lidos, asdict(counts))
            log.info("%s: %s", day, counts.told_roads)
            return counts

    found = postgres.of_process(settings).run(work)
    if isinstance(found, SoFar):
        _migrate_waiting(settings, found)
        told = found.result.told if found.result else ""
        why = closing.why_not_covered(settings, found.counts.mais_novo)
        raise NotCovered(f"{day}: {told}, so far and without a marker: {why}")
    if found:
        _refuse_flood(settings, day, found)
    return found


@dataclass(slots=True)
class SoFar:
    """What a load without a marker came to. ``written``: table → rows that it touched."""

    counts: Counts
    result: reconcile.Reconciliation | None = None
    written: dict[str, int] = field(default_factory=dict)
    freed: list[str] = field(default_factory=list)


def load_so_far(settings: Settings, day: date, progress: Reading = lambda *_: None) -> SoFar | None:
    """Loads what the source holds of a date that may not be over, by the same rules, in one transaction.

    No marker and no proof: the date is read again when it is over. ``None``: it is marked by now.

    Raises:
        CircuitBroken: too many were rejected; they are in the quarantine, and nothing else was kept.
    """

    def work(connection: Connection) -> SoFar | None:
        schema.check(connection)
        closing.reopen(connection, settings, day)
        with _step(connection, markers.EXTRACTION, day) as todo:
            if not todo:
                return None
            started = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
            counts = _read(connection, settings, day, progress)
            if _flooded(settings, counts):
                return SoFar(counts)
            return _keep_so_far(connection, settings, day, counts, started)

    found = postgres.of_process(settings).run(work)
    if found:
        _refuse_flood(settings, day, found.counts)
        _migrate_waiting(settings, found)
    return found


def _migrate_waiting(settings: Settings, found: SoFar) -> None:
    """Loads who had lost a ``ccbCode`` that is free now."""
    if found.freed:
        migrate_ids(settings, found.freed)


def _read(connection: Connection, settings: Settings, day: date, progress: Reading) -> Counts:
    """Stages the date; after a flood of rejections only these are kept, to show what is wrong."""
    batch, zone = day.toordinal(), settings.zone
    loading.discard(connection, batch)
    rules = fingerprint.key(settings.zone, settings.strictness)
    erased = erasures.load(connection, settings)
    with source.opened(settings) as origin:
        counts = stage(
            connection,
            BatchSpec(
                batch, day, zone, settings.strictness, erased, horizon=closing.horizon(connection, origin)
            ),
            origin.documents(*settings.bounds(day)),
            known=unchanged.Unchanged(connection, batch, day, rules),
            workers=cluster.workers(settings),
            progress=lambda read: progress(read, origin.share_read()),
            when_read=lambda: temporary.analyse(connection),
        )
        if not counts.lidos:
            closing.refuse_an_empty(origin)
    if _flooded(settings, counts):
        loading.discard(connection, batch)
    return counts


def _keep_so_far(
    connection: Connection, settings: Settings, day: date, counts: Counts, started: datetime
) -> SoFar:
    """Loads a staged date as it is; who may now have a vacated code is ``freed``, for ``migrate_ids``."""
    postgres.lock(connection, *map(table_lock, tables.LOADED))
    return _load_all(connection, settings, day.toordinal(), counts, started, str(day))


def _load_all(
    connection: Connection, settings: Settings, batch: int, counts: Counts, started: datetime, what: str
) -> SoFar:
    """Loads and proves a staged batch under the caller's locks, without a marker; empties its staging.

    Raises:
        NotReconciled: counts or sums differ; ``what`` tells of what.
    """
    found = SoFar(counts)
    for table in tables.LOADED:
        written, freed = _load(connection, settings, table, batch, started)
        found.written[table.name] = written.total
        found.freed += freed
    found.result = reconcile.reconcile(connection, batch, counts.lidos, counts.quarentena)
    if not found.result.ok:
        raise NotReconciled(
            f"{what}: source and target differ in {' and '.join(found.result.differences)};"
            " nothing was changed, the same command tries again"
        )
    unchanged.remember(connection, batch)
    loading.clear(connection, batch)
    return found


def _flooded(settings: Settings, counts: Counts) -> bool:
    return breaker.tripped(counts.lidos, counts.quarentena, settings.max_rejected_share)


def _refuse_flood(settings: Settings, day: date, counts: Counts) -> None:
    if _flooded(settings, counts):
        often = ", ".join(f"{code} {n}" for code, n in counts.most_frequent(3))
        raise CircuitBroken(
            f"{day}: {counts.quarentena} of {counts.lidos} documents were rejected ({often}), none was"
            f" loaded: more than CCB_MAX_REJECTED_SHARE allows; see `ccb-luigi quarantine list --date {day}`"
        )


def load(settings: Settings, table: Table, day: date, show: Show = lambda *_: None) -> loading.Written | None:
    """Loads one table of an extracted date. ``None``: it was done already.

    Raises:
        StagingIncomplete: staging isn't what the extraction's marker says.
    """

    def work(connection: Connection) -> loading.Written | None:
        with _step(connection, table.name, day) as todo:
            if not todo:
                return None
            show("waits for its turn at the table", 5)
            postgres.lock(connection, table_lock(table))
            extraction = _checked_extraction(connection, day, *_read_by(table))
            rows = extraction.contagens["staging"][table.name]
            show(f"compares {rows:,} staged rows with the table", 20)
            written, freed = _load(connection, settings, table, day.toordinal(), extraction.inserted)
            show("marks and commits", 90)
            if extraction.contagens.get("intactos"):
                rows += loading.intact_rows(connection, table, day.toordinal())
            counts = asdict(written) | ({FREED: freed} if freed else {})
            markers.put(connection, table.name, day, rows, counts)
            return written

    return postgres.of_process(settings).run(work)


def reconcile_day(
    settings: Settings, day: date, show: Show = lambda *_: None
) -> reconcile.Reconciliation | None:
    """Proves the date, stores the proof and empties its staging. ``None``: it was done already.

    Raises:
        NotReconciled: counts or sums differ; the row with ``ok = false`` stays, and no marker.
    """

    _migrate_freed(settings, day)
    _migrate_late(settings, day, show)

    def work(connection: Connection) -> reconcile.Reconciliation | None:
        with _step(connection, markers.RECONCILIATION, day) as todo:
            if not todo:
                return None
            # The look at both tables takes several statements: no other date may move them meanwhile.
            show("waits for its turn at the tables", 50)
            postgres.lock(connection, table_lock(tables.operacoes), table_lock(tables.parcelas))
            show("counts and adds up both sides", 60)
            batch = day.toordinal()
            extraction = _checked_extraction(connection, day, tables.staged_contratos)
            counts = extraction.contagens
            result = reconcile.reconcile(connection, batch, counts["lidos"], counts["quarentena"])
            reconcile.put(connection, day, result)
            if result.ok:
                show("empties staging, marks and commits", 90)
                if _all_loaded_since(connection, day, extraction):
                    unchanged.remember(connection, batch)
                else:  # `rerun --table`: nobody has compared the other tables with what was read now
                    unchanged.forget(connection, day)
                loading.clear(connection, batch)
                markers.put(connection, markers.RECONCILIATION, day, result.lidos, {})
            return result

    result = postgres.of_process(settings).run(work)
    if result and not result.ok:
        raise NotReconciled(
            f"{day}: source and target differ in {' and '.join(result.differences)};"
            f" `ccb-luigi rerun --date {day}` reads the date again"
        )
    return result


def _all_loaded_since(connection: Connection, day: date, extraction: markers.Marker) -> bool:
    loads = [markers.find(connection, table.name, day) for table in tables.LOADED]
    return all(load and load.inserted > extraction.inserted for load in loads)


def migrate_ids(settings: Settings, ids: list[str]) -> tuple[Counts, int]:
    """Migrates single documents by ``_id``, whatever their date, in one transaction of all tables.

    Returns the counts, and how many rejections were closed because their document is gone.
    """

    def work(connection: Connection) -> tuple[Counts, int]:
        schema.check(connection)
        postgres.lock(connection, "avulsos", *map(table_lock, tables.LOADED))
        loading.discard(connection, AD_HOC)
        started = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        erased = erasures.load(connection, settings)
        with source.opened(settings) as origin:
            task = BatchSpec(AD_HOC, None, settings.zone, settings.strictness, erased)
            counts = stage(connection, task, origin.by_ids(ids))
            if not counts.lidos:
                closing.refuse_an_empty(origin)
        # What a vacated code sets free here, the next retry or date loads.
        result = _load_all(connection, settings, AD_HOC, counts, started, "documents loaded by _id").result
        if result:
            counts.quarentena = result.quarentena
        # That a dump doesn't hold a document doesn't say that it is gone.
        return counts, 0 if settings.source else quarantine.close_gone(connection, ids)

    return postgres.of_process(settings).run(work)


def table_lock(table: Table) -> str:
    """The name of the lock that whoever writes into the table holds."""
    return f"tabela {table.name}"


@contextmanager
def _step(connection: Connection, step: str, day: date) -> Iterator[bool]:
    """Locks the step and tells whether it is still to be done."""
    schema.check(connection)
    postgres.lock(connection, markers.update_id(step, day))
    yield markers.find(connection, step, day) is None


def _migrate_freed(settings: Settings, day: date) -> None:
    """Loads the documents that had lost a ``ccbCode`` which the date's load of operacoes vacated.

    Otherwise it would depend on the order of the dates who has the code (contract §3.2).
    """
    target = postgres.of_process(settings)
    loaded = target.run(lambda connection: markers.find(connection, tables.operacoes.name, day))
    if loaded and loaded.contagens.get(FREED):
        migrate_ids(settings, loaded.contagens[FREED])


def _migrate_late(settings: Settings, day: date, show: Show) -> None:
    """Loads what was committed into the last hours before the date after its own date had been read.

    No part of this date's proof. What was committed later still, or has an odd time, is the sweep's.
    """
    if settings.source or not settings.overlap_hours:
        return

    def work(connection: Connection) -> list[str]:
        schema.check(connection)
        start, first = settings.bounds(day)[0], _overlap_from(connection, settings, day)
        if markers.find(connection, markers.RECONCILIATION, day) or first >= start:
            return []
        judge = judge_of(settings.zone, settings.strictness)
        with source.live(settings) as origin:
            erased = erasures.load(connection, settings)
            missing.note(connection, judge, origin.versions_in(first, start), erased=erased)
            groups = missing.unsettled(connection, origin, judge)
            return [found.mongo_id for group in groups for found in group]

    show("looks for what was committed late", 5)
    late = postgres.of_process(settings).run(work)
    for n in range(0, len(late), missing.GROUP):
        show(f"loads late documents: {n:,} of {len(late):,}", 10 + 40 * n / len(late))
        migrate_ids(settings, late[n : n + missing.GROUP])


def _overlap_from(connection: Connection, settings: Settings, day: date) -> datetime:
    """Where the overlap begins: within dates that are done, since the others will be read anyway."""
    start, _ = settings.bounds(day)
    since = start.astimezone(UTC) - timedelta(hours=settings.overlap_hours)
    last = day.toordinal() - 1
    before = [date.fromordinal(n) for n in range(last, max(0, last - LONGEST_OVERLAP // 24 - 1), -1)]
    name = markers.RECONCILIATION
    done = closing.done(connection, settings, [markers.update_id(name, each) for each in before])
    for each in before:
        if start <= since or markers.update_id(name, each) not in done:
            break
        start = settings.bounds(each)[0]
    return max(start, since)


def load_batch(connection: Connection, table: Table, batch: int, read_at: datetime) -> list[str]:
    """Loads a table of a batch under the caller's locks.

    Returns the ``mongo_id`` of those who lost their code, or may now have a vacated one, for ``migrate_ids``.
    """
    _, freed, losers = _load_and_name(connection, table, batch, read_at)
    return [*freed, *losers]


def _load(
    connection: Connection, settings: Settings, table: Table, batch: int, read_at: datetime
) -> tuple[loading.Written, list[str]]:
    """Loads a table; for operacoes also the ``mongo_id`` of those who may now have a vacated code."""
    written, freed, losers = _load_and_name(connection, table, batch, read_at)
    if losers:
        _quarantine_duplicates(connection, settings, losers)
    return written, freed


def _load_and_name(
    connection: Connection, table: Table, batch: int, read_at: datetime
) -> tuple[loading.Written, list[str], list[str]]:
    """Also who may now have a code that was vacated, and who lost theirs to a newer document."""
    look_up_by_keys(connection, batch)
    if table is not tables.operacoes:
        return loading.load(connection, table, batch), [], []
    vacated = loading.classify(connection, batch)
    freed = quarantine.waiting_for(connection, vacated) if vacated else []
    losers = [*loading.duplicates(connection, batch), *loading.displaced(connection, batch)]
    written = loading.load(connection, table, batch)
    quarantine.close_loaded(connection, batch, read_at)
    return written, freed, losers


def _quarantine_duplicates(connection: Connection, settings: Settings, ids: list[str]) -> None:
    """Their bytes are read again: one side of each pair may have been loaded weeks ago."""
    judge = judge_of(settings.zone, settings.strictness)
    erased = erasures.load(connection, settings)
    missing = dict.fromkeys(ids)
    with source.opened(settings) as origin:
        for raw in origin.by_ids(ids):
            name = name_of(raw)
            if name in missing:
                del missing[name]
                judged = judge.judge(raw)  # it may have become unfit as well
                rejection = judged if isinstance(judged, Refused) else quarantine.duplicate(name, raw)
                if erased and erased.drops(rejection):  # it is an erased client's by now
                    continue
                partition = judge.partition_of_raw(raw) or judge.today()
                quarantine.put(connection, [rejection], partition)
    # Of those that are gone a closed row tells that they were here: clients may come from them.
    quarantine.put(connection, [quarantine.duplicate(name, b"") for name in missing], judge.today())
    quarantine.close(connection, list(missing))


def _read_by(table: Table) -> list[Table]:
    """What of staging the load of a table reads."""
    findings = [tables.staged_qualidade] if table is tables.operacoes else []
    return [tables.STAGED[table.name], tables.staged_contratos, *findings]


def _checked_extraction(connection: Connection, day: date, *staged: Table) -> markers.Marker:
    extraction = markers.find(connection, markers.EXTRACTION, day)
    if extraction is None:
        raise StagingIncomplete(f"{day}: nothing is staged; `ccb-luigi rerun --date {day}` extracts it")
    expected = extraction.contagens["staging"]
    names = [table.name for table in staged]
    for name, found in loading.staged_counts(connection, day.toordinal(), *names).items():
        if found != expected.get(name, 0):
            raise StagingIncomplete(
                f"{day}: staging.{name} holds {found} rows, the extraction wrote {expected.get(name, 0)};"
                f" `ccb-luigi rerun --date {day}` extracts the date again"
            )
    return extraction
