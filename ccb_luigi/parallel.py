"""A map over several processes: results in order, a bounded number under way, nobody left behind."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from itertools import chain, islice
from typing import Any, TypeVar

from ccb_luigi.errors import PartitionFailed

T = TypeVar("T")

UNDER_WAY = 2
"""Items per process that are read ahead: memory is bounded by their size."""


def ordered_map(
    work: Callable[..., T],
    items: Iterable[tuple[Any, ...]],
    processes: int,
    *,
    let_go: Callable[[], list[int]] = list,
) -> Generator[T, None, None]:
    """``work(*item)`` for each item, in order.

    The first item is done here, and nothing is forked if there is no second: most dates are small.
    ``let_go`` names file descriptors (of database connections) that the children close: a connection
    must end with the process that owns it. Close the generator (``contextlib.closing``) where the loop may
    be left early: an exception keeps it alive, its processes wait for ever, and this one for them at its end.

    Raises:
        PartitionFailed: one of the processes was killed.
    """
    remaining = iter(items)
    first = list(islice(remaining, 2))
    if len(first) < 2 or processes < 2:
        yield from (work(*item) for item in chain(first, remaining))
        return
    context = multiprocessing.get_context("fork")
    pool = ProcessPoolExecutor(processes, context, _begin, (os.getpid(), let_go()))
    under_way: deque[Future[T]] = deque()
    try:
        for item in chain(first, remaining):
            under_way.append(pool.submit(work, *item))
            if len(under_way) >= processes * UNDER_WAY:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    except BrokenProcessPool:
        raise PartitionFailed(
            "a process that judges documents was killed (is memory short? CCB_PROCESSES says how many)",
            transient=True,
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin(parent: int, descriptors: list[int]) -> None:
    for descriptor in descriptors:
        with suppress(OSError):
            os.close(descriptor)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """A killed parent can't say goodbye: without it there is nothing to do."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
