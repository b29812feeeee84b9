"""Dates beside the real clock, chosen so that no midnight comes while a test runs."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def noon_zone() -> str:
    """A time zone in which it is between half past eleven and half past twelve, or near it."""
    now = datetime.now(UTC)
    ahead = 12 - (now.hour + (now.minute >= 30))  # from -12 to +12
    return f"Etc/GMT{-ahead:+d}" if ahead else "Etc/GMT"


def today(zone: str) -> date:
    return datetime.now(ZoneInfo(zone)).date()


def moment(zone: str, day: date, hour: int = 1) -> datetime:
    """An hour of the day in the zone."""
    return datetime(day.year, day.month, day.day, hour, tzinfo=ZoneInfo(zone))


def days(number: int) -> timedelta:
    return timedelta(days=number)


def until_midnight(now: datetime) -> timedelta:
    """How long it is until a day ends: here, in São Paulo, or in UTC."""
    here = (now.astimezone(), now.astimezone(ZoneInfo("America/Sao_Paulo")), now.astimezone(UTC))
    ends = (datetime.combine(moment.date() + timedelta(days=1), time(), moment.tzinfo) for moment in here)
    return min(end - now for end in ends)
