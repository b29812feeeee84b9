"""``CCB_EXECUTOR``: the command line with a Dask cluster, from processes that Luigi forks."""

from __future__ import annotations

from pathlib import Path

import dasks
import pytest
from program import Program
from world import D1, D2, at, document

FAT = "x" * (5 << 20)
"""More than a block of its own."""


@pytest.fixture
def there(program: Program) -> dict[str, list[str]]:
    """The tables of two dates as this machine makes them. They are empty again, and the source is full."""
    days = {"a": D1, "b": D1, "c": D1, "d": D2, "e": D2}
    program.world.put(*(document(n, n.upper(), at(day), client=n, free=FAT) for n, day in days.items()))
    program.world.migrate(D1, D2)
    found = program.world.tables()
    assert len(found["operacoes"]) == len(days)
    program.world.clear()
    program.world.query("TRUNCATE controle.versoes")
    return found


def test_dates_and_shards_are_judged_by_a_cluster_and_a_run_says_no_more_than_others(
    program: Program, tmp_path: Path, there: dict[str, list[str]]
) -> None:
    ways = {
        ("run", "--since", D1, "--until", D2, "--workers", 2): {},
        ("run", "--full"): {"CCB_SHARD_DOCUMENTS": "3"},
    }
    with dasks.cluster(tmp_path / "dask", workers=1, secured=True) as cluster:
        assert cluster.address.startswith("tls://")
        for number, (words, how) in enumerate(ways.items(), 1):
            done = program.run(*words, CCB_EXECUTOR=cluster.address, **cluster.environment, **how)
            assert program.world.tables() == there
            assert "dask" not in (done.stdout + done.stderr).lower(), done.stderr
            assert "distributed" not in done.stderr
            came = cluster.words().count("Receive client connection: Client-ccb_luigi")
            assert came == 2 * number, "once per date, and once per shard"
            program.world.clear()
            program.world.query("TRUNCATE controle.versoes")
        # (The scheduler tells a traceback of its own when it speaks to a client that has just left.)
        assert "ccb_luigi/load/" not in cluster.words(), "a traceback of ours"
    assert program.world.one("SELECT count(*) FROM controle.planos") == 1, "the second way was in shards"


def test_an_address_that_is_none_of_a_scheduler_is_told_without_it(program: Program) -> None:
    done = program.run("run", "--date", D1, status=15, CCB_EXECUTOR="tcp://user:s3cr3t@host:8786")
    assert "CCB_EXECUTOR must be local, or the address of a Dask scheduler" in done.stderr
    assert "s3cr3t" not in done.stderr + done.stdout
