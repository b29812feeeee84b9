"""The quarantine: one open row per rejected document, with the reasons and the raw bytes."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from bson.errors import InvalidBSON
from sqlalchemy import Connection, select, text

from ccb_luigi.codes import code_of, message
from ccb_luigi.database.binary import copy_values
from ccb_luigi.documents.identity import BY_BYTES
from ccb_luigi.documents.judge import Refused
from ccb_luigi.documents.rawbson import decode
from ccb_luigi.documents.values import Unreadable, key
from ccb_luigi.load import situacao
from ccb_luigi.load.batch import Batch
from ccb_luigi.tables import quarentena

_PUT = """
    INSERT INTO controle.quarentena AS q (mongo_id, particao, codigos, erros, documento, sha256)
    SELECT mongo_id, :partition, string_to_array(codigos, ','), CAST(erros AS jsonb), documento, sha256
    FROM pg_temp.ccb_luigi_rejeitados
    ON CONFLICT (mongo_id) WHERE resolvido_em IS NULL DO UPDATE SET
        particao = excluded.particao, codigos = excluded.codigos, erros = excluded.erros,
        documento = excluded.documento, sha256 = excluded.sha256,
        ultima_vez = now(), tentativas = q.tentativas + 1
"""

# Each date meets these. The row's date stays: with that one the document counts, and with no other. Asked for
# first, since what ON CONFLICT leaves alone it locks: dates side by side would wait for each other.
_PUT_TIMELESS = """
    INSERT INTO controle.quarentena AS q (mongo_id, particao, codigos, erros, documento, sha256)
    SELECT mongo_id, :partition, string_to_array(codigos, ','), CAST(erros AS jsonb), documento, sha256
    FROM pg_temp.ccb_luigi_rejeitados r
    WHERE :again OR NOT EXISTS (
        SELECT FROM controle.quarentena k
        WHERE k.mongo_id = r.mongo_id AND k.resolvido_em IS NULL AND k.particao <> :partition
          AND k.sha256 = r.sha256 AND k.erros = CAST(r.erros AS jsonb))
    ON CONFLICT (mongo_id) WHERE resolvido_em IS NULL DO UPDATE SET
        particao = coalesce(q.particao, excluded.particao),
        codigos = excluded.codigos, erros = excluded.erros,
        documento = excluded.documento, sha256 = excluded.sha256,
        ultima_vez = now(), tentativas = q.tentativas + 1
    WHERE :again OR q.particao IS NOT DISTINCT FROM excluded.particao
       OR q.sha256 IS DISTINCT FROM excluded.sha256 OR q.erros <> excluded.erros
"""

_COMPLETE = """
    UPDATE controle.quarentena q
    SET particao = :partition, codigos = string_to_array(r.codigos, ','), erros = CAST(r.erros AS jsonb),
        documento = r.documento, sha256 = r.sha256
    FROM pg_temp.ccb_luigi_rejeitados r
    WHERE q.mongo_id = r.mongo_id AND q.resolvido_em IS NULL AND q.documento IS NULL
"""

_OPEN = quarentena.c.resolvido_em.is_(None)

LOST_CODE = "ccb_duplicado"
"""Rejected for nothing but that another document has the ``ccbCode``."""
_LOST = {"ccbCode": [message(LOST_CODE)]}


@dataclass(frozen=True, slots=True)
class Entry:
    """An open row of the quarantine, without the document."""

    mongo_id: str
    particao: date | None
    codigos: list[str]
    erros: dict[str, list[str]]
    primeira_vez: datetime
    ultima_vez: datetime
    tentativas: int


def places(entries: Iterable[Entry]) -> list[tuple[str, str, int]]:
    """(code, field, in how many documents), the most first; the rows of a list are one field (``*``)."""
    found: Counter[tuple[str, str]] = Counter()
    for entry in entries:
        found.update(
            {
                (code_of(kept), re.sub(r"\.\d+(?=\.|$)", ".*", path))
                for path, messages in entry.erros.items()
                for kept in messages
            }
        )
    return [(*place, count) for place, count in sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))]


def put(connection: Connection, refused: Iterable[Refused], partition: date) -> None:
    """Opens a row per document, or renews the open one. No statement's text holds anything of a document."""
    _apply(connection, _PUT, refused, partition)


def put_timeless(
    connection: Connection, refused: Sequence[Refused], partition: date, *, again: bool
) -> set[str]:
    """The same for documents whose time can't be read, which every date meets.

    Returns those that count with this date: it met them first. ``again``: they were asked for by ``_id``; it
    counts whatever date met them.
    """
    _apply(connection, _PUT_TIMELESS, refused, partition, again=again)
    names = [document.mongo_id for document in refused]
    if again:
        return {*names}
    found = connection.execute(
        text("""
            SELECT mongo_id FROM controle.quarentena
            WHERE resolvido_em IS NULL AND particao = :partition AND mongo_id = ANY(:names)
        """),
        {"partition": partition, "names": names},
    )
    return {*found.scalars()}


def complete(connection: Connection, refused: Refused, partition: date) -> None:
    """Gives the open row of a document that lost its code what ``put_losers`` couldn't know."""
    _apply(connection, _COMPLETE, [refused], partition)


