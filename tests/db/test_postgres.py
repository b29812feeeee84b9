"""The edge to PostgreSQL: clear errors without data in them, retries, locks, and one pool per process."""

from __future__ import annotations

import os
import re
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg2
import pytest
from sqlalchemy import Connection, text
from world import D1, EIGHT, World, at, document

from ccb_luigi import tables
from ccb_luigi.database import postgres
from ccb_luigi.database.postgres import Postgres
from ccb_luigi.errors import Busy, CcbError, ConfigurationError, SchemaOutdated, TargetError
from ccb_luigi.load import pipeline
from ccb_luigi.process import heartbeat
from ccb_luigi.settings import Settings

CANARY = "Canário-39825979194"
SECRET = "s3cr3t-canary"


def changed(url: str, **parts: str) -> str:
    """The address with another ``user``, ``password``, ``host``, ``port`` or ``database``."""
    old = urlsplit(url)
    found = {
        "user": old.username,
        "password": SECRET,
        "host": old.hostname,
        "port": str(old.port),
        "database": old.path.lstrip("/"),
        **parts,
    }
    return "postgresql://{user}:{password}@{host}:{port}/{database}".format(**found)


def error_of(settings: Settings, work: Callable[[Connection], object] = lambda _: None) -> CcbError:
    with pytest.raises(CcbError) as caught:
        Postgres(settings).run(work)
    return caught.value


def everything_shown(error: BaseException) -> str:
    """All that a log could print of an error."""
    return "\n".join([str(error), repr(error), repr(error.args), "".join(traceback.format_exception(error))])


def assert_one_line_without(error: CcbError, *secrets: str) -> None:
    assert len(str(error).splitlines()) == 1
    for secret in secrets:
        assert secret not in everything_shown(error)


# --- connections ------------------------------------------------------------------------------------


def test_a_wrong_password_is_told_at_once_and_not_shown(database_url: str) -> None:
    started = time.monotonic()
    error = error_of(Settings(postgres_url=changed(database_url), retry_seconds=30))
    assert time.monotonic() - started < 5
    assert isinstance(error, TargetError)
    assert not error.transient
    assert "password" in str(error)
    assert "CCB_POSTGRES_URL" in str(error)
    assert_one_line_without(error, SECRET)


def test_a_user_that_does_not_exist_is_told_like_a_wrong_password(database_url: str) -> None:
    error = error_of(Settings(postgres_url=changed(database_url, user="nobody_here"), retry_seconds=30))
    assert isinstance(error, TargetError)
    assert not error.transient
    assert_one_line_without(error, SECRET, "nobody_here")


def test_a_database_that_does_not_exist_is_told(database_url: str) -> None:
    password = urlsplit(database_url).password or ""
    url = changed(database_url, password=password, database="not_there")
    error = error_of(Settings(postgres_url=url, retry_seconds=30))
    assert isinstance(error, TargetError)
    assert not error.transient
    assert "does not exist" in str(error)
    assert_one_line_without(error, password)


def test_an_unknown_host_is_told(database_url: str) -> None:
    url = changed(database_url, host="no-such-host.invalid")
    error = error_of(Settings(postgres_url=url, retry_seconds=0.5))
    assert isinstance(error, TargetError)
    assert error.transient  # a failing DNS passes
    assert "its name can't be resolved" in str(error)
    assert_one_line_without(error, SECRET)


def test_an_unreachable_port_is_tried_again_for_as_long_as_was_set(database_url: str) -> None:
    settings = Settings(postgres_url=changed(database_url, port="1"), retry_seconds=2)
    started = time.monotonic()
    error = error_of(settings)
    assert 0.2 < time.monotonic() - started < 6
    assert isinstance(error, TargetError)
    assert error.transient
    assert "can't be reached" in str(error)
    assert_one_line_without(error, SECRET)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://u:{SECRET}@[broken/ccb",
        f"postgresql://u:{SECRET}%ZZ@localhost/ccb",
        f"host=localhost password={SECRET} nonsense",
        f"host=localhost passwort={SECRET}",
        f"mysql://u:{SECRET}@localhost/ccb",
        f"postgresql://u:{SECRET}@localhost:port/ccb",
    ],
)
def test_an_address_that_is_none_is_a_wrong_setting(url: str) -> None:
    error = error_of(Settings(postgres_url=url, retry_seconds=0.2))
    assert isinstance(error, ConfigurationError)
    assert "CCB_POSTGRES_URL" in str(error)
    assert_one_line_without(error, SECRET)


