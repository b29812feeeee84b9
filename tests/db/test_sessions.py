"""A session's settings are never taken for granted: servers, databases, roles and poolers have others."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg2
import psycopg2.errors
import pytest
from pooler import LOGINS, MODES, PROGRAM, Pooler, left_behind
from preferences import HOSTILE
from sqlalchemy import Connection, text
from world import D1, D2, World, at, at_once, document, rejected, unfounded

from ccb_luigi.database import binary, copying, postgres, refusals, schema
from ccb_luigi.database.postgres import Postgres
from ccb_luigi.errors import CcbError, ConfigurationError, TargetError
from ccb_luigi.load import status
from ccb_luigi.proof import sweep, verify
from ccb_luigi.report import page
from ccb_luigi.report.facts import gather
from ccb_luigi.settings import Settings
from ccb_luigi.telemetry import display

CANARY = "Canário-39825979194"
needs_pgbouncer = pytest.mark.skipif(not Path(PROGRAM).exists(), reason="not installed: pgbouncer")
DOCUMENTS = [
    document("a", "A", at(D1), name=r"Barra \n invertida \' e 'aspas'"),
    unfounded(document("b", "B", at(D1, 13), client="c2", birthDate="1980-12-08")),
    rejected(document("c", "C", at(D1, 14), client=r"c3\x")),
]


def night(world: World) -> None:
    """Two dates, one of them twice, a version with fewer rows, and a proof."""
    world.put(*DOCUMENTS)
    world.migrate(D1)
    world.again(D1)
    world.put(document("a", "A", at(D2), rows=2, name="Nova"))
    world.migrate(D2)
    assert verify.verify(world.settings, verify.Scope()).differences == []


@pytest.fixture(scope="session")
def as_everywhere(postgres_server: Any, template_database: str, mongo_server: Any) -> dict[str, list[str]]:
    """What a server without settings of its own makes of it."""
    name = f"control_{uuid4().hex}"
    execute(postgres_server.url, f"CREATE DATABASE {name} TEMPLATE {template_database} STRATEGY FILE_COPY")
    world = World(
        Settings(postgres_url=postgres_server.url_of(name), mongo_uri=mongo_server.uri, mongo_database=name)
    )
    night(world)
    found = world.tables()
    postgres.of_process(world.settings).engine.dispose()
    execute(postgres_server.url, f"DROP DATABASE {name} WITH (FORCE)")
    return found


def execute(url: str, *statements: str) -> None:
    connection = psycopg2.connect(url, options="-cdefault_transaction_read_only=off")
    connection.autocommit = True
    for statement in statements:
        connection.cursor().execute(statement)
    connection.close()


def error_of(settings: Settings, work: Callable[[Connection], object] = lambda _: None) -> CcbError:
    with pytest.raises(CcbError) as caught:
        Postgres(settings).run(work)
    assert len(str(caught.value).splitlines()) == 1
    return caught.value


# --- settings of a server, a database or a role -------------------------------------------------------


@pytest.mark.parametrize("of", HOSTILE)
def test_a_night_is_the_same_whatever_the_database_prefers(
    world: World, as_everywhere: dict[str, list[str]], of: str
) -> None:
    name = world.one("SELECT current_database()")
    own = [f"ALTER DATABASE {name} SET {setting} TO {value}" for setting, value in HOSTILE[of].items()]
    execute(world.settings.postgres_url, *own)
    direct = replace(world.settings, postgres_url=world.settings.postgres_url.partition("?")[0])
    if of == "time-outs":
        patient = Postgres(replace(direct, retry_seconds=0))
        patient.run(lambda connection: connection.execute(text("SELECT pg_sleep(0.5)")))
        patient.run(lambda connection: [slowly(connection) for _ in range(2)])
    assert schema.upgrade(direct) == (schema.REVISION, schema.REVISION)
    night(World(direct))
    execute(world.settings.postgres_url, f"ALTER DATABASE {name} RESET ALL")
    assert world.tables() == as_everywhere


def slowly(connection: Connection) -> None:
    """A source that takes its time, within a transaction."""
    connection.execute(text("SELECT 1"))
    time.sleep(0.6)


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_two_runs_of_one_date_at_once_both_end_well_whatever_isolation_is_the_default(
    world: World, isolation: str
) -> None:
    name = world.one("SELECT current_database()")
    world.query(f"ALTER DATABASE {name} SET default_transaction_isolation TO '{isolation}'")
    world.put(*DOCUMENTS)
    hurried = World(replace(world.settings, retry_seconds=0))
    assert at_once(*[lambda: hurried.migrate(D1)] * 2) == []
    assert world.one("SELECT count(*) FROM controle.reconciliacoes WHERE ok") == 1


@pytest.mark.direct("ALTER DATABASE reaches sessions that begin after it")
def test_where_foreign_keys_are_switched_off_nothing_is_written(world: World) -> None:
    name = world.one("SELECT current_database()")
    world.query(f"ALTER DATABASE {name} SET session_replication_role TO 'replica'")
    error = error_of(world.settings)
    assert isinstance(error, ConfigurationError)
    assert "session_replication_role" in str(error)


@pytest.mark.direct("has a role of its own")
def test_rows_that_a_policy_hides_are_no_empty_table(world: World) -> None:
    world.put(*DOCUMENTS)
    world.migrate(D1)
    role = f"limited_{uuid4().hex[:8]}"
    parts = urlsplit(world.settings.postgres_url)
    world.query(
        f"CREATE ROLE {role} LOGIN PASSWORD 'x'; GRANT pg_read_all_data, pg_write_all_data TO {role};"
        " ALTER TABLE operacoes ENABLE ROW LEVEL SECURITY"
    )
    try:
        url = f"postgresql://{role}:x@{parts.hostname}:{parts.port}{parts.path}"
        error = error_of(
            replace(world.settings, postgres_url=url),
            lambda connection: connection.execute(text("SELECT count(*) FROM operacoes")).scalar(),
        )
    finally:
        world.query(f"DROP OWNED BY {role}; DROP ROLE {role}")
    assert isinstance(error, TargetError)
    assert "row-level security of operacoes" in str(error)
    assert "BYPASSRLS" in str(error)


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_that_cannot_hold_every_name_is_refused_before_anything_is_made(
    postgres_server: Any, encoding: str
) -> None:
    name = f"narrow_{uuid4().hex}"
    execute(
        postgres_server.url,
        f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C' LOCALE_PROVIDER libc",
    )
    settings = Settings(postgres_url=postgres_server.url_of(name), retry_seconds=0)
    try:
        with pytest.raises(ConfigurationError, match="createdb -E UTF8 -T template0") as caught:
            schema.upgrade(settings)
        assert encoding in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1
        with psycopg2.connect(settings.postgres_url) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_namespace WHERE nspname IN ('controle', 'staging')")
            assert cursor.fetchall() == [(0,)]
        connection.close()
    finally:
        execute(postgres_server.url, f"DROP DATABASE {name} WITH (FORCE)")


def test_all_tables_may_be_published(world: World) -> None:
    world.query("CREATE PUBLICATION everything FOR ALL TABLES")
    world.put(*DOCUMENTS)
    world.migrate(D1)
    world.again(D1)
    world.put(document("a", "A", at(D2), rows=2))
    world.migrate(D2)
    assert world.numbers("A") == [1, 2]


def test_tables_of_the_site_with_the_names_of_our_temporary_ones_are_in_nobodys_way(world: World) -> None:
    names = ["vistos", "homonimos", "visto", "amostra", "marcas", "conhecidos", "rejeitados", "dono"]
    world.query("; ".join(f"CREATE TABLE public.{name} (theirs int)" for name in names))
    night(world)
    assert sweep.sweep(world.settings).em_aberto == 0
    assert verify.verify(world.settings, verify.Scope(sample=2)).differences == []
    assert all(world.one(f"SELECT count(*) FROM public.{name}") == 0 for name in names)


def test_every_table_has_what_a_publication_names_its_rows_by(world: World) -> None:
    assert (
        world.column("""
        SELECT c.oid::regclass::text FROM pg_class c
        WHERE c.relkind = 'r' AND c.relreplident = 'd' AND c.relpersistence = 'p'
          AND c.relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
          AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)
    """)
        == []
    )


def test_tables_that_cannot_be_published_yet_tell_what_to_do(world: World) -> None:
    world.query("ALTER TABLE staging.contratos REPLICA IDENTITY DEFAULT; CREATE PUBLICATION p FOR ALL TABLES")
    error = error_of(world.settings, lambda c: c.execute(text("DELETE FROM staging.contratos")))
    assert "`ccb-luigi db upgrade`" in str(error)
    schema.upgrade(world.settings)
    Postgres(world.settings).run(lambda c: c.execute(text("DELETE FROM staging.contratos")))


# --- poolers ------------------------------------------------------------------------------------------


@pytest.fixture
def pooled(world: World, pooler_of: Callable[[str], Pooler], mode: str) -> Iterator[World]:
    """A world whose program goes through a pooler whose sessions others have had before."""
    pooler = pooler_of(mode)
    with pooler.rude_neighbours(world.settings.postgres_url):
        yield World(
            replace(world.settings, postgres_url=pooler.through(world.settings.postgres_url), retry_seconds=0)
        )


@needs_pgbouncer
@pytest.mark.parametrize("mode", MODES)
def test_a_night_is_the_same_through_a_pooler_and_leaves_nothing_in_it(
    pooled: World, world: World, as_everywhere: dict[str, list[str]]
) -> None:
    before = left_behind(pooled.settings.postgres_url)
    night(pooled)
    assert world.tables() == as_everywhere
    after = left_behind(pooled.settings.postgres_url)
    for found in (before, after):
        found["settings"].pop("application_name", None)
    assert {*after.pop("temporary")} <= {*before.pop("temporary")}
    changed = {*after["settings"].items()} ^ {*before["settings"].items()}
    assert changed == set()
    assert after == before


@needs_pgbouncer
@pytest.mark.parametrize("mode", MODES)
def test_an_upgrade_through_a_pooler_does_all_and_leaves_no_lock(
    pooled: World, world: World, postgres_server: Any
) -> None:
    world.query(
        "DROP INDEX parcelas_data_vencimento_idx; ALTER TABLE staging.contratos REPLICA IDENTITY DEFAULT"
    )
    said: list[str] = []
    schema.upgrade(pooled.settings, said.append)
    assert [line.split()[0] for line in said] == ["building"]
    assert world.one("SELECT count(*) FROM pg_indexes WHERE indexname = 'parcelas_data_vencimento_idx'") == 1
    assert world.one("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0
    schema.upgrade(pooled.settings, said.append)
    assert len(said) == 1


@needs_pgbouncer
@pytest.mark.parametrize("mode", ["transaction"])
def test_options_that_a_pooler_refuses_are_told_in_one_line(pooled: World) -> None:
    url = f"{pooled.settings.postgres_url}?options=-cwork_mem%3D1MB"
    error = error_of(replace(pooled.settings, postgres_url=url))
    assert isinstance(error, ConfigurationError)
    assert "takes no options" in str(error)


# --- what the server says, and to whom ----------------------------------------------------------------


def test_a_warning_at_login_is_not_printed(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    """As PostgreSQL 19 warns of a password in its last days."""
    world.query(f"""
        CREATE FUNCTION public.greet() RETURNS event_trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE WARNING 'your password {CANARY} will expire'; END $$;
        CREATE EVENT TRIGGER greet ON login EXECUTE FUNCTION public.greet()
    """)
    capfd.readouterr()
    url = world.settings.postgres_url.partition("?")[0]
    Postgres(replace(world.settings, postgres_url=url)).run(lambda c: c.execute(text("SELECT 1")).scalar())
    assert capfd.readouterr().err == ""
    psycopg2.connect(url).close()
    assert CANARY in capfd.readouterr().err, "it is said to all others"


@pytest.mark.direct("has a role of its own")
@pytest.mark.parametrize(("ends", "told"), [("3 days", True), ("40 days", False), ("infinity", False)])
def test_a_password_that_ends_soon_is_told_on_the_page_and_by_status(
    world: World, ends: str, told: bool
) -> None:
    role, parts = f"ending_{uuid4().hex[:8]}", urlsplit(world.settings.postgres_url)
    until = "'infinity'" if ends == "infinity" else f"(now() + interval '{ends}')::text"
    world.query(
        f"CREATE ROLE {role} LOGIN SUPERUSER PASSWORD 'x';"
        f" DO $$ BEGIN EXECUTE format('ALTER ROLE {role} VALID UNTIL %L', {until}); END $$"
    )
    try:
        url = f"postgresql://{role}:x@{parts.hostname}:{parts.port}{parts.path}"
        with Postgres(replace(world.settings, postgres_url=url)).transaction() as connection:
            facts = gather(connection, world.settings, D1, 3)
            found = status.password_ends(connection)
        assert (found is not None) == told
        assert ("VALID UNTIL" in page.render(facts)) == told
        if found:
            assert "password of this role ends on 20" in display.password_line(found, world.settings.zone)
    finally:
        world.query(f"DROP ROLE {role}")


@pytest.mark.direct("has a role of its own")
def test_a_password_that_is_renewed_meanwhile_is_read_again_once(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As tokens that live for minutes: who has the file rewritten, needn't start anything again."""
    role, parts = f"token_{uuid4().hex[:8]}", urlsplit(world.settings.postgres_url)
    old, new = (
        f"postgresql://{role}:{word}@{parts.hostname}:{parts.port}{parts.path}" for word in ("old", "new")
    )
    secret = tmp_path / "url"
    secret.write_text(old)
    monkeypatch.delenv("CCB_POSTGRES_URL", raising=False)
    monkeypatch.setenv("CCB_POSTGRES_URL_FILE", str(secret))
    world.query(f"CREATE ROLE {role} LOGIN PASSWORD 'old'")
    try:
        target = Postgres(replace(world.settings, postgres_url=old, retry_seconds=0))
        assert target.run(who) == role
        target.engine.dispose()
        world.query(f"ALTER ROLE {role} PASSWORD 'new'")
        with pytest.raises(TargetError, match="user or password is wrong"):
            target.run(who)
        secret.write_text(new)
        assert target.run(who) == role
        target.engine.dispose()
        secret.write_text(new.replace(parts.path, "/postgres").replace(":new@", ":newer@"))
        world.query(f"ALTER ROLE {role} PASSWORD 'newer'")
        with pytest.raises(TargetError, match="user or password is wrong"):
            target.run(who)  # another database is none of its business
    finally:
        world.query(f"DROP ROLE {role}")


