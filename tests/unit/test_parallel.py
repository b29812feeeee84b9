"""Processes that judge: none outlives its parent, or holds what is the parent's alone."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress

import psutil
import pytest

from ccb_luigi.errors import PartitionFailed
from ccb_luigi.load import parallel


def _is_open(descriptor: int) -> bool:
    with suppress(OSError):
        os.fstat(descriptor)
        return True
    return False


def test_who_judges_holds_no_connection_of_its_parent() -> None:
    """What somebody else holds as well doesn't end with its process, nor do the locks of its transaction."""
    ends = os.pipe()
    try:
        todo = [(ends[0],)] * 6
        assert [*parallel.ordered_map(_is_open, todo, parallel.local(2))] == [True] * 6
        assert [*parallel.ordered_map(_is_open, todo, parallel.local(2), let_go=lambda: [*ends])] == [
            False
        ] * 6
    finally:
        for end in ends:
            os.close(end)


class _AtOnce:
    """An executor that does what it is given at once, and notes what."""

    def __init__(self) -> None:
        self.done: list[int] = []

    def submit(self, work: Callable[..., int], /, item: int) -> Future[int]:
        self.done.append(item)
        result: Future[int] = Future()
        result.set_result(work(item))
        return result


@pytest.mark.parametrize("more", [True, False], ids=["it tells", "it doesn't tell"])
@pytest.mark.parametrize("number", [0, 1, 2, 5])
def test_the_second_item_is_not_waited_for_if_the_first_one_tells_that_it_comes(
    more: bool, number: int
) -> None:
    pool, done_before = _AtOnce(), list[list[int]]()

    @contextmanager
    def workers(_: list[int]) -> Iterator[tuple[_AtOnce, int]]:
        yield pool, 2

    def items() -> Iterator[tuple[int]]:
        for item in range(number):
            done_before.append([*pool.done])
            yield (item,)

    assert [*parallel.ordered_map(abs, items(), workers, more_to_come=lambda item: more)] == [*range(number)]
    assert pool.done == ([*range(number)] if more or number > 1 else [])
    if number > 1:
        assert done_before[1] == ([0] if more else [])


def _killed_at_work(_: bytes) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_the_end_of_a_killed_process_is_noticed_while_more_is_sent_to_it() -> None:
    """More than a pipe takes in, so that its sender waits: Python 3.11.2 would wait for ever."""
    with pytest.raises(PartitionFailed, match="was killed"):
        [*parallel.ordered_map(_killed_at_work, [(bytes(16 << 20),)] * 8, parallel.local(2))]


def _judge_for_long() -> None:
    [*parallel.ordered_map(time.sleep, [(600,)] * 4, parallel.local(2))]


def test_who_judges_ends_when_its_parent_is_killed() -> None:
    """Its parent can't end it, and nobody else knows of it."""
    parent = multiprocessing.get_context("fork").Process(target=_judge_for_long)
    parent.start()
    deadline = time.monotonic() + 30
    while len(judging := psutil.Process(parent.pid).children()) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    parent.kill()
    parent.join()
    _, left = psutil.wait_procs(judging, timeout=60)
    for each in left:
        each.kill()
    assert not left
