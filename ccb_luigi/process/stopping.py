"""Ending early and cleanly: at the night's deadline, or because systemd (or anybody) sent SIGTERM.

Both arrive as ``Stopped`` in the main thread, like Ctrl-C: Luigi ends its workers, transactions roll back.
So does SIGHUP, when a terminal goes. What comes before that or after it is for ``early``.
Every step is one transaction, so it is done and marked, or it never was. A statement of libpq hears no
signal: its connection is cut, from a thread that the signal wakes. What arrives where Python or Luigi would
swallow it (within a fork, in Luigi's event handlers, where an object is thrown away) comes again a moment
later.
"""

from __future__ import annotations

import _thread
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from datetime import time as time_of_day
from types import CodeType, FrameType
from typing import Any
from zoneinfo import ZoneInfo

from ccb_luigi.process import (
    early,
    events,  # noqa: F401 - before our hook at forks: a signal is met there as well
)

LONGEST_NAP = 30.0
"""Seconds between two looks at the clock: it may be set, and a machine may sleep."""

A_MOMENT = 0.01
"""Seconds after which a signal comes again that came where it would have been swallowed."""

Handler = Callable[[int, FrameType | None], None]


class Stopped(KeyboardInterrupt):
    """The command has to end now. Not an ``Exception``: nothing that expects failures may swallow it."""

    exit_code = 130
    number = signal.SIGINT


class Terminated(Stopped):
    """SIGTERM: a stop of the unit, its time limit, a shutdown of the machine."""

    exit_code = 143
    number = signal.SIGTERM


class HungUp(Stopped):
    """SIGHUP: the terminal was closed, the line to it was lost."""

    exit_code = 129
    number = signal.SIGHUP


class DeadlinePassed(Stopped):
    """The night is over (``CCB_DEADLINE``)."""

    exit_code = 21
    number = signal.SIGALRM


class Gentle:
    """Whether the command was asked to end after what is under way."""

    asked = False


_gentle = False


@contextmanager
def gently(told: Callable[[], None]) -> Iterator[Gentle]:
    """The first Ctrl-C has Luigi end what is under way and begin nothing else; the second ends all at once.

    ``told`` is called when it has been heard. Ctrl-C reaches every process of a terminal: the workers, whose
    work is to be finished, don't hear it. Luigi's own signal for this is SIGUSR1; until it listens to that,
    nothing is under way.
    """
    global _gentle
    gentle = Gentle()

    swallows(told)  # a screen that is left in the middle of a line says it once more

    @_where_heard
    def hear(number: int, frame: FrameType | None) -> None:
        listens = callable(signal.getsignal(signal.SIGUSR1))
        if gentle.asked or not listens:
            raise KeyboardInterrupt
        gentle.asked = True
        os.kill(os.getpid(), signal.SIGUSR1)
        told()

    handlers = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGUSR1)}
    if handlers[signal.SIGINT] is not signal.SIG_IGN:  # behind nohup it stays unheard
        signal.signal(signal.SIGINT, hear)
    _gentle = True
    try:
        yield gentle
    finally:
        _gentle = False
        for each, handler in handlers.items():
            signal.signal(each, handler)


_cutters: dict[object, Callable[[], None]] = {}
_unheard: Stopped | None = None
"""What was raised, until it has been dealt with: see ``insist``."""


_forking = threading.local()
_deaf: set[CodeType] = set()
_postponed: list[int] = []


def swallows(function: Callable[..., Any]) -> None:
    """Says of a library's function that it swallows whatever is raised in what it calls."""
    _deaf.add(function.__code__)


