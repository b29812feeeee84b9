"""Notices a server that no longer answers while we wait for it.

A stopped process, a frozen machine or hung storage keeps its TCP connections: the kernel acknowledges,
keepalives included, and a driver without a limit waits for ever. How long a statement may take nobody can
tell, but whether the server still answers somebody else can be asked.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)

EVERY = 30.0
"""Seconds between two questions; shorter work is never asked about."""

MISSES = 3
"""So many questions in a row without an answer, and the connection is given up."""


@contextmanager
def watched(answers: Callable[[], bool], give_up: Callable[[], None]) -> Iterator[None]:
    """Asks ``answers`` now and then while the block runs; ``give_up`` has to end its waiting."""
    ended = threading.Event()

    def watch() -> None:
        misses = 0
        while misses < MISSES:
            if ended.wait(EVERY):
                return
            misses = 0 if answers() else misses + 1
        if not ended.is_set():
            log.warning(
                "PostgreSQL has not answered for %.0f s: the connection is given up",
                EVERY * MISSES,
                extra={"event": "connection_given_up", "seconds": EVERY * MISSES},
            )
            give_up()

    thread = threading.Thread(target=watch, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
