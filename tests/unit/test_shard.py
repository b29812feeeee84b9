"""A range in shards: every document is in exactly one, whatever its time, its ``_id`` and the cuts."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st

from ccb_luigi.documents.shard import Covered, Shard, cut, cut_ids, owns
from ccb_luigi.sources.queries import of_ids

ZONE = ZoneInfo("America/Sao_Paulo")
START, END = datetime(2026, 3, 2, 3, tzinfo=UTC), datetime(2026, 3, 5, 3, tzinfo=UTC)
IDS = st.one_of(
    st.sampled_from(["", "a", "b", "é", "zz"]),
    st.integers(-2, 2),
    st.sampled_from([ObjectId(bytes([n]) * 12) for n in range(3)]),
)
# No shard begins at one, but it has to be in one.
ALL_IDS = IDS | st.just(math.nan)
# Few moments, so that many documents have the same.
MOMENTS = st.integers(0, 5).map(lambda n: START + timedelta(hours=12 * n)) | st.datetimes(
    START.replace(tzinfo=None), (END - timedelta(milliseconds=1)).replace(tzinfo=None), timezones=st.just(UTC)
).map(lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000))
TYPES = (("double", "int", "long", "decimal"), ("string", "symbol"), ("objectId",))


def rank(value: Any) -> int:
    """Where BSON's order puts the type."""
    return 0 if isinstance(value, (int, float)) else 1 if isinstance(value, str) else 2


def order(value: Any) -> tuple[int, Any]:
    return rank(value), value.encode() if isinstance(value, str) else value


def key(pair: tuple[datetime, Any]) -> tuple[Any, ...]:
    return pair[0], *order(pair[1])


def matches(query: Any, value: Any) -> bool:
    """What MongoDB makes of a condition on ``_id``: comparisons meet their own type only."""
    if "$or" in query:
        return any(matches(part, value) for part in query["$or"])
    if not query:
        return True
    condition = query["_id"]
    if not isinstance(condition, dict):  # MongoDB's NaN is equal to itself
        assert isinstance(condition, float)
        assert math.isnan(condition)
        return isinstance(value, float) and math.isnan(value)
    for operator, operand in condition.items():
        if operator == "$type":
            held = any(name in TYPES[rank(value)] for name in operand)
        elif rank(operand) != rank(value):
            held = False
        else:
            held = order(value) >= order(operand) if operator == "$gte" else order(value) < order(operand)
        if not held:
            return False
    return True


def holds(shard: Shard, moment: datetime, mongo_id: Any) -> bool:
    inside = shard.span is None or shard.span[0] <= moment < shard.span[1]
    unbounded = shard.first is None and shard.last is None
    return inside and (unbounded or matches(of_ids(shard.first, shard.last), mongo_id))


@given(st.lists(st.tuples(MOMENTS, IDS), max_size=8), st.lists(st.tuples(MOMENTS, ALL_IDS), max_size=20))
def test_every_document_of_a_range_is_in_exactly_one_shard(
    cuts: list[tuple[datetime, Any]], documents: list[tuple[datetime, Any]]
) -> None:
    shards = list(cut(START, END, sorted(cuts, key=key), 10))
    for document in [*documents, *cuts]:
        assert [holds(shard, *document) for shard in shards].count(True) == 1


@given(st.lists(IDS, max_size=6), st.lists(ALL_IDS, max_size=20))
def test_every_odd_document_is_in_exactly_one_shard(cuts: list[Any], ids: list[Any]) -> None:
    shards = list(cut_ids(sorted(cuts, key=order), 10))
    for mongo_id in [*ids, *cuts]:
        assert [holds(shard, START, mongo_id) for shard in shards].count(True) == 1


def test_cuts_at_moments_of_their_own_make_plain_ranges() -> None:
    later = START + timedelta(hours=1)
    shards = list(cut(START, END, [(later, "b")], 10))
    assert [(shard.span, shard.first, shard.last) for shard in shards] == [
        ((START, later), None, None),
        ((later, END), None, None),
    ]


def test_one_crowded_moment_is_cut_by_id() -> None:
    hot = START + timedelta(hours=1)
    shards = list(cut(START, END, [(hot, "b"), (hot, "d")], 10))
    moment = (hot, hot + timedelta(milliseconds=1))
    assert [(shard.span, shard.first, shard.last) for shard in shards] == [
        ((START, hot), None, None),
        (moment, None, "b"),
        (moment, "b", "d"),
        (moment, "d", None),
        ((moment[1], END), None, None),
    ]


@given(st.lists(MOMENTS | st.sampled_from(["x", None]), max_size=4))
def test_a_document_with_a_list_of_times_belongs_to_exactly_one_of_the_shards_that_find_it(
    times: list[Any],
) -> None:
    covered = Covered(date(2026, 3, 2), date(2026, 3, 4), frozenset({date(2026, 3, 3)}))
    day = timedelta(days=1)
    spans = [(START, START + day / 2), (START + day / 2, START + day), (START + 2 * day, END)]
    shards = [Shard(1, span) for span in spans]
    assert [owns(shard, times, covered, ZONE) for shard in [*shards, Shard(1)]].count(True) == 1
    for shard in shards:
        if owns(shard, times, covered, ZONE):  # MongoDB finds it there
            assert any(isinstance(each, datetime) and shard.span[0] <= each < shard.span[1] for each in times)


@pytest.mark.parametrize(
    "shard",
    [
        Shard(5, (START, END)),
        Shard(5, (START, END), "a", ObjectId(b"x" * 12)),
        Shard(5, first=3, last=None),
        Shard(5),
        Shard(5, extent=(0, 7 << 40)),
    ],
)
def test_a_shard_comes_back_from_the_plan_as_it_went_in(shard: Shard) -> None:
    assert Shard.from_json(5, shard.to_json()) == shard


def test_a_plan_covers_its_dates_without_those_that_were_done() -> None:
    covered = Covered(date(2026, 3, 2), date(2026, 3, 5), frozenset({date(2026, 3, 3)}))
    days = [date(2026, 3, n) for n in range(1, 8)]
    assert [day.day for day in days if day in covered] == [2, 4, 5]
    assert date(1970, 1, 1) in Covered(None, date(2026, 3, 5))
