"""Raw BSON in, rows or a rejection out: the pure middle of the pipeline."""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import bson
from bson import CodecOptions, DatetimeConversion, ObjectId, json_util
from bson.errors import InvalidBSON

from ccb_luigi.documents import rawbson
from ccb_luigi.documents.contract import Contract, Document, Rejected
from ccb_luigi.documents.findings import Finding, findings, rounded
from ccb_luigi.documents.rows import Row, rows_of, schedule
from ccb_luigi.documents.uniform import Uniform
from ccb_luigi.documents.values import EPOCH, Unreadable

# Dates past year 9999 decode to a number instead of failing the whole document.
CODEC: CodecOptions[Document] = CodecOptions(
    tz_aware=True, tzinfo=UTC, datetime_conversion=DatetimeConversion.DATETIME_AUTO
)
# Between these every zone has a day for a date; the day before the first is .NET's null.
FIRST = datetime(1, 1, 2, tzinfo=UTC)
LAST = datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)
_NUL_IN_JSON = re.compile(r"(?<!\\)(?:\\\\)*\\u0000").search
MAX_ID = 255
BY_BYTES = "sha256:"


class Accepted(NamedTuple):
    """A document that can be loaded, with its rows per table."""

    mongo_id: str
    ccb_code: str
    client_id: str
    atualizado_em: datetime
    valor_bruto: Decimal
    soma_prestacoes: Decimal
    rows: dict[str, list[Row] | Uniform]
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


@dataclass(slots=True)
class Opened:
    """A document in Python types. Where its schedule could be read from the bytes, that is in ``rows``.

    Then binary data stands in its place, both in the document and in ``bytes``, of which it was decoded.
    """

    document: Document
    bytes: bytes
    rows: Uniform | None = None


class Transform:
    """Judges documents by the contract; ``promoted`` finding codes count as rejections."""

    def __init__(self, zone: ZoneInfo, promoted: frozenset[str] = frozenset()) -> None:
        self.zone = zone
        self.promoted = promoted
        self.contract = Contract(zone)

    def partition(self, document: Document) -> date | None:
        """The date whose partition holds the document; ``None`` if its time can't be read."""
        try:
            moment = self.contract.effective_time(document)
        except Unreadable:
            return None
        return (moment or EPOCH).astimezone(self.zone).date()

    def partition_of_raw(self, raw: bytes) -> date | None:
        """``partition`` of a document that may not even decode."""
        try:
            return self.partition(decode(raw))
        except InvalidBSON:
            return None

    def today(self) -> date:
        """The current day in the zone of the partitions."""
        return datetime.now(self.zone).date()

    def open(self, raw: bytes) -> Opened:
        """Decodes a document, but not its schedule if that can be read from the bytes.

        Raises:
            InvalidBSON: as ``decode``.
        """
        if (listed := self.contract.by_bytes) and (found := rawbson.set_aside(raw, listed.name.encode())):
            aside, array = found
            if (rows := listed.read(array)) is not None:
                with suppress(InvalidBSON, LookupError, TypeError):  # the name is elsewhere
                    document = decode(aside)
                    listed.around(document)[listed.name]
                    return Opened(document, aside, rows)
        return Opened(decode(raw), raw)

    def judge(self, raw: bytes, opened: Opened | None = None) -> Accepted | Refused:
        """Everything about one document; ``opened`` is ``raw``, if somebody already did that."""
        try:
            opened = opened or self.open(raw)
            if opened.rows is not None and not rawbson.written_the_same(opened.bytes, opened.document):
                opened = Opened(decode(raw), raw)
        except InvalidBSON:
            broken = Rejected({"": ["bson_invalido"]})
            return Refused(quick_name(raw), broken.codes, broken.messages, raw)
        if opened.rows is None and (path := rawbson.repeated_key(raw, opened.document)) is not None:
            twice = Rejected({path: ["chave_repetida"]})
            return Refused(name_of(raw), twice.codes, twice.messages, raw)
        try:
            return self._accepted(raw, opened)
        except RecursionError:
            deep = Rejected({"": ["aninhamento"]})
            return Refused(name_of(raw), deep.codes, deep.messages, raw)
        except Rejected as rejected:
            return Refused(name_of(raw), rejected.codes, rejected.messages, raw)

    def _accepted(self, raw: bytes, opened: Opened) -> Accepted:
        decoded = opened.document
        if (listed := self.contract.by_bytes) and opened.rows is not None:
            listed.around(decoded)[listed.name] = opened.rows
        passed = self.contract.gate(decoded)
        if passed is None and opened.rows is not None:  # Cerberus reads plain values only
            decoded = decode(raw)
        document = self.contract.judge(decoded) if passed is None else passed
        moment = self.contract.effective_time(decoded)
        rows = rows_of(document, decoded)
        _refuse_nul(rows.extras)
        found = findings(document)
        if passed is None:  # the gate passes nothing rounded
            found += rounded(document)
        found += [(code, path) for path, code in rows.left_out if code]
        if moment is None:
            found.append(("sem_data", "updatedAt"))
        if promoted := [(code, path) for code, path in found if code in self.promoted]:
            raise Rejected(_by_path(promoted))
        return Accepted(
            mongo_id=document["_id"],
            ccb_code=document["ccbCode"],
            client_id=document["clientId"],
            atualizado_em=moment or EPOCH,
            valor_bruto=document["operation"]["ValorBruto"],
            soma_prestacoes=_payments(document),
            rows=rows.tables,
            findings=found,
        )


