"""Plans: many dates cut into shards, written down once, so that all workers of all hosts do the same ones.

A plan is open until its dates are marked (``close`` in ``backfill``). The same range asked for again goes on
with the open plan, also on the next day, when "up to yesterday" means one date more: then what is left is
asked for anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, text

from ccb_luigi.database import postgres, schema
from ccb_luigi.documents.shard import Covered, Shard
from ccb_luigi.load import closing
from ccb_luigi.load.pipeline import FREED
from ccb_luigi.settings import Settings
from ccb_luigi.sources import source
from ccb_luigi.sources.queries import EVERYTHING
from ccb_luigi.tables import planos

STEP = "fatias"
"""What a shard's marker says it is of."""

LOCK = "plano"


@dataclass(frozen=True, slots=True)
class Plan:
    """A row of ``controle.planos``."""

    id: int
    origem: str
    fuso: str
    desde: date | None
    ate: date
    feitas: list[date]
    documentos: int
    fatias: int

    @property
    def covered(self) -> Covered:
        """The dates whose documents it migrates."""
        return Covered(self.desde, self.ate, frozenset(self.feitas))


@dataclass(frozen=True, slots=True)
class PlanProgress:
    """How far a plan is, whoever has done it: shards, documents planned for these, documents read in them."""

    shards: int
    planned: int
    read: int


def shard_marker(plan: int, number: int) -> str:
    """``update_id`` of a shard."""
    return f"fatia:{plan}:{number}"


def marker(plan: int) -> str:
    """``update_id`` of a plan whose dates are marked."""
    return f"plano:{plan}"


def ensure(settings: Settings, since: date | None, until: date, *, larger_than: int = 0) -> Plan | None:
    """The open plan of this source and range, else a new one; ``None``: nothing is left that would need one.

    A new one is made if more than ``larger_than`` documents lie in the dates that aren't complete. Whoever
    comes second waits for it.
    """

    def work(connection: Connection) -> Plan | None:
        schema.check(connection)
        closing.refuse_what_is_not_over(settings, until, connection)
        postgres.lock(connection, LOCK)
        with source.opened(settings) as origin:
            identity = origin.identity()
            if found := _newest(connection, settings, identity, since, until, ended=False):
                return found
            done = closing.complete(connection, settings, since, until)
            intervals = list(_intervals(settings, since, until, done))
            if larger_than and not origin.holds_more(intervals, larger_than):
                return None
            shards = list(origin.cut(intervals, settings.shard_documents))
            if not shards:
                closing.refuse_an_empty(origin)
                return None
        values = {"origem": identity, "fuso": settings.timezone, "desde": since, "ate": until, "feitas": done}
        return _put(connection, values, shards)

    return postgres.of_process(settings).run(work)


def ended(settings: Settings, since: date | None, until: date) -> list[date] | None:
    """The dates of a plan that ended, if they are all complete still and the source can't have changed since.

    Only a dump never changes: asking it for its dates again would mean reading it from end to end.
    """
    if not settings.source:
        return None

    def work(connection: Connection) -> list[date] | None:
        schema.check(connection)
        with source.opened(settings) as origin:
            plan = _newest(connection, settings, origin.identity(), since, until, ended=True)
        if plan is None:
            return None
        marked = dates(connection, settings, plan)
        return marked if set(marked) <= set(closing.complete(connection, settings, since, until)) else None

    return postgres.of_process(settings).run(work)


def get(connection: Connection, plan: int) -> Plan:
    """The plan of this number."""
    return Plan(*connection.execute(text(f"{_PLANS} WHERE id = :id"), {"id": plan}).one())


def get_shard(connection: Connection, plan: int, number: int) -> Shard:
    """One of its shards."""
    row = connection.execute(
        text("SELECT documentos, trecho::text FROM controle.fatias WHERE plano = :plan AND numero = :number"),
        {"plan": plan, "number": number},
    ).one()
    return Shard.from_json(*row)


def missing(connection: Connection, plan: int) -> list[int]:
    """The numbers of the shards that aren't done."""
    found = connection.execute(
        text("""
            SELECT numero FROM controle.fatias f
            WHERE plano = :plan AND NOT EXISTS (
                SELECT FROM table_updates WHERE update_id = concat('fatia:', plano, ':', numero))
            ORDER BY numero
        """),
        {"plan": plan},
    )
    return list(found.scalars())


