"""Namesakes: an ObjectId and the text of its digits are one ``mongo_id``, so of two such documents one has no
place in the tables.

Nothing is lost of it: the sweep, which meets both, keeps whoever the tables don't have in quarantine, by a
hash for its name (as what has no name of its own), for as long as there are two.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, text

from ccb_luigi import tables
from ccb_luigi.codes import message
from ccb_luigi.database import postgres
from ccb_luigi.documents.block import judge_of
from ccb_luigi.documents.identity import apart, name_of
from ccb_luigi.documents.judge import Accepted, Refused
from ccb_luigi.documents.rawbson import decode
from ccb_luigi.load import erasures, loading, quarantine, whole
from ccb_luigi.settings import Settings
from ccb_luigi.sources.source import Source

CODE = "id_repetido"

FOUND = "SELECT mongo_id FROM pg_temp.ccb_luigi_homonimos ORDER BY mongo_id"
"""The names that more than one document has, of those that ``missing.note`` has met."""

ANY_KEPT = f"""
    SELECT EXISTS (SELECT FROM controle.quarentena WHERE codigos = ARRAY['{CODE}'] AND resolvido_em IS NULL)
"""
"""Whether somebody is kept so."""


def keep(settings: Settings, origin: Source, names: Sequence[str]) -> list[str]:
    """Puts into quarantine whoever of the documents with these names is in no other place.

    Returns the names that there are two of.
    """

    def work(connection: Connection) -> list[str]:
        places = _places(connection, names)
        found = _there(settings, connection, origin, names)
        several = {name: raws for name, raws in found.items() if len(raws) > 1}
        for name, raws in several.items():
            for raw in raws:
                place = _place(name, judge.judge(raw))
                if place in places:
                    places.remove(place)  # the other one isn't there as well
                    continue
                refused = Refused(apart(decode(raw)["_id"]), [CODE], {"_id": [message(CODE)]}, raw)
                quarantine.put(connection, [refused], judge.partition_of_raw(raw) or judge.today())
        return [*several]

    judge = judge_of(settings.zone, settings.strictness)
    return postgres.of_process(settings).run(work)


def release(settings: Settings, origin: Source, since: datetime) -> list[str]:
    """Closes the rows of those who weren't met again: one of the two is gone, or they have the row now.

    Takes away the rows of one who is gone, and the client whom nobody else names. Returns the names that they
    were in the way of, or that wait for a code that was theirs: to be migrated.
    """

    def work(connection: Connection) -> list[str]:
        postgres.lock(connection, *map(whole.table_lock, tables.LOADED))
        postgres.lock(connection, loading.REMOVAL_LOCK)
        names = _closed(connection, since)
        places = _places(connection, names)
        free = [
            name
            for name, raws in _there(settings, connection, origin, names).items()
            if len(raws) == 1 and _place(name, judge.judge(raws[0])) not in places
        ]
        vacated = _remove(connection, free)
        return free + (quarantine.waiting_for(connection, vacated) if vacated else [])

    judge = judge_of(settings.zone, settings.strictness)
    return postgres.of_process(settings).run(work)


def _closed(connection: Connection, since: datetime) -> list[str]:
    """Closes what wasn't renewed since then; the names that were shared."""
    found = connection.execute(
        text("""
            UPDATE controle.quarentena SET resolvido_em = now()
            WHERE codigos = ARRAY[:code] AND resolvido_em IS NULL AND ultima_vez < :since
            RETURNING documento
        """),
        {"code": CODE, "since": since},
    )
    return [*{name_of(bytes(raw)) for raw in found.scalars()}]


def _remove(connection: Connection, names: Sequence[str]) -> list[str]:
    """Takes away the rows that bear these names, and clients without any contract; the vacated codes."""
    values = {"names": list(names)}
    vacated = connection.execute(
        text("DELETE FROM operacoes WHERE mongo_id = ANY(:names) RETURNING ccb_code"), values
    )
    codes = [*vacated.scalars()]
    nobodys = connection.execute(
        text("""
            SELECT client_id FROM clientes c WHERE mongo_id = ANY(:names)
              AND NOT EXISTS (SELECT FROM operacoes o WHERE o.client_id = c.client_id)
        """),
        values,
    )
    clients = [*nobodys.scalars()]
    for table in reversed([each for each in tables.LOADED if tables.owner(each) == "client_id"]):
        connection.execute(
            text(f"DELETE FROM {table.fullname} WHERE client_id = ANY(:ids)"), {"ids": clients}
        )
    return codes


def _there(
    settings: Settings, connection: Connection, origin: Source, names: Sequence[str]
) -> dict[str, list[bytes]]:
    """Each name's documents, as they are now; without those of erased clients."""
    erased = erasures.known(connection, settings)
    found: dict[str, list[bytes]] = {name: [] for name in names}
    for raw in origin.by_ids(names):
        name = name_of(raw)
        if name in found and not (erased and erased.drops_raw(raw, name)):
            found[name].append(raw)
    return found


Place = tuple[str, str, datetime | None]
"""A document's name, and its contract's code and time, or the fingerprint of a rejected one."""


def _place(name: str, judged: Accepted | Refused) -> Place:
    if isinstance(judged, Accepted):
        return name, judged.ccb_code, judged.atualizado_em
    return name, judged.sha256, None


def _places(connection: Connection, names: Sequence[str]) -> set[Place]:
    found = connection.execute(
        text("""
            SELECT mongo_id, ccb_code, atualizado_em FROM operacoes WHERE mongo_id = ANY(:names)
            UNION ALL
            SELECT mongo_id, sha256, NULL FROM controle.quarentena
            WHERE mongo_id = ANY(:names) AND resolvido_em IS NULL
        """),
        {"names": list(names)},
    )
    return {(name, what or "", moment) for name, what, moment in found}


def kept(connection: Connection) -> dict[str, str]:
    """Who is kept so: the fingerprint of a document → its name there."""
    found = connection.execute(
        text("""
            SELECT sha256, mongo_id FROM controle.quarentena
            WHERE codigos = ARRAY[:code] AND resolvido_em IS NULL
        """),
        {"code": CODE},
    )
    return {row.sha256: row.mongo_id for row in found}
