"""A document's name: what the tables and the quarantine call its ``_id``, whatever that is."""

from __future__ import annotations

import json
import string
from typing import Any
from zoneinfo import ZoneInfo

import bson
import pytest
from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp, json_util
from bson.datetime_ms import DatetimeMS
from contracts import contract
from hypothesis import example, given, settings
from hypothesis import strategies as st
from odd_ids import LOOKALIKES, OTHERS, QUOTED

from ccb_luigi.documents.identity import BY_BYTES, MAX_ID, id_text, ids_of, name_of, quick_name
from ccb_luigi.documents.judge import Accepted, Judge
from ccb_luigi.documents.rawbson import decode

JUDGE = Judge(ZoneInfo("America/Sao_Paulo"))

SCALARS: Any = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**31), 2**31 - 1),
    st.integers(-(2**63), 2**63 - 1).map(Int64),
    st.floats(),
    st.text(max_size=40),
    st.binary(max_size=40),
    st.builds(Binary, st.binary(max_size=20), st.integers(0, 255).filter(lambda kind: kind not in (3, 4))),
    st.binary(min_size=12, max_size=12).map(ObjectId),
    st.integers(-(2**63), 2**63 - 1).map(DatetimeMS),
    st.builds(Timestamp, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)),
    st.decimals(allow_nan=True, places=3, min_value=-(10**20), max_value=10**20).map(
        lambda value: Decimal128(str(value))
    ),
    st.builds(Regex, st.text(string.ascii_letters + "(*[", max_size=9), st.sampled_from(["", "i", "m"])),
    st.text(string.printable, max_size=9).map(Code),
    st.just(MinKey()),
    st.just(MaxKey()),
)
KEYS = st.text(string.printable, max_size=9) | st.sampled_from(
    ["$oid", "$date", "$numberLong", "$numberInt", "$numberDecimal", "$binary", "$ref", "$id", "$code", "$gt"]
)
VALUES: Any = st.recursive(
    SCALARS,
    lambda inner: st.dictionaries(KEYS, inner, max_size=3) | st.lists(inner, max_size=2),
    max_leaves=5,
)
EXTENDED = VALUES.map(lambda value: json_util.dumps(value, json_options=json_util.CANONICAL_JSON_OPTIONS)) | (
    VALUES.map(lambda value: json_util.dumps(value, json_options=json_util.RELAXED_JSON_OPTIONS))
)


def encoded(value: Any) -> bytes:
    return bson.encode({"_id": value})


def read(value: Any) -> Any:
    """The value as a document of the source brings it."""
    return decode(encoded(value))["_id"]


def kind_of(value: Any) -> tuple[int, bytes]:
    """What tells one ``_id`` from another: ObjectIds and the text of their digits aside."""
    raw = encoded(value)
    return (raw[4], raw[9:])


def assert_named(value: Any) -> None:
    name = id_text(read(value))
    assert len(name) <= MAX_ID
    assert "\0" not in name
    assert name == name_of(encoded(value))
    found = ids_of(name)
    if name.startswith(BY_BYTES):
        assert found == []
        return
    for each in found:
        assert id_text(read(each)) == name
        assert not can_not_be_stored(each)
    asked = {kind_of(each) for each in found}
    if not can_not_be_stored(value):
        assert kind_of(value) in asked
    others = asked - {kind_of(value)}
    assert all(kind in (0x02, 0x07) for kind, _ in others)
    assert len(others) <= 1


def can_not_be_stored(value: Any) -> bool:
    """What MongoDB refuses for an ``_id``, and what a query would take for an operator."""
    found = read(value)
    if isinstance(found, (list, Regex, DBRef)):
        return True
    return isinstance(found, dict) and any(key.startswith("$") for key in found)


@pytest.mark.parametrize("value", [*LOOKALIKES, *OTHERS], ids=lambda value: repr(value)[:60])
def test_each_id_has_a_name_and_is_found_again_by_it(value: Any) -> None:
    assert_named(value)


def test_different_ids_have_different_names() -> None:
    names: dict[str, Any] = {}
    for value in [*LOOKALIKES, *OTHERS]:
        name = id_text(read(value))
        assert name not in names or isinstance(value, ObjectId), (value, names[name])
        names[name] = value


def test_an_id_that_is_text_is_told_as_it_is_whatever_it_looks_like() -> None:
    """But for the few that are, sign for sign, what another value is called."""
    for text in LOOKALIKES:
        assert id_text(text) == (json.dumps(text) if text in QUOTED else text)
        judged = JUDGE.judge(bson.encode(contract(_id=text)))
        assert isinstance(judged, Accepted)
        assert judged.mongo_id == id_text(text) == quick_name(bson.encode(contract(_id=text)))


@given(VALUES)
def test_whatever_an_id_is_it_has_a_name_and_is_found_again_by_it(value: Any) -> None:
    assert_named(value)


@given(EXTENDED | st.text(max_size=300))
@example('{"$date": {"$numberLong": "253402300800000"}}')
def test_whatever_the_text_of_an_id_looks_like_it_is_found_again(text: str) -> None:
    assert_named(text)


@given(VALUES, EXTENDED)
def test_no_text_takes_the_name_of_another_value(value: Any, text: str) -> None:
    for name in (id_text(read(value)), text):
        if len(name) <= MAX_ID and "\0" not in name and not isinstance(value, (str, ObjectId)):
            assert id_text(name) != id_text(read(value))


@given(EXTENDED | st.text(max_size=300))
def test_no_name_that_somebody_types_ends_a_command(name: str) -> None:
    for value in ids_of(name):
        assert id_text(read(value)) == name


@given(st.lists(EXTENDED | st.text(max_size=300), min_size=10, max_size=10))
@settings(max_examples=12, deadline=None)
def test_every_road_calls_a_document_the_same(texts: list[str]) -> None:
    raws = [bson.encode(contract(_id=text)) for text in texts]
    for text, raw, known in zip(texts, raws, JUDGE.read(raws), strict=True):
        names = {name_of(raw), quick_name(raw), JUDGE.judge(raw).mongo_id, JUDGE.judge(raw, known).mongo_id}
        assert names == {id_text(text)}
