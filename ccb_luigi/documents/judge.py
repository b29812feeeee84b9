"""Raw BSON in, rows or a rejection out: the pure middle of the pipeline."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple
from zoneinfo import ZoneInfo

from bson.errors import InvalidBSON

from ccb_luigi.codes import USUAL, Strictness
from ccb_luigi.documents import fast, rawbson
from ccb_luigi.documents.contract import SCHEMA, Contract, Rejected
from ccb_luigi.documents.extras import extras
from ccb_luigi.documents.findings import findings, rounded
from ccb_luigi.documents.identity import name_of
from ccb_luigi.documents.rawbson import Document, decode
from ccb_luigi.documents.rows import Row, rows_of
from ccb_luigi.documents.sanity import Finding
from ccb_luigi.documents.schedule import Schedule, schedule_of
from ccb_luigi.documents.times import EPOCH
from ccb_luigi.documents.valid import ALONE, CERBERUS, Valid
from ccb_luigi.documents.values import Unreadable

_NUL_IN_JSON = re.compile(r"(?<!\\)(?:\\\\)*\\u0000").search


class Accepted(NamedTuple):
    """A document that can be loaded: its rows per table, and its schedule, which those of parcelas are."""

    mongo_id: str
    ccb_code: str
    client_id: str
    atualizado_em: datetime
    valor_bruto: Decimal
    soma_prestacoes: Decimal
    rows: dict[str, list[Row]]
    schedule: Schedule
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


class Judge:
    """Judges documents by the contract; ``strictness``: what the settings say of findings."""

    def __init__(self, zone: ZoneInfo, strictness: Strictness = USUAL) -> None:
        self.zone = zone
        self.strictness = strictness
        self.contract = Contract(zone)

    @cached_property
    def read(self) -> Callable[[Sequence[bytes]], list[Valid | None]]:
        """The fast road: those of many documents that are certainly valid, ``None`` for the others."""
        return fast.reader(SCHEMA, self.contract.compiler)

    def prepare(self) -> None:
        """Makes the fast road, which takes a tenth of a second: a fork then inherits it."""
        _ = self.read

    def day(self, moment: datetime | None) -> date:
        """The date whose partition holds a version of this effective time (contract §3.1)."""
        return (moment or EPOCH).astimezone(self.zone).date()

    def partition(self, document: Document) -> date | None:
        """The date whose partition holds the document; ``None`` if its time can't be read."""
        try:
            return self.day(self.contract.effective_time(document))
        except Unreadable:
            return None

    def moment(self, read: Valid | Document) -> datetime | None:
        """The document's effective time; ``None``: there is none, or it can't be read."""
        if isinstance(read, Valid):
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

    def judge(self, raw: bytes, read: Valid | Document | None = None) -> Accepted | Refused:
        """Everything about one document; ``read`` is ``raw``, as far as somebody has already come with it."""
        judged, _ = self.judge_and_tell(raw, read)
        return judged

    def judge_and_tell(
        self, raw: bytes, read: Valid | Document | None = None
    ) -> tuple[Accepted | Refused, str]:
        """What ``judge`` says, and which of ``ROADS`` the document took."""
        road = CERBERUS
        try:
            valid = read if isinstance(read, Valid) else self._valid(raw, read or decode(raw))
            road = valid.road
            return self._accepted(raw, valid), road
        except InvalidBSON:
            rejected = Rejected({"": ["bson_invalido"]})
        except RecursionError:
            rejected = Rejected({"": ["aninhamento"]})
        except Rejected as error:
            rejected = error
        return Refused(name_of(raw), rejected.codes, rejected.messages, raw), road

    def _valid(self, raw: bytes, decoded: Document) -> Valid:
        if (path := rawbson.repeated_key(raw, decoded)) is not None:
            raise Rejected({path: ["chave_repetida"]})
        passed = self.contract.compiled(decoded)
        document = self.contract.judge(decoded) if passed is None else passed
        moment = self.contract.effective_time(decoded)
        noted = [*rounded(document)] if passed is None else []  # of what is rounded Cerberus alone is sure
        road = CERBERUS if passed is None else ALONE
        return Valid(document, schedule_of(document), extras(decoded), moment, noted, road)

    def _accepted(self, raw: bytes, valid: Valid) -> Accepted:
        document = valid.document
        rows = rows_of(document, valid.others, lambda: decode(raw))
        _refuse_nul(rows.extras)
        found = [*findings(document, valid.schedule, self.zone, self.strictness), *valid.noted]
        found += [(code, path) for path, code in rows.left_out if code]
        if valid.moment is None:
            found.append(("sem_data", "updatedAt"))
        if promoted := [(code, path) for code, path in found if code in self.strictness.promoted]:
            raise Rejected(_by_path(promoted))
        return Accepted(
            mongo_id=document["_id"],
            ccb_code=document["ccbCode"],
            client_id=document["clientId"],
            atualizado_em=valid.moment or EPOCH,
            valor_bruto=document["operation"]["ValorBruto"],
            soma_prestacoes=valid.schedule.payments(),
            rows=rows.tables,
            schedule=valid.schedule,
            findings=found,
        )


def _refuse_nul(extras: str) -> None:
    """``jsonb`` can't hold a NUL, so a field without a column can't have one either."""
    if "\\u0000" in extras and _NUL_IN_JSON(extras):
        raise Rejected({"extras": ["nul"]})


def _by_path(found: list[Finding]) -> dict[str, list[str]]:
    reasons: dict[str, list[str]] = {}
    for code, path in found:
        reasons.setdefault(path, []).append(code)
    return reasons
