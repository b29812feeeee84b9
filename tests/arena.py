"""Two servers for the torture, their tables and documents, and the processes that a round leaves."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import oracle
import psycopg2
import psycopg2.extras
import pymongo
from oracle import COLUMNS, EIGHT, State, Version

from ccb_luigi.demo.servers import Mongo, Postgres

STAGING = ("contratos", "qualidade", *EIGHT)
SECONDS_TO_GO = 60
"""Within these all that a killed command leaves must have ended by itself."""


class Failed(Exception):
    """What was promised did not hold."""


@contextlib.contextmanager
def transaction(url: str, *, snapshot: bool = False) -> Any:
    """A cursor over a connection of its own; what it did is committed at the end."""
    connection = psycopg2.connect(url, application_name="torture")
    try:
        if snapshot:
            connection.set_session("REPEATABLE READ", readonly=True)
        with connection, connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def read(url: str) -> dict[str, Any]:
    """All that ``oracle.differences`` compares, as of one instant."""
    with transaction(url, snapshot=True) as cursor:

        def rows(statement: str) -> list[tuple[Any, ...]]:
            cursor.execute(statement)
            return list(cursor.fetchall())

        found: dict[str, Any] = {
            name: rows(f"SELECT {columns} FROM {name}") for name, columns in COLUMNS.items()
        }
        found["quarentena"] = rows(
            "SELECT mongo_id, codigos, particao, documento, sha256 FROM controle.quarentena"
            " WHERE resolvido_em IS NULL"
        )
        found["markers"] = rows(
            "SELECT target_table, particao, linhas FROM table_updates WHERE particao IS NOT NULL"
        )
        found["proofs"] = rows("SELECT particao, lidos, ok FROM controle.reconciliacoes")
        counts = " UNION ALL ".join(f"SELECT '{name}', count(*) FROM staging.{name}" for name in STAGING)
        found["staging"] = dict(rows(counts))
        found["lots"] = [lot for (lot,) in rows("SELECT DISTINCT lote FROM staging.contratos")]
        return found


class Arena:
    """The servers. Connections are opened for each call: nothing may be open when a command is forked."""

    def __init__(self, directory: Path) -> None:
        # No fsync: processes are killed here, not the machine. And our sessions have to ask by themselves
        # whether their client still lives.
        self.postgres = Postgres(directory, {"fsync": "off", "client_connection_check_interval": "0"})
        self.mongo = Mongo(directory)

    def start(self) -> None:
        """Starts what doesn't run, and awaits what recovers."""
        self.postgres.start()
        self.mongo.start()

    def query(self, statement: str, values: Any = None) -> list[tuple[Any, ...]]:
        with transaction(self.postgres.url) as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def tables(self) -> dict[str, Any]:
        """Everything that is compared, as of one instant."""
        return read(self.postgres.url)

    def prepare(self, begun: Sequence[Version], state: State) -> None:
        """The source as ``state``, and the tables as if ``begun`` had been loaded before."""
        with pymongo.MongoClient[Any](self.mongo.uri) as client:
            client.torture.contratos.drop()
            client.torture.contratos.create_index("updatedAt")
            client.torture.contratos.insert_many([version.document() for version in state.values()])
        with transaction(self.postgres.url) as cursor:
            cursor.execute("SET lock_timeout = '30s'")
            cursor.execute(
                "SELECT schemaname || '.' || tablename FROM pg_tables"
                " WHERE schemaname IN ('controle', 'staging') AND tablename <> 'alembic_version'"
            )
            own = [name for (name,) in cursor.fetchall()]
            for name in (*own, *EIGHT[::-1], "table_updates"):
                cursor.execute(f"DELETE FROM {name}")
            for name, rows in oracle.expected(begun, {}).tables.items():
                columns = COLUMNS[name].replace("::text", "")
                psycopg2.extras.execute_values(
                    cursor, f"INSERT INTO {name} ({columns}) VALUES %s", [*rows.elements()], page_size=1000
                )

    def change(self, before: State, after: State) -> None:
        """Brings the source from one state to the other."""
        with pymongo.MongoClient[Any](self.mongo.uri) as client:
            for name in before.keys() | after.keys():
                if name not in after:
                    client.torture.contratos.delete_one({"_id": name})
                elif after[name] is not before.get(name):
                    client.torture.contratos.replace_one({"_id": name}, after[name].document(), upsert=True)

    def assert_acknowledged(self, state: State) -> None:
        """The source is the truth: after its own death it has to hold what it said it had."""
        with pymongo.MongoClient[Any](self.mongo.uri) as client:
            found = {(d["_id"], d["name"]) for d in client.torture.contratos.find({}, {"name": 1})}
        if found != {(v.mongo_id, v.document()["name"]) for v in state.values()}:
            raise Failed("the embedded MongoDB server lost acknowledged documents: nothing can be compared")

    def backends(self) -> list[int]:
        """PostgreSQL's processes that work for the command, those that do something first."""
        found = self.query(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'ccb_luigi'"
            " ORDER BY state = 'idle', pid"
        )
        return [pid for (pid,) in found]

    def await_end(self, sessions: Sequence[int]) -> list[str]:
        """Waits for all processes of the sessions, and their backends; says what has not ended by itself."""
        deadline = time.monotonic() + SECONDS_TO_GO
        while (left := _members(sessions)) or (backends := self.backends()):
            if time.monotonic() < deadline:
                time.sleep(0.02)
                continue
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if left:
                return [f"left behind: {len(left)} processes"]
            self.query("SELECT pg_terminate_backend(pid) FROM unnest(%s) pid", (backends,))
            return [f"left behind: {len(backends)} backends"]
        return []


def _members(sessions: Sequence[int]) -> list[int]:
    """The living processes of the sessions (the commands themselves have been waited for)."""
    found = []
    for name in (path.name for path in Path("/proc").iterdir()):
        if name.isdigit():
            with contextlib.suppress(OSError):
                if os.getsid(int(name)) in sessions and not _is_zombie(int(name)):
                    found.append(int(name))
    return found


def _is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
