"""The steps of a date's migration, as plain functions: extract, load (per table), reconcile.

Each step is one PostgreSQL transaction that ends with the step's marker. Each begins with the step's
advisory lock and looks for the marker again under it, so that of two runners one does the work and the
other finds it done.
"""

from __future__ import annotations

import logging
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Connection, Table

from ccb_luigi import tables
from ccb_luigi.database import postgres, schema
from ccb_luigi.documents import fingerprint
from ccb_luigi.documents.block import judge_of
from ccb_luigi.errors import CircuitBroken, NotCovered, NotReconciled, StagingIncomplete
from ccb_luigi.load import (
    breaker,
    by_id,
    circumstances,
    closing,
    cluster,
    erasures,
    loading,
    markers,
    missing,
    quarantine,
    reconcile,
    unchanged,
    whole,
)
from ccb_luigi.load.batch import Batch
from ccb_luigi.load.staging import Counts
from ccb_luigi.load.whole import Loaded, Reading, Show
from ccb_luigi.settings import LONGEST_OVERLAP, Settings
from ccb_luigi.sources import source

log = logging.getLogger(__name__)

FREED = "liberados"
"""In the marker of operacoes: the documents that wait for a code that this load vacated."""


def extract(settings: Settings, day: date, progress: Reading = lambda *_: None) -> Counts | None:
    """Reads the date's documents once, into staging and quarantine. ``None``: it was done already.

    Raises:
        NotOver: the date hasn't ended; nothing was read.
        SourceError: the source can't be read, or holds no document at all.
        CircuitBroken: too many were rejected; they are in the quarantine, and nothing is staged.
        NotCovered: the source is a dump that ends before the date; it was loaded, and not marked.
    """

    def work(connection: Connection) -> Counts | Loaded | None:
        if not _begin_extraction(connection, settings, day):
            return None
        closing.refuse_what_is_not_over(settings, day, connection)
        batch = Batch.of_date(connection, day)
        batch.discard()
        read_at = whole.now(connection)
        counts = _stage(batch, settings, day, progress)
        if _flooded(settings, counts):  # only what is rejected is kept, to show what is wrong
            batch.discard()
            return counts
        if not closing.covered(settings, day, counts.mais_novo):
            return whole.load_staged(settings, batch, counts, read_at, day)
        zone = {circumstances.ZONE: settings.timezone}
        markers.put(connection, markers.EXTRACTION, day, counts.lidos, asdict(counts) | zone)
        log.info("%s: %s", day, counts.told_roads)
        return counts

    found = postgres.of_process(settings).run(work)
    if isinstance(found, Loaded):
        by_id.settle(settings, found.freed)
        why = closing.why_not_covered(settings, found.counts.mais_novo)
        raise NotCovered(f"{day}: {found.result.told}, so far and without a marker: {why}")
    if found:
        _refuse_flood(settings, day, found)
    return found


def load_so_far(settings: Settings, day: date, progress: Reading = lambda *_: None) -> Loaded | None:
    """Loads what the source holds of a date that may not be over, by the same rules, in one transaction.

    No marker, so that the date is read again when it is over. ``None``: it is marked by now.

    Raises:
        CircuitBroken: too many were rejected; they are in the quarantine, and nothing else was kept.
    """

    def work(connection: Connection) -> Loaded | None:
        if not _begin_extraction(connection, settings, day):
            return None
        batch = Batch.own(connection, day.toordinal())
        read_at = whole.now(connection)
        counts = _stage(batch, settings, day, progress)
        if _flooded(settings, counts):
            return Loaded(counts)
        return whole.load_staged(settings, batch, counts, read_at, day)

    found = postgres.of_process(settings).run(work)
    if found:
        _refuse_flood(settings, day, found.counts)
        by_id.settle(settings, found.freed)
    return found


def _begin_extraction(connection: Connection, settings: Settings, day: date) -> bool:
    """Whether the date is still to be read: of several runners the others wait here."""
    schema.check(connection)
    closing.reopen(connection, settings, day)
    return _begin(connection, markers.EXTRACTION, day)


def _stage(batch: Batch, settings: Settings, day: date, progress: Reading) -> Counts:
    rules = fingerprint.key(settings.zone, settings.strictness)
    return whole.stage(
        settings,
        batch,
        lambda origin: origin.documents(*settings.bounds(day)),
        day=day,
        unchanged=unchanged.Unchanged(batch, day, rules),
        workers=cluster.workers(settings),
        progress=progress,
    )


def _flooded(settings: Settings, counts: Counts) -> bool:
    return breaker.tripped(counts.lidos, counts.quarentena, settings.max_rejected_share)


