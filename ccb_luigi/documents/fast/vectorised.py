"""The gate, a column at a time: the same compiled expressions, over one field of many documents at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, Protocol
from zoneinfo import ZoneInfo

import numpy as np
from bson.errors import InvalidBSON

from ccb_luigi.documents import compiled, rawbson
from ccb_luigi.documents.compiled import Expressions, Unsure
from ccb_luigi.documents.fast import schedule_bytes
from ccb_luigi.documents.fast.raw_columns import ARRAY, DOCUMENT, STRING, Block, Order, Positions, Values
from ccb_luigi.documents.fast.schedule_bytes import Know
from ccb_luigi.documents.values import Unreadable, is_null

Document = dict[str, Any]
Rules = Mapping[str, Any]

ITEMS = 64
"""Lists that are longer are left to others."""
LESSONS, EXAMPLES = 3, 20
"""So often the order of keys is learnt within a block, each time of so many documents (or items)."""
PAUSE, MANY = 10, 100
"""So many blocks are left to others after one most of whose documents, and so many, could not be read."""

_INDEXES = [str(index).encode() for index in range(ITEMS)]
_DOUBT = object()
"""In the place of a normal form that there is not."""


class Read(NamedTuple):
    """A valid document in its normal form, and the elements (BSON) of all its fields without a column."""

    document: Document
    others: bytes


class VectorisedReader:
    """Reads documents of one source side by side; learns in what order they have their keys."""

    def __init__(self, schema: Rules, zone: ZoneInfo, know: Know) -> None:
        self._beginner = partial(_Fields, schema, zone, know)
        self._root = self._beginner()
        self._pause = 0

    def read(self, documents: Sequence[bytes]) -> list[Read | None]:
        """The documents that are surely valid; ``None`` for the others."""
        if self._pause:
            self._pause -= 1
            return [None] * len(documents)
        found = self._read_and_learn(documents)
        if found.count(None) > len(found) / 2:  # what was learnt may have been the exception
            self._root = self._beginner()
            found = self._read_and_learn(documents)
            if found.count(None) > max(MANY, len(found)) / 2:
                self._pause = PAUSE
        return found

    def _read_and_learn(self, documents: Sequence[bytes]) -> list[Read | None]:
        found = self._read(documents)
        for _ in range(LESSONS):
            lost = [number for number, read in enumerate(found) if read is None]
            examples = (documents[number] for number in _some(lost))
            if not sum(self._root.learn(raw, 0) for raw in examples if _decodes(raw)):
                break
            again = self._read([documents[number] for number in lost])
            for number, read in zip(lost, again, strict=True):
                found[number] = read
        return found

    def _read(self, documents: Sequence[bytes]) -> list[Read | None]:
        block = _Gathering(documents)
        read = self._root.read(block, block.all, "")
        elements = block.unknown_of_each(len(documents))
        return [
            Read(document, others) if sure else None
            for sure, document, others in zip(block.sure.tolist(), read, elements, strict=True)
        ]


class _Gathering(Block):
    """A block, and what was found in it that the schema doesn't know."""

    def __init__(self, documents: Sequence[bytes]) -> None:
        super().__init__(documents)
        self._unknown: list[tuple[bytes, Values]] = []

    def unknown(self, path: str, found: Values) -> None:
        """Puts values aside whose field has no column; they may be anything."""
        self._unknown.append((path.encode() + b"\0", found))

    def unknown_of_each(self, documents: int) -> list[bytes]:
        """Per document the elements that were put aside, under their paths."""
        elements: list[list[bytes]] = [[] for _ in range(documents)]
        for name, found in self._unknown:
            named = [bytes([kind]) + name for kind in range(256)]
            for who, kind, start, end in zip(*(part.tolist() for part in found), strict=True):
                elements[who] += (named[kind], self.raw[start:end])
        return [*map(b"".join, elements)]


class _Field(Protocol):
    """Reads the values of one field. ``absent``: the normal form of none at all, or ``_DOUBT``."""

    absent: Any

    def read(self, block: _Gathering, found: Values, path: str) -> list[Any]:
        """Their normal forms; whatever has none leaves its document in doubt."""

    def learn(self, raw: bytes, kind: int, start: int) -> bool:
        """Learns the order of keys inside a value. Whether there were new ones."""


def _field(rules: Rules, zone: ZoneInfo, know: Know) -> _Field:
    if inner := compiled.usual_document(rules):
        return _SubDocument(rules, zone, _Fields(inner, zone, know))
    if inner := compiled.usual_items(rules):
        return _Items(rules, zone, _field(inner, zone, know))
    if rules.get("coerce") == "items":
        item = rules.get("schema", {})
        if read := schedule_bytes.reader(item, compiled.reader(item, zone), know):
            return _Alike(rules, zone, read)
    return _Scalar(rules, zone)


