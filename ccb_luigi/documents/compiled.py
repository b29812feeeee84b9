"""The fast way through the contract: the Cerberus schema compiled once into functions.

The gate answers with the normalised document, or with ``None`` for *unsure*: it never rejects. What it
isn't sure of goes to Cerberus, the only judge. It reads values with the same functions, so valid here
means valid there, with the same normal forms (a property test holds that). A rule, coercion or check
that this compiler doesn't know makes its field unsure for ever, never wrongly valid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from ccb_luigi.documents import times, values
from ccb_luigi.documents.schedule import TextSchedule
from ccb_luigi.documents.values import Rounded, Unreadable

Document = dict[str, Any]
Rules = Mapping[str, Any]
Reader = Callable[[Any], Any]
Gate = Callable[[Document], Document | None]

MEMORY = 10_000
"""Distinct texts of amounts, rates and dates that are remembered, per reader."""

_USUAL_RULES = frozenset({"type", "coerce", "nullable", "required", "maxlength"})
_KNOWN_RULES = frozenset(
    {"type", "coerce", "nullable", "required", "schema", "maxlength", "min", "check_with"}
)


class Unsure(Exception):
    """Cerberus must look at this document."""


def compiled(schema: Rules, zone: ZoneInfo) -> Gate:
    """The gate of a schema; ``zone`` is the one in which local times are read."""
    read = _fields(schema, zone)

    def gate(document: Document) -> Document | None:
        try:
            return read(document)
        except (Unsure, Unreadable):
            return None

    return gate


def _fields(schema: Rules, zone: ZoneInfo) -> Callable[[Document], Document]:
    """A function from a raw (sub-)document to its normalised known fields.

    It is written here as code, one expression per field: the usual form of a value is read in place, and
    only another one by the field's reader. Calls are what the gate's time would go into.
    """
    written = Expressions(zone)
    entries = [f"{name!r}: {written.of(rules, f'get({name!r})')}" for name, rules in schema.items()]
    return written.function(f"lambda document: (get := document.get) and {{{', '.join(entries)}}}")


class Expressions:
    """Writes code that reads values."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        memories = {f"remembered_{coerce}": _Memory(read(zone)) for coerce, read in _REMEMBERED.items()}
        self._known: dict[str, Any] = {"datetime": datetime, "UTC": UTC, **memories}

    def of(self, rules: Rules, value: str) -> str:
        """An expression for the normal form of the raw value that the expression ``value`` gives."""
        read = self._name("read", reader(rules, self._zone))
        if usual := _usual(rules):
            found, condition = usual
            return f"{found} if {condition.format(value)} else {read}(v)"
        if inner := usual_document(rules):
            fields = self._name("fields", _fields(inner, self._zone))
            return f"{fields}(v) if {_IS_DOCUMENT.format(value)} else {read}(v)"
        if inner := usual_items(rules):
            item = self._name("item", self.function(f"lambda i: {self.of(inner, 'i')}"))
            only = f"[{item}(v)] if {_IS_DOCUMENT.format('v')} else {read}(v)"
            return f"[*map({item}, v)] if type(v := {value}) is list else {only}"
        return f"{read}({value})"

    def _name(self, kind: str, value: Any) -> str:
        """A name by which expressions can mention ``value``."""
        name = f"{kind}_{len(self._known)}"
        self._known[name] = value
        return name

    def function(self, code: str) -> Callable[..., Any]:
        """What the code says."""
        found: Callable[..., Any] = eval(code, self._known)  # noqa: S307  # nothing of a document is in it
        return found


# What reads a value ``v`` of its usual form, and the condition for it, where {} stands for the raw value.
_TEXT = ("s", "type(v := {}) is str and (s := v.strip()) and '\\0' not in s")
_USUAL = {
    "text": _TEXT,
    "key": _TEXT,
    # Hardly one begins with any of these: of such `names` knows which are told in quotes.
    "mongo_id": ("v", "type(v := {}) is str and '\\0' not in v and v[:1] not in '{{[\"ntfs'"),
    "person_type": ("v", "type(v := {}) is str and v in ('PF', 'PJ')"),
    "boolean": ("v", "type(v := {}) is bool"),
    # Between these years every zone has a day for it.
    "moment": ("v", "type(v := {}) is datetime and v.tzinfo is UTC and 1 < v.year < 9999"),
}


# Nearly all are; what could be null by its keys goes to the reader, which asks `values.is_null`.
_IS_DOCUMENT = "type(v := {}) is dict and '@i:nil' not in v and '@xsi:nil' not in v"


def usual_document(rules: Rules) -> Rules | None:
    """The schema of a field that is a sub-document, if a document that isn't null is all that it asks for."""
    usual = rules.keys() <= {"type", "coerce", "nullable", "required", "schema"}
    is_document = (rules.get("coerce"), rules.get("type")) == ("document", "dict")
    return rules.get("schema", {}) if usual and is_document else None


