"""Raw BSON in, rows or a rejection out: the pure middle of the pipeline."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from bson.errors import InvalidBSON

from ccb_luigi.codes import USUAL, Strictness
from ccb_luigi.documents import rawbson
from ccb_luigi.documents.contract import SCHEMA, Contract, Document, Rejected
from ccb_luigi.documents.extras import extras
from ccb_luigi.documents.findings import as_amount, findings, rounded, totals
from ccb_luigi.documents.identity import name_of
from ccb_luigi.documents.rawbson import decode
from ccb_luigi.documents.rows import REMEMBERED, Row, rows_of, schedule
from ccb_luigi.documents.sanity import Finding
from ccb_luigi.documents.schedule import TextSchedule
from ccb_luigi.documents.times import EPOCH
from ccb_luigi.documents.values import Unreadable

if TYPE_CHECKING:
    from ccb_luigi.documents.fast.vectorised import Read, VectorisedReader

_NUL_IN_JSON = re.compile(r"(?<!\\)(?:\\\\)*\\u0000").search
ZERO = as_amount(0)


class Accepted(NamedTuple):
    """A document that can be loaded, with its rows per table."""

    mongo_id: str
    ccb_code: str
    client_id: str
    atualizado_em: datetime
    valor_bruto: Decimal
    soma_prestacoes: Decimal
    rows: dict[str, list[Row] | TextSchedule]
    findings: list[Finding]


@dataclass(frozen=True, slots=True)
class Refused:
    """A document for the quarantine: its codes, path → messages, and its bytes as they were read."""

    mongo_id: str
    codes: list[str]
    messages: dict[str, list[str]]
    raw: bytes

    @property
    def sha256(self) -> str:
        """Fingerprint of the bytes, so that an auditor can tell one version from another."""
        return hashlib.sha256(self.raw).hexdigest()


TOGETHER, ROWS_ALONE, ALONE, CERBERUS = ROADS = ("together", "rows_alone", "alone", "cerberus")
"""How a document was read, the fastest first: with its block; likewise, but its schedule row by row; by
itself, through the gate; by Cerberus, or not even that far (what can't be decoded)."""


class Known(NamedTuple):
    """A valid document in its normal form.

    ``others``: path → value of its fields without a column. ``moment``: its effective time, in UTC.
    ``noted``: findings that its normal form no longer shows. ``road``: of ``ROADS``.
    """

    document: Document
    others: Document
    moment: datetime | None
    noted: Sequence[Finding] = ()
    road: str = ALONE


class Judge:
    """Judges documents by the contract; ``strictness``: what the settings say of findings."""

    def __init__(self, zone: ZoneInfo, strictness: Strictness = USUAL) -> None:
        self.zone = zone
        self.strictness = strictness
        self.contract = Contract(zone)

    @cached_property
    def _columns(self) -> VectorisedReader:
        # Else NumPy starts threads for linear algebra, which nobody does: half of its import's time.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        from ccb_luigi.documents.fast.vectorised import VectorisedReader

        return VectorisedReader(SCHEMA, self.zone, totals)

    def prepare(self) -> None:
        """Does what ``read`` does at first, which takes a tenth of a second: a fork then inherits it."""
        _ = self._columns

    def read(self, documents: Sequence[bytes]) -> list[Known | None]:
        """Those of many documents that are surely valid, read side by side; ``None`` for the others."""
        return [read and _known_at_once(read) for read in self._columns.read(documents)]

    def day(self, moment: datetime | None) -> date:
        """The date whose partition holds a version of this effective time (contract §3.1)."""
        return (moment or EPOCH).astimezone(self.zone).date()

    def partition(self, document: Document) -> date | None:
        """The date whose partition holds the document; ``None`` if its time can't be read."""
        try:
            return self.day(self.contract.effective_time(document))
        except Unreadable:
            return None

    def moment(self, read: Known | Document) -> datetime | None:
        """The document's effective time; ``None``: there is none, or it can't be read."""
        if isinstance(read, Known):
            return read.moment
        try:
            return self.contract.effective_time(read)
        except Unreadable:
            return None

    def partition_of_raw(self, raw: bytes) -> date | None:
        """``partition`` of a document that may not even decode."""
        try:
            return self.partition(decode(raw))
        except InvalidBSON:
            return None

    def today(self) -> date:
        """The current day in the zone of the partitions."""
        return datetime.now(self.zone).date()

    def judge(self, raw: bytes, read: Known | Document | None = None) -> Accepted | Refused:
        """Everything about one document; ``read`` is ``raw``, as far as somebody has already come with it."""
        judged, _ = self.judge_and_tell(raw, read)
        return judged

    def judge_and_tell(
        self, raw: bytes, read: Known | Document | None = None
    ) -> tuple[Accepted | Refused, str]:
        """What ``judge`` says, and which of ``ROADS`` the document took."""
        road = CERBERUS
        try:
            known = read if isinstance(read, Known) else self._known(raw, read or decode(raw))
            road = known.road
            return self._accepted(raw, known), road
        except InvalidBSON:
            rejected = Rejected({"": ["bson_invalido"]})
        except RecursionError:
            rejected = Rejected({"": ["aninhamento"]})
        except Rejected as error:
            rejected = error
        return Refused(name_of(raw), rejected.codes, rejected.messages, raw), road

    def _known(self, raw: bytes, decoded: Document) -> Known:
        if (path := rawbson.repeated_key(raw, decoded)) is not None:
            raise Rejected({path: ["chave_repetida"]})
        passed = self.contract.gate(decoded)
        document = self.contract.judge(decoded) if passed is None else passed
        moment = self.contract.effective_time(decoded)
        noted = [*rounded(document)] if passed is None else []  # the gate passes nothing that is rounded
        return Known(document, extras(decoded), moment, noted, CERBERUS if passed is None else ALONE)

    def _accepted(self, raw: bytes, known: Known) -> Accepted:
        document = known.document
        rows = rows_of(document, known.others, lambda: decode(raw))
        _refuse_nul(rows.extras)
        found = [*findings(document, self.zone, self.strictness), *known.noted]
        found += [(code, path) for path, code in rows.left_out if code]
        if known.moment is None:
            found.append(("sem_data", "updatedAt"))
        if promoted := [(code, path) for code, path in found if code in self.strictness.promoted]:
            raise Rejected(_by_path(promoted))
        return Accepted(
            mongo_id=document["_id"],
            ccb_code=document["ccbCode"],
            client_id=document["clientId"],
            atualizado_em=known.moment or EPOCH,
            valor_bruto=document["operation"]["ValorBruto"],
            soma_prestacoes=_payments(document),
            rows=rows.tables,
            findings=found,
        )


def _known_at_once(read: Read) -> Known | None:
    document = read.document
    moment = document["updatedAt"] or document["createdAt"] or document["emitedAt"]
    others = _others(read.others)
    if moment is None or others is None:
        return None
    rows = schedule(document)
    return Known(
        document, others, moment, (), TOGETHER if type(rows) is TextSchedule or not rows else ROWS_ALONE
    )


def _others(elements: bytes) -> Document | None:
    """What has no column is nearly the same in every document of a source, unless it is large."""
    return _short_document(elements) if len(elements) <= REMEMBERED else _document(elements)


def _document(elements: bytes) -> Document | None:
    found = rawbson.document_of(elements)
    return None if found is None else dict(sorted(found.items()))


_short_document = lru_cache(maxsize=4096)(_document)


def _payments(document: Document) -> Decimal:
    rows = schedule(document)
    if type(rows) is TextSchedule:
        return as_amount(rows.known.payment)
    return sum((row.get("ValorDaPrestacao") or ZERO for row in rows), ZERO)


def _refuse_nul(extras: str) -> None:
    """``jsonb`` can't hold a NUL, so a field without a column can't have one either."""
    if "\\u0000" in extras and _NUL_IN_JSON(extras):
        raise Rejected({"extras": ["nul"]})


def _by_path(found: list[Finding]) -> dict[str, list[str]]:
    reasons: dict[str, list[str]] = {}
    for code, path in found:
        reasons.setdefault(path, []).append(code)
    return reasons
