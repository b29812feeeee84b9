"""A block of raw documents as lines for COPY: pure, so that any process can do it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from zoneinfo import ZoneInfo

from bson.errors import InvalidBSON

from ccb_luigi import rawbson, tables
from ccb_luigi.copytext import line_of
from ccb_luigi.transform import Accepted, Refused, Transform, decode

BYTES = 4 << 20
"""A block ends here even if it has few documents: some have 15 MB."""

DOCUMENTS = 1000
"""A block has at most so many documents; they are numbered from its number times this on."""

VERSION = (
    "lote",
    "doc",
    "mongo_id",
    "ccb_code",
    "client_id",
    "atualizado_em",
    "particao",
    "valor_bruto",
    "soma_prestacoes",
)
"""The columns of staging.contratos that come from the document."""

_RENDER = {
    table.name: line_of(list(table.columns)[2:])
    for table in (*tables.STAGED.values(), tables.staged_qualidade)
}
_RENDER_VERSION = line_of([tables.staged_contratos.c[name] for name in VERSION[2:]])


@dataclass(frozen=True, slots=True)
class Task:
    """What to do with every block of a batch. Without ``day`` documents of all dates count."""

    batch: int
    day: date | None
    zone: ZoneInfo
    promoted: frozenset[str]


@dataclass(slots=True)
class Rendered:
    """One block: per staging table its lines and their number, and what goes to the quarantine."""

    lines: dict[str, bytes]
    counts: dict[str, int]
    refused: list[tuple[date, Refused]] = field(default_factory=list)

    @property
    def read(self) -> int:
        """Documents of the batch in this block."""
        return self.counts["contratos"] + len(self.refused)


@lru_cache(maxsize=4)
def transform_of(zone: ZoneInfo, promoted: frozenset[str]) -> Transform:
    """The process' own transform: compiling the contract takes milliseconds."""
    return Transform(zone, promoted)


def blocks(documents: Iterable[bytes]) -> Iterator[tuple[int, list[bytes]]]:
    """(number, documents): the documents in blocks of bounded length and size."""
    number, size = 0, 0
    block: list[bytes] = []
    for raw in documents:
        block.append(raw)
        size += len(raw)
        if len(block) == DOCUMENTS or size >= BYTES:
            yield number, block
            number, size, block = number + 1, 0, []
    if block:
        yield number, block


def render(task: Task, number: int, documents: Sequence[bytes]) -> Rendered:
    """Judges the documents of a block, and renders what is accepted.

    A document whose time can't be read belongs to every date.
    """
    transform = transform_of(task.zone, task.promoted)
    lines: dict[str, list[str]] = {table.name: [] for table in tables.STAGING}
    refused: list[tuple[date, Refused]] = []
    for doc, raw in enumerate(documents, number * DOCUMENTS):
        try:
            document = decode(raw)
        except InvalidBSON:
            document = None
        found = transform.partition(document) if document is not None else None
        elsewhere = task.day is not None and found not in (None, task.day)
        # Of two updatedAt the server finds a document by one, and the other one is decoded.
        if elsewhere and not rawbson.occurs_twice(raw, b"updatedAt"):
            continue
        partition = task.day or found or transform.today()
        judged = transform.judge(raw, document)
        if isinstance(judged, Refused):
            refused.append((partition, judged))
        else:
            _render(judged, partition, f"{task.batch}\t{doc}\t", lines)
    return Rendered(
        lines={name: "".join(some).encode() for name, some in lines.items() if some},
        counts={name: len(some) for name, some in lines.items()},
        refused=refused,
    )


def _render(judged: Accepted, partition: date, prefix: str, lines: dict[str, list[str]]) -> None:
    version = (
        judged.mongo_id,
        judged.ccb_code,
        judged.client_id,
        judged.atualizado_em,
        partition,
        judged.valor_bruto,
        judged.soma_prestacoes,
    )
    lines["contratos"].append(prefix + _RENDER_VERSION(version))
    for name, rows in judged.rows.items():
        write = _RENDER[name]
        lines[name] += [prefix + write(row) for row in rows]
    lines["qualidade"] += [prefix + _RENDER["qualidade"](finding) for finding in judged.findings]
