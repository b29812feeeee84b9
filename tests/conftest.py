"""Servers and databases for the tests, started when the first test asks for them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Generator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import places
import pooler
import psycopg2
import pytest
from clock import until_midnight
from hypothesis import HealthCheck, settings

from ccb_luigi.demo import cluster
from ccb_luigi.demo.servers import Mongo, Postgres, delete
from ccb_luigi.demo.store import has_mongo

TEMPLATE = "ccb_template"

# CI tries the same examples every time; at a developer's desk hypothesis looks for new ones.
# A machine that does other things as well may take its time: no example has a deadline.
PATIENT = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("desk", **PATIENT)
settings.register_profile("ci", derandomize=True, **PATIENT)
settings.load_profile("ci" if os.environ.get("CI") else "desk")

A_TEST = timedelta(minutes=2)
"""Longer than any test that asks what day it is takes."""


class MongoDatabase(NamedTuple):
    """The address of the server, and the name of a database that does not exist yet."""

    uri: str
    name: str


@pytest.fixture(scope="session")
def server_directory() -> Iterator[Path]:
    """Where the session's servers live."""
    directory = places.for_servers()
    yield directory
    delete(directory)


@pytest.fixture(scope="session")
def postgres_server(server_directory: Path) -> Iterator[Postgres]:
    # No fsync: tests kill processes, not the machine; and to drop a test's database takes seconds with it.
    with Postgres(server_directory, {"fsync": "off"}) as server:
        _ease_logins(server)
        yield server


@pytest.fixture(scope="session")
def mongo_server(server_directory: Path) -> Iterator[Mongo]:
    if not has_mongo():
        pytest.skip("SecantusDB has no wheel for this Python: `make secantus` builds it")
    with Mongo(server_directory, test_commands=True) as server:
        yield server


@pytest.fixture(scope="session")
def template_database(postgres_server: Postgres) -> str:
    _execute(postgres_server, f"CREATE DATABASE {TEMPLATE}")
    prepare_template(postgres_server.url_of(TEMPLATE))
    return TEMPLATE


@pytest.fixture
def database_url(postgres_server: Postgres, template_database: str) -> Iterator[str]:
    """A database of this test alone, with the tables and nothing in them."""
    name = f"test_{uuid4().hex}"
    # Without fsync copying the files is the quicker way: the other one writes every page to the log as well.
    _execute(postgres_server, f"CREATE DATABASE {name} TEMPLATE {template_database} STRATEGY FILE_COPY")
    yield postgres_server.url_of(name)
    postgres_server.start()  # the test may have killed it
    _execute(postgres_server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
def mongo(mongo_server: Mongo) -> Iterator[MongoDatabase]:
    """The server, and a database of this test alone."""
    yield MongoDatabase(mongo_server.uri, f"test_{uuid4().hex}")
    # It goes with the server's directory: to drop 20,000 documents takes the server half a minute.
    mongo_server.start()  # the test may have killed it


def _ease_logins(server: Postgres) -> None:
    """A password of one round, where PostgreSQL (16 on) can: 4,096 cost each connection two milliseconds."""
    connection = psycopg2.connect(server.url)
    with connection, connection.cursor() as cursor:
        if connection.server_version >= 160000:
            cursor.execute("SET scram_iterations = 1")
            cursor.execute(f"ALTER ROLE {cluster.USER} PASSWORD %s", [connection.info.password])
    connection.close()


def prepare_template(url: str) -> None:
    """Makes the tables in an empty database."""
    from ccb_luigi.database import postgres, schema
    from ccb_luigi.settings import Settings

    settings = Settings(postgres_url=url)
    schema.upgrade(settings)
    postgres.of_process(settings).engine.dispose()  # a template must have no connections


def _execute(server: Postgres, statement: str) -> None:
    connection = psycopg2.connect(server.url)
    connection.autocommit = True  # CREATE DATABASE refuses to be in a transaction
    with connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """A test that runs the program may ask for the date twice: it begins on the day on which it ends."""
    left = until_midnight(datetime.now(UTC))
    if left < A_TEST and "unit" not in item.path.parts:
        time.sleep(left.total_seconds() + 1)
    return (yield)


def pytest_configure(config: pytest.Config) -> None:
    """A shell's background job ignores Ctrl-C, one under nohup SIGHUP: so would whatever a test strikes."""
    if config.getoption("--door-shut"):
        from ccb_luigi.documents import fast

        fast.reader = lambda schema, compiler: lambda documents: [None] * len(documents)
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--through",
        choices=[*(f"pgbouncer-{mode}" for mode in pooler.MODES), "preferences"],
        help="tests/db: the program goes through a PgBouncer, which other clients have used before;"
        " or each of its sessions begins with settings that would change what it does",
    )
    parser.addoption("--door-shut", action="store_true", help="no document is read by the fast road")
    parser.addoption("--no-skips", action="store_true", help="a skipped test fails the session (CI)")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """With ``--no-skips`` green means that everything ran."""
    if not session.config.getoption("--no-skips"):
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if skipped and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not terminalreporter.config.getoption("--no-skips"):
        return
    for report in terminalreporter.stats.get("skipped", []):
        terminalreporter.write_line(f"--no-skips: {report.nodeid} was skipped", red=True)
