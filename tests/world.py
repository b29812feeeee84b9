"""A source and a target that a test changes and looks at, and documents whose values tell their version.

Nothing here calls the package but ``World.migrate`` and ``World.forget``: what is in the tables is asked
of PostgreSQL itself, and documents are made by hand.
"""

from __future__ import annotations

import multiprocessing
import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import bson
import psycopg2
import pymongo

from ccb_luigi.database import postgres
from ccb_luigi.load import markers, pipeline
from ccb_luigi.settings import Settings
from ccb_luigi.tables import BY_NAME, LOADED

EIGHT = (
    "clientes",
    "identidades",
    "enderecos",
    "contatos",
    "dados_bancarios",
    "operacoes",
    "parcelas",
    "detalhamento_cet",
)
STEPS = ("contratos", *EIGHT, "reconciliacoes")
DAYS = [date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 4), date(2026, 3, 5)]
D1, D2, D3, D4 = DAYS

# When a row was written, and how often somebody tried, isn't what the tables say.
_CLOCKS = {
    "controle.qualidade": ("observado_em",),
    "controle.quarentena": ("id", "primeira_vez", "ultima_vez", "tentativas", "resolvido_em"),
}
Document = dict[str, Any]


# Every date comes directly after every other one once: a square of Williams.
ORDERS = [[D1, D2, D4, D3], [D2, D3, D1, D4], [D3, D4, D2, D1], [D4, D1, D3, D2]]


def at(day: date, hour: int = 12, minute: int = 0) -> datetime:
    """A moment of ``day`` in São Paulo (UTC-3) and in UTC alike."""
    assert 3 <= hour <= 23
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)


def document(
    mongo_id: str, code: str, moment: datetime, *, client: str = "c1", rows: int = 3, **changes: Any
) -> Document:
    """A contract without interest, 100.00 a month. The borrower's data name the document and its time."""
    tag = f"{mongo_id} {moment:%d-%H-%M}"
    return {
        "_id": mongo_id,
        "clientId": client,
        "name": f"Nome {tag}",
        "taxId": "39825979194",
        "type": "PF",
        "identity": {"number": f"RG {tag}", "issuer": "SSP", "issuerState": "MG"},
        "address": {"zipCode": "39999000", "state": "MG", "city": f"Cidade {tag}"},
        "state": "MG",
        "contacts": {"email": f"{tag}@example.com", "phone": [f"1 {tag}", f"2 {tag}"]},
        "bankData": {"bankNumber": "756", "branchNumber": 4103, "accountNumber": f"Conta {tag}"},
        "operation": operation(rows),
        "status": f"Status {tag}",
        "ccbCode": code,
        "createdAt": "2026-01-05T12:00:00+00:00",
        "updatedAt": moment,
        **changes,
    }


def operation(rows: int, **changes: Any) -> Document:
    """The loan block: ``rows`` payments of 100.00; of no rows, one of 100.00 without a schedule."""
    total = f"{100 * max(rows, 1)}.00"
    return {
        "VencimentoPrimeiraParcela": "2026-04-10",
        "FinanIOF": False,
        "ValorBruto": total,
        "ValorLiquido": total,
        "CET_ANUAL": "12.50",
        "NumeroDeParcelas": rows,
        "parcelas": {
            "PrevisaoDeParcela": [
                {
                    "NumeroDaParcela": str(number),
                    "DataDeVencimento": f"2026-{3 + number:02}-10"
                    if number < 10
                    else f"2027-{number - 9:02}-10",
                    "ValorDaAmortizacao": "100.00",
                    "ValorDoJuros": "0",
                    "ValorDaPrestacao": "100.00",
                    "ValorDoSaldoAnterior": f"{100 * (rows - number + 1)}.00",
                    "ValorDoSaldoAtual": f"{100 * (rows - number)}.00",
                }
                for number in range(1, rows + 1)
            ]
        },
        "detalhamentoDaCET": {"PorcentagemDeJuros": f"{rows}.25"},
        **changes,
    }


def of_dump(path: Path, last: date) -> dict[str, str]:
    """Settings whose source is a dump that was made after the last date was over."""
    return {"source": str(path), "source_covers_until": f"{last + timedelta(days=1)}T00:00"}


def unfounded(code_of: Document) -> Document:
    """The document with a stated number of parcelas that is wrong: loaded, with one finding."""
    return {**code_of, "operation": {**code_of["operation"], "NumeroDeParcelas": 99}}


def rejected(good: Document) -> Document:
    """The document without ``taxId``: one for the quarantine."""
    return {name: value for name, value in good.items() if name != "taxId"}


