"""Many documents read side by side: field by field over all of them, instead of document by document.

The bytes of a block are one array. For each key in turn it is looked up, in one step for all documents, who
has it next, of what type its value is and where that ends; so the walk costs per field, and hardly per
document. The values of a field then pass the gate as one column.

Documents of one source have their keys in one order, of which each may lack some: that order is learnt from
the first ones. Whatever isn't as expected leaves its document in doubt, and somebody else reads it: this
reader is only ever sure or not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import Any, NamedTuple

import bson
import numpy as np
from bson import Int64, ObjectId
from numpy.typing import NDArray

from ccb_luigi.documents import rawbson
from ccb_luigi.documents.times import EPOCH

Positions = NDArray[np.int64]

_PADDING = 1024
"""Zeros behind the last document: no look at a key or a number goes past the end."""

LONGEST_KEY = 200
KEYS = 500
"""So many different keys are learnt for a (sub-)document; one whose keys are data would have ever more."""

DOUBLE, STRING, DOCUMENT, ARRAY = 0x01, 0x02, 0x03, 0x04
OBJECT_ID, BOOLEAN, DATE, NULL, INT32, INT64 = 0x07, 0x08, 0x09, 0x0A, 0x10, 0x12
ABSENT = 0x00
"""The type of a value that isn't there (see ``Block.filled``)."""

_YEAR_2 = int((datetime(2, 1, 1, tzinfo=UTC) - EPOCH).total_seconds()) * 1000
_YEAR_9999 = int((datetime(9999, 1, 1, tzinfo=UTC) - EPOCH).total_seconds()) * 1000

# Per type: what a value takes besides the length that it may begin with, whether it does, and the least
# that this length can be. What isn't named can't be passed over.
_BESIDES = np.zeros(256, np.int64)
_COUNTED = np.zeros(256, np.int64)
_LEAST = np.full(256, 2**31, np.int64)
for _kind, _size in rawbson.FIXED.items():
    _BESIDES[_kind], _LEAST[_kind] = _size, np.iinfo(np.int32).min
for _kind, _size in rawbson.UNCOUNTED.items():
    _BESIDES[_kind], _COUNTED[_kind], _LEAST[_kind] = _size, 1, 5 if _kind in (DOCUMENT, ARRAY) else 1


NULL_TEXT = b"\\N"
"""What COPY reads as null."""


class _Nil(NamedTuple):
    size: int
    raw: bytes


_NILS = sorted(
    _Nil(len(raw), raw)
    for key in ("@i:nil", "@xsi:nil")
    for raw in (bson.encode({key: value}) for value in ("true", "1", True))
)


class Values(NamedTuple):
    """Values of one field: the documents' numbers, BSON types, where each begins and where it ends."""

    who: Positions
    kinds: NDArray[np.uint8]
    starts: Positions
    ends: Positions

    def where(self, which: Any) -> Values:
        """Those that an index or a mask names."""
        return Values(*(part[which] for part in self))


