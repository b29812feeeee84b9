"""What has been done, from the markers and the proofs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import Connection, select, text

from ccb_luigi import tables
from ccb_luigi.load import closing, markers
from ccb_luigi.settings import Settings
from ccb_luigi.tables import reconciliacoes, table_updates, varreduras

_TOUCHED = ("inserted", "updated", "deleted")

DAYS_TO_RENEW = 7
"""So long before its end a password is told of; PostgreSQL 19 itself warns at each login then."""


@dataclass(slots=True)
class Day:
    """One date.

    ``rows``: step → rows that the date has for it (documents, for the extraction and the proof); missing
    steps aren't in it. ``written``: table → rows that its load really touched. ``proven``: the last
    reconciliation, ``None`` if there was none. ``quarantined``: the date's open rejections. ``early``: it
    was marked before it was over, which counts for nothing. ``so_far``: its contracts in the tables, if it
    isn't marked. ``roads``: how its documents were read (``judge.ROADS``), those that were judged.
    """

    day: date
    rows: dict[str, int] = field(default_factory=dict)
    written: dict[str, int] = field(default_factory=dict)
    proven: bool | None = None
    quarantined: int = 0
    early: bool = False
    so_far: int = 0
    roads: dict[str, int] = field(default_factory=dict)

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
    carregados: int
    marcados_excluidos: int
    reaparecidos: int
    em_aberto: int


@dataclass(frozen=True, slots=True)
class Sums:
    """Counts and sums (in reais) over the proofs of all dates."""

    datas: int
    lidos: int
    carregados: int
    sem_mudanca: int
    obsoletos: int
    quarentena: int
    soma_valor_bruto_origem: Decimal
    soma_valor_bruto_destino: Decimal
    soma_prestacoes_origem: Decimal
    soma_prestacoes_destino: Decimal


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
            days[day].written[step] = sum(counts.get(name, 0) for name in _TOUCHED)
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
    for day, number in connection.execute(text(_SO_FAR), {"days": unmarked}) if unmarked else ():
        days[day].so_far = number
    return list(days.values())


_SO_FAR = """
    SELECT particao, count(*) FROM controle.versoes
    WHERE particao = ANY(CAST(:days AS date[])) GROUP BY particao
"""


def day_after(connection: Connection, settings: Settings, day: date) -> list[Day]:
    """The day after, which may be today, if anything of it is known by now."""
    if day == date.max:
        return []
    (after,) = last_days(connection, settings, day + timedelta(days=1), 1)
    return [after] if after.rows or after.so_far or after.quarantined else []


def last_sweep(connection: Connection) -> Sweep | None:
    """The sweep that ended last; one that was killed or stopped has left no row."""
    columns = [varreduras.c[name] for name in Sweep.__dataclass_fields__]
    row = connection.execute(select(*columns).order_by(varreduras.c.id.desc()).limit(1)).one_or_none()
    return Sweep(*row) if row else None


_ROLE_ENDS = """
    SELECT rolvaliduntil FROM pg_roles
    WHERE rolname = session_user AND rolvaliduntil < now() + make_interval(days => :days)
"""


def password_ends(connection: Connection) -> datetime | None:
    """When the password of this session's user expires, if that is within ``DAYS_TO_RENEW`` days."""
    found: datetime | None = connection.execute(text(_ROLE_ENDS), {"days": DAYS_TO_RENEW}).scalar()
    return found


def sums(connection: Connection) -> Sums:
    """The proofs of all dates together."""
    names = list(Sums.__dataclass_fields__)
    columns = ", ".join(f"coalesce(sum({name}), 0) AS {name}" for name in names if name != "datas")
    row = connection.execute(text(f"SELECT count(*) AS datas, {columns} FROM controle.reconciliacoes")).one()
    return Sums(**row._mapping)


def table_rows(connection: Connection, names: list[str]) -> dict[str, int]:
    """Rows per table, counted."""
    return {name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in names}
