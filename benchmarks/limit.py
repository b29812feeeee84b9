"""The yardstick: how fast rows get into these tables if nobody has to make, judge or prove them.

The rows are rendered beforehand, by the pipeline's own judge. The clock holds one connection, COPY
into staging, fresh statistics, one plain upsert per table, and the commit: as an expert writes it who
knows that all documents are good. It can't tell what changed, removes no children that are gone, marks
nothing and proves nothing.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path

import psycopg2
from sqlalchemy import Table

from benchmarks.documents import DAY, Progress
from ccb_luigi import tables
from ccb_luigi.codes import Strictness
from ccb_luigi.database import postgres
from ccb_luigi.documents import block
from ccb_luigi.settings import Settings
from ccb_luigi.sources.dump import DumpSource

_COPIED = (tables.staged_contratos, *tables.STAGED.values())
_OF_DOCUMENT = frozenset({"client_id", "ccb_code", "mongo_id", "atualizado_em"})
_JOINED = frozenset({"doc", "client_id", "ccb_code"})
_BY_DATABASE = frozenset({"carregado_em", "excluido_em"})


def render(dump: Path, directory: Path, progress: Progress) -> Path:
    """The dump's rows as COPY text, a file per staging table; not on the clock."""
    directory.mkdir()
    settings = Settings()
    task = block.BatchSpec(DAY.toordinal(), DAY, settings.zone, Strictness())
    done = 0
    with ExitStack() as stack:
        files = {t.name: stack.enter_context((directory / t.name).open("wb")) for t in _COPIED}
        for number, documents in block.blocks(DumpSource(dump).documents(*settings.bounds(DAY))):
            rendered = block.render(task, number, documents)
            if rendered.refused:
                raise ValueError("a synthetic document was refused: the limit knows good ones only")
            for name, file in files.items():
                file.write(rendered.lines.get(name, b""))
            done += len(documents)
            progress(done)
    return directory


def load(url: str, rendered: Path) -> None:
    """Everything from the connection to the commit."""
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        for table in _COPIED:
            names = block.VERSION if table is tables.staged_contratos else [c.name for c in table.columns]
            with (rendered / table.name).open("rb") as lines:
                copy = f"COPY {table.fullname} ({', '.join(names)}) FROM STDIN"
                cursor.copy_expert(copy, lines, postgres.COPY_BLOCK)
        cursor.execute(f"ANALYZE {', '.join(map(_with_keys, _COPIED))}")
        cursor.execute(_NEWEST)
        cursor.execute("ANALYZE newest")
        for table in tables.LOADED:
            cursor.execute(upsert(table))


def _with_keys(table: Table) -> str:
    """The columns that are joined: statistics of the others take as long as all of the COPY, for nothing."""
    return f"{table.fullname} ({', '.join(c.name for c in table.columns if c.name in _JOINED)})"


# A client's row and children come from the newest of the documents that name the client.
_NEWEST = """
    CREATE TEMP TABLE newest ON COMMIT DROP AS
    SELECT DISTINCT ON (client_id) client_id, doc, mongo_id, atualizado_em
    FROM staging.contratos ORDER BY client_id, atualizado_em DESC, mongo_id DESC
"""


def upsert(table: Table) -> str:
    """From staging into one table: new rows inserted, others overwritten in all columns.

    In the order of the key, so that neighbours in an index are written together.
    """
    names = [column.name for column in table.columns if column.name not in _BY_DATABASE]
    key = [column.name for column in table.primary_key]
    owners = "staging.contratos" if "ccb_code" in names else "newest"
    selected = ", ".join(f"{'k' if name in _OF_DOCUMENT else 's'}.{name}" for name in names)
    assign = [f"{name} = excluded.{name}" for name in names if name not in key]
    if "carregado_em" in table.columns:
        assign.append("carregado_em = now()")
    action = f"UPDATE SET {', '.join(assign)}" if assign else "NOTHING"
    return f"""
        INSERT INTO {table.fullname} ({", ".join(names)})
        SELECT {selected} FROM {owners} k JOIN {tables.STAGED[table.name].fullname} s ON s.doc = k.doc
        ORDER BY k.{key[0]} ON CONFLICT ({", ".join(key)}) DO {action}
    """
