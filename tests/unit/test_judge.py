"""Bytes in, rows or a rejection out: dates, broken bytes, and whatever a field may hold."""

from __future__ import annotations

import json
import struct
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import bson
import pytest
from bson import Decimal128, Int64, ObjectId, Timestamp
from bson.datetime_ms import DatetimeMS
from contracts import MISSING, SCHEDULE, Document, bson_values, changed, contract, field_paths
from hostile import Pairs, encode
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Boolean, Date, DateTime, Integer, Numeric, Text
from sqlalchemy.dialects.postgresql import JSONB

from ccb_luigi import tables
from ccb_luigi.codes import FINDINGS, REJECTIONS, Strictness
from ccb_luigi.documents.identity import name_of
from ccb_luigi.documents.judge import Accepted, Judge, Refused
from ccb_luigi.documents.rawbson import decode
from ccb_luigi.documents.rows import parcelas
from ccb_luigi.proof import expected as by_verify
from ccb_luigi.sources.mongo import split

SAO_PAULO = ZoneInfo("America/Sao_Paulo")
JUDGE = Judge(SAO_PAULO)
MONGO_ID = "Zt4mQx81Lr0VbnCyA2pe"


def judged(document: Document) -> Accepted | Refused:
    return JUDGE.judge(bson.encode(document))


def accepted(document: Document) -> Accepted:
    found = judged(document)
    assert isinstance(found, Accepted), found.codes
    return found


def refused(document: Document) -> Refused:
    found = judged(document)
    assert isinstance(found, Refused)
    return found


def partition(**changes: Any) -> date | None:
    return JUDGE.partition_of_raw(bson.encode(contract(**changes)))


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


def epoch_ms(when: datetime) -> int:
    since = when - utc(1970, 1, 1)
    return (since.days * 86400 + since.seconds) * 1000 + since.microseconds // 1000


# --- partitions -------------------------------------------------------------------------------------

MILLISECOND = timedelta(milliseconds=1)

# Local midnights of São Paulo in UTC: what the decrees on summer time say, not what zoneinfo says.
MIDNIGHTS = [
    (utc(2026, 11, 22, 3), date(2026, 11, 22)),  # UTC-3 since 2019
    (utc(2024, 3, 1, 3), date(2024, 3, 1)),
    (utc(2018, 11, 3, 3), date(2018, 11, 3)),
    (utc(2018, 11, 4, 3), date(2018, 11, 4)),  # 00:00 became 01:00: a day of 23 hours
    (utc(2018, 11, 5, 2), date(2018, 11, 5)),
    (utc(2019, 2, 16, 2), date(2019, 2, 16)),  # 24:00 became 23:00: a day of 25 hours
    (utc(2019, 2, 17, 3), date(2019, 2, 17)),
]


@pytest.mark.parametrize(("midnight", "day"), MIDNIGHTS)
def test_a_day_begins_at_local_midnight_to_the_millisecond(midnight: datetime, day: date) -> None:
    for when, expected in (
        (midnight - MILLISECOND, day - timedelta(days=1)),
        (midnight, day),
        (midnight + MILLISECOND, day),
    ):
        text = when.isoformat(timespec="milliseconds")
        for shape in (
            when,
            text,
            epoch_ms(when),
            {"$date": text},
            {"$date": {"$numberLong": str(epoch_ms(when))}},
        ):
            assert partition(updatedAt=shape) == expected, shape


def test_the_hour_that_comes_twice_belongs_to_the_day_that_is_longer() -> None:
    assert partition(updatedAt=utc(2019, 2, 17, 1, 30)) == date(2019, 2, 16)  # 23:30, summer time
    assert partition(updatedAt=utc(2019, 2, 17, 2, 30)) == date(2019, 2, 16)  # 23:30 again


