"""What preflight says of real servers, each made wrong in one way."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg2
import pytest
from click.testing import CliRunner
from pooler import MODES, Pooler
from psycopg2 import sql
from sqlalchemy import Connection, text
from world import D1, World, at, document

from ccb_luigi.cli import main
from ccb_luigi.database import postgres, schema
from ccb_luigi.documents import erased
from ccb_luigi.preflight import checks, source, target, target_settings
from ccb_luigi.preflight.lines import Level, Line
from ccb_luigi.settings import Settings

GREEN, GREY, YELLOW, RED = Level
PASSWORD = "canary/senha"
DATABASE = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I {}', current_database()); END $$"


def as_role(world: World, name: str, password: str) -> str:
    parts = urlsplit(world.settings.postgres_url)
    quoted = password.replace("/", "%2F")
    return f"postgresql://{name}:{quoted}@{parts.hostname}:{parts.port}{parts.path}"


@pytest.fixture
def loader(world: World) -> Iterator[World]:
    """The world of a role that has what ``grants.sql`` gives, and no more."""
    schema.grant(world.settings)
    world.query(sql.SQL("ALTER ROLE ccb_loader PASSWORD {}").format(sql.Literal(PASSWORD)))
    made = World(replace(world.settings, postgres_url=as_role(world, "ccb_loader", PASSWORD)))
    yield made
    postgres.of_process(made.settings).engine.dispose()
    for name in ("ccb_loader", "ccb_analyst", "ccb_restricted_reader"):
        world.query(f"DROP OWNED BY {name}; DROP ROLE {name}")


def lines(world: World) -> dict[str, Line]:
    return {check.name: line for check, line in checks.run(world.settings)}


def good(world: World) -> None:
    """As a careful administrator sets it up."""
    world.put(document("a", "A", at(D1)))
    with world.collection() as collection:
        collection.create_index([("updatedAt", 1)])


# --- all together -------------------------------------------------------------------------------------


@pytest.mark.direct("a pooler is one line more")
def test_an_installation_by_the_book_has_nothing_red_and_the_loader_no_right_too_many(
    loader: World, world: World
) -> None:
    good(loader)
    found = lines(loader)
    unexpected = {name: line for name, line in found.items() if line.level is not GREEN}
    # The test's MongoDB has no logins, nobody is to be told, no date is migrated, the disk isn't told; its
    # PostgreSQL doesn't wait for the disk.
    names = {"MongoDB rights", "mail", "dates", "PostgreSQL disk", "PostgreSQL durability"}
    assert unexpected.keys() == names, unexpected
    assert found["role"].said == "ccb_loader may read and write rows, and no more"
    assert RED not in {line.level for line in found.values()}


def test_after_the_dates_are_migrated_they_are_green(loader: World, monkeypatch: pytest.MonkeyPatch) -> None:
    good(loader)
    asked = replace(loader.settings, nightly_days=1)
    monkeypatch.setattr(Settings, "yesterday", lambda self: D1)
    assert target.dates(asked).do == "first `ccb-luigi run --full`"
    loader.migrate(D1)
    assert target.dates(asked).level is GREEN
    monkeypatch.setattr(Settings, "yesterday", lambda self: D1 + timedelta(days=1))
    assert target.dates(asked).level is YELLOW
    assert str(D1 + timedelta(days=1)) in target.dates(asked).do


def test_preflight_writes_nothing(loader: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction that has written something has a number."""
    good(loader)
    numbers: list[object] = []
    transaction = postgres.Postgres.transaction

    @contextmanager
    def watched(self: postgres.Postgres) -> Iterator[Connection]:
        with transaction(self) as connection:
            yield connection
            numbers.append(connection.execute(text("SELECT pg_current_xact_id_if_assigned()")).scalar())

    monkeypatch.setattr(postgres.Postgres, "transaction", watched)
    lines(loader)
    assert len(numbers) > 15
    assert set(numbers) == {None}


