"""Kills the migration again and again, and looks every time whether anything was lost or came twice.

    python tests/torture.py --rounds 1000 --seed 1        make torture N=1000 SEED=1
    python tests/torture.py --seed 1 --only 37            that round again, alone

A round: documents made from (seed, round), some of them loaded before; ``run --since --until --workers 2``
as real processes; somebody is killed (``victims``) at a moment of the clock or of the protocol; the tables
are held against the markers; perhaps the source changes, perhaps the next run is killed as well; then the
ordinary command runs, and every table is compared with what ``oracle`` makes of the documents. A round that
fails is told, and the rest goes on. (What a round does comes from the seed; how fast the machine is doesn't.)
"""

from __future__ import annotations

import argparse
import importlib
import os
import random
import secrets
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import oracle
from arena import Arena, Failed
from halfway import halfway
from oracle import DAY_ZERO, STEPS, Source, State, Version, belongs
from tripwire import Command, Moment, Tripwire
from victims import ENDINGS, LOSSES, VICTIMS, Aim, Kill, kill

from ccb_luigi.demo.servers import delete

DAYS = [DAY_ZERO + timedelta(days=n) for n in (1, 2, 3)]
REPOSITORY = Path(__file__).parents[1]
ENVIRONMENT = {
    "CCB_MONGO_DATABASE": "torture",
    "CCB_RETRY_SECONDS": "30",
    "CCB_LOCK_SECONDS": "60",
    "CCB_PROCESSES": "2",
    "PYTHONPATH": os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")])),
}
EXECUTED = 16
"""Each so many-th round starts Python anew, as the shell would; the others fork."""


@dataclass
class Plan:
    """What a round does, all of it from the seed."""

    days: list[date]
    documents: int
    begun: int
    victims: list[str]
    by_clock: bool
    at: float
    changes_between: bool
    again: bool
    executed: bool
    random: random.Random = field(repr=False)

    @property
    def command(self) -> list[object]:
        return ["run", "--since", self.days[0], "--until", self.days[-1], "--workers", 2]


def plan(seed: int, number: int, small: bool) -> Plan:
    """The round's plan; ``small`` rounds have one or two dates and one kill."""
    chance = random.Random(f"{seed}/{number}")
    executed = number % (2 * EXECUTED if small else EXECUTED) == EXECUTED // 2
    twice = not small and chance.random() < 0.15
    victims = chance.choices(list(VICTIMS), list(VICTIMS.values()), k=2 if twice else 1)
    if executed and victims[0] == "transform process":  # it has none: its blocks are as large as ever
        victims[0] = "worker"
    transforming = "transform process" in victims
    return Plan(
        DAYS[: 1 if transforming else chance.choices((1, 2, 3), (85, 15, 0) if small else (45, 38, 17))[0]],
        documents=150 if transforming else chance.randint(20, 40 if small else 180),
        begun=chance.choice((0, 20, 30 if small else 60)),
        victims=victims,
        by_clock=executed or (not transforming and chance.random() < 0.4),
        at=chance.random(),
        changes_between=chance.random() < 0.35,
        again=not small and chance.random() < 0.05,
        executed=executed,
        random=chance,
    )


@dataclass
class Tally:
    """What happened, over all rounds."""

    kills: list[Kill] = field(default_factory=list)
    compared: int = 0
    missed: int = 0
    lost: int = 0
    double: int = 0
    failures: dict[int, list[str]] = field(default_factory=dict)

    def take(self, said: Iterable[str]) -> None:
        self.compared += 1
        for line in said:
            self.lost += ": lost " in line
            self.double += "double" in line

    def show(self, seconds: float) -> str:
        """The summary."""
        by_victim = Counter(k.victim for k in self.kills)
        by_step = Counter(k.moment.step.split(":")[0] for k in self.kills)
        by_act = Counter(
            "at a time of the clock" if k.by_clock else f"before {k.moment.act}" for k in self.kills
        )
        by_end = Counter(str(k.status) for k in self.kills)
        parts = [
            f"{len(self.kills)} kills in {seconds:.0f} s, {self.compared} comparisons of every table"
            f" (and {self.missed} runs that ended before they could be killed)"
        ]
        for title, counts in (
            ("killed", by_victim),
            ("in the step", by_step),
            ("at the moment", by_act),
            ("the command then ended with", by_end),
        ):
            parts.append(f"\n{title}:")
            parts += [f"  {n:5}  {name}" for name, n in counts.most_common()]
        parts.append(
            f"\nrows lost {self.lost}, rows twice or too much {self.double},"
            f" failed rounds {len(self.failures)}"
        )
        for number, lines in self.failures.items():
            parts.append(f"round {number}:")
            parts += [f"  {line}" for line in lines[:60]]
        return "\n".join(parts)


