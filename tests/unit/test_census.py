"""The fields of documents are counted, whatever they hold, and no value is told."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import bson
import pytest
from bson import Decimal128, Int64, ObjectId
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from ccb_luigi import tables
from ccb_luigi.cli import main
from ccb_luigi.commands.census import share
from ccb_luigi.documents.contract import SCHEMA
from ccb_luigi.preflight import destinations
from ccb_luigi.preflight.census import KEYS, Census

SCALARS = {
    "string": st.sampled_from(["", " ", "x", "\t\n", "Zoë"]),
    "null": st.none(),
    "bool": st.booleans(),
    "int": st.integers(-5, 5),
    "long": st.integers(-5, 5).map(Int64),
    "double": st.floats(allow_nan=False),
    "decimal": st.just(Decimal128("1.10")),
    "objectId": st.just(ObjectId("0" * 24)),
    "date": st.just(datetime(2026, 3, 2, tzinfo=UTC)),
    "binData": st.just(b"x"),
}
KINDS = {str: "string", type(None): "null", bool: "bool", int: "int", Int64: "long", float: "double",
         Decimal128: "decimal", ObjectId: "objectId", datetime: "date", bytes: "binData", dict: "object",
         list: "array"}  # fmt: skip
NAMES = st.sampled_from(["a", "b", "name.dotted", "operation"])
VALUES = st.recursive(
    st.one_of(*SCALARS.values()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=12,
)


def taken(*documents: dict[str, Any]) -> Census:
    census = Census()
    for document in documents:
        census.add(bson.encode(document))
    return census


def by_hand(documents: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The same counts by recursion over Python's values."""
    found: dict[str, dict[str, Any]] = {}
    within: Counter[tuple[str, bool]] = Counter()

    def walk(value: dict[str, Any] | list[Any], parent: str) -> None:
        listed = isinstance(value, list)
        within[parent, listed] += 1
        pairs = [("*", item) for item in value] if listed else [*value.items()]
        for name in dict.fromkeys(name for name, _ in pairs):
            path = ".".join([*([parent] if parent else []), name.replace(".", "\\.")])
            one = found.setdefault(
                path,
                {"types": Counter(), "null": 0, "empty": 0, "holders": 0, "parent": (parent, listed)},
            )
            one["holders"] += 1
            for inner in (v for n, v in pairs if n == name):
                one["types"][KINDS[type(inner)]] += 1
                one["null"] += inner is None
                one["empty"] += inner in ([], {}) or (isinstance(inner, str) and not inner.strip())
                if isinstance(inner, (dict, list)) and inner:
                    walk(inner, path)

    for document in documents:
        walk(document, "")
    for one in found.values():
        one["within"] = within[one.pop("parent")]
    return found


@settings(max_examples=150, deadline=None)
@given(st.lists(st.dictionaries(NAMES, VALUES, min_size=1, max_size=4), min_size=1, max_size=5))
def test_every_field_is_counted_as_by_hand(documents: list[dict[str, Any]]) -> None:
    census = taken(*documents)
    assert census.documents == len(documents)
    assert {
        one.path: {
            "types": one.types,
            "null": one.null,
            "empty": one.empty,
            "holders": one.holders,
            "within": one.within,
        }
        for one in census.fields()
    } == by_hand(documents)


def test_a_null_of_xml_is_one_and_its_mark_is_no_field() -> None:
    (one,) = taken({"a": {"@i:nil": "true"}}, {"a": None}).fields()
    assert (one.null, one.types) == (2, {"object": 1, "null": 1})


def test_keys_that_are_data_are_counted_as_one_and_named_nowhere() -> None:
    people = {f"39825979{number:03}": {"valor": number} for number in range(KEYS + 50)}
    census = taken({"pagadores": people, "a": 1}, {"pagadores": {"39825979001": {"valor": 1}}})
    fields = {one.path: one for one in census.fields()}
    assert set(fields) == {"pagadores", "pagadores.*", "a"} | {
        p for p in fields if p.startswith("pagadores.*.")
    }
    assert not [path for path in fields if "3982" in path]
    assert fields["pagadores.*"].found == KEYS + 51
    assert fields["pagadores.*"].holders == 2


def test_what_is_no_bson_is_counted_and_harms_nobody() -> None:
    census = taken({"a": 1})
    census.add(b"\x05\x00\x00\x00")
    census.add(bson.encode({"a": "x"})[:-3] + b"\xff\x00\x00")
    assert (census.documents, census.unreadable) == (3, 2)
    assert [one.path for one in census.fields()] == ["a"]


