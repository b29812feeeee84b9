"""One instant is one day and one moment, in whatever form it comes, in every field and on every road."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import bson
import pytest
from bson import Decimal128, Int64, Timestamp
from contracts import SCHEDULE, contract
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ccb_luigi.documents.contract import Rejected
from ccb_luigi.documents.judge import Judge, Refused
from ccb_luigi.documents.rawbson import Document, decode
from ccb_luigi.documents.schedule import Schedule
from ccb_luigi.proof.expected import expected

SAO_PAULO = ZoneInfo("America/Sao_Paulo")
ZONES = ("America/Sao_Paulo", "America/Rio_Branco", "UTC", "Asia/Tokyo")
JUDGES = {zone: Judge(ZoneInfo(zone)) for zone in ZONES}
SMALLEST = 10**11
"""Of this magnitude on a bare number is epoch milliseconds and nothing else."""

DAYS = {
    "birthDate": ("clientes", 0, "data_nascimento"),
    "operation.VencimentoPrimeiraParcela": ("operacoes", 0, "vencimento_primeira_parcela"),
    "operation.DataDeLiberacao": ("operacoes", 0, "data_liberacao"),
    "operation.DataDeVencimentoInicial": ("operacoes", 0, "data_vencimento_inicial"),
    "operation.DataDeVencimentoFinal": ("operacoes", 0, "data_vencimento_final"),
    f"{SCHEDULE}.0.DataDeVencimento": ("parcelas", 0, "data_vencimento"),
    f"{SCHEDULE}.7.DataDeVencimento": ("parcelas", 7, "data_vencimento"),
}
MOMENTS = {
    "updatedAt": ("operacoes", 0, "atualizado_em"),
    "createdAt": ("operacoes", 0, "criado_em"),
    "emitedAt": ("operacoes", 0, "emitido_em"),
}
FIELDS = DAYS | MOMENTS
"""Every field that holds a day or a moment, and where it is loaded: table, row, column."""

# --- the forms of an instant, as milliseconds since 1970 ----------------------------------------------

Form = Callable[[int], Any]
"""From an instant to a value that means it; ``None`` where this form can't say it."""


def instant(ms: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)


def text(order: str, clock: str, offset: str, hours: float = 0.0) -> Form:
    """``order`` of the day, ``clock`` with what parts them; ``offset`` as it is written and in hours."""

    def write(ms: int) -> str | None:
        local = instant(ms).astimezone(timezone(timedelta(hours=hours)))
        if ("%S" not in clock and local.second) or ("{ms}" not in clock and ms % 1000):
            return None
        order_of_the_day = order.replace("%Y", f"{local.year:04}")  # strftime writes the year 1 as "1"
        return local.strftime(order_of_the_day + clock).replace("{ms}", f"{ms % 1000:03}") + offset

    return write


def written() -> Iterator[tuple[str, Form]]:
    zeros = ("Z", "z", "+00:00", "-00:00", "+0000", "-0000", "+00", " Z", " +00:00")
    others = {"-03:00": -3.0, "-0300": -3.0, "-03": -3.0, "+03:00": 3.0, "+05:30": 5.5, "-12:00": -12.0}
    clocks = ("T%H:%M", "T%H:%M:%S", "T%H:%M:%S.{ms}", "T%H:%M:%S.{ms}0000", "T%H:%M:%S,{ms}", " %H:%M:%S")
    for order in ("%Y-%m-%d", "%d/%m/%Y"):
        for clock in clocks:
            for offset, hours in (dict.fromkeys(zeros, 0.0) | others).items():
                yield f"text {order}{clock}{offset}", text(order, clock, offset, hours)


TEXTS = dict(written())


def bare(form: Form) -> Form:
    return lambda ms: form(ms) if abs(ms) >= SMALLEST else None


