"""Every form in which a value can arrive (contract §1), each against its one normal form."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from bson import Binary, Decimal128, Int64, MaxKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS
from contracts import bson_values
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ccb_luigi.codes import REJECTIONS
from ccb_luigi.documents import times, values
from ccb_luigi.documents.values import Unreadable

SAO_PAULO = ZoneInfo("America/Sao_Paulo")
D = Decimal
Reader = Callable[[Any], Any]


def calendar_date(value: Any) -> date | None:
    return times.calendar_date(value, SAO_PAULO)


def moment(value: Any) -> datetime | None:
    return times.moment(value, SAO_PAULO)


def tax_id(value: Any) -> str | None:
    return values.tax_id(value, "PF")


def shown(value: Any) -> str:
    """A test's name for a value; the value may be too long to show."""
    return repr(value)[:40] if not isinstance(value, int) or abs(value) < 10**20 else "huge int"


NULLS = [
    None,
    "",
    "   ",
    "\t\n",
    "\u00a0",
    {"@i:nil": "true"},
    {"@xsi:nil": "true"},
    {"@i:nil": True},
    {"@i:nil": "true", "@i:type": "x"},
]
READERS: dict[str, Reader] = {
    "text": values.text,
    "key": values.key,
    "person_type": values.person_type,
    "tax_id": tax_id,
    "zip_code": values.zip_code,
    "money": values.money,
    "rate": values.rate,
    "integer": values.integer,
    "boolean": values.boolean,
    "calendar_date": calendar_date,
    "moment": moment,
}
EVERY_READER = pytest.mark.parametrize("reader", READERS.values(), ids=READERS)


def code_of(reader: Reader, value: Any) -> str:
    """The code that ``value`` is refused with; the error is checked to hold nothing else."""
    with pytest.raises(Unreadable) as raised:
        reader(value)
    error = raised.value
    assert error.args == (str(error),)
    assert str(error) in REJECTIONS
    assert error.__cause__ is None
    assert error.__context__ is None or error.__suppress_context__, "a chained error quotes the value"
    return str(error)


def same_decimal(found: Any, digits: str) -> bool:
    """Whether the value is exactly these digits: 2.4390 is not 2.439."""
    return isinstance(found, Decimal) and str(found) == digits


@pytest.mark.parametrize("null", NULLS, ids=shown)
def test_every_way_to_say_null_is_null_for_every_reader(null: Any) -> None:
    for name, reader in READERS.items():
        assert reader(null) is None, name


@pytest.mark.parametrize(
    "value",
    [{}, {"@i:nil": "false"}, {"@i:nil": "true", "a": 1}, {"a": 1}, [], ["1"], [None], b"1", Binary(b"1", 4)],
    ids=shown,
)
def test_containers_and_bytes_are_never_a_value(value: Any) -> None:
    for reader in READERS.values():
        code_of(reader, value)


@EVERY_READER
@pytest.mark.parametrize("value", [Regex("1"), MaxKey()], ids=shown)
def test_types_of_the_server_itself_are_never_a_value(reader: Reader, value: Any) -> None:
    assert code_of(reader, value) == ("booleano_invalido" if reader is values.boolean else "tipo_invalido")


# --- money ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "cents"),
    [
        ("1579.85", "1579.85"),
        ("15000.0", "15000.00"),
        ("0", "0.00"),
        ("166.2", "166.20"),
        (" 12.5 ", "12.50"),
        ("-12.5", "-12.50"),
        ("+3", "3.00"),
        ("007", "7.00"),
        ("12.3400", "12.34"),
        ("1.0000", "1.00"),
        ("1.234,56", "1234.56"),
        ("1.234.567,8", "1234567.80"),
        ("0,5", "0.50"),
        ("1234,5", "1234.50"),
        ("-1.234,56", "-1234.56"),
        ("1.234,500", "1234.50"),
        ("9999999999999.99", "9999999999999.99"),
        ("-9999999999999.99", "-9999999999999.99"),
        ("9.999.999.999.999,99", "9999999999999.99"),
        (9800, "9800.00"),
        (0, "0.00"),
        (-5, "-5.00"),
        (Int64(9800), "9800.00"),
        (1579.85, "1579.85"),
        (0.1, "0.10"),
        (1e3, "1000.00"),
        (9999999999999.99, "9999999999999.99"),
        (Decimal128("1579.85"), "1579.85"),
        (Decimal128("1.500"), "1.50"),
        (Decimal128("1E+3"), "1000.00"),
        (Decimal128("0E-6176"), "0.00"),
        (Decimal128("0E+6111"), "0.00"),
        ({"$numberDecimal": "1579.85"}, "1579.85"),
        ({"$numberDecimal": "1.234"}, None),
        ({"$numberInt": "12"}, "12.00"),
        ({"$numberLong": "12"}, "12.00"),
        ({"$numberDouble": "12.5"}, "12.50"),
    ],
    ids=shown,
)
def test_an_amount_reads_as_whole_cents(value: Any, cents: str | None) -> None:
    if cents is None:
        assert code_of(values.money, value) == "fracao_de_centavo"
        return
    assert same_decimal(values.money(value), cents)
    assert not isinstance(values.money(value), values.Rounded)


