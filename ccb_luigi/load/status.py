"""Where things stand, asked of the tables: each date, what is wrong with it, and how the last sweep ended.

``status``, the morning page and the metrics all tell what is decided here. (How far a plan is:
``backfill_plan.progress``.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, select, text

from ccb_luigi import tables
from ccb_luigi.load import breaker, closing, markers, recount
from ccb_luigi.settings import Settings
from ccb_luigi.tables import reconciliacoes, table_updates, varreduras

SWEEP = varreduras.name
"""The step that a sweep is told as, beside the dates' own."""

DAYS = 30
"""So many dates the page and the metrics look back unless told otherwise."""

CHANGES = ("inserted", "updated", "deleted")
"""What a load does with rows, as its marker counts them."""

MOST_COUNTED = 1_000_000
"""A table that the planner expects to hold more rows isn't counted: ten million take seconds."""

DAYS_TO_RENEW = 7
"""So long before its end a password is told of; PostgreSQL 19 itself warns at each login then."""


@dataclass(slots=True)
class Day:
    """One date.

    ``rows``: step → rows that the date has for it (documents, for the extraction and the proof); missing
    steps aren't in it. ``written``: table → rows that its load really touched. ``proven``: the last
    reconciliation, ``None`` if there was none. ``quarantined``: the date's open rejections. ``early``: it
    was marked before it was over, which counts for nothing. ``so_far``: its contracts in the tables, if it
    isn't marked. ``roads``: how its documents were read (``valid.ROADS``), those that were judged. ``lost``:
    table → rows that the last night's recount no longer found.
    """

    day: date
    rows: dict[str, int] = field(default_factory=dict)
    written: dict[str, int] = field(default_factory=dict)
    proven: bool | None = None
    quarantined: int = 0
    early: bool = False
    so_far: int = 0
    roads: dict[str, int] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)

    @property
    def missing(self) -> list[str]:
        """The steps without a marker that counts."""
        return [step for step in markers.STEPS if self.early or step not in self.rows]


@dataclass(frozen=True, slots=True)
class Sweep:
    """How a sweep ended: a row of ``controle.varreduras``. ``motivo``: why it wasn't ``ok``."""

    terminada_em: datetime
    ok: bool
    motivo: str | None
    lidos_origem: int
    contratos_destino: int
    carregados: int
    sumidos: int
    marcados_excluidos: int
    reaparecidos: int
    em_aberto: int


@dataclass(frozen=True, slots=True)
class InTable:
    """The rows that a table holds; ``about``: as the planner estimates them."""

    rows: int
    about: bool = False


@dataclass(frozen=True, slots=True)
class Proven:
    """How many dates are proven, whichever is shown; the first and the last of them."""

    dates: int
    first: date | None
    last: date | None


def last_days(connection: Connection, settings: Settings, until: date, count: int) -> list[Day]:
    """The ``count`` dates up to ``until``, oldest first."""
    first = until - timedelta(days=count - 1)
    days = {day: Day(day) for day in (first + timedelta(days=n) for n in range(count))}
    columns = (table_updates.c[name] for name in ("particao", "target_table", "linhas", "contagens"))
    marked = select(*columns).where(table_updates.c.particao.between(first, until))
    for day, step, rows, counts in connection.execute(marked):
        days[day].rows[step] = rows
        if step == markers.EXTRACTION:
            days[day].roads = counts.get("roads", {})
        if step in tables.BY_NAME:
            days[day].written[step] = sum(counts.get(name, 0) for name in CHANGES)
    proofs = select(reconciliacoes.c.particao, reconciliacoes.c.ok)
    for day, ok in connection.execute(proofs.where(reconciliacoes.c.particao.between(first, until))):
        days[day].proven = ok
    rejected = text("""
        SELECT particao, count(*) FROM controle.quarentena
        WHERE resolvido_em IS NULL AND particao BETWEEN :first AND :until GROUP BY particao
    """)
    for day, number in connection.execute(rejected, {"first": first, "until": until}):
        days[day].quarantined = number
    for day in closing.early(connection, settings, first, until):
        days[day].early = True
    unmarked = [day for day, found in days.items() if found.early or markers.EXTRACTION not in found.rows]
    so_far = text("""
        SELECT particao, count(*) FROM controle.versoes
        WHERE particao = ANY(CAST(:days AS date[])) GROUP BY particao
    """)
    for day, number in connection.execute(so_far, {"days": unmarked}) if unmarked else ():
        days[day].so_far = number
    counted = recount.last(connection)
    for each in counted.lost if counted else ():
        if each.day in days:
            days[each.day].lost[each.table] = each.rows
    return list(days.values())


