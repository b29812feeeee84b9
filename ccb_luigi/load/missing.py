"""What the source holds, beside what is here: which documents are neither in the tables nor in quarantine.

The ids and times of the source go into a temporary table, and PostgreSQL joins. Merging two sorted streams
in Python would need one order on both sides, and there is none: MongoDB sorts by BSON type first and an
ObjectId by its bytes, the tables know every ``_id`` by its text. A join by equality needs no order at all,
Python holds one block of ids at a time, and PostgreSQL puts on disk what doesn't fit into its memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from typing import Any

from bson.errors import InvalidBSON
from sqlalchemy import Connection, text

from ccb_luigi.documents.erased import Erased
from ccb_luigi.documents.identity import BY_BYTES, id_text, name_of
from ccb_luigi.documents.judge import Judge
from ccb_luigi.documents.rawbson import decode
from ccb_luigi.documents.times import EPOCH
from ccb_luigi.documents.values import Unreadable, key
from ccb_luigi.load import breaker, markers, quarantine
from ccb_luigi.settings import Settings
from ccb_luigi.sources.source import Source

BLOCK = 5000
"""Ids that travel to PostgreSQL together."""

GROUP = 1000
"""Documents that are asked for, or migrated, together."""


@dataclass(frozen=True, slots=True)
class Open:
    """A document that is in the source and, at this version, nowhere here. ``day``: None if unreadable."""

    mongo_id: str
    day: date | None


def note(
    connection: Connection,
    judge: Judge,
    stubs: Iterable[bytes],
    progress: Callable[[int], None] = lambda _: None,
    *,
    erased: Erased | None,
) -> int:
    """Fills the temporary tables ``vistos`` and ``homonimos`` (until the transaction ends); returns how many
    were read.

    ``stubs`` are raw documents of ``_id``, the three times and the client's id. A time that can't be read
    is null. Documents of ``erased`` clients count as read, and that is all.
    """
    connection.execute(
        text("""
            CREATE TEMP TABLE pg_temp.ccb_luigi_vistos (mongo_id text COLLATE "C", momento timestamptz)
            ON COMMIT DROP
        """)
    )
    read = 0
    remaining = iter(stubs)
    while block := list(islice(remaining, BLOCK)):
        versions = [
            version
            for raw in block
            if (version := _version(judge, raw)) and not (erased and erased.drops_raw(raw, version[0]))
        ]
        connection.execute(
            text("""
                INSERT INTO pg_temp.ccb_luigi_vistos
                SELECT * FROM unnest(CAST(:ids AS text[]), CAST(:at AS timestamptz[]))
            """),
            {"ids": [name for name, _ in versions], "at": [moment for _, moment in versions]},
        )
        read += len(block)
        progress(read)
    connection.execute(text("ANALYZE pg_temp.ccb_luigi_vistos"))
    connection.execute(
        text("""
            CREATE TEMP TABLE pg_temp.ccb_luigi_homonimos ON COMMIT DROP AS
            SELECT mongo_id FROM pg_temp.ccb_luigi_vistos GROUP BY mongo_id HAVING count(*) > 1
        """)
    )
    return read


def unsettled(
    connection: Connection,
    origin: Source,
    judge: Judge,
    *,
    held: Sequence[date] = (),
    again: bool = False,
) -> Iterator[list[Open]]:
    """Groups of documents of ``vistos`` that are to be migrated.

    Those are the ones that the tables don't have, or only older, whatever the reason; of the rejected ones
    those whose bytes aren't the rejected ones any more, and duplicates whose code has become free.
    Documents of ``held`` dates stay out. ``again``: whatever is gone from the source by now is taken out of
    ``vistos`` instead of being tried once more, and of two who share their name one would be tried for ever.
    """
    found = connection.execute(
        text(_CANDIDATES),
        {"zone": judge.zone.key, "held": list(held), "nameless": f"{BY_BYTES}%", "again": again},
        execution_options={
            "stream_results": True,
            "max_row_buffer": GROUP,
        },  # a cursor of the server: memory stays flat
    )
    for rows in found.partitions(GROUP):
        missing = dict.fromkeys(Open(row.mongo_id, row.dia) for row in rows if not row.rejeitado)
        if again:
            there = {name_of(raw) for raw in origin.by_ids([each.mongo_id for each in missing])}
            connection.execute(
                text("DELETE FROM pg_temp.ccb_luigi_vistos WHERE mongo_id = ANY(:gone)"),
                {"gone": [each.mongo_id for each in missing if each.mongo_id not in there]},
            )
            missing = {each: None for each in missing if each.mongo_id in there}
        rejected = [row for row in rows if row.rejeitado]
        changed = _changed(connection, origin, judge, rejected) if rejected else set()
        group = [*missing, *(Open(row.mongo_id, row.dia) for row in rejected if row.mongo_id in changed)]
        if group:
            yield group


# Sorted, so that the whole costs what it costs: a cursor's plan is made for its first rows alone, and that
# would be a look into an index per document.
_CANDIDATES = """
    SELECT v.mongo_id, v.dia, q.id IS NOT NULL AS rejeitado, q.sha256, q.codigos
    FROM (SELECT mongo_id, momento, CAST(momento AT TIME ZONE :zone AS date) AS dia
          FROM pg_temp.ccb_luigi_vistos) v
    LEFT JOIN operacoes o ON o.mongo_id = v.mongo_id
    LEFT JOIN controle.quarentena q ON q.mongo_id = v.mongo_id AND q.resolvido_em IS NULL
    WHERE v.mongo_id NOT LIKE :nameless
      AND NOT (:again AND EXISTS (SELECT FROM pg_temp.ccb_luigi_homonimos h WHERE h.mongo_id = v.mongo_id))
      AND (q.id IS NOT NULL
           OR v.momento IS NULL
           OR (o.mongo_id IS NULL OR o.atualizado_em < v.momento) AND v.dia <> ALL(CAST(:held AS date[])))
    ORDER BY v.mongo_id
