"""The words of a rejection: what came and what may come, to mend a field by; and never its value."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import bson
import pytest
from world import D1, at, document

from ccb_luigi.documents.contract import Contract, Rejected
from ccb_luigi.documents.kinds import KINDS
from ccb_luigi.documents.wording import bson_type

CHECKER = Contract(ZoneInfo("America/Sao_Paulo"))
GOOD = document("a", "A", at(D1))
ROW = GOOD["operation"]["parcelas"]["PrevisaoDeParcela"][0]
MISSING = object()
CANARY = "canary-senha"

# By MongoDB's manual, "BSON Types"; JavaScript with and without scope are one here.
TYPES: dict[str, Any] = {
    "double": 1.5,
    "string": CANARY,
    "object": {"x": 1},
    "array": [1],
    "binData": b"x",
    "objectId": bson.ObjectId(),
    "bool": True,
    "date": datetime(2026, 1, 1, tzinfo=UTC),
    "regex": bson.Regex("x"),
    "javascript": bson.Code("x"),
    "int": 1,
    "timestamp": bson.Timestamp(1, 1),
    "long": 2**40,
    "decimal": bson.Decimal128("1"),
    "minKey": bson.MinKey(),
    "maxKey": bson.MaxKey(),
}


def decoded(value: Any) -> Any:
    """As it comes out of a document's bytes."""
    return bson.decode(bson.encode({"v": value}))["v"]


@pytest.mark.parametrize("name", TYPES)
def test_a_value_is_called_by_the_name_that_mongodb_has_for_its_type(name: str) -> None:
    assert bson_type(decoded(TYPES[name])) == name


def put(path: str, value: Any) -> dict[str, Any]:
    """The good document with another value there."""
    found = bson.decode(bson.encode(GOOD))
    *way, last = path.split(".")
    place = found
    for step in way:
        place = place[int(step)] if isinstance(place, list) else place[step]
    if value is MISSING:
        del place[last]
    else:
        place[int(last) if isinstance(place, list) else last] = value
    return found


def said(changed: dict[str, Any]) -> dict[str, list[str]]:
    with pytest.raises(Rejected) as raised:
        CHECKER.judge(changed)
    assert CANARY not in str(raised.value.messages)
    return raised.value.messages


@pytest.mark.parametrize(
    ("value", "how"),
    [
        (MISSING, "it is missing"),
        (None, "it is null"),
        ("", "it is blank text"),
        (" \n", "it is blank text"),
        ({"@i:nil": "true"}, "it is marked as nil"),
    ],
    ids=["missing", "null", "empty", "blank", "nil"],
)
@pytest.mark.parametrize(
    "path", ["name", "operation.ValorBruto", "operation.parcelas.PrevisaoDeParcela.1.DataDeVencimento"]
)
def test_of_what_is_absent_it_is_told_how(path: str, value: Any, how: str) -> None:
    assert said(put(path, value)) == {path: [f"ausente: a required field is missing or null ({how})"]}


@pytest.mark.parametrize(
    ("path", "value", "code", "came", "kind"),
    [
        ("name", True, "tipo_invalido", "bool", "text"),
        ("ccbCode", 1.5, "tipo_invalido", "double", "key"),
        ("type", CANARY, "tipo_pessoa_invalido", "string", "person_type"),
        ("taxId", CANARY, "cpf_cnpj_invalido", "string", "tax_id"),
        ("operation.ValorBruto", CANARY, "numero_invalido", "string", "money"),
        ("operation.ValorBruto", [1], "tipo_invalido", "array", "money"),
        ("operation.ValorBruto", "1.234", "valor_ambiguo", "string", "money"),
        ("operation.CET", b"x", "tipo_invalido", "binData", "rate"),
        ("operation.NumeroDeParcelas", 1.5, "numero_invalido", "double", "integer"),
        ("operation.FinanIOF", CANARY, "booleano_invalido", "string", "boolean"),
        ("birthDate", CANARY, "data_invalida", "string", "date"),
        ("birthDate", 20211207, "data_ambigua", "int", "date"),
        ("updatedAt", bson.Regex("x"), "tipo_invalido", "regex", "moment"),
        ("operation.parcelas.PrevisaoDeParcela.1.ValorDoJuros", True, "tipo_invalido", "bool", "money"),
        ("operation.parcelas.PrevisaoDeParcela.1", 5, "tipo_invalido", "int", "document"),
        ("contacts", CANARY, "tipo_invalido", "string", "document"),
        ("contacts.phone.1", True, "tipo_invalido", "bool", "text"),
    ],
)
def test_of_what_can_not_be_read_it_is_told_as_what_it_came_and_what_is_accepted(
    path: str, value: Any, code: str, came: str, kind: str
) -> None:
    (message,) = said(put(path, value))[path]
    assert message.startswith(f"{code}: ")
    assert message.endswith(f" (it came as {came}; accepted: {KINDS[kind].accepted})")


def test_the_only_row_that_came_without_a_list_is_found() -> None:
    alone = put("operation.parcelas.PrevisaoDeParcela", {**ROW, "DataDeVencimento": True})
    ((path, (message,)),) = said(alone).items()
    assert path == "operation.parcelas.PrevisaoDeParcela.0.DataDeVencimento"
    assert " (it came as bool; accepted: a BSON date, " in message


def test_a_text_that_is_too_long_is_told_how_long_it_may_be() -> None:
    assert said(put("ccbCode", "x" * 256))["ccbCode"][0].endswith(" (at most 255 characters)")


@pytest.mark.parametrize("name", KINDS)
def test_each_form_that_is_called_accepted_is_accepted(name: str) -> None:
    read = KINDS[name].reader(ZoneInfo("America/Sao_Paulo"), {"type": "PF"})
    for text in re.findall(r'"([^"]+)"', KINDS[name].accepted):
        assert read(text) is not None
    examples = {
        "a number": 1.5,
        "a whole number": 39825979194 if name == "tax_id" else 12,
        "ObjectId": bson.ObjectId(),
    }
    examples |= {
        "BSON date": at(D1),
        "true or false": True,
        "an object": {},
        "an array": [1],
        "PF or PJ": "PF",
        "text, ": "x",
    }
    tried = [value for words, value in examples.items() if words in KINDS[name].accepted]
    assert tried
    assert all(read(value) is not None for value in tried)
