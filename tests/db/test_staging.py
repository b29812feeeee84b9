"""Blocks on their way into staging: few COPYs, and nothing that waits for one is forgotten."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from world import D1, World, at, document

from ccb_luigi.database import postgres
from ccb_luigi.documents import block
from ccb_luigi.load import parallel, staging

NUMBER = 23


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many COPYs each table gets from blocks of two documents."""
    monkeypatch.setattr(block, "DOCUMENTS", 2)
    copy, counted = postgres.copy_lines, Counter[str]()

    def counting(connection: Any, table: Any, *values: Any) -> None:
        counted[table.name] += 1
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
