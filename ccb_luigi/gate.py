"""The fast way through the contract: the Cerberus schema compiled once into closures.

The gate answers with the normalised document, or with ``None`` for *unsure*: it never rejects. What it
isn't sure of goes to Cerberus, the only judge. It reads values with the same functions, so valid here
means valid there, with the same normal forms (a property test holds that). A rule, coercion or check
that this compiler doesn't know makes its field unsure for ever, never wrongly valid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from ccb_luigi import values
from ccb_luigi.values import Unreadable

Document = dict[str, Any]
Rules = Mapping[str, Any]
Reader = Callable[[Any], Any]
Gate = Callable[[Document], Document | None]

MEMORY = 50_000
"""Distinct texts of amounts, rates and dates that are remembered, per reader: a few megabytes."""

_KNOWN_RULES = frozenset(
    {"type", "coerce", "nullable", "required", "schema", "maxlength", "min", "check_with"}
)


class _Unsure(Exception):
    """Cerberus must look at this document."""


def compiled(schema: Rules, zone: ZoneInfo) -> Gate:
    """The gate of a schema; ``zone`` is the one in which local times are read."""
    read = _fields(schema, zone)

    def gate(document: Document) -> Document | None:
        try:
            return read(document)
        except (_Unsure, Unreadable):
            return None

    return gate


def _fields(schema: Rules, zone: ZoneInfo) -> Callable[[Document], Document]:
    """A function from a raw (sub-)document to its normalised known fields."""
    names = tuple(schema)
    person = next((name for name, rules in schema.items() if rules.get("coerce") == "person_type"), None)
    readers = tuple(_reader(rules, zone) for rules in schema.values())
    pairs = tuple(zip(names, readers, strict=True))

    def read(document: Document) -> Document:
        get = document.get
        return {name: reader(get(name)) for name, reader in pairs}

    def read_with_person(document: Document) -> Document:
        tax_id = document.get("taxId")
        if type(tax_id) is not str:  # how many digits an int had depends on the field beside it
            raise _Unsure
        return read(document)

    return read_with_person if person else read


def _reader(rules: Rules, zone: ZoneInfo) -> Reader:
    """A function from a raw value to its normal form, that holds all the rules of the field."""
    coerce, kind = rules.get("coerce"), rules.get("type")
    if not rules.keys() <= _KNOWN_RULES or _TYPE_OF.get(str(coerce)) != kind:
        return _never
    if coerce == "document":
        read = _document_reader(rules, zone)
    elif coerce == "items":
        read = _items_reader(rules, zone)
    elif "schema" in rules:
        return _never
    else:
        read = _scalar_reader(str(coerce), zone)
    for rule, check in (("maxlength", _at_most), ("min", _at_least), ("check_with", _checked)):
        if rule in rules:
            read = check(read, rules[rule])
    nullable = rules.get("nullable", False)
    return read if nullable and not rules.get("required") else _present(read, nullable)


_TYPE_OF = {
    "text": "string",
    "key": "string",
    "mongo_id": "string",
    "person_type": "string",
    "tax_id": "string",
    "zip_code": "string",
    "money": "decimal",
    "rate": "decimal",
    "integer": "integer",
    "boolean": "boolean",
    "date": "date",
    "moment": "datetime",
    "document": "dict",
    "items": "list",
}


def _never(_: Any) -> Any:
    raise _Unsure


def _scalar_reader(coerce: str, zone: ZoneInfo) -> Reader:
    plain: dict[str, Reader] = {
        "text": values.text,
        "key": values.key,
        "mongo_id": values.mongo_id,
        "person_type": values.person_type,
        "tax_id": lambda value: values.tax_id(value, None),
        "zip_code": values.zip_code,
        "boolean": values.boolean,
        "moment": lambda value: values.moment(value, zone),
    }
    remembered: dict[str, Reader] = {
        "money": values.money,
        "rate": values.rate,
        "integer": values.integer,
        "date": lambda value: values.calendar_date(value, zone),
    }
    return plain[coerce] if coerce in plain else _remembering(remembered[coerce])


def _remembering(read: Reader) -> Reader:
    """Amounts and dates repeat: most fields of a schedule are "0". Only texts are remembered."""
    memory: dict[str, Any] = {}

    def remember(value: Any) -> Any:
        if type(value) is not str:
            return read(value)
        try:
            return memory[value]
        except KeyError:
            if len(memory) >= MEMORY:
                memory.clear()
            found = memory[value] = read(value)
            return found

    return remember


def _document_reader(rules: Rules, zone: ZoneInfo) -> Reader:
    read = _fields(rules.get("schema", {}), zone)

    def document(value: Any) -> Document | None:
        if values.is_null(value):
            return None
        if type(value) is not dict:
            raise _Unsure
        return read(value)

    return document


def _items_reader(rules: Rules, zone: ZoneInfo) -> Reader:
    read = _reader(rules.get("schema", {}), zone)

    def items(value: Any) -> list[Any] | None:
        if values.is_null(value):
            return None
        return [read(item) for item in (value if type(value) is list else [value])]

    return items


def _at_most(read: Reader, limit: int) -> Reader:
    def short(value: Any) -> Any:
        found = read(value)
        if found is not None and len(found) > limit:
            raise _Unsure
        return found

    return short


def _at_least(read: Reader, limit: Any) -> Reader:
    def large(value: Any) -> Any:
        found = read(value)
        if found is not None and found < limit:
            raise _Unsure
        return found

    return large


def _checked(read: Reader, check: Any) -> Reader:
    if check != "distinct_numbers":
        return _never

    def distinct(value: Any) -> Any:
        found = read(value)
        numbers = [row["NumeroDaParcela"] for row in found or () if row is not None]
        if len(numbers) != len(set(numbers)):
            raise _Unsure
        return found

    return distinct


def _present(read: Reader, nullable: bool) -> Reader:
    """A required field. One that may be null but not missing can't be told apart here."""

    def present(value: Any) -> Any:
        if value is None and nullable:
            raise _Unsure
        found = read(value)
        if found is None and not nullable:
            raise _Unsure
        return found

    return present
