"""Killing: who, at which moment, and bringing back what has to come back."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from arena import Arena, Failed
from tripwire import Command, Moment, Tripwire

VICTIMS = {
    "worker": 26,
    "transform process": 10,
    "command": 16,
    "command, SIGTERM": 6,
    "command, SIGINT": 6,
    "backend, terminated": 12,
    "backend, kill -9": 10,
    "PostgreSQL, kill -9": 7,
    "MongoDB server, kill -9": 7,
}
"""Who is killed, and how often in a hundred rounds."""

LOSSES = {0, 10, 13, 14, 16}
"""How it may end if it lost a server, a connection or a worker."""
ENDINGS = {
    "command": {0, -signal.SIGKILL},
    "command, SIGTERM": {0, 143, -signal.SIGTERM},
    "command, SIGINT": {0, 130, -signal.SIGINT},
}
"""How a command may end that was killed itself, be it as it ended, or before its first line."""

CLOCK = Moment(0, 0, "clock", "clock")


@dataclass
class Aim:
    """When: the ``nth`` moment of this step and act, or after so many seconds."""

    nth: int = 0
    step: str = ""
    act: str = ""
    seconds: float = 0.0


@dataclass
class Kill:
    """One that happened: whom, what was going on, and how the command ended."""

    victim: str
    moment: Moment
    by_clock: bool
    status: int


def kill(
    arena: Arena,
    words: list[object],
    environment: dict[str, str],
    directory: Path,
    victim: str,
    aim: Aim,
    chance: random.Random,
    *,
    executed: bool,
) -> tuple[Command, Kill | None]:
    """Starts the command and kills the victim at the moment; no ``Kill`` if it ended before that.

    Returns when the command has ended and the servers answer again.
    """
    wire = None if executed else Tripwire(directory, aim.nth, aim.step, aim.act)
    command = Command(words, environment, directory / "output", wire)
    try:
        moment = _await(command, wire, aim)
        hit = moment is not None and _strike(arena, command, victim, moment, wire, chance)
        if wire:
            wire.let_go()
        if hit:
            arena.start()
        status = command.wait(120)
        by_clock = moment is CLOCK
        if by_clock and wire:
            moment = next(iter(wire.moments()[-1:]), CLOCK)
    finally:
        if wire:
            wire.close()
    if not hit:
        if status:
            raise Failed(f"an undisturbed run ended with {status}: {command.last_line}")
        return command, None
    assert moment is not None
    return command, Kill(victim, moment, by_clock, status)


def _await(command: Command, wire: Tripwire | None, aim: Aim) -> Moment | None:
    """The moment, or nothing if the command ended before it."""
    began = time.monotonic()
    while command.poll() is None:
        if aim.nth and wire:
            if moment := wire.tripped(0.01):
                return moment
        elif time.monotonic() - began >= aim.seconds:
            return CLOCK
        else:
            time.sleep(min(0.01, max(0.0, aim.seconds - (time.monotonic() - began))))
    return None


def _strike(
    arena: Arena,
    command: Command,
    victim: str,
    moment: Moment,
    wire: Tripwire | None,
    chance: random.Random,
) -> bool:
    """Kills; ``False`` if there is nobody to kill before the command ends."""
    if moment.act == "commit" and wire and chance.random() < 0.5:
        wire.let_go()  # a race between the commit and the kill: nobody knows how it goes
        time.sleep(chance.random() * 0.002)
    while command.poll() is None:
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            if _hit(arena, command, victim, moment, chance):
                return True
        if moment.pid and victim != "worker":
            return False
        if moment.pid and wire:
            wire.let_go()  # it was the command itself that stopped: the next worker, then
        time.sleep(0.002)
    return False


def _hit(arena: Arena, command: Command, victim: str, moment: Moment, chance: random.Random) -> bool:
    if victim == "PostgreSQL, kill -9":
        arena.postgres.kill()
    elif victim == "MongoDB server, kill -9":
        arena.mongo.kill()
    elif victim == "command":
        os.kill(command.pid, signal.SIGKILL)
    elif victim == "command, SIGTERM":
        os.kill(command.pid, signal.SIGTERM)
    elif victim == "command, SIGINT":
        os.killpg(command.pid, signal.SIGINT)  # as the terminal does it
    elif victim.startswith("backend"):
        backends = [moment.backend] if moment.backend else arena.backends()
        if not backends:
            return False
        if victim == "backend, terminated":
            arena.query("SELECT pg_terminate_backend(%s)", (backends[0],))
        else:
            os.kill(backends[0], signal.SIGKILL)
    else:
        return _hit_process(command, victim, moment, chance)
    return True


def _hit_process(command: Command, victim: str, moment: Moment, chance: random.Random) -> bool:
    workers = psutil.Process(command.pid).children()
    if victim == "transform process":
        deadline = time.monotonic() + 0.5
        found: list[psutil.Process] = []
        while not found and time.monotonic() < deadline:
            found = [child for worker in workers for child in worker.children()]
    else:
        found = [worker for worker in workers if worker.pid == moment.pid] or workers
    if not found:
        return False
    chance.choice(found).kill()
    return True