def who(connection: Connection) -> str:
    return str(connection.execute(text("SELECT session_user")).scalar_one())


@pytest.mark.parametrize(
    "said",
    [
        'FATAL:  password authentication failed for user "x"',
        'FATAL:  autenticação do tipo senha falhou para o usuário "x"',
        'FATAL:  autentica??o do tipo senha falhou para o usu?rio "x"',
        'FATAL:  PAM authentication failed for user "x"',
        "FATAL:  SASL authentication failed",
    ],
)
def test_a_refused_password_is_known_in_both_languages(said: str) -> None:
    error = refusals.translated(
        psycopg2.OperationalError(f'connection to server at "h", port 1 failed: {said}')
    )
    assert "user or password is wrong" in str(error)


def test_a_pooler_that_can_not_look_a_login_up_is_told_so(
    world: World, pooler_of: Callable[[str], Pooler]
) -> None:
    """It looks in a session that it lends to others as well, who may have changed its role."""
    pooler, url = pooler_of("transaction"), urlsplit(world.settings.postgres_url)
    here = f"{url.hostname}:{url.port}{url.path}"
    with pooler.rude_neighbours(f"postgresql://{LOGINS}:{url.password}@{here}", sessions=1):
        asked = pooler.through(f"postgresql://somebody:word@{here}")
        error = error_of(replace(world.settings, postgres_url=asked, retry_seconds=0))
    assert "can't look logins up" in str(error)


