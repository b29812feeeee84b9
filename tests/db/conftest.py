"""A source and a target for each database test, and rows by the names of their columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.extras
import pytest
from pooler import MODES, Pooler, catch
from preferences import preferring
from world import World

from ccb_luigi.demo.servers import Postgres
from ccb_luigi.documents import block
from ccb_luigi.settings import Settings

Rows = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def settings(database_url: str, mongo: Any) -> Settings:
    """An empty collection and a database with the tables; nothing is waited for longer than a minute."""
    return Settings(
        # Nobody pulls the plug, and each date is eleven commits.
        postgres_url=f"{database_url}?options=-csynchronous_commit%3Doff",
        mongo_uri=mongo.uri,
        mongo_database=mongo.name,
        retry_seconds=30,
        lock_seconds=60,
    )


@pytest.fixture(autouse=True)
def side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also few documents are read as many are: dates of some size go that way."""
    monkeypatch.setattr(block, "SIDE_BY_SIDE", 1)


@pytest.fixture(scope="session")
def pooler_of(postgres_server: Postgres, server_directory: Path) -> Iterator[Callable[[str], Pooler]]:
    """``pooler_of("transaction")``: a PgBouncer of that mode before the tests' server."""
    with ExitStack() as running:
        started: dict[str, Pooler] = {}

        def find(mode: str) -> Pooler:
            if mode not in started:
                started[mode] = running.enter_context(Pooler(server_directory, postgres_server, mode))
            return started[mode]

        yield find


@pytest.fixture(autouse=True)
def through_a_pooler(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """With ``--through`` the program's connections go through it; what a test asks goes straight."""
    mode = (request.config.getoption("--through") or "").removeprefix("pgbouncer-")
    if mode and (needed := request.node.get_closest_marker("direct")):
        pytest.skip(f"--through {mode}: {needed.args[0]}")
    if "pooler_of" in request.fixturenames:  # whoever brings a pooler, with neighbours, goes through that one
        mode = ""
    if mode == "preferences":
        catch(monkeypatch, preferring)
    if mode not in MODES:
        yield
        return
    pooler: Pooler = request.getfixturevalue("pooler_of")(mode)
    with ExitStack() as rudeness:
        if "database_url" in request.fixturenames:
            rudeness.enter_context(pooler.rude_neighbours(request.getfixturevalue("database_url")))
        catch(monkeypatch, pooler.through)
        yield


@pytest.fixture
def world(settings: Settings) -> World:
    return World(settings)


@pytest.fixture
def rows(settings: Settings) -> Rows:
    """``rows("parcelas", ccb_code="A")``: the committed rows as dictionaries, in the primary key's order."""

    def find(table: str, **having: Any) -> list[dict[str, Any]]:
        condition = "".join(f" AND {name} = %s" for name in having)
        connection = psycopg2.connect(settings.postgres_url)
        try:
            with connection, connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
                cursor.execute(
                    f"SELECT * FROM {table} WHERE true{condition} ORDER BY 1, 2", [*having.values()]
                )
                return [dict(row) for row in cursor.fetchall()]
        finally:
            connection.close()

    return find
