"""What MongoDB is asked: ranges of the index on ``updatedAt``, the odd ones, ranges of ``_id``.

A comparison only meets values of its own type (type bracketing). That is what a range of dates would lose all
strings by, and what makes a range of ``_id`` across types a list of ranges.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from bson import Decimal128, Int64, ObjectId

from ccb_luigi.documents.identity import FIRST, LAST
from ccb_luigi.documents.shard import Shard

Query = dict[str, Any]
Interval = tuple[datetime, datetime]
"""From the first moment on, before the second."""

# Every BSON type but date and array, whose elements these match as well. A range of dates alone would
# skip them all (type bracketing); each of these has index bounds of its own, and array would have none.
_NOT_DATES = [
    "double", "string", "object", "binData", "undefined", "objectId", "bool", "regex", "dbPointer",
    "javascript", "symbol", "javascriptWithScope", "int", "timestamp", "long", "decimal", "minKey", "maxKey",
]  # fmt: skip
ODD_DATES: Query = {
    "$or": [
        {"updatedAt": None},  # null and missing
        {"updatedAt": {"$type": _NOT_DATES}},
        {"updatedAt": []},
        {"updatedAt": {"$lt": FIRST}},
        {"updatedAt": {"$gte": LAST}},
    ]
}
"""The documents whose ``updatedAt`` is not a date that Python can hold."""

EVERYTHING = (FIRST, LAST)
"""The range whose documents, with the odd ones, are all."""

VERSION = {"_id": 1, "updatedAt": 1, "createdAt": 1, "emitedAt": 1, "clientId": 1}
"""What tells a document's version (contract §3.1), and whose it is."""

# The types that an `_id` can have, in BSON's order; a comparison meets those of one line.
_ID_TYPES = [
    ["minKey"], ["null"], ["double", "int", "long", "decimal"], ["string", "symbol"], ["object"], ["binData"],
    ["objectId"], ["bool"], ["date"], ["timestamp"], ["dbPointer"], ["javascript"], ["javascriptWithScope"],
    ["maxKey"],
]  # fmt: skip
_LINES = {float: 2, int: 2, Int64: 2, Decimal128: 2, str: 3, ObjectId: 6}


def in_range(start: datetime, end: datetime) -> Query:
    """The normal case: one range of the index on ``updatedAt``."""
    return {"updatedAt": {"$gte": start, "$lt": end}}


def of_date(start: datetime, end: datetime) -> Query:
    """What may belong to [start, end), each document once: the normal case and all the odd ones.

    Every part is a range of the index on ``updatedAt``.
    """
    return {"$or": [in_range(start, end), *ODD_DATES["$or"]]}


def of_shard(shard: Shard) -> Query:
    """The documents of a shard of a collection."""
    ours = in_range(*shard.span) if shard.span else ODD_DATES
    if shard.first is None and shard.last is None:
        return ours
    return {"$and": [ours, of_ids(shard.first, shard.last)]}


def of_ids(first: Any, last: Any) -> Query:
    """``_id`` from ``first`` on and before ``last``, in BSON's order over all types; ``None``: no bound."""
    low = None if first is None else _LINES[type(first)]
    high = None if last is None else _LINES[type(last)]
    if low is not None and low == high:
        return {"_id": {"$gte": first, "$lt": last}}
    between = _ID_TYPES[0 if low is None else low + 1 : high]
    parts: list[Query] = [] if low is None else [{"_id": {"$gte": first}}]
    if high == _LINES[float]:
        parts.append({"_id": math.nan})  # before all numbers, and no comparison with one meets it
    if between:
        parts.append({"_id": {"$type": [name for line in between for name in line]}})
    return {"$or": parts if high is None else [*parts, {"_id": {"$lt": last}}]}


def bounds_ids(value: Any) -> bool:
    """Whether the ``_id`` can stand between two shards: it is of a type that ``of_ids`` knows."""
    return type(value) in _LINES and value == value  # NaN is before itself