def _apply(
    connection: Connection, statement: str, refused: Iterable[Refused], partition: date, **values: bool
) -> None:
    by_id = {document.mongo_id: document for document in refused}
    rows = [
        (each.mongo_id, ",".join(each.codes), json.dumps(each.messages), each.raw, each.sha256)
        for each in by_id.values()
    ]
    if rows:
        # Without any constraint, so that nothing in it can fail and be quoted.
        connection.execute(
            text("""
                CREATE TEMP TABLE IF NOT EXISTS pg_temp.ccb_luigi_rejeitados (
                    mongo_id text, codigos text, erros text, documento bytea, sha256 text
                ) ON COMMIT DROP
            """)
        )
        copy_values(connection, "pg_temp.ccb_luigi_rejeitados", rows)
        connection.execute(text(statement), {"partition": partition, **values})
        connection.execute(text("TRUNCATE pg_temp.ccb_luigi_rejeitados"))


def duplicate(mongo_id: str, raw: bytes) -> Refused:
    """A good document that lost its ``ccbCode`` to a newer one."""
    return Refused(mongo_id, [LOST_CODE], _LOST, raw)


def put_losers(connection: Connection, losers: Sequence[tuple[str, date]]) -> None:
    """Opens a row for each document (``mongo_id``, date) that lost its ``ccbCode``, or renews the open one.

    The documents themselves are not at hand: ``complete`` adds them.
    """
    if losers:
        ids, days = zip(*losers, strict=True)
        connection.execute(
            text("""
                INSERT INTO controle.quarentena AS q (mongo_id, particao, codigos, erros)
                SELECT mongo_id, particao, :codes, CAST(:messages AS jsonb)
                FROM unnest(CAST(:ids AS text[]), CAST(:days AS date[])) AS losers (mongo_id, particao)
                ON CONFLICT (mongo_id) WHERE resolvido_em IS NULL DO UPDATE SET
                    particao = excluded.particao, codigos = excluded.codigos, erros = excluded.erros,
                    documento = NULL, sha256 = NULL, ultima_vez = now(), tentativas = q.tentativas + 1
            """),
            {"ids": list(ids), "days": list(days), "codes": [LOST_CODE], "messages": json.dumps(_LOST)},
        )


def without_document(connection: Connection) -> list[str]:
    """``mongo_id`` of the open rows that still wait for ``complete``, whichever load opened them."""
    query = select(quarentena.c.mongo_id).where(_OPEN, quarentena.c.documento.is_(None))
    return list(connection.execute(query).scalars())


def close_loaded(batch: Batch, read_at: datetime) -> int:
    """Closes the rows of the documents that the batch loaded; returns how many.

    ``read_at`` is when the batch was read: what was rejected after that is a later version, unless all
    that it lost was its code, which it has now.
    """
    return batch.run(
        f"""
            UPDATE controle.quarentena q SET resolvido_em = now()
            FROM {{contratos}} k
            WHERE k.lote = :lote AND k.{situacao.IN_THE_TABLES}
              AND q.mongo_id = k.mongo_id AND q.resolvido_em IS NULL
              AND (q.ultima_vez <= :read_at
                   OR q.codigos = ARRAY['{LOST_CODE}'] AND q.particao <= k.particao)
        """,
        read_at=read_at,
    ).rowcount


def waiting_for(connection: Connection, ccb_codes: Sequence[str]) -> list[str]:
    """``mongo_id`` of the open duplicates whose document has one of these codes, or isn't at hand yet."""
    wanted = set(ccb_codes)
    found = connection.execute(
        text("""
            SELECT mongo_id, documento FROM controle.quarentena
            WHERE resolvido_em IS NULL AND :code = ANY(codigos)
        """),
        {"code": LOST_CODE},
    )
    return [mongo_id for mongo_id, raw in found if raw is None or _code(bytes(raw)) in wanted]


def _code(raw: bytes) -> str | None:
    """The ``ccbCode`` of a document; ``None`` also if it can't be read by the rules of today."""
    try:
        return key(decode(raw).get("ccbCode"))
    except (InvalidBSON, Unreadable):
        return None


def close_gone(connection: Connection, ids: Sequence[str]) -> int:
    """Closes the rows of documents that this transaction looked for and didn't find; returns how many.

    What was found has been renewed or closed by now. A document that is known by its bytes only can't
    be looked for.
    """
    return connection.execute(
        text("""
            UPDATE controle.quarentena SET resolvido_em = now()
            WHERE mongo_id = ANY(:ids) AND resolvido_em IS NULL AND ultima_vez < now()
        """),
        {"ids": [name for name in ids if not name.startswith(BY_BYTES)]},
    ).rowcount


def purge(connection: Connection, days: int) -> int:
    """Removes the rows that were closed more than ``days`` days ago, with their documents; how many.

    Open rows stay, however old: each stands for a contract that isn't in the tables.
    """
    return connection.execute(
        text("DELETE FROM controle.quarentena WHERE resolvido_em < now() - make_interval(days => :days)"),
        {"days": days},
    ).rowcount


def open_entries(
    connection: Connection, partition: date | None = None, mongo_id: str | None = None
) -> list[Entry]:
    """The open rows, oldest first."""
    names = list(Entry.__dataclass_fields__)
    query = select(*(quarentena.c[name] for name in names)).where(_OPEN)
    if partition is not None:
        query = query.where(quarentena.c.particao == partition)
    if mongo_id is not None:
        query = query.where(quarentena.c.mongo_id == mongo_id)
    ordered = query.order_by(quarentena.c.primeira_vez, quarentena.c.mongo_id)
    return [Entry(**row._mapping) for row in connection.execute(ordered)]


def raw_document(connection: Connection, mongo_id: str) -> bytes | None:
    """The bytes of an open row's document."""
    query = select(quarentena.c.documento).where(quarentena.c.mongo_id == mongo_id, _OPEN)
    found: Any = connection.execute(query).scalar()
    return bytes(found) if found is not None else None
