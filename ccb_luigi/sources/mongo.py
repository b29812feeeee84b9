"""A collection of MongoDB, read in raw batches, so that one undecodable document harms no other."""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, nullcontext
from datetime import UTC, date, datetime, timedelta
from threading import Thread
from typing import Any, ClassVar

from pymongo import MongoClient, ReadPreference
from pymongo.client_session import ClientSession
from pymongo.errors import ConfigurationError as MongoConfigurationError
from pymongo.errors import OperationFailure
from pymongo.read_concern import ReadConcern
from pymongo.uri_parser import parse_uri

from ccb_luigi.documents.identity import FIRST, id_text, ids_of
from ccb_luigi.documents.rawbson import CODEC
from ccb_luigi.documents.shard import Shard
from ccb_luigi.errors import ConfigurationError, SourceError
from ccb_luigi.settings import Settings
from ccb_luigi.sources import split_points
from ccb_luigi.sources.mongo_errors import (
    NO_SNAPSHOT,
    SNAPSHOT_TOO_OLD,
    is_refused,
    is_transient,
    of_configuration,
    translated,
)
from ccb_luigi.sources.queries import ODD_DATES, VERSION, Interval, Query, in_range, of_date, of_shard

log = logging.getLogger(__name__)

BATCH_DOCUMENTS = 300
"""About 2 MB: few round trips, and no long wait for the first one."""

BATCH_OF_FEW = 1000
"""Fewer documents are one batch, which comes whole or not at all: they needn't be counted."""

BATCH_VERSIONS = 10_000
SNAPSHOT_DOCUMENTS = 200_000
"""More than these are read without a snapshot: by default the server keeps the past for five minutes."""

SECONDS_TO_CONNECT = 10
SECONDS_OF_A_REPLY = 120
"""A server that is silent for so long is taken for dead."""

IDS_PER_QUERY = 1000


MOST_NAMES = 10
"""So many collections are named where the right one is missing."""