NUMBERS: dict[str, Form] = {
    "int": int,
    "int64": Int64,
    "double": float,
    "Decimal128": lambda n: Decimal128(str(n)),
    "Decimal128 with zeros": lambda n: Decimal128(f"{n}.00"),
    "$numberLong": lambda n: {"$numberLong": str(n)},
    "$numberLong of an int": lambda n: {"$numberLong": Int64(n)},
    "$numberInt": lambda n: {"$numberInt": str(n)},
    "$numberDouble": lambda n: {"$numberDouble": f"{n}.0"},
    "$numberDecimal": lambda n: {"$numberDecimal": str(n)},
}
TYPED: dict[str, Form] = {
    "BSON date": instant,
    "$date of an int": lambda ms: {"$date": Int64(ms)},
    "$date of a double": lambda ms: {"$date": float(ms)},
    "$date of $numberLong": lambda ms: {"$date": {"$numberLong": str(ms)}},
    "$date of $numberDouble": lambda ms: {"$date": {"$numberDouble": f"{ms}.0"}},
    "timestamp": lambda ms: Timestamp(ms // 1000, 1) if ms % 1000 == 0 and 0 <= ms // 1000 < 2**32 else None,
}
IN_DATE: dict[str, Form] = {
    f"$date of {name}": lambda ms, write=write: None if write(ms) is None else {"$date": write(ms)}
    for name, write in TEXTS.items()
    if "%Y-%m-%dT%H:%M:%S" in name and "0000" not in name
}
FORMS: dict[str, Form] = {
    **TYPED,
    **TEXTS,
    **IN_DATE,
    **{f"bare {name}": bare(form) for name, form in NUMBERS.items()},
}


def day_of(ms: int, zone: str) -> date:
    """As the contract has it: a midnight at offset zero is that day, any other moment that of the zone."""
    if ms % 86_400_000 == 0:
        return date(1970, 1, 1) + timedelta(days=ms // 86_400_000)
    return instant(ms).astimezone(ZoneInfo(zone)).date()


# --- the roads ----------------------------------------------------------------------------------------


def at(document: Any, path: str) -> Any:
    for step in path.split("."):
        document = document.items if isinstance(document, Schedule) else document
        document = document[int(step)] if step.isdigit() else document[step]
    return document


def meanings(documents: list[Document], zone: str, *paths: str) -> list[tuple[set[Any], ...]]:
    """What each has at the paths, on every road; on the fast ones only where they are sure."""
    judge, raws = JUDGES[zone], [*map(bson.encode, documents)]
    found = []
    for raw, read in zip(raws, judge.read(raws), strict=True):
        rows = expected(raw, ZoneInfo(zone)).rows  # by Cerberus alone
        places = [FIELDS[path] for path in paths]
        means: list[set[Any]] = [{rows[table][row][column]} for table, row, column in places]
        passed = judge.contract.compiled(decode(raw))
        for one in (passed, read and read.document):
            if one is not None:
                for each, path in zip(means, paths, strict=True):
                    each.add(at(one, path))
        if read is not None:
            assert judge.day(read.moment) == judge.partition_of_raw(raw)
        found.append(tuple(means))
    return found


def meaning(value: Any, path: str, zone: str = "America/Sao_Paulo") -> Any:
    """The one thing that a value means in a field."""
    (((means,),),) = meanings([contract(**{path: value})], zone, path)
    return means


GOOD = bson.encode(contract())


def reasons(documents: list[Document], zone: str) -> list[dict[str, list[str]]]:
    """Path → codes, by Cerberus; every other road rejects each document too, or isn't sure of it."""
    judge, raws = JUDGES[zone], [*map(bson.encode, documents)]
    # As many good ones, and more: of nothing but bad ones the reader would begin to learn anew.
    read = judge.read([*raws, *[GOOD] * (len(raws) + 1)])
    assert read[: len(raws)] == [None] * len(raws)
    assert (None in read[len(raws) :]) == (judge.read([GOOD]) == [None])  # if its door isn't shut
    found = []
    for document, raw in zip(documents, raws, strict=True):
        assert judge.contract.compiled(document) is None
        assert not expected(raw, ZoneInfo(zone)).accepted
        judged = judge.judge(raw)
        assert isinstance(judged, Refused)
        with pytest.raises(Rejected) as raised:
            judge.contract.judge(document)
        assert judged.codes == raised.value.codes
        assert judged.messages == raised.value.messages
        found.append(raised.value.reasons)
    return found


# --- one instant --------------------------------------------------------------------------------------

_MS_OF_A_DAY = 86_400_000
_FIRST, _LAST = (
    -67 * 366,
    110 * 366,
)  # days since 1970: 1903 to 2080, where offsets are whole minutes in all zones
INSTANTS = st.one_of(
    st.integers(_FIRST, _LAST).map(lambda day: day * _MS_OF_A_DAY),
    st.integers(_FIRST * 24, _LAST * 24).map(lambda hour: hour * 3_600_000),
    st.integers(_FIRST * 86_400, _LAST * 86_400).map(lambda second: second * 1000),
    st.integers(_FIRST * _MS_OF_A_DAY, _LAST * _MS_OF_A_DAY),
)
TENTH = 1_775_779_200_000
"""2026-04-10T00:00:00Z."""


def test_a_midnight_at_offset_zero_is_that_day_in_every_form() -> None:
    documents = [contract(birthDate=write(TENTH)) for write in FORMS.values()]
    found = dict(zip(FORMS, meanings(documents, "America/Sao_Paulo", "birthDate"), strict=True))
    assert [form for form in FORMS if found[form] != ({date(2026, 4, 10)},)] == []


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    ms=INSTANTS,
    forms=st.lists(st.sampled_from(sorted(FORMS)), min_size=1, max_size=5),
    paths=st.sets(st.sampled_from(sorted(FIELDS)), min_size=1, max_size=5),
    zone=st.sampled_from(ZONES),
)
@example(ms=TENTH, forms=["text %Y-%m-%dT%H:%M:%S.{ms}Z"], paths={"birthDate"}, zone="America/Sao_Paulo")
@example(ms=TENTH, forms=["bare int64"], paths={f"{SCHEDULE}.7.DataDeVencimento"}, zone="America/Sao_Paulo")
@example(ms=TENTH, forms=["timestamp"], paths={"operation.DataDeLiberacao"}, zone="America/Sao_Paulo")
def test_one_instant_means_one_thing_in_every_form_and_field_on_every_road(
    ms: int, forms: list[str], paths: set[str], zone: str
) -> None:
    values = [value for form in forms if (value := FORMS[form](ms)) is not None]
    documents = [contract(**dict.fromkeys(paths, value)) for value in values]
    means = tuple({instant(ms) if path in MOMENTS else day_of(ms, zone)} for path in paths)
    assert meanings(documents, zone, *paths) == [means] * len(documents)


@settings(max_examples=60, deadline=None)
@given(ms=INSTANTS, form=st.sampled_from(sorted(FORMS)), zone=st.sampled_from(ZONES))
def test_the_partition_of_an_instant_is_its_day_in_the_zone_even_at_midnight(
    ms: int, form: str, zone: str
) -> None:
    value = FORMS[form](ms)
    if value is not None:
        raw = bson.encode(contract(updatedAt=value))
        day = instant(ms).astimezone(ZoneInfo(zone)).date()
        assert JUDGES[zone].partition_of_raw(raw) == day == expected(raw, ZoneInfo(zone)).day


@pytest.mark.parametrize(
    "clock", ["", "T00:00:00", "T00:00", " 00:00:00.000", "T15:30:00", "T21:00:00", "T23:59:59"]
)
@given(day=st.dates(date(1903, 1, 1), date(2100, 1, 1)), zone=st.sampled_from(ZONES))
@settings(max_examples=8, deadline=None)
def test_text_without_an_offset_is_the_day_that_it_names_whatever_its_clock(
    clock: str, day: date, zone: str
) -> None:
    orders = ("%Y-%m-%d", "%d/%m/%Y")
    documents = [contract(birthDate=day.strftime(order) + clock) for order in orders]
    assert meanings(documents, zone, "birthDate") == [({day},)] * 2


def test_the_first_day_of_year_one_is_null_in_every_form() -> None:
    noon = -62_135_596_800_000 + 43_200_000  # so that it is in the calendar at other offsets, too
    values = [value for write in FORMS.values() if (value := write(noon)) is not None]
    documents = [contract(birthDate=value, createdAt=value) for value in values]
    found = meanings(documents, "America/Sao_Paulo", "birthDate", "createdAt")
    assert found == [({None}, {None})] * len(values)


# --- bare numbers -------------------------------------------------------------------------------------

NUMBER = st.one_of(
    st.integers(-SMALLEST + 1, SMALLEST - 1),
    st.sampled_from([0, 1, -1, 1_795_186_800, 20_211_207, 19_801_208, SMALLEST - 1, 1 - SMALLEST]),
)


@pytest.mark.parametrize("path", FIELDS)
def test_a_bare_number_that_may_be_several_dates_is_rejected_in_every_field(path: str) -> None:
    documents = [contract(**{path: write(1_795_186_800)}) for write in NUMBERS.values()]
    found = dict(zip(NUMBERS, reasons(documents, "America/Sao_Paulo"), strict=True))
    assert found == {form: {path: ["data_ambigua"]} for form in NUMBERS}


@settings(max_examples=40, deadline=None)
@given(
    number=NUMBER, form=st.sampled_from(sorted(NUMBERS)), path=st.sampled_from(sorted(FIELDS)),
    zone=st.sampled_from(ZONES),
)  # fmt: skip
def test_nobody_guesses_what_a_small_number_means(number: int, form: str, path: str, zone: str) -> None:
    document = contract(**{path: NUMBERS[form](number)})
    assert reasons([document], zone) == [{path: ["data_ambigua"]}]
    raw = bson.encode(document)
    # Without a readable time a document belongs to every date.
    assert (JUDGES[zone].partition_of_raw(raw) is None) == (path == "updatedAt")
    assert (expected(raw, ZoneInfo(zone)).moment is None) == (path == "updatedAt")


@pytest.mark.parametrize("number", [SMALLEST, -SMALLEST, SMALLEST + 1, 253_402_300_799_999])
@pytest.mark.parametrize("form", NUMBERS)
def test_a_bare_number_that_is_large_enough_is_epoch_milliseconds(form: str, number: int) -> None:
    assert meaning(NUMBERS[form](number), "createdAt", "UTC") == instant(number)


@pytest.mark.parametrize("number", [0, -1, 19_801_208, SMALLEST - 1])
@pytest.mark.parametrize("form", [name for name in TYPED if name != "timestamp"])
def test_the_typed_forms_are_milliseconds_however_small(form: str, number: int) -> None:
    assert meaning(TYPED[form](number), "updatedAt") == instant(number)
    for path in ("birthDate", f"{SCHEDULE}.7.DataDeVencimento"):
        assert meaning(TYPED[form](number), path) == day_of(number, "America/Sao_Paulo")


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (0.5, "data_ambigua"),
        (-0.0, "data_ambigua"),
        (1_795_186_800.5, "data_ambigua"),
        (5e-324, "data_ambigua"),
        (Decimal128("1.5"), "data_ambigua"),
        (Decimal128("0E-6176"), "data_ambigua"),
        (Decimal128("0E+6111"), "data_ambigua"),
        (1_795_186_800_000.5, "data_invalida"),
        (Decimal128("1795186800000.5"), "data_invalida"),
        (1e300, "data_invalida"),
        (float("nan"), "data_invalida"),
        (float("-inf"), "data_invalida"),
        (Decimal128("NaN"), "data_invalida"),
        (Decimal128("sNaN"), "data_invalida"),
        (Decimal128("Infinity"), "data_invalida"),
        (Decimal128("9.999999999999999999999999999999999E+6144"), "data_invalida"),
        (Int64(2**63 - 1), "data_invalida"),
        (True, "tipo_invalido"),
        ("20211207", "data_invalida"),  # text of digits is no number, and no form of a date either
        ("1795186800000", "data_invalida"),
        ({"$date": "1795186800000"}, "data_invalida"),
        ({"$numberLong": True}, "data_ambigua"),
    ],
    ids=repr,
)
def test_what_is_no_whole_number_of_milliseconds_is_no_date(value: Any, code: str) -> None:
    paths = ("birthDate", "updatedAt", f"{SCHEDULE}.7.DataDeVencimento")
    documents = [contract(**{path: value}) for path in paths]
    assert reasons(documents, "America/Sao_Paulo") == [{path: [code]} for path in paths]


