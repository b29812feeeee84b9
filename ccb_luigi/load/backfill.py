"""The migration of a plan: each shard in one transaction with its marker, then the dates' markers and proofs.

A shard stages for itself alone, so any number of them do that at once. Then it takes the locks of all tables
and keeps them to its commit: while one loads, the others read and judge.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, fields
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import Connection

from ccb_luigi import tables
from ccb_luigi.database import postgres, schema
from ccb_luigi.documents.valid import ROADS
from ccb_luigi.errors import CircuitBroken, NotCovered, PartitionFailed, SourceError
from ccb_luigi.load import (
    backfill_plan,
    breaker,
    by_id,
    circumstances,
    closing,
    cluster,
    markers,
    reconcile,
    whole,
)
from ccb_luigi.load.batch import Batch
from ccb_luigi.load.pipeline import FREED
from ccb_luigi.load.reconcile import Reconciliation
from ccb_luigi.load.staging import Counts
from ccb_luigi.load.whole import Loaded, Show
from ccb_luigi.settings import Settings
from ccb_luigi.sources.source import Source

log = logging.getLogger(__name__)

DATES_AT_ONCE = 20
"""Dates that are marked in one transaction: each takes ten advisory locks, and a server has thousands."""


def migrate_shard(
    settings: Settings,
    number: int,
    shard: int,
    progress: Callable[[int], None] = lambda _: None,
    show: Show = lambda *_: None,
) -> Loaded | None:
    """Migrates a shard of the plan ``number``; returns what became of it.

    ``None``: it was done already.

    Raises:
        CircuitBroken: too many of a date were rejected; they are in the quarantine, nothing else is kept.
        NotReconciled: counts or sums differ; nothing is kept.
    """
    name = backfill_plan.shard_marker(number, shard)

    def work(connection: Connection) -> Loaded | None:
        schema.check(connection)
        postgres.lock(connection, name)
        if markers.done(connection, [name]):
            return None
        batch = Batch.own(connection, shard)
        read_at = whole.now(connection)
        counts = _stage(batch, settings, number, progress)
        if _flooded_in_part(settings, counts):  # what is staged goes, what is quarantined stays
            return Loaded(counts)
        loaded = whole.load_staged(settings, batch, counts, read_at, f"shard {shard} of plan {number}", show)
        kept = {"datas": _told(batch, loaded), FREED: loaded.freed, "esquecidos": counts.esquecidos}
        if counts.mais_novo:
            kept["mais_novo"] = counts.mais_novo
        markers.put(connection, backfill_plan.STEP, None, counts.lidos, kept, name=name)
        log.info("shard %s of plan %s: %s", shard, number, counts.told_roads)
        return loaded

    if (found := postgres.of_process(settings).run(work)) is None:
        return None
    if tripped := _flooded_in_part(settings, found.counts):
        raise CircuitBroken(_too_many(tripped, found.counts.por_data[tripped[0]], f"shard {shard}: "))
    return found


def _stage(batch: Batch, settings: Settings, number: int, progress: Callable[[int], None]) -> Counts:
    """Reads the shard whose number is the batch's."""
    ours = backfill_plan.get(batch.connection, number)
    piece = backfill_plan.get_shard(batch.connection, number, batch.number)

    def documents(origin: Source) -> Iterable[bytes]:
        if origin.identity() != ours.origem:
            raise SourceError(
                f"shard {batch.number}: the source is another one than the plan {number} was made of"
            )
        return origin.shard(piece)

    return whole.stage(
        settings,
        batch,
        documents,
        shard=(ours.covered, piece),
        workers=cluster.workers(settings),
        progress=lambda read, _: progress(read),
    )


def _flooded_in_part(settings: Settings, counts: Counts) -> list[date]:
    return _tripped(settings, counts.por_data, breaker.tripped_in_part)


def close(settings: Settings, number: int, show: Show = lambda *_: None) -> list[date] | None:
    """Marks the dates of a plan whose shards are all done; returns these. ``None``: it was done already.

    Raises:
        CircuitBroken: a date has too many rejected documents; it isn't marked, the others are.
        NotCovered: likewise a date that the dump doesn't reach the end of. The plan stays open.
    """
    target = postgres.of_process(settings)
    if (found := target.run(lambda connection: _look(connection, settings, number))) is None:
        return None
    # Here and not in the shards: a dump is read from end to end for it.
    by_id.settle(settings, found.freed, show)
    days = found.days
    tripped = _tripped(
        settings, {day: [r.lidos, r.quarentena] for day, (r, _) in days.items() if day not in found.finished}
    )
    beyond = [day for day in days if day not in tripped and not closing.covered(settings, day, found.newest)]
    good = [day for day in days if day not in tripped and day not in beyond]
    for n in range(0, len(good), DATES_AT_ONCE):
        show(f"marks {len(good):,} dates", 10 + 85 * n / len(good))
        some = {day: days[day] for day in good[n : n + DATES_AT_ONCE]}
        target.run(lambda connection, some=some: _mark(connection, settings, number, some))  # type: ignore[misc]
    _refuse_what_stays_open(settings, found, tripped, beyond)
    read = sum(result.lidos for result, _ in days.values())
    target.run(lambda connection: _end(connection, number, read, good))
    return good