class MongoSource:
    """One collection of a MongoDB server, which has so many ``seconds`` to answer at all."""

    snapshots: ClassVar[bool] = True
    """False once a snapshot has become too old for this process: the next try does without."""

    def __init__(self, settings: Settings, seconds: float | None = None) -> None:
        milliseconds = int((SECONDS_TO_CONNECT if seconds is None else seconds) * 1000)
        try:
            self._client: MongoClient[Any] = MongoClient(
                settings.mongo_uri,
                appname="ccb_luigi",
                serverSelectionTimeoutMS=milliseconds,
                connectTimeoutMS=milliseconds,
                socketTimeoutMS=SECONDS_OF_A_REPLY * 1000,
            )
        except (MongoConfigurationError, ValueError) as error:  # a host among them that DNS doesn't know
            # Not chained: the text may quote the address, which holds the password.
            raise of_configuration(error) from None
        except OSError:
            raise ConfigurationError("CCB_MONGO_URI names a file (of TLS) that can't be read") from None
        self.collection = self._client[settings.mongo_database].get_collection(
            settings.mongo_collection, codec_options=CODEC
        )
        self._address = settings.mongo_uri
        self._found = 0
        self._expected: Future[int] = Future()

    def close(self) -> None:
        """Ends all connections."""
        self._client.close()

    def command(self, command: dict[str, Any], database: str) -> dict[str, Any]:
        """See ``LiveSource``."""
        with translated(self._client):
            return dict(self._client[database].command(command))

    def encryption(self) -> tuple[list[str], bool, bool]:
        """See ``LiveSource``."""
        with translated(self._client):
            parsed = parse_uri(self._address)
        options = parsed["options"]
        weak = ("tlsInsecure", "tlsAllowInvalidCertificates", "tlsAllowInvalidHostnames")
        tls = bool(options.get("tls", self._address.startswith("mongodb+srv")))
        verified = not any(options.get(name) for name in weak)
        return [host for host, _ in parsed["nodelist"]], tls, tls and verified

    def named_database(self) -> str:
        """See ``LiveSource``."""
        found = self._client.get_default_database("-").name
        return "" if found == "-" else found

    def documents(self, start: datetime, end: datetime) -> Iterator[bytes]:
        """See ``Source``; the odd ones are among them, whatever their date."""
        return self._all_of(of_date(start, end))

    def shard(self, shard: Shard) -> Iterator[bytes]:
        """See ``Source``.

        Bounds of ``_id`` are there because most documents of its range have one time: the index on ``_id``
        parts them, the one on ``updatedAt`` would be read whole for each of the parts.
        """
        bounded = shard.first is not None or shard.last is not None
        return self._all_of(of_shard(shard), **({"hint": "_id_"} if bounded else {}))

    def _all_of(self, query: Query, **options: Any) -> Iterator[bytes]:
        self._found, self._expected = 0, Future()
        with translated(self._client), self._at_an_instant() as session:
            total = self.collection.estimated_document_count()
            if large := total > SNAPSHOT_DOCUMENTS:
                session = self._expect(query, session)
            for raw in self._read(query, session=session, **options):
                self._found += 1
                yield raw
            if large and self._expected.exception():
                whole = False
            elif large:
                whole = self._found >= self._expected.result()
            else:
                # Who has read all that there are needs no count, for which some servers read all again. The
                # estimate may be too low: after a crash of mongod, until it validates the collection.
                whole = self._found == total > 0
            if not whole:
                self._refuse_short(self._found, query, session)

    def share_read(self) -> float | None:
        """See ``Source``."""
        counted = self._expected
        if not counted.done() or counted.exception() or not counted.result():
            return None
        return min(1.0, self._found / counted.result())

    def odd(self) -> Iterator[bytes]:
        """See ``Source``."""
        return self._few(ODD_DATES, VERSION)

    def why_empty(self) -> str:
        """See ``Source``; collections are named if the user may list them."""
        with translated():
            if self.collection.find_one({}, {"_id": 1}) is not None:
                return ""
            try:
                names = self.collection.database.list_collection_names(authorizedCollections=True)
            except OperationFailure:
                return f"{self.collection.full_name} is not there, or holds no document"
        if self.collection.name in names:
            return f"{self.collection.full_name} holds no document"
        others = sorted(name for name in names if not name.startswith("system."))
        shown = ", ".join(others[:MOST_NAMES]) + (" ..." if len(others) > MOST_NAMES else "")
        return f"there is no {self.collection.full_name}; there are: {shown or 'none'}"

    def written(self) -> None:
        """See ``Source``."""

    def identity(self) -> str:
        """See ``Source``."""
        return f"mongodb {self.collection.full_name}"

    def holds_more(self, intervals: Sequence[Interval], than: int) -> bool:
        """See ``Source``."""
        parts = [in_range(*each) for each in intervals]
        with translated(self._client):
            return bool(parts) and self.collection.count_documents({"$or": parts}, limit=than + 1) > than

    def cut(self, intervals: Sequence[Interval], size: int) -> Iterator[Shard]:
        """See ``Source``."""
        with translated(self._client):
            yield from split_points.cut(self.collection, intervals, size)

    def by_ids(self, ids: Iterable[str]) -> Iterator[bytes]:
        """See ``Source``."""
        wanted = [value for name in ids for value in ids_of(name)]
        for first in range(0, len(wanted), IDS_PER_QUERY):
            yield from self._few({"_id": {"$in": wanted[first : first + IDS_PER_QUERY]}})

    def versions(self) -> Iterator[bytes]:
        """See ``LiveSource``.

        In the order of the index on ``_id``: no document can move in it, so that each one that is there
        from the beginning to the end is met exactly once, whoever writes meanwhile. (A snapshot would end
        after five minutes, the server's default.)
        """
        with translated(self._client):
            yield from self._read({}, VERSION, sort=[("_id", 1)], batch_size=BATCH_VERSIONS)

    def versions_in(self, start: datetime, end: datetime) -> Iterator[bytes]:
        """See ``LiveSource``."""
        with translated(self._client):
            yield from self._read(in_range(start, end), VERSION, batch_size=BATCH_VERSIONS)

    def count(self) -> int:
        """See ``LiveSource``; counted in the index."""
        with translated(self._client):
            return self.collection.count_documents({}, hint="_id_")

    def still_there(self, ids: Iterable[str]) -> set[str]:
        """See ``LiveSource``; the primary is asked, since a secondary may lag behind."""
        wanted = [value for name in ids for value in ids_of(name)]
        primary = self.collection.with_options(
            read_preference=ReadPreference.PRIMARY, read_concern=ReadConcern("majority")
        )
        with translated(self._client):
            return {id_text(each["_id"]) for each in primary.find({"_id": {"$in": wanted}}, {"_id": 1})}

    def days(self, zone: Any, until: date) -> Iterator[date]:
        """See ``Source``; one index seek per day that has documents.

        The server reads the time, as it has found it: of two ``updatedAt`` PyMongo would take the other one.
        """
        end = datetime.combine(until + timedelta(days=1), datetime.min.time(), zone)
        after = FIRST
        while True:
            with translated(self._client):
                found = self.collection.aggregate(
                    [
                        {"$match": {**in_range(after, end), "updatedAt.0": {"$exists": False}}},
                        {"$sort": {"updatedAt": 1}},
                        {"$limit": 1},
                        {"$project": {"_id": 0, "moment": "$updatedAt"}},
                    ]
                )
                moments = [each.get("moment") for each in found]
            if not moments:
                return
            if not isinstance(moments[0], datetime) or not after <= moments[0] < end:
                raise SourceError(
                    "MongoDB found a document by another time than it says to be its own; without a list of"
                    " days: `ccb-luigi run --since D`"
                )
            day = moments[0].astimezone(zone).date()
            yield day
            after = datetime.combine(day + timedelta(days=1), datetime.min.time(), zone).astimezone(UTC)

    def _read(self, query: Query, fields: dict[str, Any] | None = None, **options: Any) -> Iterator[bytes]:
        options = {"batch_size": BATCH_DOCUMENTS, **options}
        for batch in self.collection.find_raw_batches(query, fields, **options):
            yield from split(batch)

    def _few(self, query: Query, fields: dict[str, Any] | None = None) -> Iterator[bytes]:
        """Documents of which there are hardly ever more than a batch: only then are they counted."""
        with translated(self._client):
            found = 0
            for raw in self._read(query, fields, batch_size=BATCH_OF_FEW):
                found += 1
                yield raw
            if found >= BATCH_OF_FEW:
                self._refuse_short(found, query)

    def _refuse_short(self, found: int, query: Query, session: ClientSession | None = None) -> None:
        """A cursor that just stops is not taken for the end.

        Without a snapshot documents may have left the range meanwhile: then they aren't counted now.
        """
        expected = self.collection.count_documents(query, session=session)
        if found < expected:
            raise SourceError(
                f"MongoDB: a read ended after {found} of {expected} documents, which is not the end:"
                " the same command reads it again",
                transient=True,
            )

    @contextmanager
    def _at_an_instant(self) -> Iterator[ClientSession | None]:
        """A session all of whose reads see one instant; only replica sets and sharded clusters have such."""
        with self._client.start_session(snapshot=True) if MongoSource.snapshots else nullcontext() as session:
            try:
                yield session if session and self._sees(session) else None
            except OperationFailure as error:
                if error.code == SNAPSHOT_TOO_OLD:
                    MongoSource.snapshots = False
                raise

    def _sees(self, session: ClientSession) -> bool:
        """Fixes the instant. A standalone server refuses that, and others in their own ways.

        What has passed at the next try, or lets nobody read at all, says nothing about snapshots.
        """
        try:
            self.collection.find_one({"_id": None}, {"_id": 1}, session=session)
        except MongoConfigurationError:
            return False
        except OperationFailure as error:
            if error.code != NO_SNAPSHOT and (is_transient(error) or is_refused(error)):
                raise
            log.info("MongoDB: no snapshot (%s): each batch is read as of its own moment", error.code)
            return False
        return True

    def _expect(self, query: Query, session: ClientSession | None) -> ClientSession | None:
        """Counts what a read will find; returns the session that is to read it.

        At the session's instant, if so many can be read before that is forgotten. Without one both are of
        about the same time anyway: so the count doesn't keep the reading waiting.
        """
        if session:
            self._expected.set_result(self.collection.count_documents(query, session=session))
            return session if self._expected.result() <= SNAPSHOT_DOCUMENTS else None
        # A daemon: nobody waits for the count of a read that has failed.
        Thread(target=self._count, args=(query, self._expected), daemon=True).start()
        return None

    def _count(self, query: Query, into: Future[int]) -> None:
        try:
            into.set_result(self.collection.count_documents(query))
        except Exception as error:  # noqa: BLE001 - who asks for the result gets it
            into.set_exception(error)


def split(batch: bytes) -> Iterator[bytes]:
    """The documents of a batch of concatenated BSON, by their length prefixes."""
    position, end = 0, len(batch)
    while position < end:
        (length,) = struct.unpack_from("<i", batch, position)
        yield batch[position : position + length]
        position += length
