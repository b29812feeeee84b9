"""What happens when something breaks in the middle of a date: it is tried again, or told in one line at once.

Whatever happened, the tables afterwards are the oracle's. (Random kills: ``torture``. Locks, deadlocks, two
runs at once: ``test_postgres`` and ``test_rules``.)
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import oracle
import psutil
import psycopg2
import pymongo
import pytest
from arena import read
from oracle import Source, Version, belongs
from preferences import preferring
from sqlalchemy import Connection, text
from world import D1, D2, STEPS, World, at, document

from ccb_luigi import settings as settings_module
from ccb_luigi.database import connecting, postgres, waiting
from ccb_luigi.database.postgres import Postgres
from ccb_luigi.demo.servers import Mongo
from ccb_luigi.demo.servers import Postgres as Server
from ccb_luigi.documents import block
from ccb_luigi.errors import CcbError, PartitionFailed, SourceError, TargetError
from ccb_luigi.load import markers, parallel, pipeline, staging
from ccb_luigi.process import heartbeat
from ccb_luigi.settings import Settings
from ccb_luigi.sources import mongo as mongo_source
from ccb_luigi.sources import source

BATCH = 6


@pytest.fixture
def versions(world: World, monkeypatch: pytest.MonkeyPatch) -> list[Version]:
    """Thirty documents of one date, which are read in several batches."""
    monkeypatch.setattr(mongo_source, "BATCH_DOCUMENTS", BATCH)
    monkeypatch.setattr(mongo_source, "BATCH_OF_FEW", BATCH)
    monkeypatch.setattr(mongo_source.MongoSource, "snapshots", True)
    made = Source(random.Random(7), [D1])
    made.change(70)
    found = list(made.state.values())
    assert len(found) > 3 * BATCH
    world.put(*(version.document() for version in found))
    return found


def assert_right(world: World, versions: list[Version]) -> None:
    wanted = oracle.expected([], {D1: [version for version in versions if belongs(version, D1)]})
    assert oracle.differences(read(world.settings.postgres_url), wanted) == []


def assert_untouched(world: World) -> None:
    assert world.markers(D1) == {}
    found = read(world.settings.postgres_url)
    assert not any(found[name] for name in (*oracle.COLUMNS, "quarentena", "proofs"))
    assert not any(found["staging"].values())


def hurried(world: World, **changes: Any) -> World:
    return World(replace(world.settings, **{"retry_seconds": 0.3, **changes}))


# --- the source -------------------------------------------------------------------------------------


@contextlib.contextmanager
def failing(world: World, command: str, mode: Any, **how: Any) -> Iterator[None]:
    """The server fails the program's command, and nobody else's."""
    with pymongo.MongoClient[Any](world.settings.mongo_uri) as client:
        data = {"failCommands": [command], "appName": "ccb_luigi", **how}
        client.admin.command("configureFailPoint", "failCommand", mode=mode, data=data)
        yield
        client.admin.command("configureFailPoint", "failCommand", mode="off")


RETRYABLE = {
    "CursorNotFound": 43,
    "NotWritablePrimary": 10107,
    "NotPrimaryNoSecondaryOk": 13435,
    "InterruptedAtShutdown": 11600,
    "InterruptedDueToReplStateChange": 11602,
    "ShutdownInProgress": 91,
    "SocketException": 9001,
    "QueryPlanKilled": 175,
    "CursorKilled": 237,
    "SnapshotTooOld": 239,
    "CappedPositionLost": 136,
    "TemporarilyUnavailable": 365,
    "Interrupted": 11601,
    "TooManyRequests of Cosmos DB": 16500,
}


@pytest.mark.parametrize("command", ["find", "getMore"])
def test_a_source_that_fails_at_any_batch_is_read_again_from_the_start(
    world: World, versions: list[Version], command: str
) -> None:
    # The driver looks at a server that says it isn't the primary at its next heartbeat.
    world = World(replace(world.settings, mongo_uri=f"{world.settings.mongo_uri}?heartbeatFrequencyMS=500"))
    ways = [*({"errorCode": code} for code in RETRYABLE.values()), {"closeConnection": True}]
    for how in ways:
        # The driver itself tries a find once more: two failures get through to us.
        for mode in ({"times": 1}, {"skip": 2, "times": 1}) if command == "getMore" else ({"times": 2},):
            world.forget(D1)
            with failing(world, command, mode, **how):
                counts = pipeline.extract(world.settings, D1)
            assert counts, how
            assert counts.lidos == len(versions), how
    world.migrate(D1)
    assert_right(world, versions)


@pytest.mark.parametrize("code", [2, 13, 26, 50, 146, 292, 8000])
def test_a_refusal_that_no_retry_mends_is_told_at_once(
    world: World, versions: list[Version], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []
    opened = source.opened
    monkeypatch.setattr(source, "opened", lambda settings: tries.append(1) or opened(settings))
    with failing(world, "getMore", "alwaysOn", errorCode=code), pytest.raises(SourceError) as caught:
        world.migrate(D1)
    assert len(tries) == 1
    assert not caught.value.transient
    assert len(str(caught.value).splitlines()) == 1
    assert_untouched(world)


def test_a_refusal_is_told_by_its_name(world: World, versions: list[Version]) -> None:
    with (
        failing(world, "getMore", "alwaysOn", errorCode=43),
        pytest.raises(SourceError, match=r"\(CursorNotFound, 43\)"),
    ):
        hurried(world).migrate(D1)


def stopping(after: int, times: int) -> Callable[..., Iterator[bytes]]:
    """``find_raw_batches`` whose cursor ends after so many batches, as if there were no more."""
    real = pymongo.collection.Collection.find_raw_batches
    left = [times]

    def find_raw_batches(self: Any, *values: Any, **named: Any) -> Iterator[bytes]:
        batches = real(self, *values, **named)
        if left[0] <= 0:
            return iter(batches)
        left[0] -= 1
        return iter([batch for _, batch in zip(range(after), batches, strict=False)])

    return find_raw_batches


@pytest.mark.parametrize("large", [True, False], ids=["large", "small"])
@pytest.mark.parametrize("snapshots", [True, False], ids=["snapshot", "without"])
@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_cursor_that_ends_early_is_not_taken_for_the_end(
    world: World,
    versions: list[Version],
    after: int,
    snapshots: bool,
    large: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mongo_source.MongoSource, "snapshots", snapshots)
    many = BATCH if large else mongo_source.SNAPSHOT_DOCUMENTS
    monkeypatch.setattr(mongo_source, "SNAPSHOT_DOCUMENTS", many)
    short = stopping(after, times=1000)
    monkeypatch.setattr(pymongo.collection.Collection, "find_raw_batches", short)
    with pytest.raises(SourceError, match="a read ended after") as caught:
        hurried(world).migrate(D1)
    assert caught.value.transient
    assert_untouched(world)
    monkeypatch.undo()
    monkeypatch.setattr(mongo_source, "BATCH_DOCUMENTS", BATCH)
    monkeypatch.setattr(pymongo.collection.Collection, "find_raw_batches", stopping(after, times=1))
    world.migrate(D1)
    assert_right(world, versions)


@pytest.mark.parametrize("estimate", [0, 1, BATCH])
def test_an_estimate_that_is_too_low_takes_no_short_read_for_a_whole_one(
    world: World, versions: list[Version], estimate: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a crash mongod may know of fewer documents than there are."""
    kind = pymongo.collection.Collection
    monkeypatch.setattr(kind, "estimated_document_count", lambda *_, **__: estimate)
    monkeypatch.setattr(kind, "find_raw_batches", stopping(2 if estimate else 0, times=1000))
    with pytest.raises(SourceError, match="a read ended after"):
        hurried(world).migrate(D1)
    assert_untouched(world)
    monkeypatch.undo()
    monkeypatch.setattr(kind, "estimated_document_count", lambda *_, **__: estimate)
    world.migrate(D1)
    assert_right(world, versions)


