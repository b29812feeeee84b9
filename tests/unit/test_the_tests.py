"""What the tests themselves need so that none fails by chance."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import clock
import hypothesis
import pytest


@pytest.mark.parametrize(
    ("now", "left"),
    [
        (datetime(2026, 12, 31, 23, 59, tzinfo=UTC), timedelta(minutes=1)),
        (datetime(2027, 1, 1, 2, 58, 30, tzinfo=UTC), timedelta(seconds=90)),  # in São Paulo
        (datetime(2028, 2, 28, 23, 0, tzinfo=UTC), timedelta(hours=1)),
    ],
)
def test_it_is_known_when_the_next_day_begins(now: datetime, left: timedelta) -> None:
    assert timedelta(0) < clock.until_midnight(now) <= left


def test_no_example_has_a_deadline() -> None:
    assert hypothesis.settings().deadline is None
