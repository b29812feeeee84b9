"""Blocks on their way into staging: few COPYs, and nothing that waits for one is forgotten."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from threading import Event, active_count
from typing import Any

import pytest
from world import D1, World, at, document

from ccb_luigi.database import postgres
from ccb_luigi.documents import block, judge
from ccb_luigi.errors import SourceError
from ccb_luigi.load import parallel, staging

NUMBER = 23
LONG = 20.0
"""Seconds that nothing here takes."""


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many COPYs each table gets from blocks of two documents."""
    monkeypatch.setattr(block, "DOCUMENTS", 2)
    copy, counted = postgres.copy_lines, Counter[str]()

    def counting(connection: Any, table: str, *values: Any) -> None:
        counted[table.removeprefix("staging.")] += 1
        copy(connection, table, *values)

    monkeypatch.setattr(postgres, "copy_lines", counting)
    return counted


@pytest.mark.parametrize(
    ("processes", "together", "most"),
    [(1, 1, 12), (1, 1 << 20, 1), (2, 1 << 20, 1 + 2 * parallel.UNDER_WAY)],
    ids=["a block each", "all at once", "what is judged last doesn't wait"],
)
def test_lines_of_several_blocks_are_copied_together(
    processes: int,
    together: int,
    most: int,
    copies: Counter[str],
    world: World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(staging, "TOGETHER", together)
    world.put(*(document(f"m{n}", f"A{n}", at(D1), client=f"c{n}", rows=n % 4) for n in range(NUMBER)))
    World(replace(world.settings, processes=processes)).migrate(D1)
    assert world.column("SELECT count(*) FROM operacoes") == [NUMBER]
    assert world.column("SELECT count(*) FROM parcelas") == [sum(n % 4 for n in range(NUMBER))]
    assert copies["contratos"] == most if processes == 1 else 1 < copies["contratos"] <= most


def test_what_is_made_ready_while_the_source_thinks_is_ready_before_anything_is_forked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A fork in the middle of it would find locks that nobody lets go, such as those of an import."""
    begun, ready = Event(), Event()

    def thinking() -> Iterator[bytes]:
        assert begun.wait(LONG)
        yield b"first"
        yield b"second"

    def meanwhile() -> None:
        begun.set()
        time.sleep(0.2)
        ready.set()

    monkeypatch.setattr(staging, "PATIENCE", 0.0)
    awaited = staging._awaited(thinking(), meanwhile)
    assert next(awaited) == b"first"
    assert ready.is_set()
    assert [*awaited] == [b"second"]


@pytest.mark.parametrize("documents", [[], [b"a"], [b"a", b"b"]])
def test_a_source_that_answers_at_once_is_not_held_up(
    documents: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    threads, made_ready = active_count(), Event()
    monkeypatch.setattr(staging, "PATIENCE", LONG)
    assert [*staging._awaited(documents, made_ready.set)] == documents
    assert active_count() <= threads
    assert not made_ready.is_set()


def test_a_source_that_fails_leaves_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = active_count()

    def failing() -> Iterator[bytes]:
        raise SourceError("gone")
        yield

    monkeypatch.setattr(staging, "PATIENCE", LONG)
    with pytest.raises(SourceError):
        next(staging._awaited(failing(), lambda: None))
    assert active_count() <= threads


def test_processes_that_judge_find_ready_what_that_takes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once in their parent, not once in each."""
    monkeypatch.setattr(block, "DOCUMENTS", 2)
    made: list[int] = []
    real = judge.Judge.prepare
    monkeypatch.setattr(judge.Judge, "prepare", lambda self: (made.append(1), real(self))[1])
    transform_of = block.judge_of
    transform_of.cache_clear()
    world.put(*(document(f"m{n}", f"A{n}", at(D1), client=f"c{n}", rows=1) for n in range(NUMBER)))
    World(replace(world.settings, processes=2)).migrate(D1)
    assert made
    assert "read" in transform_of(world.settings.zone, world.settings.strictness).__dict__
    assert world.column("SELECT count(*) FROM operacoes") == [NUMBER]
