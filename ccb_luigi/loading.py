"""From staging into the eight tables: set-based SQL, derived from ``tables``.

Every function works on one batch (``lote``) inside the caller's transaction. Loads of one table never
run side by side (the caller holds the table's lock), so that looking and writing can be two steps.

"Newest" is always (``atualizado_em``, ``mongo_id``), compared by bytes. A row that would stay as it is
isn't touched: no dead row, no new ``xmin``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, text

from ccb_luigi import tables
from ccb_luigi.postgres import lock

REMOVAL_LOCK = "remocao de operacoes"
"""Held shared while children of contracts are written, alone while contracts are removed."""


@dataclass(frozen=True, slots=True)
class Written:
    """Rows that a load inserted, rewrote and removed."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0

    @property
    def total(self) -> int:
        """Rows that were touched at all."""
        return self.inserted + self.updated + self.deleted


def load(connection: Connection, table: Table, batch: int) -> Written:
    """Brings the batch's rows of ``table`` from staging into it."""
    if table is tables.clientes:
        return _write(connection, _upsert_clients(), batch)
    if table is tables.operacoes:
        return _load_contracts(connection, batch)
    if tables.operacoes in tables.parents(table):
        lock(connection, REMOVAL_LOCK, shared=True)
        return _write(connection, _replace(table, _CONTRACTS_OF_BATCH, "ccb_code", _MARK_CHANGED), batch)
    return _write(connection, _replace(table, _CLIENTS_OF_BATCH, "client_id"), batch)


def duplicates(connection: Connection, batch: int) -> list[str]:
    """``mongo_id`` of the batch's documents whose ``ccbCode`` a newer document has."""
    found = connection.execute(
        text("SELECT mongo_id FROM staging.contratos WHERE lote = :lote AND situacao = 'duplicado'"),
        {"lote": batch},
    )
    return list(found.scalars())


def displaced(connection: Connection, batch: int) -> list[str]:
    """``mongo_id`` of the documents that have a row now and lose it to a newer one of the batch.

    To be called after ``classify`` and before ``load``.
    """
    found = connection.execute(
        text("""
            SELECT o.mongo_id
            FROM staging.contratos k JOIN operacoes o ON o.ccb_code = k.ccb_code
            WHERE k.lote = :lote AND k.situacao IS NULL AND o.mongo_id <> k.mongo_id
        """),
        {"lote": batch},
    )
    return list(found.scalars())


def classify(connection: Connection, batch: int) -> None:
    """Marks what will not be loaded, and takes away the rows of contracts whose code changed.

    ``obsoleto``: a newer version of the same document is in the table. ``duplicado``: another, newer
    document has the ``ccbCode``.
    """
    for statement in (_MARK_STALE, _FORGET_OLD_CODES, _MARK_DUPLICATES):
        if statement is _FORGET_OLD_CODES:
            if not connection.execute(text(_HAS_OLD_CODES), {"lote": batch}).scalar():
                continue
            lock(connection, REMOVAL_LOCK)
        connection.execute(text(statement), {"lote": batch})


_MARK_STALE = """
    UPDATE staging.contratos k SET situacao = 'obsoleto'
    FROM operacoes o
    WHERE k.lote = :lote AND o.mongo_id = k.mongo_id AND o.atualizado_em > k.atualizado_em
"""

_OLD_CODES = """
    FROM staging.contratos k
    WHERE k.lote = :lote AND k.situacao IS NULL
      AND o.mongo_id = k.mongo_id AND o.ccb_code <> k.ccb_code
"""

_HAS_OLD_CODES = f"SELECT EXISTS (SELECT FROM operacoes o WHERE EXISTS (SELECT {_OLD_CODES}))"

_FORGET_OLD_CODES = f"DELETE FROM operacoes o WHERE EXISTS (SELECT {_OLD_CODES})"

_MARK_DUPLICATES = """
    UPDATE staging.contratos k SET situacao = 'duplicado'
    WHERE k.lote = :lote AND k.situacao IS NULL
      AND (EXISTS (SELECT FROM staging.contratos r
                   WHERE r.lote = :lote AND r.situacao IS NULL AND r.ccb_code = k.ccb_code
                     AND (r.atualizado_em, r.mongo_id) > (k.atualizado_em, k.mongo_id))
        OR EXISTS (SELECT FROM operacoes o
                   WHERE o.ccb_code = k.ccb_code AND o.mongo_id <> k.mongo_id
                     AND (o.atualizado_em, o.mongo_id) > (k.atualizado_em, k.mongo_id)))
"""

