"""The comparison measures every way, and believes none before it has looked at the tables."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from rich.console import Console

from benchmarks import compare, million, ways
from benchmarks.databases import WrongContents
from ccb_luigi.demo.servers import Mongo, Postgres, Servers

CONTRACTS, USUAL = 60, 20


@pytest.fixture
def running(postgres_server: Postgres, mongo_server: Mongo) -> Servers:
    return Servers(postgres_server, mongo_server)


def measured(running: Servers, directory: Path, chosen: list[ways.Way]) -> dict[str, Any]:
    return compare.compare(running, directory, CONTRACTS, 1, USUAL, Console(quiet=True), chosen)


def test_every_way_is_measured_and_its_tables_are_compared(running: Servers, tmp_path: Path) -> None:
    # Each command takes two seconds: the rerun without changes is left to the one with some.
    chosen = [way for way in ways.WAYS if way.name != "rerun"]
    result = json.loads(json.dumps(measured(running, tmp_path, chosen)))
    assert set(result["ways"]) == {"limit", "dump", "mongo", "usual", "changed"}
    for name, way in result["ways"].items():
        (run,) = way["runs"]
        assert way["contracts"] == (USUAL if name == "usual" else CONTRACTS)
        assert way["checked"] == ("count of contracts" if name == "usual" else "every byte")
        assert way["seconds"] == run["seconds"] > 0
        assert way["contracts_per_second"] == pytest.approx(way["contracts"] / way["seconds"])
        assert run["cpu_seconds"] > 0
        assert (run["peak_bytes"] is None) == (name == "limit")
    assert result["ways"]["limit"]["ratio_to_limit"] == 1
    before, after = result["contents"]["dump"], result["contents"]["changed"]
    assert before["operacoes"]["rows"] == after["operacoes"]["rows"] == CONTRACTS
    assert before["operacoes"]["md5"] != after["operacoes"]["md5"]
    assert before["parcelas"] == after["parcelas"]
    told = result["machine"]["postgres"]
    assert (told["fsync"], told["full_page_writes"]) == ("off", "on"), "the tests' server is told as it is"


def test_one_cent_that_is_wrong_fails_the_comparison(running: Servers, tmp_path: Path) -> None:
    limit = ways.WAYS[0]

    def spoiling(bench: ways.Bench, url: str) -> Any:
        found = limit.run(bench, url)
        connection = psycopg2.connect(url)
        with connection, connection.cursor() as cursor:
            cursor.execute("UPDATE parcelas SET valor_juros = valor_juros + 0.01 WHERE ctid = '(0,1)'")
            assert cursor.rowcount == 1
        connection.close()
        return found

    with pytest.raises(WrongContents, match=r"limit: parcelas holds .* rows, as it must, but not"):
        measured(running, tmp_path, [replace(limit, run=spoiling)])


def test_the_right_rows_without_their_markers_fail_the_comparison(running: Servers, tmp_path: Path) -> None:
    limit, dump = ways.WAYS[:2]
    with pytest.raises(WrongContents, match="0 of 10 steps are marked"):
        measured(running, tmp_path, [limit, replace(dump, run=limit.run)])


def test_a_plan_is_interrupted_goes_on_and_is_compared_with_a_smaller_one(
    running: Servers, tmp_path: Path
) -> None:
    settings = {"CCB_SHARD_DOCUMENTS": "50", "CCB_WORKERS": "1"}
    found = million.compare(running, tmp_path, (100, 600), 3, settings, 1, Console(quiet=True))
    small, large = json.loads(json.dumps(found))["runs"]
    assert (small["contracts"], small["shards"], small["interruptions"]) == (100, 2, 0)
    assert (large["contracts"], large["shards"], large["interruptions"]) == (600, 12, 1)
    assert found["rate_kept"] == pytest.approx(
        (large["contracts"] / large["seconds"]) / (small["contracts"] / small["seconds"])
    )
    assert min(run["peak_bytes"] for run in (small, large)) > 0
    assert not [*tmp_path.glob("*.bson*")], "the dumps are gone"
