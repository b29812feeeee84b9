"""The source as a file: what ``mongodump`` writes for one collection, plain or gzipped.

The format is nothing but BSON documents, one after the other.
"""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
import shutil
import struct
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any, TypeGuard

from bson.errors import InvalidBSON

from ccb_luigi.documents.identity import BY_BYTES, FIRST, LAST, name_of, quick_name
from ccb_luigi.documents.rawbson import Document, decode
from ccb_luigi.documents.shard import Shard
from ccb_luigi.errors import ConfigurationError, SourceError

LARGEST = 48 << 20
"""Bytes of a document: the server takes 16 MiB, its own internal ones are a little larger."""

_JSON = "JSON, as mongoexport writes it: mongodump writes NAME.bson"
_OTHERS = {
    b"\x6d\xe2\x99\x81": "an archive of many collections: dump with --out in place of --archive",
    b"\x28\xb5\x2f\xfd": "packed by zstd: unpack it first (zstd -d)",
    b"\x1f\x8b\x08": "gzipped: its name has to end in .gz",
    b'{"': _JSON,
    b'[{"': _JSON,
}
"""How files begin that aren't a collection's dump, and what they are."""

_BLOCK = 1 << 20
_END = 1 << 16


class DumpSource:
    """A dump of the collection. It is read from end to end for every date: it has no index.

    A shard is a range of its bytes. For that a gzipped dump is unpacked, once per command, into a file in
    TMPDIR without a name: nothing stays behind.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            instead = ", but a directory: name the collection's .bson in it" if path.is_dir() else ""
            raise ConfigurationError(f"CCB_SOURCE: there is no file {path}{instead}")
        self.path = path
        self._packed = path.suffix == ".gz"
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
        return (raw for raw in self._read() if _is_one_of(wanted, raw))

    def days(self, zone: Any, until: date) -> Iterator[date]:
        """The days up to ``until`` on which some ``updatedAt`` date falls, in order."""
        moments = (document.get("updatedAt") for _, document in self._decoded())
        found = {m.astimezone(zone).date() for m in moments if _dated(m)}
        return iter(sorted(day for day in found if day <= until))

    def odd(self) -> Iterator[bytes]:
        """The documents whose ``updatedAt`` is not a date."""
        return (raw for raw, d in self._decoded() if not _dated(d.get("updatedAt")))

    def why_empty(self) -> str:
        """See ``Source``."""
        return f"{self.path} holds no document" if next(self._read(), None) is None else ""

    def written(self) -> datetime:
        """See ``Source``."""
        with self._readable():
            return datetime.fromtimestamp(self.path.stat().st_mtime, UTC)

    def identity(self) -> str:
        """See ``Source``: its size and its two ends."""
        with self._readable():
            size = self.path.stat().st_size
            with self.path.open("rb") as file:
                ends = file.read(_END)
                file.seek(max(0, size - _END))
                ends += file.read(_END)
        return f"dump {size} {hashlib.sha256(ends).hexdigest()}"

    def holds_more(self, intervals: object, than: int) -> bool:
        """See ``Source``; documents of whatever date."""
        del intervals
        return next(islice(self._read(), than, None), None) is not None

    def cut(self, intervals: object, size: int) -> Iterator[Shard]:
        """Ranges of bytes, each of ``size`` documents, whatever their dates."""
        del intervals
        start = position = number = 0
        for raw in self._read_unpacked(0, None):
            number, position = number + 1, position + len(raw)
            if number == size:
                yield Shard(number, extent=(start, position))
                start, number = position, 0
        if number:
            yield Shard(number, extent=(start, position))

    def shard(self, shard: Shard) -> Iterator[bytes]:
        """The documents of a range of bytes."""
        return self._read_unpacked(*(shard.extent or (0, 0)))

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
        with self._unchanged() as stored:
            self._stored, self._size = stored, self.path.stat().st_size
            file = gzip.GzipFile(fileobj=stored) if self._packed else stored
            yield from self._split(iter(lambda: file.read(_BLOCK), b""))

    def _read_unpacked(self, start: int, end: int | None) -> Iterator[bytes]:
        """The documents between two places of the (unpacked) file."""
        with self._unchanged() as stored:
            file = _unpacked(self.path) if self._packed else stored
            yield from self._split(_between(file.fileno(), start, end), start)

    @contextmanager
    def _unchanged(self) -> Iterator[IO[bytes]]:
        """The file, which must be the same at the end."""
        with self._readable():
            before = _state(self.path)
            with self.path.open("rb") as file:
                yield file
            if _state(self.path) != before:
                raise SourceError(f"{self.path} changed while it was read: has mongodump ended?")

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except EOFError:
            raise SourceError(
                f"{self.path} is truncated: dump it again, its gzip stream has no end"
            ) from None
        except (OSError, zlib.error) as error:
            if getattr(error, "errno", None) == errno.ENOSPC:
                raise SourceError(
                    f"{self.path} does not fit, unpacked, into {tempfile.gettempdir()}: set TMPDIR to a"
                    " larger disk, or gunzip it yourself"
                ) from None
            raise SourceError(
                f"{self.path} can't be read ({type(error).__name__}): is it whole, and may this user read it?"
            ) from None

    def _split(self, blocks: Iterable[bytes], offset: int = 0) -> Iterator[bytes]:
        rest = b""
        for block in blocks:
            data, position = rest + block, 0
            while len(data) - position >= 4:
                (length,) = struct.unpack_from("<i", data, position)
                end = position + length
                if not 5 <= length <= LARGEST or (end <= len(data) and data[end - 1]):
                    self._refuse_another_format(data, offset + position)
                    raise SourceError(
                        f"{self.path} is no dump of a collection (byte {offset + position}):"
                        " mongodump writes one as NAME.bson(.gz)"
                    )
                if end > len(data):
                    break
                yield data[position:end]
                position = end
            rest, offset = data[position:], offset + position
        if rest:
            self._refuse_another_format(rest, offset)
            raise SourceError(
                f"{self.path} is truncated: dump it again, it ends within the document at byte {offset}"
            )

    def _refuse_another_format(self, data: bytes, offset: int) -> None:
        """Names what people have in place of a dump, if it is that: it can't be read as one."""
        for magic, found in _OTHERS.items() if offset == 0 else ():
            if data.startswith(magic):
                raise SourceError(f"{self.path} is {found}")


