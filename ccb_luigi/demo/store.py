"""Where a demo keeps its contracts: in a collection, or in a dump where Python has no MongoDB to start.

SecantusDB, which stands in for MongoDB, has wheels for Python 3.11 to 3.13 alone; whoever has another one and
hasn't built it gets the demo all the same, from a dump.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import bson
from bson.codec_options import CodecOptions
from bson.objectid import ObjectId

from ccb_luigi.demo import synth
from ccb_luigi.documents.rawbson import Document
from ccb_luigi.settings import Settings
from ccb_luigi.sources.mongo import MongoSource

DUMP = "contratos.bson"
"""The dump's name in the demo's directory."""

LONG = 12
"""Instalments, at least, of the contracts that the demo changes."""


_THEIRS = "proprio"
"""In the demo's directory: a link to a dump of somebody's own."""


def link(dump: Path, directory: Path) -> None:
    """Remembers in a demo's directory whose documents it shows."""
    directory.mkdir(parents=True)
    (directory / _THEIRS).symlink_to(dump.absolute())


def own_dump(directory: Path) -> Path | None:
    """The dump that ``link`` was given."""
    found = directory / _THEIRS
    return found.readlink() if found.is_symlink() else None


def has_mongo() -> bool:
    """Whether this Python can start SecantusDB."""
    return find_spec("secantus") is not None


class Store(Protocol):
    """The contracts of a demo. ``name``: what people call it."""

    name: str

    def write(self, documents: Iterable[Document]) -> None:
        """Keeps the first documents."""

    def long_ones(self, count: int) -> list[Document]:
        """The first ``count`` contracts, by ``_id``, of ``LONG`` instalments or more."""

    def replace(self, documents: Sequence[Document]) -> None:
        """Keeps these in place of those of the same ``_id``."""


@contextmanager
def opened(settings: Settings) -> Iterator[Store]:
    """The demo's contracts, where its settings say."""
    if settings.source:
        yield Dump(Path(settings.source))
        return
    with closing(MongoSource(settings)) as origin:
        yield InMongo(origin)


class InMongo:
    """A collection, with the index that a date's query wants."""

    name = "MongoDB"

    def __init__(self, origin: MongoSource) -> None:
        self._collection = origin.collection

    def write(self, documents: Iterable[Document]) -> None:
        """Inserts them."""
        self._collection.create_index("updatedAt")
        synth.write_mongo(documents, self._collection)

    def long_ones(self, count: int) -> list[Document]:
        """Found and sorted by the server."""
        query = {"operation.NumeroDeParcelas": {"$gte": LONG}, "ccbCode": {"$type": "string"}}
        return list(self._collection.find(query).sort("_id", 1).limit(count))

    def replace(self, documents: Sequence[Document]) -> None:
        """One after the other."""
        for document in documents:
            self._collection.replace_one({"_id": document["_id"]}, document)


class Dump:
    """A file as mongodump writes it; it is written anew for every change."""

    name = "the dump file"

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, documents: Iterable[Document]) -> None:
        """Writes the file."""
        synth.write_bson(documents, self._path)

    def long_ones(self, count: int) -> list[Document]:
        """Found by reading all."""
        found = (document for document in self._all() if _is_long(document))
        return list(islice(sorted(found, key=_in_mongos_order), count))

    def replace(self, documents: Sequence[Document]) -> None:
        """The others stay where they are in the file."""
        new = {document["_id"]: document for document in documents}
        aside = self._path.with_suffix(".new")
        synth.write_bson((new.get(document["_id"], document) for document in self._all()), aside)
        aside.replace(self._path)

    def _all(self) -> Iterator[Document]:
        with self._path.open("rb") as file:
            yield from bson.decode_file_iter(file, CodecOptions(tz_aware=True))


def _is_long(document: Document) -> bool:
    operation = document.get("operation")  # the bad ones may have none
    count: Any = operation.get("NumeroDeParcelas") if isinstance(operation, dict) else None
    return isinstance(count, int) and count >= LONG and isinstance(document.get("ccbCode"), str)


def _in_mongos_order(document: Document) -> tuple[bool, str]:
    return isinstance(document["_id"], ObjectId), str(document["_id"])
