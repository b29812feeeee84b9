"""The exit status of a run: what is left undone gives it."""

from __future__ import annotations

from datetime import date

import pytest

from ccb_luigi.orchestration.runner import Outcome
from ccb_luigi.process.events import Event

D1, D2 = date(2026, 3, 2), date(2026, 3, 3)
BUSY, BROKEN = Event("failed", "parcelas", D1, exit_code=16), Event("failed", "contratos", D2, exit_code=11)


@pytest.mark.parametrize(
    ("incomplete", "failures", "status"),
    [
        ([], [BUSY], 0),
        ([D1, D2], [BUSY, BROKEN], 16),
        ([D2], [BUSY, BROKEN], 11),
        ([D2], [BUSY], 10),
        ([D2], [], 10),
    ],
    ids=["all mended", "the first", "the first that is left", "no reason known", "no failure"],
)
def test_the_first_failure_that_nothing_has_mended_gives_the_status(
    incomplete: list[date], failures: list[Event], status: int
) -> None:
    assert Outcome([], incomplete, failures).exit_code == status