def test_a_missing_address_is_a_missing_setting() -> None:
    with pytest.raises(ConfigurationError, match="CCB_POSTGRES_URL"):
        Postgres(Settings())


@pytest.mark.direct("has users of its own")
def test_an_address_may_be_keys_and_values_and_hold_any_password(world: World) -> None:
    parts = urlsplit(world.settings.postgres_url)
    odd = "p@ss:w/rd%20'\\ é"
    world.query("CREATE ROLE odd_password LOGIN")
    try:
        world.query("ALTER ROLE odd_password PASSWORD %s", odd)
        escaped = odd.replace("\\", "\\\\").replace("'", "\\'")
        for url in (
            f"host={parts.hostname} port={parts.port} dbname={parts.path[1:]} user=odd_password"
            f" password='{escaped}'",
            f"postgresql://odd_password:{quote(odd, safe='')}@{parts.hostname}:{parts.port}{parts.path}",
        ):
            found = Postgres(Settings(postgres_url=url)).run(
                lambda connection: connection.execute(text("SELECT current_user")).scalar()
            )
            assert found == "odd_password"
    finally:
        world.query("DROP ROLE odd_password")


# --- statements -------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", EIGHT)
def test_a_missing_table_tells_to_upgrade(world: World, table: str) -> None:
    world.put(document("a", "A", at(D1)))
    world.query(f"DROP TABLE {table} CASCADE")
    with pytest.raises(SchemaOutdated, match="`ccb-luigi db upgrade`") as caught:
        world.migrate(D1)
    assert_one_line_without(caught.value)


def client(**changes: Any) -> dict[str, Any]:
    return {
        "client_id": "c",
        "nome": CANARY,
        "tipo_pessoa": "PF",
        "cpf_cnpj": "39825979194",
        "mongo_id": "m",
        "atualizado_em": at(D1),
        **changes,
    }


def insert(row: dict[str, Any]) -> Callable[[Connection], object]:
    names = ", ".join(row)
    values = ", ".join(f":{name}" for name in row)
    return lambda connection: connection.execute(
        text(f"INSERT INTO clientes ({names}) VALUES ({values})"), row
    )


COPIED = ["lote", "doc", "nome", "tipo_pessoa", "pep"]


def copy(line: str) -> Callable[[Connection], object]:
    return lambda connection: postgres.copy_lines(
        connection,
        tables.STAGED["clientes"].fullname,
        COPIED,
        line.encode(),
    )


