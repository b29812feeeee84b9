"""The demo ends well, with SecantusDB and where Python has none: the same contracts, the same tables."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import places
import pytest
from rich.console import Console

from ccb_luigi.demo import show, store
from ccb_luigi.demo.servers import delete

CONTRACTS = 100


@pytest.fixture
def directory() -> Iterator[Path]:
    found = places.for_servers()
    yield found
    delete(found)


def said(directory: Path) -> str:
    told = io.StringIO()
    assert show.run(directory, CONTRACTS, Console(file=told, width=100)) == 0
    return told.getvalue()


def test_the_demo_from_a_dump_shows_what_the_one_with_mongodb_shows(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(show, "DAYS", 3)
    with_mongo = said(directory) if store.has_mongo() else None
    monkeypatch.setattr(store, "has_mongo", lambda: False)
    from_a_dump = said(directory)
    assert "come from a dump" in from_a_dump
    assert "not one row version differs" in from_a_dump
    assert re.search(r"contract \S+: (\d+) parcelas before, (\d+) now", from_a_dump)
    assert from_a_dump.count("equal") == 3
    if with_mongo:
        assert _results(from_a_dump.replace("the dump file", "MongoDB")) == _results(with_mongo)


def _results(told: str) -> list[str]:
    """From the first step on, but for what the start of the servers says; rows of the quarantine in order."""
    return sorted(told[told.index("1. A schema") :].splitlines())
