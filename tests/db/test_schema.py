"""The schema: what the migrations make, who may write in it, and what it refuses by itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg2
import psycopg2.errors
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from contracts import contract
from psycopg2 import sql
from sqlalchemy import Numeric, create_engine
from world import D1, D2, EIGHT, STEPS, World, at, document, rejected, unfounded

import ccb_luigi
from ccb_luigi.database import postgres, schema
from ccb_luigi.errors import SchemaOutdated, TargetError
from ccb_luigi.load import backfill, backfill_plan, by_id, pipeline
from ccb_luigi.proof import sweep
from ccb_luigi.settings import Settings
from ccb_luigi.tables import BY_NAME, metadata
from ccb_luigi.telemetry import runs

Rows = Callable[..., list[dict[str, Any]]]
LOADER = "ccb_loader"


@pytest.fixture
def empty_database(postgres_server: Any) -> Iterator[str]:
    """A database without the tables."""
    name = f"empty_{uuid4().hex}"
    connection = psycopg2.connect(postgres_server.url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
        yield postgres_server.url_of(name)
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
    connection.close()


def query(url: str, statement: Any, *values: Any) -> list[tuple[Any, ...]]:
    connection = psycopg2.connect(url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


# --- migrations and metadata ------------------------------------------------------------------------


def test_autogenerate_finds_nothing_that_the_migrations_did_not_make(database_url: str) -> None:
    engine = create_engine("postgresql+psycopg2://", creator=lambda: psycopg2.connect(database_url))
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "compare_type": True,
                "compare_server_default": True,
                "version_table_schema": "controle",
                "include_object": lambda item, name, kind, reflected, other: (
                    (kind, name) != ("table", "alembic_version")
                ),
            },
        )
        assert compare_metadata(context, metadata) == []
    engine.dispose()


# Alembic compares neither checks nor collations nor primary keys nor the order of columns.
CATALOGUE = {
    "columns": """
        SELECT c.oid::regclass::text, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod),
               a.attnotnull, a.attidentity::text, pg_get_expr(d.adbin, d.adrelid),
               (SELECT collname FROM pg_collation WHERE oid = a.attcollation)
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relkind = 'r' AND a.attnum > 0 AND {ours}""",
    "constraints": """
        SELECT c.oid::regclass::text, n.conname, pg_get_constraintdef(n.oid)
        FROM pg_constraint n JOIN pg_class c ON c.oid = n.conrelid WHERE {ours}""",
    "indexes": """
        SELECT c.oid::regclass::text, pg_get_indexdef(i.indexrelid)
        FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE {ours}""",
    "comments and persistence": """
        SELECT c.oid::regclass::text, obj_description(c.oid), c.relpersistence::text
        FROM pg_class c WHERE c.relkind = 'r' AND {ours}""",
}
OURS = (
    "c.relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN ('public', 'controle', 'staging'))"
    " AND c.relname NOT LIKE 'alembic_version%'"
)


@pytest.mark.parametrize("what", CATALOGUE)
def test_migrations_make_exactly_the_tables_that_the_code_describes(
    database_url: str, empty_database: str, what: str
) -> None:
    query(empty_database, "CREATE SCHEMA controle; CREATE SCHEMA staging")
    engine = create_engine("postgresql+psycopg2://", creator=lambda: psycopg2.connect(empty_database))
    metadata.create_all(engine)
    engine.dispose()
    statement = CATALOGUE[what].format(ours=OURS) + " ORDER BY 1, 2"
    described, made = query(empty_database, statement), query(database_url, statement)
    assert described
    assert made == described


def test_an_upgrade_may_be_repeated_and_touches_no_row(world: World) -> None:
    world.put(document("a", "A", at(D1)))
    world.migrate(D1)
    before = world.row_versions()
    assert schema.upgrade(world.settings) == (schema.REVISION, schema.REVISION)
    assert schema.upgrade(world.settings) == (schema.REVISION, schema.REVISION)
    assert world.row_versions() == before


def test_an_upgrade_of_an_empty_database_makes_everything(empty_database: str) -> None:
    assert schema.upgrade(Settings(postgres_url=empty_database)) == (None, schema.REVISION)
    found = query(
        empty_database,
        "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname IN ('public', 'controle')",
    )
    assert {name for (name,) in found} == {
        *(f"public.{name}" for name in (*EIGHT, "table_updates")),
        *(
            f"controle.{name}"
            for name in (
                *("quarentena", "qualidade", "reconciliacoes"),
                *("esquecimentos", "execucoes", "varreduras", "versoes", "alembic_version"),
                *("planos", "fatias", "codigos", "textos"),
            )
        ),
    }


def test_the_code_asks_for_the_newest_migration() -> None:
    files = Path(ccb_luigi.__file__).parent.glob("migrations/versions/[0-9]*.py")
    revisions = {
        match[1]: match[2]
        for file in files
        if (
            match := re.search(
                r'^revision = "(\w+)"\ndown_revision = (?:None|"(\w+)")$', file.read_text(), re.MULTILINE
            )
        )
    }
    (newest,) = revisions.keys() - revisions.values()
    assert newest == schema.REVISION


# --- the revision is checked before anything is written ----------------------------------------------

STEP: dict[str, Callable[[Settings], object]] = {
    "extraction": lambda settings: pipeline.extract(settings, D1),
    "load": lambda settings: pipeline.load_table(settings, BY_NAME["parcelas"], D1),
    "proof": lambda settings: pipeline.reconcile_day(settings, D1),
    "retry": lambda settings: by_id.migrate_ids(settings, ["a"]),
    "sweep": sweep.sweep,
}


def message_of(step: str, settings: Settings) -> str:
    with pytest.raises(SchemaOutdated) as caught:
        STEP[step](settings)
    line = str(caught.value)
    assert "\n" not in line
    return line


@pytest.mark.parametrize("step", STEP)
def test_a_step_in_a_database_without_tables_tells_how_to_make_them(empty_database: str, step: str) -> None:
    assert "`ccb-luigi db upgrade`" in message_of(step, Settings(postgres_url=empty_database))


@pytest.mark.parametrize("step", STEP)
def test_a_step_in_older_tables_tells_how_to_upgrade_them(
    world: World, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "REVISION", "9000")
    line = message_of(step, world.settings)
    assert "`ccb-luigi db upgrade`" in line
    assert "9000" in line


@pytest.mark.parametrize("step", STEP)
def test_a_step_in_newer_tables_tells_to_install_the_newer_program(world: World, step: str) -> None:
    world.query("UPDATE controle.alembic_version SET version_num = '9999'")
    line = message_of(step, world.settings)
    assert "9999" in line
    assert "db upgrade" not in line, "that would not help"
    assert "install" in line


def test_an_upgrade_never_goes_back_from_newer_tables(world: World) -> None:
    world.query("UPDATE controle.alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaOutdated, match="newer"):
        schema.upgrade(world.settings)
    assert world.one("SELECT version_num FROM controle.alembic_version") == "9999"


# --- constraints ------------------------------------------------------------------------------------


def test_every_numeric_column_refuses_nan_and_infinity(world: World) -> None:
    world.put(contract())
    world.migrate(date(2024, 5, 3))
    postgres.of_process(world.settings).run(lambda c: runs.put(c, runs.Run("run", run_id="id")))
    columns = [
        (table.fullname, column.name)
        for table in metadata.tables.values()
        if table.schema != "staging"
        for column in table.columns
        if isinstance(column.type, Numeric)
    ]
    assert len(columns) >= 37
    accepted = []
    for table, column in columns:
        for value in ("NaN", "Infinity", "-Infinity"):
            assert world.one(f"SELECT count(*) FROM {table}") > 0
            try:
                world.query(f"UPDATE {table} SET {column} = %s", value)
            except (psycopg2.errors.CheckViolation, psycopg2.errors.NumericValueOutOfRange):
                continue
            accepted.append((table, column, value))
    assert accepted == []


def test_every_foreign_key_has_an_index(database_url: str) -> None:
    keys = """
        SELECT n.conname, EXISTS (
            SELECT FROM pg_index i
            WHERE i.indrelid = n.conrelid AND i.indisvalid AND i.indpred IS NULL
              AND (i.indkey::int2[])[0:cardinality(n.conkey) - 1] = n.conkey
        )
        FROM pg_constraint n WHERE n.contype = 'f'
    """
    found = dict(query(database_url, keys))
    assert len(found) == 9  # four of the client's, operacoes, three of the contract's, one of a plan's
    assert [name for name, indexed in found.items() if not indexed] == []


def test_indexes_that_the_contract_names_are_there(database_url: str) -> None:
    found = query(
        database_url,
        """SELECT c.relname, a.attname, i.indisunique FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
           JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
           WHERE c.relnamespace = 'public'::regnamespace AND i.indnkeyatts = 1""",
    )
    assert {("clientes", "cpf_cnpj", False), ("parcelas", "data_vencimento", False)} <= set(found)
    assert {("operacoes", "mongo_id", True), ("operacoes", "client_id", False)} <= set(found)


def test_staging_survives_a_crash(database_url: str) -> None:
    """UNLOGGED tables would be empty after one, with their marker still there."""
    kinds = query(
        database_url,
        "SELECT DISTINCT relpersistence::text FROM pg_class WHERE relnamespace = 'staging'::regnamespace",
    )
    assert kinds == [("p",)]


# --- the loader's role ------------------------------------------------------------------------------


@pytest.fixture
def loader(world: World, postgres_server: Any) -> Iterator[World]:
    """The same database, in which only what `db grants --apply` gives counts, for the role that loads."""
    database = world.one("SELECT current_database()")
    world.query(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC; REVOKE ALL ON SCHEMA public FROM PUBLIC;")
    schema.grant(world.settings)
    schema.grant(world.settings)  # may be repeated
    password = uuid4().hex
    world.query(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(LOADER), sql.Literal(password)))
    parts = urlsplit(world.settings.postgres_url)
    url = f"postgresql://{LOADER}:{password}@{parts.hostname}:{parts.port}{parts.path}"
    yield World(
        Settings(
            postgres_url=url,
            mongo_uri=world.settings.mongo_uri,
            mongo_database=world.settings.mongo_database,
            retry_seconds=1,
        )
    )
    for role in (LOADER, "ccb_analyst", "ccb_restricted_reader"):
        world.query(f"DROP OWNED BY {role}; DROP ROLE {role}")


@pytest.mark.direct("has a role of its own")
def test_the_loader_needs_no_more_than_its_grants(loader: World, world: World) -> None:
    # Every way through the pipeline: new, changed, shrunk, moved, duplicate, rejected, with findings.
    loader.put(
        document("a", "A", at(D1)),
        document("b", "B", at(D1), client="c2"),
        unfounded(document("c", "C", at(D1), client="c3")),
        document("x", "X", at(D1, 13)),
        document("y", "X", at(D1, 14)),
        rejected(document("z", "Z", at(D1))),
    )
    loader.migrate(D1)
    loader.again(D1)
    loader.put(
        document("a", "A", at(D2), rows=1),
        document("b", "B2", at(D2), client="c2"),
        document("c", "C", at(D2), client="c3", contacts=None),
        document("z", "Z", at(D2)),
    )
    loader.migrate(D2)
    loader.forget(D2, "parcelas")
    loader.migrate(D2)
    loader.put(document("z", "Z", at(D2, 13), rows=2))
    counts, _ = by_id.migrate_ids(loader.settings, ["z", "gone"])
    assert (counts.lidos, counts.quarentena) == (1, 0)
    with loader.collection() as collection:
        collection.delete_one({"_id": "c"})
    loader.put(document("late", "LATE", at(D1)))
    assert sweep.sweep(loader.settings).marcados_excluidos == 1
    assert set(loader.markers(D1)) == set(loader.markers(D2)) == set(STEPS)
    assert world.contracts() == {"A": "a", "B2": "b", "C": "c", "X": "y", "Z": "z", "LATE": "late"}
    assert world.numbers("A") == [1]
    assert world.numbers("Z") == [1, 2]
    assert world.quarantined() == {"x": ["ccb_duplicado"]}
    assert world.column("SELECT bool_and(ok) FROM controle.reconciliacoes") == [True]


@pytest.mark.direct("has a role of its own")
def test_the_loader_needs_no_more_than_its_grants_for_a_plan(loader: World) -> None:
    loader.put(
        *(document(f"d{n}", f"C{n}", at(D1, 12, n), client=f"c{n}") for n in range(5)),
        document("x", "C0", at(D2)),
        rejected(document("z", "Z", at(D2))),
    )
    found = backfill_plan.ensure(loader.settings, D1, D2)
    assert found
    shard = backfill.migrate_shard(loader.settings, found.id, 1)
    assert shard
    assert shard.result.lidos == 7
    assert backfill.close(loader.settings, found.id) == [D1, D2]
    assert loader.contracts() == {"C0": "x", "C1": "d1", "C2": "d2", "C3": "d3", "C4": "d4"}
    assert loader.quarantined().keys() == {"d0", "z"}


def test_the_loader_can_change_nothing_but_rows(loader: World) -> None:
    tables = [
        *EIGHT,
        "table_updates",
        *("controle.quarentena", "controle.qualidade", "controle.reconciliacoes", "controle.varreduras"),
        *("controle.execucoes", "controle.alembic_version", "staging.contratos", "staging.parcelas"),
    ]
    forbidden = [
        *(f"CREATE TABLE {where}.mine (x int)" for where in ("public", "controle", "staging")),
        *(f"DROP TABLE {table} CASCADE" for table in tables),
        *(f"ALTER TABLE {table} ADD COLUMN x int" for table in tables),
        *(f"TRUNCATE {table} CASCADE" for table in tables),
        *(f"CREATE TRIGGER t BEFORE INSERT ON {table} EXECUTE FUNCTION suppress_redundant_updates_trigger()"
          for table in tables),
        *(f"CREATE INDEX ON {table} ((1))" for table in tables),
        "CREATE SCHEMA mine",
        "DROP SCHEMA staging CASCADE",
        "CREATE FUNCTION public.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "DROP FUNCTION staging.analisar(text)",
        "CREATE OR REPLACE FUNCTION staging.limpar(este_lote integer) RETURNS void LANGUAGE sql AS ''",
        "CREATE ROLE mine",
        "CREATE DATABASE mine",
        "UPDATE controle.alembic_version SET version_num = '9999'",
        "DELETE FROM controle.alembic_version",
        "UPDATE controle.varreduras SET ok = true",
        "DELETE FROM controle.varreduras",
        "UPDATE controle.execucoes SET codigo_saida = 0",
        "DELETE FROM controle.execucoes",
        "SELECT pg_read_file('/etc/passwd')",
        "COPY clientes TO PROGRAM 'cat'",
    ]  # fmt: skip
    allowed = []
    for statement in forbidden:
        connection = psycopg2.connect(loader.settings.postgres_url)
        connection.autocommit = True
        try:
            connection.cursor().execute(statement)
            allowed.append(statement)
        except psycopg2.errors.InsufficientPrivilege:
            pass
        finally:
            connection.close()
    assert allowed == []


def test_the_loader_can_not_upgrade_and_is_told_in_one_line(loader: World, empty_database: str) -> None:
    with pytest.raises(TargetError, match="grants") as caught:
        schema.upgrade(
            Settings(postgres_url=_in_database(loader.settings.postgres_url, empty_database), retry_seconds=1)
        )
    assert "\n" not in str(caught.value)


def _in_database(url: str, other: str) -> str:
    return urlsplit(url)._replace(path=urlsplit(other).path).geturl()


def test_nobody_else_may_call_the_functions_that_run_with_the_owners_rights(world: World) -> None:
    found = world.query(
        "SELECT p.oid::regprocedure::text, p.prosecdef, has_function_privilege('public', p.oid, 'EXECUTE'),"
        " p.proconfig FROM pg_proc p WHERE p.pronamespace = 'staging'::regnamespace ORDER BY 1"
    )
    pinned = ["search_path=pg_catalog, pg_temp"]
    assert found == [
        ("staging.analisar(text)", True, False, pinned),
        ("staging.limpar(integer)", True, False, pinned),
    ]
