"""A list that is read from its bytes, as one text, says what its items say one by one."""

from __future__ import annotations

import copy
import struct
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import bson
import pytest
from bson import Binary, Code
from contracts import MISSING, bson_values, changed_at_once, contract, field_paths, schedule
from hostile import Pairs, Raw, encode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ccb_luigi.documents.compiled import Compiler
from ccb_luigi.documents.contract import PARCELA, SCHEMA, Contract
from ccb_luigi.documents.fast import schedule_bytes
from ccb_luigi.documents.fast.vectorised import VectorisedReader
from ccb_luigi.documents.judge import Judge
from ccb_luigi.documents.rawbson import Document, decode
from ccb_luigi.documents.schedule import TextSchedule, schedule_of

ZONE = ZoneInfo("America/Sao_Paulo")
JUDGE = Judge(ZONE)
CONTRACT = Contract(ZONE)
AMOUNTS = [name for name in PARCELA if name.startswith("Valor")]
LIST = b"PrevisaoDeParcela"
GOOD = encode(contract())


def opened(items: Any) -> TextSchedule | None:
    (known,) = JUDGE.read([encode(contract(items))])
    found = known and known.schedule
    return found if type(found) is TextSchedule else None


def by_cerberus(items: Any) -> Any:
    return CONTRACT.judge(contract(items))["operation"]["parcelas"]["PrevisaoDeParcela"]


AT_ONCE = 19
"""So many, and good ones around each, are a block: of no more the reader learns from all that it lost."""


def same_as_decoded(*raws: bytes) -> None:
    """The road by bytes comes to what the road over all values comes to, and no neighbour minds."""
    good = JUDGE.judge(GOOD)
    for some in in_blocks(raws):
        known = JUDGE.read([GOOD, *(each for raw in some for each in (raw, GOOD))])
        assert None not in known[::2]
        for neighbour in known[::2]:
            same = JUDGE.judge(GOOD, neighbour) == good
            assert same  # not in one: its words would take minutes
        for raw, one in zip(some, known[1::2], strict=True):
            if one is not None:
                same = JUDGE.judge(raw, one) == JUDGE.judge(raw)
                assert same


def in_blocks(raws: Iterable[bytes]) -> Iterable[list[bytes]]:
    rest = iter(raws)
    while some := [*islice(rest, AT_ONCE)]:
        yield some


