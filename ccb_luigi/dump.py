"""The source as a file: what ``mongodump`` writes for one collection, plain or gzipped.

The format is nothing but BSON documents, one after the other.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import IO, Any, TypeGuard

from bson.errors import InvalidBSON

from ccb_luigi.contract import Document
from ccb_luigi.errors import ConfigurationError, SourceError
from ccb_luigi.transform import FIRST, LAST, decode, name_of

LARGEST = 48 << 20
"""Bytes of a document: the server takes 16 MiB, its own internal ones are a little larger."""

_BLOCK = 1 << 20


class DumpSource:
    """A dump of the collection. It is read from end to end for every date: it has no index."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise ConfigurationError(f"CCB_SOURCE: there is no file {path}")
        self.path = path
        self._stored: IO[bytes] | None = None
        self._size = 0

    def documents(self, start: datetime, end: datetime) -> Iterator[bytes]:
        """All documents: whoever asks for a date looks at each one's time anyway."""
        del start, end
        return self._read()

    def share_read(self) -> float | None:
        """How much of the file the last reading has behind it, 0 to 1."""
        if self._stored is None or not self._size:
            return None
        return 1.0 if self._stored.closed else min(1.0, self._stored.tell() / self._size)

    def by_ids(self, ids: Iterable[str]) -> Iterator[bytes]:
        """The documents with these ``_id``, as the quarantine names them."""
        wanted = set(ids)
        return (raw for raw in self._read() if name_of(raw) in wanted)

    def days(self, zone: Any, until: date) -> Iterator[date]:
        """The days up to ``until`` on which some ``updatedAt`` date falls, in order."""
        moments = (document.get("updatedAt") for _, document in self._decoded())
        found = {m.astimezone(zone).date() for m in moments if _dated(m)}
        return iter(sorted(day for day in found if day <= until))

    def odd(self) -> Iterator[bytes]:
        """The documents whose ``updatedAt`` is not a date."""
        return (raw for raw, d in self._decoded() if not _dated(d.get("updatedAt")))

    def close(self) -> None:
        """Nothing stays open between two readings."""

    def _decoded(self) -> Iterator[tuple[bytes, Document]]:
        for raw in self._read():
            try:
                yield raw, decode(raw)
            except InvalidBSON:
                continue

    def _read(self) -> Iterator[bytes]:
        """Every document's bytes.

        Raises:
            SourceError: the file ends within a document, or isn't a dump.
        """
        try:
            before = self.path.stat()
            with self.path.open("rb") as stored:
                self._stored, self._size = stored, before.st_size
                file: Any = gzip.GzipFile(fileobj=stored) if self.path.suffix == ".gz" else stored
                yield from self._split(file)
            after = self.path.stat()
        except EOFError:
            raise SourceError(
                f"{self.path} is truncated: dump it again, its gzip stream has no end"
            ) from None
        except (OSError, zlib.error) as error:
            raise SourceError(
                f"{self.path} can't be read ({type(error).__name__}): is it whole, and may this user read it?"
            ) from None
        if (before.st_ino, before.st_size, before.st_mtime_ns) != (
            after.st_ino,
            after.st_size,
            after.st_mtime_ns,
        ):
            raise SourceError(f"{self.path} changed while it was read: has mongodump ended?")

    def _no_dump(self, place: int) -> SourceError:
        return SourceError(
            f"{self.path} is no dump of a collection (byte {place}): mongodump writes one as NAME.bson(.gz)"
        )

    def _split(self, file: IO[bytes]) -> Iterator[bytes]:
        rest, offset = b"", 0
        while block := file.read(_BLOCK):
            data, position = rest + block, 0
            while len(data) - position >= 4:
                (length,) = struct.unpack_from("<i", data, position)
                if not 5 <= length <= LARGEST:
                    raise self._no_dump(offset + position)
                if len(data) - position < length:
                    break
                if data[position + length - 1]:
                    raise self._no_dump(offset + position)
                yield data[position : position + length]
                position += length
            rest, offset = data[position:], offset + position
        if rest:
            raise SourceError(
                f"{self.path} is truncated: dump it again, it ends within the document at byte {offset}"
            )


def _dated(value: Any) -> TypeGuard[datetime]:
    return isinstance(value, datetime) and FIRST <= value < LAST