@dataclass(frozen=True)
class World:
    """One MongoDB collection and one PostgreSQL database with the tables."""

    settings: Settings

    @contextmanager
    def collection(self) -> Iterator[Any]:
        """The source. Closed before anything forks."""
        with pymongo.MongoClient[Any](self.settings.mongo_uri, tz_aware=True) as client:
            yield client[self.settings.mongo_database][self.settings.mongo_collection]

    def put(self, *documents: Document) -> None:
        """Writes each document, in place of one with its ``_id``."""
        with self.collection() as collection:
            collection.bulk_write(
                [pymongo.ReplaceOne({"_id": each["_id"]}, each, upsert=True) for each in documents]
            )

    def empty_source(self) -> None:
        with self.collection() as collection:
            collection.delete_many({})

    def raw(self, mongo_id: str) -> bytes:
        """The bytes that the source holds."""
        options = bson.CodecOptions(document_class=bson.raw_bson.RawBSONDocument)
        with self.collection() as collection:
            found = collection.with_options(options).find_one({"_id": mongo_id})
        assert found is not None
        return bytes(found.raw)

    def migrate(self, *days: date) -> None:
        """The steps of each date that aren't marked, as the tasks do them."""
        for day in days:
            pipeline.extract(self.settings, day)
            for table in LOADED:
                pipeline.load_table(self.settings, table, day)
            pipeline.reconcile_day(self.settings, day)

    def load(self, day: date, *names: str) -> None:
        """The loads of a date that has been extracted: all, or the named ones."""
        for name in names or EIGHT:
            pipeline.load_table(self.settings, BY_NAME[name], day)

    def forget(self, day: date, table: str | None = None) -> None:
        postgres.of_process(self.settings).run(lambda connection: markers.forget(connection, day, table))

    def again(self, *days: date) -> None:
        """Each date anew, whatever is marked."""
        for day in days:
            self.forget(day)
            self.migrate(day)

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of a statement (committed), over a connection of its own."""
        connection = psycopg2.connect(self.settings.postgres_url)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement, values or None)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def one(self, statement: str, *values: Any) -> Any:
        """The only value of the only row."""
        ((value,),) = self.query(statement, *values)
        return value

    def column(self, statement: str, *values: Any) -> list[Any]:
        return [value for (value,) in self.query(statement, *values)]

    def tables(self) -> dict[str, list[str]]:
        """Every column of every row, but when it was written: what two ways must agree on."""
        asked = dict.fromkeys(EIGHT, ("to_jsonb(t) - 'carregado_em'", ""))
        for name, clocks in _CLOCKS.items():
            gone = " - ".join(["to_jsonb(t)", *(f"'{clock}'" for clock in clocks)])
            asked[name] = (gone, "WHERE resolvido_em IS NULL" if name == "controle.quarentena" else "")
        found: dict[str, list[str]] = {name: [] for name in asked}
        selects = [
            f"SELECT '{name}', ({row})::text FROM {name} t {which}" for name, (row, which) in asked.items()
        ]
        for name, row in self.query(f"{' UNION ALL '.join(selects)} ORDER BY 1, 2"):
            found[name].append(row)
        return found

    def row_versions(self) -> dict[str, list[tuple[str, str, str]]]:
        """Place, writing transaction and content of every row."""
        names = (*EIGHT, "controle.qualidade")
        found: dict[str, list[tuple[str, str, str]]] = {name: [] for name in names}
        selects = [f"SELECT '{name}', ctid::text, xmin::text, t::text FROM {name} t" for name in names]
        for name, *version in self.query(f"{' UNION ALL '.join(selects)} ORDER BY 1, 2"):
            found[name].append((version[0], version[1], version[2]))
        return found

    def markers(self, day: date) -> dict[str, datetime]:
        """Step → when it was marked."""
        rows = self.query("SELECT update_id, inserted FROM table_updates WHERE update_id LIKE %s", f"%:{day}")
        return {name.split(":")[0]: inserted for name, inserted in rows}

    def numbers(self, code: str) -> list[int]:
        """The parcelas of a contract."""
        return self.column(
            "SELECT numero_parcela FROM parcelas WHERE ccb_code = %s ORDER BY numero_parcela", code
        )

    def contracts(self) -> dict[str, str]:
        """``ccb_code`` → ``mongo_id``."""
        return dict(self.query("SELECT ccb_code, mongo_id FROM operacoes"))

    def quarantined(self) -> dict[str, list[str]]:
        """``mongo_id`` → codes of the open rows."""
        return dict(
            self.query("SELECT mongo_id, codigos FROM controle.quarentena WHERE resolvido_em IS NULL")
        )

    def clear(self) -> None:
        """Empties every table."""
        self.query(
            f"TRUNCATE {', '.join(EIGHT)}, table_updates, controle.quarentena, controle.qualidade,"
            " controle.reconciliacoes"
        )


def at_once(*works: Callable[[], object]) -> list[str]:
    """Does each work in a process of its own, all starting together; returns the tracebacks of errors."""
    fork = multiprocessing.get_context("fork")
    barrier = fork.Barrier(len(works))
    failures = fork.SimpleQueue()

    def child(work: Callable[[], object]) -> None:
        try:
            barrier.wait(timeout=60)
            work()
        except BaseException:  # noqa: BLE001 - whatever it is, the parent has to hear of it
            failures.put(traceback.format_exc())
            os._exit(1)
        os._exit(0)  # neither pytest's nor the servers' own ends are this process' business

    processes = [fork.Process(target=child, args=(work,), daemon=True) for work in works]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=120)
        if process.is_alive():
            process.kill()
            failures.put("a process did not end within two minutes")
    found = []
    while not failures.empty():
        found.append(failures.get())
    return found or [f"exit status {p.exitcode}" for p in processes if p.exitcode]
