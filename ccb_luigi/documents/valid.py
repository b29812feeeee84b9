"""A valid document in its normal form, and by which road it came to it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from ccb_luigi.documents.rawbson import Document
from ccb_luigi.documents.schedule import Schedule

TOGETHER, ROWS_ALONE, ALONE, CERBERUS = ROADS = ("together", "rows_alone", "alone", "cerberus")
"""How a document was read, the fastest first: with its block; likewise, but its schedule row by row; by
itself, through the compiled contract; by Cerberus, or not even that far (what can't be decoded)."""


class Valid(NamedTuple):
    """A valid document.

    ``document``: its normal form, in which nobody looks at the schedule's rows: they are ``schedule``.
    ``others``: path → value of its fields without a column. ``moment``: its effective time, in UTC.
    ``noted``: findings, (code, path), that its normal form no longer shows. ``road``: of ``ROADS``.
    """

    document: Document
    schedule: Schedule
    others: Document
    moment: datetime | None
    noted: Sequence[tuple[str, str]] = ()
    road: str = ALONE
