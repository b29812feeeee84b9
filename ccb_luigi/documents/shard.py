"""A shard: a part of the source that is migrated in one transaction, and how a range is cut into such.

Of a collection a shard is a range of ``updatedAt``, and, where too many documents have one and the same
time, of ``_id`` as well; or a range of ``_id`` of the documents whose time is odd. Of a dump it is a range of
bytes. Every document is in exactly one of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

from bson import json_util

from ccb_luigi.documents.identity import EXACT

TICK = timedelta(milliseconds=1)
"""BSON's dates know nothing finer."""


@dataclass(frozen=True, slots=True)
class Shard:
    """``span``: [start, end) of ``updatedAt``; without it, and without ``extent``, the odd ones.

    ``first`` and ``last``: ``_id`` from here on and before there. ``extent``: [start, end) of a dump, in
    bytes. ``documents``: how many there are, about.
    """

    documents: int
    span: tuple[datetime, datetime] | None = None
    first: Any = None
    last: Any = None
    extent: tuple[int, int] | None = None

    def to_json(self) -> str:
        """As it is stored in the plan: extended JSON, since an ``_id`` may have any type."""
        named = {
            "de": self.span and self.span[0],
            "ate": self.span and self.span[1],
            "id_de": self.first,
            "id_ate": self.last,
            "byte_de": self.extent and self.extent[0],
            "byte_ate": self.extent and self.extent[1],
        }
        kept = {name: value for name, value in named.items() if value is not None}
        return json_util.dumps(kept, json_options=EXACT)

    @classmethod
    def from_json(cls, documents: int, text: str) -> Shard:
        """What ``to_json`` wrote."""
        found = json_util.loads(text, json_options=EXACT)
        span = (found["de"], found["ate"]) if "de" in found else None
        extent = (int(found["byte_de"]), int(found["byte_ate"])) if "byte_de" in found else None
        return cls(documents, span, found.get("id_de"), found.get("id_ate"), extent)


@dataclass(frozen=True, slots=True)
class Covered:
    """The dates of a plan: from ``since`` (``None``: the first) to ``until``, but for those ``done``."""

    since: date | None
    until: date
    done: frozenset[date] = frozenset()

    def __contains__(self, day: date) -> bool:
        return day <= self.until and (self.since is None or day >= self.since) and day not in self.done


Key = tuple[datetime, Any]
"""A place in the order of (``updatedAt``, ``_id``); with ``None`` before every ``_id`` of that moment."""


def cut(start: datetime, end: datetime, keys: Sequence[Key], documents: int) -> Iterator[Shard]:
    """[start, end) cut before each of ``keys`` (ascending), into parts of about ``documents``.

    An ``_id`` is only kept where two cuts fall on one moment: a shard that is nothing but a range of
    the index on ``updatedAt`` is the quickest to read.
    """
    moments = [moment for moment, _ in keys]
    crowded = {moment for moment, after in pairwise(moments) if moment == after}
    cuts = [(moment, of if moment in crowded else None) for moment, of in keys]
    here: Key = (start, None)
    for there in [*dict.fromkeys(key for key in cuts if start <= key[0] < end), (end, None)]:
        if there != here:
            parts = list(_between(here, there))
            for span, first, last in parts:
                yield Shard(-(-documents // len(parts)), span, first, last)
        here = there


def _between(here: Key, there: Key) -> Iterator[tuple[tuple[datetime, datetime], Any, Any]]:
    """At most three parts: the rest of the first moment, what lies between, the beginning of the last."""
    (start, first), (end, last) = here, there
    if start == end:
        yield (start, start + TICK), first, last
        return
    if first is not None:
        yield (start, start + TICK), first, None
        start += TICK
    if start < end:
        yield (start, end), None, None
    if last is not None:
        yield (end, end + TICK), None, last


def cut_ids(ids: Iterable[Any], documents: int) -> Iterator[Shard]:
    """The odd ones, cut before each of ``ids`` (ascending), into parts of about ``documents``."""
    first = None
    for last in dict.fromkeys(ids):
        yield Shard(documents, None, first, last)
        first = last
    yield Shard(documents, None, first, None)


def owns(shard: Shard, moments: Any, covered: Covered, zone: Any) -> bool:
    """Whether a document whose ``updatedAt`` is a list belongs to this shard of a collection.

    MongoDB finds it by each element. It belongs where the first of the plan's dates among them is, and to the
    odd ones if there is none.
    """
    if shard.extent or not isinstance(moments, list):
        return True
    dates = [each for each in moments if isinstance(each, datetime)]
    ours = [each for each in dates if each.astimezone(zone).date() in covered]
    if shard.span is None or not ours:
        return not ours and shard.span is None
    return shard.span[0] <= min(ours) < shard.span[1]