@pytest.mark.parametrize(
    ("value", "cents"),
    [
        (0.1 + 0.2, "0.30"),  # 0.30000000000000004
        (12.3400000001, "12.34"),
        (12.340001, "12.34"),  # exactly 1e-6 away
        (12.339999, "12.34"),
        (-12.3400000001, "-12.34"),
        (1e-9, "0.00"),
        ({"$numberDouble": "12.3400000001"}, "12.34"),
    ],
    ids=shown,
)
def test_a_double_next_to_whole_cents_is_rounded_and_says_so(value: Any, cents: str) -> None:
    found = values.money(value)
    assert isinstance(found, values.Rounded)
    assert str(found) == cents


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("12.345678", "fracao_de_centavo"),
        ("12.3400000001", "fracao_de_centavo"),  # a string is taken at its word
        ("0,005", "fracao_de_centavo"),
        ("1.234,567", "fracao_de_centavo"),
        (12.345, "fracao_de_centavo"),
        (12.34001, "fracao_de_centavo"),
        (12.3400011, "fracao_de_centavo"),
        (Decimal128("0.001"), "fracao_de_centavo"),
        (Decimal128("1E-6176"), "fracao_de_centavo"),
        (Decimal128("12.340000000000000001"), "fracao_de_centavo"),
        ("1.234", "valor_ambiguo"),
        ("-1.234", "valor_ambiguo"),
        ("+1.234", "valor_ambiguo"),
        (" 1.234 ", "valor_ambiguo"),
        ("123.456", "valor_ambiguo"),
        ("1579.850", "valor_ambiguo"),
        ("0.000", "valor_ambiguo"),
        ("10000000000000", "valor_excede"),
        ("-10000000000000", "valor_excede"),
        ("10000000000000.00", "valor_excede"),
        ("9" * 5000, "valor_excede"),
        (10**13, "valor_excede"),
        (2**63 - 1, "valor_excede"),
        (10**5000, "valor_excede"),
        (1e300, "valor_excede"),
        (Decimal128("1E+6111"), "valor_excede"),
        (math.nan, "nao_finito"),
        (math.inf, "nao_finito"),
        (-math.inf, "nao_finito"),
        (Decimal128("NaN"), "nao_finito"),
        (Decimal128("sNaN"), "nao_finito"),
        (Decimal128("-Infinity"), "nao_finito"),
        ("NaN", "nao_finito"),
        ("nan", "nao_finito"),
        ("-Infinity", "nao_finito"),
        ("inf", "nao_finito"),
        ({"$numberDouble": "NaN"}, "nao_finito"),
        ({"$numberDouble": "1e400"}, "nao_finito"),
        ({"$numberDecimal": "Infinity"}, "nao_finito"),
        ("abc", "numero_invalido"),
        ("R$ 10,00", "numero_invalido"),
        ("1,234.56", "numero_invalido"),
        ("1.23.456,00", "numero_invalido"),
        ("1..2", "numero_invalido"),
        ("1,2,3", "numero_invalido"),
        ("1e3", "numero_invalido"),
        ("0x10", "numero_invalido"),
        ("1_000", "numero_invalido"),
        ("1 000", "numero_invalido"),
        ("--1", "numero_invalido"),
        (".", "numero_invalido"),
        (",", "numero_invalido"),
        ("-", "numero_invalido"),
        ("1\0", "numero_invalido"),
        ("٣", "numero_invalido"),
        ("１２", "numero_invalido"),
        ("²", "numero_invalido"),
        ("½", "numero_invalido"),
        (True, "tipo_invalido"),
        (False, "tipo_invalido"),
        (datetime(2024, 1, 1), "tipo_invalido"),
        (ObjectId("65f0c0ffee65f0c0ffee65f0"), "tipo_invalido"),
    ],
    ids=shown,
)
def test_what_is_no_amount_in_cents_is_refused_with_its_code(value: Any, code: str) -> None:
    assert code_of(values.money, value) == code