def test_the_command_tells_it_in_lines_or_as_json_without_a_password(
    loader: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    good(loader)
    monkeypatch.setenv("CCB_POSTGRES_URL", loader.settings.postgres_url)
    monkeypatch.setenv("CCB_MONGO_URI", loader.settings.mongo_uri)
    monkeypatch.setenv("CCB_MONGO_DATABASE", loader.settings.mongo_database)
    assert CliRunner().invoke(main, ["preflight"]).exit_code == 0
    monkeypatch.setenv("CCB_MONGO_COLLECTION", "Contratos")
    told = CliRunner().invoke(main, ["preflight"])
    assert told.exit_code == 25
    assert f"there is no {loader.settings.mongo_database}.Contratos; there are: contratos" in told.output
    asked = json.loads(CliRunner().invoke(main, ["preflight", "--json"]).stdout)
    assert (asked["level"], asked["exit_code"]) == ("red", 25)
    assert {each["check"] for each in asked["checks"]} == {check.name for check in checks.CHECKS}
    for words in (told.output, json.dumps(asked)):
        assert "canary" not in words
        assert "52998224725" not in words


# --- MongoDB ------------------------------------------------------------------------------------------


def test_a_misspelt_collection_is_red_and_what_is_there_is_named(world: World) -> None:
    good(world)
    name = world.settings.mongo_database
    found = source.collection(replace(world.settings, mongo_collection="contrato"))
    assert (found.level, found.said) == (RED, f"there is no {name}.contrato; there are: contratos")
    elsewhere = source.collection(replace(world.settings, mongo_database=f"{name}_x"))
    assert elsewhere.level is RED
    assert name in elsewhere.said or "and" in elsewhere.said
    assert source.collection(world.settings).level is GREEN


def test_an_empty_collection_is_red(world: World) -> None:
    good(world)
    with world.collection() as collection:
        collection.delete_many({})
    found = source.collection(world.settings)
    assert found.level is RED
    assert "is empty" in found.said


def test_a_missing_index_is_told_with_its_command(world: World) -> None:
    world.put(document("a", "A", at(D1)))
    with world.collection() as collection:
        collection.drop_indexes()
    assert source.index(world.settings).do == "db.contratos.createIndex({updatedAt: 1})"
    good(world)
    assert source.index(world.settings).level is GREEN


def test_a_database_in_the_address_that_is_not_read_is_told(world: World) -> None:
    uri = world.settings.mongo_uri.rstrip("/")
    there = replace(world.settings, mongo_uri=f"{uri}/outro")
    assert source.address(there).level is YELLOW
    assert "outro" in source.address(there).said
    assert source.address(replace(there, mongo_database="outro")).level is GREEN
    assert source.address(replace(there, mongo_uri=f"{uri}/admin")).level is GREEN


@pytest.mark.parametrize(
    ("uri", "level"),
    [
        ("mongodb://127.0.0.1/", GREEN),
        ("mongodb://192.0.2.7/", YELLOW),
        ("mongodb://192.0.2.7/?tls=true", GREEN),
        ("mongodb://192.0.2.7/?tls=true&tlsInsecure=true", YELLOW),
        ("mongodb://192.0.2.7/?tls=true&tlsAllowInvalidHostnames=true", YELLOW),
        ("mongodb://127.0.0.1,192.0.2.7/", YELLOW),
    ],
)
def test_an_address_without_tls_or_with_any_certificate_is_told(uri: str, level: Level) -> None:
    assert source.encryption(Settings(mongo_uri=uri)).level is level


def test_a_dump_is_no_source_for_the_nights(tmp_path: Any) -> None:
    file = tmp_path / "x.bson"
    assert source.answers(Settings(source=str(file))).level is RED
    file.touch()
    assert source.answers(Settings(source=str(file))).level is YELLOW
    found = dict(checks.run(Settings(source=str(file))))
    assert {line.level for check, line in found.items() if check.needs == "MongoDB"} == {GREY}


# --- PostgreSQL ---------------------------------------------------------------------------------------


def test_a_wrong_password_or_database_is_one_red_line_and_the_rest_is_not_asked(world: World) -> None:
    good(world)
    parts = urlsplit(world.settings.postgres_url)
    nowhere = parts._replace(path="/nowhere", query="").geturl()
    found = lines(World(replace(world.settings, postgres_url=nowhere)))
    assert found["PostgreSQL"].level is RED
    assert {line.level for name, line in found.items() if line.needs} == {GREY}
    assert "tables" in {name for name, line in found.items() if line.needs}


@pytest.fixture
def empty(postgres_server: Any) -> Iterator[Settings]:
    """A database without tables, in another encoding."""
    name = f"preflight_{uuid4().hex}"
    connection = psycopg2.connect(postgres_server.url)
    connection.autocommit = True
    connection.cursor().execute(f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
    settings = Settings(postgres_url=postgres_server.url_of(name))
    yield settings
    postgres.of_process(settings).engine.dispose()
    connection.cursor().execute(f"DROP DATABASE {name} WITH (FORCE)")
    connection.close()


def test_a_database_in_another_encoding_is_red(empty: Settings) -> None:
    found = {check.name: line for check, line in checks.run(empty)}
    assert RED in {found["PostgreSQL"].level, found["PostgreSQL encoding"].level}
    assert "SQL_ASCII" in found["PostgreSQL"].said + found["PostgreSQL encoding"].said


@pytest.mark.parametrize(("revision", "advice"), [("0001", "db upgrade"), ("9999", "install the newer")])
def test_tables_of_another_revision_are_red(world: World, revision: str, advice: str) -> None:
    world.query("UPDATE controle.alembic_version SET version_num = %s", revision)
    found = target.revision(world.settings)
    assert found.level is RED
    assert revision in found.said
    assert advice in found.do


def test_missing_tables_are_red(world: World) -> None:
    world.query("DROP SCHEMA controle CASCADE")
    found = target.revision(world.settings)
    assert (found.level, found.said) == (RED, "the tables have not been created")


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM controle.codigos WHERE codigo = 'ausente'",
        "COMMENT ON COLUMN public.parcelas.ccb_code IS 'x'",
        "UPDATE controle.textos SET sha256 = 'x' WHERE nome = 'VIEW public.vw_codigos'",
    ],
)
def test_views_codes_and_comments_of_another_version_are_told(
    loader: World, world: World, change: str
) -> None:
    assert target.texts(loader.settings).level is GREEN
    world.query(change)
    found = target.texts(loader.settings)
    assert (found.level, "db upgrade" in found.do) == (YELLOW, True)


