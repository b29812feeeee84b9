"""How far a step is, as the visualizer is told: it goes up, it says nothing of anybody, it fails nothing."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bson
import pytest
from luigi.rpc import RPCError
from luigi.task_register import Register
from world import D1, World, at, document, of_dump, rejected

from ccb_luigi import tasks
from ccb_luigi.errors import CircuitBroken
from ccb_luigi.load import pipeline
from ccb_luigi.orchestration import visible
from ccb_luigi.settings import Settings
from ccb_luigi.sources import mongo

NUMBER = 2500  # several blocks


class Told:
    """Takes what a task tells luigid, in its place."""

    def __init__(self, task: Any) -> None:
        self.messages: list[str] = []
        self.percentages: list[int] = []
        task.set_status_message, task.set_progress_percentage = self.messages.append, self.percentages.append


@pytest.fixture(autouse=True)
def fresh_tasks() -> None:
    """Luigi keeps one object per task for the life of the process."""
    Register.clear_instance_cache()


@pytest.fixture(scope="module")
def contracts() -> list[dict[str, Any]]:
    return [document(f"m{n}", f"A{n}", at(D1), client=f"c{n}", rows=0) for n in range(NUMBER)]


@pytest.fixture
def configured(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets the tasks work with the test's own settings, changed as asked for."""

    def configure(**changes: Any) -> None:
        from dataclasses import replace

        monkeypatch.setattr(tasks.settings_module, "load", lambda: replace(settings, **changes))

    return configure


@pytest.fixture(params=["server", "dump"])
def source(
    request: pytest.FixtureRequest,
    world: World,
    contracts: list[dict[str, Any]],
    configured: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if request.param == "server":
        with world.collection() as collection:
            collection.insert_many(contracts)
        monkeypatch.setattr(mongo, "SNAPSHOT_DOCUMENTS", NUMBER // 2)  # of few documents nobody knows a share
        configured()
    else:
        path = tmp_path / "contratos.bson.gz"
        path.write_bytes(gzip.compress(b"".join(map(bson.encode, contracts)), 1))
        configured(**of_dump(path, D1))


@pytest.mark.usefixtures("source")
def test_an_extraction_goes_up_from_nothing_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visible, "SECONDS_BETWEEN_STATUSES", 0)
    task = tasks.ExtractContratos(date=D1)
    told = Told(task)
    task.run()
    assert told.percentages == sorted(told.percentages)
    assert (told.percentages[0], told.percentages[-1]) == (0, 100)
    assert any(0 < percentage < 100 for percentage in told.percentages)
    assert told.messages[-1] == f"{NUMBER:,} documents read, 0 quarantined"
    read = [int(message.split()[0].replace(",", "")) for message in told.messages[1:]]
    assert read == sorted(read)
    assert len(set(read)) > 1


def test_luigid_is_told_at_most_once_a_second_what_changes_all_the_time() -> None:
    task = tasks.ExtractContratos(date=D1)
    told = Told(task)
    for read in range(1000):
        task.show_now_and_then(f"{read} documents read", read / 10)
    assert told.messages == ["0 documents read"]


def test_each_other_step_says_what_it_is_doing_and_how_it_ended(
    world: World, configured: Callable[..., None]
) -> None:
    configured()
    world.put(document("a", "A", at(D1)))
    pipeline.extract(world.settings, D1)
    ends = {}
    for step in (*tasks.LOADS.values(), tasks.ReconcileCCB):
        task = step(date=D1)
        told = Told(task)
        task.run()
        assert told.percentages == sorted(told.percentages)
        assert len(told.percentages) == len(told.messages) >= 4
        assert told.percentages[-1] == 100
        ends[task.step] = told.messages[-1]
    assert ends["parcelas"] == "3 rows new, 0 changed, 0 removed"
    assert ends["reconciliacoes"] == "proven: 1 read, 1 loaded, 0 rejected, both sums equal"


def test_a_step_that_fails_leaves_its_reason(world: World, configured: Callable[..., None]) -> None:
    configured()
    world.put(*(rejected(document(f"b{n}", f"B{n}", at(D1))) for n in range(51)))
    task = tasks.ExtractContratos(date=D1)
    told = Told(task)
    with pytest.raises(CircuitBroken) as raised:
        task.run()
    assert told.messages[-1] == f"failed: {raised.value}"
    assert told.percentages[-1] < 100


def test_no_markup_reaches_the_page_whatever_a_message_holds() -> None:
    task = tasks.LoadParcelas(date=D1)
    told = Told(task)
    task.show("failed: <img src=x onerror=alert(1)> & co")
    assert told.messages == ["failed: ‹img src=x onerror=alert(1)› + co"]


def test_a_luigid_that_went_away_fails_no_step(world: World, configured: Callable[..., None]) -> None:
    configured()
    world.put(document("a", "A", at(D1)))
    asked = []

    def gone(message: str) -> None:
        asked.append(message)
        raise RPCError("Errors (3 attempts) when connecting to remote scheduler")

    task = tasks.ExtractContratos(date=D1)
    Told(task)
    task.set_status_message = gone
    task.run()
    assert set(world.markers(D1)) == {"contratos"}
    assert asked == ["started"]  # each try takes a minute
