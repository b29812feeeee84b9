"""A columnar scan of raw BSON: field by field over all documents of a block, not document by document.

The bytes of a block are one array. For each key in turn, one step over all documents looks up which of them
have it next, of what type the value is and where it ends; so the scan costs per field, and hardly per
document.

Documents of one source have their keys in one order, of which each may lack some. A document with other
keys, or keys in another order, or with anything else that isn't as expected, falls back: it is marked
uncertain, and read by itself elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import Any, NamedTuple

import bson
import numpy as np
from bson import Int64, ObjectId
from numpy.typing import NDArray

from ccb_luigi.documents import copytext, rawbson
from ccb_luigi.documents.rawbson import (
    ARRAY,
    BOOLEAN,
    DATE,
    DOCUMENT,
    DOUBLE,
    INT32,
    INT64,
    NULL,
    OBJECT_ID,
    STRING,
)
from ccb_luigi.documents.times import EPOCH

Positions = NDArray[np.int64]

_PADDING = 1024
"""Zeros behind the last document: no look at a key or a number goes past the end."""

LONGEST_KEY = 200
KEYS = 500
"""So many different keys are learnt for a (sub-)document; one whose keys are data would have ever more."""

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

NULL_TEXT = copytext.NULL.encode()
_NILS = sorted(
    (bson.encode({key: value}) for key in ("@i:nil", "@xsi:nil") for value in ("true", "1", True)), key=len
)


class Values(NamedTuple):
    """Values of one field: their documents (places in the block), BSON types, where each begins and ends."""

    docs: Positions
    kinds: NDArray[np.uint8]
    starts: Positions
    ends: Positions

    def where(self, which: Any) -> Values:
        """Those that an index or a mask names."""
        return Values(*(part[which] for part in self))


class Block:
    """The bytes of documents, one after the other.

    ``certain``: which of them are still read here. ``null_text``: where ``NULL_TEXT`` begins, behind all that
    a look can meet.
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
        self.certain = sizes >= 5
        self.certain &= self.at("<i4", self.all.starts) == sizes

    def fall_back(self, docs: Any) -> None:
        """Leaves documents to whoever reads them alone."""
        self.certain[docs] = False

    def elements(
        self, of: Values, keys: Sequence[bytes], *, gaps: bool = True
    ) -> Iterator[tuple[bytes, Positions, Values]]:
        """(key, which of ``of`` have it, its values) for each of the keys that some have.

        ``of``: sub-documents, arrays or the documents themselves. Documents with other keys, or keys in
        another order, fall back. A value ends where its length prefix says, clamped to what encloses it.
        Without ``gaps`` (in arrays) no document has a key if none has the one before it.
        """
        position = of.starts + 4  # behind the length: where each next element (type, key, NUL, value) begins
        for key in keys:
            name = key + b"\0"
            at = np.flatnonzero(self.at(f"S{len(name)}", position + 1) == name)
            if not len(at):
                if gaps:
                    continue
                break
            all_have = len(at) == len(position)  # nearly always: then nothing has to be copied
            here, docs, within = (part if all_have else part[at] for part in (position, of.docs, of.ends))
            kinds, starts = self.bytes[here], here + (1 + len(name))
            # What stands first in the value: its length, if its type has one (``_COUNTED`` is 0 otherwise).
            lengths = self.at("<i4", starts)
            sizes = _BESIDES[kinds] + lengths * _COUNTED[kinds]
            if (impossible := lengths < _LEAST[kinds]).any():
                self.fall_back(docs[impossible])
                sizes[impossible] = 0  # so that no position leaves the block
            ends = np.minimum(starts + sizes, within)
            yield key, at, Values(docs, kinds, starts, ends)
            position[at] = ends  # behind the value the next element begins
        # Whoever has come to its last byte, a NUL, has no other keys.
        self.fall_back(of.docs[(position != of.ends - 1) | (self.bytes[position] != 0)])

    @staticmethod
    def filled(of: Values, at: Positions, found: Values) -> Values:
        """Values for all of ``of``: what was found at ``at``, and elsewhere some of no type."""
        if len(at) == len(of.docs):
            return found
        _, kinds, starts, ends = Block.absent(of)
        kinds[at], starts[at], ends[at] = found[1:]
        return Values(of.docs, kinds, starts, ends)

    @staticmethod
    def absent(of: Values) -> Values:
        """Values for all of ``of`` where none has any."""
        starts, ends = np.full((2, len(of.docs)), 8)
        return Values(of.docs, np.full(len(of.docs), ABSENT, np.uint8), starts, ends)

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
        if ((found.kinds == DOCUMENT) & (sizes <= len(_NILS[-1]))).any():
            for form in _NILS:
                at = np.flatnonzero((found.kinds == DOCUMENT) & (sizes == len(form)))
                nil[at] |= self.at(f"S{len(form)}", found.starts[at]) == form
        return nil

    def decoded(self, found: Values) -> list[Any]:
        """The values as PyMongo would give them; ``None`` for what it can't decode, which falls back."""
        kinds = sorted({*found.kinds.tobytes()})
        if len(kinds) == 1:
            return self._of_kind(kinds[0], found)
        values: list[Any] = [None] * len(found.docs)
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
            self.fall_back(found.docs[truth > 1])
            return [*map(bool, truth.tolist())]
        if kind == INT64:
            return [*map(Int64, self.at("<i8", found.starts).tolist())]
        if kind == DOUBLE:
            doubles: list[Any] = self.at("<f8", found.starts).tolist()
            return doubles
        if kind == OBJECT_ID:
            return [ObjectId(self.raw[start : start + 12]) for start in found.starts.tolist()]
        if kind == NULL:
            return [None] * len(found.docs)
        where = zip(found.docs.tolist(), found.starts.tolist(), found.ends.tolist(), strict=True)
        name = bytes([kind]) + b"value\0"
        return [self._alone(doc, name + self.raw[start:end]) for doc, start, end in where]

    def _alone(self, doc: int, element: bytes) -> Any:
        if document := rawbson.document_of(element):
            return document["value"]
        self.fall_back(doc)
        return None

    def _strings(self, found: Values) -> list[Any]:
        # A string: its length (4 bytes), its characters, a NUL.
        self.fall_back(found.docs[self.bytes[found.ends - 1] != 0])
        text = self._text
        strings = [
            text[start:end]
            for start, end in zip((found.starts + 4).tolist(), (found.ends - 1).tolist(), strict=True)
        ]
        return strings if "".join(strings).isascii() else [*map(self._as_utf8, strings, found.docs.tolist())]

    def _as_utf8(self, string: str, doc: int) -> str | None:
        try:
            return string if string.isascii() else string.encode("latin-1").decode()
        except UnicodeDecodeError:
            self.fall_back(doc)
            return None

    def _dates(self, found: Values) -> list[Any]:
        """Between the years that every zone has a day for."""
        moments = self.at("<i8", found.starts)
        odd = (moments < _YEAR_2) | (moments >= _YEAR_9999)
        self.fall_back(found.docs[odd])
        return [EPOCH + timedelta(milliseconds=ms) for ms in np.where(odd, 0, moments).tolist()]

    def at(self, kind: str, positions: Positions) -> NDArray[Any]:
        """What is at the positions, read as one of NumPy's types.

        A window is a view of the block in which place k holds the type's bytes from byte k on, for every k.
        """
        if (window := self._windows.get(kind)) is None:
            size = np.dtype(kind).itemsize
            window = np.ndarray((len(self.raw) - size + 1,), kind, self.raw, strides=(1,))
            self._windows[kind] = window
        return window[positions]


