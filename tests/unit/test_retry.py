"""Trying again: longer and longer, by chance, never for ever, and not at all where it is of no use."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from ccb_luigi.errors import SourceError, TargetError
from ccb_luigi.process import retry


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What is waited, without waiting."""
    found: list[float] = []
    monkeypatch.setattr(time, "sleep", found.append)
    return found


def failing(times: int, error: Exception, tries: list[int]) -> Any:
    tries.append(1)
    if len(tries) <= times:
        raise error
    return "done"


PASSING = SourceError("gone for a moment", transient=True)


def test_pauses_double_up_to_fifteen_seconds(waits: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "uniform", lambda low, high: high)
    tries: list[int] = []
    assert retry.retrying(lambda: failing(8, PASSING, tries), 600) == "done"
    assert waits == [1, 2, 4, 8, 15, 15, 15]  # the first retry comes at once
    assert len(tries) == 9


def test_pauses_are_drawn_by_lot_so_that_workers_do_not_come_back_together(waits: list[float]) -> None:
    tries: list[int] = []
    retry.retrying(lambda: failing(40, PASSING, tries), 600)
    assert len({*waits}) == len(waits) == 39
    assert all(0 <= wait <= most for wait, most in zip(waits, [1, 2, 4, 8, *[15] * 35], strict=True))
    assert min(waits[4:]) < 5 < 10 < max(waits)


def test_when_time_is_up_the_last_error_is_raised(waits: list[float]) -> None:
    errors = iter([PASSING, TargetError("the last", transient=True)])

    def work() -> None:
        raise next(errors)

    with pytest.raises(TargetError, match="the last"):
        retry.retrying(work, 0)
    assert waits == []


def test_what_no_retry_mends_is_tried_once_and_never_again(waits: list[float]) -> None:
    tries: list[int] = []
    with pytest.raises(TargetError):
        retry.retrying(lambda: failing(9, TargetError("the disk is full"), tries), 600)
    assert len(tries) == 1

    errors = iter([PASSING, PASSING, TargetError("the disk is full")])

    def work() -> None:
        raise next(errors)

    with pytest.raises(TargetError, match="full"):
        retry.retrying(work, 600)
    assert len(waits) == 1


def test_the_same_reason_is_told_once_and_another_one_again(
    waits: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    other = SourceError("something else", transient=True)
    errors = iter([PASSING, PASSING, PASSING, other, other, PASSING])

    def work() -> str:
        if error := next(errors, None):
            raise error
        return "done"

    caplog.set_level("INFO")
    assert retry.retrying(work, 600) == "done"
    told = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert told[0] == "gone for a moment; trying again for 600 s"
    assert [words.partition(";")[0] for words in told] == [
        "gone for a moment",
        "something else",
        "gone for a moment",
    ]
    assert len(caplog.records) == 6, "machines get each try"


def test_who_waits_is_told_soon_and_no_retry_begins_after_it(waits: list[float]) -> None:
    tries: list[int] = []
    with pytest.raises(SourceError, match="gone for a moment") as told:
        retry.soon(lambda: failing(9, SourceError("gone for a moment", transient=True), tries), 0)
    assert told.value.hasty
    assert not told.value.transient, "whatever is around it doesn't begin again"
    assert len(tries) == 1

    tries.clear()
    retry.soon(lambda: failing(2, SourceError("gone for a moment", transient=True), tries), 5)
    assert len(tries) == 3

    with pytest.raises(TargetError) as told:
        retry.soon(lambda: failing(9, TargetError("wrong password"), []), 5)
    assert not told.value.hasty, "waiting longer would be of no use"
