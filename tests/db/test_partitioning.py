"""``parcelas`` in parts: the same rows and rights, the same loads, and back again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.errors
import pytest
from click.testing import CliRunner
from world import D1, D2, World, at, document

from ccb_luigi.commands.db import db
from ccb_luigi.database import partitioning, schema
from ccb_luigi.errors import Busy, TargetError
from ccb_luigi.proof import verify
from ccb_luigi.proof.verify import Scope

PARTS = 4
SHAPE = "SELECT relkind::text FROM pg_class WHERE oid = 'public.parcelas'::regclass"
BALANCES = "SELECT * FROM saldo_contratual('2026-05-01') ORDER BY 1"

# Of the table itself, as everybody sees it; what it is made of inside may differ.
DESCRIBED = {
    "columns": """
        SELECT a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
               (SELECT collname FROM pg_collation WHERE oid = a.attcollation),
               col_description(attrelid, attnum),
               (SELECT array_agg(x::text ORDER BY x::text) FROM unnest(a.attacl) x)
        FROM pg_attribute a WHERE attrelid = 'parcelas'::regclass AND attnum > 0 AND NOT attisdropped""",
    "constraints": """
        SELECT conname, contype::text, convalidated, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE conrelid = 'parcelas'::regclass""",
    "indexes": """
        SELECT indexrelid::regclass::text, indisvalid,
               replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON ')
        FROM pg_index WHERE indrelid = 'parcelas'::regclass""",
    "table": """
        SELECT obj_description(oid), relowner::regrole::text,
               (SELECT array_agg(x::text ORDER BY x::text) FROM unnest(relacl) x)
        FROM pg_class WHERE oid = 'parcelas'::regclass""",
    "views": """
        SELECT c.oid, c.oid::regclass::text, pg_get_viewdef(c.oid), reloptions, relacl::text,
               obj_description(c.oid), relowner
        FROM pg_class c WHERE relkind = 'v' AND relnamespace::regnamespace::text IN ('public', 'analise')""",
    "functions": """
        SELECT oid, pg_get_functiondef(oid), proacl::text, obj_description(oid) FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace""",
}


@pytest.fixture
def filled(world: World) -> World:
    """Two dates of contracts, and the roles' rights."""
    schema.grant(world.settings)
    for n in range(12):
        day = D1 if n % 3 else D2
        world.put(document(f"m{n}", f"A{n}", at(day), client=f"c{n % 5}", rows=2 + n))
    world.migrate(D1, D2)
    return world


def parted(world: World, parts: int = PARTS) -> partitioning.Done:
    return partitioning.partition(world.settings, parts, lambda _: None)


def described(world: World) -> dict[str, list[tuple[Any, ...]]]:
    return {what: world.query(f"{statement} ORDER BY 1, 2") for what, statement in DESCRIBED.items()}


def test_in_parts_and_back_all_is_as_it_was(filled: World) -> None:
    before, rows, balances = described(filled), filled.tables(), filled.query(BALANCES)
    assert len(balances) == 12
    for parts, shape in ((PARTS, "p"), (PARTS + 1, "p"), (1, "r")):
        done = parted(filled, parts)
        assert (done.after, done.rows) == (parts, len(rows["parcelas"]))
        assert filled.one(SHAPE) == shape
        assert described(filled) == before
        assert filled.tables() == rows
        assert filled.query(BALANCES) == balances
    assert filled.one("SELECT to_regnamespace('particoes') IS NULL"), "nothing is left behind"


def test_the_rows_are_spread_and_no_part_is_anybodys_to_read(filled: World) -> None:
    parted(filled)
    found = filled.query("SELECT tableoid::regclass::text, count(*) FROM parcelas GROUP BY 1")
    assert len(found) == PARTS
    assert filled.column(
        "SELECT count(*) FROM pg_class WHERE relnamespace = 'particoes'::regnamespace AND relacl IS NOT NULL"
    ) == [0]


def test_each_role_may_what_it_might(filled: World) -> None:
    parted(filled)
    filled.query("SET ROLE ccb_loader; UPDATE parcelas SET valor_seguro = 0")
    filled.query("SET ROLE ccb_loader; DELETE FROM parcelas WHERE ccb_code = 'A1'")
    assert filled.one("SET ROLE ccb_loader; SELECT count(*) FROM parcelas WHERE ccb_code = 'A1'") == 0
    assert filled.one("SET ROLE ccb_analyst; SELECT count(*) FROM saldo_contratual('2026-05-01')") == 12
    assert filled.one("SET ROLE ccb_analyst; SELECT count(*) FROM analise.parcelas") > 0
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        filled.query("SET ROLE ccb_analyst; SELECT valor_prestacao FROM parcelas")


