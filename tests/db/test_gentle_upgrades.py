"""Upgrades of filled tables: nothing is rewritten, and nobody waits for more than a moment."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import later
import psycopg2
import pytest
from later import NEXT
from sqlalchemy import Connection, text
from world import D1, World, at, document

from benchmarks import locks
from ccb_luigi.database import partitioning, postgres, schema, words
from ccb_luigi.errors import Busy
from ccb_luigi.settings import Settings

INDEX = "parcelas_data_vencimento_idx"
FILES = """
    SELECT c.oid::regclass::text, pg_relation_filenode(c.oid), c.relkind FROM pg_class c
    WHERE c.relkind IN ('r', 'i') AND c.relnamespace::regnamespace::text IN ('public', 'controle')
"""
HELD = """
    SELECT l.relation::regclass::text, l.mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
    WHERE l.pid = pg_backend_pid() AND c.relkind IN ('r', 'p', 'v')
      AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
"""
"""What makes writers wait, or readers too; the others let both through."""


@pytest.fixture
def old(
    postgres_server: Any, empty_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    """The tables of the first revision, no view, 50,000 parcelas, and a program that is a revision ahead."""
    world = World(
        Settings(postgres_url=postgres_server.url_of(empty_name), retry_seconds=0.1, lock_seconds=30)
    )
    locks.first_revision(world.settings.postgres_url)
    locks.fill(world.settings.postgres_url, 50_000 // locks.ROWS)
    later.install(monkeypatch, tmp_path)
    yield world
    postgres.of_process(world.settings).engine.dispose()


@pytest.fixture
def empty_name(postgres_server: Any) -> Iterator[str]:
    locks.execute(postgres_server.url, "CREATE DATABASE gentle")
    yield "gentle"
    locks.execute(postgres_server.url, "DROP DATABASE gentle WITH (FORCE)")


def test_no_table_is_rewritten_or_kept_from_its_users(old: World, monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(old.query(FILES))
    apply, held = words.apply, []

    def watched(connection: Connection, tell: words.Tell) -> None:
        apply(connection, tell)
        held.extend(connection.execute(text(HELD)).all())

    monkeypatch.setattr(words, "apply", watched)
    assert schema.upgrade(old.settings) == (schema.FIRST, NEXT)
    assert before <= set(old.query(FILES)), "no table and no index was written anew"
    ours = {"staging.contratos", "controle.versoes"}  # the pipeline's own
    known = {name for name, _, _ in before} | ours
    assert {name for name, _ in held if name in known} == ours
    assert old.one("SELECT count(*) FROM parcelas") == 50_000 // locks.ROWS * locks.ROWS


def test_a_migration_gives_up_rather_than_queue_for_a_table_in_use(old: World) -> None:
    """Behind one that waits for a table's strongest lock everybody else would wait."""
    with psycopg2.connect(old.settings.postgres_url) as reader:
        reader.cursor().execute("SELECT count(*) FROM staging.contratos")
        patient = replace(old.settings, lock_seconds=10)
        with pytest.raises(
            Busy, match=r"nothing was changed: a session uses a table.*pg_stat_activity"
        ) as caught:
            schema.upgrade(patient)
    reader.close()
    assert "\n" not in str(caught.value)
    assert old.one("SELECT version_num FROM controle.alembic_version") == schema.FIRST
    assert schema.upgrade(old.settings) == (schema.FIRST, NEXT)


QUEUED = """
    SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'
       AND relation = 'staging.contratos'::regclass
"""


def test_others_read_while_a_migration_tries_to_get_a_table(old: World) -> None:
    read = "SELECT count(*) FROM staging.contratos"
    reader = psycopg2.connect(old.settings.postgres_url)
    reader.cursor().execute(read)
    upgrade = threading.Thread(target=schema.upgrade, args=(replace(old.settings, retry_seconds=60),))
    upgrade.start()
    try:
        while not old.one(QUEUED):
            assert upgrade.is_alive()
        assert old.one(f"SET lock_timeout = '8s'; {read}") == 0
    finally:
        reader.close()
        upgrade.join(60)
    assert old.one("SELECT version_num FROM controle.alembic_version") == NEXT


