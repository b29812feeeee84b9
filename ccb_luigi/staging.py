"""From documents to staging: judged one by one, rendered, and COPYed in chunks, so that memory is flat."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from bson.errors import InvalidBSON
from sqlalchemy import Connection, text

from ccb_luigi import postgres, quarantine, tables
from ccb_luigi.transform import Accepted, Refused, Transform, decode

Progress = Callable[[int], None]

_VERSION = (
    "mongo_id",
    "ccb_code",
    "client_id",
    "atualizado_em",
    "particao",
    "valor_bruto",
    "soma_prestacoes",
)
_RENDER = {
    table.name: postgres.line_of(list(table.columns)[2:])
    for table in (*tables.STAGED.values(), tables.staged_qualidade)
}
_RENDER_VERSION = postgres.line_of([tables.staged_contratos.c[name] for name in _VERSION])


@dataclass(slots=True)
class Counts:
    """What an extraction read and staged."""

    lidos: int = 0
    quarentena: int = 0
    por_codigo: dict[str, int] = field(default_factory=dict)
    staging: dict[str, int] = field(default_factory=dict)

    def most_frequent(self, number: int) -> list[tuple[str, int]]:
        """The codes that most documents were rejected for."""
        return sorted(self.por_codigo.items(), key=lambda pair: -pair[1])[:number]


class Stager:
    """Fills staging for one batch, inside the caller's transaction."""

    def __init__(self, connection: Connection, batch: int, chunk: int) -> None:
        self._connection = connection
        self._batch = batch
        self._chunk = chunk
        self._documents = 0
        self._refused: list[Refused] = []
        self._lines: dict[str, list[str]] = {table.name: [] for table in tables.STAGING}
        self.counts = Counts()

    def add(self, judged: Accepted | Refused, partition: date) -> None:
        """Takes one judged document of ``partition``."""
        self.counts.lidos += 1
        if isinstance(judged, Refused):
            self.counts.quarentena += 1
            for code in judged.codes:
                self.counts.por_codigo[code] = self.counts.por_codigo.get(code, 0) + 1
            self._refused.append(judged)
            if len(self._refused) >= quarantine.PAGE:
                self._quarantine(partition)
            return
        self._documents += 1
        prefix = f"{self._batch}\t{self._documents}\t"
        version = (
            judged.mongo_id,
            judged.ccb_code,
            judged.client_id,
            judged.atualizado_em,
            partition,
            judged.valor_bruto,
            judged.soma_prestacoes,
        )
        self._lines["contratos"].append(prefix + _RENDER_VERSION(version))
        for name, rows in judged.rows.items():
            render, lines = _RENDER[name], self._lines[name]
            for row in rows:
                lines.append(prefix + render(row))
        for finding in judged.findings:
            self._lines["qualidade"].append(prefix + _RENDER["qualidade"](finding))
        if len(self._lines["contratos"]) >= self._chunk:
            self._copy()

    def finish(self, partition: date) -> Counts:
        """Writes what is left and returns the counts."""
        self._copy()
        self._quarantine(partition)
        repeated = self._drop_repeated()
        self.counts.lidos -= repeated
        return self.counts

    def _copy(self) -> None:
        for table in tables.STAGING:
            lines = self._lines[table.name]
            names = ("lote", "doc", *_VERSION) if table is tables.staged_contratos else None
            postgres.copy_lines(self._connection, table, lines, names)
            self.counts.staging[table.name] = self.counts.staging.get(table.name, 0) + len(lines)
            lines.clear()

    def _quarantine(self, partition: date) -> None:
        quarantine.put(self._connection, self._refused, partition)
        self._refused.clear()

    def _drop_repeated(self) -> int:
        """A document that changed while the cursor ran can be met twice: the later reading counts."""
        found = self._connection.execute(text(_REPEATED), {"lote": self._batch}).scalars().all()
        for table in tables.STAGING if found else ():
            gone = self._connection.execute(
                text(f"DELETE FROM {table.fullname} WHERE lote = :lote AND doc = ANY(:docs)"),
                {"lote": self._batch, "docs": list(found)},
            )
            self.counts.staging[table.name] -= gone.rowcount
        return len(found)


_REPEATED = """
    SELECT doc FROM (
        SELECT doc, row_number() OVER (PARTITION BY mongo_id ORDER BY doc DESC) AS n
        FROM staging.contratos WHERE lote = :lote
    ) numbered WHERE n > 1
"""


def stage(
    connection: Connection,
    batch: int,
    documents: Iterable[bytes],
    transform: Transform,
    *,
    day: date | None,
    chunk: int,
    progress: Progress = lambda _: None,
) -> Counts:
    """Judges ``documents`` and fills staging and quarantine with those of the partition ``day``.

    A document whose time can't be read belongs to every partition. Without ``day`` all documents
    count, each for its own partition.
    """
    stager = Stager(connection, batch, chunk)
    last = day or transform.today()
    for raw in documents:
        document: dict[str, Any] | None
        try:
            document = decode(raw)
        except InvalidBSON:
            document = None
        partition = transform.partition(document) if document is not None else None
        if day is None:
            last = partition or transform.today()
        elif partition not in (None, day):
            continue
        stager.add(transform.judge(raw, document), last)
        if stager.counts.lidos % 100 == 0:
            progress(stager.counts.lidos)
    progress(stager.counts.lidos)
    return stager.finish(last)