cents = st.decimals(-D("9999999999999.99"), D("9999999999999.99"), places=2)


def brazilian(amount: Decimal, thousands: bool) -> str:
    """1234.5 as 1.234,50 or 1234,50, without the formatting of any locale."""
    sign, whole, part = "-" * (amount < 0), *f"{abs(amount):.2f}".split(".")
    if thousands:
        first = len(whole) % 3 or 3
        whole = ".".join([whole[:first], *(whole[i : i + 3] for i in range(first, len(whole), 3))])
    return f"{sign}{whole},{part}"


@given(cents)
@example(D("0.00"))
@example(D("-0.01"))
def test_every_amount_reads_back_from_each_of_its_forms(amount: Decimal) -> None:
    plain = f"{amount:.2f}"
    forms = [
        plain,
        f" {plain}\n",
        plain.removesuffix("0"),
        brazilian(amount, thousands=True),
        brazilian(amount, thousands=False),
        Decimal128(amount),
        {"$numberDecimal": plain},
    ]
    if amount == int(amount):
        forms += [int(amount), Int64(amount), float(amount), {"$numberLong": str(int(amount))}]
    if abs(amount) < 10**12:
        forms.append(float(plain))
    for form in forms:
        found = values.money(form)
        assert found == amount, form
        assert found is not None
        assert found.as_tuple().exponent == -2


@given(st.decimals(-(10**9), 10**9, places=5))
def test_no_digit_past_the_cents_is_ever_dropped(amount: Decimal) -> None:
    if amount != round(amount, 2):
        assert code_of(values.money, f"{amount:.5f}") == "fracao_de_centavo"
        assert code_of(values.money, Decimal128(amount)) == "fracao_de_centavo"


NUMERIC = frozenset("0123456789+-.,")


@given(st.text(max_size=12))
def test_text_with_anything_but_a_number_in_it_is_never_a_number(text: str) -> None:
    if text.strip() and not set(text.strip()) <= NUMERIC:
        for reader in (values.money, values.rate, values.integer):
            assert code_of(reader, text) in ("numero_invalido", "nao_finito")


@given(st.text("0123456789+-., ", max_size=12))
def test_signs_and_digits_that_spell_no_number_are_refused(text: str) -> None:
    """Read by another way: take the sign off, part at the decimal sign, look at each piece."""
    bare = text.strip()
    whole, comma, part = bare.lstrip("+-").partition("," if "," in bare else ".")
    groups = whole.split(".") if comma == "," else [whole]
    good = (
        len(bare) - len(bare.lstrip("+-")) <= 1
        and all(g.isdigit() for g in groups)
        and (part.isdigit() or not comma)
        and (len(groups) == 1 or (len(groups[0]) <= 3 and all(len(g) == 3 for g in groups[1:])))
    )
    if not bare:
        assert values.rate(text) is None
    elif good:
        sign = "-" if bare.startswith("-") else ""
        assert values.rate(text) == D(f"{sign}{''.join(groups)}.{part or 0}")
    else:
        assert code_of(values.rate, text) == "numero_invalido"


