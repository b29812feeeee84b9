"""What a command costs: wall clock, CPU, and the memory of all its processes together."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

REPOSITORY = Path(__file__).resolve().parents[1]
SECONDS_BETWEEN_LOOKS = 0.05
SHARE_OF_LOOKING = 0.03
"""Counting pages costs time as well: it may take this much of one core, and no more."""
LINES_OF_LOG = 15


class Failed(Exception):
    """A command that was to be measured failed: there is nothing to compare."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One measurement; ``peak_bytes`` is ``None`` where the work was done in the benchmark's own process."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int | None = None


def in_process(work: Callable[[], object]) -> Measured:
    """``work`` in this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Measured(time.perf_counter() - wall, time.process_time() - cpu)


def python(module: str, *words: object) -> list[str]:
    """The command line of a module, in this Python."""
    return [sys.executable, "-m", module, *map(str, words)]


def command(words: Sequence[str], settings: Mapping[str, str], log: Path) -> Measured:
    """Runs a command to its end, with ``settings`` and nothing else of ours in its environment.

    Raises:
        Failed: it ended with another status than 0; the text holds the end of what it printed.
    """
    with log.open("w+") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            words,
            env=environment(settings),
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        memory = Memory(process.pid)
        try:
            # wait4, since it also tells the CPU time of the process and of all that it waited for.
            _, status, used = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            if process.returncode is None:  # interrupted
                process.terminate()
                process.wait()
            memory.stop()
        if process.returncode:
            output.seek(0)
            end = "".join(output.readlines()[-LINES_OF_LOG:])
            raise Failed(f"{' '.join(words)} ended with {process.returncode}:\n{end}")
    return Measured(seconds, used.ru_utime + used.ru_stime, memory.peak)


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """What a measured command gets: the least of ours, and ``settings``."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    ours = {"PYTHONPATH": str(REPOSITORY), "LUIGI_CONFIG_PATH": str(REPOSITORY / "luigi.cfg")}
    return kept | ours | dict(settings)


class Memory:
    """Looks at a process and its descendants from a thread, until it is stopped; keeps the highest sum."""

    def __init__(self, pid: int) -> None:
        self.peak = 0
        self._root = psutil.Process(pid)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Returns when the last look is over."""
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        rest = 0.0
        while not self._over.wait(rest):
            began = time.thread_time()
            with suppress(psutil.NoSuchProcess):
                family = [self._root, *self._root.children(recursive=True)]
                self.peak = max(self.peak, sum(map(_bytes_of, family)))
            rest = max(SECONDS_BETWEEN_LOOKS, (time.thread_time() - began) / SHARE_OF_LOOKING)


def _bytes_of(process: psutil.Process) -> int:
    """Its proportional share: a page that forked processes have in common counts once in all of them."""
    try:
        found = process.memory_full_info()
    except (psutil.NoSuchProcess, psutil.AccessDenied):  # it has ended, or is ending
        return 0
    return int(getattr(found, "pss", 0) or found.rss)  # without PSS (no Linux): shared pages count often


def machine() -> dict[str, Any]:
    """What the numbers depend on, for whoever compares them with their own."""
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def _cpu_model() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown"
