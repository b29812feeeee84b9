"""A COPY that fails in silence: what failed is in the exception, and nothing of it on stderr.

When the server ends a session in the middle of a COPY, psycopg2 (2.9) stumbles over the second of two errors,
and has ``sys.excepthook`` print the first one: with the line that was being copied, a person's data.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

_thread = threading.local()


@contextmanager
def unheard() -> Iterator[None]:
    """Here this thread prints no exception: nothing of ours is uncaught within a call of the driver.

    The hook stays where it is afterwards, and is everybody else's own: to put the old one back while another
    thread copies would be a race.
    """
    if not isinstance(sys.excepthook, _Silent):
        sys.excepthook = _Silent(sys.excepthook)
    _thread.copies = True
    try:
        yield
    finally:
        _thread.copies = False


class _Silent:
    """The hook that it found, but for what is raised while its thread copies."""

    def __init__(self, others: Callable[..., Any]) -> None:
        self._others = others

    def __call__(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if not getattr(_thread, "copies", False):
            self._others(kind, error, trace)
