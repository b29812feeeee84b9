"""PgBouncer before the tests' PostgreSQL, and its other clients, who leave behind what they set."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import psycopg2
import pytest
from psycopg2 import sql

from ccb_luigi.database import connecting
from ccb_luigi.demo.cluster import ensure_home
from ccb_luigi.demo.daemon import Server
from ccb_luigi.demo.servers import Postgres

PROGRAM = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
MODES = ("session", "transaction")

RUDE = """
    SET search_path TO controle, pg_catalog;
    SET default_transaction_isolation TO 'serializable';
    SET default_transaction_read_only TO on;
    SET default_transaction_deferrable TO on;
    SET statement_timeout TO '2s';
    SET lock_timeout TO '1ms';
    SET idle_in_transaction_session_timeout TO '2s';
    SET row_security TO on;
    SET IntervalStyle TO 'sql_standard';
    SET DateStyle TO 'SQL, DMY';
    SET TimeZone TO 'Asia/Tokyo';
    SET bytea_output TO 'escape';
    SET extra_float_digits TO -15;
    SET array_nulls TO off;
    SET transform_null_equals TO on;
    SET quote_all_identifiers TO on;
    SET synchronous_commit TO off;
    CREATE TEMP TABLE clientes AS SELECT 'rude' AS client_id;
    CREATE TEMP TABLE operacoes AS SELECT 'rude' AS ccb_code;
    CREATE TEMP TABLE staging_contratos (x int);
    CREATE TEMP TABLE staging_clientes (x int);
    CREATE TEMP TABLE mudanca (x int);
    CREATE TEMP TABLE dono (x int);
    CREATE TEMP TABLE marcas (x int);
    CREATE TEMP TABLE conhecidos (x int);
    CREATE TEMP TABLE rejeitados (x int);
    CREATE TEMP TABLE vistos (x int);
    CREATE TEMP TABLE homonimos (x int);
    CREATE TEMP TABLE visto (x int);
    CREATE TEMP TABLE amostra (x int);
    SET ROLE rude_neighbour
"""
"""In a session of its own all of it would end with the session; a pooler by transactions keeps it."""

ROLE = "CREATE ROLE rude_neighbour"

LOGINS = "logins_of_the_pooler"
"""Who looks logins up for it. In sessions that it shares with others their SET ROLE would hide them all."""


class Pooler(Server):
    """PgBouncer on a directory, before ``postgres``; it takes any database and any role that are there."""

    stop_signal = signal.SIGINT

    def __init__(self, directory: Path, postgres: Postgres, mode: str, **options: str) -> None:
        self.name = f"pgbouncer-{mode}"  # type: ignore[misc]
        super().__init__(directory)
        self._postgres = postgres
        self._options = {"pool_mode": mode, **options}

    @property
    def data(self) -> Path:
        return self.directory / f"{self.name}.ini"

    def through(self, url: str) -> str:
        """The address by way of the pooler, if it is its PostgreSQL's; it takes no options."""
        port = urlsplit(self._postgres.url).port
        url = url.replace("?options=-csynchronous_commit%3Doff", "")
        return url.replace(f"@127.0.0.1:{port}/", f"@127.0.0.1:{self._port}/")

    def _spawn(self, log: int) -> psutil.Popen:
        behind = urlsplit(self._postgres.url)
        users = self.data.with_suffix(".users")
        users.write_text(f'"{behind.username}" "{behind.password}"\n"{LOGINS}" "{behind.password}"\n')
        with suppress(psycopg2.errors.DuplicateObject), psycopg2.connect(self._postgres.url) as admin:
            create = sql.SQL("CREATE ROLE {} LOGIN SUPERUSER PASSWORD {}")
            admin.cursor().execute(create.format(sql.Identifier(LOGINS), sql.Literal(behind.password)))
        options = {
            "listen_addr": "127.0.0.1",
            "listen_port": str(self._port),
            "unix_socket_dir": "",
            "auth_type": "scram-sha-256",
            "auth_file": str(users),
            "auth_user": LOGINS,
            "max_client_conn": "500",
            "default_pool_size": "40",
            "server_idle_timeout": "20",
            "server_login_retry": "0.2",
            "query_wait_timeout": "5",
            **self._options,
        }
        lines = [f"{name} = {value}" for name, value in options.items()]
        database = f"* = host=127.0.0.1 port={behind.port}"
        self.data.write_text("\n".join(["[databases]", database, "[pgbouncer]", *lines, ""]))
        owner = ensure_home(self.directory / "postgres")  # it refuses to be root, as PostgreSQL does
        for path in (self.data, users):
            path.chmod(0o644)
        return psutil.Popen(
            [PROGRAM, str(self.data)], **self.detached(log, self.directory) | owner.as_popen_arguments()
        )

    def _ping(self) -> str | None:
        try:
            psycopg2.connect(self.through(self._postgres.url), connect_timeout=5).close()
        except psycopg2.OperationalError as error:
            return str(error).strip()
        return None

    @contextmanager
    def rude_neighbours(self, url: str, sessions: int = 4) -> Iterator[None]:
        """Others have been in so many of the pool's sessions at ``url``, and left their mess there."""
        with suppress(psycopg2.errors.DuplicateObject), psycopg2.connect(self._postgres.url) as admin:
            admin.cursor().execute(ROLE)
        connections = [psycopg2.connect(self.through(url)) for _ in range(sessions)]
        for connection in connections:
            connection.cursor().execute(RUDE)
        for connection in connections:
            connection.commit()
        try:
            yield
        finally:
            for connection in connections:
                connection.close()


def catch(monkeypatch: pytest.MonkeyPatch, address: Callable[[str], str]) -> None:
    """From here on the program connects to what this makes of any address that it has."""
    made = connecting.Connector.__init__
    monkeypatch.setattr(connecting.Connector, "__init__", lambda this, dsn: made(this, address(dsn)))


def left_behind(url: str) -> dict[str, Any]:
    """What a guest of the pool at ``url`` finds in the session that it is given: nothing of ours."""
    connection = psycopg2.connect(url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("""
                SELECT json_build_object(
                    'settings', (SELECT coalesce(json_object_agg(name, setting), '{}') FROM pg_settings
                                 WHERE source = 'session' AND name !~ '^transaction_(iso|read|def)'),
                    'temporary', (SELECT coalesce(json_agg(relname), '[]') FROM pg_class
                                  WHERE relnamespace = pg_my_temp_schema() AND relkind = 'r'),
                    'functions', (SELECT count(*) FROM pg_proc WHERE pronamespace = pg_my_temp_schema()),
                    'prepared', (SELECT count(*) FROM pg_prepared_statements),
                    'cursors', (SELECT count(*) FROM pg_cursors WHERE is_holdable),
                    'listening', (SELECT count(*) FROM pg_listening_channels()),
                    'locks', (SELECT count(*) FROM pg_locks
                              WHERE pid = pg_backend_pid() AND locktype = 'advisory')
                )::text
            """)
            ((found,),) = cursor.fetchall()
            return dict(json.loads(found))
    finally:
        connection.close()
