"""The documents that every way gets: a dump, the same dump after some changes, and a collection."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, timedelta
from functools import reduce
from itertools import islice
from operator import getitem
from pathlib import Path
from typing import Any

import bson
import pymongo
from bson import decode_file_iter

from ccb_luigi.demo import synth
from ccb_luigi.documents.rawbson import CODEC
from ccb_luigi.settings import Settings

Document = dict[str, Any]
Progress = Callable[[int], None]

DAY = date(2026, 11, 20)
WHOLE = "2026-11-21T00:00"
"""Until when the dumps of it say that they cover."""
SEED = 20261120
CHANGED_EVERY = 20
BLOCK = 2_500
NEW_STATUS = "Renegociada"
"""A status that no synthetic contract begins with."""


def of_one_day(number: int) -> Iterator[Document]:
    """Contracts of one date, so that one partition holds them all; the first of them are always the same."""
    return synth.contracts(number, SEED, until=DAY, days=1)


def encoded(block: int) -> list[tuple[bytes, int]]:
    """``BLOCK`` documents of a series of their own, and the number of parcelas in each: for many at once."""
    found = synth.contracts(BLOCK, SEED + block, until=DAY, days=1)
    rows = ("operation", "parcelas", "PrevisaoDeParcela")
    return [(bson.encode(each), len(reduce(getitem, rows, each))) for each in found]


def counted(documents: Iterable[Document], progress: Progress) -> Iterator[Document]:
    """The documents; ``progress`` is told of every thousand of them."""
    for number, document in enumerate(documents, start=1):
        yield document
        if number % 1000 == 0:
            progress(number)


def write_dump(number: int, path: Path, progress: Progress) -> None:
    """What ``mongodump`` would write."""
    synth.write_bson(counted(of_one_day(number), progress), path)


def write_changed(dump: Path, path: Path) -> None:
    """The dump after every twentieth contract got another status, later on the same day."""
    _, end = Settings().bounds(DAY)
    with dump.open("rb") as file:
        documents = enumerate(decode_file_iter(file, CODEC))
        synth.write_bson(
            (later(document, end) if n % CHANGED_EVERY == 0 else document for n, document in documents), path
        )


def later(document: Document, end: datetime) -> Document:
    """A newer version: written halfway between its own moment and ``end``."""
    moment = document["updatedAt"]
    half = (end - moment) // 2 // timedelta(milliseconds=1)
    changed = moment + timedelta(milliseconds=half)
    if not moment < changed < end:
        raise ValueError("no room for a newer version in the same day")
    return {**document, "status": NEW_STATUS, "updatedAt": changed}


def fill(uri: str, database: str, collection: str, dump: Path, number: int, progress: Progress) -> None:
    """The first documents of the dump, in a new collection with the index that the README asks for."""
    with pymongo.MongoClient[Any](uri) as client, dump.open("rb") as file:
        target = client[database][collection]
        target.drop()
        target.create_index("updatedAt")
        synth.write_mongo(counted(islice(decode_file_iter(file, CODEC), number), progress), target)