def day_after(connection: Connection, settings: Settings, day: date) -> list[Day]:
    """The day after, which may be today, if anything of it is known by now."""
    if day == date.max:
        return []
    (after,) = last_days(connection, settings, day + timedelta(days=1), 1)
    return [after] if after.rows or after.so_far or after.quarantined else []


STATES = ("missing", "early", "breaker", "differs", "lost", "gap")
"""What may be wrong with a date.

missing: begun and not ended, or not begun though a night looks back so far. early: marked before it was over.
breaker: too many of its documents were rejected. differs: source and tables do. lost: rows that it loaded are
no longer there. gap: an old date without a trace, which may have had no documents.
"""


def states(days: Sequence[Day], first: date | None, nightly_days: int) -> dict[date, str]:
    """Date → one of ``STATES``, for each date with which something is wrong. ``days``: the oldest first.

    ``first``: the first date that anything is known of, if there is one. ``nightly_days``: so many of the
    last dates must be complete, whether anything of them is known or not.
    """
    found = ((day.day, _state(day, first, nights_begin(days[-1].day, nightly_days))) for day in days)
    return {day: state for day, state in found if state}


def nights_begin(last: date, nightly_days: int) -> date:
    """The first of the dates that a night looks back to."""
    return last - timedelta(days=nightly_days - 1)


def _state(day: Day, first: date | None, begin: date) -> str:
    if day.proven is False:
        return "differs"
    if day.early:
        return "early"
    if day.lost:
        return "lost"
    if not day.missing or first is None or day.day < first:
        return ""
    if not day.rows and not day.so_far and day.quarantined >= breaker.FEWEST:
        return "breaker"  # its rejections were kept, and nothing else of it
    return "missing" if day.rows or day.day >= begin else "gap"


def first_known(connection: Connection) -> date | None:
    """The first date that anything is known of; ``None`` before the first run."""
    # 1970-01-01 is where documents without any date are: not when the migrations began.
    found: date | None = connection.execute(
        text("""
            SELECT min(particao) FROM (
                SELECT min(particao) AS particao FROM table_updates WHERE particao > '1970-01-01'
                UNION ALL SELECT min(particao) FROM controle.reconciliacoes WHERE particao > '1970-01-01'
                UNION ALL SELECT min(particao) FROM controle.quarentena WHERE particao > '1970-01-01'
            ) AS known
        """)
    ).scalar()
    return found


def last_sweep(connection: Connection) -> Sweep | None:
    """The sweep that ended last; one that was killed or stopped has left no row."""
    columns = [varreduras.c[name] for name in Sweep.__dataclass_fields__]
    row = connection.execute(select(*columns).order_by(varreduras.c.id.desc()).limit(1)).one_or_none()
    return Sweep(*row) if row else None


def password_ends(connection: Connection) -> datetime | None:
    """When the password of this session's user expires, if that is within ``DAYS_TO_RENEW`` days."""
    query = text("""
        SELECT rolvaliduntil FROM pg_roles
        WHERE rolname = session_user AND rolvaliduntil < now() + make_interval(days => :days)
    """)
    found: datetime | None = connection.execute(query, {"days": DAYS_TO_RENEW}).scalar()
    return found


def in_tables(connection: Connection) -> dict[str, InTable]:
    """What the eight tables hold by now, whoever put it there; counted, but for large ones."""
    return {name: _in_table(connection, name) for name in tables.BY_NAME}


def _in_table(connection: Connection, name: str) -> InTable:
    # Not reltuples: -1 until the first ANALYZE, and old after a large load. The planner looks at the pages.
    plan = connection.execute(text(f"EXPLAIN (FORMAT JSON) SELECT FROM {name}")).scalar_one()
    expected = int(plan[0]["Plan"]["Plan Rows"])
    if expected > MOST_COUNTED:
        return InTable(expected, about=True)
    return InTable(connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one())


def proven_dates(connection: Connection) -> Proven:
    """The dates that are marked as proven, however old."""
    query = text("""
        SELECT count(DISTINCT particao), min(particao), max(particao) FROM table_updates
        WHERE target_table = :step AND particao > '1970-01-01'
    """)
    return Proven(*connection.execute(query, {"step": markers.RECONCILIATION}).one())


def closed_lately(connection: Connection) -> int:
    """The rejections that were closed in the last 24 hours: by a retry, a run or a sweep."""
    query = "SELECT count(*) FROM controle.quarentena WHERE resolvido_em > now() - interval '24 hours'"
    found: int = connection.execute(text(query)).scalar_one()
    return found
