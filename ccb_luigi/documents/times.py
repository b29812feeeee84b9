"""The forms in which a day or a moment can arrive (contract §1), each read into its one normal form.

As in ``values``; normal forms: calendar dates ``date``, moments ``datetime`` in UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from bson import Decimal128, Timestamp
from bson.datetime_ms import DatetimeMS

from ccb_luigi.documents.values import Unreadable, is_null, unwrapped

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SURELY_MILLISECONDS = 10**11
"""From this magnitude on a bare number can't be seconds, or a day written as digits (contract §1)."""

_GREENWICH = ZoneInfo("UTC")

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
    """A day. Text without an offset is the day that it names; a moment is its day in ``zone``.

    A midnight at offset zero is how drivers and JavaScript write a calendar date: it never moves, whatever
    its form.
    """
    if is_null(value):
        return None
    found = _read(value, zone)
    if isinstance(found, datetime):
        named = found.tzinfo is zone or _midnight(found)
        found = found.date() if named else _shifted(found, zone).date()
    return None if found == date.min else found


def moment(value: Any, zone: ZoneInfo) -> datetime | None:
    """A point in time, in UTC. Text without an offset is local time of ``zone``."""
    if usual := _usual_moment(value):
        return usual
    if is_null(value):
        return None
    found = _read(value, zone)
    if not isinstance(found, datetime):
        if found == date.min:  # .NET's null
            return None
        found = datetime(found.year, found.month, found.day, tzinfo=zone)
    if found.tzinfo is zone:
        found = _later(found)
    if found.date() == date.min:
        return None
    _shifted(found, zone)  # the day that it belongs to must exist as well
    return found


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


def _read(value: Any, zone: ZoneInfo) -> date | datetime:
    """A day, the time of a clock in ``zone``, or an instant in UTC; ``date.min`` is .NET's null."""
    if isinstance(value, dict) and len(value) == 1 and "$date" in value:
        return _literal(unwrapped(value["$date"]))
    value = unwrapped(value)
    if isinstance(value, str):
        return _parsed(value.strip(), zone)
    if isinstance(value, datetime):
        return _instant(value if value.tzinfo else value.replace(tzinfo=UTC))
    if isinstance(value, Timestamp):
        return _instant(EPOCH + timedelta(seconds=value.time))
    if isinstance(value, (int, float, Decimal128)) and not isinstance(value, bool):
        return _from_epoch_ms(_milliseconds(value))
    raise Unreadable("data_invalida" if isinstance(value, DatetimeMS) else "tipo_invalido")


def _literal(inner: Any) -> date | datetime:
    """What is inside ``{"$date": ...}``; ISO text there means what the same BSON date would mean."""
    if isinstance(inner, str):
        parsed = _parsed(inner.strip(), _GREENWICH)
        if isinstance(parsed, datetime):
            return _instant(parsed)
        return datetime(parsed.year, parsed.month, parsed.day, tzinfo=UTC)
    if isinstance(inner, float) and inner.is_integer():  # the old shell writes every number so
        inner = int(inner)
    if isinstance(inner, int) and not isinstance(inner, bool):
        return _from_epoch_ms(inner)
    raise Unreadable("data_invalida")


def _milliseconds(value: float | Decimal128) -> int:
    """A bare number as epoch milliseconds, if it can be nothing else.

    A smaller one may be seconds, a written date (20211207), or a zero that means nothing.
    """
    number = value.to_decimal() if isinstance(value, Decimal128) else Decimal(value)
    if not number.is_finite():
        raise Unreadable("data_invalida")
    if abs(number) < SURELY_MILLISECONDS:
        raise Unreadable("data_ambigua")
    if number != number.to_integral_value():
        raise Unreadable("data_invalida")
    return int(number)


def _from_epoch_ms(milliseconds: int) -> date | datetime:
    try:
        return _instant(EPOCH + timedelta(milliseconds=int(milliseconds)))
    except OverflowError:
        raise Unreadable("data_invalida") from None


def _instant(aware: datetime) -> date | datetime:
    """In UTC. The first day of year 1 there is .NET's null."""
    found = _shifted(aware, UTC)
    return date.min if found.date() == date.min else found


def _later(local: datetime) -> datetime:
    """The instant, in UTC, at which a clock showed this; of two the later.

    A clock that is turned back shows an hour twice: PostgreSQL, DuckDB and MongoDB take the second as well.
    One that is turned forward shows an hour never: then this is the instant that the hour before would
    have come to, as with PostgreSQL.
    """
    return max(_shifted(local.replace(fold=fold), UTC) for fold in (0, 1))


def _parsed(stripped: str, zone: ZoneInfo) -> date | datetime:
    """ISO or dd/MM/yyyy text: a date for a bare day or a midnight without offset, else as in ``_read``."""
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
        return _instant(local.replace(tzinfo=UTC))
    if sign:
        offset = timedelta(hours=int(offset_hours), minutes=int(offset_minutes or 0))
        return _instant((local - offset if sign == "+" else local + offset).replace(tzinfo=UTC))
    return day if _midnight(local) else local.replace(tzinfo=zone)


def _midnight(value: datetime) -> bool:
    return not (value.hour or value.minute or value.second or value.microsecond)


def _shifted(value: datetime, zone: Any) -> datetime:
    try:
        return value.astimezone(zone)
    except OverflowError:  # the last hours of year 9999, the first of year 1
        raise Unreadable("data_invalida") from None
