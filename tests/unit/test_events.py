"""Events reach the command line, whatever the one who handles them does."""

from __future__ import annotations

import pytest

from ccb_luigi.process import events
from ccb_luigi.process.events import IDLE, Event

MANY = 5_000
"""Events that a pipe nobody reads doesn't hold."""


def test_every_event_is_handled_in_order() -> None:
    seen: list[Event] = []
    with events.listening(seen.append):
        for n in range(MANY):
            events.tell(Event("progress", "contratos", None, n))
    assert [each.rows for each in seen if each is not IDLE and each.kind == "progress"] == [*range(MANY)]


def test_nobody_who_tells_waits_for_a_handler_that_broke() -> None:
    handled = []

    def handle(event: Event) -> None:
        handled.append(event)
        raise SystemExit(1)

    def tell_much() -> None:
        with events.listening(handle):
            for n in range(MANY):
                events.tell(Event("progress", "contratos", None, n))

    with pytest.raises(SystemExit):
        tell_much()
    assert len(handled) == 1
