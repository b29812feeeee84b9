"""The deadline's moment, and that a stop is heard: also where a library would have swallowed it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time as clocks
from contextlib import suppress
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import luigi
import pytest

from ccb_luigi import tasks
from ccb_luigi.process import stopping

SAO_PAULO = ZoneInfo("America/Sao_Paulo")


@pytest.fixture(autouse=True)
def forgotten() -> None:
    stopping.heard()


@pytest.mark.parametrize(
    ("now", "shown", "then"),
    [
        (datetime(2026, 3, 2, 5, 0), time(6), datetime(2026, 3, 2, 9, 0)),
        (datetime(2026, 3, 2, 8, 59, 59), time(6), datetime(2026, 3, 2, 9, 0)),
        (datetime(2026, 3, 2, 9, 0), time(6), datetime(2026, 3, 3, 9, 0)),
        (datetime(2026, 3, 2, 12, 0), time(6), datetime(2026, 3, 3, 9, 0)),
        (datetime(2026, 3, 2, 2, 30), time(23), datetime(2026, 3, 3, 2, 0)),
        (datetime(2026, 12, 31, 20, 0), time(6), datetime(2027, 1, 1, 9, 0)),
        (datetime(2018, 11, 3, 20, 0), time(6), datetime(2018, 11, 4, 8, 0)),  # summer time begins that night
    ],
    ids=str,
)
def test_the_deadline_is_the_next_time_that_the_zone_s_clock_shows_it(
    monkeypatch: pytest.MonkeyPatch, now: datetime, shown: time, then: datetime
) -> None:
    monkeypatch.setattr(stopping, "clock", now.replace(tzinfo=UTC).timestamp)
    assert stopping.following(shown, SAO_PAULO).timestamp() == then.replace(tzinfo=UTC).timestamp()


def test_a_block_ends_at_its_deadline_and_what_it_waits_for_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    cut = threading.Event()
    over = datetime.fromtimestamp(clocks.time() - 1, SAO_PAULO)
    with (
        pytest.raises(stopping.DeadlinePassed, match=f"the deadline, {over:%H:%M}, has passed"),
        stopping.until(over),
        stopping.cut_when_stopped(cut.set),
    ):
        threading.Event().wait(30)
    assert stopping.DeadlinePassed.exit_code == 21


def test_the_second_ctrl_c_waits_until_the_first_has_been_told() -> None:
    said = []

    def told() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        said.append("stopping")

    earlier = signal.getsignal(signal.SIGUSR1)
    try:
        with stopping.gently(told), suppress(KeyboardInterrupt):
            signal.signal(signal.SIGUSR1, lambda *_: None)  # as Luigi does while it works
            os.kill(os.getpid(), signal.SIGINT)
            threading.Event().wait(5)
            said.append("went on")
    finally:
        signal.signal(signal.SIGUSR1, earlier)
    assert said == ["stopping"]


def test_without_a_deadline_or_before_it_nothing_happens() -> None:
    before = signal.getsignal(signal.SIGALRM)
    for moment in (None, datetime.fromtimestamp(clocks.time() + 3600, SAO_PAULO)):
        with stopping.until(moment):
            pass
    assert signal.getsignal(signal.SIGALRM) is before
    stopping.insist()


def test_sigterm_ends_a_block_cuts_what_it_waits_for_and_is_insisted_on() -> None:
    cut = threading.Event()

    def failing_library() -> None:
        """It turns whatever happens into an error of its own."""
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            threading.Event().wait(30)
        except BaseException as error:
            assert cut.wait(30)
            raise ConnectionError from error

    before = signal.getsignal(signal.SIGTERM)
    with stopping.stoppable(), stopping.cut_when_stopped(cut.set):
        with pytest.raises(ConnectionError):
            failing_library()
        with pytest.raises(stopping.Terminated):
            stopping.insist()
        os.kill(os.getpid(), signal.SIGTERM)  # who ends needn't be told twice
    assert signal.getsignal(signal.SIGTERM) is before
    stopping.heard()
    stopping.insist()


def test_in_a_thread_nothing_is_promised_and_nothing_breaks() -> None:
    done = threading.Event()

    def work() -> None:
        with stopping.stoppable():
            done.set()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done.is_set()


def sleeper() -> int:
    """The number of a child that does nothing for half a minute."""
    child = os.fork()
    if not child:
        clocks.sleep(30)
        os._exit(0)
    return child


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_worker_ends_by_a_signal_at_once_however_young_it_is_and_its_parent_does_not(
    number: signal.Signals,
) -> None:
    with stopping.stoppable():
        for _ in range(50):
            child = sleeper()
            os.kill(child, number)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -number
    stopping.insist()


IN_A_FORK = """
import os, signal, sys, time
from datetime import datetime
place, number = sys.argv[1], int(sys.argv[2])
def strike():
    os.kill(os.getpid(), number)
