"""What the page tells, asked of the markers, the proofs, the quarantine and the findings.

Only ids, fields, codes, dates, counts and sums: nothing here can hold a person's data.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime

from sqlalchemy import Connection, text

from ccb_luigi.database import schema
from ccb_luigi.load import circumstances, quarantine, reconcile, recount, status
from ccb_luigi.load.circumstances import Doubt
from ccb_luigi.load.quarantine import Entry
from ccb_luigi.load.reconcile import Reconciliation
from ccb_luigi.load.recount import Recount
from ccb_luigi.load.status import Day, InTable, Sweep
from ccb_luigi.settings import Settings


@dataclass(frozen=True, slots=True)
class CodeCount:
    """One code: how many open rejections (or contracts with the finding), how many of the page's date."""

    code: str
    total: int
    of_day: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A step that failed tonight, in the words of its error; ``runbook``: where to read on."""

    step: str
    day: date | None
    message: str
    exit_code: int = 0
    runbook: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything on the page.

    ``days`` ends with ``day`` and is the oldest first. ``nightly_days``: so many of the last ones must be
    complete. ``started``: the first date that anything is known of; ``None`` before the first run.
    ``so_far``: the dates, the day after among them, of which there are contracts and no marker.
    ``password_ends``: of who loads, if that is soon. ``doubts``: see ``circumstances``. ``recount``: what the
    last night counted again. ``read_at`` is in the zone of the partitions. ``sweep``: the last that ended.
    ``closed``: rejections that were, in the last 24 hours.
    """

    day: date
    nightly_days: int
    days: tuple[Day, ...]
    started: date | None = None
    so_far: tuple[Day, ...] = ()
    password_ends: date | None = None
    doubts: tuple[Doubt, ...] = ()
    recount: Recount | None = None
    seconds: dict[tuple[date, str], float] = field(default_factory=dict)
    proofs: dict[date, Reconciliation] = field(default_factory=dict)
    flagged: dict[date, int] = field(default_factory=dict)
    rejections: tuple[CodeCount, ...] = ()
    findings: tuple[CodeCount, ...] = ()
    open_rejections: tuple[Entry, ...] = ()
    failures: tuple[Failure, ...] = ()
    read_at: datetime | None = None
    sweep: Sweep | None = None
    in_tables: dict[str, InTable] = field(default_factory=dict)
    closed: int = 0

    @property
    def states(self) -> dict[date, str]:
        """What is wrong with each date, or nothing (then it isn't in it): see ``status.STATES``."""
        return status.states(self.days, self.started, self.nightly_days)


def gather(connection: Connection, settings: Settings, day: date, count: int) -> Facts:
    """The facts of the ``count`` dates up to ``day``, all as of one moment.

    The transaction must be fresh: it becomes a read-only snapshot.
    """
    connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    schema.check(connection)
    days = status.last_days(connection, settings, day, max(count, settings.nightly_days))
    known = [*days, *status.day_after(connection, settings, day)]
    window = {"first": days[0].day, "last": day}
    ends = status.password_ends(connection)
    return Facts(
        day=day,
        nightly_days=settings.nightly_days,
        days=tuple(days),
        so_far=tuple(each for each in known if each.so_far),
        password_ends=ends.astimezone(settings.zone).date() if ends else None,
        doubts=tuple(circumstances.of_tables(connection, settings, day)),
        recount=recount.last(connection),
        started=status.first_known(connection),
        seconds=_seconds(connection, window),
        proofs=reconcile.stored(connection, "particao BETWEEN :first AND :last", **window),
        flagged=_flagged(connection, window),
        rejections=_by_code(connection, day, "*", _OPEN),
        findings=_by_code(connection, day, "DISTINCT ccb_code", "controle.qualidade"),
        open_rejections=tuple(quarantine.open_entries(connection)),
        read_at=connection.execute(text("SELECT now()")).scalar_one().astimezone(settings.zone),
        sweep=_local(status.last_sweep(connection), settings),
        in_tables=status.in_tables(connection),
        closed=status.closed_lately(connection),
    )


def of_status(connection: Connection, settings: Settings, days: list[Day]) -> Facts:
    """As much of it as the verdict needs, of dates that were asked for already."""
    window = {"first": days[0].day, "last": days[-1].day}
    return Facts(
        day=days[-1].day,
        nightly_days=settings.nightly_days,
        days=tuple(days),
        started=status.first_known(connection),
        proofs=reconcile.stored(connection, "particao BETWEEN :first AND :last", **window),
        open_rejections=tuple(quarantine.open_entries(connection)),
        sweep=_local(status.last_sweep(connection), settings),
        recount=recount.last(connection),
    )


def _local(sweep: Sweep | None, settings: Settings) -> Sweep | None:
    return sweep and replace(sweep, terminada_em=sweep.terminada_em.astimezone(settings.zone))


def _seconds(connection: Connection, window: dict[str, date]) -> dict[tuple[date, str], float]:
    query = """
        SELECT particao, target_table, segundos FROM table_updates
        WHERE particao BETWEEN :first AND :last AND segundos IS NOT NULL
    """
    return {(day, step): float(took) for day, step, took in connection.execute(text(query), window)}


def _flagged(connection: Connection, window: dict[str, date]) -> dict[date, int]:
    query = """
        SELECT particao, count(DISTINCT ccb_code) AS contratos FROM controle.qualidade
        WHERE particao BETWEEN :first AND :last GROUP BY particao
    """
    return {row.particao: row.contratos for row in connection.execute(text(query), window)}


_OPEN = "controle.quarentena, unnest(codigos) AS codigo WHERE resolvido_em IS NULL"


def _by_code(connection: Connection, day: date, what: str, rows: str) -> tuple[CodeCount, ...]:
    query = f"""
        SELECT codigo, count({what}), count({what}) FILTER (WHERE particao = :day)
        FROM {rows} GROUP BY codigo ORDER BY 2 DESC, 1
    """
    return tuple(CodeCount(*row) for row in connection.execute(text(query), {"day": day}))
