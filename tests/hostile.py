"""Documents that nobody should write, and what must become of each: worked out by hand, kind by kind.

A kind makes the raw bytes of one document from a tag that names its ``_id``, client and contract, and says
what has to happen: ``Loads`` with the values that the tables must hold, or ``Refused`` with the code at each
path. Nothing here calls the package.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import bson
from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS
from contracts import MISSING, Document, changed
from odd_ids import LOOKALIKES, QUOTED
from world import D1, at, document

# --- bytes -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Raw:
    """A value as its BSON type and bytes, right or wrong."""

    type: int
    payload: bytes


class Pairs(list[tuple[str | bytes, Any]]):
    """A sub-document by its elements, since a dictionary can't repeat a key."""


class Elements(list[tuple[str | bytes, Any]]):
    """An array by its elements: with keys of its own."""


def encode(value: Any) -> bytes:
    """A document with ``Raw``, ``Pairs`` and ``Elements`` anywhere inside."""
    pairs = value.items() if isinstance(value, dict) else value
    body = b"".join(element(key, inner) for key, inner in pairs)
    return struct.pack("<i", len(body) + 5) + body + b"\0"


def element(key: str | bytes, value: Any) -> bytes:
    name = key if isinstance(key, bytes) else key.encode()
    if isinstance(value, Raw):
        kind, payload = value.type, value.payload
    elif isinstance(value, (dict, Pairs)):
        kind, payload = 3, encode(value)
    elif isinstance(value, Elements):
        kind, payload = 4, encode(value)
    elif isinstance(value, list):
        kind, payload = 4, encode([(str(index), item) for index, item in enumerate(value)])
    else:
        encoded = bson.encode({"": value})
        kind, payload = encoded[4], encoded[6:-1]
    return bytes([kind]) + name + b"\0" + payload


def string(content: bytes, length: int | None = None, end: bytes = b"\0") -> bytes:
    return struct.pack("<i", len(content) + 1 if length is None else length) + content + end


def text(content: bytes, **wrong: Any) -> Raw:
    """A string of any bytes."""
    return Raw(2, string(content, **wrong))


def plain(value: Any) -> Raw:
    """A large value without anything odd in it: quickly encoded."""
    encoded = bson.encode({"": value})
    return Raw(encoded[4], encoded[6:-1])


def nested(depth: int) -> Any:
    found: Any = Raw(3, encode({}))
    for _ in range(depth - 1):
        found = Raw(3, encode({"a": found}))
    return found


# --- expectations ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Loads:
    """``values``: ``table.column`` → value; ``parcelas`` alone: how many. ``findings``: exactly these."""

    values: dict[str, Any]
    findings: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Refused:
    """``reasons``: path → code, or one of several codes."""

    reasons: dict[str, str | tuple[str, ...]]


Expectation = Loads | Refused


@dataclass(frozen=True)
class Kind:
    name: str
    raw: Callable[[str], bytes]
    expected: Expectation


def base(tag: str, /, **changes: Any) -> Document:
    """A good document of the day, changed at dotted paths (``__`` for the dot)."""
    found = document(tag, tag.upper(), at(D1), client=tag)
    for path, value in changes.items():
        changed(found, path.replace("__", "."), value)
    return found


def kind(what: str, expected: Expectation, /, **changes: Any) -> Kind:
    return Kind(what, lambda tag: encode(base(tag, **changes)), expected)


def broken(what: str, /, **changes: Any) -> Kind:
    """Can't be decoded at all."""
    return kind(what, Refused({"": "bson_invalido"}), **changes)


def appended(name: str, expected: Expectation, *elements: bytes) -> Kind:
    """A good document and more elements after it, as bytes."""

    def raw(tag: str) -> bytes:
        body = encode(base(tag))[4:-1] + b"".join(elements)
        return struct.pack("<i", len(body) + 5) + body + b"\0"

    return Kind(name, raw, expected)


