"""The compiled contract over columns: the values of one field of many documents at once."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from bson.errors import InvalidBSON

from ccb_luigi.documents import rawbson
from ccb_luigi.documents.compiled import Compiler, Rules, Unsure, known_kind
from ccb_luigi.documents.fast import schedule_bytes
from ccb_luigi.documents.fast.raw_columns import Block, Order, Positions, Values
from ccb_luigi.documents.kinds import Reader
from ccb_luigi.documents.rawbson import ARRAY, DOCUMENT, STRING, Document
from ccb_luigi.documents.rows import REMEMBERED
from ccb_luigi.documents.schedule import Schedule, TextSchedule
from ccb_luigi.documents.valid import ROWS_ALONE, TOGETHER, Valid
from ccb_luigi.documents.values import Unreadable, is_null

ITEMS = 64
"""Documents with longer lists (the schedule aside) fall back."""
LESSONS, EXAMPLES = 4, 50
"""So often the order of keys is learnt within a block, each time of so many documents (or lists)."""

_INDEXES = [str(index).encode() for index in range(ITEMS)]
_FALL_BACK = object()
"""In the place of a normal form that there is not."""


class VectorisedReader:
    """Reads documents of one source, which have their keys in much the same order."""

    def __init__(self, schema: Rules, compiler: Compiler) -> None:
        self._root = _Fields(schema, compiler)

    def read(self, documents: Sequence[bytes]) -> list[Valid | None]:
        """Those that are certainly valid; ``None`` for the others."""
        found: list[Valid | None] = [None] * len(documents)
        left = [*range(len(documents))]
        before: Keys = {}
        for _ in range(LESSONS):
            keys = self._keys(_some([documents[place] for place in left]), before)
            if keys == before:  # nothing new to be tried
                break
            for place, valid in zip(left, self._read([documents[p] for p in left], keys), strict=True):
                found[place] = valid
            before, left = keys, [place for place in left if found[place] is None]
            if not left:
                break
        return found

    def _keys(self, examples: Sequence[bytes], tried: Keys) -> Keys:
        """In which order these have their keys. Nothing is kept for another block."""
        orders = Orders(tried)
        for raw in examples:
            with suppress(InvalidBSON):
                self._root.learn(rawbson.decode(raw), orders)
        return tried | {field: order.keys for field, order in orders.items()}

    def _read(self, documents: Sequence[bytes], keys: Keys) -> list[Valid | None]:
        block = _Gathering(documents, keys)
        read = self._root.read(block, block.all, "")
        elements = block.unknown_of_each(len(documents))
        return [
            _valid(document, others) if certain else None
            for certain, document, others in zip(block.certain.tolist(), read, elements, strict=True)
        ]


Keys = dict[Any, list[bytes]]
"""The reader of a (sub-)document's fields → its keys in the order in which documents have them."""


class Orders(dict[Any, Order]):
    """The same while it is learnt, after an order that was ``tried``."""

    def __init__(self, tried: Keys) -> None:
        super().__init__()
        self._tried = tried

    def __missing__(self, field: Any) -> Order:
        self[field] = order = Order(self._tried.get(field, ()))
        return order


def _valid(document: Document, elements: bytes) -> Valid | None:
    """``elements``: of all fields without a column, under their paths."""
    moment = document["updatedAt"] or document["createdAt"] or document["emitedAt"]
    # What has no column is nearly the same in every document of a source, unless it is large.
    others = _short_others(elements) if len(elements) <= REMEMBERED else _others(elements)
    if moment is None or others is None:
        return None
    container = document["operation"]["parcelas"]
    found: Schedule | None = container and container["PrevisaoDeParcela"]
    schedule = Schedule(()) if found is None else found
    road = TOGETHER if schedule.totals or not len(schedule) else ROWS_ALONE
    return Valid(document, schedule, others, moment, (), road)


def _others(elements: bytes) -> Document | None:
    found = rawbson.document_of(elements)
    return None if found is None else dict(sorted(found.items()))


_short_others = lru_cache(maxsize=4096)(_others)


class _Gathering(Block):
    """A block, in which order its documents have their keys, and what the schema doesn't know of it."""

    def __init__(self, documents: Sequence[bytes], keys: Keys) -> None:
        super().__init__(documents)
        self.keys = keys
        self._unknown: list[tuple[bytes, Values]] = []

    def unknown(self, path: str, found: Values) -> None:
        """Puts values aside whose field has no column; they may be anything."""
        self._unknown.append((path.encode() + b"\0", found))

    def unknown_of_each(self, documents: int) -> list[bytes]:
        """Per document the elements that were put aside, under their paths."""
        elements: list[list[bytes]] = [[] for _ in range(documents)]
        for name, found in self._unknown:
            named = [bytes([kind]) + name for kind in range(256)]
            for doc, kind, start, end in zip(*(part.tolist() for part in found), strict=True):
                elements[doc] += (named[kind], self.raw[start:end])
        return [*map(b"".join, elements)]