VIOLATIONS: dict[str, tuple[Callable[[Connection], object], list[str]]] = {
    "check": (
        insert(client(tipo_pessoa=CANARY)),
        ["23514", "table clientes", "constraint clientes_tipo_pessoa_check"],
    ),
    "not null": (insert(client(mongo_id=None)), ["23502", "table clientes", "column mongo_id"]),
    "unique": (
        lambda connection: [insert(client(client_id=CANARY))(connection) for _ in range(2)],
        ["23505", "table clientes", "constraint clientes_pkey"],
    ),
    "foreign key": (
        lambda connection: connection.execute(
            text("INSERT INTO contatos VALUES (:value, 'email', :value)"), {"value": CANARY}
        ),
        ["23503", "table contatos", "constraint contatos_client_id_fkey"],
    ),
    "overflow": (insert(client(renda_media_mensal=10**13 + 39825979194)), ["22003"]),
    "text as a number": (
        lambda connection: connection.execute(text("SELECT CAST(:value AS integer)"), {"value": CANARY}),
        ["22P02"],
    ),
    "text as a date": (insert(client(data_nascimento=CANARY)), ["22007"]),
    "copy of a wrong value": (copy(f"1\t1\t{CANARY}\tPF\t{CANARY}\n"), ["22P02"]),
    "copy of too many columns": (copy(f"1\t1\t{CANARY}\tPF\tt\t{CANARY}\n"), ["22P04"]),
    "copy of bad bytes": (
        lambda connection: postgres.copy_lines(
            connection,
            tables.STAGED["clientes"].fullname,
            COPIED,
            f"1\t1\t{CANARY}".encode() + b"\xff\tPF\tt\n",
        ),
        ["22021"],
    ),
    "raised": (
        lambda connection: connection.execute(
            text(f"DO $$ BEGIN RAISE EXCEPTION 'found {CANARY}' USING DETAIL = '{CANARY}'; END $$")
        ),
        ["P0001"],
    ),
    "syntax": (lambda connection: connection.execute(text(f"SELEKT '{CANARY}'")), ["42601"]),
}


@pytest.mark.parametrize("kind", VIOLATIONS)
def test_an_error_names_state_table_and_constraint_but_no_value(world: World, kind: str) -> None:
    work, named = VIOLATIONS[kind]
    error = error_of(world.settings, work)
    assert isinstance(error, TargetError)
    assert not error.transient
    for name in named:
        assert name in str(error)
    assert_one_line_without(error, CANARY, "39825979194")


def test_a_constraint_that_breaks_in_the_middle_of_a_load_shows_no_borrower(world: World) -> None:
    world.query(f"ALTER TABLE clientes ADD CHECK (nome <> '{CANARY}')")
    world.put(document("a", "A", at(D1), name=CANARY))
    pipeline.extract(world.settings, D1)
    with pytest.raises(TargetError) as caught:
        world.load(D1)
    assert "23514" in str(caught.value)
    assert_one_line_without(caught.value, CANARY)
    assert world.column("SELECT count(*) FROM clientes") == [0]


# --- locks and broken connections -------------------------------------------------------------------


@contextmanager
def holding(world: World, statement: str) -> Iterator[None]:
    """Another session, in a transaction that has done ``statement``."""
    connection = psycopg2.connect(world.settings.postgres_url)
    try:
        connection.cursor().execute(statement)
        yield
    finally:
        connection.close()


def test_a_lock_that_somebody_keeps_makes_busy(world: World) -> None:
    hurried = replace(world.settings, lock_seconds=0.3, retry_seconds=0.5)
    with holding(world, "LOCK TABLE clientes IN ACCESS EXCLUSIVE MODE"):
        error = error_of(hurried, insert(client()))
    assert isinstance(error, Busy)
    assert error.transient
    assert error.exit_code == 16
    assert_one_line_without(error, CANARY)