def undecodable() -> Iterator[Kind]:
    for what, content in (
        ("a stray byte", b"a\xffb"),
        ("latin-1", "São João".encode("latin-1")),
        ("an overlong slash", b"\xc0\xaf"),
        ("a lone surrogate", b"\xed\xa0\x80"),
        ("a pair of surrogates", b"\xed\xa0\xbd\xed\xb8\x80"),
        ("half a character", b"\xf0\x9f\x98"),
        ("past the last plane", b"\xf4\x90\x80\x80"),
    ):
        yield broken(f"text: {what}", name=text(content))
        yield broken(f"unknown field: {what}", unknown=text(content))
    yield broken("text of a row: a stray byte", operation__parcelas__PrevisaoDeParcela=[{"x": text(b"\xff")}])
    yield appended("key: a stray byte", Refused({"": "bson_invalido"}), element(b"\xff", 1))
    yield appended("key: a lone surrogate", Refused({"": "bson_invalido"}), element(b"\xed\xb0\x80", 1))
    for what, wrong in (
        ("zero", text(b"", length=0)),
        ("negative", text(b"abc", length=-1)),
        ("very negative", text(b"abc", length=-(2**31))),
        ("one short", text(b"abc", length=3)),
        ("one long", text(b"abc", length=5)),
        ("past the end", text(b"abc", length=10**6)),
        ("the largest", text(b"abc", length=2**31 - 1)),
    ):
        yield broken(f"length of a text: {what}", status=wrong)
    yield broken("text without its NUL", status=text(b"abc", end=b"x"))
    inside = encode({"a": 1})
    for type_, what in ((3, "sub-document"), (4, "array")):
        for length in (-1, 0, 4, 5, len(inside) - 1, len(inside) + 1, 10**6, 2**31 - 1):
            wrong = Raw(type_, struct.pack("<i", length) + inside[4:])
            yield broken(f"length of a {what}: {length}", unknown=wrong)
        yield broken(f"{what} without its NUL", unknown=Raw(type_, inside[:-1] + b"\1"))
    yield broken("length of the operation", operation=Raw(3, struct.pack("<i", 9) + inside[4:]))
    for type_ in (0x14, 0x15, 0x20, 0x7E, 0x80, 0x99, 0xFE):
        yield broken(f"type {type_:#x}", unknown=Raw(type_, b"\0" * 8))
    yield appended("type 0", Refused({"": "bson_invalido"}), b"\0\0")
    yield broken("boolean 2", pep=Raw(8, b"\2"))
    yield broken("binary of negative length", unknown=Raw(5, struct.pack("<i", -1) + b"\0ab"))
    yield broken("binary past the end", unknown=Raw(5, struct.pack("<i", 10**6) + b"\0ab"))
    yield broken("old binary, lengths differ", unknown=Raw(5, struct.pack("<i", 6) + b"\2" + b"\7\0\0\0ab"))
    yield broken(
        "code with scope, length differs", unknown=Raw(15, struct.pack("<i", 5) + string(b"f") + inside)
    )
    yield appended("a date that ends too early", Refused({"": "bson_invalido"}), b"\x09x\0\1\2\3")
    yield appended("a decimal that ends too early", Refused({"": "bson_invalido"}), b"\x13x\0\1\2\3")
    yield appended("an int that ends too early", Refused({"": "bson_invalido"}), b"\x10x\0\1")
    yield appended("a type and no name", Refused({"": "bson_invalido"}), b"\x10")
    yield appended("a regex without an end", Refused({"": "bson_invalido"}), b"\x0bx\0a")
    yield kind("nesting of 1,500", Refused({"": ("bson_invalido", "aninhamento")}), unknown=nested(1500))
    yield kind("nesting of 900", Refused({"": ("bson_invalido", "aninhamento")}), unknown=nested(900))
    yield Kind(
        "_id that can't be decoded",
        lambda tag: encode(base(tag, _id=text(b"\xff" + tag.encode()))),
        Refused({"": "bson_invalido"}),
    )


def repeated() -> Iterator[Kind]:
    def twice(path: str) -> Refused:
        return Refused({path: "chave_repetida"})

    for name, value in (
        ("name", "Outro"),
        ("ccbCode", "OUTRO"),
        ("clientId", "outro"),
        ("updatedAt", at(D1)),
        ("_id", "outro"),
        ("status", None),
        ("operation", {}),
        ("taxId", "39825979194"),
    ):
        yield appended(f"{name} twice", twice(name), element(name, value))
    yield appended("an unknown key twice", twice("x"), element("x", 1), element("x", 1))
    yield appended("a key three times", twice("x"), *[element("x", n) for n in range(3)])
    yield appended("the empty key twice", twice(""), element("", 1), element("", 2))
    yield appended("a key with a dot twice", twice("a\\.b"), element("a.b", 1), element("a.b", 2))
    yield appended("a long key twice", twice("k" * 200), element("k" * 5000, 1), element("k" * 5000, 2))
    one = {"number": "1", "issuer": "SSP"}
    yield kind("identity: number", twice("identity.number"), identity=Pairs([*one.items(), ("number", "2")]))
    yield kind(
        "second address: city",
        twice("address.1.city"),
        address=[{"city": "a"}, Pairs([("city", "a"), ("state", "MG"), ("city", "b")])],
    )
    yield kind("contacts: phone", twice("contacts.phone"), contacts=Pairs([("phone", "1"), ("phone", "2")]))
    yield kind(
        "bankData: bankNumber",
        twice("bankData.bankNumber"),
        bankData=Pairs([("bankNumber", "1"), ("bankNumber", "2")]),
    )

    def in_operation(name: str, path: str, change: Callable[[Document], Any]) -> Kind:
        def raw(tag: str) -> bytes:
            good = base(tag)
            return encode({**good, "operation": change(good["operation"])})

        return Kind(name, raw, twice(path))

    yield in_operation(
        "operation: ValorBruto",
        "operation.ValorBruto",
        lambda operation: Pairs([*operation.items(), ("ValorBruto", "1")]),
    )
    yield in_operation(
        "parcelas: the list",
        "operation.parcelas.PrevisaoDeParcela",
        lambda o: {**o, "parcelas": Pairs([*o["parcelas"].items(), ("PrevisaoDeParcela", [])])},
    )
    for place, column in ((0, "NumeroDaParcela"), (1, "ValorDoJuros"), (2, "ValorDoSaldoAtual")):

        def in_row(operation: Document, place: int = place, column: str = column) -> Document:
            rows = [*operation["parcelas"]["PrevisaoDeParcela"]]
            rows[place] = Pairs([*rows[place].items(), (column, rows[place][column])])
            return {**operation, "parcelas": {"PrevisaoDeParcela": rows}}

        path = f"operation.parcelas.PrevisaoDeParcela.{place}.{column}"
        yield in_operation(f"row {place}: {column}", path, in_row)
    yield in_operation(
        "detalhamentoDaCET",
        "operation.detalhamentoDaCET.PorcentagemDeJuros",
        lambda o: {
            **o,
            "detalhamentoDaCET": Pairs([("PorcentagemDeJuros", "1"), ("PorcentagemDeJuros", "2")]),
        },
    )
    deep = {"a": [0, {"b": [[Pairs([("c", 1), ("c", 1)])]]}]}
    yield kind("deep in an unknown field", twice("unknown.a.1.b.0.0.c"), unknown=deep)
    pointer = Raw(12, string(b"ns.c") + bytes(12))
    yield appended("beside a DBPointer", twice("p"), element("p", pointer), element("p", pointer))
    link = Pairs([("$ref", "c"), ("$id", 1), ("$id", 2)])
    yield kind("in a DBRef", twice("unknown.$id"), unknown=link)
    scope = encode(Pairs([("a", 1), ("a", 2)]))
    code = string(b"f()") + scope
    with_scope = Raw(15, struct.pack("<i", len(code) + 4) + code)
    yield kind("in the scope of a code", twice("unknown.a"), unknown=with_scope)


