"""A Dask cluster judges the documents: the same rows, and whatever breaks there costs time alone."""

from __future__ import annotations

import random
import signal
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask
import dasks
import oracle
import pytest
import trustme
from arena import read
from dasks import Cluster
from distributed import Client
from oracle import Source, Version, belongs
from strangers import HOST, NOT_HTTP, answering, black_hole, closed_port, dripping
from world import D1, World, at, document

from ccb_luigi.database import postgres
from ccb_luigi.documents import block
from ccb_luigi.errors import ConfigurationError, PartitionFailed
from ccb_luigi.load import cluster, parallel, staging

BLOCK = 6
JUDGED = "__import__('ccb_luigi.documents.block').documents.block.judge_of.cache_info().currsize"


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


@pytest.fixture(autouse=True)
def given_up(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """What a process of its own would have forgotten."""
    found: set[str] = set()
    monkeypatch.setattr(cluster, "_given_up", found)
    return found


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [each.getMessage() for each in caplog.records if "CCB_EXECUTOR" in each.getMessage()]
    assert not [line for line in found if "\n" in line]
    return found


@pytest.mark.parametrize("victim", ["workers", "scheduler", "silent scheduler"])
def test_a_cluster_that_goes_away_costs_time_alone(
    victim: str,
    tmp_path: Any,
    world: World,
    versions: list[Version],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(cluster, "SECONDS_BETWEEN_LOOKS", 0.3)
    monkeypatch.setattr(cluster, "SECONDS_TO_CONNECT", 5)
    with dasks.cluster(tmp_path / "dying", workers=1) as dying:
        process = dying.workers[0] if victim == "workers" else dying.scheduler
        blow = signal.SIGSTOP if victim.startswith("silent") else signal.SIGKILL
        at_first_copy(monkeypatch, lambda: process.send_signal(blow))
        World(replace(world.settings, executor=dying.address, retry_seconds=0)).migrate(D1)
    (line,) = warnings(caplog)
    assert "lost a block" in line
    assert "judging on this machine" in line
    assert_right(world, versions)


STRANGERS = [*NOT_HTTP, "nobody", "silent", "drips", "unknown name", "another's certificate"]


@pytest.mark.parametrize(("stranger", "processes"), [*((name, 1) for name in STRANGERS), ("SSH", 2)])
def test_whatever_answers_at_the_clusters_address_this_machine_judges_and_says_so_once(
    stranger: str,
    processes: int,
    world: World,
    versions: list[Version],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    if stranger in ("silent", "drips"):
        monkeypatch.setattr(cluster, "SECONDS_TO_CONNECT", 0.5)
    with ExitStack() as stack:
        port, scheme, host = 0, "tcp", HOST
        words = "something answers that isn't a Dask scheduler"
        if stranger == "nobody":
            port, words = stack.enter_context(closed_port()), "nothing listens there (connection refused)"
        elif stranger == "silent":
            port, words = stack.enter_context(black_hole()), "no answer in time"
        elif stranger == "drips":  # of a message of a thousand bytes
            port, words = stack.enter_context(answering(dripping(b"\xe8\3" + 6 * b"\0"))), "no answer in time"
        elif stranger == "unknown name":
            port, host, words = 8786, "nobody.invalid", "its name can't be resolved"
        elif stranger == "another's certificate":
            for name, value in dasks.certificates(tmp_path).items():
                key = name.removeprefix("DASK_DISTRIBUTED__").lower().replace("__", ".").replace("_", "-")
                stack.enter_context(dask.config.set({f"distributed.{key}": value}))
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            trustme.CA().issue_cert(HOST).configure_cert(context)
            port = stack.enter_context(answering(NOT_HTTP["hangs up"], context))
            scheme, words = "tls", "its certificate is not signed by a CA of Dask's settings"
        else:
            port = stack.enter_context(answering(NOT_HTTP[stranger]))
        where = f"{scheme}://{host}:{port}"
        World(replace(world.settings, executor=where, retry_seconds=0, processes=processes)).migrate(D1)
    (line,) = warnings(caplog)
    assert line.startswith(f"the Dask cluster at {where} (CCB_EXECUTOR): {words}")
    assert line.endswith(": judging on this machine")
    assert_right(world, versions)


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


def test_workers_with_other_rules_judge_nothing_and_that_is_told(
    two: Cluster,
    world: World,
    versions: list[Version],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    begin = cluster._Cluster.__init__

    def other(self: Any, *how: Any) -> None:
        begin(self, *how)
        self._rules = b"another version's"

    monkeypatch.setattr(cluster._Cluster, "__init__", other)
    on(two, world).migrate(D1)
    (line,) = warnings(caplog)
    assert "same version of ccb_luigi" in line
    assert "judging on this machine" in line
    assert_right(world, versions)


def test_what_fails_on_a_worker_quotes_no_document(two: Cluster, world: World) -> None:
    """Dask's own way is to log the arguments of what failed."""
    canary = document("Xq", "XQ", at(D1), motherName="Xq Canário de Souza")
    assert [word for word in dasks.OF_DOCUMENTS if word not in str(canary)] == [], "they are searched for"
    todo = [(str(canary), number) for number in range(5)]
    with pytest.raises(PartitionFailed, match=r"CCB_EXECUTOR.*unexpected ValueError") as caught:
        list(parallel.ordered_map(int, todo, cluster.workers(on(two, world).settings)))
    said = str(caught.value) + repr(caught.value.__cause__) + two.words()
    assert "Xq" not in said
