"""What was loaded from which bytes, so that a rerun passes over documents that can't have changed.

``controle.versoes`` holds, per loaded document, the fingerprint of its bytes and the mark of its rows: how
many there are in all tables, and the sum of the transactions (``xmin``) that wrote them. A document whose
fingerprint is the same and whose rows bear the same mark is *intact*: nothing in it has changed, and
nobody has touched what was made of it. It is neither judged nor rendered nor compared again. Whoever
changes, adds or removes a row changes the mark, since a later transaction has a higher number; a restored
database has other marks altogether. All that costs is the comparison that is done anyway without them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sqlalchemy import Connection, Table, text

from ccb_luigi import tables
from ccb_luigi.documents import fingerprint
from ccb_luigi.documents.identity import quick_name
from ccb_luigi.load import situacao
from ccb_luigi.load.batch import Batch
from ccb_luigi.load.planner_settings import share_no_hash_tables

COLUMNS = ", ".join(c.name for c in tables.versoes.columns if c.name in tables.staged_contratos.columns)
"""What is kept of a version as it was staged."""


def _marks_by(document: str, more: str = "") -> str:
    """A query of the marks of the documents in ``alvo``; ``document`` names them there.

    Over all tables at once, and ``alvo`` is never to be materialized: so several processes share the work.
    ``more`` is selected as well; in it ``tabela`` is the number of a row's table in ``LOADED``.
    """

    def rows_of(table: Table) -> str:
        owner = tables.owner(table)
        number = f", {tables.LOADED.index(table)} AS tabela" if more and table in tables.LOADED else ""
        nowhere = ", -1" if more and not number else ""
        return f"""
            SELECT a.{document}, t.xmin{number}{nowhere}
            FROM alvo a JOIN {table.fullname} t ON t.{owner} = a.{owner}
        """

    return f"""
        SELECT {document}, count(*) AS linhas, sum(xmin::text::bigint)::bigint AS escritas{more}
        FROM ({" UNION ALL ".join(map(rows_of, (*tables.LOADED, tables.qualidade)))}) linha
        GROUP BY {document}
    """


_OF_EACH_TABLE = f""",
    CAST(ARRAY[{
    ", ".join(f"count(*) FILTER (WHERE tabela = {tables.LOADED.index(each)})" for each in tables.CHILDREN)
}] AS integer[]) AS linhas_filhas"""


def remember(batch: Batch) -> None:
    """Notes what the batch loaded. To be called when its proof holds, in the same transaction.

    The caller holds the lock of ``operacoes``: of two who note the same document one waits.
    """
    share_no_hash_tables(batch.connection)
    loaded = f"k.lote = :lote AND k.{situacao.LOADED}"
    batch.run(f"""
        CREATE TEMP TABLE pg_temp.ccb_luigi_marcas ON COMMIT DROP AS
        WITH alvo AS NOT MATERIALIZED (
            SELECT doc, ccb_code, client_id FROM {{contratos}} k WHERE {loaded}
        )
        {_marks_by("doc", _OF_EACH_TABLE)}
    """)
    # Removed and written anew, in the order of the key: half of what ON CONFLICT takes, which looks first.
    batch.run(f"""
        DELETE FROM controle.versoes v USING {{contratos}} k WHERE v.mongo_id = k.mongo_id AND {loaded}
    """)
    batch.run(f"""
        INSERT INTO controle.versoes ({COLUMNS}, linhas, escritas, linhas_filhas)
        SELECT {COLUMNS}, m.linhas, m.escritas, m.linhas_filhas
        FROM {{contratos}} k JOIN pg_temp.ccb_luigi_marcas m USING (doc) WHERE {loaded}
        ORDER BY mongo_id
    """)
    batch.run("DROP TABLE pg_temp.ccb_luigi_marcas")


def forget(connection: Connection, day: date) -> None:
    """Every document of the date counts as changed."""
    connection.execute(text("DELETE FROM controle.versoes WHERE particao = :day"), {"day": day})


def forget_the_gone(connection: Connection, day: date) -> None:
    """What documents left that are gone from the source: reading the date can't bring it back."""
    connection.execute(
        text("""
            DELETE FROM controle.versoes v WHERE particao = :day AND NOT EXISTS (
                SELECT FROM operacoes o WHERE o.ccb_code = v.ccb_code AND o.excluido_em IS NULL)
        """),
        {"day": day},
    )


def forget_documents(connection: Connection, ids: Sequence[str]) -> None:
    """These are no longer in the tables."""
    connection.execute(text("DELETE FROM controle.versoes WHERE mongo_id = ANY(:ids)"), {"ids": list(ids)})


class Unchanged:
    """The documents of a date whose rows are as they were left."""

    def __init__(self, batch: Batch, day: date, rules: bytes) -> None:
        self._batch = batch
        self._rules = rules
        self._any = self._gather(day)

    def _gather(self, day: date) -> bool:
        if not self._batch.run(
            "SELECT EXISTS (SELECT FROM controle.versoes WHERE particao = :day)", day=day
        ).scalar():
            return False
        share_no_hash_tables(self._batch.connection)
        self._batch.run(
            f"""
                CREATE TEMP TABLE pg_temp.ccb_luigi_conhecidos ON COMMIT DROP AS
                WITH alvo AS NOT MATERIALIZED (SELECT * FROM controle.versoes WHERE particao = :day),
                     marca AS ({_marks_by("mongo_id")})
                SELECT alvo.* FROM alvo JOIN marca USING (mongo_id, linhas, escritas)
            """,
            day=day,
        )
        self._batch.run("CREATE INDEX ON pg_temp.ccb_luigi_conhecidos (mongo_id)")
        self._batch.run("ANALYZE pg_temp.ccb_luigi_conhecidos")
        return True

    def pass_over(self, first: int, documents: list[bytes]) -> int:
        """Stages the intact documents as such and takes their bytes away; returns how many there were.

        ``first`` is the number of the first of ``documents`` in the batch.
        """
        if not self._any:
            return 0
        found = self._batch.run(
            f"""
                INSERT INTO {{contratos}} (lote, doc, {COLUMNS}, situacao)
                SELECT :lote, d.doc, {COLUMNS}, 'intacto'
                FROM pg_temp.ccb_luigi_conhecidos
                JOIN unnest(CAST(:docs AS integer[]), CAST(:names AS text[]), CAST(:prints AS text[]))
                     AS d (doc, mongo_id, impressao) USING (mongo_id, impressao)
                RETURNING doc
            """,
            docs=[*range(first, first + len(documents))],
            names=[quick_name(raw) for raw in documents],
            prints=[fingerprint.of(raw, self._rules) for raw in documents],
        )
        intact = found.scalars().all()
        for doc in intact:
            documents[doc - first] = b""
        return len(intact)