# --- rates ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "digits"),
    [
        ("2.4390", "2.4390"),
        ("0.00", "0.00"),
        ("33.53", "33.53"),
        ("1.234", "1.234"),  # no cents, no thousands: nothing ambiguous
        ("0,5", "0.5"),
        ("1.234,5678", "1234.5678"),
        ("-0.25", "-0.25"),
        ("0." + "1" * 50, "0." + "1" * 50),
        (2, "2"),
        (Int64(2), "2"),
        (2.439, "2.439"),
        (0.1, "0.1"),
        (Decimal128("2.4390"), "2.4390"),
        ({"$numberDecimal": "2.4390"}, "2.4390"),
        ({"$numberDouble": "2.5"}, "2.5"),
    ],
    ids=shown,
)
def test_a_rate_keeps_exactly_the_digits_that_came(value: Any, digits: str) -> None:
    assert same_decimal(values.rate(value), digits)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (math.nan, "nao_finito"),
        (Decimal128("-Infinity"), "nao_finito"),
        ("NaN", "nao_finito"),
        ("2%", "numero_invalido"),
        ("1e2", "numero_invalido"),
        ("9" * 131073, "valor_excede"),
        ("0." + "0" * 16383 + "1", "valor_excede"),
        (True, "tipo_invalido"),
    ],
    ids=shown,
)
def test_what_numeric_can_not_hold_is_no_rate(value: Any, code: str) -> None:
    assert code_of(values.rate, value) == code


# --- whole numbers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("0", 0),
        ("12", 12),
        (" 12 ", 12),
        ("012", 12),
        ("-3", -3),
        ("12.0", 12),
        ("12,00", 12),
        (12, 12),
        (Int64(12), 12),
        (12.0, 12),
        (Decimal128("12"), 12),
        (Decimal128("1.2E+1"), 12),
        ({"$numberInt": "12"}, 12),
        ({"$numberLong": "12"}, 12),
        (2**31 - 1, 2**31 - 1),
        (-(2**31), -(2**31)),
        ("2147483647", 2**31 - 1),
    ],
    ids=shown,
)
def test_a_count_reads_as_an_int(value: Any, number: int) -> None:
    found = values.integer(value)
    assert found == number
    assert type(found) is int


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (2**31, "valor_excede"),
        (-(2**31) - 1, "valor_excede"),
        ("2147483648", "valor_excede"),
        (2**63 - 1, "valor_excede"),
        (10**5000, "valor_excede"),
        (Decimal128("1E+6111"), "valor_excede"),
        (1e300, "valor_excede"),
        ("1.5", "numero_invalido"),
        (1.5, "numero_invalido"),
        (Decimal128("1E-6176"), "numero_invalido"),
        ("doze", "numero_invalido"),
        ("١٢", "numero_invalido"),
        (math.nan, "nao_finito"),
        (True, "tipo_invalido"),
        ({"$numberLong": "x"}, "tipo_invalido"),
    ],
    ids=shown,
)
def test_what_is_no_int4_is_no_count(value: Any, code: str) -> None:
    assert code_of(values.integer, value) == code


# --- truth ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", [True, "True", "true", "TRUE", "S", "s", "1", " true ", 1, 1.0, Int64(1)], ids=shown
)
def test_the_ways_to_say_true(value: Any) -> None:
    assert values.boolean(value) is True


@pytest.mark.parametrize("value", [False, "False", "false", "N", "n", "0", 0, 0.0, Int64(0)], ids=shown)
def test_the_ways_to_say_false(value: Any) -> None:
    assert values.boolean(value) is False


@pytest.mark.parametrize(
    "value", ["sim", "yes", "2", "t", "ſ", "１", "-1", "1.0", 2, -1, 0.5, math.nan, 10**5000], ids=shown
)
def test_nothing_else_is_a_truth_value(value: Any) -> None:
    assert code_of(values.boolean, value) == "booleano_invalido"


# --- dates ------------------------------------------------------------------------------------------

DAY = date(2024, 5, 10)


@pytest.mark.parametrize(
    "value",
    [
        "2024-05-10",
        " 2024-05-10 ",
        "2024-05-10T00:00:00",
        "2024-05-10T00:00:00.000",
        "2024-05-10 00:00:00",
        "2024-05-10T00:00:00Z",
        "2024-05-10T00:00:00.000Z",  # JavaScript's JSON
        "2024-05-10T00:00+00:00",
        "2024-05-10T00:00:00-0000",
        "2024-05-09T21:00:00-03:00",  # the same instant
        "2024-05-10T15:30:00",
        "2024-05-10T00:00:00-03:00",
        "2024-05-10T02:59:00-03:00",
        "2024-05-10T03:00:00Z",
        "2024-05-11T02:59:59Z",
        "2024-05-10T12:00:00+00:00",
        "10/05/2024",
        "10/05/2024 00:00:00",
        "10/05/2024 00:00:00Z",
        datetime(2024, 5, 10, tzinfo=UTC),  # how drivers store a calendar date
        datetime(2024, 5, 10, 3, tzinfo=UTC),  # midnight in São Paulo
        datetime(2024, 5, 11, 2, 59, tzinfo=UTC),
        {"$date": "2024-05-10T00:00:00Z"},
        {"$date": "2024-05-10T03:00:00.000Z"},
        {"$date": 1715299200000},
        {"$date": {"$numberLong": "1715299200000"}},
        1715299200000,
        {"$numberLong": "1715299200000"},
        Decimal128("1715299200000"),
        Timestamp(1715299200, 1),
    ],
    ids=shown,
)
def test_a_calendar_date_is_the_day_that_was_written(value: Any) -> None:
    found = calendar_date(value)
    assert found == DAY
    assert type(found) is date