@pytest.mark.parametrize(
    "shape",
    [
        utc(2024, 5, 4, 2, 59, 59),
        "2024-05-04T02:59:59Z",
        "2024-05-03T23:59:59-03:00",
        "2024-05-03T23:59:59",
        "2024-05-03",
        "2024-05-03T00:00:00",
        "03/05/2024",
        1714791599000,
        Int64(1714791599000),
        1714791599000.0,
        {"$date": "2024-05-04T02:59:59Z"},
        {"$date": "2024-05-03T23:59:59-03:00"},
        {"$date": 1714791599000},
        {"$date": Int64(1714791599000)},
        {"$date": {"$numberLong": "1714791599000"}},
        {"$numberLong": "1714791599000"},
        Timestamp(1714791599, 1),
    ],
    ids=repr,
)
def test_the_time_of_update_counts_whatever_its_type(shape: Any) -> None:
    assert partition(updatedAt=shape) == date(2024, 5, 3)
    found = accepted(contract(updatedAt=shape))
    assert found.atualizado_em.utcoffset() == timedelta(0)
    assert "sem_data" not in dict(found.findings)


@pytest.mark.parametrize(
    ("changes", "day", "moment"),
    [
        ({}, date(2024, 5, 3), utc(2024, 5, 3, 19, 28, 10, 454_000)),
        ({"updatedAt": MISSING}, date(2024, 3, 12), utc(2024, 3, 12, 12, 20, 19, 93_830)),
        ({"updatedAt": None}, date(2024, 3, 12), utc(2024, 3, 12, 12, 20, 19, 93_830)),
        ({"updatedAt": "0001-01-01T00:00:00"}, date(2024, 3, 12), utc(2024, 3, 12, 12, 20, 19, 93_830)),
        ({"updatedAt": "", "createdAt": None}, date(2024, 3, 12), utc(2024, 3, 12, 12, 28, 25, 832_000)),
        (
            {
                "updatedAt": {"@i:nil": "true"},
                "createdAt": MISSING,
                "emitedAt": None,
                "_id": ObjectId("65bb0b7f0000000000000000"),  # 0x65bb0b7f s: 2024-02-01 03:09:51 UTC
            },
            date(2024, 2, 1),
            utc(2024, 2, 1, 3, 9, 51),
        ),
    ],
    ids=["updatedAt", "createdAt", "null", "dot net null", "emitedAt", "ObjectId"],
)
def test_the_effective_time_falls_back_in_order(changes: Document, day: date, moment: datetime) -> None:
    assert partition(**changes) == day
    assert accepted(contract(**changes)).atualizado_em == moment


def test_a_document_without_any_date_counts_as_the_beginning_of_1970_with_a_finding() -> None:
    bare = contract(updatedAt=MISSING, createdAt=MISSING, emitedAt=MISSING)
    assert JUDGE.partition(bare) == date(1969, 12, 31)  # 1970-01-01 UTC, as São Paulo had it
    found = accepted(bare)
    assert found.atualizado_em == utc(1970, 1, 1)
    assert found.findings == [("sem_data", "updatedAt")]


@pytest.mark.parametrize("shape", ["ontem", {"$date": "x"}, DatetimeMS(2**60), True, [], b"x"], ids=repr)
def test_an_unreadable_time_of_update_has_no_partition_and_is_refused(shape: Any) -> None:
    assert partition(updatedAt=shape) is None
    assert "updatedAt" in refused(contract(updatedAt=shape)).messages


@pytest.mark.parametrize("zone", ["America/Sao_Paulo", "Asia/Tokyo", "Pacific/Kiritimati", "Etc/GMT+12"])
@pytest.mark.parametrize(
    "shape",
    [
        -62135596800000,
        -62135596800000 + 3_600_000,
        -62135596800000 + 86_400_000,
        Int64(253402300799999),
        utc(1, 1, 1),
        utc(1, 1, 2),
        utc(9999, 12, 31, 23, 59, 59),
        "9999-12-31T23:59:59Z",
        "0001-01-02T00:00:00Z",
        "0001-01-02",
        "9999-12-31T23:59:59",
        {"$date": {"$numberLong": "253402300799999"}},
    ],
    ids=repr,
)
def test_the_ends_of_the_calendar_break_nothing_in_any_zone(zone: str, shape: Any) -> None:
    judge = Judge(ZoneInfo(zone))
    raw = bson.encode(contract(updatedAt=shape))
    day = judge.partition_of_raw(raw)
    if isinstance(judge.judge(raw), Accepted):
        assert day is not None, "what is loaded belongs to a date"


# --- what is accepted -------------------------------------------------------------------------------


