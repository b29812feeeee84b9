"""Keys that occur twice are found wherever they are, and nothing else is taken for one."""

from __future__ import annotations

import copy
import random
from typing import Any

import bson
import pytest
from bson import Code, DBRef
from contracts import bson_values, contract
from hostile import KINDS, Pairs, Raw, element, encode, string
from hypothesis import given, settings
from hypothesis import strategies as st

from ccb_luigi.documents.rawbson import CODEC, LONGEST_PATH, decode, occurs_twice, repeated_key


def found(raw: bytes) -> str | None:
    return repeated_key(raw, decode(raw))


def test_an_ordinary_contract_has_none() -> None:
    assert found(bson.encode(contract())) is None


@settings(max_examples=150, deadline=None)
@given(bson_values())
def test_what_a_dictionary_became_never_has_one(value: Any) -> None:
    assert found(bson.encode({"a": value, "b": [value, {"": value}]})) is None


def places(value: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """(path, sub-document) of every sub-document but what PyMongo reads as a DBRef."""
    inner: list[tuple[str, Any]] = [(prefix, value)] if isinstance(value, dict) else []
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, part in steps:
        name = str(step).replace("\\", "\\\\").replace(".", "\\.")
        inner += places(part, f"{prefix}{name}.")
    return inner


def paired(value: Any, chosen: Any, key: str) -> Any:
    """The same value, its elements in pairs, the one at ``key`` of ``chosen`` once more at its end."""
    if isinstance(value, dict):
        pairs = Pairs([(name, paired(inner, chosen, key)) for name, inner in value.items()])
        return Pairs([*pairs, (key, 1)]) if value is chosen else pairs
    if isinstance(value, list):
        return [paired(inner, chosen, key) for inner in value]
    return value


@settings(max_examples=150, deadline=None)
@given(bson_values(), bson_values(), st.randoms(use_true_random=False))
def test_a_key_repeated_anywhere_is_found_at_its_path(one: Any, other: Any, choice: random.Random) -> None:
    document = {"a": copy.deepcopy(one), "b": [copy.deepcopy(other), {"": 1, "c.d": {"e": one}}]}
    path, chosen = choice.choice([(path, place) for path, place in places(document) if place])
    key = choice.choice([*chosen])
    raw = encode(paired(document, chosen, key))
    name = str(key).replace("\\", "\\\\").replace(".", "\\.")
    assert found(raw) == f"{path}{name}"


def test_a_repetition_is_found_though_another_field_grows_when_it_is_written_again() -> None:
    """A DBPointer becomes longer: lengths alone could be equal."""
    for size in range(60):
        pointer = Raw(12, string(b"ns") + bytes(12))
        raw = encode(Pairs([("p", pointer), ("x", "a" * size), ("x", "")]))
        assert found(raw) == "x"


def test_no_decodable_kind_of_document_makes_it_stumble() -> None:
    for kind in KINDS:
        raw = kind.raw("h")
        try:
            decoded = bson.decode(raw, codec_options=CODEC)
        except (bson.errors.InvalidBSON, ValueError, OverflowError, RecursionError):
            continue
        expected = "chave_repetida" in getattr(kind.expected, "reasons", {}).values()
        assert (repeated_key(raw, decoded) is not None) == expected, kind.name


def test_a_code_and_a_dbref_hide_none() -> None:
    assert found(bson.encode({"a": Code("f()", {"x": 1, "y": {"x": 1}}), "b": DBRef("c", 1, x=1)})) is None


def test_a_path_is_told_only_as_far_as_a_person_reads_it() -> None:
    path = found(encode(Pairs([("k" * 10**6, 1), ("k" * 10**6, 2)])))
    assert path == "k" * LONGEST_PATH
    deep: Any = Pairs([("x", 1), ("x", 2)])
    for _ in range(60):
        deep = {"abcdef": deep}
    path = found(encode(deep))
    assert path is not None
    assert len(path) <= LONGEST_PATH


@pytest.mark.parametrize(
    ("elements", "twice"),
    [
        ([("updatedAt", 1)], False),
        ([("updatedAt", 1), ("updatedAt", 1)], True),
        ([("updatedAt", 1), ("xupdatedAt", 1)], False),
        ([("updatedAt", 1), ("x", {"updatedAt": 1})], False),
        ([("updatedAt", 1), ("x", "updatedAt")], False),
        ([("x", {"updatedAt": 1}), ("updatedAt", 1), ("y", None), ("updatedAt", "b")], True),
        ([], False),
    ],
    ids=str,
)
def test_a_name_occurs_twice_only_at_the_top(elements: Any, twice: bool) -> None:
    raw = encode(elements)
    assert element("a", 1) not in raw
    assert occurs_twice(raw, b"updatedAt") is twice
