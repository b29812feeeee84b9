"""Memory of all our processes together, forked pages counted once."""

from __future__ import annotations

import multiprocessing
from multiprocessing.synchronize import Event

from ccb_luigi.telemetry import footprint

MEGABYTE = 1 << 20


def _hold(megabytes: int, ready: Event, done: Event) -> None:
    mine = bytearray(megabytes * MEGABYTE)
    mine[::4096] = b"x" * len(mine[::4096])
    ready.set()
    done.wait(60)


def test_a_childs_memory_counts_and_what_it_shares_counts_once() -> None:
    shared = bytearray(64 * MEGABYTE)
    shared[::4096] = b"x" * len(shared[::4096])
    before = footprint.memory()
    fork = multiprocessing.get_context("fork")
    ready, done = fork.Event(), fork.Event()
    child = fork.Process(target=_hold, args=(32, ready, done))
    child.start()
    assert ready.wait(60)
    grown = footprint.memory() - before
    done.set()
    child.join(60)
    assert 30 * MEGABYTE < grown < 60 * MEGABYTE
    assert len(shared) == 64 * MEGABYTE


def test_the_peak_is_kept_and_is_never_less_than_this_process_has_had() -> None:
    peak = footprint.Peak()
    assert peak.bytes > 10 * MEGABYTE
    peak.look()
    first = peak.bytes
    peak.look()
    assert peak.bytes >= first


def test_processor_time_grows() -> None:
    before = footprint.cpu_seconds()
    while footprint.cpu_seconds() == before:
        pass
    assert footprint.cpu_seconds() > before > 0
