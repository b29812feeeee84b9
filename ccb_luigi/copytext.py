"""Rows as text for COPY."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def line(row: Sequence[Any]) -> str:
    """A row as (the rest of) a line of COPY text.

    What ``str`` makes of numbers, dates, moments and truth values is what PostgreSQL reads. Few texts need
    escaping, so the whole line is looked at first: are its tabs and backslashes those that belong there?
    """
    found = "\t".join(["\\N" if value is None else str(value) for value in row])
    if (
        found.count("\t") == len(row) - 1
        and found.count("\\") == row.count(None)
        and "\n" not in found
        and "\r" not in found
    ):
        return found + "\n"
    cells = ["\\N" if value is None else str(value).translate(_ESCAPES) for value in row]
    return "\t".join(cells) + "\n"
