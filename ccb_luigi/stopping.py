"""Ending early and cleanly: at the night's deadline, or because systemd (or anybody) sent SIGTERM.

Both arrive as ``Stopped`` in the main thread, like Ctrl-C: Luigi ends its workers, transactions roll back.
Every step is one transaction, so it is done and marked, or it never was. A statement of libpq hears no
signal: its connection is cut, from a thread that the signal wakes.
"""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from datetime import time as time_of_day
from itertools import count
from types import FrameType
from zoneinfo import ZoneInfo

LONGEST_NAP = 30.0
"""Seconds between two looks at the clock: it may be set, and a machine may sleep."""


class Stopped(KeyboardInterrupt):
    """The command has to end now. Not an ``Exception``: nothing that expects failures may swallow it."""

    exit_code = 130


class Terminated(Stopped):
    """SIGTERM: a stop of the unit, its time limit, a shutdown of the machine."""

    exit_code = 143


class DeadlinePassed(Stopped):
    """The night is over (``CCB_DEADLINE``)."""

    exit_code = 21


class Gentle:
    """Whether the command was asked to end after what is under way."""

    asked = False


_of_children: signal.Handlers = signal.SIG_DFL


@contextmanager
def gently(told: Callable[[], None]) -> Iterator[Gentle]:
    """The first Ctrl-C has Luigi end what is under way and begin nothing else; the second ends all at once.

    ``told`` is called when it has been heard. Ctrl-C reaches every process of a terminal: the workers, whose
    work is to be finished, don't hear it. Luigi's own signal for this is SIGUSR1; until it listens to that,
    nothing is under way.
    """
    global _of_children
    gentle = Gentle()

    def hear(number: int, frame: FrameType | None) -> None:
        listens = callable(signal.getsignal(signal.SIGUSR1))
        if gentle.asked or not listens:
            raise KeyboardInterrupt
        gentle.asked = True
        os.kill(os.getpid(), signal.SIGUSR1)
        told()

    handlers = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGUSR1)}
    signal.signal(signal.SIGINT, hear)
    _of_children = signal.SIG_IGN
    try:
        yield gentle
    finally:
        _of_children = signal.SIG_DFL
        for each, handler in handlers.items():
            signal.signal(each, handler)


def of_children() -> signal.Handlers:
    """What a worker does at Ctrl-C: it ends, or leaves that to its parent."""
    return _of_children


_cutters: dict[int, Callable[[], None]] = {}
_numbers = count()
_unheard: Stopped | None = None
"""What was raised, until it has been dealt with: see ``insist``."""


@contextmanager
def stoppable() -> Iterator[None]:
    """SIGTERM raises ``Terminated`` in the block, once. Only the main thread can promise that."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    hears, wakes = os.pipe()
    for end in (hears, wakes):
        os.set_blocking(end, False)
    handler = signal.signal(signal.SIGTERM, _terminate)
    earlier = signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    listener = threading.Thread(target=_listen, args=(hears,), name="stopping", daemon=True)
    listener.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(earlier)
        signal.signal(signal.SIGTERM, handler)
        os.close(wakes)
        listener.join()
        os.close(hears)


@contextmanager
def until(moment: datetime | None) -> Iterator[None]:
    """Raises ``DeadlinePassed`` in the block when ``moment`` has come (``None``: never)."""
    if moment is None:
        yield
        return
    ended = threading.Event()

    def ring(number: int, frame: FrameType | None) -> None:
        if not ended.is_set():
            _raise(DeadlinePassed(f"the deadline, {moment:%H:%M}, has passed"))

    handler = signal.signal(signal.SIGALRM, ring)

    def watch() -> None:
        while (left := moment.timestamp() - clock()) > 0:
            if ended.wait(min(left, LONGEST_NAP)):
                return
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)
        _cut()

    thread = threading.Thread(target=watch, name="deadline", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        signal.signal(signal.SIGALRM, handler)


def following(shown: time_of_day, zone: ZoneInfo) -> datetime:
    """The next moment at which a clock of ``zone`` shows ``shown``."""
    now = clock()
    today = datetime.fromtimestamp(now, zone).date()
    moments = (datetime.combine(today + timedelta(days=n), shown, zone) for n in range(2))
    return next(moment for moment in moments if moment.timestamp() > now)


def clock() -> float:
    """What a deadline goes by, in seconds since 1970."""
    return time.time()


@contextmanager
def cut_when_stopped(cut: Callable[[], None]) -> Iterator[None]:
    """``cut`` ends what the block waits for, should the command have to end meanwhile."""
    number = next(_numbers)
    _cutters[number] = cut
    try:
        yield
    finally:
        _cutters.pop(number, None)


def insist() -> None:
    """Raises ``Stopped`` again, if that is why something failed just now.

    A library may replace it on its way up: undoing a transaction on a connection that was cut fails as well.
    """
    if _unheard is not None:
        raise _unheard


def heard() -> None:
    """It has been dealt with: errors from now on are errors."""
    global _unheard
    _unheard = None


def _terminate(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # who ends needn't be told twice
    _raise(Terminated("ended by SIGTERM"))


def _raise(stopped: Stopped) -> None:
    global _unheard
    _unheard = stopped
    raise stopped


def _listen(pipe: int) -> None:
    """Cuts the connections when SIGTERM has come; returns when the pipe closes."""
    while True:
        select.select([pipe], [], [])
        with suppress(BlockingIOError):
            arrived = os.read(pipe, 64)
            if not arrived:
                return
            if signal.SIGTERM in arrived:
                _cut()


def _cut() -> None:
    for cut in [*_cutters.values()]:
        cut()


_forking = threading.local()


def _before_fork() -> None:
    """A SIGTERM for the child that came before its handler is gone would be lost: it waits."""
    _forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def _in_parent() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _forking.mask)


def _in_child() -> None:
    """A worker ends at SIGTERM at once, also within a statement: its parent says the words."""
    _cutters.clear()
    if signal.getsignal(signal.SIGTERM) in (_terminate, signal.SIG_IGN):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
    signal.pthread_sigmask(signal.SIG_SETMASK, _forking.mask)


os.register_at_fork(before=_before_fork, after_in_parent=_in_parent, after_in_child=_in_child)
