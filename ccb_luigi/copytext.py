"""Rows as text for COPY: one function per table, put together once from its columns' types."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import Column, Text
from sqlalchemy.dialects.postgresql import JSONB

_MUST_ESCAPE = re.compile(r"[\\\t\n\r]").search
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def line_of(columns: Iterable[Column[Any]]) -> Callable[[Sequence[Any]], str]:
    """A function from the values of ``columns``, in order, to (the rest of) a line of COPY text.

    What ``str`` makes of numbers, dates, moments and truth values is what PostgreSQL reads.
    """
    formats = [_escaped if isinstance(column.type, (Text, JSONB)) else str for column in columns]
    if _escaped not in formats:
        return _plain

    def render(row: Sequence[Any]) -> str:
        cells = ["\\N" if v is None else write(v) for write, v in zip(formats, row, strict=True)]
        return "\t".join(cells) + "\n"

    return render


def _plain(row: Sequence[Any]) -> str:
    line = "\t".join(map(str, row)) + "\n"
    return line.replace("None", "\\N") if None in row else line


def _escaped(value: str) -> str:
    return value.translate(_ESCAPES) if _MUST_ESCAPE(value) else value
