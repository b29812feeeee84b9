"""Documents that are read side by side are read as each is alone, or left to whoever reads them alone."""

from __future__ import annotations

import copy
import random
import tracemalloc
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from datetime import date
from functools import cache
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import bson
import pytest
from bson import Decimal128, Int64, ObjectId
from contracts import MISSING, SCHEDULE, bson_values, changed, contract, field_paths, schedule
from hostile import KINDS, Pairs, Raw, base, encode, string
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_compiled import every_field, exactly, known, rules_at

from ccb_luigi.codes import Strictness
from ccb_luigi.documents import block
from ccb_luigi.documents.compiled import Compiler
from ccb_luigi.documents.contract import SCHEMA, Contract
from ccb_luigi.documents.fast import vectorised
from ccb_luigi.documents.fast.raw_columns import Order
from ccb_luigi.documents.fast.vectorised import VectorisedReader
from ccb_luigi.documents.judge import Accepted, Judge, Refused
from ccb_luigi.documents.rawbson import Document, decode
from ccb_luigi.documents.schedule import TextSchedule
from ccb_luigi.documents.valid import ALONE, CERBERUS, ROWS_ALONE, TOGETHER, Valid

ZONE = ZoneInfo("America/Sao_Paulo")
JUDGE = Judge(ZONE)
CONTRACT = Contract(ZONE)
PATHS = sorted(field_paths(contract()))
GOOD = encode(contract())


def read(*raws: bytes) -> list[Valid | None]:
    """What is read; as ``judge`` says of each alone, to the last digit, or nothing."""
    found = JUDGE.read(raws)
    for raw, one in zip(raws, found, strict=True):
        if one is not None:
            alone, day = judged_alone(raw)
            same = told(JUDGE.judge(raw, one)) == alone
            assert same  # not in one: its words would take minutes
            assert JUDGE.day(one.moment) == day
    return found


@cache
def judged_alone(raw: bytes) -> tuple[Any, date | None]:
    return told(JUDGE.judge(raw)), JUDGE.partition_of_raw(raw)


TOGETHER_WITH_GOOD = 19
"""So many, each behind a good one, are half of a block: no more than the reader learns from."""


def harm_nobody(raws: Iterable[bytes], good: bytes = GOOD) -> None:
    """Whatever they are, each is read as if it were alone, or not at all; good ones between them are read."""
    rest = iter(raws)
    while some := [*islice(rest, TOGETHER_WITH_GOOD)]:
        assert None not in read(*(each for raw in some for each in (good, raw)))[::2]


def told(judged: Accepted | Refused) -> Any:
    """With the types and digits of everything."""
    return exactly(judged._asdict() if isinstance(judged, Accepted) else asdict(judged))


def sure(*documents: Document) -> bool:
    """Whether each is read, with values of the very types and digits that Cerberus gives them."""
    raws = [*map(encode, documents)]
    found = read(*raws)
    for raw, one in zip(raws, found, strict=True):
        if one is not None:
            judged = CONTRACT.judge(decode(raw))
            assert exactly(known(one.document, SCHEMA)) == exactly(known(judged, SCHEMA))
    return None not in found


# --- what it is sure of ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"_id": ObjectId("65f000000000000000000001")},
        {"identity": None},
        {"identity": MISSING},
        {"identity": [{"number": "1"}, None, {"number": "2", "issuer": "SSP"}]},
        {"address": []},
        {"address": [contract()["address"], {**contract()["address"], "type": "comercial"}]},
        {"contacts": {"email": ["a@example.com", "b@example.com"], "phone": None}},
        {"contacts": {"email": "", "phone": [None, "(11) 90000-0000"]}},
        {"bankData.accountNumber": Int64(8079)},
        {"bankData": [contract()["bankData"]] * 2},
        {"name": "Ângela Conceição da Exemplo"},
        {"operation.ValorDoSeguro": Decimal128("0.00")},
        {"operation.ValorDoSeguro": {"$numberDecimal": "0.00"}},
        {"operation.ValorDoSeguro": 0.0},
        {"operation.ValorDoSeguro": {"@i:nil": "true"}},
        {"operation.detalhamentoDaCET": MISSING},
        {"operation.parcelas": None},
        {"operation.parcelas": {"@i:nil": "true"}},
        {SCHEDULE: {"@i:nil": "true"}},
        {SCHEDULE: {"@xsi:nil": "true"}},
        {"operation.detalhamentoDaCET": {"@xsi:nil": "true"}},
        {"identity": {"@i:nil": "true"}},
        {"contacts": {"@i:nil": "true"}, "bankData": [{"@i:nil": "true"}]},
        {"contacts.email": {"@i:nil": "true"}},
        {"birthDate": "  ", "state": "", "pep": {"@i:nil": "true"}},
        {"birthDate": MISSING, "motherName": None},
        {"nova": {"a": [1, {"b": None}], "c": "ç"}},
        {"operation.Nova": 1.5, "contacts.fax": "x", "identity.foto": b"x"},
        {"guarantors": [{"name": "x"}]},
        {"emitedAt": "2024-03-12T12:20:19Z"},
        {"updatedAt": None},
    ],
    ids=str,
)
def test_the_usual_variants_are_read_side_by_side(changes: Document) -> None:
    assert sure(contract(**changes))