# Documents whose version is the one that the table has now: only they may write its children.
_CLIENTS_OF_BATCH = """
    SELECT k.lote, k.doc, c.client_id, false AS novo
    FROM staging.contratos k JOIN clientes c
      ON c.client_id = k.client_id AND c.mongo_id = k.mongo_id AND c.atualizado_em = k.atualizado_em
    WHERE k.lote = :lote
"""

_CONTRACTS_OF_BATCH = """
    SELECT k.lote, k.doc, o.ccb_code, coalesce(k.situacao = 'novo', false) AS novo
    FROM staging.contratos k JOIN operacoes o
      ON o.ccb_code = k.ccb_code AND o.mongo_id = k.mongo_id AND o.atualizado_em = k.atualizado_em
    WHERE k.lote = :lote
"""

# A contract whose own row stayed but whose children changed did change.
_MARK_CHANGED = """
    UPDATE staging.contratos k SET situacao = 'alterado'
    WHERE k.lote = :lote AND k.situacao = 'igual'
      AND k.ccb_code IN (SELECT ccb_code FROM removido UNION SELECT ccb_code FROM alterado
                         UNION SELECT ccb_code FROM inserido)
"""


def _write(connection: Connection, statement: str, batch: int) -> Written:
    inserted, updated, deleted = connection.execute(text(statement), {"lote": batch}).one()
    return Written(inserted, updated, deleted)


def _columns(alias: str, names: list[str]) -> str:
    return ", ".join(f"{alias}.{name}" for name in names)


def _names(table: Table) -> list[str]:
    """All columns but the ones that the database and the sweep fill."""
    return [c.name for c in table.columns if c.name not in ("carregado_em", "excluido_em")]


def _update(table: Table, key: list[str], guard: str = "") -> str:
    """UPDATE from the CTE ``novo``, of the rows that really differ."""
    rest = [name for name in _names(table) if name not in key]
    if not rest:
        keys = ", ".join(key)
        return f"SELECT {keys} FROM {table.fullname} WHERE false"
    assign = ", ".join(f"{name} = n.{name}" for name in rest)
    if "carregado_em" in table.columns:
        assign += ", carregado_em = now()"
    differs = f"({_columns('t', rest)}) IS DISTINCT FROM ({_columns('n', rest)})"
    if "excluido_em" in table.columns:  # it is in the source, so it isn't gone
        assign += ", excluido_em = NULL"
        differs = f"({differs} OR t.excluido_em IS NOT NULL)"
    match = " AND ".join(f"t.{name} = n.{name}" for name in key)
    return f"""
        UPDATE {table.fullname} t SET {assign} FROM novo n
        WHERE {match} {guard} AND {differs}
        RETURNING {_columns("t", key)}
    """


def _counts() -> str:
    return ", ".join(f"(SELECT count(*) FROM {name})" for name in ("inserido", "alterado", "removido"))


def _upsert_clients() -> str:
    """Of the documents that name a client the newest counts, here and against the table."""
    table = tables.clientes
    names = _names(table)
    of_document = ("client_id", "mongo_id", "atualizado_em")
    selected = ", ".join(f"{'k' if name in of_document else 's'}.{name}" for name in names)
    newest = "AND (n.atualizado_em, n.mongo_id) >= (t.atualizado_em, t.mongo_id)"
    return f"""
        WITH novo AS MATERIALIZED (
            SELECT DISTINCT ON (k.client_id) {selected}
            FROM staging.contratos k JOIN staging.clientes s USING (lote, doc)
            WHERE k.lote = :lote
            ORDER BY k.client_id, k.atualizado_em DESC, k.mongo_id DESC
        ), removido AS (SELECT WHERE false
        ), alterado AS ({_update(table, ["client_id"], newest)}
        ), inserido AS (
            INSERT INTO clientes ({", ".join(names)})
            SELECT {_columns("n", names)} FROM novo n
            WHERE NOT EXISTS (SELECT FROM clientes t WHERE t.client_id = n.client_id)
            RETURNING client_id
        )
        SELECT {_counts()}
    """


