"""From staging into the eight tables: set-based SQL, derived from ``tables``.

Every function works on one batch (``lote``) inside the caller's transaction. Loads of one table never
run side by side (the caller holds the table's lock), so that looking and writing can be two steps.

"Newest" is always (``atualizado_em``, ``mongo_id``), compared by bytes. A row that would stay as it is
isn't touched: no dead row, no new ``xmin``.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from datetime import date
from operator import add
from zoneinfo import ZoneInfo

from sqlalchemy import Table

from ccb_luigi import tables
from ccb_luigi.database.postgres import lock
from ccb_luigi.load import situacao
from ccb_luigi.load.batch import Batch

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

    def __add__(self, other: Written) -> Written:
        """Both together."""
        return Written(*map(add, astuple(self), astuple(other)))


def write(batch: Batch, table: Table) -> Written:
    """Brings the batch's rows of ``table`` from staging into it."""
    if table is tables.clientes:
        return _write_clients(batch)
    if table is tables.operacoes:
        return _write_contracts(batch)
    if tables.operacoes in tables.parents(table):
        lock(batch.connection, REMOVAL_LOCK, shared=True)
    return _replace(batch, table, tables.owner(table))


def intact_rows(batch: Batch, table: Table) -> int:
    """How many rows of ``table`` are of the batch's intact documents, of which nothing is staged.

    A client's rows are of the newest document that names the client, and of no other.
    """
    owner = tables.owner(table)
    found = batch.run(f"""
        SELECT count(*) FROM ({_OWNERS[owner]} AND k.situacao = 'intacto') d
        JOIN {table.fullname} t USING ({owner})
    """)
    return int(found.scalar_one())


def losers(batch: Batch, zone: ZoneInfo) -> list[tuple[str, date]]:
    """(``mongo_id``, date) of each document that loses its ``ccbCode``: of the batch, or to one of the batch.

    To be called after ``classify`` and before ``write``.
    """
    # A document can be met twice: in the batch, and with the row that it loses.
    found = batch.run(
        """
        SELECT DISTINCT ON (mongo_id) mongo_id, particao FROM (
            SELECT mongo_id, particao FROM {contratos} WHERE lote = :lote AND situacao = 'duplicado'
            UNION ALL
            SELECT o.mongo_id, CAST(o.atualizado_em AT TIME ZONE :zone AS date)
            FROM {contratos} k JOIN operacoes o ON o.ccb_code = k.ccb_code
            WHERE k.lote = :lote AND k.situacao IS NULL AND o.mongo_id <> k.mongo_id
        ) losers
        """,
        zone=zone.key,
    )
    return [(row.mongo_id, row.particao) for row in found]


def classify(batch: Batch) -> list[str]:
    """Marks what will not be loaded, and takes away the rows of contracts whose code changed.

    Returns the codes that were vacated so.

    ``obsoleto``: a newer version of the same document is in the table. ``duplicado``: another, newer
    document has the ``ccbCode``, and isn't gone from the source.
    """
    batch.run("""
        UPDATE {contratos} k SET situacao = 'obsoleto'
        FROM operacoes o
        WHERE k.lote = :lote AND o.mongo_id = k.mongo_id AND o.atualizado_em > k.atualizado_em
    """)
    vacated: list[str] = []
    changed = """
        SELECT FROM {contratos} k
        WHERE k.lote = :lote AND k.situacao IS NULL
          AND o.mongo_id = k.mongo_id AND o.ccb_code <> k.ccb_code
    """
    # Counted, not EXISTS: that asks for a plan that is fast if there is one, and endless if there is none.
    if batch.run(f"SELECT count(*) FROM operacoes o WHERE EXISTS ({changed})").scalar():
        lock(batch.connection, REMOVAL_LOCK)
        removed = batch.run(f"DELETE FROM operacoes o WHERE EXISTS ({changed}) RETURNING o.ccb_code")
        vacated = list(removed.scalars())
    # Two statements, since an OR of two EXISTS can't be a join.
    batch.run("""
        UPDATE {contratos} k SET situacao = 'duplicado'
        WHERE k.lote = :lote AND k.situacao IS NULL
          AND EXISTS (SELECT FROM {contratos} r
                      WHERE r.lote = :lote AND r.situacao IS NULL AND r.ccb_code = k.ccb_code
                        AND (r.atualizado_em, r.mongo_id) > (k.atualizado_em, k.mongo_id))
    """)
    batch.run("""
        UPDATE {contratos} k SET situacao = 'duplicado'
        FROM operacoes o
        WHERE k.lote = :lote AND k.situacao IS NULL AND o.ccb_code = k.ccb_code AND o.mongo_id <> k.mongo_id
          AND (o.atualizado_em, o.mongo_id) > (k.atualizado_em, k.mongo_id) AND o.excluido_em IS NULL
    """)
    return vacated


