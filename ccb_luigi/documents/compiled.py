"""The contract compiled: its Cerberus schema turned once into functions, a fast way through it.

It answers with the normalised document, or with ``None`` for *unsure*: it never rejects. What it isn't sure
of goes to Cerberus, the only judge. It reads values with the same readers (``kinds``), so valid here means
valid there, with the same normal forms (a property test holds that). A rule, kind or check that this
compiler doesn't know makes its field unsure for ever, never wrongly valid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from ccb_luigi.documents import values
from ccb_luigi.documents.kinds import KINDS, Kind, Reader, Usual
from ccb_luigi.documents.rawbson import Document
from ccb_luigi.documents.values import Unreadable

Rules = Mapping[str, Any]
"""Of a field, as Cerberus has them; a schema is the rules of several, by name."""

MEMORY = 10_000
"""Distinct texts that are remembered, per kind."""

_SCALAR_RULES = frozenset({"type", "coerce", "nullable", "required", "maxlength", "min"})
_DOCUMENT_RULES = frozenset({"type", "coerce", "nullable", "required", "schema"})
_LIST_RULES = _DOCUMENT_RULES | {"check_with"}


class Unsure(Exception):
    """Cerberus must look at this document."""


class Compiler:
    """Makes readers of fields out of their rules; ``zone`` is the one in which local times are read."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._readers = {name: _certain(kind, zone) for name, kind in KINDS.items()}
        self._memories = {
            name: _Memory(self._readers[name]) for name, kind in KINDS.items() if kind.remembered
        }

    def contract(self, schema: Rules) -> Callable[[Document], Document | None]:
        """A function from a decoded document to its normal form, ``None`` if that isn't sure."""
        read = self.fields(schema)

        def check(document: Document) -> Document | None:
            try:
                return read(document)
            except (Unsure, Unreadable):
                return None

        return check

    def fields(self, schema: Rules) -> Callable[[Document], Document]:
        """A function from a raw (sub-)document to its normalised known fields."""
        readers = [(name, self.reader(rules)) for name, rules in schema.items()]

        def read(document: Document) -> Document:
            get = document.get
            return {name: of_field(get(name)) for name, of_field in readers}

        return read

    def reader(self, rules: Rules) -> Reader:
        """A function from a field's raw value to its normal form, that holds all the rules of the field."""
        kind = known_kind(rules)
        if kind is None:
            return _never
        if kind.type == "dict":
            return _required(self._document(rules), rules)
        if kind.type == "list":
            return _required(self._items(rules), rules)
        read: Reader = self._written("lambda v: {}", kind, rules)
        return read

    def column(self, rules: Rules, one: Reader) -> Callable[[list[Any]], list[Any]]:
        """A function for many values of a field; ``one``: its ``reader``."""
        kind = known_kind(rules)
        if kind is None or kind.type in ("dict", "list"):
            return lambda column: [*map(one, column)]
        written: Callable[[list[Any]], list[Any]] = self._written(
            "lambda column: [{} for v in column]", kind, rules
        )
        return written

    def _written(self, code: str, kind: Kind, rules: Rules) -> Any:
        """A function of this code, in which {} stands for the normal form of the raw value ``v``.

        The usual form of a value is read in place, and only another one by the field's reader.
        """
        memory = self._memories.get(rules["coerce"])
        of_kind = self._readers[rules["coerce"]] if memory is None else memory
        read = _required(_within(of_kind, rules), rules)
        usual = kind.usual
        if kind.remembered:
            must_be = rules.get("required") or not rules.get("nullable")
            usual = Usual(f"type(v) is str{' and memory[v] is not None' if must_be else ''}", "memory[v]")
        expression = "read(v)"
        if usual and "min" not in rules:
            # What is short enough is so when it is trimmed, too.
            short = f" and len(v) <= {rules['maxlength']!r}" if "maxlength" in rules else ""
            expression = f"{usual.found} if {usual.condition}{short} else read(v)"
        known = {"read": read, "memory": memory, "datetime": datetime, "UTC": UTC}
        return eval(code.format(expression), known)  # noqa: S307  # nothing of a document is in it

    def _document(self, rules: Rules) -> Reader:
        read = self.fields(rules.get("schema", {}))

        def document(value: Any) -> Document | None:
            if type(value) is dict and "@i:nil" not in value and "@xsi:nil" not in value:  # nearly all
                return read(value)
            if values.is_null(value):
                return None
            if type(value) is not dict:
                raise Unsure
            return read(value)

        return document

    def _items(self, rules: Rules) -> Reader:
        read = self.reader(rules.get("schema", {}))
        check = _CHECKS[rules.get("check_with")]

        def items(value: Any) -> list[Any] | None:
            if type(value) is not list:
                if values.is_null(value):
                    return None
                value = [value]
            found = [read(item) for item in value]
            check(found)
            return found

        return items


def known_kind(rules: Rules) -> Kind | None:
    """The kind of a field, if all its rules are known here."""
    kind = KINDS.get(str(rules.get("coerce")))
    if kind is None or kind.type != rules.get("type"):
        return None
    if kind.type == "dict":
        known = rules.keys() <= _DOCUMENT_RULES
    elif kind.type == "list":
        known = rules.keys() <= _LIST_RULES and rules.get("check_with") in _CHECKS
    else:
        known = rules.keys() <= _SCALAR_RULES and ("maxlength" not in rules or kind.type == "string")
    return kind if known else None


def _never(_: Any) -> Any:
    raise Unsure


def _certain(kind: Kind, zone: ZoneInfo) -> Reader:
    """The kind's reader for values that it can read without Cerberus."""
    read, certain = kind.reader(zone, {}), kind.certain
    if certain is None:
        return read

    def sure(value: Any) -> Any:
        found = read(value)
        if not certain(value, found):
            raise Unsure
        return found

    return sure


class _Memory(dict[Any, Any]):
    """Texts of one kind and what they mean. Amounts and dates repeat: most fields of a schedule are "0"."""

    def __init__(self, read: Reader) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, value: str) -> Any:
        found = self._read(value)
        if len(self) < MEMORY:
            self[value] = found
        return found

    def __call__(self, value: Any) -> Any:
        """The meaning of any value. Of what is no text nothing is remembered: 1, 1.0 and True are one key."""
        return self[value] if type(value) is str else self._read(value)


def _within(read: Reader, rules: Rules) -> Reader:
    """A reader that holds the bounds of a field as well."""
    longest, least = rules.get("maxlength"), rules.get("min")
    if longest is None and least is None:
        return read

    def bounded(value: Any) -> Any:
        found = read(value)
        if found is None:
            return None
        if (longest is not None and len(found) > longest) or (least is not None and found < least):
            raise Unsure
        return found

    return bounded


def _required(read: Reader, rules: Rules) -> Reader:
    """A reader that takes no null where there must be a value.

    Of a field that may be null but not missing, only Cerberus can tell which it is.
    """
    nullable = rules.get("nullable", False)
    if nullable and not rules.get("required"):
        return read

    def present(value: Any) -> Any:
        if value is None and nullable:
            raise Unsure
        found = read(value)
        if found is None and not nullable:
            raise Unsure
        return found

    return present


def _distinct_numbers(rows: list[Any]) -> None:
    numbers = [row["NumeroDaParcela"] for row in rows if row is not None]
    if len(numbers) != len(set(numbers)):
        raise Unsure


_CHECKS: dict[Any, Callable[[list[Any]], None]] = {
    None: lambda found: None,
    "distinct_numbers": _distinct_numbers,
}