class Ended:
    """What is copied, again and again; in the middle of it the server ends the session."""

    def __init__(self, end: Callable[[], object], content: bytes, head: int) -> None:
        self._end, self._calls = end, 0
        self._head, self._row = content[:head], content[head:]

    def read(self, _: int) -> bytes:
        self._calls += 1
        if self._calls == 3:
            self._end()
        return self._head * (self._calls == 1) + self._row * 2000 * (self._calls < 20)


COPIES: dict[str, tuple[Callable[[Connection], None], int]] = {
    "lines": (lambda c: postgres.copy_lines(c, "pg_temp.copied", ["name"], f"{CANARY}\n".encode()), 0),
    "values": (lambda c: binary.copy_values(c, "pg_temp.copied", [[CANARY]]), 19),
}
"""Each way to copy, and where the first row begins in what it sends."""


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("forked", [False, True], ids=["here", "in a fork"])
def test_a_session_that_ends_in_the_middle_of_a_copy_shows_no_row(
    world: World, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, forked: bool, way: str
) -> None:
    copy, head = COPIES[way]

    def work(connection: Connection) -> None:
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()

        def end() -> None:
            world.query("SELECT pg_terminate_backend(%s)", pid)
            while world.one("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", pid):
                time.sleep(0.01)

        connection.execute(text("CREATE TEMP TABLE copied (name text)"))
        monkeypatch.setattr(
            postgres.io, "BytesIO", lambda content: Ended(end, content.removesuffix(b"\xff\xff"), head)
        )
        copy(connection)

    def told() -> None:
        error = error_of(replace(world.settings, retry_seconds=0), work)
        assert isinstance(error, TargetError)
        assert error.transient
        assert CANARY not in str(error)

    assert at_once(told) == [] if forked else told() is None
    assert "".join(capfd.readouterr()) == ""


def test_what_others_do_not_catch_meanwhile_is_still_told(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[BaseException] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, trace: heard.append(error))
    with copying.unheard():
        thread = threading.Thread(target=lambda: sys.excepthook(ValueError, ValueError("theirs"), None))
        thread.start()
        thread.join()
        sys.excepthook(ValueError, ValueError("a row"), None)
    sys.excepthook(ValueError, ValueError("later"), None)
    assert [str(error) for error in heard] == ["theirs", "later"]


def test_a_session_that_the_server_ended_says_so(world: World) -> None:
    def work(connection: Connection) -> None:
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        world.query("SELECT pg_terminate_backend(%s)", pid)
        time.sleep(0.1)
        connection.execute(text("SELECT 1"))

    error = error_of(replace(world.settings, retry_seconds=0), work)
    assert error.transient
    assert "the server ended the session" in str(error)
