"""Where raw documents come from: MongoDB, or a dump of the collection."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from ccb_luigi.documents.shard import Shard
from ccb_luigi.errors import ConfigurationError
from ccb_luigi.process.retry import retrying, soon
from ccb_luigi.settings import Settings
from ccb_luigi.sources.dump import DumpSource
from ccb_luigi.sources.queries import Interval


class Source(Protocol):
    """Where raw documents come from."""

    def documents(self, start: datetime, end: datetime) -> Iterator[bytes]:
        """Raw documents that may belong to [start, end): all that do are among them."""

    def share_read(self) -> float | None:
        """How much of the last ``documents`` has been read, 0 to 1; ``None``: nobody knows."""

    def by_ids(self, ids: Iterable[str]) -> Iterator[bytes]:
        """The raw documents with these ``_id``, as the quarantine names them, that still exist."""

    def days(self, zone: Any, until: date) -> Iterator[date]:
        """The days up to ``until`` on which some ``updatedAt`` date falls, in order."""

    def odd(self) -> Iterator[bytes]:
        """Raw documents whose ``updatedAt`` is not a date, at least ``VERSION`` of each."""

    def identity(self) -> str:
        """What tells this source from another, on every host alike; without an address."""

    def holds_more(self, intervals: Sequence[Interval], than: int) -> bool:
        """Whether these intervals of ``updatedAt`` (a dump: all of it) hold more documents ``than`` that."""

    def cut(self, intervals: Sequence[Interval], size: int) -> Iterator[Shard]:
        """Shards of about ``size`` documents: of what lies in the intervals, and of all the odd ones."""

    def shard(self, shard: Shard) -> Iterator[bytes]:
        """The raw documents of a shard."""

    def why_empty(self) -> str:
        """That it holds no document at all, and what is there instead; nothing if it holds one."""

    def written(self) -> datetime | None:
        """When a dump was written, which holds nothing later; of a server ``None``."""

    def close(self) -> None:
        """Ends all connections."""


class LiveSource(Source, Protocol):
    """A server: it also tells what there is now, which a dump can't."""

    def versions(self) -> Iterator[bytes]:
        """``VERSION`` of every document, raw: once of each that is there from beginning to end."""

    def versions_in(self, start: datetime, end: datetime) -> Iterator[bytes]:
        """``VERSION`` of the documents whose ``updatedAt`` is a date in [start, end)."""

    def count(self) -> int:
        """How many documents there are."""

    def still_there(self, ids: Iterable[str]) -> set[str]:
        """Which of these names are in the source, however far a replica lags behind."""

    def command(self, command: dict[str, Any], database: str) -> dict[str, Any]:
        """What the server answers to a command that only asks."""

    def encryption(self) -> tuple[list[str], bool, bool]:
        """The hosts of the address; whether TLS is used with them, and verified."""

    def named_database(self) -> str:
        """The database that the address itself names, or nothing."""


def opened(settings: Settings) -> closing[Source]:
    """The source that the settings name, closed at the end."""
    found: Source = DumpSource(Path(settings.source)) if settings.source else _server(settings)
    return closing(found)


def live(settings: Settings) -> closing[LiveSource]:
    """The server, closed at the end; for what asks what there is now, which a dump can't tell.

    Raises:
        ConfigurationError: the settings name a dump.
    """
    if settings.source:
        raise ConfigurationError(
            "CCB_SOURCE names a dump, which is a moment of the past: a sweep compares with the server itself"
            " (`ccb-luigi run --full --source FILE` loads what a dump holds)"
        )
    return closing(_server(settings))


def _server(settings: Settings) -> LiveSource:
    from ccb_luigi.sources.mongo import MongoSource  # the driver takes a tenth of a second; a dump needs none

    reach(settings)
    return MongoSource(settings)


_reached: Settings | None = None


def reach(settings: Settings) -> None:
    """Whether the server is there, before a person waits as long as a night does.

    Once in a process and in those that it forks: who has answered is waited for as by night.

    Raises:
        CcbError: it isn't, or can't be asked.
    """
    global _reached
    if settings.source or not settings.impatient or _reached == settings:
        return
    soon(partial(_ask, settings, settings.first_seconds), settings.first_seconds)
    _reached = settings


def await_server(settings: Settings) -> None:
    """The same for who has nothing around it that tries again: otherwise for as long as a night waits."""
    reach(settings)
    if not settings.source and not settings.impatient:
        retrying(partial(_ask, settings), settings.retry_seconds)


def _ask(settings: Settings, seconds: float | None = None) -> None:
    """Whether it answers; the driver itself tries for so many seconds."""
    from ccb_luigi.sources.mongo import MongoSource

    with closing(MongoSource(settings, seconds)) as server:
        server.command({"ping": 1}, settings.mongo_database)