# Documents whose version is the one that the table has now: only they may write its children.
_OWNERS = {
    owner: f"""
        SELECT k.doc, o.{owner}
        FROM {{contratos}} k JOIN {table} o
          ON o.{owner} = k.{owner} AND o.mongo_id = k.mongo_id AND o.atualizado_em = k.atualizado_em
        WHERE k.lote = :lote
    """
    for owner, table in (("client_id", "clientes"), ("ccb_code", "operacoes"))
}


def _replace(batch: Batch, table: Table, owner: str) -> Written:
    """Children as a set: what the owner's document doesn't have goes, what differs is rewritten.

    Owners without any row in the table get theirs straight from staging; for the others both sides
    are compared whole, and only the differences are touched.
    """
    names = _names(table)
    key = [column.name for column in table.primary_key]
    staged = ", ".join(f"d.{name}" if name == owner else f"s.{name}" for name in names)
    of_batch = f"""
        FROM pg_temp.ccb_luigi_dono d
        JOIN {batch.name(tables.STAGED[table.name])} s ON s.lote = :lote AND s.doc = d.doc
    """
    owners = f"""
        SELECT d.*, NOT EXISTS (SELECT FROM {table.fullname} t WHERE t.{owner} = d.{owner}) AS novo
        FROM ({_OWNERS[owner]} AND k.situacao IS DISTINCT FROM 'intacto') d
    """
    changes = _differences(table, owner, f"SELECT {staged} {of_batch} WHERE NOT d.novo")
    with (
        batch.kept("dono", owners, ["doc", owner, "novo"]),
        batch.kept("mudanca", changes, [*key, "acao"]),
    ):
        written = _apply(batch, table, key)
        # In the order of the keys: each page of an index, and each contract's lock, is met once.
        new = batch.run(f"""
            INSERT INTO {table.fullname} ({", ".join(names)})
            SELECT {staged} {of_batch} WHERE d.novo ORDER BY d.{owner}
        """).rowcount
        if owner == "ccb_code" and new + written.total:
            # A contract whose own row stayed but whose children changed did change.
            batch.run(f"""
                UPDATE {{contratos}} k SET situacao = 'alterado'
                WHERE k.lote = :lote AND (k.situacao = 'igual' OR k.situacao IS NULL)
                  AND k.ccb_code IN (SELECT ccb_code FROM pg_temp.ccb_luigi_mudanca
                                     UNION SELECT d.ccb_code {of_batch} WHERE d.novo)
            """)
    return Written(written.inserted + new, written.updated, written.deleted)


def _differences(table: Table, owner: str, staged: str) -> str:
    """A query of what to do with each row of the owners that have rows in the table by now."""
    names = _names(table)
    key = [column.name for column in table.primary_key]
    return f"""
        SELECT {", ".join(f"coalesce(n.{name}, t.{name}) AS {name}" for name in key)},
               {"".join(f"n.{name}, " for name in names if name not in key)}
               CASE WHEN n.{owner} IS NULL THEN 'D' WHEN t.{owner} IS NULL THEN 'I' ELSE 'U' END AS acao
        FROM (SELECT t.* FROM {table.fullname} t
              JOIN pg_temp.ccb_luigi_dono d USING ({owner}) WHERE NOT d.novo) t
        FULL JOIN ({staged}) n ON {_match(key)}
        WHERE ({_columns("t", names)}) IS DISTINCT FROM ({_columns("n", names)})
    """


def _upsert(batch: Batch, table: Table, documents: str, guard: str) -> Written:
    """The rows of ``documents`` (a query of their numbers) that are new, or differ and pass the guard."""
    (key,) = (column.name for column in table.primary_key)
    names = _names(table)
    differs = f"({_columns('t', names)}) IS DISTINCT FROM ({_columns('n', names)})"
    if "excluido_em" in table.columns:  # it is in the source, so it isn't gone
        differs = f"({differs} OR t.excluido_em IS NOT NULL)"
    staged = _staged(batch, table)
    changes = f"""
        SELECT n.doc, n.{key}, CASE WHEN t.{key} IS NULL THEN 'I' WHEN {differs} THEN 'U' ELSE '=' END AS acao
        FROM ({documents}) d JOIN ({staged}) n USING (doc) LEFT JOIN {table.fullname} t USING ({key})
        WHERE t.{key} IS NULL OR ({guard})
    """
    with batch.kept("mudanca", changes, ["doc", key, "acao"]):
        # Only what is to be done is put aside: the rows are as wide as a contract.
        rows = f"(SELECT m.acao, n.* FROM pg_temp.ccb_luigi_mudanca m JOIN ({staged}) n USING (doc))"
        written = _apply(batch, table, [key], rows)
        if table is tables.operacoes:
            batch.run("""
                UPDATE {contratos} k
                SET situacao = CASE m.acao WHEN 'I' THEN 'novo' WHEN 'U' THEN 'alterado' ELSE 'igual' END
                FROM pg_temp.ccb_luigi_mudanca m
                WHERE k.lote = :lote AND k.situacao IS NULL AND k.doc = m.doc
            """)
            batch.analyse(tables.staged_contratos)
    return written


