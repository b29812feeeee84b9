"""What the compiled contract calls valid Cerberus does, with the same normal forms; it follows the schema."""

from __future__ import annotations

import copy
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from contracts import bson_values, changed, changed_at_once, contract, field_paths
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ccb_luigi.documents.compiled import Compiler
from ccb_luigi.documents.contract import SCHEMA, Contract, Rejected
from ccb_luigi.documents.rawbson import Document
from ccb_luigi.documents.schedule import Schedule

ZONE = ZoneInfo("America/Sao_Paulo")
CONTRACT = Contract(ZONE)
PATHS = sorted(field_paths(contract()))


def known(document: Any, schema: Any) -> Any:
    """The fields of a normalised document that the schema knows, missing ones as null."""
    if document is None:
        return None
    found = {}
    for name, rules in schema.items():
        value = document.get(name)
        inner = rules.get("schema")
        if inner and rules["type"] == "dict":
            value = known(value, inner)
        elif inner and "schema" in inner and value is not None:
            items = value.items if isinstance(value, Schedule) else value
            value = [known(item, inner["schema"]) for item in items]
        found[name] = value
    return found


def exactly(value: Any) -> Any:
    """Tells 1.0 from 1.00 and True from 1, which compare equal."""
    if isinstance(value, dict):
        return {name: exactly(inner) for name, inner in value.items()}
    if isinstance(value, Schedule):
        value = [*value.items]
    if isinstance(value, list):
        return [exactly(inner) for inner in value]
    return type(value).__name__, str(value)


def agree(document: Document, schema: Any = SCHEMA) -> None:
    passed = CONTRACT.compiled(document)
    if passed is None:
        return
    judged = CONTRACT.judge(document)  # raises Rejected if the compiled contract was wrong
    assert exactly(known(passed, schema)) == exactly(known(judged, schema))


def test_the_compiled_contract_is_sure_of_an_ordinary_contract() -> None:
    assert CONTRACT.compiled(contract()) is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"operation.ValorBruto": "18.412,54"},
        {"operation.parcelas": ""},
        {"identity": {"@i:nil": "true"}},
        {"address": [None]},
        {"contacts.phone": ["(11) 90000-0000", None]},
        {"pep": "N"},
        {"operation.NumeroDeParcelas": "12"},
    ],
)
def test_the_compiled_contract_reads_the_usual_variants_by_itself(changes: Document) -> None:
    document = contract(**changes)
    assert CONTRACT.compiled(document) is not None
    agree(document)


@pytest.mark.parametrize("person", ["PF", "PJ", " pj "])
def test_how_many_digits_a_number_had_for_a_tax_id_depends_on_the_person(person: str) -> None:
    agree(contract(taxId=191, type=person))  # whose check digits are right for a CPF and for a CNPJ


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(PATHS), bson_values())
def test_what_is_valid_without_cerberus_is_valid_by_cerberus_with_the_same_values(
    path: str, value: Any
) -> None:
    agree(changed(contract(), path, value))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(PATHS), bson_values(), min_size=2, max_size=4))
def test_several_changes_at_once_do_not_fool_the_compiled_contract(changes: Document) -> None:
    agree(changed_at_once(contract(), changes))


def test_the_compiled_contract_never_remembers_one_type_for_another() -> None:
    for value in ("1", 1, True, 1.0, "1", 1, True):
        agree(contract(**{"operation.ValorDoSeguro": value}))
        agree(contract(**{"operation.Carencia": value}))


def every_field(schema: Any, prefix: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = []
    for name, rules in schema.items():
        found.append((*prefix, name))
        inner = rules.get("schema", {})
        if rules["type"] == "dict":
            found += every_field(inner, (*prefix, name, "schema"))
        elif "schema" in inner:
            found += every_field(inner["schema"], (*prefix, name, "schema", "schema"))
    return found


def rules_at(schema: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        schema = schema[step]
    return schema


@pytest.mark.parametrize("path", every_field(SCHEMA), ids=".".join)
def test_a_rule_that_the_compiler_does_not_know_makes_every_document_unsure(path: tuple[str, ...]) -> None:
    schema = copy.deepcopy(SCHEMA)
    rules_at(schema, path)["forbidden"] = ["x"]
    assert Compiler(ZONE).contract(schema)(contract()) is None


@pytest.mark.parametrize("path", every_field(SCHEMA), ids=".".join)
def test_a_coercion_that_does_not_go_with_the_type_makes_every_document_unsure(path: tuple[str, ...]) -> None:
    schema = copy.deepcopy(SCHEMA)
    rules_at(schema, path)["type"] = "set"
    assert Compiler(ZONE).contract(schema)(contract()) is None


@pytest.mark.parametrize("path", every_field(SCHEMA), ids=".".join)
def test_a_field_that_becomes_required_is_required_by_the_compiled_contract(path: tuple[str, ...]) -> None:
    schema = copy.deepcopy(SCHEMA)
    rules_at(schema, path).update(required=True, nullable=False)
    steps = [step for step in path if step != "schema"]
    document = contract()
    place: Any = document
    for step in steps[:-1]:
        place = place[step]
        place = place[0] if isinstance(place, list) else place
    place.pop(steps[-1], None)
    assert Compiler(ZONE).contract(schema)(document) is None


@pytest.mark.parametrize(
    ("path", "rule", "value"),
    [
        (("clientId",), "maxlength", 3),
        (("_id",), "maxlength", 3),
        (("operation", "schema", "NumeroDeParcelas"), "min", 1000),
        (("operation", "schema", "parcelas", "schema", "PrevisaoDeParcela"), "check_with", "something_else"),
    ],
    ids=str,
)
def test_a_stricter_rule_is_stricter_when_compiled(path: tuple[str, ...], rule: str, value: Any) -> None:
    schema = copy.deepcopy(SCHEMA)
    rules_at(schema, path)[rule] = value
    assert Compiler(ZONE).contract(schema)(contract()) is None


def test_the_compiled_contract_never_rejects_by_itself() -> None:
    bad = contract(**{"operation.ValorBruto": "NaN"})
    assert CONTRACT.compiled(bad) is None
    with pytest.raises(Rejected):
        CONTRACT.judge(bad)
