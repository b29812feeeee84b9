"""The fields of a document that the contract doesn't know, so that ``operacoes.extras`` loses none of them.

Built once from the schema: a function per document and sub-document that the schema describes. What lies
inside an unknown field isn't looked into; it is kept whole.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import filterfalse
from typing import Any

from ccb_luigi.documents import values
from ccb_luigi.documents.compiled import Rules
from ccb_luigi.documents.contract import SCHEMA
from ccb_luigi.documents.rawbson import Document

Walk = Callable[[Any, str, Document], None]
"""Gets a value, its path and a dictionary, to which it adds path → value of each unknown field inside."""


def extras(document: Document) -> Document:
    """Dotted path → value of every field of a raw, valid document that has no place in the schema; sorted."""
    found: Document = {}
    _extras(document, "", found)
    return dict(sorted(found.items()))


def _unknown(schema: Rules) -> Walk:
    """Walks a document with the fields of ``schema``; its path comes with the dot, as a prefix.

    A dot or backslash inside a key is escaped with a backslash, so that no two paths are alike.
    """
    known = frozenset(schema)
    nested = [
        (name, _leaf(rules), step)
        for name, rules in schema.items()
        if "schema" in rules and (step := _unknown_inside(rules))
    ]

    def walk(document: Document, prefix: str, found: Document) -> None:
        if not known.issuperset(document):
            if values.is_null(document):  # {"@i:nil": "true"} is no document
                return
            for key in filterfalse(known.__contains__, document):
                found[prefix + key.replace("\\", "\\\\").replace(".", "\\.")] = document[key]
        for name, leaf, step in nested:
            # Nearly every sub-document has known fields only: two looks at its keys are cheaper than a call.
            if (value := document.get(name)) and not (type(value) is dict and leaf.issuperset(value)):
                step(value, prefix + name, found)

    return walk


def _unknown_inside(rules: Rules) -> Walk | None:
    """Walks a field's value: a sub-document, or a list of them; ``None``: its items are no documents."""
    inner = rules["schema"]
    if rules["type"] == "dict":
        walk = _unknown(inner)

        def walk_document(value: Any, path: str, found: Document) -> None:
            if isinstance(value, dict):
                walk(value, path + ".", found)

        return walk_document
    if "schema" not in inner:
        return None
    walk_item, leaf = _unknown(inner["schema"]), _leaf(rules)

    def walk_items(value: Any, path: str, found: Document) -> None:
        if not isinstance(value, (list, dict)):
            return
        items = value if isinstance(value, list) else [value]
        with suppress(TypeError):  # some item has no keys
            if all(map(leaf.issuperset, items)):
                return
        for index, item in enumerate(items):
            if isinstance(item, dict):
                walk_item(item, f"{path}.{index}.", found)

    return walk_items


def _leaf(rules: Rules) -> frozenset[str]:
    """The keys in a sub-document, or in an item of a list, behind which no unknown field can be."""
    fields = rules["schema"] if rules["type"] == "dict" else rules["schema"].get("schema", {})
    return frozenset(n for n, field in fields.items() if "schema" not in field or not _unknown_inside(field))


_extras = _unknown(SCHEMA)
