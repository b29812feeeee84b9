"""Memory doesn't grow with the date: documents pass through in chunks."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import psutil
from program import Program, kill
from world import D2

from ccb_luigi.demo import synth

MADE, TIMES = 1000, 20  # to make all of them would take as long as to migrate them
CONTRACTS = MADE * TIMES
LIMIT = 300 * 2**20


def documents() -> Iterator[dict[str, Any]]:
    """Each has its own client and contract."""
    made = [*synth.contracts(MADE, 11, until=D2, days=1)]
    for turn in range(TIMES):
        for one in made:
            yield {**one, **{name: f"{one[name]}-{turn}" for name in ("_id", "clientId", "ccbCode")}}


def test_twenty_thousand_contracts_of_one_date_take_less_than_300_mb_in_any_process(program: Program) -> None:
    with program.world.collection() as collection:
        collection.create_index("updatedAt")
        assert synth.write_mongo(documents(), collection) == CONTRACTS
    process = program.start("run", "--date", D2, "--workers", 2)
    peaks: dict[int, int] = {}
    try:
        parent = psutil.Process(process.pid)
        deadline = time.monotonic() + 240
        while process.poll() is None:
            assert time.monotonic() < deadline
            # A worker may end between the listing and the look at it.
            with contextlib.suppress(psutil.NoSuchProcess):
                for each in (parent, *parent.children(recursive=True)):
                    with contextlib.suppress(psutil.NoSuchProcess):
                        peaks[each.pid] = max(peaks.get(each.pid, 0), each.memory_info().rss)
            time.sleep(0.1)
        out, err = process.communicate()
    finally:
        kill(process)
    assert process.returncode == 0, out + err
    assert program.world.one("SELECT count(*) FROM operacoes") == CONTRACTS
    assert len(peaks) > 1  # the workers were seen
    assert max(peaks.values()) < LIMIT, {pid: peak >> 20 for pid, peak in peaks.items()}