def progress(connection: Connection, plan: int) -> PlanProgress:
    """How far it is."""
    row = connection.execute(
        text(f"SELECT count(*), coalesce(sum(documentos), 0), coalesce(sum(linhas), 0) {_DONE}"),
        {"plan": plan},
    ).one()
    return PlanProgress(*map(int, row))


def read(connection: Connection, plan: int) -> tuple[datetime, str, list[str]]:
    """What the markers of its shards say of their source and of others' documents.

    When the first of them began to read, the newest time in the dump that it is of, and ``pipeline.FREED``.
    """
    found = connection.execute(
        text(f"""
            SELECT coalesce(min(inserted), now()), coalesce(max(contagens->>'mais_novo' COLLATE "C"), ''),
                   ARRAY(SELECT DISTINCT jsonb_array_elements_text(contagens->:freed) {_DONE} ORDER BY 1)
            {_DONE}
        """),
        {"plan": plan, "freed": FREED},
    )
    began, newest, freed = found.one()
    return began, newest, freed


def sums(connection: Connection, plan: int) -> dict[date, dict[str, Decimal]]:
    """Date → name → sum, over what the markers of its shards hold per date."""
    found = connection.execute(
        text(f"""
            SELECT CAST(d.key AS date), n.key, sum(CAST(n.value AS numeric))
            FROM (SELECT contagens {_DONE}) marks,
                 jsonb_each(contagens->'datas') d, jsonb_each_text(d.value) n
            GROUP BY 1, 2 ORDER BY 1
        """),
        {"plan": plan},
    )
    days: dict[date, dict[str, Decimal]] = {}
    for day, name, number in found:
        days.setdefault(day, {})[name] = number
    return days


def dates(connection: Connection, settings: Settings, ours: Plan) -> list[date]:
    """The dates that were marked when it ended; before, those of them that are complete."""
    found = connection.execute(
        text("SELECT contagens->'datas' FROM table_updates WHERE update_id = :id"), {"id": marker(ours.id)}
    ).scalar()
    if found is not None:
        return [date.fromisoformat(day) for day in found]
    finished = closing.complete(connection, settings, ours.desde, ours.ate)
    return [day for day in finished if day in ours.covered]


_PLANS = "SELECT id, origem, fuso, desde, ate, feitas, documentos, fatias FROM controle.planos"

_DONE = """
    FROM controle.fatias JOIN table_updates ON update_id = concat('fatia:', plano, ':', numero)
    WHERE plano = :plan
"""


def _newest(
    connection: Connection, settings: Settings, identity: str, since: date | None, until: date, *, ended: bool
) -> Plan | None:
    """The newest plan of this source and range that has ended, or of those up to ``until`` that haven't."""
    row = connection.execute(
        text(f"""
            {_PLANS} WHERE origem = :origem AND fuso = :fuso
              AND desde IS NOT DISTINCT FROM CAST(:desde AS date)
              AND (ate = :ate OR NOT :ended AND ate < :ate)
              AND :ended = EXISTS (SELECT FROM table_updates WHERE update_id = concat('plano:', id))
            ORDER BY id DESC LIMIT 1
        """),
        {"origem": identity, "fuso": settings.timezone, "desde": since, "ate": until, "ended": ended},
    ).one_or_none()
    return Plan(*row) if row else None


def _intervals(
    settings: Settings, since: date | None, until: date, done: Iterable[date]
) -> Iterable[tuple[datetime, datetime]]:
    """What lies between the dates that are done."""
    here = settings.bounds(since)[0] if since else EVERYTHING[0]
    for day in done:
        start, end = settings.bounds(day)
        if here < start:
            yield here, start
        here = max(here, end)
    end = min(settings.bounds(until)[1], EVERYTHING[1])
    if here < end:
        yield here, end


def _put(connection: Connection, values: dict[str, Any], shards: list[Shard]) -> Plan:
    values |= {"documentos": sum(shard.documents for shard in shards), "fatias": len(shards)}
    number = connection.execute(planos.insert().values(values).returning(planos.c.id)).scalar_one()
    connection.execute(
        text("""
            INSERT INTO controle.fatias (plano, numero, documentos, trecho)
            VALUES (:plan, :number, :documents, CAST(:extent AS jsonb))
        """),
        [
            {"plan": number, "number": n, "documents": shard.documents, "extent": shard.to_json()}
            for n, shard in enumerate(shards, 1)
        ],
    )
    return Plan(number, **values)