# --- what is done after the migrations ----------------------------------------------------------------


@pytest.fixture
def left(world: World) -> World:
    """As a migration to come would leave it: an index that isn't there, a check that isn't validated."""
    world.put(*(document(f"m{n}", f"A{n}", at(D1)) for n in range(9)))
    world.migrate(D1)
    world.query(locks.LEFT)
    return world


def settled(world: World) -> bool:
    definition = world.column(f"SELECT indexdef FROM pg_indexes WHERE indexname = '{INDEX}'")
    valid = world.one("SELECT convalidated FROM pg_constraint WHERE conname = 'parcelas_finitos_check'"
                      " AND conrelid = 'parcelas'::regclass")  # fmt: skip
    there = world.column(f"SELECT i.indisvalid FROM pg_index i WHERE i.indexrelid = to_regclass('{INDEX}')")
    return len(definition) == 1 and "(data_vencimento)" in definition[0] and bool(valid) and there == [True]


@pytest.mark.direct("there an index isn't built CONCURRENTLY")
@pytest.mark.parametrize("parts", [1, 3])
def test_readers_and_writers_go_on_while_an_index_is_built_and_a_check_validated(
    left: World, parts: int
) -> None:
    partitioning.partition(left.settings, parts, lambda _: None)
    left.query(f"DROP INDEX IF EXISTS {INDEX}")
    said: list[str] = []
    building = threading.Event()

    def tell(line: str) -> None:
        said.append(line)
        building.set()

    writer = psycopg2.connect(left.settings.postgres_url)
    writer.cursor().execute("UPDATE parcelas SET valor_seguro = 1 WHERE ccb_code = 'A1'")
    upgrade = threading.Thread(target=schema.upgrade, args=(left.settings, tell))
    upgrade.start()
    try:
        assert building.wait(60)
        for _ in range(20):  # the build waits for the writer, and nobody for the build
            left.query("SET lock_timeout = '2s'; UPDATE parcelas SET valor_seguro = 2 WHERE ccb_code = 'A2'")
            assert left.one("SET lock_timeout = '2s'; SELECT count(*) FROM parcelas") == 27
        assert upgrade.is_alive()
    finally:
        writer.commit()
        writer.close()
        upgrade.join(60)
    assert said[0] == f"building index {INDEX} ..."
    assert settled(left)
    assert not [line for line in said if "waiting" in line]


def test_a_build_that_was_broken_off_is_done_by_the_next_upgrade(left: World) -> None:
    left.query(f"CREATE INDEX {INDEX} ON parcelas (data_vencimento)")
    left.query(f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{INDEX}'::regclass")
    assert not settled(left)
    schema.upgrade(left.settings)
    assert settled(left)


def test_of_two_upgrades_one_settles_and_the_other_does_not_wait_for_it(left: World) -> None:
    """Waiting it would keep the build from ever ending, which waits for all old transactions."""
    said: list[str] = []
    with psycopg2.connect(left.settings.postgres_url) as other:
        other.cursor().execute("SELECT pg_advisory_lock(hashtextextended('ccb_luigi:settle', 0))")
        schema.upgrade(replace(left.settings, lock_seconds=0.5, retry_seconds=0), said.append)
    other.close()
    (line,) = said
    assert line.startswith("another upgrade is under way; what this one leaves to it: ")
    assert f"building index {INDEX}" in line
    assert "validating parcelas_finitos_check of parcelas" in line
    assert not settled(left)
    schema.upgrade(left.settings)
    assert settled(left)


def test_nothing_is_left_to_do_in_tables_as_they_are(world: World) -> None:
    said: list[str] = []
    schema.upgrade(world.settings, said.append)
    assert said == []