def _where_heard(handler: Handler) -> Handler:
    """The handler, but never where what it raises would be swallowed: the signal comes once more instead.

    Python tells what a callback of ``fork`` raises, and forgets it: a Ctrl-C there would go unheard.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        if getattr(_forking, "now", False) or _is_deaf(frame):
            _postpone(number)
        else:
            handler(number, frame)

    return handle


def _is_deaf(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code in _deaf:
            return True
        frame = frame.f_back
    return False


def _postpone(number: int) -> None:
    _postponed.append(number)
    _thread.start_new_thread(_send_again, (number,))  # no ``Thread``: its locks may be taken here


def _send_again(number: int) -> None:
    time.sleep(A_MOMENT)
    if callable(
        signal.getsignal(number)
    ):  # its block may have ended: nobody minds, but for the default of Unix
        os.kill(os.getpid(), number)
    _postponed.remove(number)


@_where_heard
def _terminate(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)  # who ends needn't be told twice
    _raise(_ENDS[number](early.WORDS[number]))


_ENDS: dict[int, type[Stopped]] = {each.number: each for each in (Terminated, HungUp)}
_interrupt = _where_heard(signal.default_int_handler)


@contextmanager
def _nothing_swallowed() -> Iterator[None]:
    """What is raised while an object is thrown away Python tells, and forgets: a stop there comes again."""
    tell = sys.unraisablehook

    def hook(what: sys.UnraisableHookArgs) -> None:
        if not isinstance(what.exc_value, KeyboardInterrupt):
            tell(what)
            return
        number = what.exc_value.number if isinstance(what.exc_value, Stopped) else signal.SIGINT
        if number in _ENDS:
            signal.signal(number, _terminate)
        _postpone(number)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = tell


@contextmanager
def stoppable() -> Iterator[None]:
    """SIGTERM raises ``Terminated`` in the block, once, SIGHUP ``HungUp``, and Ctrl-C ``KeyboardInterrupt``.

    Wherever they meet; but one that is ignored (nohup) stays so. Only the main thread can promise that.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    hears, wakes = os.pipe()
    for end in (hears, wakes):
        os.set_blocking(end, False)
    handlers = {number: signal.getsignal(number) for number in _ENDING}
    for number, handler in handlers.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, _ENDING[number])
    earlier = signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    listener = threading.Thread(target=_listen, args=(hears,), name="stopping", daemon=True)
    listener.start()
    try:
        with _nothing_swallowed():
            yield
            while coming():
                time.sleep(A_MOMENT)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(earlier)
        os.close(wakes)
        listener.join()
        os.close(hears)


_ENDING: dict[int, Handler] = {signal.SIGINT: _interrupt, **dict.fromkeys(_ENDS, _terminate)}


@contextmanager
def until(moment: datetime | None) -> Iterator[None]:
    """Raises ``DeadlinePassed`` in the block when ``moment`` has come (``None``: never)."""
    if moment is None:
        yield
        return
    ended = threading.Event()

    @_where_heard
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
    ours = object()
    _cutters[ours] = cut
    try:
        yield
    finally:
        _cutters.pop(ours, None)


def insist() -> None:
    """Raises ``Stopped`` again, if that is why something failed just now.

    A library may replace it on its way up: undoing a transaction on a connection that was cut fails as well.
    """
    if _unheard is not None:
        raise _unheard


def coming() -> bool:
    """Whether a signal is under way that came at the wrong moment: what died just now may have died of it."""
    return bool(_postponed)


def heard() -> None:
    """It has been dealt with: errors from now on are errors."""
    global _unheard
    _unheard = None


def _raise(stopped: Stopped) -> None:
    global _unheard
    _unheard = stopped
    raise stopped


def _listen(pipe: int) -> None:
    """Cuts the connections when SIGTERM or SIGHUP has come; returns when the pipe closes."""
    while True:
        select.select([pipe], [], [])
        with suppress(BlockingIOError):
            arrived = os.read(pipe, 64)
            if not arrived:
                return
            if _ENDS.keys() & set(arrived):
                _cut()


def _cut() -> None:
    for cut in [*_cutters.values()]:
        cut()


def _before_fork() -> None:
    """A signal for the child that came before its handler is gone would be lost: it waits."""
    _forking.now = True
    _forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING.keys())


def _in_parent() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _forking.mask)
    _forking.now = False


def _in_child() -> None:
    """A worker ends at each of the signals at once, also within a statement: its parent says the words."""
    _cutters.clear()
    if signal.getsignal(signal.SIGTERM) in (_terminate, signal.SIG_IGN):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
    if signal.getsignal(signal.SIGHUP) is _terminate:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if _gentle:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    elif signal.getsignal(signal.SIGINT) is _interrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    _forking.now = False
    signal.pthread_sigmask(signal.SIG_SETMASK, _forking.mask)


swallows(_before_fork)
swallows(_in_parent)
os.register_at_fork(before=_before_fork, after_in_parent=_in_parent, after_in_child=_in_child)