@pytest.mark.parametrize("code", [16500, 365, 11601])
def test_a_passing_refusal_does_not_cost_the_snapshot(
    world: World, versions: list[Version], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    real = mongo_source.MongoSource._sees
    monkeypatch.setattr(
        mongo_source.MongoSource, "_sees", lambda *how: seen.append(found := real(*how)) or found
    )
    with failing(world, "find", {"times": 1}, errorCode=code):
        world.migrate(D1)
    assert seen == [True]
    assert_right(world, versions)


@pytest.mark.parametrize("read_by", ["odd", "by_ids"])
def test_also_the_rarer_reads_are_not_cut_short(
    world: World, versions: list[Version], read_by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with world.collection() as collection:
        collection.update_many({}, {"$set": {"updatedAt": None}})
    names = [version.mongo_id for version in versions]
    with source.opened(world.settings) as origin:

        def count() -> int:
            return len(list(origin.odd() if read_by == "odd" else origin.by_ids(names)))

        assert count() == len(versions)
        monkeypatch.setattr(pymongo.collection.Collection, "find_raw_batches", stopping(2, times=1))
        with pytest.raises(SourceError, match=f"after {2 * BATCH} of {len(versions)} documents"):
            count()


def test_documents_that_leave_the_date_while_it_is_read_without_a_snapshot_are_no_error(
    world: World, versions: list[Version], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mongo_source.MongoSource, "snapshots", False)
    real = mongo_source.split
    calls: list[int] = []

    def split(batch: bytes) -> Iterator[bytes]:
        if not calls:  # the last document leaves before its batch is read
            with world.collection() as collection:
                last = list(collection.find({"updatedAt": {"$type": "date"}}))[-1]
                collection.delete_one({"_id": last["_id"]})
        calls.append(1)
        return real(batch)

    monkeypatch.setattr(mongo_source, "split", split)
    counts = pipeline.extract(world.settings, D1)
    assert counts
    assert len(versions) - 1 <= counts.lidos <= len(versions)


@pytest.mark.parametrize("large", [True, False], ids=["large", "small"])
def test_a_server_without_snapshots_is_read_without(
    world: World, versions: list[Version], large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A standalone server answers the first snapshot read with SnapshotUnavailable."""
    if large:
        monkeypatch.setattr(mongo_source, "SNAPSHOT_DOCUMENTS", BATCH)
    with failing(world, "find", {"times": 1}, errorCode=246):
        world.migrate(D1)
    assert_right(world, versions)


def test_who_has_read_the_whole_collection_asks_for_no_count_of_it(
    world: World, versions: list[Version]
) -> None:
    with failing(world, "aggregate", {"times": 1000}, errorCode=8000):
        world.migrate(D1)
        assert_right(world, versions)
        world.put(document("of another date", "X", at(D2)))
        world.forget(D1)
        with pytest.raises(SourceError, match="user or password"):
            world.migrate(D1)


def test_a_snapshot_that_became_too_old_is_not_asked_for_again(world: World, versions: list[Version]) -> None:
    with failing(world, "getMore", {"times": 1}, errorCode=239):
        world.migrate(D1)
    assert not mongo_source.MongoSource.snapshots
    assert_right(world, versions)


def test_a_source_that_dies_within_a_read_is_awaited(
    world: World, versions: list[Version], mongo_server: Mongo, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = mongo_source.split
    calls: list[int] = []

    def split(batch: bytes) -> Iterator[bytes]:
        calls.append(1)
        if len(calls) == 2:
            mongo_server.kill()
            mongo_server.start()
        return real(batch)

    monkeypatch.setattr(mongo_source, "split", split)
    world.migrate(D1)
    assert len(calls) > 4
    assert_right(world, versions)


def test_a_source_that_stops_answering_ends_in_one_line(
    world: World, versions: list[Version], mongo_server: Mongo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mongo_source, "SECONDS_OF_A_REPLY", 1)
    monkeypatch.setattr(mongo_source, "SECONDS_TO_CONNECT", 1)
    with stopped([psutil.Process(mongo_server.pid)]), pytest.raises(SourceError) as caught:
        hurried(world).migrate(D1)
    assert caught.value.transient
    assert_untouched(world)
    world.migrate(D1)
    assert_right(world, versions)


# --- the processes that judge ------------------------------------------------------------------------


def test_a_killed_process_that_judges_documents_is_replaced(
    world: World, versions: list[Version], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(block, "DOCUMENTS", BATCH)
    monkeypatch.setattr(staging, "TOGETHER", 1)
    copy, killed = postgres.copy_lines, []

    def kill_one(*values: Any, **named: Any) -> None:
        ours = psutil.Process().cmdline()
        with contextlib.suppress(psutil.ZombieProcess):
            forked = [] if killed else [c for c in psutil.Process().children() if c.cmdline() == ours]
            for each in forked[:1]:
                killed.append(each.pid)
                each.kill()
        copy(*values, **named)

    monkeypatch.setattr(postgres, "copy_lines", kill_one)
    World(replace(world.settings, processes=2)).migrate(D1)
    assert killed
    assert_right(world, versions)


def test_processes_that_judge_and_always_die_end_in_one_line() -> None:
    with pytest.raises(PartitionFailed, match="was killed") as caught:
        list(parallel.ordered_map(_once_here, [(n, os.getpid()) for n in range(5)], parallel.local(2)))
    assert caught.value.transient


def _once_here(_: int, parent: int) -> None:
    if os.getpid() != parent:
        os._exit(9)


def test_a_worker_whose_database_fails_while_others_judge_for_it_ends(
    world: World, versions: list[Version], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would wait for the next block, and it for them."""
    monkeypatch.setattr(block, "DOCUMENTS", 2)
    monkeypatch.setattr(staging, "TOGETHER", 1)
    calls: list[int] = []

    def fail(*_: object, **__: object) -> None:
        calls.append(1)
        if len(calls) > 12:
            raise TargetError("no more")

    monkeypatch.setattr(postgres, "copy_lines", fail)
    working = World(replace(world.settings, processes=2))
    process = multiprocessing.get_context("fork").Process(target=working.migrate, args=(D1,))
    process.start()
    process.join(60)
    ended = process.exitcode
    process.kill()
    assert ended == 1


# --- the target ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def stopped(processes: list[psutil.Process]) -> Iterator[None]:
    """They exist, and do nothing."""
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in reversed(processes):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()


@pytest.mark.parametrize("victim", ["server", "backend"])
def test_a_database_that_crashes_before_the_marker_of_any_step_is_awaited(
    world: World,
    versions: list[Version],
    postgres_server: Server,
    victim: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    durable = world.settings.postgres_url.partition("?")[0]  # the other tests' commits are lazy
    world = World(replace(world.settings, postgres_url=durable))
    crashing = {"contratos", "operacoes", "reconciliacoes"}
    put = markers.put

    def crash(connection: Connection, step: str, *rest: Any) -> None:
        if step in crashing:
            crashing.remove(step)
            if victim == "server":
                postgres_server.kill()
            else:  # the whole server throws everybody out, and recovers
                os.kill(connection.execute(text("SELECT pg_backend_pid()")).scalar_one(), signal.SIGKILL)
            postgres_server.start()
        put(connection, step, *rest)

    monkeypatch.setattr(markers, "put", crash)
    world.migrate(D1)
    assert not crashing
    assert_right(world, versions)


@pytest.mark.parametrize("state", ["40001", "40P01", "40003", "57P01", "25P03"])
def test_each_step_is_done_again_when_it_fails_for_a_passing_reason(
    world: World, versions: list[Version], state: str
) -> None:
    """A sequence counts, for its numbers outlive the transaction."""
    world.query("CREATE SEQUENCE tries")
    world.query(f"""
        CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF nextval('tries') % 2 = 1 THEN RAISE EXCEPTION 'not now' USING ERRCODE = '{state}'; END IF;
            RETURN NEW;
        END $$
    """)
    world.query("CREATE TRIGGER fail BEFORE INSERT ON table_updates FOR EACH ROW EXECUTE FUNCTION fail()")
    world.migrate(D1)
    assert world.one("SELECT last_value FROM tries") == 2 * len(STEPS)
    assert_right(world, versions)


ADVICE = {
    "53100": "disk is full",
    "53200": "out of memory",
    "53400": "temp_file_limit",
    "57014": "cancelled by an administrator",
    "58030": "see its log",
    "XX000": "log says what",
    "XX001": "damaged",
    "42501": "db grants",
}


@pytest.mark.parametrize("state", ADVICE)
def test_what_a_retry_does_not_mend_is_told_at_once_with_what_to_do(world: World, state: str) -> None:
    tries: list[int] = []

    def work(connection: Connection) -> None:
        tries.append(1)
        connection.execute(
            text(f"DO $$ BEGIN RAISE EXCEPTION 'canary' USING ERRCODE = '{state}'; END $$"),
        )

    with pytest.raises(TargetError) as caught:
        Postgres(world.settings).run(work)
    assert len(tries) == 1
    assert not caught.value.transient
    assert state in str(caught.value)
    assert ADVICE[state] in str(caught.value)
    assert "canary" not in str(caught.value)


def backend_of(world: World) -> int:
    found = postgres.of_process(world.settings).run(
        lambda connection: connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    )
    return int(found)


def limit(backend: int, size: int) -> None:
    """No file of the process can grow past ``size``. Only its own user may do that."""
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                owner = psutil.Process(backend)
                os.setgid(owner.gids().effective)
                os.setuid(owner.uids().effective)
            resource.prlimit(backend, resource.RLIMIT_FSIZE, (size, size))
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


def test_a_full_disk_undoes_the_step_and_is_told_at_once(world: World, versions: list[Version]) -> None:
    # A file of more than a segment of the log, at its limit and with full pages: only it can't grow any more.
    world.query(
        "INSERT INTO staging.contatos (lote, doc, tipo, valor)"
        " SELECT -1, n, 'email', repeat('x', 1980) FROM generate_series(1, 9000) n"
    )
    size = world.one("SELECT pg_relation_size('staging.contatos')")
    assert size > 17 << 20
    good = next(version for version in versions if not version.fault).document()
    world.put({**good, "contacts": {"phone": [f"{n} {300 * 'x'}" for n in range(5000)]}})
    backend = backend_of(world)
    limit(backend, size)
    tries: list[int] = []
    with pytest.raises(TargetError, match=r"\((XX000|53100)\)") as caught:
        pipeline.extract(world.settings, D1, tries.append)
    assert not caught.value.transient
    assert backend_of(world) == backend  # the server lives, and so does the session
    world.put(good)
    world.query("TRUNCATE staging.contatos")
    world.query("SELECT pg_terminate_backend(%s)", backend)
    assert_untouched(world)
    world.migrate(D1)
    assert_right(world, versions)


@pytest.mark.direct("its limits are the connection's options: a pooler takes none")
def test_limits_of_the_server_are_told_at_once(world: World) -> None:
    url = world.settings.postgres_url
    joined = f"{url}%20-ctemp_file_limit%3D0%20-cwork_mem%3D64kB"
    pool = Postgres(replace(world.settings, postgres_url=joined))

    def run(statement: str) -> str:
        with pytest.raises(TargetError) as caught:
            pool.run(lambda connection: connection.execute(text(statement)).all())
        assert not caught.value.transient
        return str(caught.value)

    assert "53400" in run("SELECT n FROM generate_series(1, 100000) n ORDER BY md5(n::text)")
    assert "57014" in run("SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(60)")


@pytest.mark.direct("its limits are the connection's options: a pooler takes none")
def test_a_transaction_may_take_as_long_as_it_takes_whatever_the_server_thinks_of_that(world: World) -> None:
    if world.one("SHOW server_version_num") < "170000":
        pytest.skip("PostgreSQL before 17 has no transaction_timeout")
    short = f"{world.settings.postgres_url}%20-ctransaction_timeout%3D50ms"
    tries: list[int] = []

    def work(connection: Connection) -> None:
        tries.append(1)
        connection.execute(text("SELECT pg_sleep(0.2)"))

    Postgres(replace(world.settings, postgres_url=short)).run(work)
    assert len(tries) == 1


def test_a_session_that_was_ended_while_the_source_was_slow_is_opened_again(
    world: World, versions: list[Version], monkeypatch: pytest.MonkeyPatch
) -> None:
    idle_ones = "FROM pg_stat_activity WHERE state LIKE 'idle in%' AND datname = current_database()"
    real, calls = mongo_source.split, []

    def slow(batch: bytes) -> Iterator[bytes]:
        calls.append(1)
        if len(calls) == 1:
            assert world.column(f"SELECT pg_terminate_backend(pid) {idle_ones}") == [True]
            wait_until(lambda: not world.column(f"SELECT 1 {idle_ones}"))
        return real(batch)

    monkeypatch.setattr(mongo_source, "split", slow)
    world.migrate(D1)
    assert len(calls) > 1
    assert_right(world, versions)


def wait_until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_server_without_a_free_connection_is_told_and_awaited(world: World) -> None:
    world.query("CREATE ROLE crowded LOGIN PASSWORD 'x' CONNECTION LIMIT 1")
    try:
        dsn = psycopg2.extensions.make_dsn(world.settings.postgres_url, user="crowded", password="x")
        other = psycopg2.connect(dsn)
        crowded = replace(world.settings, postgres_url=dsn)
        with pytest.raises(TargetError, match="no connection free") as caught:
            Postgres(replace(crowded, retry_seconds=0.3)).run(lambda _: None)
        assert caught.value.transient
        tries: list[int] = []

        def leave(*_: object, **__: object) -> None:
            tries.append(1)
            other.close()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("ccb_luigi.process.retry.log.warning", leave)
            assert Postgres(crowded).run(lambda c: c.execute(text("SELECT 1")).scalar()) == 1
        assert tries
    finally:
        world.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'crowded'")
        wait_until(lambda: world.query("DROP ROLE crowded") == [])


def test_a_dead_clients_backend_lets_its_locks_go(world: World) -> None:
    """Whatever the server's own setting: it would go on with its statement, for hours if need be."""
    name = world.one("SELECT current_database()")
    world.query(f"ALTER DATABASE {name} SET client_connection_check_interval = 0")
    reader, writer = os.pipe()

    def hold(connection: Connection) -> None:
        postgres.lock(connection, "orphan")
        os.write(writer, b"x")
        connection.execute(text("SELECT pg_sleep(300)"))

    process = multiprocessing.get_context("fork").Process(
        target=lambda: Postgres(world.settings).run(hold), daemon=True
    )
    process.start()
    assert os.read(reader, 1) == b"x"
    process.kill()
    process.join()
    patient = Postgres(replace(world.settings, lock_seconds=60, retry_seconds=0.1))
    patient.run(lambda connection: postgres.lock(connection, "orphan"))


@pytest.mark.parametrize(
    ("ours", "theirs"), [("client_connection_check_interval", "not_known_here"), ("'5s'", "'-5s'")]
)
def test_a_server_that_refuses_to_look_after_its_clients_is_used_all_the_same(
    world: World, ours: str, theirs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = connecting.WATCHED_CLIENTS.replace(ours, theirs)
    assert changed != connecting.WATCHED_CLIENTS
    monkeypatch.setattr(connecting, "WATCHED_CLIENTS", changed)
    for url in (
        world.settings.postgres_url,
        preferring(world.settings.postgres_url),
    ):  # ends with an error there
        target = Postgres(replace(world.settings, postgres_url=url))
        assert target.run(lambda c: c.execute(text("SHOW lock_timeout")).scalar()) == "1min"
        target.engine.dispose()


def test_a_database_that_stops_answering_is_given_up(
    world: World, versions: list[Version], postgres_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "EVERY", 0.2)
    monkeypatch.setattr(heartbeat, "MISSES", 1)
    monkeypatch.setattr(connecting, "SECONDS_TO_CONNECT", 2)
    monkeypatch.setitem(connecting.CONNECT, "connect_timeout", 2)
    main = psutil.Process(postgres_server.pid)
    quick = Postgres(replace(world.settings, retry_seconds=0.1))

    def work(connection: Connection) -> None:
        family = [main, *main.children()]
        late = threading.Timer(30, lambda: [each.resume() for each in family])
        late.start()  # who never gives up fails here, and doesn't hang
        try:
            with stopped(family):
                connection.execute(text("SELECT 1"))
        finally:
            late.cancel()

    with pytest.raises(TargetError) as caught:
        quick.run(work)
    assert caught.value.transient
    world.migrate(D1)
    assert_right(world, versions)


def test_the_question_whether_a_server_answers_has_a_limit_of_its_own(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pooler answers the login, whatever has become of the server behind it."""

    def holders(connection: Any, process: int) -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(20)")
        return []

    monkeypatch.setattr(connecting, "SECONDS_TO_CONNECT", 1.2)
    monkeypatch.setattr(waiting, "holders", holders)
    assert not Postgres(world.settings)._answers(0, [])


def test_a_statement_that_takes_long_is_left_in_peace(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    answers = Postgres._answers
    monkeypatch.setattr(heartbeat, "EVERY", 0.05)
    monkeypatch.setattr(heartbeat, "MISSES", 1)
    monkeypatch.setattr(Postgres, "_answers", lambda self, *of: asked.append(answers(self, *of)) or asked[-1])
    pool = Postgres(world.settings)
    assert pool.run(lambda c: c.execute(text("SELECT 7 FROM pg_sleep(0.6)")).scalar()) == 7
    assert asked
    assert all(asked)


def test_who_asks_a_dead_server_again_does_not_wait_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run asks for a hundred markers: an hour, if each took the whole minute."""
    tries: list[int] = []

    def refuse(*_: object, **__: object) -> None:
        tries.append(1)
        raise psycopg2.OperationalError("connection refused")

    monkeypatch.setattr(psycopg2, "connect", refuse)
    monkeypatch.setattr("backoff._sync.time.sleep", lambda _: None)
    pool = Postgres(Settings(postgres_url="postgresql://x@127.0.0.1/x", retry_seconds=0.2))
    counts = []
    for _ in range(2):
        tries.clear()
        with pytest.raises(CcbError):
            pool.run(lambda _: None)
        counts.append(len(tries))
    assert counts[0] > 3
    assert counts[1] <= 3


# --- somebody waits -----------------------------------------------------------------------------------


def test_a_person_is_told_soon_that_postgresql_is_away_but_what_has_answered_once_is_awaited(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings_module, "IMPATIENCE", 0.1)
    away = Settings(postgres_url="postgresql://127.0.0.1:1/x", impatient=True)
    with pytest.raises(TargetError, match="can't be reached") as told:
        Postgres(away).run(lambda _: None)
    assert told.value.hasty

    monkeypatch.setattr(settings_module, "IMPATIENCE", 0.0)
    pool = Postgres(replace(world.settings, impatient=True, retry_seconds=60))
    tries: list[int] = []

    def breaking(connection: Connection) -> str:
        tries.append(1)
        if len(tries) == 3:
            return "done"
        raise TargetError("the connection broke", transient=True)

    assert pool.run(breaking) == "done"


def test_a_person_is_told_soon_that_mongodb_is_away_but_what_has_answered_once_is_awaited(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings_module, "IMPATIENCE", 0.5)
    person = replace(world.settings, impatient=True, retry_seconds=60)
    away = replace(person, mongo_uri="mongodb://127.0.0.1:1/")
    for begin in (source.reach, source.opened, source.live):
        with pytest.raises(SourceError, match="can't be reached") as told:
            begin(away)
        assert told.value.hasty
        assert not told.value.transient
    source.reach(replace(away, source="/a/dump.bson"))

    night = replace(away, impatient=False, retry_seconds=0.3)
    monkeypatch.setattr(mongo_source, "SECONDS_TO_CONNECT", 0.1)
    with pytest.raises(SourceError, match="can't be reached") as told:
        source.await_server(night)
    assert not told.value.hasty

    asked: list[float | None] = []
    begin_source = mongo_source.MongoSource.__init__
    monkeypatch.setattr(
        mongo_source.MongoSource,
        "__init__",
        lambda self, settings, seconds=None: asked.append(seconds) or begin_source(self, settings, seconds),
    )
    for _ in range(2):
        with source.opened(person):
            pass
    assert asked == [0.5, None, None], "it is asked once whether it is there, with little patience"