class Order:
    """The keys of a (sub-)document in the order in which its source writes them, as far as it is known.

    ``tried``: an order by which these documents couldn't be read. What fits it comes after what doesn't,
    which else would never be learnt where both contradict each other.
    """

    def __init__(self, tried: Sequence[bytes] = ()) -> None:
        self._keys: list[bytes] = []
        self._tried = tried
        self._later: list[list[bytes]] = []
        self._seen: set[tuple[str, ...]] = set()
        self._before: dict[bytes, set[bytes]] = {}

    @property
    def keys(self) -> list[bytes]:
        """All of them in their order; what was tried, if nothing else was learnt."""
        if not self._keys:
            return [*self._tried]
        for keys in self._later:
            self._take(keys)
        self._later.clear()
        return self._keys

    def learn(self, document: Iterable[str]) -> None:
        """Takes the keys of one more document in.

        Nothing is learnt from keys that contradict the order so far, or of what is no plain document once it
        is decoded: a null ("@i:nil"), a reference ("$ref").
        """
        names = tuple(document)
        if names in self._seen:  # nearly all have the same
            return
        self._seen.add(names)
        keys = [*map(str.encode, names)]
        if any(not key or len(key) > LONGEST_KEY or key.startswith((b"@", b"$")) for key in keys):
            return
        rest = iter(self._tried)
        if self._tried and all(
            key in rest for key in keys
        ):  # in this order: each looks behind the one before
            self._later.append(keys)
        else:
            self._take(keys)

    def _take(self, keys: list[bytes]) -> None:
        before = {key: {*others} for key, others in self._before.items()}
        for key in keys[:1]:
            before.setdefault(key, set())
        for earlier, key in pairwise(keys):
            before.setdefault(key, set()).add(earlier)
        if before == self._before or len(before) > KEYS:
            return
        try:
            self._keys = [*TopologicalSorter(before).static_order()]
        except CycleError:
            return
        self._before = before