class _Scalar:
    """Values that are one thing each."""

    def __init__(self, rules: Rules, zone: ZoneInfo) -> None:
        written = Expressions(zone)
        value = written.of(rules, "raw")
        self._column = written.function(f"lambda column: [{value} for raw in column]")
        self._one = written.function(f"lambda raw: {value}")
        self.absent = _of_nothing(rules, zone)

    def read(self, block: _Gathering, found: Values, path: str) -> list[Any]:
        raw = block.decoded(found)
        try:
            normal: list[Any] = self._column(raw)
        except (Unsure, Unreadable):  # one of them
            one = self._one
            return [_checked(one, block, who, value) for who, value in zip(found.who, raw, strict=True)]
        return normal

    def learn(self, raw: bytes, kind: int, start: int) -> bool:
        return False


class _SubDocument:
    """Values that are documents, or null."""

    def __init__(self, rules: Rules, zone: ZoneInfo, fields: _Fields) -> None:
        self._fields = fields
        self._other = _Scalar(rules, zone)
        self.absent = self._other.absent

    def read(self, block: _Gathering, found: Values, path: str) -> list[Any]:
        is_document = (found.kinds == DOCUMENT) & ~block.nil(found)
        if is_document.all():
            return self._fields.read(block, found, f"{path}.")
        return _parted(block, found, path, (is_document, self), (~is_document, self._other))

    def learn(self, raw: bytes, kind: int, start: int) -> bool:
        return kind == DOCUMENT and self._fields.learn(raw, start)


class _Items:
    """Values that are lists, null, or the only item of a list."""

    def __init__(self, rules: Rules, zone: ZoneInfo, item: _Field) -> None:
        self._item = item
        self._other = _Scalar(rules, zone)
        self.absent = self._other.absent

    def read(self, block: _Gathering, found: Values, path: str) -> list[Any]:
        is_list = found.kinds == ARRAY
        is_item = (found.kinds == DOCUMENT) | (found.kinds == STRING)
        if is_list.all():
            return self._lists(block, found, path)
        if is_item.all():
            # What is null is no list, rather than a list of it.
            items = self._item.read(block, found, f"{path}.0")
            return [None if item is None else [item] for item in items]
        other = ~is_list & ~is_item
        return _parted(block, found, path, (is_list, self), (is_item, self), (other, self._other))

    def _lists(self, block: _Gathering, found: Values, path: str) -> list[Any]:
        lists: list[list[Any]] = [[] for _ in found.who]
        for index, at, items in block.elements(found, _INDEXES, gaps=False):
            read = self._item.read(block, items, f"{path}.{index.decode()}")
            for place, item in zip(at.tolist(), read, strict=True):
                lists[place].append(item)
        return lists

    def learn(self, raw: bytes, kind: int, start: int) -> bool:
        if kind != ARRAY:
            return self._item.learn(raw, kind, start)
        inside = islice(rawbson.elements(raw, start), EXAMPLES)
        return sum(self._item.learn(raw, inner, value) for inner, _, value in inside) > 0


class _Alike:
    """Lists whose items are alike in nearly every document."""

    def __init__(self, rules: Rules, zone: ZoneInfo, read: schedule_bytes.Read) -> None:
        self._read = read
        self._order = Order()
        self._check = compiled.reader(rules, zone)
        self._known = frozenset(rules["schema"]["schema"])
        self.absent = _of_nothing(rules, zone)

    def read(self, block: _Gathering, found: Values, path: str) -> list[Any]:
        read: list[Any] = [None] * len(found.who)
        self._uniform(block, found, np.flatnonzero(found.kinds == ARRAY), read)
        others = [index for index, uniform in enumerate(read) if uniform is None]
        for index, value in zip(others, block.decoded(found.where(others)) if others else (), strict=True):
            read[index] = value
            if self._knows_not_all(value):
                block.doubt(found.who[index])
        return [_checked(self._check, block, who, value) for who, value in zip(found.who, read, strict=True)]

    def _uniform(self, block: _Gathering, found: Values, at: Any, read: list[Any]) -> None:
        """Reads those at ``at`` that are uniform; learns from the others the order of the items' keys."""
        half = len(at) / 2
        for _ in range(2 * LESSONS):
            lists = self._read(block, found.where(at), self._order.keys) if len(at) else []
            for index, uniform in zip(at, lists, strict=True):
                read[index] = uniform
            at = [index for index in at if read[index] is None]
            examples = (block.raw[found.starts[index] : found.ends[index]] for index in _some(at))
            if sum(map(self._learn, examples)):
                continue
            if len(at) <= half:
                break
            self._order = Order()  # what was learnt may have been the exception
            half = len(at)  # once is enough

    def _learn(self, array: bytes) -> bool:
        if rawbson.document_of(b"\x04items\0" + array) is None:
            return False
        items = [start for kind, _, start in rawbson.elements(array, 0) if kind == DOCUMENT]
        orders = ([key for _, key, _ in rawbson.elements(array, start)] for start in _some(items))
        known = (keys for keys in orders if self._known.issuperset(map(bytes.decode, keys)))
        return sum(map(self._order.learn, known)) > 0

    def _knows_not_all(self, value: Any) -> bool:
        items = value if isinstance(value, list) else [value]
        return any(
            isinstance(item, dict) and not self._known.issuperset(item) and not is_null(item)
            for item in items
        )

    def learn(self, raw: bytes, kind: int, start: int) -> bool:
        return False  # it learns when it reads