OPTIONAL = [
    ".".join(step for step in path if step != "schema").replace(SCHEDULE + ".", f"{SCHEDULE}.3.")
    for path in every_field(SCHEMA)
    if not rules_at(SCHEMA, path).get("required")
]


def test_no_optional_field_that_is_null_or_missing_makes_a_document_slow() -> None:
    for path in OPTIONAL:
        nulls = (None, "", {"@i:nil": "true"}, MISSING)
        assert sure(*(changed(contract(**{path: None}), path, null) for null in nulls)), path


def test_what_has_no_column_goes_along() -> None:
    document = contract(**{"nova": 1, "operation.a": {"b": "x"}, "identity.foto": b"x"})
    document["operation"]["with.dot"] = "y"
    (one,) = read(encode(document))
    assert one is not None
    assert one.others == {
        "bank": None,
        "guarantors": None,
        "identity.0.foto": b"x",
        "nova": 1,
        "operation.a": {"b": "x"},
        "operation.with\\.dot": "y",
        "sendVortx": "True",
    }


def test_of_a_block_each_document_is_read_as_it_is_alone() -> None:
    chosen = random.Random(20)
    raws = []
    for number in range(200):
        document = contract(_id=f"d{number}", ccbCode=f"C{number}", name=f"{'Zoë '[: number % 5]}x{number}")
        for name in chosen.sample(
            ["identity", "birthDate", "motherName", "gender", "guarantors"], number % 4
        ):
            del document[name]
        document["address"] = [document["address"]] * (number % 3)
        raws.append(encode(document))
    for raw, one in zip(raws, read(*raws), strict=True):
        assert one is not None
        assert one.document["_id"] == bson.decode(raw)["_id"]
        assert one.document["ccbCode"] == bson.decode(raw)["ccbCode"]


def test_one_block_teaches_nothing_about_another() -> None:
    odd = [encode(dict(reversed(contract(_id=f"o{number}").items()))) for number in range(150)]
    bad = [encode(contract(clientId=None, name=str(number))) for number in range(150)]
    rows = [dict(reversed(row.items())) for row in schedule()]
    inside = [encode(contract(rows, _id=f"r{number}")) for number in range(150)]
    ours = [encode(contract(_id=str(number))) for number in range(150)]
    for other in (odd, bad, inside):
        judge = Judge(ZONE)
        assert (None in judge.read(other)) == (other is bad)
        assert judge.read(ours) == Judge(ZONE).read(ours)
        for one in judge.read(ours):
            assert one is not None
            assert type(one.schedule) is TextSchedule


def test_of_a_block_those_that_come_first_may_be_the_exception() -> None:
    odd = encode(dict(reversed(contract().items())))
    ours = [encode(contract(_id=str(number))) for number in range(150)]
    assert None not in JUDGE.read([odd, *ours])
    assert None not in JUDGE.read([*[odd] * 150, *ours])
    rows = [dict(reversed(row.items())) for row in schedule()]
    for one in JUDGE.read([encode(contract(rows)), *ours, *[encode(contract(rows))] * 150]):
        assert one is not None
        assert type(one.schedule) is TextSchedule


@pytest.mark.parametrize("backwards", [False, True])
def test_another_order_is_found_among_bad_documents_of_one(*, backwards: bool) -> None:
    """However many they are, wherever they stand: they are still unread when the next order is looked for."""

    def ordered(document: Document, *, back: bool) -> bytes:
        return encode(dict(reversed(document.items())) if back else document)

    bad = [ordered(contract(clientId=None), back=backwards)]
    good = [ordered(contract(_id=str(number)), back=not backwards) for number in range(150)]
    mixed = [each for one in good for each in (*bad * 2, one)]
    for raws in ([*bad * 300, *good], [*good, *bad * 300], mixed):
        assert JUDGE.read(raws).count(None) == 300