def test_an_accepted_document_tells_its_keys_its_time_and_its_sums() -> None:
    found = accepted(contract())
    assert found.mongo_id == MONGO_ID
    assert found.ccb_code == "A0912345-000"
    assert found.client_id == "nW8sJdK3uTfXo1Rz5GqHy7MbEaL"
    assert found.atualizado_em == utc(2024, 5, 3, 19, 28, 10, 454_000)
    assert found.valor_bruto == Decimal("18412.54")
    assert found.soma_prestacoes == Decimal("21966.36")  # twelve times 1830.53
    assert found.findings == []


def test_the_sum_of_payments_takes_no_heed_of_what_is_stated_or_null() -> None:
    found = accepted(
        contract(**{f"{SCHEDULE}.1.ValorDaPrestacao": None, "operation.TotalDoValorDasParcelas": "1"})
    )
    assert found.soma_prestacoes == Decimal("20135.83")  # eleven times
    assert accepted(contract([])).soma_prestacoes == 0


def test_a_document_that_somebody_opened_already_is_judged_the_same() -> None:
    raw = bson.encode(contract())
    assert JUDGE.judge(raw, decode(raw)) == JUDGE.judge(raw)
    assert JUDGE.judge(raw, *JUDGE.read([raw])) == JUDGE.judge(raw)


# --- what can't be decoded --------------------------------------------------------------------------


def nested(depth: int) -> bytes:
    """A document of ``depth`` documents inside each other."""
    document = b"\x05\0\0\0\0"
    for _ in range(depth):
        body = b"\x03a\0" + document
        document = struct.pack("<i", len(body) + 5) + body + b"\0"
    return document


def with_raw_field(kind: bytes, name: bytes, value: bytes, document: Document | None = None) -> bytes:
    """The bytes of a contract with one more element."""
    body = bson.encode(contract() if document is None else document)[4:-1] + kind + name + b"\0" + value
    return struct.pack("<i", len(body) + 5) + body + b"\0"


def text_bytes(value: bytes) -> bytes:
    return struct.pack("<i", len(value) + 1) + value + b"\0"


