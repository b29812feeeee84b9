"""A map over several processes: results in order, a bounded number under way, nobody left behind.

Who does the work is an executor in the manner of ``concurrent.futures``: processes of this machine (here), or
a cluster (``cluster``).
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from itertools import chain, islice
from typing import Any, Protocol, TypeVar

from ccb_luigi.errors import PartitionFailed
from ccb_luigi.process.heap import keep_freed

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

UNDER_WAY = 2
"""Items per process that are read ahead: memory is bounded by their size."""


class Awaited(Protocol[T_co]):
    """What comes of an item, some time."""

    def result(self) -> T_co:
        """Waits for it; raises what went wrong."""


class Pool(Protocol):
    """What ``ordered_map`` asks of an executor."""

    def submit(self, work: Callable[..., T], /, *item: Any) -> Awaited[T]:
        """Lets ``work(*item)`` be done, somewhere."""


Workers = Callable[[list[int]], AbstractContextManager[tuple[Pool, int]]]
"""Opens an executor and tells how many items it does at once. The numbers are file descriptors that children
of this process have to close. Raises errors of ours alone."""


def local(processes: int) -> Workers | None:
    """``forked`` when there is work for them; ``None``: this process is enough."""
    return partial(forked, processes) if processes > 1 else None


def ordered_map(
    work: Callable[..., T],
    items: Iterable[tuple[Any, ...]],
    workers: Workers | None,
    *,
    let_go: Callable[[], list[int]] = list,
    more_to_come: Callable[..., bool] = lambda *_: False,
) -> Generator[T, None, None]:
    """``work(*item)`` for each item, in order.

    Without ``workers`` all is done here, and likewise if there is no second item: most dates are small.
    The second one isn't waited for if ``more_to_come(*item)`` can tell it by the first.
    ``let_go``, called before the fork, names file descriptors (of database connections) that the children
    close: a connection must end with the process that owns it. Close the generator
    (``contextlib.closing``) where the loop may be left early: an exception keeps it alive, its processes wait
    for ever, and this one for them at its end.

    Raises:
        PartitionFailed: one of the processes was killed.
    """
    remaining = iter(items)
    first = list(islice(remaining, 1))
    if workers and first and not more_to_come(*first[0]):
        first += islice(remaining, 1)
        workers = workers if len(first) > 1 else None
    if workers is None or not first:
        yield from (work(*item) for item in chain(first, remaining))
        return
    under_way: deque[Awaited[T]] = deque()
    with workers(let_go()) as (pool, at_once):
        for item in chain(first, remaining):
            under_way.append(pool.submit(work, *item))
            if len(under_way) >= at_once * UNDER_WAY:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()


@contextmanager
def forked(processes: int, descriptors: list[int]) -> Iterator[tuple[Pool, int]]:
    """Processes of this machine, until the block ends."""
    keep_freed()
    context = multiprocessing.get_context("fork")
    pool = ProcessPoolExecutor(processes, context, _begin, (os.getpid(), descriptors))
    unread = os.dup(pool._call_queue._reader.fileno())  # type: ignore[attr-defined]
    try:
        yield pool, processes
    except BrokenProcessPool:
        # What is just being sent to the killed process nobody reads: before Python 3.11.5 the pool would wait
        # for that for ever (CPython's issue 94777). Its own end of the pipe is the pool's to close.
        threading.Thread(target=_drain, args=(os.dup(unread),), daemon=True).start()
        raise PartitionFailed(
            "a process that judges documents was killed (is memory short? CCB_PROCESSES says how many)",
            transient=True,
        ) from None
    finally:
        os.close(unread)
        pool.shutdown(wait=True, cancel_futures=True)


def _drain(descriptor: int) -> None:
    """Reads a pipe to its end."""
    with os.fdopen(descriptor, "rb", buffering=0) as pipe:
        while pipe.read(1 << 16):
            pass


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
