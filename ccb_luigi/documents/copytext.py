"""Rows as text for COPY."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from functools import lru_cache
from typing import Any

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_NULL = type(None)
_TEXT = frozenset({str, _NULL})
_DAYS = frozenset({date, _NULL})
NULL = "\\N"
"""What COPY reads as null."""


def lines(rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    """Rows of one table, each as (the rest of) a line of COPY text, without the newline.

    Made column by column: what the values of one column are is asked once, not for each of them.
    """
    return map("\t".join, zip(*map(_cells, zip(*rows, strict=True)), strict=True))


@lru_cache(maxsize=20_000)
def _day(day: date) -> str:
    """Remembered: the days of half a century come again and again."""
    return str(day)


def _cells(column: Sequence[Any]) -> Iterable[str]:
    """What ``str`` makes of numbers, dates, moments and truth values is what PostgreSQL reads."""
    kinds = {*map(type, column)}
    present = column if _NULL not in kinds else [value for value in column if value is not None]
    if kinds <= _DAYS:
        present = [*map(_day, present)]
    elif not kinds <= _TEXT:
        present = [*map(str, present)]
    joined = "".join(present)
    if any(map(joined.__contains__, "\\\t\n\r")):  # few need it, so the whole column is looked at first
        present = [text.translate(_ESCAPES) for text in present]
    if _NULL not in kinds:
        return present
    texts = iter(present)
    return [NULL if value is None else next(texts) for value in column]
