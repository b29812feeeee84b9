"""How long a filled database keeps readers and writers waiting while its schema changes: `make bench-locks`.

A reader and a writer ask every 50 ms, each in a transaction of its own; the longest answer is what counts.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import psycopg2
from rich.console import Console
from rich.table import Table

from benchmarks import measure, shown
from benchmarks.compare import RESULTS, own_servers
from benchmarks.databases import execute
from ccb_luigi import __version__
from ccb_luigi.database import partitioning, postgres, schema
from ccb_luigi.settings import Settings

NAME = "bench_travas"
ROWS = 22
"""Parcelas of each contract."""

SECONDS_BETWEEN = 0.05
PARTS = 16

CLIENTS = """
    INSERT INTO clientes (client_id, nome, tipo_pessoa, cpf_cnpj, mongo_id, atualizado_em)
    SELECT 'c' || n, 'Cliente ' || n, 'PF', lpad(n::text, 11, '0'), 'm' || n, now()
    FROM generate_series(1, {n}) n
"""
CONTRACTS = """
    INSERT INTO operacoes (ccb_code, mongo_id, client_id, vencimento_primeira_parcela, valor_bruto,
                           valor_liquido, numero_parcelas, atualizado_em)
    SELECT md5(n::text), 'm' || n, 'c' || n, '2026-01-10', 2200, 2000, {rows}, now()
    FROM generate_series(1, {n}) n
"""
SCHEDULES = """
    INSERT INTO parcelas
    SELECT md5(n::text), k, date '2026-01-10' + 30 * k, 95.45, 0, 4.55, 0, 0, 100, 100 * ({rows} - k + 1), 0,
           100 * ({rows} - k)
    FROM generate_series(1, {n}) n, generate_series(1, {rows}) k
"""

READ = """
    SELECT count(*) FROM operacoes o JOIN clientes c USING (client_id) JOIN parcelas p USING (ccb_code)
    WHERE ccb_code = md5(%s::text)
"""
WRITE = """
    UPDATE operacoes SET status = 'lida' WHERE ccb_code = md5(%(n)s::text);
    UPDATE parcelas SET valor_seguro = 0 WHERE ccb_code = md5(%(n)s::text)
"""


def fill(url: str, contracts: int) -> None:
    """Contracts of ``ROWS`` parcelas each, into the tables of any revision."""
    unasked = "SET session_replication_role = replica"  # no foreign key is looked up: they do hold
    execute(url, f"{unasked}; {CLIENTS}; {CONTRACTS}; {SCHEDULES}".format(n=contracts, rows=ROWS))
    execute(url, "VACUUM ANALYZE")


@dataclass
class Asked:
    """What one of the two had to wait for."""

    seconds: list[float] = field(default_factory=list)

    @property
    def longest(self) -> float:
        """The slowest answer, in seconds."""
        return max(self.seconds, default=0.0)


@contextmanager
def asking(url: str, statement: str, of: Callable[[int], Any]) -> Iterator[Asked]:
    """Asks again and again until the block ends, and then awaits the last answer."""
    asked, ended = Asked(), threading.Event()

    def ask() -> None:
        connection = psycopg2.connect(url)
        number = 0
        while not ended.wait(SECONDS_BETWEEN):
            number += 1
            began = time.monotonic()
            with connection, connection.cursor() as cursor:
                cursor.execute(statement, of(number))
            asked.seconds.append(time.monotonic() - began)
        connection.close()

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield asked
    finally:
        ended.set()
        thread.join()


def changes(settings: Settings) -> dict[str, Callable[[], object]]:
    """What an operator does, in turn."""
    return {
        "db upgrade, with all views to make": lambda: schema.upgrade(settings),
        "db upgrade with an index to build and a check to validate": lambda: schema.upgrade(settings),
        f"db partition --parts {PARTS}": lambda: partitioning.partition(settings, PARTS, lambda _: None),
        "the same index and check, in parts": lambda: schema.upgrade(settings),
        "db partition --parts 1": lambda: partitioning.partition(settings, 1, lambda _: None),
    }


# As a migration to come would leave it.
LEFT = """
    DROP INDEX parcelas_data_vencimento_idx;
    ALTER TABLE parcelas DROP CONSTRAINT parcelas_finitos_check;
    ALTER TABLE parcelas ADD CONSTRAINT parcelas_finitos_check CHECK (valor_prestacao <> 'NaN') NOT VALID
"""


def measured(url: str, contracts: int, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Each change with its duration, and the longest that reader and writer waited."""
    settings = Settings(postgres_url=url)
    found = []
    for name, change in changes(settings).items():
        if "check" in name:
            execute(url, LEFT)
        execute(url, "CHECKPOINT")
        say(name)
        with (
            asking(url, READ, lambda n: (1 + n * 7919 % contracts,)) as reader,
            asking(url, WRITE, lambda n: {"n": 1 + n * 104729 % contracts}) as writer,
        ):
            time.sleep(1)
            began = time.monotonic()
            change()
            seconds = time.monotonic() - began
            time.sleep(1)
        found.append(
            {
                "change": name,
                "seconds": seconds,
                "reader_asked": len(reader.seconds),
                "reader_longest": reader.longest,
                "writer_asked": len(writer.seconds),
                "writer_longest": writer.longest,
            }
        )
    return found


def first_revision(url: str) -> None:
    """The tables in their first shape, without the views and functions that come after the last."""
    postgres.of_process(Settings(postgres_url=url)).run(lambda c: schema.migrate(c, schema.FIRST))


def sizes(url: str) -> dict[str, dict[str, int]]:
    """Bytes of each large table: rows with what belongs to them, and its indexes."""
    rows = execute(
        url,
        """SELECT relname, reltuples::bigint, pg_table_size(oid), pg_indexes_size(oid) FROM pg_class
           WHERE relname IN ('clientes', 'operacoes', 'parcelas') AND relkind = 'r'""",
    )
    return {name: {"rows": n, "table": table, "indexes": indexes} for name, n, table, indexes in rows}


@click.command()
@click.option("--parcelas", type=click.IntRange(ROWS), default=10_000_000, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS, help="Where the results go.")
def main(parcelas: int, out: Path) -> None:
    """Fills a database of the first revision, changes it, prints and writes who waited for how long."""
    screen = Console(highlight=False)
    contracts = -(-parcelas // ROWS)
    with own_servers() as (_, running), shown.status(screen) as status:
        say = shown.Say(status)
        execute(running.postgres.url, f"CREATE DATABASE {NAME}")
        url = running.postgres.url_of(NAME)
        first_revision(url)
        say(f"filling {contracts * ROWS:,} parcelas")
        fill(url, contracts)
        result = {
            "version": __version__,
            "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": measure.machine(),
            "contracts": contracts,
            "parcelas": contracts * ROWS,
            "sizes": sizes(url),
            "changes": measured(url, contracts, say),
        }
    screen.print(_table(result["changes"]))
    out.mkdir(parents=True, exist_ok=True)
    (out / "locks.json").write_text(json.dumps(result, indent=1) + "\n")


def _table(found: list[dict[str, Any]]) -> Table:
    table = Table("", "seconds", "reader waited\nat most, ms", "writer waited\nat most, ms")
    for each in found:
        table.add_row(
            each["change"],
            f"{each['seconds']:.2f}",
            f"{1000 * each['reader_longest']:,.0f}",
            f"{1000 * each['writer_longest']:,.0f}",
        )
    return table


if __name__ == "__main__":
    main()