def a_block_of(each: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(each, min_size=AT_ONCE, max_size=AT_ONCE)


def parsed(line: str) -> tuple[Any, ...]:
    """A line of COPY text as PostgreSQL would read it into the columns of parcelas."""
    number, due, *amounts = line.split("\t")
    read = (None if amount == "\\N" else Decimal(amount) for amount in amounts)
    return (int(number), date.fromisoformat(due), *read)


NULLS = [None, "", "  ", {"@i:nil": "true"}, {"@xsi:nil": "true"}, {"@i:nil": "1"}, {"@xsi:nil": True}]
"""Ways to say that a cell has no value; ``MISSING`` is the last one."""


money = st.decimals(-(10**13) + 1, 10**13 - 1, places=2).map(str) | st.decimals(0, 10**9, places=2).map(
    lambda amount: f"00{amount}"
)
rows = st.lists(
    st.fixed_dictionaries(
        {
            "NumeroDaParcela": st.integers(0, 400).map(str),
            "DataDeVencimento": st.dates(date(1900, 1, 1), date(9998, 1, 1)).map(str)
            | st.dates(date(2000, 1, 1)).map(lambda day: f"{day}T00:00:00"),
            **dict.fromkeys(
                AMOUNTS,
                money | st.sampled_from(["0", "0.0", "0.00", "-0", "1836", "1899.7", *NULLS, MISSING]),
            ),
        }
    ).map(lambda row: {name: row[name] for name in PARCELA if row[name] is not MISSING}),
    min_size=1,
    max_size=5,
    unique_by=lambda row: row["NumeroDaParcela"],
).map(lambda found: sorted(found, key=lambda row: int(row["NumeroDaParcela"])))


@settings(max_examples=100, deadline=None)
@given(rows)
def test_the_text_for_copy_says_what_cerberus_reads(items: list[Document]) -> None:
    found, judged = opened(items), by_cerberus(items)
    assert found is not None or any("00-02-29" in row["DataDeVencimento"] for row in items)
    same_as_decoded(encode(contract(items)))
    if found is not None:
        assert [*found.items] == [{name: row.get(name) for name in PARCELA} for row in judged]
        expected = [tuple(row.get(name) for name in PARCELA) for row in judged]
        assert [parsed(line) for line in found.text.split("\n")] == expected
        assert found.totals.interest == sum(row.get("ValorDoJuros") or 0 for row in judged) * 100
        assert found.totals.payment == sum(row.get("ValorDaPrestacao") or 0 for row in judged) * 100


def test_an_ordinary_schedule_is_read_from_its_bytes() -> None:
    found = opened(schedule())
    assert found is not None
    assert len(found) == 13
    assert found.items == by_cerberus(schedule())


@pytest.mark.parametrize("name", AMOUNTS)
@pytest.mark.parametrize("null", [*NULLS, MISSING], ids=repr)
def test_a_cell_without_a_value_leaves_the_schedule_as_fast_as_any(name: str, null: Any) -> None:
    raws = []
    for places in (range(13), [0], [4, 12]):
        items = [{**row, name: null} if place in places else row for place, row in enumerate(schedule())]
        items = [{field: value for field, value in row.items() if value is not MISSING} for row in items]
        found = opened(items)
        assert found is not None
        assert [row[name] is None for row in found.items] == [place in places for place in range(13)]
        raws.append(encode(contract(items)))
    same_as_decoded(*raws)


def test_a_balance_that_is_missing_is_not_taken_for_zero() -> None:
    items = schedule()
    assert items[-1]["ValorDoSaldoAtual"] == "0"
    assert opened(items).totals.holds  # type: ignore[union-attr]
    items[-1] = {**items[-1], "ValorDoSaldoAtual": None}
    assert not opened(items).totals.holds  # type: ignore[union-attr]


def test_of_a_block_only_the_schedules_that_lack_a_cell_lack_it() -> None:
    lacking = [{k: v for k, v in row.items() if k != "ValorDoSeguro"} for row in schedule()]
    nulls = [{**row, "ValorDaCorrecao": None} for row in schedule()]
    raws = [encode(contract(items)) for items in (schedule(), lacking, nulls, schedule()[:3], lacking[:1])]
    for raw, known in zip(raws, JUDGE.read(raws), strict=True):
        assert known is not None
        assert type(known.schedule) is TextSchedule
        assert JUDGE.judge(raw, known) == JUDGE.judge(raw)


def test_rows_of_a_uniform_schedule_are_rows_and_text_at_once() -> None:
    raw = bson.encode(contract())
    found = JUDGE.judge(raw, *JUDGE.read([raw])).schedule  # type: ignore[union-attr]
    alone = JUDGE.judge(raw).schedule  # type: ignore[union-attr]
    assert isinstance(found, TextSchedule)
    assert found == alone
    lines = "\n".join(found.lines("7\t8\t")).split("\n")
    assert len(lines) == len(found) == len(alone) == 13
    assert all(line.startswith("7\t8\t") for line in lines)
    assert [parsed(line[4:]) for line in lines] == [parsed(line) for line in alone.lines("")]


@pytest.mark.parametrize(
    "change",
    [
        {"NumeroDaParcela": None},
        {"DataDeVencimento": ""},
        {"ValorDoJuros": {"@i:nil": "false"}},
        {"ValorDoJuros": {"@i:nil": "true", "x": 1}},
        {"ValorDoJuros": "\\N"},
        {"ValorDoJuros": " 1.00"},
        {"ValorDoJuros": "1,00"},
        {"ValorDoJuros": "+1.00"},
        {"ValorDoJuros": "1.000"},
        {"ValorDoJuros": "1."},
        {"ValorDoJuros": ".5"},
        {"ValorDoJuros": "1e3"},
        {"ValorDoJuros": "1_0"},
        {"ValorDoJuros": "\u0661"},
        {"ValorDoJuros": "NaN"},
        {"ValorDoJuros": "99999999999999.00"},
        {"ValorDoJuros": "1.00\t2.00"},
        {"ValorDoJuros": "1.00\n"},
        {"ValorDoJuros": 1},
        {"ValorDoJuros": {"$numberDecimal": "1.00"}},
        {"ValorDoJuros": Code("1.00")},
        {"ValorDaCorrecao": Code("0")},
        {"NumeroDaParcela": Code("1")},
        {"DataDeVencimento": Code("2025-05-10")},
        {"NumeroDaParcela": "-1"},
        {"NumeroDaParcela": "1.0"},
        {"NumeroDaParcela": "9999999999"},
        {"DataDeVencimento": "2025-02-30"},
        {"DataDeVencimento": "0001-01-01"},
        {"DataDeVencimento": "10/05/2025"},
        {"DataDeVencimento": "2025-05-10T03:00:00"},
        {"DataDeVencimento": "2025-05-10T00:00:00Z"},
    ],
    ids=lambda change: "-".join(f"{name}={value!r}" for name, value in change.items()),
)
def test_a_value_of_another_form_is_never_taken_for_text_that_can_be_copied(change: Document) -> None:
    schedules = []
    for place in (0, 6, 12):
        items = schedule()
        items[place] = {**items[place], **change}
        schedules.append(items)
    raws = [encode(contract(items)) for items in schedules]
    for known in JUDGE.read([*raws, GOOD, GOOD, GOOD, GOOD])[:3]:
        assert known is None or type(known.schedule) is not TextSchedule
    same_as_decoded(*raws)


@pytest.mark.parametrize(
    ("day", "plain"),
    [
        ("2024-02-28", True),
        ("2024-02-29", True),
        ("2023-02-29", False),
        ("2100-02-29", False),
        ("2000-02-29", False),  # it is a day, but looks don't tell
        ("2024-02-30", False),
        ("2024-04-30", True),
        ("2024-04-31", False),
        ("2024-12-31", True),
        ("2024-13-01", False),
        ("2024-00-01", False),
        ("2024-01-00", False),
        ("2024-01-32", False),
        ("0001-01-01", False),
        ("0000-01-01", False),
        ("0010-01-01", True),
        ("9999-12-31", True),
    ],
)
def test_a_day_that_can_be_copied_is_in_every_calendar(day: str, plain: bool) -> None:
    items = [{**schedule()[0], "DataDeVencimento": day}]
    assert (opened(items) is not None) == plain
    same_as_decoded(encode(contract(items)))


def test_rows_whose_numbers_do_not_rise_are_read_one_by_one() -> None:
    items = schedule()
    items[3], items[4] = items[4], items[3]
    assert opened(items) is None
    same_as_decoded(encode(contract(items)))


@pytest.mark.parametrize("number", ["4", "04"])
def test_a_repeated_number_is_not_passed(number: str) -> None:
    items = schedule()
    items[3] = {**items[3], "NumeroDaParcela": number}
    raw = encode(contract(items))
    assert JUDGE.judge(raw).codes == ["parcela_repetida"]  # type: ignore[union-attr]
    same_as_decoded(raw)


def test_a_field_more_or_less_or_elsewhere_is_read_value_by_value() -> None:
    items = schedule()
    items[2] = {**items[2], "Nova": "x"}
    assert opened(items) is None
    same_as_decoded(encode(contract(items)))
    items = schedule()
    items[4] = dict(reversed(items[4].items()))
    assert opened(items) is None
    same_as_decoded(encode(contract(items)))


# --- hostile bytes -----------------------------------------------------------------------------------

ROWS = GOOD.index(LIST)


PLACES = st.integers(ROWS, GOOD.rindex(b"ValorDoSaldoAtual") + 40)


@settings(max_examples=21, deadline=None)
@given(a_block_of(st.tuples(PLACES.map(lambda place: place - 1), st.binary(min_size=1, max_size=1))))
def test_no_byte_of_a_schedule_can_change_unseen(changes: list[tuple[int, bytes]]) -> None:
    same_as_decoded(*(GOOD[:place] + byte + GOOD[place + 1 :] for place, byte in changes))


def test_no_length_of_a_text_can_be_another() -> None:
    for name in PARCELA:
        place = GOOD.index(name.encode() + b"\0", ROWS) + len(name) + 1
        lengths = {*range(40)} - {GOOD[place]}
        same_as_decoded(*(GOOD[:place] + bytes([length]) + GOOD[place + 1 :] for length in lengths))


def test_no_length_of_a_row_can_be_another() -> None:
    raws = []
    for number in range(len(schedule())):
        place = GOOD.index(b"\x03%d\0" % number, ROWS) + len(f"{number}") + 2
        for change in (-1, 1, 256):
            length = struct.unpack_from("<i", GOOD, place)[0] + change
            raws.append(GOOD[:place] + struct.pack("<i", length) + GOOD[place + 4 :])
    same_as_decoded(*raws)


@settings(max_examples=11, deadline=None)
@given(a_block_of(st.tuples(PLACES, st.binary(max_size=3), st.integers(0, 3))))
def test_no_bytes_too_many_or_too_few_are_passed_over(changes: list[tuple[int, bytes, int]]) -> None:
    """The lengths of what is around say that all is well: only the rows' own differ."""
    head, array = GOOD[: ROWS + len(LIST) + 1], GOOD[ROWS + len(LIST) + 1 :]
    size = struct.unpack("<i", array[:4])[0]
    raws = []
    for place, more, fewer in changes:
        at = min(max(4, place - len(head)), size - 4)
        changed_array = array[4:at] + more + array[at + fewer : size]
        value = Raw(4, struct.pack("<i", len(changed_array) + 4) + changed_array)
        raws.append(encode(contract(value)))
    same_as_decoded(*raws)


ARRAY = GOOD[ROWS - 1 :][: struct.unpack("<i", GOOD[ROWS + len(LIST) + 1 :][:4])[0] + len(LIST) + 2]
"""The whole element: type, name, list."""


@pytest.mark.parametrize(
    "document",
    [
        {"name": ARRAY.decode("latin-1"), **contract(None, **{"operation.parcelas": None})},
        {**contract(None, **{"operation.parcelas": None}), "unknown": Binary(ARRAY)},
        {**contract(None, **{"operation.parcelas": None}), "PrevisaoDeParcela": schedule()},
        {**contract(None, **{"operation.parcelas": None}), "unknown": {"PrevisaoDeParcela": schedule()}},
        {**contract(), "unknown": Binary(ARRAY)},
        {**contract(), "unknown": {"PrevisaoDeParcela": schedule()}},
        contract(Binary(ARRAY[len(LIST) + 7 :], 0x80)),
        {**contract(Binary(ARRAY[len(LIST) + 7 :], 0x80)), "unknown": Binary(ARRAY)},
        contract(None, operation=[{"parcelas": {"PrevisaoDeParcela": schedule()}}]),
    ],
    ids=range(9),
)
def test_what_only_looks_like_the_schedule_is_not_taken_for_it(document: Document) -> None:
    raw = encode(document)
    for known in JUDGE.read([raw]):
        assert known is None or known.schedule == schedule_of(CONTRACT.judge(decode(raw)))
    same_as_decoded(raw)


def test_keys_that_occur_twice_are_found_as_before() -> None:
    def twice(document: Document, first: str, *rest: str) -> Pairs:
        pairs = [(k, twice(v, *rest) if rest and k == first else v) for k, v in document.items()]
        return Pairs(pairs if rest else [*pairs, (first, "x")])

    paths = (("name",), ("operation",), ("operation", "CET"), ("operation", "parcelas"))
    raws = [encode(twice(contract(), *path)) for path in paths]
    for raw in raws:
        assert JUDGE.judge(raw).codes == ["chave_repetida"]  # type: ignore[union-attr]
    same_as_decoded(*raws)


PATHS = sorted(field_paths(contract()))


several = st.dictionaries(st.sampled_from(PATHS), bson_values(), min_size=1, max_size=3)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(several, min_size=5, max_size=5))
def test_by_bytes_or_by_values_a_document_is_judged_the_same(documents: list[Document]) -> None:
    same_as_decoded(*(encode(changed_at_once(contract(), changes)) for changes in documents))