@pytest.mark.parametrize(
    "zone", ["Asia/Tokyo", "Pacific/Kiritimati", "Etc/GMT+12", "America/Sao_Paulo", "UTC"]
)
@given(day=st.dates(min_value=date(1, 1, 2)))
@settings(max_examples=20)
def test_a_midnight_without_offset_never_moves_by_a_time_zone(zone: str, day: date) -> None:
    here = ZoneInfo(zone)
    iso = f"{day.year:04}-{day.month:02}-{day.day:02}"
    for form in (iso, f"{iso}T00:00:00", f"{day.day:02}/{day.month:02}/{day.year:04}"):
        assert times.calendar_date(form, here) == day


@pytest.mark.parametrize(
    "value",
    [
        "0001-01-01",
        "0001-01-01T00:00:00",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00.0000000",
        datetime(1, 1, 1, tzinfo=UTC),
        {"$date": "0001-01-01T00:00:00Z"},
        {"$date": {"$numberLong": "-62135596800000"}},
        -62135596800000,
        "01/01/0001 00:00:00",
    ],
    ids=shown,
)
def test_the_first_day_of_year_one_is_null(value: Any) -> None:
    assert calendar_date(value) is None
    assert moment(value) is None


@pytest.mark.parametrize(
    "value",
    [
        "2024-02-30",
        "2023-02-29",
        "2024-13-01",
        "2024-00-10",
        "0000-01-01",
        "10000-01-01",
        "2024-5-10",
        "20240510",
        "2024-05-10T24:00:00",
        "2024-05-10T10:60:00",
        "2024-05-10X",
        "2024-05-10T10:00:00+99",
        "2024-05-10T10:00:00-03:60",
        "10/13/2024",
        "31/04/2024",
        "10/05/24",
        "amanhã",
        "２０２４-05-10",
        "٢٠٢٤-٠٥-١٠",
        "2024-05-10\0",
        DatetimeMS(2**62),
        DatetimeMS(-(2**62)),
        {"$date": "x"},
        {"$date": {"a": 1}},
        {"$date": {"$numberLong": "x"}},
        2**63 - 1,
        math.nan,
        1795186800000.5,
    ],
    ids=shown,
)
def test_what_is_no_day_of_the_calendar_is_refused(value: Any) -> None:
    for reader in (calendar_date, moment):
        assert code_of(reader, value) == "data_invalida"


