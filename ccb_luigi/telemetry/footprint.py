"""What a run costs the machine: memory and processor time of this process and of all that it started."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress

EVERY = 1.0
"""Seconds between two looks at the memory: each costs about a millisecond per process."""


class Peak:
    """The most memory that all our processes together were seen to hold, in bytes.

    Shared pages count once (PSS): forked processes share most of theirs.
    """

    def __init__(self) -> None:
        self._seen = 0
        self._next = 0.0

    def look(self) -> None:
        """Looks, unless it has just done so."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + EVERY
            self._seen = max(self._seen, memory())

    @property
    def bytes(self) -> int:
        """The most so far; never less than this process alone has had."""
        # Not getrusage's: a process inherits that one from whoever started it.
        return max(self._seen, _kilobytes("/proc/self/status", b"VmHWM:"))


def memory() -> int:
    """Bytes that this process and its descendants hold now; 0 where the system doesn't tell (no Linux)."""
    return sum(_kilobytes(f"/proc/{pid}/smaps_rollup", b"Pss:") for pid in _family(os.getpid()))


def cpu_seconds() -> float:
    """Processor time of this process and of those that have ended and were waited for."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def _family(pid: int) -> Iterator[int]:
    yield pid
    with suppress(OSError):  # it may end while we look
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - names are enough
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:  # noqa: PTH123
                for child in file.read().split():
                    yield from _family(int(child))


def _kilobytes(path: str, name: bytes) -> int:
    """A line of one of the kernel's tables, in bytes."""
    with suppress(OSError), open(path, "rb") as file:  # noqa: PTH123
        for line in file:
            if line.startswith(name):
                return int(line.split()[1]) * 1024
    return 0