def test_a_role_without_rights_is_red_and_the_right_is_named(loader: World, world: World) -> None:
    world.query("REVOKE DELETE ON parcelas FROM ccb_loader")
    found = target.rights(loader.settings)
    assert (found.level, found.said) == (RED, "the role has no DELETE on parcelas")
    assert "db grants --apply" in found.do
    world.query("REVOKE USAGE ON SCHEMA staging FROM ccb_loader")
    assert target.rights(loader.settings).said == "the role has no USAGE on schema staging"


def test_a_role_that_was_never_given_anything_is_red(loader: World, world: World) -> None:
    world.query("REVOKE ALL ON SCHEMA controle FROM ccb_loader")
    found = target.revision(loader.settings)
    assert found.level is RED
    assert "db grants --apply" in found.do or "db upgrade" in found.do


@pytest.mark.parametrize(
    "right", ["EXECUTE ON FUNCTION staging.limpar(integer)", "INSERT ON staging.contratos"]
)
def test_each_right_of_the_night_is_looked_at(loader: World, world: World, right: str) -> None:
    world.query(f"REVOKE {right} FROM ccb_loader")
    assert target.rights(loader.settings).level is RED


def test_a_superuser_or_the_owner_is_more_than_the_night_needs(world: World) -> None:
    assert target.rights(world.settings).level is YELLOW
    assert "superuser" in target.rights(world.settings).said


def test_policies_that_hide_rows_from_the_role_are_red(loader: World, world: World) -> None:
    world.query("ALTER TABLE operacoes ENABLE ROW LEVEL SECURITY")
    assert target.row_security(world.settings).level is GREEN, "superusers are exempt"
    found = target.row_security(loader.settings)
    assert (found.level, found.said) == (RED, "policies hide rows of operacoes from this role")


def test_a_publication_of_staging_is_told(world: World) -> None:
    world.query("CREATE PUBLICATION of_public FOR TABLES IN SCHEMA public")
    assert target.publications(world.settings).level is GREEN
    world.query("CREATE PUBLICATION everything FOR ALL TABLES")
    found = target.publications(world.settings)
    keyed = (
        world.one("SELECT relreplident::text FROM pg_class WHERE oid = 'staging.contratos'::regclass") == "f"
    )
    assert found.level is (YELLOW if keyed else RED)
    assert found.said.startswith("everything publishes staging")


