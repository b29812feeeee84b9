"""What a document is called: ``mongo_id`` of the tables and of the quarantine, made of its ``_id``; and when
it may have been written.

An ObjectId is called by its 24 digits, a text is called what it is, any other value by its canonical
extended JSON. What has no such name, or a longer one than ``MAX_ID``, is called by a hash (``BY_BYTES``).

No two values share a name, but for an ObjectId and the text of its digits (see ``load/namesakes``). So a
text that is, sign for sign, the name of another value (``null``, ``{"$numberInt": "7"}``) is told as JSON, in
quotes.
"""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import bson
from bson import DatetimeConversion, DBRef, ObjectId, Regex, json_util
from bson.errors import InvalidBSON
from bson.json_util import JSONMode, JSONOptions

from ccb_luigi.documents import rawbson
from ccb_luigi.documents.rawbson import decode

FIRST = datetime(1, 1, 2, tzinfo=UTC)
LAST = datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)
"""Between these every zone has a day for a date; the day before the first is .NET's null."""

MAX_ID = 255
BY_BYTES = "sha256:"

EXACT = JSONOptions(
    json_mode=JSONMode.CANONICAL,
    tz_aware=True,
    tzinfo=UTC,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
)
"""A value of any type, and back."""
_MAY_BE_ANOTHERS_NAME = re.compile(rf'[{{\["]|{BY_BYTES}|(?:null|true|false)\Z').match


def id_text(value: Any) -> str:
    """The name of a document with this ``_id``."""
    if isinstance(value, ObjectId):
        return str(value)
    if type(value) is str and "\0" not in value and len(value) <= MAX_ID and not _is_anothers_name(value):
        return value
    name = json_util.dumps(value, json_options=EXACT)
    if len(name) <= MAX_ID and any(_same(value, read) for read in _read(name)):
        return name
    return apart(value)


def apart(value: Any) -> str:
    """A name that tells an ObjectId from the text of its digits: a hash, by which nothing is looked up."""
    return BY_BYTES + hashlib.sha256(json_util.dumps(value, json_options=EXACT).encode()).hexdigest()


def of_text(value: str) -> str:
    """The name of a document with this text for its ``_id``, however long it is."""
    return json_util.dumps(value) if _is_anothers_name(value) else value


def ids_of(name: str) -> list[Any]:
    """The values of ``_id`` that ``id_text`` names so, and that a server can be asked for.

    None for a name that is a hash, nor for what MongoDB stores in no ``_id`` (lists, regular expressions,
    keys with a ``$``): a query would take it for more than a value.
    """
    if name.startswith(BY_BYTES):
        return []
    possible = [name, *([ObjectId(name)] if ObjectId.is_valid(name) else []), *_read(name)]
    return [value for value in possible if _is_plain(value) and id_text(value) == name]


def name_of(raw: bytes) -> str:
    """``mongo_id`` of a raw document, as far as it can be told."""
    try:
        document = decode(raw)
    except InvalidBSON:
        return quick_name(raw)
    if "_id" not in document or rawbson.occurs_twice(raw, b"_id"):  # of two MongoDB knows it by the first
        return quick_name(raw)
    return id_text(document["_id"])


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


def _is_anothers_name(text: str) -> bool:
    if not _MAY_BE_ANOTHERS_NAME(text):  # nearly none is
        return False
    return text.startswith(BY_BYTES) or any(id_text(value) == text for value in _read(text))


def _read(text: str) -> list[Any]:
    """The value that the text is the extended JSON of, as BSON would bring it; nothing if it is of none."""
    if not _MAY_BE_ANOTHERS_NAME(text):
        return []
    try:
        value = json_util.loads(text, json_options=EXACT)
        return [decode(bson.encode({"_id": value}))["_id"]]
    except Exception:  # noqa: BLE001 - of text that only looks like it json_util lets out whatever it meets
        return []


def _same(one: Any, other: Any) -> bool:
    try:
        return bson.encode({"_id": one}) == bson.encode({"_id": other})
    except Exception:  # noqa: BLE001 - not everything that can be read can be written
        return False


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return not any(key.startswith("$") for key in value)
    return not isinstance(value, (list, Regex, DBRef))
