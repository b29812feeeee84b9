"""Fresh databases to load into, and what is in them afterwards."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import Any, NamedTuple

import psycopg2

from ccb_luigi import tables
from ccb_luigi.database import postgres, schema
from ccb_luigi.demo.servers import Postgres
from ccb_luigi.settings import Settings

PREFIX = "bench_"
TEMPLATE = f"{PREFIX}modelo"


class WrongContents(Exception):
    """A way was measured that didn't leave in the tables what it must: its time counts for nothing."""


class Contents(NamedTuple):
    """Of one table: its rows, and an MD5 over all of them in the primary key's order."""

    rows: int
    md5: str


@dataclass(frozen=True)
class Databases:
    """The server's databases, all made from one with the tables and nothing in them."""

    server: Postgres

    def prepare(self) -> None:
        """Makes the template."""
        self.drop(TEMPLATE)
        execute(self.server.url, f"CREATE DATABASE {TEMPLATE}")
        settings = Settings(postgres_url=self.server.url_of(TEMPLATE))
        schema.upgrade(settings)
        postgres.of_process(settings).engine.dispose()  # a template must have no connections

    def fresh(self, name: str) -> str:
        """A new database's address; what its making left to be written is written."""
        self.drop(name)
        execute(self.server.url, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        return self.server.url_of(name)

    def drop(self, name: str) -> None:
        """Gone, if it was there."""
        execute(self.server.url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def settle(self) -> None:
        """Nobody's clock is to hold what earlier work left to autovacuum and to the checkpointer."""
        found = execute(self.server.url, f"SELECT datname FROM pg_database WHERE datname LIKE '{PREFIX}%'")
        for (name,) in found:
            if name != TEMPLATE:  # nobody may be in it while others are made from it
                execute(self.server.url_of(name), "VACUUM (ANALYZE)")
        execute(self.server.url, "CHECKPOINT")

    def about(self) -> dict[str, str]:
        """Version, and the settings on which durability rests."""
        names = ("server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers")
        return {name: execute(self.server.url, f"SHOW {name}")[0][0] for name in names}


def execute(url: str, statement: str) -> list[tuple[Any, ...]]:
    """One statement over a connection of its own, outside any transaction."""
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True  # CREATE DATABASE refuses to be in a transaction
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []


def contents(url: str) -> dict[str, Contents]:
    """What the eight tables hold, whenever it was loaded."""
    return {table.name: Contents(*execute(url, _digest(table))[0]) for table in tables.LOADED}


def _digest(table: Any) -> str:
    names = ", ".join(column.name for column in table.columns if column.name != "carregado_em")
    key = ", ".join(column.name for column in table.primary_key)
    return f"""
        SELECT count(*), md5(coalesce(string_agg(md5(ROW({names})::text), '' ORDER BY {key}), ''))
        FROM {table.fullname}
    """


def check(way: str, found: dict[str, Contents], expected: dict[str, Contents]) -> None:
    """Byte for byte, whatever each way did to get there.

    Raises:
        WrongContents: a table differs; the text names it.
    """
    for name, right in expected.items():
        if found[name].rows != right.rows:
            raise WrongContents(f"{way}: {name} holds {found[name].rows:,} rows, not {right.rows:,}")
        if found[name] != right:
            raise WrongContents(f"{way}: {name} holds {right.rows:,} rows, as it must, but not the same")