def test_a_newer_version_whose_time_came_in_seconds_is_not_one_of_1970() -> None:
    raw = bson.encode(contract(updatedAt=Int64(1_795_186_800)))
    assert JUDGES["America/Sao_Paulo"].partition_of_raw(raw) is None
    judged = JUDGES["America/Sao_Paulo"].judge(raw)
    assert isinstance(judged, Refused)
    assert judged.codes == ["data_ambigua"]


# --- clocks that were turned --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "means"),
    [
        # Turned back at the end of 16 February 2019: 23:00 to 24:00 came twice, at UTC-2 and then at UTC-3.
        ("2019-02-16T22:59:59", datetime(2019, 2, 17, 0, 59, 59, tzinfo=UTC)),
        ("2019-02-16T23:00:00", datetime(2019, 2, 17, 2, 0, tzinfo=UTC)),
        ("2019-02-16T23:30:00", datetime(2019, 2, 17, 2, 30, tzinfo=UTC)),
        ("16/02/2019 23:30", datetime(2019, 2, 17, 2, 30, tzinfo=UTC)),
        ("2019-02-16 23:59:59.999", datetime(2019, 2, 17, 2, 59, 59, 999_000, tzinfo=UTC)),
        ("2019-02-17", datetime(2019, 2, 17, 3, tzinfo=UTC)),
        ("2019-02-16T23:30:00-02:00", datetime(2019, 2, 17, 1, 30, tzinfo=UTC)),
        # Turned forward as 4 November 2018 began: 00:00 to 01:00 never was.
        ("2018-11-03T23:59:59", datetime(2018, 11, 4, 2, 59, 59, tzinfo=UTC)),
        ("2018-11-04", datetime(2018, 11, 4, 3, 0, tzinfo=UTC)),
        ("2018-11-04T00:30:00", datetime(2018, 11, 4, 3, 30, tzinfo=UTC)),
        ("2018-11-04T00:59:59", datetime(2018, 11, 4, 3, 59, 59, tzinfo=UTC)),
        ("2018-11-04T01:00:00", datetime(2018, 11, 4, 3, 0, tzinfo=UTC)),
    ],
)
def test_of_the_hour_that_comes_twice_the_second_counts_and_one_that_never_was_is_an_hour_later(
    value: str, means: datetime
) -> None:
    assert meaning(value, "updatedAt") == means
    if not value.endswith("-02:00"):
        named = date(2019, 2, int(value[:2])) if value[2] == "/" else date.fromisoformat(value[:10])
        assert meaning(value, "birthDate") == named