@pytest.mark.parametrize("backwards", [False, True])
def test_another_order_of_rows_is_found_among_schedules_that_are_no_plain_text(*, backwards: bool) -> None:
    def made(row: Document, *, back: bool) -> bytes:
        rows = [{**each, **row} for each in schedule()]
        return encode(contract([dict(reversed(each.items())) for each in rows] if back else rows))

    other, plain = made({"ValorDaPrestacao": 12}, back=backwards), made({}, back=not backwards)
    for raws in ([*[other] * 300, *[plain] * 150], [other, other, plain] * 150):
        read = [one is not None and type(one.schedule) is TextSchedule for one in JUDGE.read(raws)]
        assert read == [raw is plain for raw in raws]


def test_keys_that_few_documents_have_are_learnt_as_well() -> None:
    raws = []
    for number in range(400):
        document = contract(_id=str(number))
        if number % 100 == 7:  # one of them in the examples at most
            document["nova"] = number
        raws.append(encode(document))
    assert None not in JUDGE.read(raws)


@pytest.mark.parametrize(
    ("documents", "order"),
    [
        (["ac", "abc"], "abc"),
        (["ac", "acb"], "acb"),
        (["ab", "cd", "bc"], "abcd"),
        (["ad", "ab", "bd", "ac", "cb"], "acbd"),
        (["abc", "ba"], "abc"),
        (["ab", "b@"], "ab"),
    ],
)
def test_an_order_is_learnt_from_parts_of_it(documents: list[str], order: str) -> None:
    found = Order()
    for document in documents:
        found.learn(document)
    assert b"".join(found.keys).decode() == order


@pytest.mark.parametrize(
    ("documents", "order"),
    [
        (["ab", "b"], "abc"),  # nothing that doesn't fit what was tried
        (["abc", "ca"], "ca"),
        (["bc", "ca"], "bca"),
        (["ab", "adb", "abc"], "adbc"),
        (["bac"], "bac"),
    ],
)
def test_what_does_not_fit_an_order_that_was_tried_is_learnt_first(documents: list[str], order: str) -> None:
    found = Order([b"a", b"b", b"c"])
    for document in documents:
        found.learn(document)
    assert b"".join(found.keys).decode() == order


def test_keys_that_are_data_are_not_learnt_for_ever() -> None:
    found = Order()
    for number in range(2000):
        found.learn(["_id", f"key {number}"])
    assert len(found.keys) < 1000


# --- what it leaves to others ------------------------------------------------------------------------


def a_block_of(each: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(each, min_size=TOGETHER_WITH_GOOD, max_size=TOGETHER_WITH_GOOD)


@settings(max_examples=16, deadline=None)
@given(a_block_of(st.tuples(st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=1))))
def test_no_byte_of_a_document_can_change_unseen(changes: list[tuple[int, bytes]]) -> None:
    harm_nobody(GOOD[:place] + byte + GOOD[place + 1 :] for place, byte in changes)


@settings(max_examples=12, deadline=None)
@given(a_block_of(st.tuples(st.integers(0, len(GOOD)), st.binary(max_size=3), st.integers(0, 3))))
def test_no_bytes_too_many_or_too_few_are_passed_over(changes: list[tuple[int, bytes, int]]) -> None:
    raws = [GOOD[:place] + more + GOOD[place + fewer :] for place, more, fewer in changes]
    harm_nobody(raws)
    harm_nobody(len(raw).to_bytes(4, "little") + raw[4:] for raw in raws)


def test_no_length_can_be_another() -> None:
    raws = []
    for path in PATHS:
        name = path.rpartition(".")[2].encode()
        place = GOOD.find(name + b"\0") + len(name) + 1
        for change in (-1, 1, 2, 256, -(2**31)):
            length = (int.from_bytes(GOOD[place : place + 4], "little", signed=True) + change) % 2**32
            raws.append(GOOD[:place] + length.to_bytes(4, "little") + GOOD[place + 4 :])
    harm_nobody(raws)


@pytest.mark.parametrize(
    "path", [("name",), ("operation",), ("operation", "CET"), ("contacts",), ("identity",)]
)
def test_a_key_twice_is_nothing_to_be_sure_of(path: tuple[str, ...]) -> None:
    def twice(document: Document, first: str, *rest: str) -> Pairs:
        pairs = [(k, twice(v, *rest) if rest and k == first else v) for k, v in document.items()]
        return Pairs(pairs if rest else [*pairs, (first, document[first])])

    assert read(GOOD, encode(twice(contract(), *path)))[1] is None


