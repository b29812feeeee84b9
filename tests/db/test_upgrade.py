"""Upgrades: never beside a run, whole or not at all, and only where code and tables go together."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import later
import psycopg2
import pytest
from later import BEFORE, NEXT
from world import D1, World, at, at_once, document

from ccb_luigi.database import schema
from ccb_luigi.errors import Busy, SchemaOutdated, TargetError
from ccb_luigi.load import by_id, pipeline
from ccb_luigi.settings import Settings
from ccb_luigi.tables import BY_NAME

TABLES = """
    SELECT array_agg(n.nspname || '.' || relname ORDER BY 1) FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('public', 'controle', 'staging', 'analise')
"""
REVISION = "SELECT version_num FROM controle.alembic_version"
HOLD = "SELECT pg_advisory_xact_lock_shared(hashtextextended('ccb_luigi:schema', 0))"


@pytest.fixture
def old(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A database with a row, and a program that is a revision ahead of it."""
    world.query(
        "INSERT INTO clientes (client_id, nome, tipo_pessoa, cpf_cnpj, mongo_id, atualizado_em)"
        " VALUES ('c1', 'n', 'PF', '52998224725', 'm', now())"
    )
    later.install(monkeypatch, tmp_path)
    return World(replace(world.settings, retry_seconds=0.1, lock_seconds=30))


def test_an_upgrade_keeps_what_is_in_the_tables(old: World) -> None:
    before = old.query("SELECT ctid, xmin, t::text FROM clientes t")
    assert schema.upgrade(old.settings) == (BEFORE, NEXT)
    assert old.query("SELECT ctid, xmin, t::text FROM clientes t") == before


def test_an_upgrade_waits_for_a_run_and_tells_for_whom(old: World) -> None:
    said = []
    run = psycopg2.connect(old.settings.postgres_url, application_name="a night run")
    run.cursor().execute(HOLD)

    def waiting(line: str) -> None:
        said.append(line)
        assert old.one(REVISION) == BEFORE
        run.rollback()  # the run ends

    assert schema.upgrade(old.settings, waiting) == (BEFORE, NEXT)
    run.close()
    (line,) = said
    assert line.startswith("waiting for a night run of postgres (pid ")
    assert "\n" not in line


def test_an_upgrade_gives_up_in_one_line_and_has_changed_nothing(old: World) -> None:
    tables = old.one(TABLES)
    impatient = replace(old.settings, lock_seconds=0.2, retry_seconds=60)
    with psycopg2.connect(old.settings.postgres_url, application_name="a night run") as run:
        run.cursor().execute(HOLD)
        with pytest.raises(Busy, match=r"nothing was changed.*a night run.*CCB_LOCK_SECONDS") as caught:
            schema.upgrade(impatient)
    run.close()
    assert not caught.value.transient, "it would wait again for as long"
    assert "\n" not in str(caught.value)
    assert (old.one(REVISION), old.one(TABLES)) == (BEFORE, tables)
    assert schema.upgrade(old.settings) == (BEFORE, NEXT)


def test_an_upgrade_does_not_begin_while_an_extraction_runs(world: World) -> None:
    """The lock that the two tests above take by hand is the one that a step really holds."""
    world.put(document("a", "A", at(D1)))
    under_way, go_on = threading.Event(), threading.Event()

    def progress(_: int, __: float | None) -> None:
        under_way.set()
        assert go_on.wait(timeout=60)

    extraction = threading.Thread(target=pipeline.extract, args=(world.settings, D1, progress))
    extraction.start()
    try:
        assert under_way.wait(timeout=60)
        with pytest.raises(Busy, match="still at work is ccb_luigi of postgres"):
            schema.upgrade(replace(world.settings, lock_seconds=0.2))
    finally:
        go_on.set()
        extraction.join(timeout=60)
    assert set(world.markers(D1)) == {"contratos"}


def test_two_upgrades_at_once_both_end_well(old: World) -> None:
    assert at_once(*[lambda: schema.upgrade(old.settings)] * 2) == []
    assert old.one(REVISION) == schema.REVISION


STEP: dict[str, Callable[[Settings], object]] = {
    "extraction": lambda settings: pipeline.extract(settings, D1),
    "load": lambda settings: pipeline.load_table(settings, BY_NAME["clientes"], D1),
    "proof": lambda settings: pipeline.reconcile_day(settings, D1),
    "retry": lambda settings: by_id.migrate_ids(settings, ["a"]),
    "grants": schema.grant,
}


def test_new_code_refuses_old_tables(old: World) -> None:
    old.put(document("a", "A", at(D1)))
    for step in STEP.values():
        with pytest.raises(SchemaOutdated, match=f"at revision {BEFORE}, not {NEXT}: run"):
            step(old.settings)
    assert old.one("SELECT count(*) FROM operacoes") == 0


def test_old_code_refuses_new_tables(world: World) -> None:
    world.put(document("a", "A", at(D1)))
    world.query("UPDATE controle.alembic_version SET version_num = %s", NEXT)
    for step in STEP.values():
        with pytest.raises(SchemaOutdated, match=rf"at revision {NEXT}, newer than .*\({BEFORE}\)"):
            step(world.settings)
    with pytest.raises(SchemaOutdated, match="newer"):
        schema.upgrade(world.settings)
    assert world.one(REVISION) == NEXT
    assert world.one("SELECT count(*) FROM operacoes") == 0


@pytest.mark.parametrize("revision", ["0001", "0007"])
def test_tables_that_no_revision_leads_on_from_stay_as_they_are_and_the_way_is_told(
    world: World, revision: str
) -> None:
    """Before the first release there were eight revisions; only the last of them is gone on from."""
    world.put(document("a", "A", at(D1)))
    world.migrate(D1)
    world.query("UPDATE controle.alembic_version SET version_num = %s", revision)
    before = (world.one(TABLES), world.row_versions())
    for step in (*STEP.values(), schema.upgrade):
        way = rf"{revision}, older than .*\(0008\): run .* of commit"
        with pytest.raises(SchemaOutdated, match=way) as told:
            step(world.settings)
        assert "\n" not in str(told.value)
    assert world.one(REVISION) == revision
    assert (world.one(TABLES), world.row_versions()) == before


def test_the_revision_that_makes_all_tables_has_the_number_of_the_last_that_it_stands_for() -> None:
    """Databases made by those eight stand at it, and have what it makes."""
    assert schema.FIRST == "0008"


def test_a_migration_that_breaks_off_leaves_the_tables_as_they_were(
    old: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (old.one(REVISION), old.one(TABLES), old.query("SELECT xmin, t::text FROM clientes t"))
    with monkeypatch.context() as patched:
        later.install(
            patched,
            tmp_path / "broken",
            "CREATE TABLE public.half_done (x int)",
            "UPDATE clientes SET nome = 'half done'",
            "SELECT 'not a number of client 52998224725'::int",
        )
        with pytest.raises(TargetError, match="22P02") as caught:
            schema.upgrade(old.settings)
    assert "52998224725" not in str(caught.value)
    assert (old.one(REVISION), old.one(TABLES), old.query("SELECT xmin, t::text FROM clientes t")) == before
    assert schema.upgrade(old.settings) == (BEFORE, NEXT)