class Block:
    """The bytes of documents, one after the other, and of which of them it is still sure.

    ``null_text``: where ``NULL_TEXT`` begins, behind all that a look can meet.
    """

    def __init__(self, documents: Sequence[bytes]) -> None:
        self.raw = b"".join([*documents, bytes(_PADDING), NULL_TEXT])
        self.bytes = np.frombuffer(self.raw, np.uint8)
        self._text = self.raw.decode("latin-1")  # a character per byte
        self._windows: dict[str, NDArray[Any]] = {}
        sizes = np.fromiter(map(len, documents), np.int64, len(documents))
        ends = sizes.cumsum()
        kinds = np.full(len(documents), DOCUMENT, np.uint8)
        self.all = Values(np.arange(len(documents)), kinds, ends - sizes, ends)
        self.null_text = len(self.raw) - len(NULL_TEXT)
        self.sure = sizes >= 5
        self.sure &= self.at("<i4", self.all.starts) == sizes

    def doubt(self, who: Any) -> None:
        """Leaves documents to somebody else."""
        self.sure[who] = False

    def elements(
        self, of: Values, keys: Sequence[bytes], *, gaps: bool = True
    ) -> Iterator[tuple[bytes, Positions, Values]]:
        """(key, which of ``of`` have it, its values) for each of the keys that some have.

        ``of``: sub-documents, arrays or the documents themselves. Whoever has others, or in another order, is
        in doubt; the end of a value is where its own length says, within what holds it. Without ``gaps`` (in
        arrays) nobody has a key if nobody has the one before it.
        """
        position = of.starts + 4
        for key in keys:
            name = key + b"\0"
            at = np.flatnonzero(self.at(f"S{len(name)}", position + 1) == name)
            if not len(at):
                if gaps:
                    continue
                break
            everybody = len(at) == len(position)
            here, who, within = (part if everybody else part[at] for part in (position, of.who, of.ends))
            kinds, starts = self.bytes[here], here + (1 + len(name))
            lengths = self.at("<i4", starts)
            sizes = _BESIDES[kinds] + lengths * _COUNTED[kinds]
            if (impossible := lengths < _LEAST[kinds]).any():
                self.doubt(who[impossible])
                sizes[impossible] = 0
            ends = np.minimum(starts + sizes, within)
            yield key, at, Values(who, kinds, starts, ends)
            position[at] = ends
        self.doubt(of.who[(position != of.ends - 1) | (self.bytes[position] != 0)])

    @staticmethod
    def filled(of: Values, at: Positions, found: Values) -> Values:
        """Values for all of ``of``: what was found at ``at``, and elsewhere some of no type."""
        if len(at) == len(of.who):
            return found
        _, kinds, starts, ends = Block.absent(of)
        kinds[at], starts[at], ends[at] = found[1:]
        return Values(of.who, kinds, starts, ends)

    @staticmethod
    def absent(of: Values) -> Values:
        """Values for all of ``of`` where none has any."""
        starts, ends = np.full((2, len(of.who)), 8)
        return Values(of.who, np.full(len(of.who), ABSENT, np.uint8), starts, ends)

    def null(self, found: Values) -> NDArray[np.bool_]:
        """Which values are one of the source's usual ways to say null (``values.is_null``), or absent."""
        null = self.nil(found)
        null |= (found.kinds == NULL) | (found.kinds == ABSENT)
        texts = np.flatnonzero((found.kinds == STRING) & (self.bytes[found.ends - 1] == 0))
        starts, ends = found.starts[texts] + 4, found.ends[texts] - 1
        null[texts] = starts == ends
        for index, start, end in zip(texts.tolist(), starts.tolist(), ends.tolist(), strict=True):
            if start < end and self.raw[start:end].isspace():
                null[index] = True
        return null

    def nil(self, found: Values) -> NDArray[np.bool_]:
        """Which values are what a converter from XML makes of an element that is nil."""
        sizes = found.ends - found.starts
        nil = np.zeros(len(sizes), bool)
        if ((found.kinds == DOCUMENT) & (sizes <= _NILS[-1].size)).any():
            for form in _NILS:
                at = np.flatnonzero((found.kinds == DOCUMENT) & (sizes == form.size))
                nil[at] |= self.at(f"S{form.size}", found.starts[at]) == form.raw
        return nil

    def decoded(self, found: Values) -> list[Any]:
        """The values as PyMongo would give them, where it can; elsewhere ``None``, in doubt."""
        kinds = sorted({*found.kinds.tobytes()})
        if len(kinds) == 1:
            return self._of_kind(kinds[0], found)
        values: list[Any] = [None] * len(found.who)
        for kind in kinds:
            at = np.flatnonzero(found.kinds == kind)
            for index, value in zip(at.tolist(), self._of_kind(kind, found.where(at)), strict=True):
                values[index] = value
        return values

    def _of_kind(self, kind: int, found: Values) -> list[Any]:
        if kind == STRING:
            return self._strings(found)
        if kind == INT32:
            numbers: list[Any] = self.at("<i4", found.starts).tolist()
            return numbers
        if kind == DATE:
            return self._dates(found)
        if kind == BOOLEAN:
            truth = self.bytes[found.starts]
            self.doubt(found.who[truth > 1])
            return [*map(bool, truth.tolist())]
        if kind == INT64:
            return [*map(Int64, self.at("<i8", found.starts).tolist())]
        if kind == DOUBLE:
            doubles: list[Any] = self.at("<f8", found.starts).tolist()
            return doubles
        if kind == OBJECT_ID:
            return [ObjectId(self.raw[start : start + 12]) for start in found.starts.tolist()]
        if kind == NULL:
            return [None] * len(found.who)
        where = zip(found.who.tolist(), found.starts.tolist(), found.ends.tolist(), strict=True)
        name = bytes([kind]) + b"value\0"
        return [self._alone(who, name + self.raw[start:end]) for who, start, end in where]

    def _alone(self, who: int, element: bytes) -> Any:
        if document := rawbson.document_of(element):
            return document["value"]
        self.doubt(who)
        return None

    def _strings(self, found: Values) -> list[Any]:
        self.doubt(found.who[self.bytes[found.ends - 1] != 0])
        text = self._text
        strings = [
            text[start:end]
            for start, end in zip((found.starts + 4).tolist(), (found.ends - 1).tolist(), strict=True)
        ]
        return strings if "".join(strings).isascii() else [*map(self._as_utf8, strings, found.who.tolist())]

    def _as_utf8(self, string: str, who: int) -> str | None:
        try:
            return string if string.isascii() else string.encode("latin-1").decode()
        except UnicodeDecodeError:
            self.doubt(who)
            return None

    def _dates(self, found: Values) -> list[Any]:
        """Between the years that every zone has a day for."""
        moments = self.at("<i8", found.starts)
        odd = (moments < _YEAR_2) | (moments >= _YEAR_9999)
        self.doubt(found.who[odd])
        return [EPOCH + timedelta(milliseconds=ms) for ms in np.where(odd, 0, moments).tolist()]

    def at(self, kind: str, positions: Positions) -> NDArray[Any]:
        """What is at the positions, read as one of NumPy's types."""
        if (window := self._windows.get(kind)) is None:
            size = np.dtype(kind).itemsize
            window = np.ndarray((len(self.raw) - size + 1,), kind, self.raw, strides=(1,))
            self._windows[kind] = window
        return window[positions]


class Order:
    """The keys of a (sub-)document in the order in which its source writes them, as far as it is known."""

    def __init__(self) -> None:
        self.keys: list[bytes] = []
        self._before: dict[bytes, set[bytes]] = {}

    def learn(self, keys: Sequence[bytes]) -> bool:
        """Takes the keys of one more document in. Whether there was something new.

        Nothing is learnt of a document that has them in another order, or that is something else when it is
        decoded: a null ("@i:nil"), a reference ("$ref").
        """
        if any(len(key) > LONGEST_KEY or key.startswith((b"@", b"$")) for key in keys):
            return False
        before = {key: {*others} for key, others in self._before.items()}
        for key in keys[:1]:
            before.setdefault(key, set())
        for earlier, key in pairwise(keys):
            before.setdefault(key, set()).add(earlier)
        if before == self._before or len(before) > KEYS:
            return False
        try:
            self.keys = [*TopologicalSorter(before).static_order()]
        except CycleError:
            return False
        self._before = before
        return True
