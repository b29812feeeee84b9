"""What fields documents have: how often, of which BSON types, how often null or empty; never a value."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from bson.errors import InvalidBSON

from ccb_luigi.documents import rawbson
from ccb_luigi.documents.rawbson import ARRAY, DOCUMENT, NULL, STRING

KEYS = 200
"""A (sub-)document with more different keys than these has data for keys: they are counted as one, ``*``."""

EACH = "*"
"""In a path: each item of a list, or each of very many keys."""

NAMES = {
    0x01: "double",
    STRING: "string",
    DOCUMENT: "object",
    ARRAY: "array",
    0x05: "binData",
    0x06: "undefined",
    0x07: "objectId",
    0x08: "bool",
    0x09: "date",
    NULL: "null",
    0x0B: "regex",
    0x0C: "dbPointer",
    0x0D: "javascript",
    0x0E: "symbol",
    0x0F: "javascriptWithScope",
    0x10: "int",
    0x11: "timestamp",
    0x12: "long",
    0x13: "decimal",
    0x7F: "maxKey",
    0xFF: "minKey",
}
"""BSON's types as MongoDB's ``$type`` calls them."""

_NILS = (b"@i:nil", b"@xsi:nil")


@dataclass(slots=True)
class Field:
    """What was counted of one path; ``name``: its last part, ``depth`` parts after the first one.

    ``within``: documents, sub-documents or lists that could have it; ``found``: values; ``holders``: how many
    of ``within`` had at least one. ``types``: MongoDB's name → values. ``null``: also an XML converter's nil;
    ``empty``: blank texts, empty lists and objects.
    """

    path: str
    name: str
    depth: int
    within: int = 0
    found: int = 0
    holders: int = 0
    types: Counter[str] = field(default_factory=Counter)
    null: int = 0
    empty: int = 0

    def take(self, other: Field) -> None:
        """Adds what was counted of another path of the same parent."""
        self.found += other.found
        self.holders = min(self.within, self.holders + other.holders)
        self.types.update(other.types)
        self.null += other.null
        self.empty += other.empty


class Census:
    """Counts fields of raw documents. ``documents``: how many; ``unreadable``: those that are no BSON."""

    def __init__(self) -> None:
        self.documents = 0
        self.unreadable = 0
        self._within: Counter[tuple[str, bool]] = Counter()  # path, whether it is a list
        self._children: defaultdict[str, dict[str, Field]] = defaultdict(dict)

    def add(self, raw: bytes) -> None:
        """Counts one more document."""
        self.documents += 1
        try:
            rawbson.decode(raw)
        except InvalidBSON:
            self.unreadable += 1
            return
        # Without recursion: how deep a document goes is its own choice.
        waiting = [(0, "", 0, False)]
        while waiting:
            start, parent, depth, is_list = waiting.pop()
            self._within[parent, is_list] += 1
            seen = set()
            for kind, key, value in rawbson.elements(raw, start):
                counted = self._field(parent, depth, EACH if is_list else rawbson.shown(key))
                if counted.path not in seen:
                    seen.add(counted.path)
                    counted.holders += 1
                counted.found += 1
                counted.types[NAMES[kind]] += 1
                if kind in (DOCUMENT, ARRAY):
                    inner = next(iter(rawbson.elements(raw, value)), None)
                    if inner is None:
                        counted.empty += 1
                    elif kind == DOCUMENT and inner[1] in _NILS:
                        counted.null += 1
                    else:
                        waiting.append((value, counted.path, depth + 1, kind == ARRAY))
                elif kind == NULL:
                    counted.null += 1
                elif kind == STRING:
                    counted.empty += _is_blank(raw, value)

    def _field(self, parent: str, depth: int, name: str) -> Field:
        known = self._children[parent]
        if name not in known:
            if len(known) > KEYS:
                name = EACH
            known.setdefault(name, Field(f"{parent}.{name}" if parent else name, name, depth))
        return known[name]

    def fields(self) -> list[Field]:
        """Every path, a (sub-)document's own before those inside it, in the order in which they came."""
        found: list[Field] = []
        waiting = [*reversed(self._named(""))]
        while waiting:
            one = waiting.pop()
            found.append(one)
            waiting += reversed(self._named(one.path))
        return found

    def _named(self, parent: str) -> list[Field]:
        """The fields directly inside; if they are too many, all as one."""
        fields = [*self._children[parent].values()] if parent in self._children else []
        for one in fields:
            one.within = self._within[parent, one.name == EACH] or self._within[parent, False]
        if len(fields) <= KEYS:
            return fields
        path, within = f"{parent}.{EACH}" if parent else EACH, self._within[parent, False]
        together = Field(path, EACH, fields[0].depth, within)
        for one in fields:
            together.take(one)
        return [together]


def _is_blank(raw: bytes, value: int) -> bool:
    """Whether a text is empty or white space alone. It has its length before it, and a NUL behind it."""
    length = int.from_bytes(raw[value : value + 4], "little")
    return not raw[value + 4 : value + 3 + length].decode().strip()