def _refuse_flood(settings: Settings, day: date, counts: Counts) -> None:
    if _flooded(settings, counts):
        often = ", ".join(f"{code} {n}" for code, n in counts.most_frequent(3))
        raise CircuitBroken(
            f"{day}: {counts.quarentena} of {counts.lidos} documents were rejected ({often}), none was"
            f" loaded: more than CCB_MAX_REJECTED_SHARE allows; see `ccb-luigi quarantine list --date {day}`"
        )


def load_table(
    settings: Settings, table: Table, day: date, show: Show = lambda *_: None
) -> loading.Written | None:
    """Loads one table of an extracted date. ``None``: it was done already.

    Raises:
        StagingIncomplete: staging isn't what the extraction's marker says.
    """

    def work(connection: Connection) -> loading.Written | None:
        schema.check(connection)
        if not _begin(connection, table.name, day):
            return None
        show("waits for its turn at the table", 5)
        postgres.lock(connection, whole.table_lock(table))
        batch = Batch.of_date(connection, day)
        findings = [tables.staged_qualidade] if table is tables.operacoes else []
        staged = [tables.STAGED[table.name], tables.staged_contratos, *findings]
        extraction = _checked_extraction(batch, day, *staged)
        rows = extraction.contagens["staging"][table.name]
        show(f"compares {rows:,} staged rows with the table", 20)
        written, freed = whole.write(settings, batch, table, extraction.inserted)
        show("marks and commits", 90)
        if extraction.contagens.get("intactos"):
            rows += loading.intact_rows(batch, table)
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

    def work(connection: Connection) -> reconcile.Reconciliation | None:
        schema.check(connection)
        if not _begin(connection, markers.RECONCILIATION, day):
            return None
        # The look at both tables takes several statements: no other date may move them meanwhile.
        show("waits for its turn at the tables", 50)
        postgres.lock(connection, *map(whole.table_lock, (tables.operacoes, tables.parcelas)))
        show("counts and adds up both sides", 60)
        batch = Batch.of_date(connection, day)
        extraction = _checked_extraction(batch, day, tables.staged_contratos)
        read = {day: [extraction.contagens[name] for name in ("lidos", "quarentena")]}
        result = reconcile.total(reconcile.reconcile(batch, read).values())
        reconcile.put(connection, day, result)
        if result.ok:
            show("empties staging, marks and commits", 90)
            if _all_loaded_since(connection, day, extraction):
                unchanged.remember(batch)
            else:  # `rerun --table`: nobody has compared the other tables with what was read now
                unchanged.forget(connection, day)
            batch.clear()
            markers.put(connection, markers.RECONCILIATION, day, result.lidos, {})
        return result

    _settle(settings, day)
    _migrate_late(settings, day, show)
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


def _begin(connection: Connection, step: str, day: date) -> bool:
    """Locks the step and tells whether it is still to be done."""
    postgres.lock(connection, markers.update_id(step, day))
    return markers.find(connection, step, day) is None


def _settle(settings: Settings, day: date) -> None:
    """What the date's load of operacoes means for the codes of others."""

    def look(connection: Connection) -> tuple[list[str], list[str]]:
        loaded = markers.find(connection, tables.operacoes.name, day)
        freed = loaded.contagens.get(FREED, []) if loaded else []
        return freed, quarantine.without_document(connection)

    freed, lost = postgres.of_process(settings).run(look)
    if freed or lost:
        by_id.settle(settings, freed)


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
            erased = erasures.known(connection, settings)
            missing.note(connection, judge, origin.versions_in(first, start), erased=erased)
            groups = missing.unsettled(connection, origin, judge)
            return [found.mongo_id for group in groups for found in group]

    show("looks for what was committed late", 5)
    late = postgres.of_process(settings).run(work)
    for n in range(0, len(late), missing.GROUP):
        show(f"loads late documents: {n:,} of {len(late):,}", 10 + 40 * n / len(late))
        by_id.migrate_ids(settings, late[n : n + missing.GROUP])


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


def _checked_extraction(batch: Batch, day: date, *staged: Table) -> markers.Marker:
    extraction = markers.find(batch.connection, markers.EXTRACTION, day)
    if extraction is None:
        raise StagingIncomplete(f"{day}: nothing is staged; `ccb-luigi rerun --date {day}` extracts it")
    expected = extraction.contagens["staging"]
    for name, found in batch.counts(*staged).items():
        if found != expected.get(name, 0):
            raise StagingIncomplete(
                f"{day}: staging.{name} holds {found} rows, the extraction wrote {expected.get(name, 0)};"
                f" `ccb-luigi rerun --date {day}` extracts the date again"
            )
    return extraction
