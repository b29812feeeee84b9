"""Which dates may be marked, and which markers count: the one place that decides (contract §3.1).

A marker says that all of a date has been read. So a date has to be over before the reading of it begins: by
this host's clock and by PostgreSQL's, since either may be wrong, and a night later does no harm where an hour
too early loses documents. What an earlier version marked too soon doesn't count, and is done again.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, text

from ccb_luigi import settings as settings_module
from ccb_luigi.database import postgres
from ccb_luigi.errors import NotOver, SourceError
from ccb_luigi.load import markers
from ccb_luigi.settings import Settings
from ccb_luigi.sources.source import Source


def over(settings: Settings, day: date, moment: datetime) -> bool:
    """Whether the date's end is past at this moment."""
    return settings.bounds(day)[1] <= moment


def refuse_what_is_not_over(settings: Settings, day: date, connection: Connection | None = None) -> None:
    """To be called before the source is read; with a connection PostgreSQL's clock is asked as well.

    Raises:
        NotOver: the date can't be marked yet.
    """
    clocks = {"this host's": settings_module.now()}
    if connection is not None:  # its transaction's beginning: what the marker bears
        clocks["PostgreSQL's"] = connection.execute(text("SELECT now()")).scalar_one()
    whose, moment = min(clocks.items(), key=lambda each: each[1])
    if over(settings, day, moment):
        return
    there = f"by {whose} clock it is {moment.astimezone(settings.zone):%Y-%m-%d %H:%M} in {settings.timezone}"
    if settings.bounds(day)[0] > moment:
        raise NotOver(f"{day} lies in the future: {there}")
    raise NotOver(
        f"{day} is not over, and only a whole date is marked: {there};"
        f" `ccb-luigi run --date {day} --so-far` loads what is there by now"
    )


def horizon(connection: Connection, origin: Source) -> datetime | None:
    """Of a dump: from when on its documents' times can't be true, so that they tell nothing about it."""
    if (written := origin.written()) is None:
        return None
    here: datetime = connection.execute(text("SELECT now()")).scalar_one()
    return min(written, settings_module.now(), here)


def covered(settings: Settings, day: date, newest: str) -> bool:
    """Whether what was read reaches to the date's end: a server does.

    A dump does if somebody says so, else if its ``newest`` document is from after that.
    """
    if not settings.source:
        return True
    until = settings.covers_until or (datetime.fromisoformat(newest) if newest else None)
    return until is not None and over(settings, day, until)


def why_not_covered(settings: Settings, newest: str) -> str:
    """What a person has to know of a date that a dump doesn't close."""
    if settings.covers_until:
        return f"{settings.source} covers no more than CCB_SOURCE_COVERS_UNTIL (--covers-until) says"
    last = "has no time that can be true"
    if newest:
        moment = datetime.fromisoformat(newest).astimezone(settings.zone)
        last = f"is of {moment:%Y-%m-%d %H:%M}"
    return (
        f"the newest document of {settings.source} {last}; if the dump holds all there was until later, say"
        " so: `--covers-until`"
    )


def refuse_an_empty(origin: Source) -> None:
    """Where nothing was found: of a source that holds no document at all nothing is known.

    Raises:
        SourceError: it is one. A wrong name looks like that, or a collection that was dropped.
    """
    if why := origin.why_empty():
        raise SourceError(f"{why}; so nothing is marked (CCB_MONGO_DATABASE, CCB_MONGO_COLLECTION)")


def done(connection: Connection, settings: Settings, update_ids: Iterable[str]) -> set[str]:
    """Which of these markers are there and count, in one query."""
    found = connection.execute(
        # The date in ISO 8601, whatever the session's DateStyle.
        text("""
            SELECT m.update_id, m.particao, e.inserted
            FROM table_updates m
            LEFT JOIN table_updates e ON e.update_id = :step || ':' || to_char(m.particao, 'YYYY-MM-DD')
            WHERE m.update_id = ANY(:ids)
        """),
        {"ids": list(update_ids), "step": markers.EXTRACTION},
    )
    return {name for name, day, read_at in found if not _too_early(settings, day, read_at)}


def complete(connection: Connection, settings: Settings, since: date | None, until: date) -> list[date]:
    """The dates of the range whose steps are all marked, and whose markers count."""
    found = connection.execute(
        text("""
            SELECT particao FROM table_updates
            WHERE particao BETWEEN coalesce(CAST(:since AS date), '-infinity') AND :until
              AND target_table = ANY(:steps)
            GROUP BY particao HAVING count(*) = cardinality(CAST(:steps AS text[])) ORDER BY particao
        """),
        {"since": since, "until": until, "steps": list(markers.STEPS)},
    )
    premature = early(connection, settings, since, until)
    return [day for day in found.scalars() if day not in premature]


def early(connection: Connection, settings: Settings, since: date | None, until: date) -> set[date]:
    """The dates of the range that were marked before they were over: an earlier version did that."""
    read = connection.execute(
        text("""
            SELECT particao, inserted FROM table_updates
            WHERE target_table = :step
              AND particao BETWEEN coalesce(CAST(:since AS date), '-infinity') AND :until
        """),
        {"step": markers.EXTRACTION, "since": since, "until": until},
    )
    return {day for day, read_at in read if _too_early(settings, day, read_at)}


def reopen(connection: Connection, settings: Settings, day: date) -> None:
    """Forgets the date's markers if they were set too early. Once: the ones that follow are in time."""
    if not early(connection, settings, day, day):
        return
    postgres.lock(connection, *(markers.update_id(step, day) for step in markers.STEPS))
    if early(connection, settings, day, day):  # nobody has done so meanwhile
        markers.forget(connection, day)


def of_night(connection: Connection, settings: Settings, last: date) -> list[date]:
    """The dates that a night answers for, the oldest first: the last days up to ``last``.

    Before them those that were marked too early, or begun and not ended.
    """
    days = [last - timedelta(days=n) for n in reversed(range(settings.nightly_days))]
    before = days[0] - timedelta(days=1)
    finished = set(complete(connection, settings, None, before))
    begun = connection.execute(
        text("""
            SELECT particao FROM table_updates
            WHERE target_table = :step AND particao <= :before ORDER BY particao
        """),
        {"step": markers.EXTRACTION, "before": before},
    )
    return [*(day for day in begun.scalars() if day not in finished), *days]


def _too_early(settings: Settings, day: date | None, read_at: datetime | None) -> bool:
    return day is not None and read_at is not None and not over(settings, day, read_at)