def _replace(table: Table, owners: str, owner: str, afterwards: str = "SELECT 1") -> str:
    """Children as a set: what the owner's document doesn't have goes, what differs is rewritten.

    Rows of owners that this batch brought (``novo``) can't be in the table yet, and aren't looked for.
    """
    key = [column.name for column in table.primary_key]
    own = [name for name in _names(table) if name != owner]
    match = " AND ".join(f"t.{name} = n.{name}" for name in key)
    return f"""
        WITH dono AS MATERIALIZED ({owners}
        ), novo AS MATERIALIZED (
            SELECT d.{owner}, {_columns("s", own)}
            FROM dono d JOIN {tables.STAGED[table.name].fullname} s USING (lote, doc)
            WHERE NOT d.novo
        ), removido AS (
            DELETE FROM {table.fullname} t USING dono d
            WHERE t.{owner} = d.{owner} AND NOT d.novo
              AND NOT EXISTS (SELECT FROM novo n WHERE {match})
            RETURNING t.{owner}
        ), alterado AS ({_update(table, key)}
        ), inserido AS (
            INSERT INTO {table.fullname} ({owner}, {", ".join(own)})
            SELECT n.{owner}, {_columns("n", own)} FROM novo n
            WHERE NOT EXISTS (SELECT FROM {table.fullname} t WHERE {match})
            UNION ALL
            SELECT d.{owner}, {_columns("s", own)}
            FROM dono d JOIN {tables.STAGED[table.name].fullname} s USING (lote, doc)
            WHERE d.novo
            RETURNING {owner}
        ), marcado AS ({afterwards})
        SELECT {_counts()}
    """


def _load_contracts(connection: Connection, batch: int) -> Written:
    """Writes what ``classify`` left, notes what came of each document, and replaces the findings."""
    written = _write(connection, _upsert_contracts(), batch)
    connection.execute(text(_REMOVE_FINDINGS), {"lote": batch})
    connection.execute(text(_ADD_FINDINGS), {"lote": batch})
    return written


def _upsert_contracts() -> str:
    table = tables.operacoes
    names = _names(table)
    of_document = ("ccb_code", "mongo_id", "client_id", "atualizado_em")
    selected = ", ".join(f"{'k' if name in of_document else 's'}.{name}" for name in names)
    return f"""
        WITH novo AS MATERIALIZED (
            SELECT {selected}
            FROM staging.contratos k JOIN staging.operacoes s USING (lote, doc)
            WHERE k.lote = :lote AND k.situacao IS NULL
        ), removido AS (SELECT WHERE false
        ), alterado AS ({_update(table, ["ccb_code"])}
        ), inserido AS (
            INSERT INTO operacoes ({", ".join(names)})
            SELECT {_columns("n", names)} FROM novo n
            WHERE NOT EXISTS (SELECT FROM operacoes t WHERE t.ccb_code = n.ccb_code)
            RETURNING ccb_code
        ), marcado AS (
            UPDATE staging.contratos k SET situacao = CASE
                WHEN EXISTS (SELECT FROM inserido i WHERE i.ccb_code = k.ccb_code) THEN 'novo'
                WHEN EXISTS (SELECT FROM alterado a WHERE a.ccb_code = k.ccb_code) THEN 'alterado'
                ELSE 'igual' END
            WHERE k.lote = :lote AND k.situacao IS NULL
        )
        SELECT {_counts()}
    """


_REMOVE_FINDINGS = """
    DELETE FROM controle.qualidade q USING staging.contratos k
    WHERE k.lote = :lote AND k.situacao IN ('alterado', 'igual') AND q.ccb_code = k.ccb_code
      AND (q.mongo_id <> k.mongo_id
        OR NOT EXISTS (SELECT FROM staging.qualidade s
                       WHERE s.lote = :lote AND s.doc = k.doc
                         AND s.codigo = q.codigo AND s.campo = q.campo))
"""

_ADD_FINDINGS = """
    INSERT INTO controle.qualidade (ccb_code, mongo_id, codigo, campo, particao)
    SELECT k.ccb_code, k.mongo_id, s.codigo, s.campo, k.particao
    FROM staging.contratos k JOIN staging.qualidade s USING (lote, doc)
    WHERE k.lote = :lote AND k.situacao IN ('novo', 'alterado', 'igual')
    ON CONFLICT DO NOTHING
"""


def discard(connection: Connection, batch: int) -> None:
    """Takes leftovers of the batch out of staging, without a lock that others would wait for."""
    for table in tables.STAGING:
        connection.execute(text(f"DELETE FROM {table.fullname} WHERE lote = :lote"), {"lote": batch})


def clear(connection: Connection, batch: int) -> None:
    """Empties staging of the batch at the end of its migration (TRUNCATE, if nobody else is in it)."""
    connection.execute(text("SELECT staging.limpar(:lote)"), {"lote": batch})


def staged_counts(connection: Connection, batch: int, *names: str) -> dict[str, int]:
    """Rows of the batch per staging table (all of them, or the named ones)."""
    chosen: list[Any] = [table for table in tables.STAGING if not names or table.name in names]
    return {
        table.name: connection.execute(
            text(f"SELECT count(*) FROM {table.fullname} WHERE lote = :lote"), {"lote": batch}
        ).scalar_one()
        for table in chosen
    }
