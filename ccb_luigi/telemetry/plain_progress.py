"""How far a command is, where no terminal could draw a bar: a plain line on stderr, now and then."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress

SECONDS = 5.0
"""Between two lines, at first ..."""

LONGEST = 60.0
"""... and at last: a load of hours leaves no book."""


def pause_after(seconds: float) -> float:
    """How long to be silent when a command has taken so many seconds."""
    return min(max(SECONDS, seconds / 20), LONGEST)


def lasting(seconds: float) -> str:
    """A stretch of time as one says it: ``40 s``, ``12 min``, ``3 h 05 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"


class PlainProgress:
    """Says ``words()`` and how long it has taken, also while nothing happens, from a thread of its own.

    It goes past Python's streams: a process that is forked in the middle of a line inherits no lock of one.
    """

    def __init__(self, words: Callable[[], str], write: Callable[[bytes], object] | None = None) -> None:
        self._words = words
        self._write = write or _to_stderr
        self._began = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)

    def begin(self) -> None:
        """From here on."""
        self._thread.start()

    def end(self) -> None:
        """No line comes after this."""
        self._over.set()
        self._thread.join(timeout=1)

    def _go_on(self) -> None:
        while not self._over.wait(pause_after(time.monotonic() - self._began)):
            self._write(f"{self._words()}, {lasting(time.monotonic() - self._began)}\n".encode())


def _to_stderr(line: bytes) -> None:
    with suppress(OSError):
        os.write(2, line)
