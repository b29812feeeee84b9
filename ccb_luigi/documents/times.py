"""The forms in which a day or a moment can arrive (contract §1), each read into its one normal form.

As in ``values``; normal forms: calendar dates ``date``, moments ``datetime`` in UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bson import Timestamp
from bson.datetime_ms import DatetimeMS

from ccb_luigi.documents.values import Unreadable, is_null, unwrapped

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})").match
_BRAZILIAN_DATE = re.compile(r"([0-9]{2})/([0-9]{2})/([0-9]{4})(.*)", re.DOTALL).fullmatch
_TIME = re.compile(
    r"[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)?"
    r" ?(?:(Z|z)|([+-])([01][0-9]|2[0-3]):?([0-5][0-9])?)?"
).fullmatch
_ISO_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?"
    r"(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
).fullmatch


def calendar_date(value: Any, zone: ZoneInfo) -> date | None:
    """A day. A midnight without offset is that day and never moves; a moment is its day in ``zone``.

    A BSON date at exactly midnight UTC is how drivers store a calendar date, so it doesn't move either.
    """
    if is_null(value):
        return None
    value = _date_form(value)
    if isinstance(value, datetime) and _midnight(value):
        found: date | datetime | None = value.date()
    elif isinstance(value, str):
        found = _parsed(value.strip(), zone)
    else:
        found = _moment(value)
    if isinstance(found, datetime):
        found = _shifted(found, zone).date()
    return None if found == date.min else found


def moment(value: Any, zone: ZoneInfo) -> datetime | None:
    """A point in time, in UTC. Text without an offset is local time of ``zone``."""
    if usual := _usual_moment(value):
        return usual
    if is_null(value):
        return None
    value = _date_form(value)
    found = _parsed(value.strip(), zone) if isinstance(value, str) else _moment(value)
    if not isinstance(found, datetime):
        if found == date.min:  # .NET's null
            return None
        found = datetime(found.year, found.month, found.day, tzinfo=zone)
    _shifted(found, zone)  # the day that it belongs to must exist as well
    return _shifted(found, UTC)


def _usual_moment(value: Any) -> datetime | None:
    """The two forms that nearly all moments have, read at once: a BSON date, ISO text with an offset."""
    if type(value) is str and _ISO_MOMENT(value):
        try:
            value = datetime.fromisoformat(value).astimezone(UTC)
        except (ValueError, OverflowError):
            return None
    elif type(value) is not datetime or value.tzinfo is not UTC:
        return None
    return value if 1 < value.year < 9999 else None  # where every zone's day exists


def _date_form(value: Any) -> Any:
    """Takes ``{"$date": ...}`` apart; ISO text inside it means what the same BSON date would mean."""
    if isinstance(value, dict) and len(value) == 1 and "$date" in value:
        inner = unwrapped(value["$date"])
        if isinstance(inner, str):
            parsed = _parsed(inner.strip(), ZoneInfo("UTC"))
            if isinstance(parsed, datetime):
                return _shifted(parsed, UTC)
            return datetime(parsed.year, parsed.month, parsed.day, tzinfo=UTC)
        if isinstance(inner, float) and inner.is_integer():  # the old shell writes every number so
            inner = int(inner)
        if isinstance(inner, int) and not isinstance(inner, bool):
            return _from_epoch_ms(inner)
        raise Unreadable("data_invalida")
    return unwrapped(value)


def _moment(value: Any) -> datetime | date:
    """A BSON date, a Timestamp, or epoch milliseconds; year 1, day 1 is .NET's null."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, datetime):
        found = value if value.tzinfo else value.replace(tzinfo=UTC)
    elif isinstance(value, Timestamp):
        found = EPOCH + timedelta(seconds=value.time)
    elif isinstance(value, int) and not isinstance(value, bool):
        found = _from_epoch_ms(value)
    else:
        broken = isinstance(value, (DatetimeMS, float))
        raise Unreadable("data_invalida" if broken else "tipo_invalido")
    return date.min if found.date() == date.min else found


def _from_epoch_ms(milliseconds: int) -> datetime:
    try:
        return EPOCH + timedelta(milliseconds=int(milliseconds))
    except OverflowError:
        raise Unreadable("data_invalida") from None


def _parsed(stripped: str, zone: ZoneInfo) -> date | datetime:
    """ISO or dd/MM/yyyy text: a date for a bare day or a midnight without offset, else a moment."""
    if brazilian := _BRAZILIAN_DATE(stripped):
        day, month, year, clock = brazilian.groups()
    elif iso := _DATE(stripped):
        year, month, day = iso.groups()
        clock = stripped[10:]
    else:
        raise Unreadable("data_invalida")
    try:
        calendar = date(int(year), int(month), int(day))
        return _at_clock(calendar, clock, zone) if clock and calendar != date.min else calendar
    except (ValueError, OverflowError):
        raise Unreadable("data_invalida") from None


def _at_clock(day: date, clock: str, zone: ZoneInfo) -> date | datetime:
    match = _TIME(clock)
    if not match:
        raise Unreadable("data_invalida")
    hour, minute, second, fraction, zulu, sign, offset_hours, offset_minutes = match.groups()
    # .NET writes seven digits; timestamptz keeps six.
    micro = int((fraction or "").ljust(6, "0")[:6])
    local = datetime(day.year, day.month, day.day, int(hour), int(minute), int(second or 0), micro)  # noqa: DTZ001
    if zulu:
        return local.replace(tzinfo=UTC)
    if sign:
        offset = timedelta(hours=int(offset_hours), minutes=int(offset_minutes or 0))
        return (local - offset if sign == "+" else local + offset).replace(tzinfo=UTC)
    return day if _midnight(local) else local.replace(tzinfo=zone)


def _midnight(value: datetime) -> bool:
    return not (value.hour or value.minute or value.second or value.microsecond)


def _shifted(value: datetime, zone: Any) -> datetime:
    try:
        return value.astimezone(zone)
    except OverflowError:  # the last hours of year 9999, the first of year 1
        raise Unreadable("data_invalida") from None