def only_alike() -> Iterator[Kind]:
    """Keys that look repeated and aren't."""

    def extra(value: Any) -> Loads:
        return Loads({"operacoes.extras": value})

    yield appended("keys that differ by case", extra({"X": 1, "x": 2}), element("X", 1), element("x", 2))
    yield appended(
        "keys that differ by normalisation",
        extra({"\u00e9": 1, "e\u0301": 2}),
        element("\u00e9", 1),
        element("e\u0301", 2),
    )
    yield kind("the same key at two levels", extra({"name2": {"name2": {"name2": 1}}}),
               name2={"name2": {"name2": 1}})  # fmt: skip
    yield kind(
        "an array whose keys repeat", extra({"unknown": [1, 2]}), unknown=Elements([("0", 1), ("0", 2)])
    )
    yield kind("an array with empty keys", extra({"unknown": [1, 2]}), unknown=Elements([("", 1), ("", 2)]))
    yield kind(
        "rows whose indexes repeat",
        Loads({"parcelas": 1}, frozenset({"saldo_encadeado", "numero_parcelas"})),
        operation__parcelas__PrevisaoDeParcela=Elements([("7", {"NumeroDaParcela": "3",
            "DataDeVencimento": "2026-06-10", "ValorDoSaldoAnterior": "0", "ValorDoSaldoAtual": "0"})]),
    )  # fmt: skip
    yield Kind(
        "_id isn't the first",
        lambda tag: encode([(k, v) for k, v in reversed(base(tag).items())]),
        Loads({"operacoes.extras": {}}),
    )
    pointer = Raw(12, string(b"ns.c") + bytes(12))
    yield kind("a DBPointer alone", extra({"unknown": {"$ref": "ns.c", "$id": {"$oid": "0" * 24}}}),
               unknown=pointer)  # fmt: skip


def keys() -> Iterator[Kind]:
    """Keys that no column has stay in ``extras``; a dot or backslash of theirs is escaped."""
    for key in (
        *("", "$", "$x", "$where", "$set", "$$ROOT", "@", "0", "__proto__", "extras", "id", "\ufeff"),
        *("%s", "%(lote)s", ":lote", "{0}", "'; DROP TABLE clientes; --", '"', "\t", "\n", "\x1b[2J"),
        *("\u202e", "\u2028", "😀", "k" * 10_000, "constructor", "None", "_ID", "Name", "ccbcode"),
    ):
        yield appended(f"key {key[:30]!r}", Loads({"operacoes.extras": {key: 1}}), element(key, 1))
    for key, path in (
        ("a.b", "a\\.b"),
        (".", "\\."),
        ("\\", "\\\\"),
        ("\\N", "\\\\N"),
        ("operation.x", "operation\\.x"),
    ):
        yield appended(f"key {key!r}", Loads({"operacoes.extras": {path: 1}}), element(key, 1))
    inside = {"": 0, "a.b": {"$gt": ""}, "\\": None}
    yield kind(
        "odd keys inside an unknown field", Loads({"operacoes.extras": {"unknown": inside}}), unknown=inside
    )
    for path in ("operation.$x", "operation.parcelas.x", "operation.parcelas.PrevisaoDeParcela.1.x",
                 "operation.detalhamentoDaCET.x", "contacts.x"):  # fmt: skip
        yield kind(f"unknown key at {path}", Loads({"operacoes.extras": {path: "x"}}), **{path: "x"})
    yield kind("an unknown key in an only item", Loads({"operacoes.extras": {"identity.0.x": "x"}}),
               identity__x="x")  # fmt: skip
    many = {f"k{number}": number for number in range(5000)}
    yield kind("5,000 unknown keys", Loads({"operacoes.extras": many}), **many)


# --- every BSON type in every kind of field ----------------------------------------------------------