def test_a_key_twice_in_what_has_no_column_is_nothing_to_be_sure_of() -> None:
    for value in (
        Pairs([("a", 1), ("a", 1)]),
        [Pairs([("a", 1), ("a", 2)])],
        {"x": Pairs([("a", 1), ("a", 1)])},
    ):
        first, one = read(GOOD, encode({**contract(), "nova": value}))
        assert first is not None
        assert one is None


def test_what_is_large_is_not_remembered() -> None:
    for number in range(3):
        large = f"{number}" * 10_000
        (one,) = read(encode(contract(nova=large)))
        assert one is not None
        assert one.others["nova"] == large
    before = vectorised._short_others.cache_info().currsize
    read(encode(contract(nova="2" * 10_000)))
    assert vectorised._short_others.cache_info().currsize == before


def test_lengths_that_go_past_their_document_take_no_memory() -> None:
    huge = b"\xff\xff\xff\x7f"
    for name in (b"name", b"sendVortx", b"ValorDoJuros"):
        place = GOOD.index(name + b"\0") + len(name) + 1
        bad = GOOD[:place] + huge + GOOD[place + 4 :]
        tracemalloc.start()
        assert [one is not None for one in Judge(ZONE).read([GOOD, *[bad] * 200])] == [True] + [False] * 200
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 30 * 201 * len(GOOD)


def test_empty_and_broken_places_are_passed_over() -> None:
    found = read(b"", GOOD, b"\0", GOOD[:-1], GOOD, b"\5\0\0\0\0", GOOD + b"\0")
    assert [one is not None for one in found] == [False, True, False, False, True, False, False]
    assert read() == []


def test_every_kind_of_hostile_document_is_judged_the_same_and_harms_no_neighbour() -> None:
    raws = (kind.raw("h") for kind in KINDS)
    harm_nobody((raw for raw in raws if len(raw) < 1 << 20), encode(base("good")))


def test_an_empty_key_harms_not_even_the_last_of_its_block() -> None:
    """NumPy drops NULs at the end: an empty key is like the end of the last document."""
    for odd in ({**contract(), "": 1}, Pairs([*contract().items(), ("", 1), ("", 2)])):
        first, _, last = read(GOOD, encode(odd), GOOD)
        assert first is not None
        assert last is not None


def test_values_of_every_type_are_judged_the_same() -> None:
    wrong = [
        Raw(2, string(b"a\xff")),
        Raw(2, string(b"a", 3)),
        Raw(2, string(b"a", end=b"x")),
        Raw(2, string(b"", 0, b"")),
        Raw(8, b"\2"),
        Raw(9, b"\xff" * 7 + b"\x7f"),
        Raw(77, b""),
    ]
    harm_nobody(encode(changed(contract(), path, value)) for path in PATHS for value in wrong)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(a_block_of(st.tuples(st.sampled_from(PATHS), bson_values())))
def test_whatever_stands_in_a_field_its_document_is_judged_the_same(changes: list[tuple[str, Any]]) -> None:
    harm_nobody(encode(changed(contract(), path, value)) for path, value in changes)


# --- the schema's rules, as compiled ------------------------------------------------------------------


def with_rules(path: tuple[str, ...], **rules: Any) -> VectorisedReader:
    """A reader that knows the field, with other rules, and what holds it; of items it knows all fields."""
    schema = copy.deepcopy(SCHEMA)
    rules_at(schema, path).update(rules)
    return VectorisedReader(alone(schema, *path), Compiler(ZONE))


TOLD = ("updatedAt", "createdAt", "emitedAt", "operation", "parcelas")
"""What every reader is asked for: a document's time, and its schedule."""


def alone(schema: Any, name: str = "", *inner: str) -> Any:
    kept = {field: rules for field, rules in schema.items() if field == name or field in TOLD}
    for field, rules in kept.items():
        if field == "operation" or (field == name and rules["type"] == "dict" and inner):
            kept[field] = {**rules, "schema": alone(rules["schema"], *(inner[1:] if field == name else ()))}
    return kept


@pytest.mark.parametrize("path", every_field(SCHEMA), ids=".".join)
def test_a_rule_that_nobody_knows_makes_every_document_unsure(path: tuple[str, ...]) -> None:
    assert with_rules(path).read([GOOD]) != [None]
    assert with_rules(path, forbidden=["x"]).read([GOOD]) == [None]
    assert with_rules(path, type="set").read([GOOD]) == [None]