"""


def held_dates(connection: Connection, settings: Settings) -> list[date]:
    """Dates that the circuit breaker keeps out of the tables: nobody brings them in by a back door.

    They were never extracted, and so many of their documents are rejected that they couldn't be.
    """
    share = settings.max_rejected_share
    if share >= 1:
        return []
    # Dates that weren't extracted: how many documents the source has of each, how many of them are rejected.
    found = connection.execute(
        text("""
            SELECT q.particao,
                   (SELECT count(*) FROM pg_temp.ccb_luigi_vistos
                    WHERE CAST(momento AT TIME ZONE :zone AS date) = q.particao),
                   count(*)
            FROM controle.quarentena q
            WHERE resolvido_em IS NULL
              AND NOT EXISTS (SELECT FROM table_updates WHERE update_id = :step || ':' || q.particao)
            GROUP BY q.particao HAVING count(*) >= :fewest ORDER BY q.particao
        """),
        {"step": markers.EXTRACTION, "fewest": breaker.FEWEST, "zone": settings.zone.key},
    )
    return [day for day, there, few in found if few > breaker.MANY or breaker.tripped(there, few, share)]


def of_held_dates(connection: Connection, settings: Settings, held: Sequence[date]) -> int:
    """How many documents of these dates are neither in the tables nor in quarantine."""
    found: int = connection.execute(
        text("""
            SELECT count(*) FROM pg_temp.ccb_luigi_vistos v
            WHERE CAST(v.momento AT TIME ZONE :zone AS date) = ANY(:held)
              AND NOT EXISTS (SELECT FROM operacoes o
                              WHERE o.mongo_id = v.mongo_id AND o.atualizado_em >= v.momento)
              AND NOT EXISTS (SELECT FROM controle.quarentena q
                              WHERE q.mongo_id = v.mongo_id AND q.resolvido_em IS NULL)
        """),
        {"zone": settings.zone.key, "held": list(held)},
    ).scalar_one()
    return found


def nameless(connection: Connection, judge: Judge) -> list[Open]:
    """Documents of ``vistos`` that can't be looked up, since their ``_id`` is too long for a name of its own,
    and that aren't in quarantine either: only a run of their date finds them."""
    found = connection.execute(
        text("""
            SELECT v.mongo_id, CAST(v.momento AT TIME ZONE :zone AS date) AS dia
            FROM pg_temp.ccb_luigi_vistos v
            WHERE v.mongo_id LIKE :nameless
              AND NOT EXISTS (SELECT FROM operacoes o WHERE o.mongo_id = v.mongo_id)
              AND NOT EXISTS (SELECT FROM controle.quarentena q
                              WHERE q.mongo_id = v.mongo_id AND q.resolvido_em IS NULL)
        """),
        {"zone": judge.zone.key, "nameless": f"{BY_BYTES}%"},
    )
    return [Open(row.mongo_id, row.dia) for row in found]


def _version(judge: Judge, stub: bytes) -> tuple[str, datetime | None] | None:
    """(name, effective time) of a document; nothing for one that only its own bytes could name."""
    try:
        document = decode(stub)
    except InvalidBSON:
        name = name_of(stub)
        return None if name.startswith(BY_BYTES) else (name, None)
    name = id_text(document.get("_id"))
    try:
        return name, judge.contract.effective_time(document) or EPOCH
    except Unreadable:
        return name, None


def _changed(connection: Connection, origin: Source, judge: Judge, rejected: Sequence[Any]) -> set[str]:
    """Which of these open rejections don't speak of the document as it is now, or hold it up for nothing.

    A document that is gone is among them: migrating it closes its row.
    """
    known = {row.mongo_id: row for row in rejected}
    changed = set(known)
    claims: dict[str, tuple[str, datetime]] = {}
    for raw in origin.by_ids(known):
        name = name_of(raw)
        if name not in known or hashlib.sha256(raw).hexdigest() != known[name].sha256:
            continue
        if known[name].codigos == [quarantine.LOST_CODE]:
            if (claim := _claim(judge, raw)) is None:  # today's rules refuse it for something else
                continue
            claims[name] = claim
        changed.discard(name)
    return changed | _freed(connection, claims)


def _claim(judge: Judge, raw: bytes) -> tuple[str, datetime] | None:
    """The code that a document claims, and its effective time; ``None`` if one of them can't be read."""
    try:
        document = decode(raw)
        return key(document.get("ccbCode")) or "", judge.contract.effective_time(document) or EPOCH
    except (InvalidBSON, Unreadable):
        return None


def _freed(connection: Connection, claims: dict[str, tuple[str, datetime]]) -> set[str]:
    """Which of the documents (name → code, time) would have their code, were they migrated now."""
    if not claims:
        return set()
    found = connection.execute(
        text("""
            SELECT ccb_code, atualizado_em, mongo_id FROM operacoes
            WHERE ccb_code = ANY(:codes) AND excluido_em IS NULL
        """),
        {"codes": [code for code, _ in claims.values()]},
    )
    holders = {row.ccb_code: (row.atualizado_em, row.mongo_id.encode()) for row in found}
    return {
        name
        for name, (code, moment) in claims.items()
        if code not in holders or holders[code] <= (moment, name.encode())
    }