class Torture:
    """The rounds, over two servers that are killed and started again."""

    def __init__(self, directory: Path, seed: int, small: bool) -> None:
        self.directory, self.seed, self.small = directory, seed, small
        self.arena = Arena(directory)
        self.tally = Tally()
        self._seconds, self._start = 1.0, 1.5
        self._moments: Counter[str] = Counter()
        self._sessions: list[int] = []

    def begin(self) -> None:
        """Servers, tables, and what a date takes when nobody is killed: its time and its moments."""
        self.arena.start()
        self._undisturbed(["db", "upgrade"])
        source = Source(random.Random(self.seed), DAYS[:2])
        source.change(60)
        self.arena.prepare([], source.state)
        began = time.monotonic()
        moments = self._undisturbed(["run", "--since", DAYS[0], "--until", DAYS[1], "--workers", 2])
        self._seconds = (time.monotonic() - began) / 2
        self._moments = Counter(moment.step.split(":")[0] for moment in moments)  # of two dates
        said = self._differences([], dict.fromkeys(DAYS[:2], source.state))
        if said:
            raise Failed("\n".join(["even an undisturbed run is wrong:", *said[:20]]))

    def round(self, number: int) -> str:
        """One round; returns what was killed, and when. Raises ``Failed``."""
        now = plan(self.seed, number, self.small)
        self._sessions.clear()
        source = Source(now.random, now.days)
        source.begin(now.begun, DAY_ZERO)
        begun = list(source.state.values())
        source.change(now.documents)
        first = dict(source.state)
        kills = [self._first_kill(now, begun, first)]
        if now.changes_between:  # while nobody reads, so that it is known which state each date has read
            self.arena.await_end(self._sessions)
        said = halfway(self.arena.tables(), now.days, first, begun)
        states = dict.fromkeys(now.days, first)
        if now.changes_between:
            states = self._change(now, source)
        for victim in now.victims[1:]:
            kills += filter(None, [self._kill(now, victim, now.random.random())])
        self.arena.assert_acknowledged(source.state)
        self._undisturbed(now.command)
        said += self._differences(begun, states)
        said += self.arena.await_end(self._sessions)
        if now.again and not said:
            said += self._all_again(now, begun, states, source.state)
        self.tally.take(said)
        if said:
            raise Failed("\n".join(said))
        return ", then ".join(f"{k.victim} {'in' if k.by_clock else 'at'} {k.moment}" for k in kills)

    def _first_kill(self, now: Plan, begun: list[Version], state: State) -> Kill:
        """Runs that ended too soon are forgotten, and the next kill comes earlier."""
        at = now.at
        for _ in range(5):
            self.arena.prepare(begun, state)
            if found := self._kill(now, now.victims[0], at):
                return found
            self.tally.missed += 1
            at *= 0.6
        raise Failed(f"{now.victims[0]}: met in none of five runs")

    def _kill(self, now: Plan, victim: str, at: float) -> Kill | None:
        dates = len(now.days)
        aim = self._aim(now, at)
        if victim == "transform process":
            aim = Aim(nth=2 + int(3 * at), act="getMore")
        elif now.by_clock:
            aim = Aim(seconds=at * self._seconds * dates + self._start * now.executed)
        began = time.monotonic()
        command, found = kill(
            self.arena,
            now.command,
            self._environment(),
            self.directory,
            victim,
            aim,
            now.random,
            executed=now.executed,
        )
        self._sessions.append(command.pid)
        if found is None:
            if now.executed:
                self._start = max(0.5, time.monotonic() - began - self._seconds * dates)
            return None
        self.tally.kills.append(found)
        if found.status not in ENDINGS.get(victim, LOSSES):
            raise Failed(
                f"{victim} at {found.moment}: the command ended with {found.status}: {command.last_line}"
            )
        # What fails in a callback of Python's fork (PyMongo's, logging's) Python tells itself, and ignores.
        told = command.said.count("Traceback") - command.said.count("Exception ignored in")
        if told > 0 and not now.executed:
            raise Failed(f"{victim} at {found.moment}: a traceback\n{command.said}")
        return found

    def _aim(self, now: Plan, at: float) -> Aim:
        """A moment of the protocol: of any step alike, and often its commit."""
        chance = now.random
        step = chance.choice(STEPS)
        named = f"{step}:{chance.choice(now.days)}"
        kind = chance.random()
        if kind < 0.25:
            return Aim(nth=1, step=named, act="commit" if kind < 0.18 else "committed")
        if kind < 0.85:
            return Aim(nth=1 + int(at * self._moments[step] / 2), step=named)
        return Aim(nth=1 + int(at * self._moments.total() / 2 * len(now.days)))

    def _change(self, now: Plan, source: Source) -> dict[date, State]:
        """The source changes; returns the state that each date reads, or has read."""
        before = dict(source.state)
        extracted = self.arena.query("SELECT particao FROM table_updates WHERE target_table = 'contratos'")
        source.change(now.documents // 3, rivals=False)
        self.arena.change(before, source.state)
        return {day: before if (day,) in extracted else dict(source.state) for day in now.days}

    def _all_again(
        self, now: Plan, begun: list[Version], states: dict[date, State], state: State
    ) -> list[str]:
        """Every date anew: what was read before, and what is there now."""
        self.arena.query("DELETE FROM table_updates; DELETE FROM controle.reconciliacoes")
        self._undisturbed(now.command)
        before = [*begun, *(version for day in now.days for version in _of(states[day], day))]
        said = self._differences(before, dict.fromkeys(now.days, state), again=True)
        return [f"after all dates again: {line}" for line in said]

    def _differences(
        self, begun: list[Version], states: dict[date, State], *, again: bool = False
    ) -> list[str]:
        read = {day: _of(state, day) for day, state in states.items()}
        return oracle.differences(self.arena.tables(), oracle.expected(begun, read), again=again)

    def _undisturbed(self, words: list[object]) -> list[Moment]:
        """Runs a command that nobody kills; it has to end well. Returns its moments."""
        wire = Tripwire(self.directory)
        command = Command(words, self._environment(), self.directory / "output", wire)
        self._sessions.append(command.pid)
        status = command.wait(120)
        moments = wire.moments()
        wire.close()
        if status:
            raise Failed(f"an undisturbed `{words[0]}` ended with {status}: {command.last_line}")
        return moments

    def _environment(self) -> dict[str, str]:
        return ENVIRONMENT | {
            "LUIGI_CONFIG_PATH": str(self.directory / "luigi.cfg"),
            "CCB_POSTGRES_URL": self.arena.postgres.url,
            "CCB_MONGO_URI": self.arena.mongo.uri,
        }


def _of(state: State, day: date) -> list[Version]:
    return [version for version in state.values() if belongs(version, day)]


def run(seed: int, numbers: Iterable[int], *, small: bool, chatty: bool) -> Tally:
    """The rounds with these numbers."""
    directory = Path(tempfile.mkdtemp(prefix="ccb-luigi-"))
    directory.chmod(0o711)  # PostgreSQL as another user has to get in
    # As users have it, but that Luigi looks ten times as often whether a worker has died.
    config = (REPOSITORY / "luigi.cfg").read_text()
    for name in ("wait_interval", "wait_jitter"):
        config = config.replace(f"{name} = 1", f"{name} = 0.1")
    (directory / "luigi.cfg").write_text(config)
    os.environ["LUIGI_CONFIG_PATH"] = str(directory / "luigi.cfg")
    # Once, and not in each fork; Luigi reads its settings now.
    importlib.import_module("ccb_luigi.orchestration.runner")
    torture = Torture(directory, seed, small)
    try:
        torture.begin()
        for number in numbers:
            began = time.monotonic()
            try:
                told = torture.round(number)
            except Exception as error:  # the next round may tell more
                lines = (
                    str(error).splitlines()
                    if isinstance(error, (Failed, TimeoutError))
                    else traceback.format_exc().splitlines()
                )
                torture.tally.failures[number] = lines
                told = f"FAILED: {lines[-1]}"
                print(f"round {number}: {told}   (again: SEED={seed} ONLY={number})", flush=True)
                torture.arena.start()
                torture.arena.await_end(torture._sessions)
                continue
            if chatty:
                print(f"round {number}: {told}  ok, {time.monotonic() - began:.1f} s", flush=True)
            elif number % 25 == 0:
                print(f"{number} rounds, {len(torture.tally.kills)} kills", flush=True)
    finally:
        delete(directory)
    return torture.tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=None, help="default: a new one")
    parser.add_argument("--only", type=int, help="this round alone")
    parser.add_argument("--small", action="store_true", help="one or two dates, one kill each (as in CI)")
    parser.add_argument("-v", "--verbose", action="store_true", help="a line per round")
    given = parser.parse_args()
    seed = secrets.randbelow(1_000_000) if given.seed is None else given.seed
    numbers = [given.only] if given.only is not None else range(1, given.rounds + 1)
    print(f"seed {seed}, {len(numbers)} rounds", flush=True)
    began = time.monotonic()
    tally = run(seed, numbers, small=given.small, chatty=given.verbose or len(numbers) == 1)
    print(f"\n{tally.show(time.monotonic() - began)}", flush=True)
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
