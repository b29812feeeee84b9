"""Results reach Luigi's worker, whatever becomes of the processes that send them."""

from __future__ import annotations

import multiprocessing
import os
import queue
import random
import select
import signal
import subprocess
import sys
import time

import pytest
from luigi.scheduler import Scheduler
from luigi.worker import DONE, FAILED

from ccb_luigi.orchestration.worker import LONGEST_EXPLANATION, MOST_MISSING, Result, Results, WorkerFactory

RESULT: Result = ("ccb.LoadParcelas_2026_11_22_0123456789", DONE, None, [], [])
KILLS = 60


def _sends_for_ever(results: Results) -> None:
    while True:
        results.put(RESULT)


def test_a_process_killed_while_it_sends_keeps_no_other_from_sending() -> None:
    results = Results()
    fork = multiprocessing.get_context("fork")
    chance = random.Random(7)
    for _ in range(KILLS):
        victim = fork.Process(target=_sends_for_ever, args=(results,))
        victim.start()
        until = time.monotonic() + chance.uniform(0.002, 0.02)
        while time.monotonic() < until:
            assert results.get(timeout=60) == RESULT
        os.kill(victim.pid or 0, signal.SIGKILL)
        while victim.is_alive():
            results.get(timeout=60) if results._reader.poll(0) else time.sleep(0)
        victim.join()
    while results._reader.poll(0):
        assert results.get(timeout=60) == RESULT
    last = fork.Process(target=results.put, args=(("last", DONE, None, [], []),))
    last.start()
    last.join(timeout=60)
    assert last.exitcode == 0
    assert results.get(timeout=60)[0] == "last"


def test_the_longest_result_fits_into_one_atomic_write() -> None:
    results = Results()
    explanation = "\N{LATIN SMALL LETTER O WITH TILDE}" * 10_000
    missing = [f"ccb.LoadDetalhamentoCet_2026_11_{n:04}_0123456789 (MarkerTarget)" for n in range(1000)]
    results.put((RESULT[0], FAILED, explanation, missing, []))
    written = len(os.read(results._reader.fileno(), 1 << 20))
    assert written <= select.PIPE_BUF
    results.put((RESULT[0], FAILED, explanation, missing, []))
    _, status, told, named, _ = results.get(timeout=60)
    assert (status, told, named) == (FAILED, explanation[:LONGEST_EXPLANATION], missing[:MOST_MISSING])


def test_no_result_is_an_empty_queue() -> None:
    with pytest.raises(queue.Empty):
        Results().get(timeout=0)


def test_luigi_is_given_this_worker() -> None:
    worker = WorkerFactory().create_worker(Scheduler(), 2)
    assert isinstance(worker._task_result_queue, Results)


def test_luigis_processes_are_forked_whatever_pythons_default_is() -> None:
    code = (
        "import multiprocessing; multiprocessing.set_start_method('spawn')\n"
        "import ccb_luigi.tasks, luigi.worker, os\n"
        "seen = []\n"
        "class Task(luigi.worker.TaskProcess):\n"
        "    def __init__(self): luigi.worker.multiprocessing.Process.__init__(self)\n"
        "    def run(self): os.write(writer, b'inherited' if seen else b'anew')\n"
        "reader, writer = os.pipe()\n"
        "seen.append(1)\n"
        "task = Task(); task.start(); task.join()\n"
        "print(os.read(reader, 20).decode(), multiprocessing.get_start_method())\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ended.stdout.split() == ["inherited", "spawn"], ended.stderr