def _between(descriptor: int, start: int, end: int | None) -> Iterator[bytes]:
    """Blocks of a range of a file, read without its position, which forked processes share."""
    while block := os.pread(descriptor, _BLOCK if end is None else min(_BLOCK, end - start), start):
        yield block
        start += len(block)


def _state(path: Path) -> tuple[str, int, int, int]:
    """What differs once somebody has written the file."""
    found = path.stat()
    return str(path), found.st_ino, found.st_size, found.st_mtime_ns


_copies: dict[tuple[str, int, int, int], IO[bytes]] = {}


def _unpacked(path: Path) -> IO[bytes]:
    """The unpacked file. Forked processes inherit what their parent has unpacked."""
    key = _state(path)
    if key not in _copies:
        copy: IO[bytes] = tempfile.TemporaryFile(prefix="ccb-luigi-")  # noqa: SIM115 - it stays
        with gzip.open(path, "rb") as packed:
            shutil.copyfileobj(packed, copy, _BLOCK)
        copy.flush()
        _copies[key] = copy
    return _copies[key]


def _is_one_of(wanted: set[str], raw: bytes) -> bool:
    """Whether ``name_of`` the document is among them; most have a name that needn't be decoded."""
    if (name := quick_name(raw)) in wanted:
        return name_of(raw) in wanted
    return name.startswith(BY_BYTES) and name_of(raw) in wanted


def _dated(value: Any) -> TypeGuard[datetime]:
    return isinstance(value, datetime) and FIRST <= value < LAST