class _Field(Protocol):
    """Reads the values of one field. ``absent``: the normal form of none at all, or ``_FALL_BACK``."""

    absent: Any

    def read(self, block: _Gathering, found: Values, path: str) -> list[Any]:
        """Their normal forms; where there is none the document falls back."""

    def learn(self, value: Any, orders: Orders) -> None:
        """Learns the order of keys inside a decoded value."""


def _field(rules: Rules, compiler: Compiler) -> _Field:
    kind = known_kind(rules)
    if kind and kind.type == "dict":
        return _SubDocument(rules, compiler)
    if kind and kind.type == "list":
        if rules.get("check_with") is None:
            return _Items(rules, compiler)
        if read := schedule_bytes.reader(rules["schema"], compiler.reader(rules["schema"])):
            return _Schedule(rules, compiler, read)
    return _Scalar(rules, compiler)


class _Scalar:
    """Values that are one thing each, and whatever isn't read in another way."""

    def __init__(self, rules: Rules, compiler: Compiler) -> None:
        self._one = compiler.reader(rules)
        self._column = compiler.column(rules, self._one)
        self.absent = _of_nothing(self._one)

    def read(self, block: _Gathering, found: Values, path: str) -> list[Any]:
        raw = block.decoded(found)
        try:
            return self._column(raw)
        except (Unsure, Unreadable):  # one of them
            one = self._one
            return [_checked(one, block, doc, value) for doc, value in zip(found.docs, raw, strict=True)]

    def learn(self, value: Any, orders: Orders) -> None:
        """There is nothing inside."""


class _SubDocument:
    """Values that are documents, or null."""

    def __init__(self, rules: Rules, compiler: Compiler) -> None:
        self._fields = _Fields(rules.get("schema", {}), compiler)
        self._other = _Scalar(rules, compiler)
        self.absent = self._other.absent

    def read(self, block: _Gathering, found: Values, path: str) -> list[Any]:
        is_document = (found.kinds == DOCUMENT) & ~block.nil(found)
        if is_document.all():
            return self._fields.read(block, found, f"{path}.")
        return _parted(block, found, path, (is_document, self), (~is_document, self._other))

    def learn(self, value: Any, orders: Orders) -> None:
        if type(value) is dict:
            self._fields.learn(value, orders)


class _Items:
    """Values that are lists, null, or the only item of a list."""

    def __init__(self, rules: Rules, compiler: Compiler) -> None:
        self._item = _field(rules.get("schema", {}), compiler)
        self._other = _Scalar(rules, compiler)
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
        lists: list[list[Any]] = [[] for _ in found.docs]
        for index, at, items in block.elements(found, _INDEXES, gaps=False):
            read = self._item.read(block, items, f"{path}.{index.decode()}")
            for place, item in zip(at.tolist(), read, strict=True):
                lists[place].append(item)
        return lists

    def learn(self, value: Any, orders: Orders) -> None:
        for item in value[:EXAMPLES] if type(value) is list else [value]:
            self._item.learn(item, orders)