NO_TEXT = NO_NUMBER = NO_DATE = "tipo_invalido"
NO_BOOLEAN = "booleano_invalido"
MOMENT = datetime(2020, 1, 2, 12, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Type:
    """What each kind of field makes of a value: a value of the column, or a code (``Code`` below)."""

    name: str
    value: Any
    text: Any
    money: Any
    date: Any
    boolean: Any
    extra: Any


@dataclass(frozen=True)
class No:
    code: str


def no(code: str) -> No:
    return No(code)


_NO = (no("tipo_invalido"), no("tipo_invalido"), no("tipo_invalido"), no("booleano_invalido"))
_NO_CODE = (no("tipo_invalido"),) * 4
_ODD_DOUBLE = (no("tipo_invalido"), no("nao_finito"), no("data_invalida"), no("booleano_invalido"))
_WORD = (no("numero_invalido"), no("data_invalida"), no("booleano_invalido"))
_MANY = no("data_ambigua")
_LARGE = (no("valor_excede"), no("data_invalida"), no("booleano_invalido"))
_OBJECT_ID = ObjectId("65bb0b7f0123456789abcdef")
_UUID = UUID("12345678-1234-5678-1234-567812345678")


def _binary(encoded: str, subtype: str) -> Document:
    return {"$binary": {"base64": encoded, "subType": subtype}}


TYPES = [
    Type("double", 1.5, no("tipo_invalido"), Decimal("1.50"), _MANY, no("booleano_invalido"),
         1.5),
    Type("whole double", 1.0, "1", Decimal("1.00"), _MANY, True, 1.0),
    Type("NaN", float("nan"), *_ODD_DOUBLE, {"$numberDouble": "NaN"}),
    Type("infinity", float("inf"), *_ODD_DOUBLE, {"$numberDouble": "Infinity"}),
    Type("-infinity", float("-inf"), *_ODD_DOUBLE, {"$numberDouble": "-Infinity"}),
    Type("NaN with a payload", Raw(1, b"\1\2\3\4\5\6\xff\xff"), *_ODD_DOUBLE, {"$numberDouble": "NaN"}),
    Type("string", "x", "x", *_WORD, "x"),
    Type("white space", " \t\r\n", None, None, None, None, " \t\r\n"),
    Type("NUL", "\0", *[no("nul")], *_WORD, no("nul")),
    Type("document", {"a": 1}, *_NO, {"a": 1}),
    Type("empty document", {}, *_NO, {}),
    Type("nil", {"@i:nil": "true"}, None, None, None, None, {"@i:nil": "true"}),
    Type("array", [1], *_NO, [1]),
    Type("empty array", [], *_NO, []),
    Type("array of text", ["x"], *_NO, ["x"]),
    Type("binary", b"ab", *_NO, _binary("YWI=", "00")),
    Type("empty binary", b"", *_NO, _binary("", "00")),
    Type("function binary", Binary(b"ab", 1), *_NO, _binary("YWI=", "01")),
    Type("old binary", Binary(b"ab", 2), *_NO, _binary("YWI=", "02")),
    Type("old UUID", Binary(_UUID.bytes, 3), *_NO, _binary("EjRWeBI0VngSNFZ4EjRWeA==", "03")),
    Type("UUID", Binary(_UUID.bytes, 4), *_NO, _binary("EjRWeBI0VngSNFZ4EjRWeA==", "04")),
    Type("UUID of three bytes", Binary(b"abc", 4), *_NO, _binary("YWJj", "04")),
    Type("MD5", Binary(b"ab", 5), *_NO, _binary("YWI=", "05")),
    Type("encrypted", Binary(b"ab", 6), *_NO, _binary("YWI=", "06")),
    Type("vector", Binary(b"\x03\0ab", 9), *_NO, _binary("AwBhYg==", "09")),
    Type("user's binary", Binary(b"ab", 128), *_NO, _binary("YWI=", "80")),
    Type("undefined", Raw(6, b""), None, None, None, None, None),
    Type("ObjectId", _OBJECT_ID, *_NO, {"$oid": str(_OBJECT_ID)}),
    Type("true", True, no("tipo_invalido"), no("tipo_invalido"), no("tipo_invalido"), True, True),
    Type("false", False, no("tipo_invalido"), no("tipo_invalido"), no("tipo_invalido"), False, False),
    Type("date", MOMENT, no("tipo_invalido"), no("tipo_invalido"), date(2020, 1, 2), no("booleano_invalido"),
         {"$date": "2020-01-02T12:30:00Z"}),
    Type("date of the year 10000", DatetimeMS(253402300800000), no("tipo_invalido"), no("tipo_invalido"),
         no("data_invalida"), no("booleano_invalido"), {"$date": {"$numberLong": "253402300800000"}}),
    Type("the last date", DatetimeMS(2**63 - 1), no("tipo_invalido"), no("tipo_invalido"),
         no("data_invalida"), no("booleano_invalido"), {"$date": {"$numberLong": "9223372036854775807"}}),
    Type("the first date", DatetimeMS(-(2**63)), no("tipo_invalido"), no("tipo_invalido"),
         no("data_invalida"), no("booleano_invalido"), {"$date": {"$numberLong": "-9223372036854775808"}}),
    Type("null", None, None, None, None, None, None),
    Type("regex", Regex("a(", "i"), *_NO, {"$regularExpression": {"pattern": "a(", "options": "i"}}),
    Type("DBPointer", Raw(12, string(b"n.c") + bytes(12)), *_NO, {"$ref": "n.c", "$id": {"$oid": "0" * 24}}),
    Type("code", Code("1"), *_NO_CODE, {"$code": "1"}),
    Type("code with scope", Code("1", {"a": 1}), *_NO_CODE,
         {"$code": "1", "$scope": {"a": 1}}),
    Type("symbol", Raw(14, string(b"x")), "x", *_WORD, "x"),
    Type("int32", 1, "1", Decimal("1.00"), _MANY, True, 1),
    Type("-1", -1, "-1", Decimal("-1.00"), _MANY, no("booleano_invalido"), -1),
    Type("timestamp", Timestamp(1577966400, 1), no("tipo_invalido"), no("tipo_invalido"), date(2020, 1, 2),
         no("booleano_invalido"), {"$timestamp": {"t": 1577966400, "i": 1}}),
    Type("the last timestamp", Timestamp(2**32 - 1, 2**32 - 1), no("tipo_invalido"), no("tipo_invalido"),
         date(2106, 2, 7), no("booleano_invalido"), {"$timestamp": {"t": 2**32 - 1, "i": 2**32 - 1}}),
    Type("int64", Int64(1), "1", Decimal("1.00"), _MANY, True, 1),
    Type("largest int64", Int64(2**63 - 1), str(2**63 - 1), *_LARGE, 2**63 - 1),
    Type("smallest int64", Int64(-(2**63)), str(-(2**63)), *_LARGE, -(2**63)),
    Type("decimal", Decimal128("1.5"), no("tipo_invalido"), Decimal("1.50"), _MANY,
         no("booleano_invalido"), {"$numberDecimal": "1.5"}),
    Type("decimal NaN", Decimal128("NaN"), no("tipo_invalido"), no("nao_finito"), no("data_invalida"),
         no("booleano_invalido"), {"$numberDecimal": "NaN"}),
    Type("decimal infinity", Decimal128("-Infinity"), no("tipo_invalido"), no("nao_finito"),
         no("data_invalida"), no("booleano_invalido"), {"$numberDecimal": "-Infinity"}),
    Type("largest decimal", Decimal128("9.999999999999999999999999999999999E+6144"), no("tipo_invalido"),
         no("valor_excede"), no("data_invalida"), no("booleano_invalido"),
         {"$numberDecimal": "9.999999999999999999999999999999999E+6144"}),
    Type("smallest decimal", Decimal128("1E-6176"), no("tipo_invalido"), no("fracao_de_centavo"),
         _MANY, no("booleano_invalido"), {"$numberDecimal": "1E-6176"}),
    Type("smallest decimal zero", Decimal128("0E-6176"), no("tipo_invalido"), Decimal("0.00"),
         _MANY, no("booleano_invalido"), {"$numberDecimal": "0E-6176"}),
    Type("MinKey", MinKey(), *_NO, {"$minKey": 1}),
    Type("MaxKey", MaxKey(), *_NO, {"$maxKey": 1}),
    Type("DBRef", DBRef("c", 1, "d"), *_NO, {"$ref": "c", "$id": 1, "$db": "d"}),
    Type("DBRef of odd parts", {"$ref": 1, "$id": 2}, *_NO, {"$ref": 1, "$id": 2}),
]  # fmt: skip


def types() -> Iterator[Kind]:
    for each in TYPES:
        for path, column, outcome in (
            ("status", "operacoes.status", each.text),
            ("operation__ValorDoIOF", "operacoes.valor_iof", each.money),
            ("birthDate", "clientes.data_nascimento", each.date),
            ("pep", "clientes.pep", each.boolean),
        ):
            dotted = path.replace("__", ".")
            below = isinstance(outcome, Decimal) and outcome < 0
            expected = (
                Refused({dotted: outcome.code})
                if isinstance(outcome, No)
                else Loads({column: outcome}, frozenset({"valor_negativo"}) if below else frozenset())
            )
            yield kind(f"{each.name} in {dotted}", expected, **{path: each.value})
        required = each.text or no("ausente")
        expected = (
            Refused({"name": required.code})
            if isinstance(required, No)
            else Loads({"clientes.nome": required})
        )
        yield kind(f"{each.name} in name", expected, name=each.value)
        expected = (
            Refused({"extras": each.extra.code})
            if isinstance(each.extra, No)
            else Loads({"operacoes.extras": {"unknown": [{"a": each.extra}]}})
        )
        yield kind(f"{each.name} in an unknown field", expected, unknown=[{"a": each.value}])


_IDS = ("string", "white space", "NUL", "symbol", "ObjectId")


def ids() -> Iterator[Kind]:
    """``_id`` can be anything; a string or an ObjectId is one. What can vary names the tag."""
    refused = Refused({"_id": "id_invalido"})
    for each in TYPES:
        # One NaN is like the other, and undefined like null: they can't both be in a collection.
        if each.name in (*_IDS, "null", "undefined", "NaN with a payload"):
            continue
        yield kind(f"_id: {each.name}", refused, _id=each.value)
    yield kind("_id: null", refused, _id=None)
    yield kind("_id: missing", Refused({"_id": "ausente"}), _id=MISSING)
    yield kind("_id: a NUL in it", Refused({"_id": "nul"}), _id="a\0b")
    yield kind("_id: too long", Refused({"_id": "texto_longo"}), _id="x" * 256)
    for what, value in (
        ("ObjectId", _OBJECT_ID),
        ("white space", " \t"),
        ("the empty string", ""),
        ("\\N", "\\N"),
        ("hostile text", "'; \x1b[2J\u202e\r\n\\.\t"),
        ("255 large characters", "\U00020000" * 255),
        ("symbol", Raw(14, string(b"symbol"))),
    ):
        stored = str(value) if not isinstance(value, Raw) else "symbol"
        yield kind(f"_id: {what}", Loads({"operacoes.mongo_id": stored}), _id=value)
    for value in sorted({*LOOKALIKES} - {str(_OBJECT_ID), "", "\\N", "\U00020000" * 255}):
        stored = json.dumps(value) if value in QUOTED else value
        yield kind(f"_id: the text {value[:200]!r}", Loads({"operacoes.mongo_id": stored}), _id=value)


def numbers() -> Iterator[Kind]:
    gross = "operation__ValorBruto"
    for what, value, code in (
        ("NaN", "NaN", "nao_finito"),
        ("-Infinity", "-Infinity", "nao_finito"),
        ("three decimals", "1.234", "valor_ambiguo"),
        ("a fraction of a cent", "1.2345", "fracao_de_centavo"),
        ("an exponent", "1e3", "numero_invalido"),
        ("hexadecimal", "0x10", "numero_invalido"),
        ("underscores", "1_000", "numero_invalido"),
        ("other digits", "٣", "numero_invalido"),
        ("wide digits", "１２", "numero_invalido"),
        ("a currency", "R$ 1,00", "numero_invalido"),
        ("two signs", "--1", "numero_invalido"),
        ("5,000 digits", "9" * 5000, "valor_excede"),
        ("a cent too much", "10000000000000.00", "valor_excede"),
        ("1e308", 1e308, "valor_excede"),
        ("a double beside a cent", 1.001, "fracao_de_centavo"),
        ("sNaN", Decimal128("sNaN"), "nao_finito"),
        ("literal NaN", {"$numberDouble": "NaN"}, "nao_finito"),
        ("literal of 40 digits", {"$numberDecimal": "1" * 40}, "numero_invalido"),
        ("literal that lies", {"$numberLong": "x"}, "tipo_invalido"),
        ("two literals", {"$numberLong": "1", "$numberInt": "1"}, "tipo_invalido"),
        ("nil that isn't", {"@i:nil": "false"}, "tipo_invalido"),
    ):
        yield kind(f"amount: {what}", Refused({"operation.ValorBruto": code}), **{gross: value})
    for what, value, stored in (
        ("the largest", "9999999999999.99", "9999999999999.99"),
        ("the smallest", "-9999999999999.99", "-9999999999999.99"),
        ("minus zero", "-0", "0.00"),
        ("a double minus zero", -0.0, "0.00"),
        ("the smallest double", 5e-324, "0.00"),
        ("a sum of doubles", 0.1 + 0.2, "0.30"),
        ("Brazilian", "1.234.567,89", "1234567.89"),
        ("with a sign", "+1", "1.00"),
        ("many zeros", "0" * 400 + "1.00" + "0" * 400, "1.00"),
        ("a literal", {"$numberDecimal": "1E+3"}, "1000.00"),
    ):
        rounded = {"arredondado"} if isinstance(value, float) and value != 0 else set()
        below = {"valor_negativo"} if Decimal(stored) < 0 else set()
        yield kind(f"amount: {what}", Loads({"operacoes.valor_iof": Decimal(stored)},
                   frozenset(rounded | below)), operation__ValorDoIOF=value)  # fmt: skip
    for what, value, stored in (
        ("400 digits", "1" * 400, "1" * 400),
        ("400 decimals", "0." + "1" * 400, "0." + "1" * 400),
        ("Decimal128's largest", Decimal128("1E+6144"), "1E+6144"),
        ("Decimal128's smallest", Decimal128("1E-6176"), "1E-6176"),
        ("the largest double", 1.7976931348623157e308, "1.7976931348623157E+308"),
        ("the smallest double", 5e-324, "5E-324"),
        ("int64", Int64(2**63 - 1), str(2**63 - 1)),
    ):
        yield kind(f"rate: {what}", Loads({"operacoes.taxa_juros": Decimal(stored)}),
                   operation__TaxaDeJuros=value)  # fmt: skip
    yield kind(
        "rate: 140,000 digits", Refused({"operation.CET": "valor_excede"}), operation__CET="1" * 140_000
    )
    for value, code in (
        (2**31, "valor_excede"),
        ("1.5", "numero_invalido"),
        (Int64(-(2**63)), "valor_excede"),
        (Decimal128("1E+6144"), "valor_excede"),
        (float("inf"), "nao_finito"),
    ):
        yield kind(f"count: {value}", Refused({"operation.Carencia": code}), operation__Carencia=value)
    row = "operation__parcelas__PrevisaoDeParcela__1__NumeroDaParcela"
    listed = "operation.parcelas.PrevisaoDeParcela"
    yield kind("a parcela of number -1", Refused({f"{listed}.1.NumeroDaParcela": "parcela_negativa"}),
               **{row: "-1"})  # fmt: skip
    yield kind("two parcelas of one number", Refused({listed: "parcela_repetida"}), **{row: 1.0})
    yield kind("a parcela without a number", Refused({f"{listed}.1.NumeroDaParcela": "ausente"}), **{row: ""})


def times() -> Iterator[Kind]:
    for what, value, code in (
        ("text", "ontem", "data_invalida"),
        ("a list", [at(D1)], "tipo_invalido"),
        ("an empty list", [], "tipo_invalido"),
        ("the year 10000", DatetimeMS(253402300800000), "data_invalida"),
        ("before year 1", DatetimeMS(-(2**62)), "data_invalida"),
        ("a document", {"a": 1}, "tipo_invalido"),
        ("an odd literal", {"$date": {"$date": 1}}, "data_invalida"),
        ("30 February", "2026-02-30", "data_invalida"),
        ("MaxKey", MaxKey(), "tipo_invalido"),
        ("binary", b"2026-03-02", "tipo_invalido"),
        ("true", True, "tipo_invalido"),
        ("NaN", float("nan"), "data_invalida"),
        ("seconds", Int64(1772452800), "data_ambigua"),
        ("seconds as a double", 1772452800.0, "data_ambigua"),
        ("seconds as a decimal", Decimal128("1772452800"), "data_ambigua"),
        ("a literal of seconds", {"$numberLong": "1772452800"}, "data_ambigua"),
        ("a day written as a number", 20260302, "data_ambigua"),
        ("zero", 0, "data_ambigua"),
        ("the largest number that may be several dates", Int64(10**11 - 1), "data_ambigua"),
        ("the smallest number that may be several dates", Int64(1 - 10**11), "data_ambigua"),
        ("microseconds", Int64(1772452800000000), "data_invalida"),
        ("half a millisecond", 1772452800000.5, "data_invalida"),
        ("digits in a text", "1772452800000", "data_invalida"),
    ):
        yield kind(f"updatedAt: {what}", Refused({"updatedAt": code}), updatedAt=value)
    due = "operation__VencimentoPrimeiraParcela"
    for what, value, code in (
        ("24:00", "2026-03-02T24:00:00", "data_invalida"),
        ("a leap second", "2026-03-02T23:59:60", "data_invalida"),
        ("year 0", "0000-01-01", "data_invalida"),
        (".NET's null", "0001-01-01T00:00:00", "ausente"),
        ("five digits", "12026-03-02", "data_invalida"),
        ("other digits", "٢٠٢٦-٠٣-٠٢", "data_invalida"),
        ("trailing text", "2026-03-02 ou depois", "data_invalida"),
        ("a day written as a number", 20260410, "data_ambigua"),
        ("seconds", 1775779200, "data_ambigua"),
        ("a literal zero", {"$numberInt": "0"}, "data_ambigua"),
    ):
        yield kind(
            f"due date: {what}", Refused({"operation.VencimentoPrimeiraParcela": code}), **{due: value}
        )
    for what, value, day in (
        ("JavaScript's text", "1972-11-15T00:00:00.000Z", date(1972, 11, 15)),
        ("without seconds", "1980-12-08T00:00+00:00", date(1980, 12, 8)),
        ("minus zero", "1980-12-08 00:00:00 -0000", date(1980, 12, 8)),
        ("Brazilian, with a Z", "08/12/1980T00:00:00Z", date(1980, 12, 8)),
        ("the same instant elsewhere", "1980-12-07T21:00:00-03:00", date(1980, 12, 8)),
        ("a moment later", "1980-12-08T00:00:00.001Z", date(1980, 12, 7)),
        ("without an offset", "1980-12-08T21:00:00", date(1980, 12, 8)),
        ("milliseconds", Int64(345081600000), date(1980, 12, 8)),
        ("milliseconds as a decimal", Decimal128("345081600000"), date(1980, 12, 8)),
        ("a literal of seconds", {"$date": 345081600}, date(1970, 1, 4)),
        ("a literal", {"$date": {"$numberLong": "90288000000"}}, date(1972, 11, 11)),
    ):
        yield kind(f"day: {what}", Loads({"clientes.data_nascimento": day}), birthDate=value)
        yield kind(f"due date: {what}", Loads({"operacoes.vencimento_primeira_parcela": day}), **{due: value})


def containers() -> Iterator[Kind]:
    """Values where a sub-document or a list belongs."""
    scalars: list[tuple[str, Any]] = [
        ("text", "x"),
        ("a number", 5),
        ("true", True),
        ("binary", b"ab"),
        ("an ObjectId", _OBJECT_ID),
        ("a DBRef", DBRef("c", 1)),
        ("code with scope", Code("f()", {"a": 1})),
        ("MinKey", MinKey()),
    ]
    listed = "operation.parcelas.PrevisaoDeParcela"
    for what, value in scalars:
        for path, told in (
            ("operation", "operation"),
            ("operation__parcelas", "operation.parcelas"),
            ("operation__parcelas__PrevisaoDeParcela", f"{listed}.0"),
            ("operation__parcelas__PrevisaoDeParcela__1", f"{listed}.1"),
            ("operation__detalhamentoDaCET", "operation.detalhamentoDaCET"),
            ("contacts", "contacts"),
            ("identity", "identity.0"),
            ("address", "address.0"),
            ("bankData", "bankData.0"),
        ):
            dotted = path.replace("__", ".")
            yield kind(f"{what} as {dotted}", Refused({told: "tipo_invalido"}), **{path: value})
    for path in ("operation", "operation__parcelas", "operation__detalhamentoDaCET", "contacts"):
        dotted = path.replace("__", ".")
        yield kind(f"a list as {dotted}", Refused({dotted: "tipo_invalido"}), **{path: [{}]})
    for path in ("operation__parcelas__PrevisaoDeParcela", "identity", "address", "bankData"):
        dotted = path.replace("__", ".")
        yield kind(
            f"a list in the list {dotted}", Refused({f"{dotted}.0": "tipo_invalido"}), **{path: [[{}]]}
        )
    for path in ("contacts__email", "contacts__phone"):
        dotted = path.replace("__", ".")
        for what, value in (("a list", [["x"]]), ("a document", {"a": "x"}), ("an empty document", {})):
            yield kind(f"{what} in {dotted}", Refused({f"{dotted}.0": "tipo_invalido"}), **{path: value})
    required = ("ValorBruto", "ValorLiquido", "VencimentoPrimeiraParcela")
    yield kind(
        "an empty operation", Refused({f"operation.{name}": "ausente" for name in required}), operation={}
    )
    yield kind("an operation of white space", Refused({"operation": "ausente"}), operation=" ")
    # A double that is rounded is what only Cerberus judges.
    rounded = {"operation__ValorDoIOF": 0.1 + 0.2}
    for path, table, rest in (("identity", "identidades", 1), ("address", "enderecos", 0),
                              ("bankData", "dados_bancarios", 0), ("contacts", "contatos", 0),
                              ("operation__detalhamentoDaCET", "detalhamento_cet", 0)):  # fmt: skip
        dotted = path.replace("__", ".")
        yield kind(f"an empty {dotted}", Loads({table: rest}), **{path: {}})
        yield kind(f"an empty {dotted}, judged by Cerberus", Loads({table: rest}, frozenset({"arredondado"})),
                   **{path: {}}, **rounded)  # fmt: skip
        if path in ("identity", "address", "bankData"):
            yield kind(f"nulls and an empty item in {dotted}",
                       Loads({table: rest}, frozenset({"arredondado"})),
                       **{path: [None, {}, "", {"x": None}]}, **rounded)  # fmt: skip
    both = Refused({f"{listed}.0.{name}": "ausente" for name in ("NumeroDaParcela", "DataDeVencimento")})
    yield kind("an empty row", both, operation__parcelas__PrevisaoDeParcela={})
    none = frozenset({"numero_parcelas"})
    for what, value in (("null", None), ("empty", []), ("a list of nulls", [None, None]), ("blank", "")):
        yield kind(f"rows: {what}", Loads({"parcelas": 0}, none | {"sem_cronograma"}),
                   operation__parcelas__PrevisaoDeParcela=value)  # fmt: skip
    yield kind("an only row as an object", Loads({"parcelas": 1}, none | {"saldo_encadeado"}),
               operation__parcelas__PrevisaoDeParcela={
                   "NumeroDaParcela": 1, "DataDeVencimento": "2026-04-10",
                   "ValorDoSaldoAnterior": 0, "ValorDoSaldoAtual": 0})  # fmt: skip


_REQUIRED = ("clientId", "name", "taxId", "type", "ccbCode", "operation.ValorBruto", "operation.ValorLiquido",
             "operation.VencimentoPrimeiraParcela")  # fmt: skip


def empty() -> Iterator[Kind]:
    for path in _REQUIRED:
        for what, value in (
            ("empty", ""),
            ("null", None),
            ("missing", MISSING),
            ("nil", {"@xsi:nil": "true"}),
        ):
            yield kind(f"{path}: {what}", Refused({path: "ausente"}), **{path: value})

    def every(tag: str) -> bytes:
        blank = {**base(tag, operation={}), "ccbCode": "", "clientId": ""}
        return encode(
            {
                name: value if name in ("_id", "updatedAt", "operation") else ""
                for name, value in blank.items()
            }
        )

    yield Kind("empty texts everywhere", every, Refused(dict.fromkeys(_REQUIRED, "ausente")))

    def optional(tag: str) -> bytes:
        kept = ("_id", "updatedAt", "clientId", "name", "taxId", "type", "ccbCode", "operation")
        found = base(tag, operation__parcelas="", operation__FinanIOF="", operation__NumeroDeParcelas="")
        return encode({name: value if name in kept else "" for name, value in found.items()})

    yield Kind("empty texts in every optional field", optional,
               Loads({"parcelas": 0, "operacoes.status": None, "clientes.uf": None, "identidades": 1,
                      "enderecos": 0, "contatos": 0, "dados_bancarios": 0,
                      "operacoes.extras": {}}))  # fmt: skip


def texts() -> Iterator[Kind]:
    """What COPY, SQL, a terminal or a log could misread is text like any other."""
    for value in (
        *(
            "\\.",
            "\\N",
            "\\",
            "\\\\",
            "a\\",
            "\\x41",
            "a\tb",
            "a\nb",
            "a\rb",
            "a\r\n\\.\r\nb",
            ".\t\\N\t.",
            ".\x0b.\x0c.",
        ),
        *(
            "\x01\x02\x7f\x80\x9b",
            "\x1b[31m\x1b]0;x\x07",
            "\u202e\u2066",
            "\u200b",
            "\ufeff.",
            ".\u2028.\u2029.",
            ".\x85.",
        ),
        *("'", "''", '"', "$$", "--", "/*", "%s%n", "{}", "NULL", "None", "(null)", "[red]x[/]", "😀" * 1000),
        *(
            "\ufffe\uffff",
            "\U0010ffff",
            "\ufffd",
            "e\u0301",
            "=1+1",
            "<script>",
            "a\x1cb\x1db\x1e.",
            ".\u3000.\u00a0.",
        ),
    ):
        yield kind(f"text {value[:20]!r}",
                   Loads({"operacoes.status": value, "clientes.nome": value,
                          "operacoes.extras": {"x": value}}),
                   status=value, name=value, x=value)  # fmt: skip
    for path in ("name", "status", "state", "operation.Conta", "ccbCode", "clientId"):
        yield kind(f"a NUL in {path}", Refused({path: "nul"}), **{path: "a\0b"})
    yield kind("a NUL in an address", Refused({"address.0.city": "nul"}), address__city="a\0b")
    yield kind("a NUL in a contact", Refused({"contacts.email.0": "nul"}), contacts__email="a\0b")
    yield kind("a NUL deep in an unknown field", Refused({"extras": "nul"}), unknown=[{"a": ["\0"]}])
    yield kind("what only looks like a NUL", Loads({"operacoes.extras": {"x": "\\u0000"}}), x="\\u0000")


def sizes() -> Iterator[Kind]:
    for path in ("ccbCode", "clientId", "contacts.phone.0", "bankData.0.accountNumber"):
        yield kind(f"10,000 characters in {path}", Refused({path: "texto_longo"}),
                   **{path.replace(".0", "").replace(".", "__"): "\U00020000" * 10_000})  # fmt: skip
    large = "x" * 15_000_000
    yield kind("15 MB of text", Loads({"operacoes.status": large}), status=plain(large))
    yield kind(
        "15 MB in an unknown field", Loads({"operacoes.extras": {"unknown": large}}), unknown=plain(large)
    )
    yield kind(
        "15 MB that can't be decoded",
        Refused({"": "bson_invalido"}),
        unknown=text(b"x" * 15_000_000 + b"\xff"),
    )
    numbers = list(range(200_000))
    yield kind("a list of 200,000", Loads({"operacoes.extras": {"unknown": numbers}}), unknown=plain(numbers))
    yield kind("10,000 e-mails", Loads({"contatos": 10_002}),
               contacts__email=plain([f"{number}@example.com" for number in range(10_000)]))  # fmt: skip
    rows = [{"NumeroDaParcela": str(number), "DataDeVencimento": "2026-04-10", "ValorDaAmortizacao": "0",
             "ValorDaCorrecao": "0", "ValorDoJuros": "0", "ValorDoSeguro": "0", "ValorTaxaBancaria": "0",
             "ValorDaPrestacao": "0", "ValorDoSaldoAnterior": "300.00", "ValorDoJurosCapitalizados": "0",
             "ValorDoSaldoAtual": "300.00"} for number in range(1, 10_001)]  # fmt: skip
    found = frozenset({"numero_parcelas", "saldo_final", "vencimentos_fora_de_ordem"})
    yield kind("10,000 parcelas", Loads({"parcelas": 10_000}, found),
               operation__parcelas__PrevisaoDeParcela=plain(rows))  # fmt: skip
    for depth in (50, 100, 180):  # the server takes 100, drivers somewhat more
        inner: Any = {}
        for _ in range(depth - 1):
            inner = {"a": inner}
        yield kind(
            f"nesting of {depth}", Loads({"operacoes.extras": {"unknown": inner}}), unknown=nested(depth)
        )
    deep_list: Any = []
    for _ in range(99):
        deep_list = [deep_list]
    yield kind("lists in lists", Loads({"operacoes.extras": {"unknown": deep_list}}), unknown=deep_list)


KINDS = [
    *undecodable(),
    *repeated(),
    *only_alike(),
    *keys(),
    *types(),
    *ids(),
    *numbers(),
    *times(),
    *containers(),
    *empty(),
    *texts(),
    *sizes(),
]