def test_a_limit_of_connections_that_is_too_small_is_red(loader: World, world: World) -> None:
    assert target.connections(loader.settings).level is GREEN
    world.query("ALTER ROLE ccb_loader CONNECTION LIMIT 2")
    assert target.connections(loader.settings).level is RED
    world.query("ALTER ROLE ccb_loader CONNECTION LIMIT 50")
    assert target.connections(loader.settings).said == "50 allowed"


def test_a_password_that_ends_is_told(loader: World, world: World) -> None:
    assert target.password(loader.settings).level is GREEN
    for after, level in (("90 days", GREEN), ("3 days", YELLOW)):
        until = world.one(f"SELECT CAST(now() + interval '{after}' AS text)")
        world.query(sql.SQL("ALTER ROLE ccb_loader VALID UNTIL {}").format(sql.Literal(until)))
        assert target.password(loader.settings).level is level


def test_the_forget_key_is_asked_for_once_somebody_was_erased(world: World) -> None:
    assert target.forget_key(world.settings).level is GREEN
    key = "k" * 32
    row = erased.tombstone(key.encode(), "c1", {"m1"})
    world.query(
        "INSERT INTO controle.esquecimentos (chave, documentos, verificador, contagens)"
        " VALUES (%s, %s, %s, '{}')",
        *(row["chave"], row["documentos"], row["verificador"]),
    )
    assert target.forget_key(world.settings).level is RED
    assert target.forget_key(replace(world.settings, forget_key="x" * 32)).level is RED
    assert target.forget_key(replace(world.settings, forget_key=key)).level is GREEN


@pytest.mark.direct("ALTER ROLE reaches sessions that begin after it")
@pytest.mark.parametrize(("value", "good"), [("default", False), ("verbose", False), ("terse", True)])
def test_what_the_servers_log_would_hold_is_read_from_what_is_set_for_the_role(
    loader: World, world: World, value: str, good: bool
) -> None:
    database = world.one("SELECT current_database()")
    world.query(f"ALTER ROLE ccb_loader IN DATABASE {database} SET log_error_verbosity = '{value}'")
    found = target_settings.log(loader.settings)
    assert found.level is (GREEN if good else YELLOW)
    if not good:
        world.query(found.do.removeprefix("as a superuser: "))
        postgres.of_process(loader.settings).engine.dispose()
        assert target_settings.log(loader.settings).level is GREEN


@pytest.mark.parametrize(
    "setting",
    ["default_transaction_isolation TO 'repeatable read'", "default_transaction_read_only TO on"],
)
def test_a_session_is_judged_by_what_its_transactions_really_have(world: World, setting: str) -> None:
    """Whether we override it or not: green is only what is so in a transaction of ours."""
    world.query(DATABASE.format("SET " + setting.replace("'", "''")))
    postgres.of_process(world.settings).engine.dispose()
    with postgres.of_process(world.settings).transaction() as connection:
        really = connection.exec_driver_sql(
            "SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')"
        ).one()
    found = target_settings.session(world.settings)
    assert found.level is (GREEN if tuple(really) == ("read committed", "off") else RED)
    postgres.of_process(world.settings).engine.dispose()


@pytest.mark.parametrize("mode", MODES)
def test_a_pooler_is_told_and_what_is_better_done_without_it(
    world: World, pooler_of: Callable[[str], Pooler], mode: str
) -> None:
    through = pooler_of(mode).through(world.settings.postgres_url)
    found = target.pooler(replace(world.settings, postgres_url=through))
    assert found.level is YELLOW
    assert "`ccb-luigi db` commands want the server itself" in found.do


@pytest.mark.direct("a pooler answers in the server's stead")
def test_tls_of_postgresql_is_asked_of_the_connection(world: World) -> None:
    assert target.encryption(world.settings).said == "without TLS, on this machine"
    assert target.pooler(world.settings).level is GREEN
    assert target.writable(world.settings).level is GREEN
    assert target.clock(world.settings).level is GREEN
    assert target.version(world.settings).level is GREEN
    assert target.encoding(world.settings).said == "UTF8"
    assert "free" in target.room(world.settings).said
