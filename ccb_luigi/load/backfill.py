"""The migration of a plan: each shard in one transaction with its marker, then the dates' markers and proofs.

A shard stages for itself alone, so any number of them do that at once. Then it takes the locks of all tables
and keeps them to its commit: while one loads, the others read and judge.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from ccb_luigi import tables
from ccb_luigi.database import postgres, schema, temporary
from ccb_luigi.documents.block import BatchSpec
from ccb_luigi.documents.judge import ROADS
from ccb_luigi.errors import CircuitBroken, NotCovered, NotReconciled, PartitionFailed, SourceError
from ccb_luigi.load import (
    backfill_plan,
    breaker,
    closing,
    cluster,
    erasures,
    loading,
    markers,
    pipeline,
    reconcile,
    unchanged,
)
from ccb_luigi.load.missing import GROUP
from ccb_luigi.load.reconcile import Reconciliation
from ccb_luigi.load.staging import Counts, stage
from ccb_luigi.settings import Settings
from ccb_luigi.sources import source

log = logging.getLogger(__name__)

DATES_AT_ONCE = 20
"""Dates that are marked in one transaction: each takes ten advisory locks, and a server has thousands."""


def migrate_shard(
    settings: Settings,
    number: int,
    shard: int,
    progress: Callable[[int], None] = lambda _: None,
    show: pipeline.Show = lambda *_: None,
) -> Reconciliation | None:
    """Migrates a shard of the plan ``number``; returns what became of its documents.

    ``None``: it was done already.

    Raises:
        CircuitBroken: too many of a date were rejected; they are in the quarantine, nothing else is kept.
        NotReconciled: counts or sums differ; nothing is kept.
    """
    name = backfill_plan.shard_marker(number, shard)

    def work(connection: Connection) -> tuple[Counts, Reconciliation | None] | None:
        schema.check(connection)
        postgres.lock(connection, name)
        if markers.done(connection, [name]):
            return None
        ours = backfill_plan.get(connection, number)
        piece = backfill_plan.get_shard(connection, number, shard)
        temporary.own_staging(connection, [table.name for table in tables.STAGING])
        started = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        erased = erasures.load(connection, settings)
        with source.opened(settings) as origin:
            horizon = closing.horizon(connection, origin)
            task = BatchSpec(
                shard, None, settings.zone, settings.strictness, erased, ours.covered, piece, horizon
            )
            if origin.identity() != ours.origem:
                raise SourceError(
                    f"shard {shard}: the source is another one than the plan {number} was made of"
                )
            counts = stage(
                connection, task, origin.shard(piece), workers=cluster.workers(settings), progress=progress
            )
        in_part = breaker.tripped_in_part
        if _tripped(settings, counts.por_data, in_part):  # what is staged goes, what is quarantined stays
            return counts, None
        show("waits for its turn at the tables", 60)
        postgres.lock(connection, *map(pipeline.table_lock, tables.LOADED))
        temporary.analyse(connection)
        waiting: list[str] = []
        for n, table in enumerate(tables.LOADED):
            show(f"loads {table.name}", 65 + 4 * n)
            waiting += pipeline.load_batch(connection, table, shard, started)
        show("counts and adds up both sides", 97)
        results, result = _proven(connection, shard, counts, f"shard {shard} of plan {number}")
        unchanged.remember(connection, shard)
        # Who lost a code or may get one is looked at in the end: a dump is read from end to end for that.
        kept = {"datas": results, pipeline.FREED: waiting, "esquecidos": counts.esquecidos}
        if counts.mais_novo:
            kept["mais_novo"] = counts.mais_novo
        backfill_plan.put_marker(connection, name, backfill_plan.STEP, counts.lidos, kept)
        log.info("shard %s of plan %s: %s", shard, number, counts.told_roads)
        return counts, result

    if (found := postgres.of_process(settings).run(work)) is None:
        return None
    counts, result = found
    if result is None:
        tripped = _tripped(settings, counts.por_data, breaker.tripped_in_part)
        raise CircuitBroken(_too_many(tripped, counts.por_data[tripped[0]], f"shard {shard}: "))
    return result


def close(settings: Settings, number: int, show: pipeline.Show = lambda *_: None) -> list[date] | None:
    """Marks the dates of a plan whose shards are all done; returns these. ``None``: it was done already.

    Raises:
        CircuitBroken: a date has too many rejected documents; it isn't marked, the others are.
        NotCovered: likewise a date that the dump doesn't reach the end of. The plan stays open.
    """
    target = postgres.of_process(settings)

    def look(connection: Connection) -> Ended | None:
        schema.check(connection)
        if markers.done(connection, [backfill_plan.marker(number)]):
            return None
        if missing := backfill_plan.missing(connection, number):
            raise PartitionFailed(f"plan {number}: {len(missing)} of its shards are not done")
        ours = backfill_plan.get(connection, number)
        found = _days(ours, backfill_plan.sums(connection, number))
        began = backfill_plan.began(connection, number)  # an earlier version planned dates that weren't over
        found = {
            day: of for day, of in found.items() if closing.over(settings, date.fromisoformat(day), began)
        }
        finished = closing.complete(connection, settings, ours.desde, ours.ate)
        return Ended(
            found,
            backfill_plan.listed(connection, number, pipeline.FREED),
            backfill_plan.newest(connection, number),
            {day.isoformat() for day in finished},
        )

    if (found := target.run(look)) is None:
        return None
    days, waiting, newest, finished = found
    for n in range(0, len(waiting), GROUP):
        show(f"looks again at documents whose code another had: {n:,} of {len(waiting):,}", 5)
        pipeline.migrate_ids(settings, waiting[n : n + GROUP])
    tripped = _tripped(
        settings, {day: [r.lidos, r.quarentena] for day, (r, _) in days.items() if day not in finished}
    )
    beyond = [
        day
        for day in days
        if day not in tripped and not closing.covered(settings, date.fromisoformat(day), newest)
    ]
    good = [day for day in days if day not in tripped and day not in beyond]
    for n in range(0, len(good), DATES_AT_ONCE):
        show(f"marks {len(good):,} dates", 10 + 85 * n / len(good))
        some = {day: days[day] for day in good[n : n + DATES_AT_ONCE]}
        target.run(lambda connection, some=some: _mark(connection, settings, number, some))  # type: ignore[misc]
    if tripped:
        result, _ = days[tripped[0]]
        raise CircuitBroken(_too_many(tripped, [result.lidos, result.quarentena], ""))
    if beyond:
        told = reconcile.total(days[day][0] for day in beyond).told
        more = f" (and {len(beyond) - 1} more dates)" if len(beyond) > 1 else ""
        why = closing.why_not_covered(settings, newest)
        raise NotCovered(f"{beyond[0]}{more}: {told}, so far and without a marker: {why}")

    def end(connection: Connection) -> None:
        schema.check(connection)
        postgres.lock(connection, backfill_plan.marker(number))
        if not markers.done(connection, [backfill_plan.marker(number)]):
            read = sum(result.lidos for result, _ in days.values())
            backfill_plan.put_marker(connection, backfill_plan.marker(number), "plano", read, {"datas": good})

    target.run(end)
    return [date.fromisoformat(day) for day in good]


_ROWS = " UNION ALL ".join(
    f"""
    SELECT k.particao, '{table.name}' AS tabela, count(*) AS linhas
    FROM staging.contratos k JOIN {tables.STAGED[table.name].fullname} s USING (lote, doc)
    WHERE k.lote = :lote GROUP BY k.particao
    """
    for table in tables.LOADED
)


def _proven(
    connection: Connection, batch: int, counts: Counts, what: str
) -> tuple[dict[str, Any], Reconciliation]:
    """Per date its proof, and how many rows it has for each table; the proof of all together."""
    read = {date.fromisoformat(day): numbers for day, numbers in counts.por_data.items()}
    results = reconcile.reconcile_dates(connection, batch, read)
    for day, result in results.items():
        if not result.ok:
            raise NotReconciled(
                f"{what}: source and target differ in {' and '.join(result.differences)} of {day};"
                " the same command reads the shard again"
            )
    if sum(result.lidos for result in results.values()) != counts.lidos:
        raise NotReconciled(f"{what}: {counts.lidos} documents were read, and its dates hold another number")
    rows: dict[date, dict[str, int]] = {day: {} for day in results}
    for found in connection.execute(text(_ROWS), {"lote": batch}):
        rows[found.particao][found.tabela] = found.linhas
    roads = counts.roads_por_data
    kept: dict[str, dict[str, Any]] = {
        day.isoformat(): {
            **{name: str(value) for name, value in asdict(result).items()},
            **rows[day],
            **roads.get(day.isoformat(), {}),
        }
        for day, result in results.items()
    }
    return kept, reconcile.total(results.values()) if results else Reconciliation(0, 0, 0, 0, 0)


Days = dict[str, tuple[Reconciliation, dict[str, int]]]
"""Date → its proof, its rows per table, and its documents per road (``judge.ROADS``)."""


class Ended(NamedTuple):
    """What the shards of a plan found: ``waiting`` for a code, the ``newest`` time of a dump.

    ``finished``: dates that are complete by now, of whatever run.
    """

    days: Days
    waiting: list[str]
    newest: str
    finished: set[str]


def _days(ours: backfill_plan.Plan, sums: dict[str, dict[str, Decimal]]) -> Days:
    """What all shards together have of each date; of a plan with a first date also the empty ones."""
    days: Days = {}
    if ours.desde:
        every = map(date.fromordinal, range(ours.desde.toordinal(), ours.ate.toordinal() + 1))
        nothing = Reconciliation(0, 0, 0, 0, 0)
        days = {day.isoformat(): (nothing, {}) for day in every if day in ours.covered}
    for day, found in sums.items():
        proof: dict[str, Any] = {
            item.name: found[item.name] if item.name.startswith("soma_") else int(found[item.name])
            for item in fields(Reconciliation)
        }
        days[day] = Reconciliation(**proof), {n: int(number) for n, number in found.items() if n in _NUMBERS}
    return days


_NUMBERS = frozenset({*tables.BY_NAME, *ROADS})

# Without a duration: a shard's is its own, and no date's.
_MARK = """
    INSERT INTO table_updates (update_id, target_table, particao, linhas, contagens)
    VALUES (:id, :step, :day, :rows, CAST(:counts AS jsonb))