@pytest.mark.direct("the number of our own process isn't known there")
def test_who_keeps_a_lock_is_named_with_what_it_does(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(heartbeat, "EVERY", 0.1)
    hurried = replace(world.settings, lock_seconds=2, retry_seconds=0)
    with holding(world, f"LOCK TABLE clientes IN ACCESS EXCLUSIVE MODE; SELECT '{CANARY}'"):
        error = error_of(hurried, insert(client()))
    assert isinstance(error, Busy)
    since = r"idle in transaction since \d\d:\d\d:\d\d UTC"
    assert re.match(rf"a session of postgres \(pid \d+, {since}\) holds a lock that this one", str(error))
    told = [each.getMessage() for each in caplog.records if "waiting" in each.getMessage()]
    assert 1 <= len(told) <= 2, "once a try, while it waits"
    waits = rf"PostgreSQL: waiting for a lock of a session of postgres \(pid \d+, {since}\)"
    assert all(re.fullmatch(waits, each) for each in told)
    assert_one_line_without(error, CANARY)


@pytest.mark.direct("the number of our own process isn't known there")
def test_that_runs_take_turns_is_no_news(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(heartbeat, "EVERY", 0.1)
    hurried, other = replace(world.settings, lock_seconds=1, retry_seconds=0), Postgres(world.settings)
    with other.transaction() as connection:
        connection.execute(text("LOCK TABLE clientes IN ACCESS EXCLUSIVE MODE"))
        assert "ccb_luigi of " in str(error_of(hurried, insert(client())))
    assert [each for each in caplog.records if "waiting" in each.getMessage()] == []


def test_a_step_that_another_run_is_doing_makes_busy(world: World) -> None:
    world.put(document("a", "A", at(D1)))
    hurried = World(replace(world.settings, lock_seconds=0.3, retry_seconds=0.5))
    with (
        holding(world, f"SELECT pg_advisory_xact_lock(hashtextextended('ccb_luigi:contratos:{D1}', 0))"),
        pytest.raises(Busy),
    ):
        hurried.migrate(D1)
    hurried.migrate(D1)


def test_a_lock_that_is_given_back_in_time_is_waited_for(world: World) -> None:
    patient = replace(world.settings, lock_seconds=0.5, retry_seconds=30)
    connection = psycopg2.connect(world.settings.postgres_url)
    connection.cursor().execute("LOCK TABLE clientes IN ACCESS EXCLUSIVE MODE")
    timer = threading.Timer(1.5, connection.close)
    timer.start()
    try:
        Postgres(patient).run(insert(client()))
    finally:
        timer.join()
    assert world.column("SELECT nome FROM clientes") == [CANARY]


def test_locks_are_taken_in_one_order_whatever_the_order_of_the_names(world: World) -> None:
    def work(*names: str) -> Callable[[Connection], list[Any]]:
        def take(connection: Connection) -> list[Any]:
            postgres.lock(connection, *names)
            return list(
                connection.execute(
                    text(
                        "SELECT count(*), current_setting('lock_timeout') FROM pg_locks"
                        " WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
                    )
                )
            )

        return take

    pool = Postgres(world.settings)
    assert pool.run(work("b", "a", "c")) == pool.run(work("c", "b", "a")) == [(3, "1min")]
    assert world.column("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [0]


def test_a_transaction_whose_backend_is_killed_is_done_again_as_a_whole(world: World) -> None:
    calls: list[int] = []

    def work(connection: Connection) -> int:
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        insert(client(client_id=f"try {len(calls)}"))(connection)
        calls.append(pid)
        if len(calls) == 1:
            world.query("SELECT pg_terminate_backend(%s)", pid)
        insert(client(client_id="second"))(connection)
        return len(calls)

    assert Postgres(world.settings).run(work) == 2
    assert len(set(calls)) == 2
    assert world.column("SELECT client_id FROM clientes ORDER BY 1") == ["second", "try 1"]


def test_a_backend_that_is_killed_again_and_again_ends_in_one_line(world: World) -> None:
    def work(connection: Connection) -> None:
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        world.query("SELECT pg_terminate_backend(%s)", pid)
        insert(client())(connection)

    error = error_of(replace(world.settings, retry_seconds=1), work)
    assert isinstance(error, TargetError)
    assert error.transient
    assert_one_line_without(error, CANARY)


def test_a_connection_that_died_while_it_was_idle_is_not_noticed(world: World) -> None:
    pool = Postgres(replace(world.settings, retry_seconds=0.1))
    pid = pool.run(lambda connection: connection.execute(text("SELECT pg_backend_pid()")).scalar_one())
    world.query("SELECT pg_terminate_backend(%s)", pid)
    assert pool.run(lambda connection: connection.execute(text("SELECT 1")).scalar()) == 1


def test_two_transactions_that_deadlock_both_end_well(world: World) -> None:
    """With locks in opposite order: PostgreSQL kills one, which is done again."""
    for name in ("one", "two"):
        Postgres(world.settings).run(insert(client(client_id=name)))
    meeting = threading.Barrier(2)

    def update(first: str, second: str) -> Callable[[Connection], None]:
        tries: list[int] = []

        def work(connection: Connection) -> None:
            for name in (first, second):
                connection.execute(
                    text("UPDATE clientes SET nome = :first WHERE client_id = :name"),
                    {"first": first, "name": name},
                )
                if not tries:
                    tries.append(1)
                    meeting.wait(10)

        return work

    failures: list[BaseException] = []

    def run(work: Callable[[Connection], None]) -> None:
        try:
            Postgres(world.settings).run(work)
        except BaseException as error:  # noqa: BLE001 - told by the test
            failures.append(error)

    threads = [threading.Thread(target=run, args=(update(*p),)) for p in (("one", "two"), ("two", "one"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failures == []
    assert len(set(world.column("SELECT nome FROM clientes"))) == 1


def test_an_error_undoes_all_of_the_transaction(world: World) -> None:
    def work(connection: Connection) -> None:
        insert(client())(connection)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Postgres(world.settings).run(work)
    assert world.column("SELECT count(*) FROM clientes") == [0]


# --- processes --------------------------------------------------------------------------------------


def backend(settings: Settings) -> int:
    return postgres.of_process(settings).run(
        lambda connection: int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())
    )


def in_child(work: Callable[[], int]) -> int:
    """What ``work`` returns in a forked process."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:  # pragma: no cover
        try:
            os.write(writer, str(work()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        found = answer.read()
    os.waitpid(pid, 0)
    return int(found)


def test_a_process_keeps_its_pool(settings: Settings) -> None:
    assert postgres.of_process(settings) is postgres.of_process(replace(settings))
    assert backend(settings) == backend(settings)


def test_other_settings_get_another_pool(settings: Settings) -> None:
    assert postgres.of_process(settings) is not postgres.of_process(replace(settings, pool_size=1))


@pytest.mark.direct("all may have the same session, one after the other")
def test_a_forked_child_has_a_connection_of_its_own_and_leaves_its_parents_alone(settings: Settings) -> None:
    ours = backend(settings)
    pool = postgres.of_process(settings)
    theirs = [in_child(lambda: backend(settings)) for _ in range(2)]
    assert ours not in theirs
    assert postgres.of_process(settings) is pool
    assert backend(settings) == ours


@pytest.mark.direct("all may have the same session, one after the other")
def test_a_child_forked_within_a_transaction_does_not_end_it(settings: Settings, world: World) -> None:
    def work(connection: Connection) -> int:
        insert(client())(connection)
        child = in_child(lambda: backend(settings))
        insert(client(client_id="after"))(connection)
        return child

    assert postgres.of_process(settings).run(work) != backend(settings)
    assert world.column("SELECT count(*) FROM clientes") == [2]


def test_sessions_speak_utc_and_utf8_whatever_the_server_prefers(world: World) -> None:
    name = world.one("SELECT current_database()")
    world.query(f"ALTER DATABASE {name} SET timezone TO 'America/Sao_Paulo'")
    world.query(f"ALTER DATABASE {name} SET client_encoding TO 'LATIN1'")
    world.query(f"ALTER DATABASE {name} SET search_path TO controle")
    world.query(f"ALTER DATABASE {name} SET datestyle TO 'SQL, DMY'")
    found = Postgres(world.settings).run(
        lambda connection: [
            connection.execute(text(f"SHOW {setting}")).scalar()
            for setting in ("timezone", "client_encoding", "search_path", "application_name")
        ]
    )
    assert found == ["UTC", "UTF8", "public, pg_temp", "ccb_luigi"]
    world.put(document("a", "A", at(D1), birthDate="2000-02-01", name="Ação 😀"))
    world.migrate(D1)
    assert world.one("SELECT to_char(data_nascimento, 'YYYY-MM-DD') FROM public.clientes") == "2000-02-01"