class _Schedule:
    """The schedule: read from its bytes in nearly every document, row by row in the others."""

    def __init__(self, rules: Rules, compiler: Compiler, read: schedule_bytes.Read) -> None:
        self._read = read
        self._check = compiler.reader(rules)
        self._known = frozenset(rules["schema"]["schema"])
        self.absent = _of_nothing(self._check)

    def read(self, block: _Gathering, found: Values, path: str) -> list[Schedule | None]:
        read: list[Schedule | None] = [*self._texts(block, found)]
        others = [index for index, schedule in enumerate(read) if schedule is None]
        decoded = block.decoded(found.where(others)) if others else ()
        for index, doc, value in zip(others, found.docs[others], decoded, strict=True):
            if self._knows_not_all(value):
                block.fall_back(doc)
            rows = _checked(self._check, block, doc, value)
            read[index] = None if rows is None else Schedule(rows)
        return read

    def _texts(self, block: _Gathering, found: Values) -> list[TextSchedule | None]:
        """Those of which all is plain text; learns from the others how their rows' keys are ordered."""
        read: list[TextSchedule | None] = [None] * len(found.docs)
        left, keys = np.flatnonzero(found.kinds == ARRAY), block.keys.get(self, [])
        for _ in range(LESSONS):
            schedules = self._read(block, found.where(left), keys) if len(left) else []
            for index, schedule in zip(left, schedules, strict=True):
                read[index] = schedule
            left = left[[read[index] is None for index in left]]
            order = Order(keys)
            for index in _some([*left]):
                self._learn(block.raw[found.starts[index] : found.ends[index]], order)
            if order.keys in ([], keys):
                break
            keys = order.keys
        return read

    def _learn(self, array: bytes, order: Order) -> None:
        if decoded := rawbson.document_of(b"\x04rows\0" + array):
            for row in self._rows(decoded["rows"]):
                order.learn(row)

    def learn(self, value: Any, orders: Orders) -> None:
        for row in self._rows(value):
            orders[self].learn(row)

    def _rows(self, value: Any) -> list[Document]:
        """Some that hold nothing but columns."""
        rows = _some(value) if type(value) is list else ()
        return [row for row in rows if type(row) is dict and self._known.issuperset(row)]

    def _knows_not_all(self, value: Any) -> bool:
        items = value if isinstance(value, list) else [value]
        return any(
            isinstance(item, dict) and not self._known.issuperset(item) and not is_null(item)
            for item in items
        )


class _Fields:
    """The fields of a (sub-)document."""

    def __init__(self, schema: Rules, compiler: Compiler) -> None:
        self._fields = {name.encode(): _field(rules, compiler) for name, rules in schema.items()}
        self._inside = [
            (name, self._fields[name.encode()]) for name, rules in schema.items() if "schema" in rules
        ]
        # Written as code, since a dictionary of so many names is made twice as fast by a display as by
        # dict(zip(...)): lambda v0, v1: [{'_id': v0, 'clientId': v1} for v0, v1 in zip(v0, v1)]
        each = [f"v{number}" for number in range(len(schema))]
        entries = ", ".join(f"{name!r}: {value}" for name, value in zip(schema, each, strict=True))
        columns = ", ".join(each)
        self._documents = eval(  # noqa: S307  # the schema's own names
            f"lambda {columns}: [{{{entries}}} for {columns}, in zip({columns}, strict=True)]"
        )

    def read(self, block: _Gathering, found: Values, prefix: str) -> list[Document]:
        """The normalised (sub-)documents."""
        columns: dict[bytes, list[Any]] = {}
        for key, at, values in block.elements(found, block.keys.get(self, [])):
            path = prefix + rawbson.shown(key)
            field = self._fields.get(key)
            if field is None:
                block.unknown(path, values)
                continue
            read = field.read(block, values, path)
            columns[key] = read if len(at) == len(found.docs) else self._spread(block, found, field, at, read)
        for key, field in self._fields.items():
            if key not in columns:
                columns[key] = [field.absent] * len(found.docs)
                if field.absent is _FALL_BACK:
                    block.fall_back(found.docs)
        documents: list[Document] = self._documents(*map(columns.__getitem__, self._fields))
        return documents

    @staticmethod
    def _spread(block: _Gathering, found: Values, field: _Field, at: Positions, read: list[Any]) -> list[Any]:
        """A column of which some documents lack the field."""
        column = [field.absent] * len(found.docs)
        for index, value in zip(at.tolist(), read, strict=True):
            column[index] = value
        if field.absent is _FALL_BACK:
            block.fall_back(np.delete(found.docs, at))
        return column

    def learn(self, document: Document, orders: Orders) -> None:
        """Learns the order of the keys of a decoded document."""
        orders[self].learn(document)
        for name, field in self._inside:
            if (value := document.get(name)) is not None:
                field.learn(value, orders)


def _of_nothing(read: Reader) -> Any:
    try:
        return read(None)
    except (Unsure, Unreadable):
        return _FALL_BACK


def _some(examples: Sequence[Any]) -> Sequence[Any]:
    """A few of them, from everywhere."""
    return examples[:: 1 + len(examples) // EXAMPLES]


def _checked(read: Reader, block: _Gathering, doc: Any, value: Any) -> Any:
    try:
        return read(value)
    except (Unsure, Unreadable):
        block.fall_back(doc)
        return None


def _parted(block: _Gathering, found: Values, path: str, *parts: tuple[Any, _Field]) -> list[Any]:
    """The normal forms of values of several kinds: per mask the field that reads them."""
    merged: list[Any] = [None] * len(found.docs)
    for mask, field in parts:
        if len(at := np.flatnonzero(mask)):
            for index, value in zip(at.tolist(), field.read(block, found.where(at), path), strict=True):
                merged[index] = value
    return merged