def _apply(batch: Batch, table: Table, key: list[str], changes: str = "pg_temp.ccb_luigi_mudanca") -> Written:
    """Brings ``changes`` (rows, and in ``acao`` what is to be done with each) into ``table``."""
    names = _names(table)
    assign = [f"{name} = n.{name}" for name in names if name not in key]
    if "carregado_em" in table.columns:
        assign.append("carregado_em = now()")
    if "excluido_em" in table.columns:
        assign.append("excluido_em = NULL")
    deleted = batch.run(
        f"DELETE FROM {table.fullname} t USING {changes} n WHERE n.acao = 'D' AND {_match(key)}"
    ).rowcount
    updated = 0
    if assign:
        updated = batch.run(f"""
            UPDATE {table.fullname} t SET {", ".join(assign)} FROM {changes} n
            WHERE n.acao = 'U' AND {_match(key)}
        """).rowcount
    # In the order of the keys: in it children look their owners up, and the next one then lies nearby.
    inserted = batch.run(f"""
        INSERT INTO {table.fullname} ({", ".join(names)})
        SELECT {", ".join(names)} FROM {changes} n WHERE n.acao = 'I' ORDER BY {", ".join(key)}
    """).rowcount
    return Written(inserted, updated, deleted)


def _columns(alias: str, names: list[str]) -> str:
    return ", ".join(f"{alias}.{name}" for name in names)


def _match(key: list[str]) -> str:
    return " AND ".join(f"t.{name} = n.{name}" for name in key)


def _names(table: Table) -> list[str]:
    """All columns but the ones that the database and the sweep fill."""
    return [c.name for c in table.columns if c.name not in ("carregado_em", "excluido_em")]


def _staged(batch: Batch, table: Table) -> str:
    """The columns of a table with one row per document, from staging, and the document's number."""
    staged = tables.STAGED[table.name]
    selected = ", ".join(f"{'s' if name in staged.columns else 'k'}.{name}" for name in _names(table))
    return f"""
        SELECT k.doc, {selected}
        FROM {{contratos}} k
        JOIN {batch.name(staged)} s ON s.lote = k.lote AND s.doc = k.doc
        WHERE k.lote = :lote
    """


def _write_clients(batch: Batch) -> Written:
    """Of the documents that name a client the newest counts, here and against the table."""
    newest_here = """
        SELECT DISTINCT ON (client_id) doc FROM {contratos}
        WHERE lote = :lote AND situacao IS DISTINCT FROM 'intacto'
        ORDER BY client_id, atualizado_em DESC, mongo_id DESC
    """
    not_older = "(n.atualizado_em, n.mongo_id) >= (t.atualizado_em, t.mongo_id)"
    return _upsert(batch, tables.clientes, newest_here, not_older)


def _write_contracts(batch: Batch) -> Written:
    """Writes what ``classify`` left, notes what came of each document, and replaces the findings."""
    left = "SELECT doc FROM {contratos} WHERE lote = :lote AND situacao IS NULL"
    written = _upsert(batch, tables.operacoes, left, "true")
    findings = f"""
        SELECT k.ccb_code, s.codigo, s.campo, k.mongo_id, k.particao
        FROM {{contratos}} k JOIN {{qualidade}} s ON s.lote = k.lote AND s.doc = k.doc
        WHERE k.lote = :lote AND k.{situacao.LOADED}
    """
    batch.run(f"""
        DELETE FROM controle.qualidade q USING (
            SELECT q.ccb_code, q.codigo, q.campo, q.mongo_id, q.particao
            FROM controle.qualidade q JOIN {{contratos}} k USING (ccb_code)
            WHERE k.lote = :lote AND k.situacao IN ('alterado', 'igual')
            EXCEPT {findings}
        ) gone
        WHERE q.ccb_code = gone.ccb_code AND q.codigo = gone.codigo AND q.campo = gone.campo
    """)
    batch.run(f"""
        INSERT INTO controle.qualidade (ccb_code, codigo, campo, mongo_id, particao)
        {findings} ON CONFLICT DO NOTHING
    """)
    return written
