"""What the workers tell the command line: a queue that forked workers inherit.

Without a listener (``luigi --module ...``) telling does nothing.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """``kind``: started, progress, done or failed. ``rows``: documents read so far, or rows written."""

    kind: str
    step: str
    day: date | None
    rows: int = 0
    message: str = ""
    exit_code: int = 0


_queue: Any = None


def tell(event: Event) -> None:
    """Sends the event to the listener, if there is one."""
    if _queue is not None:
        _queue.put(event)


@contextmanager
def listening(handle: Callable[[Event], None]) -> Iterator[None]:
    """Calls ``handle``, in a thread, for each event of this process and of those that it forks."""
    global _queue
    _queue = multiprocessing.get_context("fork").SimpleQueue()

    def pump(queue: Any) -> None:
        while (event := queue.get()) is not None:
            handle(event)

    thread = threading.Thread(target=pump, args=(_queue,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        _queue.put(None)
        thread.join(timeout=5)
        _queue = None