def test_the_command_says_what_it_did(filled: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CCB_POSTGRES_URL", filled.settings.postgres_url)
    rows = filled.one("SELECT count(*) FROM parcelas")
    said = [CliRunner().invoke(db, ["partition", "--parts", parts]).stdout for parts in ("4", "4", "1")]
    assert said == [
        f"parcelas is a table of 4 parts now; {rows} rows were copied\n",
        "parcelas is a table of 4 parts already\n",
        f"parcelas is one plain table now; {rows} rows were copied\n",
    ]


def test_a_migration_goes_on_in_parts(filled: World) -> None:
    """Changed, shortened, moved to another code, and new; then a rerun, the proof and an erasure."""
    parted(filled)
    filled.put(
        document("m1", "A1", at(D2, 15), client="c1", rows=2),
        document("m2", "B2", at(D2, 15), client="c2", rows=4),
        document("m99", "A99", at(D2, 15), client="c9", rows=3),
    )
    filled.again(D2)
    assert filled.numbers("A1") == [1, 2]
    assert filled.numbers("A2") == []
    assert filled.numbers("B2") == [1, 2, 3, 4]
    assert filled.numbers("A99") == [1, 2, 3]
    before = filled.row_versions()
    filled.again(D1, D2)
    assert filled.row_versions() == before, "a rerun writes no row"
    assert (
        filled.one(
            "SELECT contagens->>'intactos' FROM table_updates WHERE update_id = 'contratos:2026-03-03'"
        )
        != "0"
    )
    assert verify.verify(filled.settings, Scope()).differences == []
    parted(filled, 1)
    assert verify.verify(filled.settings, Scope()).differences == []


def test_the_same_again_does_nothing(filled: World) -> None:
    parted(filled)
    before = filled.row_versions()
    assert parted(filled) == partitioning.Done(PARTS, PARTS, 0)
    assert filled.row_versions() == before


LOST = {
    "rule _RETURN on materialized view em_cache": (
        "CREATE MATERIALIZED VIEW em_cache AS SELECT * FROM parcelas",
        "DROP MATERIALIZED VIEW em_cache",
    ),
    "index a_mais": ("CREATE INDEX a_mais ON parcelas (valor_prestacao)", "DROP INDEX a_mais"),
    "column p of table de_fora": ("CREATE TABLE de_fora (p parcelas)", "DROP TABLE de_fora"),
    "publication of table parcelas in publication fora": (
        "CREATE PUBLICATION fora FOR TABLE parcelas",
        "DROP PUBLICATION fora",
    ),
    "policy so_meus on table parcelas": (
        "CREATE POLICY so_meus ON parcelas USING (true)",
        "DROP POLICY so_meus ON parcelas",
    ),
    "constraint a_mais on table parcelas": (
        "ALTER TABLE parcelas ADD CONSTRAINT a_mais CHECK (numero_parcela < 999)",
        "ALTER TABLE parcelas DROP CONSTRAINT a_mais",
    ),
    "statistics object juntos": (
        "CREATE STATISTICS juntos ON data_vencimento, numero_parcela FROM parcelas",
        "DROP STATISTICS juntos",
    ),
}


def test_what_would_be_lost_is_named_and_nothing_changes(filled: World) -> None:
    for name, (made, gone) in LOST.items():
        filled.query(made)
        with pytest.raises(TargetError, match=f"nothing was changed: {name} depends on parcelas"):
            parted(filled)
        filled.query(gone)
    assert filled.one(SHAPE) == "r"
    assert parted(filled).after == PARTS


def test_views_of_others_follow_and_views_of_views_need_nothing(filled: World) -> None:
    filled.query("CREATE VIEW analise.meus AS SELECT ccb_code, count(*) AS n FROM parcelas p GROUP BY 1")
    filled.query("CREATE MATERIALIZED VIEW analise.deles AS SELECT * FROM vw_agenda_vencimentos")
    before = filled.query("SELECT * FROM analise.meus ORDER BY 1")
    parted(filled)
    assert filled.query("SELECT * FROM analise.meus ORDER BY 1") == before
    filled.query("REFRESH MATERIALIZED VIEW analise.deles")


@pytest.fixture
def reader(filled: World) -> Iterator[Any]:
    """A session whose transaction has read a view of parcelas and goes on."""
    connection = psycopg2.connect(filled.settings.postgres_url)
    connection.cursor().execute("SELECT count(*) FROM vw_agenda_vencimentos")
    yield connection
    connection.close()


def test_it_gives_up_rather_than_queue_behind_a_reader(
    filled: World, reader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitioning, "SECONDS_BETWEEN_TRIES", 0.05)
    said: list[str] = []

    def tell(line: str) -> None:
        said.append(line)
        if "trying again" in line:  # it has let go of everything: others read, and nobody may write
            assert filled.one("SET lock_timeout = '100ms'; SELECT count(*) FROM vw_agenda_vencimentos")
            with pytest.raises(psycopg2.errors.LockNotAvailable):
                filled.query("SET lock_timeout = '100ms'; DELETE FROM parcelas")
            if len(said) > 5:
                reader.rollback()

    done = partitioning.partition(filled.settings, PARTS, tell)
    assert done.after == PARTS
    assert said.count("parcelas or one of its views is being read; trying again ...") == 3


def test_it_ends_in_one_line_when_readers_leave_no_gap(filled: World, reader: Any) -> None:
    before = filled.row_versions()
    with pytest.raises(Busy, match="nothing was changed: queries of parcelas") as caught:
        partitioning.partition(replace(filled.settings, lock_seconds=0), PARTS, lambda _: None)
    assert not caught.value.transient
    reader.rollback()
    assert filled.row_versions() == before
    assert filled.one(SHAPE) == "r"


def test_killed_in_the_middle_it_leaves_the_old_table(filled: World) -> None:
    before = filled.row_versions()

    def tell(line: str) -> None:
        if "exchanging" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        partitioning.partition(filled.settings, PARTS, tell)
    assert filled.row_versions() == before
    assert filled.one("SELECT to_regnamespace('particoes') IS NULL")


def test_steps_wait_until_it_is_done(filled: World) -> None:
    filled.put(document("m50", "A50", at(D2, 16), client="c1"))
    filled.forget(D2)
    ended = threading.Event()

    def step() -> None:
        filled.migrate(D2)
        ended.set()

    thread = threading.Thread(target=step)

    def tell(line: str) -> None:
        if "copying" in line:
            thread.start()
            assert not ended.wait(0.3)

    partitioning.partition(filled.settings, PARTS, tell)
    thread.join(60)
    assert ended.is_set()
    assert filled.numbers("A50") == [1, 2, 3]
