"""Raw BSON: how it is decoded, and the keys that occur twice, which a decoder doesn't mind.

Of two equal keys in one (sub-)document PyMongo keeps the last, MongoDB's queries look at the first, other
drivers do as they like: what such a document says depends on who reads it, so nobody may guess.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from typing import Any

import bson
from bson import CodecOptions, DatetimeConversion
from bson.errors import BSONError, InvalidBSON

Document = dict[str, Any]
"""A document or sub-document in Python types, raw or in its normal form."""

# Dates past year 9999 decode to a number instead of failing the whole document.
CODEC: CodecOptions[Document] = CodecOptions(
    tz_aware=True, tzinfo=UTC, datetime_conversion=DatetimeConversion.DATETIME_AUTO
)

LONGEST_PATH = 200
"""Characters of a path that are told; a key may have millions."""

DEEPEST = 250
"""Documents in one another: MongoDB stores 180 at most, and can't be told to read more than these. A dump may
have more: how many of them Python can follow depends on its version, and on who asks."""

# The types of values.
DOUBLE, STRING, DOCUMENT, ARRAY = 0x01, 0x02, 0x03, 0x04
OBJECT_ID, BOOLEAN, DATE, NULL, INT32, INT64 = 0x07, 0x08, 0x09, 0x0A, 0x10, 0x12
_REGEX, _CODE_WITH_SCOPE = 0x0B, 0x0F
FIXED = {
    DOUBLE: 8,
    0x06: 0,  # undefined
    OBJECT_ID: 12,
    BOOLEAN: 1,
    DATE: 8,
    NULL: 0,
    INT32: 4,
    0x11: 8,  # timestamp
    INT64: 8,
    0x13: 16,  # Decimal128
    0x7F: 0,  # MaxKey
    0xFF: 0,  # MinKey
}
"""Type → the bytes of a value."""
UNCOUNTED = {
    STRING: 4,
    DOCUMENT: 0,
    ARRAY: 0,
    0x05: 5,  # binary: and its subtype
    0x0C: 16,  # DBPointer: an ObjectId
    0x0D: 4,  # code
    0x0E: 4,  # symbol
    _CODE_WITH_SCOPE: 0,
}
"""The others begin with a length; so many bytes of the value it doesn't count."""


def decode(raw: bytes) -> Document:
    """The document in Python types.

    Raises:
        InvalidBSON: the bytes are not a document (truncated, bad UTF-8, nested too deep).
    """
    try:
        document = bson.decode(raw, codec_options=CODEC)
    except InvalidBSON:
        raise
    except (ValueError, OverflowError, RecursionError) as error:
        raise InvalidBSON(type(error).__name__) from None
    if _is_deeper(raw, DEEPEST):
        raise InvalidBSON("nested too deep")
    return document


def document_of(elements: bytes) -> Document | None:
    """The document of these elements, which may be from within another.

    ``None``: it can't be decoded, has a key twice, or is so deep that the other one may be too deep.
    """
    raw = (len(elements) + 5).to_bytes(4, "little") + elements + b"\0"
    try:
        document = decode(raw)
    except InvalidBSON:
        return None
    if _is_deeper(raw, DEEPEST // 2) or not written_the_same(raw, document):
        return None
    return document


def _is_deeper(raw: bytes, levels: int) -> bool:
    """Whether documents (or arrays) are in one another to more than so many levels in one that decodes."""
    if raw.count(DOCUMENT) + raw.count(ARRAY) + raw.count(_CODE_WITH_SCOPE) < levels:  # nearly always
        return False
    level = [0]
    for _ in range(levels):
        within = (element for start in level for element in elements(raw, start))
        level = [inner for kind, _, value in within if (inner := _document_at(raw, kind, value)) is not None]
        if not level:
            return False
    return True


def _document_at(raw: bytes, kind: int, value: int) -> int | None:
    """Where the document (or array) begins that this value is, or has for its scope, if there is one."""
    if kind in (DOCUMENT, ARRAY):
        return value
    return value + 8 + _length(raw, value + 4) if kind == _CODE_WITH_SCOPE else None


def repeated_key(raw: bytes, decoded: Document) -> str | None:
    """The path of a key of ``raw`` that its (sub-)document has already had; ``None``: all are unique.

    ``decoded`` is ``raw`` as PyMongo read it. Where bytes differ for other reasons than a key (``_id`` isn't
    first, a deprecated type) they are walked through.
    """
    if written_the_same(raw, decoded):
        return None
    # Without recursion: how deep a document goes is its own choice.
    waiting = [(0, "", False)]
    while waiting:
        start, prefix, is_array = waiting.pop()
        seen: set[bytes] = set()
        for index, (kind, key, value) in enumerate(elements(raw, start)):
            path = prefix + (str(index) if is_array else shown(key))
            if key in seen and not is_array:  # an array's keys are read by nobody
                return path[:LONGEST_PATH]
            seen.add(key)
            if (inner := _document_at(raw, kind, value)) is not None:
                waiting.append((inner, f"{path[:LONGEST_PATH]}.", kind == ARRAY))
    return None


def written_the_same(raw: bytes, decoded: Document) -> bool:
    """Whether encoding ``decoded`` gives ``raw``, of which it was read, again.

    Then no key was dropped, since a dictionary can't repeat one. That is done in C, and nearly always so.
    """
    try:
        return bool(bson.encode(decoded) == raw)
    except (BSONError, ValueError, OverflowError, RecursionError):
        return False  # not everything that can be read can be written


def occurs_twice(raw: bytes, name: bytes) -> bool:
    """Whether the document itself, not one inside it, has the key ``name`` more than once."""
    if raw.count(name + b"\0") < 2:  # nearly always
        return False
    return [key for _, key, _ in elements(raw, 0)].count(name) > 1


def elements(raw: bytes, start: int) -> Iterator[tuple[int, bytes, int]]:
    """(type, key, position of the value) of the elements of the document at ``start``, which decodes."""
    position, end = start + 4, start + _length(raw, start) - 1
    while position < end:
        kind = raw[position]
        key_end = raw.index(0, position)
        value = key_end + 1
        yield kind, raw[position + 1 : key_end], value
        if kind in FIXED:
            position = value + FIXED[kind]
        elif kind == _REGEX:
            position = raw.index(0, raw.index(0, value) + 1) + 1
        else:
            position = value + UNCOUNTED[kind] + _length(raw, value)


def _length(raw: bytes, position: int) -> int:
    return int.from_bytes(raw[position : position + 4], "little")


def shown(key: bytes) -> str:
    """As in the paths of ``contract.extras``: a dot inside a key isn't one of the path."""
    return key.decode().replace("\\", "\\\\").replace(".", "\\.")