"""


def _mark(connection: Connection, settings: Settings, number: int, days: Days) -> None:
    """All markers of the dates, in place of those that a run left half-way. What is complete stays."""
    schema.check(connection)
    parsed = {date.fromisoformat(day): found for day, found in days.items()}
    postgres.lock(connection, *(markers.update_id(step, day) for day in parsed for step in markers.STEPS))
    for day, (result, rows) in parsed.items():
        ids = [markers.update_id(step, day) for step in markers.STEPS]
        if closing.done(connection, settings, ids) == set(ids):
            continue
        if markers.done(connection, ids):
            loading.discard(connection, day.toordinal())
            markers.forget(connection, day)
        roads = {"roads": {road: rows[road] for road in ROADS if road in rows}}
        connection.execute(
            text(_MARK),
            [
                {
                    "id": markers.update_id(step, day),
                    "step": step,
                    "day": day,
                    "rows": rows.get(step, 0) if step in tables.BY_NAME else result.lidos,
                    "counts": json.dumps({"plano": number} | (roads if step == markers.EXTRACTION else {})),
                }
                for step in markers.STEPS
            ],
        )
        reconcile.put(connection, day, result)


def _tripped(
    settings: Settings, read: dict[str, list[int]], rule: Callable[[int, int, float], bool] = breaker.tripped
) -> list[str]:
    """The dates of which too many documents are rejected (contract §3.9)."""
    share = settings.max_rejected_share
    return [day for day, (lidos, rejected) in read.items() if rule(lidos, rejected, share)]


def _too_many(days: list[str], numbers: Sequence[int], what: str) -> str:
    lidos, rejected = numbers
    more = f" (and of {len(days) - 1} more dates)" if len(days) > 1 else ""
    return (
        f"{what}{rejected} of {lidos} documents of {days[0]}{more} were rejected, more than"
        f" CCB_MAX_REJECTED_SHARE allows; see `ccb-luigi quarantine list --date {days[0]}`"
    )
