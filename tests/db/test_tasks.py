"""What Luigi asks about markers, and how often."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import luigi
import pytest
from luigi.scheduler import Scheduler
from luigi.task_register import Register
from luigi.worker import TaskProcess
from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine
from world import D1, D2, World

from ccb_luigi import settings as settings_module
from ccb_luigi import tasks
from ccb_luigi.database import postgres
from ccb_luigi.load import markers
from ccb_luigi.orchestration.worker import WorkerFactory
from ccb_luigi.settings import Settings


@pytest.fixture(autouse=True)
def configured(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the tasks work with the test's own settings."""
    Register.clear_instance_cache()
    monkeypatch.setattr(settings_module, "load", lambda: settings)


def put(world: World, *steps: str) -> None:
    def work(connection: Connection) -> None:
        for step in steps:
            markers.put(connection, step, D1, 0, {})

    postgres.of_process(world.settings).run(work)


def process_of(task: luigi.Task) -> TaskProcess:
    """The process that our worker makes for a task; it is never started."""
    worker = WorkerFactory().create_worker(Scheduler(), 2)
    worker._scheduled_tasks[task.task_id] = task
    return worker._create_task_process(task)


@contextmanager
def questions() -> Iterator[list[str]]:
    """The queries of markers meanwhile."""
    asked: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        if "table_updates" in statement:
            asked.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def test_the_proof_asks_once_for_all_that_it_depends_on(world: World) -> None:
    put(world, *tasks.LOADS)
    proof = tasks.ReconcileCCB(date=D1)
    is_complete = process_of(proof).check_complete
    with questions() as asked:
        assert all(is_complete(load) for load in proof.deps())
    assert len(asked) == 1


def test_what_was_not_marked_is_asked_for_anew_and_so_is_the_task_itself(world: World) -> None:
    put(world, *(step for step in tasks.LOADS if step != "parcelas"))
    proof = tasks.ReconcileCCB(date=D1)
    is_complete = process_of(proof).check_complete
    assert [load.step for load in proof.deps() if not is_complete(load)] == ["parcelas"]
    assert not is_complete(proof)
    put(world, "parcelas", markers.RECONCILIATION)
    assert is_complete(tasks.LoadParcelas(date=D1))
    assert is_complete(proof)


def test_the_marker_of_another_date_is_no_answer(world: World) -> None:
    put(world, *tasks.LOADS)
    is_complete = process_of(tasks.ReconcileCCB(date=D1)).check_complete
    assert is_complete(tasks.LoadParcelas(date=D1))
    assert not is_complete(tasks.LoadParcelas(date=D2))


def test_tasks_without_a_marker_are_asked_themselves(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks.NightlyCCB, "requires", lambda self: [tasks.MigrateCCB(date=D1)])
    nightly = tasks.NightlyCCB(date=D1)
    is_complete = process_of(nightly).check_complete
    put(world, *markers.STEPS[:-1])
    assert not is_complete(tasks.MigrateCCB(date=D1))
    put(world, markers.STEPS[-1])
    assert is_complete(tasks.MigrateCCB(date=D1))


def test_a_task_that_only_requires_others_gets_no_process_of_its_own(world: World) -> None:
    assert not process_of(tasks.MigrateCCB(date=D1)).use_multiprocessing
    assert process_of(tasks.ReconcileCCB(date=D1)).use_multiprocessing


def test_unless_it_has_a_timeout_which_only_a_process_can_keep(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks.MigrateCCB, "worker_timeout", 5)
    assert process_of(tasks.MigrateCCB(date=D1)).use_multiprocessing


def test_a_date_is_complete_if_no_step_is_missing_and_that_is_one_question(world: World) -> None:
    date = tasks.MigrateCCB(date=D1)
    for missing in markers.STEPS:
        put(world, *markers.STEPS)
        with questions() as asked:
            assert date.complete()
        assert len(asked) == 1
        world.query("DELETE FROM table_updates WHERE update_id = %s", markers.update_id(missing, D1))
        assert not date.complete(), missing
        world.query("DELETE FROM table_updates")
