"""What came, and what may come: words of a rejection by which a field can be mended, without its value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bson import (
    Binary,
    Code,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
)
from bson.datetime_ms import DatetimeMS

from ccb_luigi.codes import message
from ccb_luigi.documents.kinds import KINDS
from ccb_luigi.documents.values import INT4

_TYPES: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "bool"),  # before int, as Code is before str
    (Int64, "long"),
    (int, "int"),
    (float, "double"),
    (Decimal128, "decimal"),
    (Code, "javascript"),
    (str, "string"),
    (ObjectId, "objectId"),
    ((datetime, DatetimeMS), "date"),
    (Timestamp, "timestamp"),
    (Mapping, "object"),
    ((bytes, Binary), "binData"),
    (Sequence, "array"),
    (Regex, "regex"),
    (MinKey, "minKey"),
    (MaxKey, "maxKey"),
)
"""The name by which ``$type`` of MongoDB knows what PyMongo makes of a value."""

_ACCEPTED = {"dict": KINDS["document"].accepted, "list": KINDS["items"].accepted}
_ABSENT = object()


def bson_type(value: Any) -> str:
    """What ``$type`` says of the value; of the few that are left ``another type``."""
    if type(value) is int and value not in INT4:
        return "long"
    return next((name for kind, name in _TYPES if isinstance(value, kind)), "another type")


def at(document: Any, path: Sequence[str | int]) -> Any:
    """What the document holds there, or ``_ABSENT``; an only item may have come without its list."""
    for step in path:
        if step == 0 and not isinstance(document, list):
            continue
        try:
            document = document[step]
        except (LookupError, TypeError):
            return _ABSENT
    return document


def sentence(code: str, document: Any, path: Sequence[str | int], wanted: str | int | None = None) -> str:
    """The code with its sentence, what came, and what is accepted there.

    ``wanted``: the kind that the field is of, the type that its parts stand in, or the longest text, of which
    the value isn't.
    """
    value = at(document, path)
    if code == "ausente":
        return f"{message(code)} ({_how_absent(value)})"
    if isinstance(wanted, int):
        return f"{message(code)} (at most {wanted} characters)"
    accepted = KINDS[wanted].accepted if wanted in KINDS else _ACCEPTED.get(wanted or "")
    if not accepted or value is _ABSENT:
        return message(code)
    return f"{message(code)} (it came as {bson_type(value)}; accepted: {accepted})"


def _how_absent(value: Any) -> str:
    if value is _ABSENT:
        return "it is missing"
    if value is None:
        return "it is null"
    return "it is blank text" if isinstance(value, str) else "it is marked as nil"