def _look(connection: Connection, settings: Settings, number: int) -> Ended | None:
    """What its shards found. ``None``: the plan has ended."""
    schema.check(connection)
    if markers.done(connection, [backfill_plan.marker(number)]):
        return None
    if missing := backfill_plan.missing(connection, number):
        raise PartitionFailed(f"plan {number}: {len(missing)} of its shards are not done")
    ours = backfill_plan.get(connection, number)
    found = _days(ours, backfill_plan.sums(connection, number))
    began, newest, freed = backfill_plan.read(connection, number)
    # An earlier version planned dates that weren't over.
    found = {day: of for day, of in found.items() if closing.over(settings, day, began)}
    return Ended(found, freed, newest, {*closing.complete(connection, settings, ours.desde, ours.ate)})


def _refuse_what_stays_open(
    settings: Settings, found: Ended, tripped: list[date], beyond: list[date]
) -> None:
    if tripped:
        result, _ = found.days[tripped[0]]
        raise CircuitBroken(_too_many(tripped, [result.lidos, result.quarentena], ""))
    if beyond:
        told = reconcile.total(found.days[day][0] for day in beyond).told
        more = f" (and {len(beyond) - 1} more dates)" if len(beyond) > 1 else ""
        why = closing.why_not_covered(settings, found.newest)
        raise NotCovered(f"{beyond[0]}{more}: {told}, so far and without a marker: {why}")


def _end(connection: Connection, number: int, read: int, good: list[date]) -> None:
    schema.check(connection)
    name = backfill_plan.marker(number)
    postgres.lock(connection, name)
    if not markers.done(connection, [name]):
        markers.put(connection, "plano", None, read, {"datas": [*map(str, good)]}, name=name)


def _told(batch: Batch, loaded: Loaded) -> dict[str, Any]:
    """Per date, for the shard's marker: its proof, its rows for each table, and how it was read."""
    rows: dict[date, dict[str, int]] = {day: {} for day in loaded.days}
    for table in tables.LOADED:
        of_table = batch.run(f"""
            SELECT k.particao, count(*) AS linhas
            FROM {{contratos}} k JOIN {batch.name(tables.STAGED[table.name])} s USING (lote, doc)
            WHERE k.lote = :lote GROUP BY k.particao
        """)
        for found in of_table:
            rows[found.particao][table.name] = found.linhas
    return {
        day.isoformat(): {
            **{name: str(value) for name, value in asdict(result).items()},
            **rows[day],
            **loaded.counts.roads_por_data.get(day, {}),
        }
        for day, result in loaded.days.items()
    }


Days = dict[date, tuple[Reconciliation, dict[str, int]]]
"""Date → its proof, its rows per table, and its documents per road (``valid.ROADS``)."""


class Ended(NamedTuple):
    """What the shards of a plan found: who may have a ``freed`` code, the ``newest`` time of a dump.

    ``finished``: dates that are complete by now, of whatever run.
    """

    days: Days
    freed: list[str]
    newest: str
    finished: set[date]


def _days(ours: backfill_plan.Plan, sums: dict[date, dict[str, Decimal]]) -> Days:
    """What all shards together have of each date; of a plan with a first date also the empty ones."""
    days: Days = {}
    if ours.desde:
        every = map(date.fromordinal, range(ours.desde.toordinal(), ours.ate.toordinal() + 1))
        days = {day: (reconcile.NOTHING, {}) for day in every if day in ours.covered}
    for day, found in sums.items():
        proof: dict[str, Any] = {
            item.name: found[item.name] if item.name.startswith("soma_") else int(found[item.name])
            for item in fields(Reconciliation)
        }
        days[day] = Reconciliation(**proof), {n: int(number) for n, number in found.items() if n in _NUMBERS}
    return days


_NUMBERS = frozenset({*tables.BY_NAME, *ROADS})


def _mark(connection: Connection, settings: Settings, number: int, days: Days) -> None:
    """All markers of the dates, in place of those that a run left half-way. What is complete stays."""
    schema.check(connection)
    postgres.lock(connection, *(markers.update_id(step, day) for day in days for step in markers.STEPS))
    for day, (result, rows) in days.items():
        ids = [markers.update_id(step, day) for step in markers.STEPS]
        if closing.done(connection, settings, ids) == set(ids):
            continue
        if markers.done(connection, ids):
            Batch.of_date(connection, day).discard()
            markers.forget(connection, day)
        roads = {road: rows[road] for road in ROADS if road in rows}
        extraction = {"roads": roads, circumstances.ZONE: settings.timezone}
        for step in markers.STEPS:
            counts = {"plano": number} | (extraction if step == markers.EXTRACTION else {})
            of_step = rows.get(step, 0) if step in tables.BY_NAME else result.lidos
            # Without a duration: a shard's is its own, and no date's.
            markers.put(connection, step, day, of_step, counts, timed=False)
        reconcile.put(connection, day, result)


def _tripped(
    settings: Settings, read: dict[date, list[int]], rule: Callable[[int, int, float], bool] = breaker.tripped
) -> list[date]:
    """The dates of which too many documents are rejected (contract §3.9)."""
    share = settings.max_rejected_share
    return [day for day, (lidos, rejected) in read.items() if rule(lidos, rejected, share)]


def _too_many(days: list[date], numbers: Sequence[int], what: str) -> str:
    lidos, rejected = numbers
    more = f" (and of {len(days) - 1} more dates)" if len(days) > 1 else ""
    return (
        f"{what}{rejected} of {lidos} documents of {days[0]}{more} were rejected, more than"
        f" CCB_MAX_REJECTED_SHARE allows; see `ccb-luigi quarantine list --date {days[0]}`"
    )