os.register_at_fork(**{place: strike})
from ccb_luigi.process import stopping
try:
    with stopping.stoppable(), stopping.until(datetime.fromtimestamp(time.time() + 3600)):
        child = os.fork()
        if not child:
            os._exit(0)
        os.waitpid(child, 0)
        time.sleep(5)
except KeyboardInterrupt as by:
    print(type(by).__name__)
"""


@pytest.mark.parametrize("place", ["before", "after_in_parent"])
@pytest.mark.parametrize(
    ("number", "heard"),
    [
        (signal.SIGINT, "KeyboardInterrupt"),
        (signal.SIGTERM, "Terminated"),
        (signal.SIGALRM, "DeadlinePassed"),
    ],
)
def test_what_arrives_within_a_fork_is_heard(place: str, number: int, heard: str) -> None:
    # From 3.12 on Python warns of forks beside threads.
    words = [sys.executable, "-Wignore::DeprecationWarning", "-c", IN_A_FORK, place, str(int(number))]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == (f"{heard}\n", "")


def test_what_arrives_within_an_event_handler_of_luigi_is_heard() -> None:
    class Told(luigi.Task):  # type: ignore[misc]
        """Nothing but its events."""

    @Told.event_handler(luigi.Event.PROCESS_FAILURE)
    def strike(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    assert tasks  # which says of Luigi what it does
    with pytest.raises(KeyboardInterrupt), stopping.stoppable():
        Told().trigger_event(luigi.Event.PROCESS_FAILURE)


THROWN_AWAY = """
import os, signal, sys, time, weakref
from datetime import datetime
place, number = sys.argv[1], int(sys.argv[2])
class Object:
    def __del__(self):
        if place == "__del__":
            os.kill(os.getpid(), number)
            time.sleep(0)
def callback(_):
    if place == "callback":
        os.kill(os.getpid(), number)
        time.sleep(0)
from ccb_luigi.process import stopping
try:
    with stopping.stoppable(), stopping.until(datetime.fromtimestamp(time.time() + 3600)):
        it = Object()
        kept = weakref.ref(it, callback)
        del it
        time.sleep(5)
except KeyboardInterrupt as by:
    print(type(by).__name__)
"""


@pytest.mark.parametrize("place", ["__del__", "callback"])
@pytest.mark.parametrize(
    ("number", "heard"),
    [
        (signal.SIGINT, "KeyboardInterrupt"),
        (signal.SIGTERM, "Terminated"),
        (signal.SIGHUP, "HungUp"),
        (signal.SIGALRM, "DeadlinePassed"),
    ],
)
def test_what_arrives_while_an_object_is_thrown_away_is_heard(place: str, number: int, heard: str) -> None:
    words = [sys.executable, "-c", THROWN_AWAY, place, str(int(number))]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == (f"{heard}\n", "")


def test_an_error_while_an_object_is_thrown_away_is_told_as_always(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: told.append(what.exc_value))
    with stopping.stoppable():

        class Broken:
            def __del__(self) -> None:
                raise ValueError

        Broken()
    assert [type(each) for each in told] == [ValueError]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_is_ignored_stays_so(number: signal.Signals) -> None:
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with stopping.stoppable():
            os.kill(os.getpid(), number)
            assert signal.getsignal(number) is signal.SIG_IGN
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)


def test_a_worker_ends_by_ctrl_c_without_a_word_however_young_it_is() -> None:
    with stopping.stoppable():
        for _ in range(50):
            child = sleeper()
            os.kill(child, signal.SIGINT)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGINT
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