BROKEN = {
    "bad UTF-8 in a text": with_raw_field(b"\x02", b"nova", text_bytes(b"caf\xe9")),
    "bad UTF-8 in a name": with_raw_field(b"\x02", b"caf\xe9", text_bytes(b"x")),
    "half a surrogate pair": with_raw_field(b"\x02", b"nova", text_bytes(b"\xed\xa0\x80")),
    "an unknown type": with_raw_field(b"\x77", b"nova", b""),
    "a text longer than the document": with_raw_field(b"\x02", b"nova", struct.pack("<i", 10**6) + b"x\0"),
    "a text of negative length": with_raw_field(b"\x02", b"nova", struct.pack("<i", -5) + b"x\0"),
    "truncated": bson.encode(contract())[:-300],
    "no end": bson.encode(contract())[:-1] + b"\x01",
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_can_not_be_decoded_is_refused_with_its_bytes(what: str) -> None:
    raw = BROKEN[what]
    found = JUDGE.judge(raw)
    assert isinstance(found, Refused)
    assert found.codes == ["bson_invalido"]
    assert found.raw == raw
    assert JUDGE.partition_of_raw(raw) is None


@pytest.mark.parametrize("what", BROKEN)
def test_what_can_not_be_decoded_keeps_its_id_so_that_a_later_version_closes_its_row(what: str) -> None:
    found = JUDGE.judge(BROKEN[what])
    assert isinstance(found, Refused)
    assert found.mongo_id == MONGO_ID
    assert name_of(BROKEN[what]) == MONGO_ID


def test_an_object_id_of_broken_bytes_is_told_as_its_digits() -> None:
    raw = with_raw_field(
        b"\x02", b"nova", text_bytes(b"\xff"), contract(_id=ObjectId("65f04e2c9d1e8a0001a1b2c3"))
    )
    assert name_of(raw) == "65f04e2c9d1e8a0001a1b2c3"


@pytest.mark.parametrize(
    "raw", [b"", b"\0", b"\x05\0\0\0", b"\xff" * 40, b"\x05\0\0\0\0\0", b"\0" * 20], ids=repr
)
def test_bytes_that_are_nothing_are_refused_under_their_fingerprint(raw: bytes) -> None:
    found = JUDGE.judge(raw)
    assert isinstance(found, Refused)
    assert found.codes == ["bson_invalido"]
    assert found.mongo_id.startswith("sha256:")
    assert JUDGE.judge(raw + b"x").mongo_id != found.mongo_id


def test_an_id_of_bad_utf_8_is_refused_under_a_name_that_can_be_stored() -> None:
    raw = bson.encode({"_id": "MARK", "name": "x"}).replace(b"MARK", b"\xff\xfe\xed\xa0")
    found = JUDGE.judge(raw)
    assert isinstance(found, Refused)
    assert found.mongo_id
    assert found.mongo_id.encode()


@pytest.mark.parametrize("depth", [100, 122, 123, 124, 200, 248])
def test_what_the_server_can_nest_is_kept(depth: int) -> None:
    raw = with_raw_field(b"\x03", b"nova", nested(depth))
    found = JUDGE.judge(raw)
    assert isinstance(found, Accepted)
    assert found.rows["operacoes"][0][-1].count('"a"') == depth
    assert JUDGE.judge(raw, JUDGE.read([raw])[0]) == found
    assert by_verify.expected(raw, JUDGE.zone).accepted


@pytest.mark.parametrize("depth", [249, 400])
@pytest.mark.parametrize("kind", [b"\x03", b"\x04", b"\x0f"], ids=["documents", "array", "scope of code"])
def test_what_no_server_can_nest_is_refused_whatever_python_could_read(depth: int, kind: bytes) -> None:
    inner = nested(depth)
    if kind == b"\x0f":
        inner = (len(inner) + 9).to_bytes(4, "little") + b"\1\0\0\0\0" + inner
    raw = with_raw_field(kind, b"nova", inner)
    found = JUDGE.judge(raw)
    assert isinstance(found, Refused)
    assert found.codes == ["bson_invalido"]
    assert JUDGE.read([raw]) == [None]
    assert not by_verify.expected(raw, JUDGE.zone).accepted


def deep_in(where: str, depth: int) -> bytes:
    return with_raw_field(
        b"\x03", where.encode(), nested(depth), contract(**({} if where == "nova" else {where: MISSING}))
    )


@pytest.mark.parametrize("where", ["nova", "identity", "operation", "updatedAt", "status"])
@pytest.mark.parametrize("depth", [300, 700, 900, 990, 5000])
def test_no_depth_of_nesting_breaks_anything(depth: int, where: str) -> None:
    raw = deep_in(where, depth)
    assert isinstance(JUDGE.judge(raw), (Accepted, Refused))
    JUDGE.partition_of_raw(raw)


@pytest.mark.parametrize("where", ["nova", "identity", "status"])
@pytest.mark.parametrize("depth", [450, 5000])
def test_a_document_that_is_nested_too_deep_keeps_its_id(depth: int, where: str) -> None:
    assert JUDGE.judge(deep_in(where, depth)).mongo_id == MONGO_ID


@pytest.mark.parametrize("depth", [100, 450, 600, 800, 990, 5000])
def test_an_id_may_be_nested_at_any_depth(depth: int) -> None:
    raw = with_raw_field(b"\x03", b"_id", nested(depth), contract(_id=MISSING))
    found = JUDGE.judge(raw)
    assert isinstance(found, Refused)
    assert len(found.mongo_id) <= 255


@pytest.mark.parametrize("moment", [2**62, -(2**62), 253402300800000, -62135596800001])
@pytest.mark.parametrize("path", ["updatedAt", "createdAt", "birthDate", f"{SCHEDULE}.1.DataDeVencimento"])
def test_a_date_that_python_can_not_hold_refuses_the_document_under_its_id(path: str, moment: int) -> None:
    found = refused(contract(**{path: DatetimeMS(moment)}))
    assert found.mongo_id == MONGO_ID
    assert found.codes == ["data_invalida"]
    assert found.messages.keys() == {path}


def test_a_date_that_python_can_not_hold_is_kept_where_there_is_no_column() -> None:
    extras = json.loads(accepted(contract(nova=DatetimeMS(2**62))).rows["operacoes"][0][-1])
    assert extras["nova"] == {"$date": {"$numberLong": str(2**62)}}


def test_refused_documents_are_told_apart_by_their_bytes() -> None:
    one, other = refused(contract(name=None)), refused(contract(name=None, status="x"))
    assert one.sha256 != other.sha256
    assert one.sha256 == refused(contract(name=None)).sha256
    assert len(one.sha256) == 64


@pytest.mark.parametrize(
    ("own", "name"),
    [
        (5, '{"$numberInt": "5"}'),
        (ObjectId("65f04e2c9d1e8a0001a1b2c3"), "65f04e2c9d1e8a0001a1b2c3"),
        (" x ", " x "),
    ],
    ids=repr,
)
def test_a_refused_document_is_named_by_its_id(own: Any, name: str) -> None:
    assert refused(contract(_id=own, name=None)).mongo_id == name


def test_of_two_ids_a_refused_document_is_named_by_the_first() -> None:
    """So MongoDB knows it; PyMongo keeps the last."""
    raw = encode(Pairs([*contract(_id="first").items(), ("_id", "last")]))
    refused = JUDGE.judge(raw)
    assert isinstance(refused, Refused)
    assert (refused.mongo_id, refused.codes) == ("first", ["chave_repetida"])


@pytest.mark.parametrize(
    "own", ["a\0b", "x" * 300, {"a": "x" * 300}, b"\0" * 300, None, "😀" * 200], ids=lambda v: repr(v)[:20]
)
def test_no_name_is_too_long_or_holds_what_can_not_be_stored(own: Any) -> None:
    name = refused(contract(_id=own, name=None)).mongo_id
    assert 0 < len(name) <= 255
    assert "\0" not in name


@pytest.mark.parametrize("path", ["nova", "operation.nova", f"{SCHEDULE}.1.nova", "guarantors"])
@pytest.mark.parametrize("value", ["a\0b", {"x": ["\0"]}, "\\\0", "\\\\\0"], ids=repr)
def test_a_nul_in_a_field_without_a_column_is_refused_because_jsonb_has_no_place_for_it(
    path: str, value: Any
) -> None:
    assert refused(contract(**{path: value})).codes == ["nul"]


@pytest.mark.parametrize("value", ["\\u0000", "\\\\u0000", "x\\\\\\u0000", "\\"], ids=repr)
def test_text_that_only_looks_like_a_nul_is_kept(value: str) -> None:
    extras = json.loads(accepted(contract(nova=value)).rows["operacoes"][0][-1])
    assert extras["nova"] == value


# --- promoted findings ------------------------------------------------------------------------------


def test_a_promoted_finding_rejects_and_any_other_does_not() -> None:
    strict = Judge(SAO_PAULO, Strictness(frozenset({"cpf_digito", "sem_data"})))
    raw = bson.encode(contract(taxId="39825979195", state="XX"))
    found = strict.judge(raw)
    assert isinstance(found, Refused)
    assert found.codes == ["cpf_digito"]
    assert found.messages == {"taxId": ["cpf_digito: the check digits of the CPF are wrong"]}
    assert isinstance(strict.judge(bson.encode(contract(state="XX"))), Accepted)
    undated = contract(updatedAt=None, createdAt=None, emitedAt=None)
    assert strict.judge(bson.encode(undated)).codes == ["sem_data"]  # type: ignore[union-attr]


# --- batches ----------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 300)))
def test_a_batch_is_split_into_the_documents_that_it_was_made_of(sizes: list[int]) -> None:
    documents = [bson.encode({"_id": str(n), "x": "y" * size}) for n, size in enumerate(sizes)]
    assert list(split(b"".join(documents))) == documents


# --- whatever a field holds -------------------------------------------------------------------------

PATHS = [
    path
    for path in field_paths(contract(identity=[{"number": "1", "issuer": "SSP", "issuerState": "MG"}]))
    if ".PrevisaoDeParcela." not in path or ".0." in path or ".7." in path or path.endswith(".12")
]
LONGEST = {"banco": 60, "agencia": 60, "conta": 60, "valor": 320, "tipo": 11}


def fits(column: Any, value: Any) -> bool:
    """Whether PostgreSQL takes ``value`` for ``column``, told by its type alone."""
    if value is None:
        return bool(column.nullable)
    kind = column.type
    if isinstance(kind, JSONB):
        return is_jsonb(value)
    if isinstance(kind, Text):
        return isinstance(value, str) and "\0" not in value and bool(value.encode() or not value)
    if isinstance(kind, Boolean):
        return type(value) is bool
    if isinstance(kind, Integer):
        return type(value) is int and -(2**31) <= value < 2**31
    if isinstance(kind, Numeric) and kind.precision:
        whole = isinstance(value, Decimal) and value.is_finite() and value == round(value, 2)
        return whole and abs(value) < 10**13 and str(value).lstrip("-").replace(".", "").isdigit()
    if isinstance(kind, Numeric):
        exact = isinstance(value, Decimal) and value.is_finite()
        return exact and value.adjusted() < 131072 and value.as_tuple().exponent >= -16383  # type: ignore[operator]
    if isinstance(kind, DateTime):
        return isinstance(value, datetime) and value.tzinfo is not None
    return isinstance(kind, Date) and type(value) is date


def is_jsonb(text: str) -> bool:
    def refuse(name: str) -> None:
        raise ValueError(name)

    held = json.loads(text, parse_constant=refuse)
    return isinstance(held, dict) and "\\u0000" not in json.dumps(held).replace("\\\\", "")


def check(raw: bytes) -> None:
    """One document: judged without an exception, and if accepted, rows that PostgreSQL takes."""
    found = JUDGE.judge(raw)
    day = JUDGE.partition_of_raw(raw)
    if isinstance(found, Refused):
        assert found.codes
        assert set(found.codes) <= REJECTIONS.keys()
        assert len(found.mongo_id) <= 255  # and it may be empty, as any string
        assert "\0" not in found.mongo_id
        assert found.raw == raw
        return
    assert day is not None
    assert {code for code, _ in found.findings} <= FINDINGS.keys()
    for key in (found.mongo_id, found.ccb_code, found.client_id):
        assert key.isprintable() or key
        assert len(key) <= 255
        assert "\0" not in key
    assert found.atualizado_em.utcoffset() == timedelta(0)
    of_tables = {**found.rows, "parcelas": parcelas(row for _, row in found.schedule.indexed())}
    assert of_tables.keys() == {table.name for table in tables.LOADED}
    for name, rows in of_tables.items():
        columns = [c for c in tables.STAGED[name].columns if c.name not in ("lote", "doc")]
        for row in rows:
            assert len(row) == len(columns)
            for column, value in zip(columns, row, strict=True):
                assert fits(column, value), (name, column.name)
            if name in ("contatos", "dados_bancarios"):
                for column, value in zip(columns, row, strict=True):
                    assert len(value) <= LONGEST[column.name]
        own = [c.name for c in tables.BY_NAME[name].primary_key if c.name not in ("client_id", "ccb_code")]
        keys = [tuple(v for c, v in zip(columns, row, strict=True) if c.name in own) for row in rows]
        assert len(keys) == len(set(keys)), name


def test_the_untouched_contract_fits() -> None:
    check(bson.encode(contract()))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(PATHS), bson_values())
