"""A Dask cluster judges the documents: the same rows, and whatever breaks there costs time alone."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import dasks
import oracle
import pytest
from arena import read
from dasks import Cluster
from distributed import Client
from oracle import Source, Version, belongs
from world import D1, World

from ccb_luigi.database import postgres
from ccb_luigi.documents import block, fingerprint
from ccb_luigi.errors import ConfigurationError, PartitionFailed
from ccb_luigi.load import cluster, parallel, staging

BLOCK = 6
JUDGED = "__import__('ccb_luigi.documents.block').documents.block.transform_of.cache_info().currsize"


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of two worker processes."""
    with dasks.cluster(tmp_path_factory.mktemp("dask") / "two", workers=2) as found:
        yield found


@pytest.fixture
def versions(world: World, monkeypatch: pytest.MonkeyPatch) -> list[Version]:
    """Documents of one date, good and bad, in several blocks."""
    monkeypatch.setattr(block, "DOCUMENTS", BLOCK)
    monkeypatch.setattr(staging, "TOGETHER", 1)
    made = Source(random.Random(11), [D1])
    made.change(90)
    found = list(made.state.values())
    assert len(found) > 5 * BLOCK
    world.put(*(version.document() for version in found))
    return found


def on(cluster: Cluster, world: World) -> World:
    return World(replace(world.settings, executor=cluster.address))


def assert_right(world: World, versions: list[Version]) -> None:
    wanted = oracle.expected([], {D1: [version for version in versions if belongs(version, D1)]})
    assert oracle.differences(read(world.settings.postgres_url), wanted) == []


def test_two_workers_make_the_rows_that_this_machine_makes(
    two: Cluster, world: World, versions: list[Version], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.migrate(D1)
    here = world.tables()
    world.clear()
    world.query("TRUNCATE controle.versoes")
    monkeypatch.setattr(parallel, "local", lambda *_: pytest.fail("judged on this machine"))
    on(two, world).migrate(D1)
    assert world.tables() == here
    assert_right(world, versions)
    with Client(two.address, set_as_default=False) as client:
        assert [*client.run(eval, JUDGED).values()] == [1, 1], "both have judged"


def test_a_worker_that_is_killed_in_the_middle_costs_nothing(
    two: Cluster, world: World, versions: list[Version], monkeypatch: pytest.MonkeyPatch
) -> None:
    third = two.add_worker()
    at_first_copy(monkeypatch, third.kill)
    on(two, world).migrate(D1)
    assert third.wait() == -9
    assert_right(world, versions)


def at_first_copy(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Blocks are under way then, and others are still to be read."""
    copy, acted = postgres.copy_lines, []

    def acting(*values: Any, **named: Any) -> None:
        if not acted:
            acted.append(True)
            act()
        copy(*values, **named)

    monkeypatch.setattr(postgres, "copy_lines", acting)


@pytest.mark.parametrize("victim", ["workers", "scheduler"])
def test_a_cluster_that_goes_away_is_told_in_one_line_and_its_date_can_be_done_again(
    victim: str, tmp_path: Any, world: World, versions: list[Version], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "SECONDS_BETWEEN_LOOKS", 0.3)
    monkeypatch.setattr(cluster, "SECONDS_TO_CONNECT", 1)
    with dasks.cluster(tmp_path / "dying", workers=1) as dying:
        at_first_copy(monkeypatch, (dying.workers[0] if victim == "workers" else dying.scheduler).kill)
        patient = World(replace(world.settings, executor=dying.address, retry_seconds=0))
        with pytest.raises(PartitionFailed, match=r"CCB_EXECUTOR.*lost|can't be reached") as caught:
            patient.migrate(D1)
    assert caught.value.transient
    assert "\n" not in str(caught.value)
    assert world.markers(D1) == {}
    world.migrate(D1)
    assert_right(world, versions)


def test_a_scheduler_that_is_not_there_is_told_in_one_line(
    world: World, versions: list[Version], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "SECONDS_TO_CONNECT", 0.3)
    lost = World(replace(world.settings, executor="tcp://127.0.0.1:9", retry_seconds=0))
    with pytest.raises(PartitionFailed, match="CCB_EXECUTOR") as caught:
        lost.migrate(D1)
    assert caught.value.transient
    assert "\n" not in str(caught.value)


def test_tls_without_certificates_is_told_in_one_line(world: World, versions: list[Version]) -> None:
    open_hearted = World(replace(world.settings, executor="tls://127.0.0.1:9"))
    with pytest.raises(ConfigurationError, match="certificates") as caught:
        open_hearted.migrate(D1)
    assert "\n" not in str(caught.value)


def test_a_small_date_stays_on_this_machine(world: World) -> None:
    made = Source(random.Random(11), [D1])
    made.change(9)
    found = list(made.state.values())
    world.put(*(version.document() for version in found))
    World(replace(world.settings, executor="tcp://127.0.0.1:9", retry_seconds=0)).migrate(D1)
    assert_right(world, found)


def test_workers_with_other_rules_are_refused_in_one_line(
    two: Cluster, world: World, versions: list[Version], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fingerprint, "key", lambda *_: b"another version's")
    with pytest.raises(PartitionFailed, match="same version of ccb_luigi") as caught:
        on(two, world).migrate(D1)
    assert not caught.value.transient
    assert "\n" not in str(caught.value)
    assert world.markers(D1) == {}


def test_what_fails_on_a_worker_quotes_no_document(two: Cluster, world: World) -> None:
    """Dask's own way is to log the arguments of what failed."""
    canary = "Xq Canário de Souza"
    todo = [(canary, number) for number in range(5)]
    with pytest.raises(PartitionFailed, match=r"CCB_EXECUTOR.*unexpected ValueError") as caught:
        list(parallel.ordered_map(int, todo, cluster.workers(on(two, world).settings)))
    said = str(caught.value) + repr(caught.value.__cause__) + two.words()
    assert "Xq" not in said
