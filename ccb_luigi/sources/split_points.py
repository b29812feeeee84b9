"""A collection cut into shards of about equal size, by the server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from ccb_luigi.documents.shard import Key, Shard, cut_ids
from ccb_luigi.documents.shard import cut as cut_span
from ccb_luigi.sources.queries import ODD_DATES, Interval, Query, bounds_ids, in_range

SAMPLED_FROM = 1_000_000
"""A range of more documents than these is cut by a sample of them."""

DRAWN_PER_SHARD = 400
"""Documents of a sample: so a shard has its size within five per cent, give or take."""

_PAIR = {"moment": "$updatedAt", "of": "$_id"}


def cut(collection: Any, intervals: Sequence[Interval], size: int) -> Iterator[Shard]:
    """Shards of about ``size`` documents: of what lies in the intervals, and of all the odd ones."""
    for start, end in intervals:
        number = collection.count_documents(in_range(start, end))
        if number:
            keys = list(_keys(collection, start, end, number, size))
            yield from cut_span(start, end, keys, -(-number // (len(keys) + 1)))
    number = collection.count_documents(ODD_DATES)
    if number:
        buckets = _buckets(collection, ODD_DATES, number, size, "$_id")
        ids = [first for _, first, _ in islice(buckets, 1, None) if bounds_ids(first)]
        yield from cut_ids(ids, -(-number // (len(ids) + 1)))


def _keys(collection: Any, start: datetime, end: datetime, number: int, size: int) -> Iterator[Key]:
    """Where to cut. Parts that hold far too many have hardly more than one moment: by ``_id`` as well."""
    buckets = _buckets(collection, in_range(start, end), number, size, "$updatedAt")
    for n, (documents, first, after) in enumerate(buckets):
        if not isinstance(first, datetime):  # a list: its elements are others
            continue
        if n:
            yield first, None
        if documents > 2 * size:
            crowd = in_range(first, after if isinstance(after, datetime) else end)
            for _, pair, _ in islice(_buckets(collection, crowd, documents, size, _PAIR), 1, None):
                if isinstance(pair["moment"], datetime) and bounds_ids(pair["of"]):
                    yield pair["moment"], pair["of"]


def _buckets(
    collection: Any, query: Query, number: int, size: int, by: Any
) -> Iterator[tuple[int, Any, Any]]:
    """(documents, first value, first value of the next) of parts of about ``size``.

    Of a large collection a sample is enough; where it is a small part of it, MongoDB jumps at random
    instead of reading everything. What only needs the index's own field is read from the index.
    """
    parts = -(-number // size)
    if parts < 2:
        return
    fields = {"_id": 0, "updatedAt": 1} if by == "$updatedAt" else {"_id": 1, "updatedAt": 1}
    steps: list[dict[str, Any]] = [{"$match": query}, {"$project": fields}]
    if number > SAMPLED_FROM:
        total = max(number, collection.estimated_document_count())
        drawn = min(total // 25, parts * DRAWN_PER_SHARD * total // number)
        steps.insert(0, {"$sample": {"size": drawn}})
    steps.append({"$bucketAuto": {"groupBy": by, "buckets": parts}})
    found = list(collection.aggregate(steps, allowDiskUse=True))
    seen = sum(each["count"] for each in found)
    firsts = [each["_id"]["min"] for each in found]
    for each, first, after in zip(found, firsts, [*firsts[1:], None], strict=True):
        yield each["count"] * number // seen, first, after
