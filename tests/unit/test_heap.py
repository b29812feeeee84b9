"""Freed memory is used again: counted in page faults, which no noise of the machine changes."""

from __future__ import annotations

import ctypes
import multiprocessing
import resource
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import pytest

from ccb_luigi.load.parallel import local, ordered_map
from ccb_luigi.process.heap import keep_freed

LARGE = 5 << 20
ROUNDS = 20
PAGES = ROUNDS * 3 * LARGE // resource.getpagesize()

pytestmark = pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="glibc's malloc only")


def nothing() -> None:
    """As Python and glibc are."""


def faults(before: Callable[[], None]) -> int:
    """Page faults of filling and freeing three large arrays, again and again, after a first time."""
    before()
    for round_ in range(ROUNDS + 1):
        if round_ == 1:
            begin = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        arrays = [bytearray(b"x") * LARGE for _ in range(3)]
        del arrays
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - begin


def faults_of_who_judges() -> int:
    """The same in processes as the ones that judge."""
    return max(ordered_map(faults, [(nothing,)] * 2, local(2)))


def test_processes_that_judge_keep_what_they_freed() -> None:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(faults_of_who_judges).result() < PAGES / 20


@pytest.mark.parametrize("before", [nothing, keep_freed])
def test_large_arrays_are_not_asked_of_the_kernel_again_and_again(before: Callable[[], None]) -> None:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:  # with a heap of its own
        found = pool.submit(faults, before).result()
    if before is keep_freed:
        assert found < PAGES / 20
    else:
        assert found > PAGES / 2, "the test sees no faults at all"
