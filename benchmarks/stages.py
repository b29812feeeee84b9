"""What a contract costs from its bytes to lines for COPY, stage by stage: `python -m benchmarks.stages`.

CPU time, in microseconds per contract. Each stage goes over a whole block before the next one begins, so that
what it reads has left the processor's caches by then, as it has on the real road.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from itertools import repeat
from typing import Any

import bson
import click
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks import documents
from ccb_luigi.codes import USUAL
from ccb_luigi.documents import fingerprint, rawbson
from ccb_luigi.documents.block import BatchSpec, blocks, judge_of, render
from ccb_luigi.documents.findings import findings
from ccb_luigi.documents.rows import rows_of
from ccb_luigi.process.garbage import no_collection
from ccb_luigi.settings import Settings

WHOLE = "the whole road"


class _Clock:
    """Seconds of CPU per stage, of one pass."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def each(self, stage: str, work: Callable[..., Any], *columns: Iterable[Any]) -> list[Any]:
        """``work`` on every document: its results."""
        began = time.process_time()
        found = [*map(work, *columns)]
        self.seconds[stage] = self.seconds.get(stage, 0) + time.process_time() - began
        return found


def one_pass(raw: list[bytes]) -> dict[str, float]:
    """Stage → seconds for all documents, which the fast road must be sure of; memories begin empty."""
    zone = Settings().zone
    task = BatchSpec(1, documents.DAY, zone, USUAL)
    rules = fingerprint.key(zone, USUAL)
    clock = _Clock()
    judge_of.cache_clear()
    with no_collection():
        for number, block in blocks(raw):
            _stages(clock, block, rules)
            clock.each(WHOLE, render, [task], [number], [block])
    return clock.seconds


def _stages(clock: _Clock, block: list[bytes], rules: bytes) -> None:
    judge = judge_of(Settings().zone, USUAL)
    (known,) = clock.each("read with its block", judge.read, [block])
    passed = [one.document for one in known]
    clock.each("rows", rows_of, passed, [one.others for one in known], repeat(dict))
    schedules = [one.schedule for one in known]
    clock.each("findings", findings, passed, schedules, repeat(judge.zone), repeat(USUAL))
    clock.each("fingerprint", lambda one: fingerprint.of(one, rules), block)
    decoded = clock.each("  one by one: decoded", rawbson.decode, block)
    clock.each("  keys that occur twice", rawbson.repeated_key, block, decoded)
    clock.each("  the compiled contract", judge.contract.compiled, decoded)


@click.command()
@click.option("--documents", "number", type=click.IntRange(10), default=20_000, show_default=True)
@click.option("--repeat", type=click.IntRange(1), default=3, show_default=True)
def main(number: int, repeat: int) -> None:
    """Prints the median of every stage. What is missing to the whole is rendering.

    What is read one by one, instead of side by side, is what small dates and odd documents cost.
    """
    screen = Console(highlight=False)
    with screen.status("making documents ..."):
        raw = [bson.encode(document) for document in documents.of_one_day(number)]
    runs = [one_pass(raw) for _ in range(repeat)]
    found = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    found.add_column("")
    found.add_column("µs per contract", justify="right")
    for stage in runs[0]:
        found.add_row(stage, f"{statistics.median(run[stage] for run in runs) / number * 1e6:,.1f}")
    screen.print(found)


if __name__ == "__main__":
    main()