@pytest.mark.parametrize(
    "value",
    [0, -0.0, 1.5, 1795186800, Int64(20211207), 19801208.0, 10**11 - 1, 1 - 10**11, Decimal128("1795186800")],
    ids=shown,
)
def test_a_number_that_may_be_several_dates_is_refused(value: Any) -> None:
    for reader in (calendar_date, moment):
        assert code_of(reader, value) == "data_ambigua"


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (utc(2024, 5, 3, 19, 28, 10, 454_000), utc(2024, 5, 3, 19, 28, 10, 454_000)),
        (
            datetime(2024, 5, 3, 16, 28, tzinfo=timezone(timedelta(hours=-3))),
            utc(2024, 5, 3, 19, 28),
        ),
        ("2024-03-12T12:20:19.093830+00:00", utc(2024, 3, 12, 12, 20, 19, 93_830)),
        ("2024-03-12T09:20:19-03:00", utc(2024, 3, 12, 12, 20, 19)),
        ("2024-03-12T09:20:19-0300", utc(2024, 3, 12, 12, 20, 19)),
        ("2024-03-12T12:20:19Z", utc(2024, 3, 12, 12, 20, 19)),
        ("2024-03-12T12:20:19.1234567Z", utc(2024, 3, 12, 12, 20, 19, 123_456)),
        ("2024-03-12T12:20Z", utc(2024, 3, 12, 12, 20)),
        # Without offset it is local time; 2018-11-04 had no midnight in São Paulo, the day began at 01:00.
        ("2024-03-12T09:20:19", utc(2024, 3, 12, 12, 20, 19)),
        ("2024-03-12", utc(2024, 3, 12, 3)),
        ("12/03/2024 09:20:19", utc(2024, 3, 12, 12, 20, 19)),
        ("2018-11-04", utc(2018, 11, 4, 3)),
        ("2019-01-10T12:00:00", utc(2019, 1, 10, 14)),
        (1714764490454, utc(2024, 5, 3, 19, 28, 10, 454_000)),
        (Int64(1714764490454), utc(2024, 5, 3, 19, 28, 10, 454_000)),
        (1714764490454.0, utc(2024, 5, 3, 19, 28, 10, 454_000)),
        (Decimal128("1714764490454"), utc(2024, 5, 3, 19, 28, 10, 454_000)),
        (10**11, utc(1973, 3, 3, 9, 46, 40)),
        (-(10**11), utc(1966, 10, 31, 14, 13, 20)),
        ({"$date": 0}, utc(1970, 1, 1)),
        ({"$date": -1}, utc(1969, 12, 31, 23, 59, 59, 999_000)),
        ({"$date": "2024-05-03T19:28:10.454Z"}, utc(2024, 5, 3, 19, 28, 10, 454_000)),
        ({"$date": "2024-05-03T16:28:10.454-03:00"}, utc(2024, 5, 3, 19, 28, 10, 454_000)),
        ({"$date": 1714764490454}, utc(2024, 5, 3, 19, 28, 10, 454_000)),
        ({"$date": {"$numberLong": "1714764490454"}}, utc(2024, 5, 3, 19, 28, 10, 454_000)),
        (Timestamp(1714764490, 7), utc(2024, 5, 3, 19, 28, 10)),
    ],
    ids=shown,
)
def test_a_moment_is_read_into_utc_whatever_its_shape(value: Any, expected: datetime) -> None:
    found = moment(value)
    assert found == expected
    assert found is not None
    assert found.utcoffset() == timedelta(0)


@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)))
def test_every_shape_of_one_moment_is_the_same_moment(when: datetime) -> None:
    when = when.replace(microsecond=when.microsecond // 1000 * 1000)
    since = when - datetime(1970, 1, 1, tzinfo=UTC)
    epoch_ms = (since.days * 86400 + since.seconds) * 1000 + since.microseconds // 1000
    text = when.isoformat(timespec="milliseconds")
    for form in (
        when,
        text,
        text.replace("+00:00", "Z"),
        *([epoch_ms, Int64(epoch_ms)] if abs(epoch_ms) >= 10**11 else []),
        {"$date": text},
        {"$date": epoch_ms},
        {"$date": {"$numberLong": str(epoch_ms)}},
    ):
        assert moment(form) == when, form


# --- texts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("BENTO", "BENTO"),
        ("  BENTO ARAÚJO \n", "BENTO ARAÚJO"),
        ("\u00a0x\u3000", "x"),
        ("a  b", "a  b"),
        ("a\tb", "a\tb"),
        ("\\N", "\\N"),
        (4103, "4103"),
        (-1, "-1"),
        (Int64(8079), "8079"),
        (8079.0, "8079"),
        ({"$numberLong": "8079"}, "8079"),
    ],
    ids=shown,
)
def test_text_is_trimmed_and_whole_numbers_are_their_digits(value: Any, expected: str) -> None:
    assert values.text(value) == expected
    assert values.key(value) == expected


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("a\0b", "nul"),
        ("\0", "nul"),
        ("a\0", "nul"),
        (" \0 ", "nul"),
        (True, "tipo_invalido"),
        (1.5, "tipo_invalido"),
        (math.nan, "tipo_invalido"),
        (math.inf, "tipo_invalido"),
        (datetime(2024, 1, 1), "tipo_invalido"),
    ],
    ids=shown,
)
def test_what_is_no_text_is_refused(value: Any, code: str) -> None:
    assert code_of(values.text, value) == code
    assert code_of(values.key, value) == code


