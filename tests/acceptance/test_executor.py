"""``CCB_EXECUTOR``: the command line with a Dask cluster, from processes that Luigi forks."""

from __future__ import annotations

from pathlib import Path

import dasks
from conftest import Program
from world import D1, D2, at, document

FAT = "x" * (5 << 20)
"""More than a block of its own."""


def test_a_run_hands_its_blocks_to_a_cluster_and_says_no_more_than_others(
    program: Program, tmp_path: Path
) -> None:
    days = {"a": D1, "b": D1, "c": D1, "d": D2, "e": D2}
    program.world.put(*(document(n, n.upper(), at(day), client=n, free=FAT) for n, day in days.items()))
    words = ("run", "--since", D1, "--until", D2, "--workers", 2)
    program.run(*words)
    here = program.world.tables()
    program.world.clear()
    program.world.query("TRUNCATE controle.versoes")
    with dasks.cluster(tmp_path / "dask", workers=1, secured=True) as cluster:
        assert cluster.address.startswith("tls://")
        done = program.run(*words, CCB_EXECUTOR=cluster.address, **cluster.environment)
        assert cluster.words().count("Receive client connection: Client-ccb_luigi") == 2, "one per date"
        assert "Traceback" not in cluster.words()
    assert program.world.tables() == here
    assert len(here["operacoes"]) == len(days)
    assert "dask" not in (done.stdout + done.stderr).lower(), done.stderr
    assert "distributed" not in done.stderr


def test_an_address_that_is_none_of_a_scheduler_is_told_without_it(program: Program) -> None:
    done = program.run("run", "--date", D1, status=15, CCB_EXECUTOR="tcp://user:s3cr3t@host:8786")
    assert "CCB_EXECUTOR must be local, or the address of a Dask scheduler" in done.stderr
    assert "s3cr3t" not in done.stderr + done.stdout