@pytest.mark.parametrize("name", PARCELA)
@pytest.mark.parametrize(
    "rule",
    [{"min": 1}, {"type": "string"}, {"coerce": "text"}, {"maxlength": 3}, {"allowed": ["0"]}],
    ids=str,
)
def test_a_rule_that_looks_can_not_hold_leaves_the_list_to_others(name: str, rule: Document) -> None:
    schema = copy.deepcopy(SCHEMA)
    listed: Any = schema["operation"]["schema"]["parcelas"]["schema"]["PrevisaoDeParcela"]
    listed["schema"]["schema"][name].update(rule)
    item = listed["schema"]
    assert schedule_bytes.reader(item, Compiler(ZONE).reader(item)) is None


def test_the_list_keeps_its_own_rules() -> None:
    assert VectorisedReader(SCHEMA, Compiler(ZONE)).read([GOOD]) != [None]
    for rule in ({"maxlength": 12}, {"forbidden": ["x"]}, {"check_with": "something_else"}):
        schema = copy.deepcopy(SCHEMA)
        schema["operation"]["schema"]["parcelas"]["schema"]["PrevisaoDeParcela"].update(rule)
        assert VectorisedReader(schema, Compiler(ZONE)).read([GOOD]) == [None]


def test_rows_may_have_their_fields_in_an_order_of_their_own() -> None:
    items = [dict(reversed(row.items())) for row in schedule()]
    raw = encode(contract(items))
    judge = Judge(ZONE)
    (known,) = judge.read([raw])
    assert known is not None
    assert type(known.schedule) is TextSchedule
    assert judge.judge(raw, known) == judge.judge(raw)
    assert judge.judge(raw, known).schedule == JUDGE.judge(GOOD).schedule  # type: ignore[union-attr]


def test_a_list_of_another_form_harms_no_neighbour() -> None:
    others = [None, {}, [], [None], "", schedule()[0], [{}], [{"Nova": "1"}], [*schedule(), None], [1], ["x"]]
    raws = [encode(contract(items)) for items in [schedule(), *others, schedule()[:-1]]]
    known = JUDGE.read(raws)
    assert [type(known[place].schedule) for place in (0, -1)] == [TextSchedule, TextSchedule]  # type: ignore[union-attr]
    for raw, one in zip(raws, known, strict=True):
        assert one is None or JUDGE.judge(raw, one) == JUDGE.judge(raw)