@pytest.mark.parametrize("path", every_field(SCHEMA), ids=".".join)
def test_a_field_that_becomes_required_is_required(path: tuple[str, ...]) -> None:
    columns = with_rules(path, required=True, nullable=False)
    document = contract()
    place: Any = document
    steps = [step for step in path if step != "schema"]
    for step in steps[:-1]:
        place = place[step]
        place = place[0] if isinstance(place, list) else place
    place.pop(steps[-1], None)
    lacking = encode(document)
    place[steps[-1]] = None
    found = columns.read([lacking, encode(document)])
    assert found == [None, None]


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        (("clientId",), {"maxlength": 3}),
        (("_id",), {"maxlength": 3}),
        (("operation", "schema", "NumeroDeParcelas"), {"min": 1000}),
        (("contacts", "schema", "email", "schema"), {"maxlength": 3}),
    ],
    ids=str,
)
def test_a_stricter_rule_is_stricter(path: tuple[str, ...], rule: Document) -> None:
    assert with_rules(path).read([GOOD]) != [None]
    assert with_rules(path, **rule).read([GOOD]) == [None]


@pytest.mark.parametrize("many", [True, False])
def test_a_block_is_rendered_the_same_on_both_roads(many: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block, "SIDE_BY_SIDE", 1 if many else 10**9)
    raws = [
        encode(contract(_id=f"d{number}", ccbCode=f"C{number}", **changes))
        for number, changes in enumerate(
            [
                {},
                {"updatedAt": "0001-01-02T00:00:00+14:00"},  # .NET's null in UTC: createdAt counts
                {"updatedAt": "2024-05-03T02:59:59Z"},
                {"clientId": None},
                {"nova": "x\ty\\"},
                {"name": "a\\b\nc"},
            ]
        )
    ]
    raws[2:2] = [b"", b"\0"]
    found = block.render(block.BatchSpec(7, None, ZONE, Strictness()), 3, raws)
    usual = TOGETHER if many else ALONE
    assert found.roads == {
        (date(2024, 5, 3), usual): 3,
        (date(2024, 5, 3), CERBERUS): 1,
        (date(2024, 3, 12), usual): 1,
        (date(2024, 5, 2), usual): 1,
    }
    # What has no time counts with the date that the quarantine knows.
    assert [(day, road) for day, road, _ in found.timeless] == [(JUDGE.today(), CERBERUS)]
    assert found.counts["operacoes"] == 5
    assert [line.split(b"\t")[:3] for line in found.lines["contratos"].splitlines()] == [
        [b"7", b"%d" % (3 * block.DOCUMENTS + place), b"d%d" % number]
        for place, number in [(0, 0), (1, 1), (4, 2), (6, 4), (7, 5)]
    ]
    assert found.lines["clientes"].count(b"a\\\\b\\nc") == 1
    assert len(found.lines["parcelas"].splitlines()) == 13 * 5


def test_each_document_of_a_block_tells_which_road_it_took() -> None:
    number = f"{SCHEDULE}.3.ValorDoJuros"
    raws = [encode(contract(_id=f"d{n}")) for n in range(120)]
    raws += [encode(contract(None)), encode(contract([])), encode(contract(**{number: None}))]
    raws += [encode(contract(**{number: 391.98})), encode(contract(**{number: Decimal128("391.98")}))]
    raws += [encode(contract(**{f"{SCHEDULE}.3.Nova": "x"})), encode(contract(name=7))]
    raws += [encode(contract(averageMonthlyIncome=9800.0000001)), encode(contract(name=None)), b"\5\0\0\0x"]
    task = block.BatchSpec(7, None, ZONE, Strictness())
    roads: Counter[str] = Counter()
    found = block.render(task, 3, raws)
    for (_, road), documents in found.roads.items():
        roads[road] += documents
    for _, road, _ in found.timeless:
        roads[road] += 1
    assert roads == {TOGETHER: 124, ROWS_ALONE: 2, ALONE: 1, CERBERUS: 3}


def test_promoted_findings_and_left_out_parts_are_told_as_of_one_alone() -> None:
    raw = encode(contract(**{"address.zipCode": "123", "bankData.accountNumber": None}))
    for promoted in (frozenset[str](), frozenset({"conta_incompleta"})):
        judge = Judge(ZONE, Strictness(promoted))
        (one,) = judge.read([raw])
        assert one is not None
        assert judge.judge(raw, one) == judge.judge(raw)
        assert isinstance(judge.judge(raw, one), Accepted) != bool(promoted)
