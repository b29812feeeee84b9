"""What the workers tell the command line, through a pipe that forked workers inherit.

Without a listener (``luigi --module ...``) telling does nothing.
"""

from __future__ import annotations

import logging  # noqa: F401 - before our hook at forks: its lock is then taken after ours, as a handler does
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from multiprocessing.connection import Connection


@dataclass(frozen=True, slots=True)
class Event:
    """``kind``: started, progress, done, failed, or idle (nothing happened for a moment).

    ``rows``: documents read so far, or rows of the step. ``shard``: its number, of a plan's steps. ``told``:
    of a proof, what became of the documents, in words. ``changes``: table, and how many of its rows the step
    inserted, changed and removed.
    """

    kind: str
    step: str = ""
    day: date | None = None
    rows: int = 0
    message: str = ""
    exit_code: int = 0
    shard: int = 0
    told: str = ""
    changes: tuple[tuple[str, int, int, int], ...] = ()


IDLE = Event("idle")
IDLE_SECONDS = 0.25
LONGEST_MESSAGE = 500
"""So that an event fits into one atomic write: no lock that a killed worker could take to its grave."""

_writer: Connection | None = None

_handling = threading.Lock()


# A child forked in the middle of a print would inherit the locked stdout, and hang at its end.
os.register_at_fork(
    before=_handling.acquire, after_in_parent=_handling.release, after_in_child=_handling.release
)


def tell(event: Event) -> None:
    """Sends the event to the listener, if there is one."""
    if _writer is not None:
        _writer.send(replace(event, message=event.message[:LONGEST_MESSAGE]))


@contextmanager
def listening(handle: Callable[[Event], None]) -> Iterator[None]:
    """Calls ``handle``, in a thread, for each event of this process and of those that it forks.

    An error of it ends the handling, not the listening (whoever tells would wait for a reader that is gone),
    and is raised at the end of the block.
    """
    global _writer
    reader, _writer = multiprocessing.Pipe(duplex=False)

    broken: list[BaseException] = []

    def pump() -> None:
        while True:
            event = reader.recv() if reader.poll(IDLE_SECONDS) else IDLE
            if event is None:
                return
            if broken:
                continue
            try:
                with _handling:
                    handle(event)
            except BaseException as error:  # noqa: BLE001 - a pipe that broke ends as SystemExit here
                broken.append(error)

    thread = threading.Thread(target=pump, daemon=True)
    thread.start()
    writer = _writer
    try:
        yield
    finally:
        _writer = None
        writer.send(None)
        thread.join(timeout=5)
    if broken:
        raise broken[0]