def usual_items(rules: Rules) -> Rules | None:
    """The rules of a list's items, if the list has no other rules."""
    usual = rules.keys() <= {"type", "coerce", "nullable", "schema"}
    is_list = (rules.get("coerce"), rules.get("type")) == ("items", "list")
    return rules.get("schema") if usual and is_list else None


def _usual(rules: Rules) -> tuple[str, str] | None:
    """``_USUAL`` for a field, its rules included; ``None``: its reader must look at all values."""
    coerce = str(rules.get("coerce"))
    if not rules.keys() <= _USUAL_RULES or _TYPE_OF.get(coerce) != rules.get("type"):
        return None
    if "maxlength" in rules and rules["type"] != "string":
        return None
    if coerce in _REMEMBERED:
        found, condition = f"remembered_{coerce}[v]", "type(v := {}) is str"
        if rules.get("required") or not rules.get("nullable"):
            condition += f" and {found} is not None"
    elif coerce in _USUAL:
        found, condition = _USUAL[coerce]
    else:
        return None
    if "maxlength" in rules:  # trimming makes it no longer
        condition += f" and len(v) <= {rules['maxlength']!r}"
    return found, condition


def reader(rules: Rules, zone: ZoneInfo) -> Reader:
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
    raise Unsure


def _scalar_reader(coerce: str, zone: ZoneInfo) -> Reader:
    if coerce in _REMEMBERED:
        return _Memory(_REMEMBERED[coerce](zone)).recall
    return _ONCE[coerce](zone)


def _tax_id(value: Any) -> str | None:
    if type(value) is not str:  # how many digits an int had depends on the field beside it
        raise Unsure
    return values.tax_id(value, None)


def _exact_money(value: Any) -> Any:
    found = values.money(value)
    if type(found) is Rounded:  # which is a finding
        raise Unsure
    return found


_ONCE: dict[str, Callable[[ZoneInfo], Reader]] = {
    "text": lambda zone: values.text,
    "key": lambda zone: values.key,
    "mongo_id": lambda zone: values.mongo_id,
    "person_type": lambda zone: values.person_type,
    "tax_id": lambda zone: _tax_id,
    "zip_code": lambda zone: values.zip_code,
    "boolean": lambda zone: values.boolean,
    "moment": lambda zone: lambda value: times.moment(value, zone),
}

_REMEMBERED: dict[str, Callable[[ZoneInfo], Reader]] = {
    "money": lambda zone: _exact_money,
    "rate": lambda zone: values.rate,
    "integer": lambda zone: values.integer,
    "date": lambda zone: lambda value: times.calendar_date(value, zone),
}


class _Memory(dict[Any, Any]):
    """Texts and what they mean. Amounts and dates repeat: most fields of a schedule are "0"."""

    def __init__(self, read: Reader) -> None:
        super().__init__()
        self.read = read

    def __missing__(self, value: Any) -> Any:
        found = self.read(value)
        if type(value) is str and len(self) < MEMORY:  # 1, 1.0 and True would be one key
            self[value] = found
        return found

    def recall(self, value: Any) -> Any:
        """The meaning of any value, also of one that can't be a key."""
        return self[value] if type(value) is str else self.read(value)


def _document_reader(rules: Rules, zone: ZoneInfo) -> Reader:
    read = _fields(rules.get("schema", {}), zone)

    def document(value: Any) -> Document | None:
        if values.is_null(value):
            return None
        if type(value) is not dict:
            raise Unsure
        return read(value)

    return document


def _items_reader(rules: Rules, zone: ZoneInfo) -> Reader:
    read = reader(rules.get("schema", {}), zone)

    def items(value: Any) -> list[Any] | TextSchedule | None:
        if type(value) is TextSchedule:  # whoever made it has checked its items
            return value
        if type(value) is not list:
            if values.is_null(value):
                return None
            value = [value]
        return [read(item) for item in value]

    return items


def _at_most(read: Reader, limit: int) -> Reader:
    def short(value: Any) -> Any:
        found = read(value)
        if found is not None and len(found) > limit:
            raise Unsure
        return found

    return short


def _at_least(read: Reader, limit: Any) -> Reader:
    def large(value: Any) -> Any:
        found = read(value)
        if found is not None and found < limit:
            raise Unsure
        return found

    return large


def _checked(read: Reader, check: Any) -> Reader:
    if check != "distinct_numbers":
        return _never

    def distinct(value: Any) -> Any:
        found = read(value)
        if type(found) is TextSchedule and "NumeroDaParcela" in found.rising:
            return found
        numbers = [row["NumeroDaParcela"] for row in found or () if row is not None]
        if len(numbers) != len(set(numbers)):
            raise Unsure
        return found

    return distinct


def _present(read: Reader, nullable: bool) -> Reader:
    """A required field. One that may be null but not missing can't be told apart here."""

    def present(value: Any) -> Any:
        if value is None and nullable:
            raise Unsure
        found = read(value)
        if found is None and not nullable:
            raise Unsure
        return found

    return present