def _payments(document: Document) -> Decimal:
    rows = schedule(document)
    if type(rows) is Uniform:
        return sum(rows.amounts("ValorDaPrestacao"), Decimal(0))
    return sum((row.get("ValorDaPrestacao") or Decimal(0) for row in rows), Decimal(0))


def decode(raw: bytes) -> Document:
    """The document in Python types.

    Raises:
        InvalidBSON: the bytes are not a document (truncated, bad UTF-8, nested too deep).
    """
    try:
        return bson.decode(raw, codec_options=CODEC)
    except InvalidBSON:
        raise
    except (ValueError, OverflowError, RecursionError) as error:
        raise InvalidBSON(type(error).__name__) from None


def name_of(raw: bytes) -> str:
    """``mongo_id`` of a raw document, as far as it can be told."""
    try:
        document = decode(raw)
    except InvalidBSON:
        return quick_name(raw)
    if "_id" not in document or rawbson.occurs_twice(raw, b"_id"):  # of two MongoDB knows it by the first
        return quick_name(raw)
    return id_text(document["_id"])


def id_text(value: Any) -> str:
    """``_id`` as the quarantine names it: as in ``mongo_id``, other types as extended JSON."""
    if isinstance(value, ObjectId):
        return str(value)
    if type(value) is str and "\0" not in value and len(value) <= MAX_ID:
        return value
    text = json_util.dumps(value, json_options=json_util.CANONICAL_JSON_OPTIONS)
    return text if len(text) <= MAX_ID else BY_BYTES + hashlib.sha256(text.encode()).hexdigest()


def ids_of(name: str) -> list[Any]:
    """The values of ``_id`` that ``id_text`` names so; none for a document known by its bytes only."""
    if name.startswith(BY_BYTES):
        return []
    found: list[Any] = [name]
    if ObjectId.is_valid(name):
        found.append(ObjectId(name))
    else:
        with suppress(ValueError, TypeError):
            value = json_util.loads(name, json_options=json_util.CANONICAL_JSON_OPTIONS)
            found += [value] if id_text(value) == name else []
    return found


def quick_name(raw: bytes) -> str:
    """``id_text`` without decoding, if ``_id`` is text or an ObjectId; else the fingerprint of the bytes.

    MongoDB stores ``_id`` first: after the length one byte for the type, the name, and the value.
    """
    if raw[5:9] == b"_id\0":
        if raw[4] == 0x07 and len(raw) >= 21:
            return str(ObjectId(raw[9:21]))
        length = int.from_bytes(raw[9:13], "little")
        if raw[4] == 0x02 and 0 < length <= len(raw) - 13:
            with suppress(UnicodeDecodeError):
                return id_text(raw[13 : 12 + length].decode())
    return BY_BYTES + hashlib.sha256(raw).hexdigest()


def _refuse_nul(extras: str) -> None:
    """``jsonb`` can't hold a NUL, so a field without a column can't have one either."""
    if "\\u0000" in extras and _NUL_IN_JSON(extras):
        raise Rejected({"extras": ["nul"]})


def _by_path(found: list[Finding]) -> dict[str, list[str]]:
    reasons: dict[str, list[str]] = {}
    for code, path in found:
        reasons.setdefault(path, []).append(code)
    return reasons