def test_any_value_in_any_field_is_loaded_in_columns_that_take_it_or_refused(path: str, value: Any) -> None:
    document = contract(identity=[{"number": "1", "issuer": "SSP", "issuerState": "MG"}])
    check(bson.encode(changed(document, path, value)))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PATHS), bson_values()), min_size=2, max_size=6))
def test_any_values_in_several_fields_are_loaded_or_refused(changes: list[tuple[str, Any]]) -> None:
    document = contract(identity=[{"number": "1", "issuer": "SSP", "issuerState": "MG"}])
    for path, value in changes:
        try:
            changed(document, path, value)
        except (KeyError, TypeError, IndexError, ValueError):  # an earlier change took the place away
            continue
    check(bson.encode(document))


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), bson_values())
)
def test_any_fields_that_nobody_has_seen_yet_are_kept_or_refused(unknown: Document) -> None:
    check(bson.encode({**unknown, **contract(), "operation": {**unknown, **contract()["operation"]}}))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(bson.encode(contract())) - 1), st.integers(0, 255))
def test_any_byte_may_be_wrong(position: int, byte: int) -> None:
    raw = bytearray(bson.encode(contract()))
    raw[position] = byte
    check(bytes(raw))


@pytest.mark.parametrize("number", ["NaN", "sNaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize(
    "path",
    ["operation.ValorBruto", "operation.TaxaDeJuros", "operation.NumeroDeParcelas", "averageMonthlyIncome"],
)
def test_what_is_not_finite_never_reaches_a_column(path: str, number: str) -> None:
    assert refused(contract(**{path: Decimal128(number)})).codes == ["nao_finito"]
