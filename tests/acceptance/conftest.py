"""The program and a scheduler for each acceptance test, in a directory and an environment made for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from program import REPOSITORY, Program, Scheduler, luigid
from world import World

from ccb_luigi.settings import Settings


@pytest.fixture
def program(database_url: str, mongo: Any, tmp_path: Path) -> Program:
    """The program with a database of this test alone."""
    settings = Settings(postgres_url=database_url, mongo_uri=mongo.uri, mongo_database=mongo.name)
    inherited = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH")
    kept = {name: os.environ[name] for name in inherited if name in os.environ}
    environment = kept | {
        "LUIGI_CONFIG_PATH": str(REPOSITORY / "luigi.cfg"),
        "CCB_POSTGRES_URL": database_url,
        "CCB_MONGO_URI": mongo.uri,
        "CCB_MONGO_DATABASE": mongo.name,
        "CCB_RETRY_SECONDS": "5",
        "CCB_QUIET": "1",  # else a slow machine says on stderr how far it is
    }
    return Program(World(settings), tmp_path, environment)


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[Scheduler]:
    """As ours, but it has a failed task tried again after a second."""
    ours, hurried = (REPOSITORY / "luigi.cfg").read_text(encoding="utf-8"), tmp_path / "hurried.cfg"
    assert "\nretry_delay = 10\n" in ours
    hurried.write_text(ours.replace("\nretry_delay = 10\n", "\nretry_delay = 1\n"), encoding="utf-8")
    with luigid(tmp_path / "luigid", hurried) as found:
        yield found