def test_only_a_key_may_be_an_object_id() -> None:
    assert values.key(ObjectId("65f04e2c9d1e8a0001a1b2c3")) == "65f04e2c9d1e8a0001a1b2c3"
    assert values.key({"$oid": "65f04e2c9d1e8a0001a1b2c3"}) == "65f04e2c9d1e8a0001a1b2c3"
    assert code_of(values.text, ObjectId("65f04e2c9d1e8a0001a1b2c3")) == "tipo_invalido"


def test_an_id_is_kept_exactly_as_it_is() -> None:
    assert values.mongo_id("Zt4m") == "Zt4m"
    assert values.mongo_id(" Zt4m ") == " Zt4m "
    assert values.mongo_id(ObjectId("65f04e2c9d1e8a0001a1b2c3")) == "65f04e2c9d1e8a0001a1b2c3"


@pytest.mark.parametrize(
    "value", [None, 5, 5.0, True, b"x", {"a": 1}, ["x"], datetime(2024, 1, 1)], ids=shown
)
def test_an_id_of_another_type_is_refused(value: Any) -> None:
    assert code_of(values.mongo_id, value) == "id_invalido"


def test_an_id_with_a_nul_is_refused() -> None:
    assert code_of(values.mongo_id, "a\0") == "nul"


@pytest.mark.parametrize(("value", "expected"), [("PF", "PF"), ("PJ", "PJ"), (" pf ", "PF"), ("pj", "PJ")])
def test_a_person_is_pf_or_pj(value: str, expected: str) -> None:
    assert values.person_type(value) == expected


@pytest.mark.parametrize("value", ["F", "J", "PX", "PFPJ", "P F", 1], ids=shown)
def test_a_person_is_nothing_else(value: Any) -> None:
    assert code_of(values.person_type, value) == "tipo_pessoa_invalido"


@pytest.mark.parametrize(
    ("value", "person", "expected"),
    [
        ("39825979194", "PF", "39825979194"),
        ("398.259.791-94", "PF", "39825979194"),
        (" 398 259 791 94 ", "PF", "39825979194"),
        ("12.ABC.345/01DE-35", "PJ", "12ABC34501DE35"),
        ("12abc34501de35", "PJ", "12ABC34501DE35"),
        ("00.000.000/0001-91", "PJ", "00000000000191"),
        ("39825979194", "PJ", "39825979194"),  # does not go together: a finding, not a rejection
        (39825979194, "PF", "39825979194"),
        (1234567890, "PF", "01234567890"),
        (191, "PF", "00000000191"),
        (Int64(191), "PJ", "00000000000191"),
        (191, "pj", "00000000000191"),
        (191, " PJ ", "00000000000191"),
        (191, None, "00000000191"),
        (191.0, "PJ", "00000000000191"),
        ({"$numberLong": "191"}, "PJ", "00000000000191"),
        (12345678000195, "PJ", "12345678000195"),
    ],
    ids=shown,
)
def test_a_tax_id_is_bare_and_has_its_zeros(value: Any, person: Any, expected: str) -> None:
    assert values.tax_id(value, person) == expected


@pytest.mark.parametrize(
    "value",
    [
        "3982597919",  # text that lost a zero isn't an int
        "398259791940",
        "1234567890123",
        "123456789012345",
        "12ABC34501DEA5",
        "ABCDEFGHIJK",
        "12ABC34501DÉ35",
        "３９８２５９７９１９４",
        "٣٩٨٢٥٩٧٩١٩٤",
        "39825979194x",
        "398,259,791,94",
        "-39825979194x",
        "isento",
        -1,
        10**14,
        10**30,
    ],
    ids=shown,
)
def test_what_has_the_shape_of_neither_cpf_nor_cnpj_is_refused(value: Any) -> None:
    assert code_of(tax_id, value) == "cpf_cnpj_invalido"


@given(st.integers(0, 10**11 - 1))
def test_a_cpf_that_came_as_an_int_has_its_zeros_back(number: int) -> None:
    digits = "0" * (11 - len(str(number))) + str(number)
    assert values.tax_id(number, "PF") == digits
    assert values.tax_id(digits, "PF") == digits
    dotted = f"{digits[:3]}.{digits[3:6]}.{digits[6:9]}-{digits[9:]}"
    assert values.tax_id(dotted, "PF") == digits