class _Fields:
    """The fields of a (sub-)document."""

    def __init__(self, schema: Rules, zone: ZoneInfo, know: Know) -> None:
        self._order = Order()
        self._fields = {name.encode(): _field(rules, zone, know) for name, rules in schema.items()}
        each = [f"v{number}" for number in range(len(schema))]
        entries = ", ".join(f"{name!r}: {value}" for name, value in zip(schema, each, strict=True))
        values = ", ".join(each)
        self._documents = eval(  # noqa: S307  # the schema's own names
            f"lambda {values}: [{{{entries}}} for {values}, in zip({values}, strict=True)]"
        )

    def read(self, block: _Gathering, found: Values, prefix: str) -> list[Document]:
        """The normalised (sub-)documents."""
        columns: dict[bytes, list[Any]] = {}
        for key, at, values in block.elements(found, self._order.keys):
            path = prefix + rawbson.shown(key)
            field = self._fields.get(key)
            if field is None:
                block.unknown(path, values)
                continue
            read = field.read(block, values, path)
            columns[key] = read if len(at) == len(found.who) else self._spread(block, found, field, at, read)
        for key, field in self._fields.items():
            if key not in columns:
                columns[key] = [field.absent] * len(found.who)
                if field.absent is _DOUBT:
                    block.doubt(found.who)
        documents: list[Document] = self._documents(*map(columns.__getitem__, self._fields))
        return documents

    @staticmethod
    def _spread(block: _Gathering, found: Values, field: _Field, at: Positions, read: list[Any]) -> list[Any]:
        """A column of which some documents lack the field."""
        column = [field.absent] * len(found.who)
        for index, value in zip(at.tolist(), read, strict=True):
            column[index] = value
        if field.absent is _DOUBT:
            block.doubt(np.delete(found.who, at))
        return column

    def learn(self, raw: bytes, start: int) -> bool:
        """Learns the order of the keys of a document that can be decoded. Whether there were new ones."""
        elements = [*rawbson.elements(raw, start)]
        known = [(field, kind, value) for kind, key, value in elements if (field := self._fields.get(key))]
        ours = self._order.learn([key for _, key, _ in elements])
        return ours + sum(field.learn(raw, kind, value) for field, kind, value in known) > 0


def _of_nothing(rules: Rules, zone: ZoneInfo) -> Any:
    try:
        return compiled.reader(rules, zone)(None)
    except (Unsure, Unreadable):
        return _DOUBT


def _some(examples: list[Any]) -> list[Any]:
    """A few of them, from everywhere."""
    return examples[:: 1 + len(examples) // EXAMPLES]


def _decodes(raw: bytes) -> bool:
    try:
        rawbson.decode(raw)
    except InvalidBSON:
        return False
    return True


def _checked(read: compiled.Reader, block: _Gathering, who: Any, value: Any) -> Any:
    try:
        return read(value)
    except (Unsure, Unreadable):
        block.doubt(who)
        return None


def _parted(block: _Gathering, found: Values, path: str, *parts: tuple[Any, _Field]) -> list[Any]:
    """The normal forms of values of several kinds: per mask who reads them."""
    merged: list[Any] = [None] * len(found.who)
    for mask, field in parts:
        if len(at := np.flatnonzero(mask)):
            for index, value in zip(at.tolist(), field.read(block, found.where(at), path), strict=True):
                merged[index] = value
    return merged