def test_a_document_may_go_as_deep_as_it_likes() -> None:
    document: dict[str, Any] = {"a": 1}
    for _ in range(150):
        document = {"a": document}
    assert len(taken(document).fields()) == 151


def leaves(schema: dict[str, Any], prefix: str = "") -> list[str]:
    found = []
    for name, rules in schema.items():
        inner = rules.get("schema", {})
        inner = inner.get("schema", {}) if rules["type"] == "list" else inner
        found += leaves(inner, f"{prefix}{name}.") if inner else [prefix + name]
    return found


def test_every_field_of_the_contract_has_a_column_that_there_is() -> None:
    columns = {f"{table.name}.{column.name}" for table in tables.LOADED for column in table.columns}
    assert [*destinations.known()] == leaves(SCHEMA)
    assert {column for column, _ in destinations.known().values()} <= columns
    filled = {
        f"{table.name}.{column.name}" for table in tables.LOADED for column in table.columns if column.info
    }
    assert filled <= {column for column, _ in destinations.known().values()}


@pytest.mark.parametrize(
    ("path", "column"),
    [
        ("operation.parcelas.PrevisaoDeParcela.*.ValorDoJuros", "parcelas.valor_juros"),
        ("operation.parcelas.PrevisaoDeParcela.*.multa", "operacoes.extras"),
        ("identity.*.number", "identidades.numero"),
        ("identity.number", "identidades.numero"),
        ("contacts.phone.*", "contatos.valor"),
        ("operation", ""),
        ("operation.parcelas", ""),
        ("oper", "operacoes.extras"),
        ("nova.a", "operacoes.extras"),
    ],
)
def test_where_a_field_goes(path: str, column: str) -> None:
    assert destinations.of(path) == column


@pytest.mark.parametrize(
    ("part", "said"), [(0, "0%"), (1, "<1%"), (500, "50%"), (999, ">99%"), (994, "99%"), (1000, "100%")]
)
def test_a_share_is_all_or_nothing_only_where_it_is(part: int, said: str) -> None:
    assert share(part, 1000) == said


CANARY = "Quixabeira"


@pytest.fixture(autouse=True)
def _nothing_stays_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """The option --source sets a variable of the process."""
    monkeypatch.setenv("CCB_SOURCE", "")


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    path = tmp_path / "c.bson"
    documents = [
        {"_id": str(n), "name": CANARY, "taxId": "1", "nova": [CANARY], "ccbCode": None} for n in range(30)
    ]
    path.write_bytes(b"".join(map(bson.encode, documents)))
    return path


@pytest.mark.parametrize("columns", [80, 160])
def test_the_command_tells_fields_columns_and_what_is_missing_and_never_a_value(
    dump: Path, columns: int
) -> None:
    told = CliRunner().invoke(main, ["census", "--source", str(dump)], env={"COLUMNS": str(columns)})
    assert told.exit_code == 0, told.output
    assert CANARY not in told.output
    lines = [" ".join(line.split()) for line in told.stdout.splitlines()]
    column = "clientes.nome, " if columns == 160 else ""
    assert f"name 100% string {column}required" in lines
    assert f"nova 100% array {'operacoes.' if columns == 160 else ''}extras" in lines
    assert "30 documents looked at" in lines
    (needed,) = [line for line in lines if line.startswith("required, and never there:")]
    assert "clientId" in needed
    assert "ccbCode" not in needed  # it is there, and null
    assert any(line.startswith("never there:") and "operation.CET" in line for line in lines)


def test_its_json_is_one_document_and_it_reads_no_more_than_it_is_asked_to(dump: Path) -> None:
    told = CliRunner().invoke(main, ["census", "--source", str(dump), "--documents", "7", "--json"])
    found = json.loads(told.stdout)
    assert (found["documents"], found["unreadable"]) == (7, 0)
    (name,) = [one for one in found["fields"] if one["path"] == "name"]
    assert name == {
        "path": "name", "within": 7, "holders": 7, "found": 7, "null": 0, "empty": 0,
        "types": {"string": 7}, "column": "clientes.nome", "required": True,
    }  # fmt: skip
    assert CANARY not in told.output


def test_an_empty_dump_is_named(tmp_path: Path) -> None:
    (tmp_path / "c.bson").write_bytes(b"")
    told = CliRunner().invoke(main, ["census", "--source", str(tmp_path / "c.bson")])
    assert told.exit_code == 13
    assert "c.bson holds no document" in told.stderr