@given(st.from_regex(r"[0-9A-Z]{12}[0-9]{2}", fullmatch=True))
def test_a_cnpj_keeps_its_letters(bare: str) -> None:
    dotted = f"{bare[:2]}.{bare[2:5]}.{bare[5:8]}/{bare[8:12]}-{bare[12:]}"
    assert values.tax_id(dotted.lower(), "PJ") == bare
    assert values.tax_id(bare, "PJ") == bare


@pytest.mark.parametrize(
    ("value", "expected", "eight"),
    [
        ("39999-000", "39999000", True),
        ("39.999-000", "39999000", True),
        (" 39999 000 ", "39999000", True),
        ("01001000", "01001000", True),
        (1001000, "01001000", True),
        (Int64(39999000), "39999000", True),
        ("1001000", "1001000", False),
        ("3999900a", "3999900a", False),
        ("３９９９９０００", "３９９９９０００", False),
        (399990000, "399990000", False),
    ],
    ids=shown,
)
def test_a_cep_is_bare_and_tells_whether_it_has_eight_digits(value: Any, expected: str, eight: bool) -> None:
    assert values.zip_code(value) == expected
    assert values.is_zip_code(expected) is eight


# --- whatever comes ---------------------------------------------------------------------------------

NORMAL: dict[str, Callable[[Any], bool]] = {
    "text": lambda v: type(v) is str and v == v.strip() != "" and "\0" not in v,
    "key": lambda v: type(v) is str and v == v.strip() != "" and "\0" not in v,
    "person_type": lambda v: v in ("PF", "PJ"),
    "tax_id": lambda v: (
        type(v) is str and v.isascii() and v.isalnum() and v == v.upper() and len(v) in (11, 14)
    ),
    "zip_code": lambda v: type(v) is str and "\0" not in v,
    "money": lambda v: isinstance(v, D) and v.as_tuple().exponent == -2 and abs(v) < 10**13,
    "rate": lambda v: type(v) is D and v.is_finite(),
    "integer": lambda v: type(v) is int and -(2**31) <= v < 2**31,
    "boolean": lambda v: type(v) is bool,
    "calendar_date": lambda v: type(v) is date and v > date.min,
    "moment": lambda v: type(v) is datetime and v.utcoffset() == timedelta(0) and v.date() > date.min,
}


def promised(name: str, value: Any) -> bool:
    """Whether a reader gives its normal form, null, or a code without the value, and nothing else."""
    try:
        found = READERS[name](value)
    except Unreadable as error:
        return error.args == (str(error),) and str(error) in REJECTIONS
    return found is None or NORMAL[name](found)


@settings(max_examples=300, deadline=None)
@given(bson_values())
def test_a_reader_gives_its_normal_form_or_null_or_a_code_and_nothing_else(value: Any) -> None:
    for name in READERS:
        assert promised(name, value), name


@pytest.mark.parametrize(
    "value",
    [
        2**63 - 1,
        -(2**63),
        {"$numberLong": 2**63 - 1},
        {"$numberInt": "9" * 19},
        {"$numberLong": "9" * 5000},
        {"$numberDouble": "9" * 5000},
        {"$numberDouble": "1e-9999"},
        {"$numberDecimal": "9" * 40},
        {"$numberDecimal": "1e9999"},
        {"$date": 2**63 - 1},
        {"$date": {"$date": 1}},
        {"$oid": "x"},
        "\ud800",
        "9" * 5000,
        "0" * 20_000,
        {"@i:nil": {"@i:nil": "true"}},
    ],
    ids=shown,
)
def test_monsters_are_read_or_refused_and_never_break_a_reader(value: Any) -> None:
    for name in READERS:
        assert promised(name, value), name


@EVERY_READER
def test_an_error_never_quotes_the_value(reader: Reader) -> None:
    for value in ("ZZCANARYZZ\0", {"a": "ZZCANARYZZ"}, b"ZZCANARYZZ", ["ZZCANARYZZ"], Regex("ZZCANARYZZ")):
        assert "CANARY" not in code_of(reader, value)
