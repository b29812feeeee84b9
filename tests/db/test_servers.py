"""The embedded servers keep what they acknowledged, start again, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import psycopg2
import pymongo
import pytest

from ccb_luigi.demo.daemon import DemoError, Server
from ccb_luigi.demo.servers import POSTGRES_SETTINGS, Mongo, Postgres, delete, servers

DEMO = """
import sys, time
from pathlib import Path
from ccb_luigi.demo.servers import servers
with servers(Path(sys.argv[1])):
    print("ready", flush=True)
    time.sleep(100)
"""


@pytest.fixture
def directory() -> Iterator[Path]:
    found = Path(tempfile.mkdtemp(prefix="ccb-luigi-"))  # 0700: as root, a hard place for PostgreSQL
    yield found
    delete(found)


def query(url: str, statement: str) -> Any:
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute(statement)
        rows = cursor.fetchall() if cursor.description else None
    connection.close()
    return rows


def count(server: Mongo) -> int:
    with pymongo.MongoClient[Any](server.uri) as client:
        return client.test.numbers.count_documents({})


def fill(server: Mongo) -> None:
    with pymongo.MongoClient[Any](server.uri) as client:
        client.test.numbers.insert_many([{"_id": number} for number in range(1000)])


@pytest.mark.parametrize("end", [Server.stop, Server.kill])
def test_postgres_keeps_committed_rows_over_a_stop_and_a_kill(directory: Path, end: Any) -> None:
    server = Postgres(directory).start()
    url = server.url
    query(url, "CREATE TABLE numbers AS SELECT generate_series(1, 1000) AS number")
    end(server)
    with server.start():
        assert server.url == url
        assert query(url, "SELECT count(*) FROM numbers") == [(1000,)]


@pytest.mark.parametrize("end", [Server.stop, Server.kill])
def test_mongo_keeps_acknowledged_documents_over_a_stop_and_a_kill(directory: Path, end: Any) -> None:
    server = Mongo(directory).start()
    uri = server.uri
    fill(server)
    end(server)
    with server.start():
        assert server.uri == uri
        assert count(server) == 1000


def test_postgres_recovers_although_a_backend_was_at_work_when_it_was_killed(
    directory: Path,
) -> None:
    with Postgres(directory) as server:
        client = psycopg2.connect(server.url)
        with client.cursor() as cursor:
            cursor.execute("CREATE TABLE numbers AS SELECT generate_series(1, 100000) AS number")
            server.kill()
        server.start()
        assert query(server.url, "SELECT to_regclass('numbers')") == [(None,)]


def test_a_second_start_attaches_to_the_running_servers_and_does_not_stop_them(
    directory: Path,
) -> None:
    with servers(directory) as first:
        with servers(directory) as second:
            assert (second.postgres.pid, second.mongo.pid) == (first.postgres.pid, first.mongo.pid)
            assert second.postgres.url == first.postgres.url
            fill(second.mongo)
        first.postgres.start()  # a third, by the owner, who remains it
        assert count(first.mongo) == 1000
        assert query(first.postgres.url, "SELECT 1") == [(1,)]
    assert [server.running for server in first] == [False, False]


def test_servers_stop_when_their_block_ends_in_an_exception(directory: Path) -> None:
    found: list[Server] = []

    def work() -> None:
        with servers(directory) as running:
            found.extend(running)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert [server.running for server in found] == [False, False]
    assert "database system is shut down" in (directory / "postgres.log").read_text()


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (signal.SIGINT, -signal.SIGINT),
        (signal.SIGTERM, 128 + signal.SIGTERM),
        pytest.param(
            signal.SIGKILL,
            -signal.SIGKILL,
            marks=pytest.mark.skipif(sys.platform != "linux", reason="only Linux can tell"),
        ),
    ],
)
def test_no_server_outlives_the_command_that_started_it(
    directory: Path, number: signal.Signals, status: int
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", DEMO, directory], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as demo:
        assert demo.stdout
        assert demo.stdout.readline() == b"ready\n"
        found = [Postgres(directory), Mongo(directory)]
        assert all(server.running for server in found)
        demo.send_signal(number)
    assert demo.returncode == status
    deadline = time.monotonic() + 60
    while any(server.running for server in found):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    log = (directory / "postgres.log").read_text()
    assert log.rstrip().endswith("database system is shut down")
    Postgres(directory).start().stop()


def test_postgres_demands_the_password_that_only_its_owner_can_read(
    postgres_server: Postgres,
) -> None:
    parts = urlsplit(postgres_server.url)
    assert parts.password
    for secret in ("", ":wrong"):
        stranger = postgres_server.url.replace(f":{parts.password}@", f"{secret}@")
        with pytest.raises(psycopg2.OperationalError, match="password"):
            psycopg2.connect(stranger, passfile=os.devnull)
    secret_file = postgres_server.data.with_name("password")
    assert stat.S_IMODE(secret_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(postgres_server.data.stat().st_mode) == 0o700
    assert parts.password not in " ".join(psutil.Process(postgres_server.pid).cmdline())


def test_postgres_listens_on_loopback_only_and_is_not_root(postgres_server: Postgres) -> None:
    sockets = psutil.Process(postgres_server.pid).net_connections("all")
    assert {found.laddr.ip for found in sockets if found.laddr} == {"127.0.0.1"}
    assert psutil.Process(postgres_server.pid).uids().effective != 0


def test_postgres_acknowledges_nothing_before_it_is_on_disk(postgres_server: Postgres) -> None:
    names = ("synchronous_commit", "full_page_writes", "data_checksums")
    assert [query(postgres_server.url, f"SHOW {name}")[0][0] for name in names] == ["on"] * 3
    # The tests' own server is told otherwise, in a hurry; without a word PostgreSQL has it on.
    ((without,),) = query(postgres_server.url, "SELECT boot_val FROM pg_settings WHERE name = 'fsync'")
    assert without == "on"
    assert "fsync" not in POSTGRES_SETTINGS


def test_errors_leave_no_values_in_the_log_of_postgres(postgres_server: Postgres) -> None:
    with pytest.raises(psycopg2.errors.InvalidTextRepresentation, match="canary-7316"):
        query(postgres_server.url, "SELECT 'canary-7316'::int")
    assert "canary-7316" not in postgres_server.log.read_text()


def test_a_server_that_can_not_start_is_reported_with_the_end_of_its_log(directory: Path) -> None:
    with pytest.raises(DemoError, match=r"postgres ended while it started(.|\n)*no_such_setting"):
        Postgres(directory, {"no_such_setting": "1"}).start()
    Postgres(directory).start().stop()


def test_each_test_gets_databases_of_its_own(database_url: str, mongo: tuple[str, str]) -> None:
    uri, name = mongo
    with pymongo.MongoClient[Any](uri) as client:
        assert name not in client.list_database_names()
    assert query(database_url, "SELECT current_database() LIKE 'test%'") == [(True,)]
