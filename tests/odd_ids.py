"""What an ``_id`` can be, and texts for one that look like something else.

Nothing here calls the package.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS

LOOKALIKES = [
    '{"$oid": "x"}',
    '{"$oid": "65bb0b7f0123456789abcdef"}',
    '{"$oid": 5}',
    '{"$oid": null, "a": 1}',
    '{"$date": {"$numberLong": "253402300800000"}}',
    '{"$date": {"$numberLong": "-9223372036854775808"}}',
    '{"$date": {"$numberLong": "99999999999999999999"}}',
    '{"$date": "ontem"}',
    '{"$date": "9999-12-31T23:59:59-03:00"}',
    '{"$date": {}}',
    '{"$numberDecimal": "x"}',
    '{"$numberDecimal": "1.55555555555555555555555555555555555555"}',
    '{"$numberDecimal": "1E+999999"}',
    '{"$numberDecimal": []}',
    '{"$numberInt": "7"}',
    '{"$numberInt": "x"}',
    '{"$numberLong": "9223372036854775808"}',
    '{"$numberLong": "7"}',
    '{"$numberDouble": "NaN"}',
    '{"$numberDouble": "-0.0"}',
    '{"$numberDouble": "x"}',
    '{"$binary": {"base64": "YWI=", "subType": "00"}}',
    '{"$binary": {"base64": "?", "subType": "zz"}}',
    '{"$binary": "YQ", "$type": "x"}',
    '{"$uuid": "x"}',
    '{"$uuid": "12345678-1234-5678-1234-567812345678"}',
    '{"$regularExpression": {"pattern": "a(", "options": "i"}}',
    '{"$regularExpression": {"pattern": 1}}',
    '{"$regex": "a(", "$options": "q"}',
    '{"$timestamp": {"t": -1, "i": 1}}',
    '{"$timestamp": {"t": 1, "i": 1}}',
    '{"$timestamp": 5}',
    '{"$code": "f()", "$scope": {"a": {"$numberInt": "1"}}}',
    '{"$code": 1}',
    '{"$ref": "c", "$id": {"$oid": "x"}}',
    '{"$ref": "c", "$id": {"$numberInt": "1"}}',
    '{"$dbPointer": {"$ref": "c", "$id": {"$oid": "65bb0b7f0123456789abcdef"}}}',
    '{"$symbol": "x"}',
    '{"$minKey": 1}',
    '{"$maxKey": 2}',
    '{"$undefined": true}',
    '{"$gt": ""}',
    '{"$where": "sleep(1000)"}',
    '{"a": 1}',
    '{"a": {"$numberInt": "1"}}',
    '{"a": {"$gt": {"$numberInt": "1"}}}',
    '[{"$numberInt": "1"}]',
    "[" * 255,
    '{"":' * 60,
    *("null", "true", "false", "undefined", "NaN", "Infinity", "-Infinity", "0", "1e999", "9" * 255, "-"),
    *('""', '"a"', '"', '"\\u0000"', '"a\\u0000b"', '"\\ud800"', "\\", "\\N", "", " ", "{", "{}", "[]"),
    '"{\\"$numberInt\\": \\"7\\"}"',
    '"\\"{\\\\\\"$numberInt\\\\\\": \\\\\\"7\\\\\\"}\\""',
    *("65bb0b7f0123456789abcdef", "65BB0B7F0123456789ABCDEF", "sha256:", "sha256:abc", "sha256", '"sha256:"'),
    "sha256:" + "0" * 64,
    "x" * 255,
    "\U00020000" * 255,
]
"""Texts that are extended JSON, or look like it, or like another kind of name."""

QUOTED = frozenset(
    {
        "null",
        "true",
        "false",
        "{}",
        "[]",
        *(
            '{"$numberInt": "7"}',
            '{"$numberLong": "7"}',
            '{"a": {"$numberInt": "1"}}',
            '[{"$numberInt": "1"}]',
        ),
        *('{"$numberDouble": "NaN"}', '{"$numberDouble": "-0.0"}', '"a\\u0000b"', '"\\u0000"'),
        '{"$date": {"$numberLong": "253402300800000"}}',
        '{"$date": {"$numberLong": "-9223372036854775808"}}',
        '{"$binary": {"base64": "YWI=", "subType": "00"}}',
        '{"$regularExpression": {"pattern": "a(", "options": "i"}}',
        '{"$timestamp": {"t": 1, "i": 1}}',
        '{"$code": "f()", "$scope": {"a": {"$numberInt": "1"}}}',
        '{"$ref": "c", "$id": {"$numberInt": "1"}}',
        '{"$minKey": 1}',
        '{"$gt": ""}',
        '{"$where": "sleep(1000)"}',
        '{"a": {"$gt": {"$numberInt": "1"}}}',
        '"{\\"$numberInt\\": \\"7\\"}"',
        '"\\"{\\\\\\"$numberInt\\\\\\": \\\\\\"7\\\\\\"}\\""',
        *("sha256:", "sha256:abc", '"sha256:"', "sha256:" + "0" * 64),
    }
)
"""Those of them that are, sign for sign, what another value is called; they are told as JSON."""

OTHERS: list[Any] = [
    *(None, True, False, 0, -1, 7, 2**31 - 1, Int64(7), Int64(2**63 - 1), Int64(-(2**63))),
    *(0.0, -0.0, 1.5, 7.0, 5e-324, 1.7976931348623157e308, float("nan"), float("inf"), float("-inf")),
    *map(Decimal128, ("7", "7.0", "-0E-6176", "NaN", "sNaN", "-Infinity", "9" * 34, "1E-6176", "1E+6144")),
    *map(ObjectId, ("65bb0b7f0123456789abcdef", "0" * 24)),
    *(datetime(year, 12, 31, 23, tzinfo=UTC) for year in (1, 1969, 2026)),
    datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC),
    *map(DatetimeMS, (253402300800000, 2**63 - 1, -(2**63), -62135596800001)),
    *(Binary(b"ab", kind) for kind in (0, 1, 2, 3, 4, 5, 6, 9, 128, 255)),
    *(Binary(b"x" * 16, kind) for kind in (0, 3, 4)),
    *(Regex("a(", "i"), Regex("", "")),
    *(
        Code("f()"),
        Code("f()", {}),
        Code("f()", {"a": 1}),
        DBRef("c", 1),
        DBRef("c", ObjectId("0" * 24), "d"),
    ),
    *(Timestamp(0, 0), Timestamp(2**32 - 1, 2**32 - 1), MinKey(), MaxKey()),
    *(
        {},
        {"a": 1},
        {"a": Int64(1)},
        {"$gt": ""},
        {"$oid": "x"},
        {"$numberInt": "7"},
        {"$date": 1},
        {"": None},
    ),
    *([], [1], ["x"], {"a": {"b": [{"c": Decimal128("1")}]}}),
    *("a\0b", "\0", "x" * 256, '{"$numberInt": "7"}' + " " * 250),
]
"""Of every type of BSON, and texts that no table can hold."""
