"""The views and the function for those who use the data, with numbers worked out by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg2
import psycopg2.errors
import pytest

from ccb_luigi import dictionary
from ccb_luigi.codes import FINDINGS, REJECTIONS
from ccb_luigi.tables import metadata

PROJECT = Path(__file__).parents[2]
SAO_PAULO = ZoneInfo("America/Sao_Paulo")
Row = tuple[Any, ...]
Ask = Callable[..., list[Row]]


def reais(*amounts: str) -> list[Decimal]:
    return [Decimal(amount) for amount in amounts]


class Book:
    """Clients, contracts and rows, written by hand into the database of one test."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def ask(self, statement: str, *values: Any) -> list[Row]:
        with self.connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def client(self, name: str, document: str, structure: str | None = "F1", uf: str | None = "MG") -> None:
        kind = "PF" if len(document) == 11 else "PJ"
        self.ask(
            "INSERT INTO clientes (client_id, nome, tipo_pessoa, cpf_cnpj, estrutura, uf, mongo_id,"
            " atualizado_em) VALUES (%s, 'Fulano', %s, %s, %s, %s, %s, now())",
            *(name, kind, document, structure, uf, name),
        )

    def contract(self, code: str, client: str, gross: str, *rows: Row, gone: bool = False) -> None:
        """``rows``: (number, due, principal, interest, payment, balance)."""
        self.ask(
            "INSERT INTO operacoes (ccb_code, mongo_id, client_id, status, vencimento_primeira_parcela,"
            " valor_bruto, valor_liquido, numero_parcelas, atualizado_em, excluido_em)"
            " VALUES (%s, %s, %s, 'Assinada', '2026-01-01', %s, %s, %s, now(), %s)",
            *(code, f"m{code}", client, gross, gross, len(rows), datetime.now(SAO_PAULO) if gone else None),
        )
        for row in rows:
            self.ask(
                "INSERT INTO parcelas (ccb_code, numero_parcela, data_vencimento, valor_amortizacao,"
                " valor_juros, valor_prestacao, valor_saldo_atual) VALUES (%s, %s, %s, %s, %s, %s, %s)",
                *(code, *row),
            )


@pytest.fixture
def book(database_url: str) -> Iterator[Book]:
    with closing(psycopg2.connect(database_url)) as connection:
        yield Book(connection)


def today() -> date:
    return datetime.now(SAO_PAULO).date()


def of_today(observe: Callable[[date], Any]) -> Any:
    """What ``observe`` sees on one day: again if midnight in São Paulo comes in between."""
    while True:
        day = today()
        found = observe(day)
        if today() == day:
            return found


# --- the agenda ---------------------------------------------------------------------------------------


def test_the_agenda_holds_every_instalment_but_no_grace_period_and_no_contract_that_is_gone(
    book: Book,
) -> None:
    book.client("c1", "12345678909")
    book.contract(
        "A",
        "c1",
        "1000.00",
        (0, "2026-01-10", "0.00", "10.00", "0.00", "1010.00"),
        (1, "2026-02-10", "500.00", "10.10", "510.10", "510.00"),
        (2, "2026-03-10", "510.00", "5.10", "515.10", "0.00"),
    )
    book.contract("B", "c1", "50.00", (1, "2026-02-10", "50.00", "0.00", "50.00", "0.00"), gone=True)
    found = book.ask(
        "SELECT ccb_code, numero_parcela, client_id, estrutura, uf, status, data_vencimento, valor_prestacao,"
        " valor_amortizacao, valor_juros, saldo_contratual FROM vw_agenda_vencimentos ORDER BY 1, 2"
    )
    common = ("c1", "F1", "MG", "Assinada")
    assert found == [
        ("A", 1, *common, date(2026, 2, 10), *reais("510.10", "500.00", "10.10", "510.00")),
        ("A", 2, *common, date(2026, 3, 10), *reais("515.10", "510.00", "5.10", "0.00")),
    ]


# At any moment the two have different dates: neither may count.
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_today_is_sao_paulos_whatever_the_session_thinks(book: Book, zone: str) -> None:
    book.client("c1", "12345678909")

    def observe(day: date) -> Any:
        book.connection.rollback()
        book.client("c1", "12345678909")
        dues = [day - timedelta(days=1), day, day + timedelta(days=20)]
        rows = [(n, due, "10.00", "0.00", "10.00", f"{30 - 10 * n}.00") for n, due in enumerate(dues, 1)]
        book.contract("A", "c1", "30.00", *rows)
        book.ask(f"SET LOCAL TIME ZONE '{zone}'")
        days = book.ask("SELECT dias_ate_vencimento FROM vw_agenda_vencimentos ORDER BY 1")
        position = book.ask("SELECT saldo_contratual, proximo_vencimento - %s FROM vw_posicao_cliente", day)
        return days, position

    book.connection.rollback()
    # What is due today has been subtracted, as of a day's end, and is still the next due date.
    assert of_today(observe) == ([(-1,), (0,), (20,)], [(Decimal("10.00"), 0)])


# --- the monthly flow ---------------------------------------------------------------------------------


def test_the_monthly_flow_adds_up_to_the_cent_per_month_structure_and_uf(book: Book) -> None:
    book.client("c1", "12345678909", "F1", "MG")
    book.client("c2", "12345678909", "F1", "SP")
    book.client("c3", "12345678909", None, None)
    book.contract(
        "A",
        "c1",
        "1000.00",
        (0, "2026-01-31", "0.00", "10.00", "0.00", "1010.00"),
        (1, "2026-02-28", "0.10", "0.20", "0.30", "510.00"),
        (2, "2026-03-01", "9999999999999.98", "0.01", "9999999999999.99", "0.00"),
    )
    book.contract(
        "B",
        "c1",
        "1.00",
        (1, "2026-02-01", "0.20", "0.10", "0.30", "0.00"),
        (2, "2026-03-31", "0.01", "0.01", "0.02", "0.00"),
    )
    book.contract("C", "c2", "1.00", (1, "2026-02-01", "7.00", "0.33", "7.33", "0.00"))
    book.contract("D", "c3", "1.00", (1, "2026-02-01", None, None, None, None))
    book.contract("E", "c3", "1.00", (1, "2026-02-15", "1.00", "0.50", "1.50", "0.00"))
    book.contract("F", "c2", "1.00", (1, "2026-02-01", "5.00", "5.00", "10.00", "0.00"), gone=True)
    book.ask("UPDATE parcelas SET valor_correcao = 1.01, valor_seguro = 2.02, valor_taxa_bancaria = 3.03"
             " WHERE ccb_code = 'C'")  # fmt: skip
    february, march = date(2026, 2, 1), date(2026, 3, 1)
    assert book.ask("SELECT * FROM vw_fluxo_mensal ORDER BY 1, 2, 3") == [
        (february, "F1", "MG", 2, *reais("0.30", "0.30", "0.00", "0.60"), 0),
        (february, "F1", "SP", 1, *reais("7.00", "0.33", "6.06", "7.33"), 0),
        (february, None, None, 2, *reais("1.00", "0.50", "0.00", "1.50"), 1),
        (march, "F1", "MG", 2, *reais("9999999999999.99", "0.02", "0.00", "10000000000000.01"), 0),
    ]


# --- the balance of a day -----------------------------------------------------------------------------


@pytest.fixture
def balances(book: Book) -> Book:
    book.client("c1", "12345678909")
    book.client("c2", "12345678909")
    book.contract(
        "A",
        "c1",
        "1000.00",
        (0, "2026-01-10", "0.00", "10.00", "0.00", "1010.00"),
        (1, "2026-02-10", "500.00", "10.10", "510.10", "510.00"),
        (2, "2026-03-10", "510.00", "5.10", "515.10", "0.00"),
    )
    book.contract("B", "c2", "77.77")
    book.contract("C", "c2", "5.00", (1, "2026-02-10", "5.00", "0.00", "5.00", None))
    # Two rows on one day: the higher number is the later one.
    book.contract(
        "D",
        "c2",
        "9.00",
        (1, "2026-02-10", "3.00", "0.00", "3.00", "6.00"),
        (2, "2026-02-10", "2.00", "0.00", "2.00", "4.00"),
    )
    book.contract("X", "c2", "1.00", (1, "2026-02-10", "1.00", "0.00", "1.00", "0.00"), gone=True)
    return book


GRACE, FIRST, LAST = date(2026, 1, 10), date(2026, 2, 10), date(2026, 3, 10)


B, C, D = (None, "77.77"), (None, "5.00"), (None, "9.00")


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2026-01-09", {"A": (None, "1000.00"), "B": B, "C": C, "D": D}),
        ("2026-01-10", {"A": (GRACE, "1010.00"), "B": B, "C": C, "D": D}),
        ("2026-02-09", {"A": (GRACE, "1010.00"), "B": B, "C": C, "D": D}),
        ("2026-02-10", {"A": (FIRST, "510.00"), "B": B, "C": (FIRST, None), "D": (FIRST, "4.00")}),
        ("2099-12-31", {"A": (LAST, "0.00"), "B": B, "C": (FIRST, None), "D": (FIRST, "4.00")}),
    ],
)
def test_the_balance_of_a_day_is_that_after_the_last_row_due_by_it(
    balances: Book, day: str, expected: dict[str, tuple[date | None, str | None]]
) -> None:
    found = balances.ask(
        "SELECT ccb_code, client_id, data_vencimento, saldo FROM saldo_contratual(%s) ORDER BY 1", day
    )
    clients = {"A": "c1", "B": "c2", "C": "c2", "D": "c2"}
    assert found == [
        (code, clients[code], due, None if balance is None else Decimal(balance))
        for code, (due, balance) in expected.items()
    ]


def test_asking_for_one_clients_balances_reads_no_others(balances: Book) -> None:
    """The function is planned as a part of the query: as a black box it would go through every contract."""
    plan = "\n".join(
        line
        for (line,) in balances.ask(
            "EXPLAIN SELECT * FROM saldo_contratual('2026-02-10') WHERE client_id = 'c1'"
        )
    )
    assert "Function Scan" not in plan
    assert "client_id = 'c1'" in plan


# --- the position of a client -------------------------------------------------------------------------


def test_a_clients_position_sums_its_contracts(book: Book) -> None:
    def observe(day: date) -> Any:
        book.connection.rollback()
        past, soon, later = (day + timedelta(days=n) for n in (-10, 5, 20))
        book.client("c1", "12345678909", "F1", "MG")
        book.client("c2", "12ABC34501DE35", None, "SP")
        book.client("c3", "00000000191", "F1", None)
        book.client("c4", "00000000191")
        book.contract(
            "A",
            "c1",
            "1000.00",
            (1, past, "500.00", "10.00", "510.00", "500.01"),
            (2, later, "500.01", "5.00", "505.01", "0.00"),
        )
        book.contract("B", "c1", "300.33", (1, soon, "300.33", "0.00", "300.33", "0.00"))
        book.contract(
            "C", "c2", "1.00", (0, past, "0", "0.10", "0", "1.10"), (1, past, "1.10", "0", "1.10", "0")
        )
        book.contract("D", "c2", "9.00", (0, later, "0", "0", "0", "9.00"), gone=True)
        book.contract(
            "E", "c4", "5.00", (1, past, "2.00", "0", "2.00", None), (2, soon, "3.00", "0", "3.00", "0")
        )
        book.contract("F", "c4", "6.00")
        return soon, book.ask("SELECT * FROM vw_posicao_cliente ORDER BY 1")

    soon, found = of_today(observe)
    assert found == [
        ("c1", "PF", "***.456.789-**", "F1", "MG", 2, *reais("1300.33", "800.34"), soon),
        ("c2", "PJ", "**.ABC.345/****-**", None, "SP", 1, *reais("1.00", "0.00"), None),
        ("c3", "PF", "***.000.001-**", "F1", None, 0, *reais("0.00", "0.00"), None),
        # The balance of one contract is unknown, and so is the sum.
        ("c4", "PF", "***.000.001-**", "F1", "MG", 2, Decimal("11.00"), None, soon),
    ]


def test_the_positions_balance_is_the_functions_balance_of_today(balances: Book) -> None:
    def observe(day: date) -> Any:
        one = balances.ask("SELECT saldo_contratual FROM vw_posicao_cliente WHERE client_id = 'c1'")
        other = balances.ask("SELECT sum(saldo) FROM saldo_contratual(%s) WHERE client_id = 'c1'", day)
        return one, other

    one, other = of_today(observe)
    assert one == other


# --- findings in words --------------------------------------------------------------------------------


def test_findings_are_told_in_words_and_an_unknown_code_is_not_lost(book: Book) -> None:
    book.client("c1", "12345678909")
    book.contract("A", "c1", "1.00")
    book.contract("B", "c1", "1.00", gone=True)
    for code, name in (("A", "saldo_final"), ("A", "codigo_novo"), ("B", "saldo_final")):
        book.ask(
            "INSERT INTO controle.qualidade (ccb_code, mongo_id, codigo, campo, particao)"
            " VALUES (%s, %s, %s, 'operation', '2026-11-22')",
            *(code, f"m{code}", name),
        )
    found = book.ask("SELECT ccb_code, client_id, estrutura, mongo_id, codigo, significado, campo, particao"
                     " FROM vw_qualidade ORDER BY codigo DESC")  # fmt: skip
    place, where = ("A", "c1", "F1", "mA"), ("operation", date(2026, 11, 22))
    assert found == [
        (*place, "saldo_final", "O último saldo não é zero", *where),
        (*place, "codigo_novo", None, *where),
    ]


def test_the_codes_in_the_database_are_those_of_the_program(book: Book) -> None:
    found = {row[0]: row[1:] for row in book.ask("SELECT * FROM vw_codigos")}
    assert {code for code, (kind, *_) in found.items() if kind == "rejeicao"} == REJECTIONS.keys()
    assert {code for code, (kind, *_) in found.items() if kind == "alerta"} == FINDINGS.keys()
    assert {code: words for code, (_, *words) in found.items()} == {
        code: [said.significado, said.providencia] for code, said in (REJECTIONS | FINDINGS).items()
    }


# --- comments -----------------------------------------------------------------------------------------


def test_every_table_and_column_has_the_comment_that_the_code_gives_it(book: Book) -> None:
    found = book.ask("""
        SELECT CASE n.nspname WHEN 'public' THEN '' ELSE n.nspname || '.' END || c.relname, a.attname,
               obj_description(c.oid, 'pg_class'), col_description(c.oid, a.attnum)
        FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relkind = 'r' AND n.nspname IN ('public', 'controle', 'staging') AND a.attnum > 0
          AND NOT a.attisdropped AND c.relname <> 'alembic_version'
    """)
    ours = {
        (table.fullname, column.name): (table.comment, column.comment)
        for table in metadata.tables.values()
        for column in table.columns
    }
    assert [place for place, comments in ours.items() if not all(comments)] == []
    assert {(table, column): (about, meaning) for table, column, about, meaning in found} == ours


def test_every_view_and_its_columns_have_the_comment_that_the_code_gives_them(book: Book) -> None:
    found = book.ask("""
        SELECT c.relname, a.attname, obj_description(c.oid, 'pg_class'), col_description(c.oid, a.attnum)
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relkind = 'v' AND c.relnamespace = 'public'::regnamespace AND a.attnum > 0
        ORDER BY c.relname, a.attnum
    """)
    assert [(view, column, about, meaning) for view, column, about, meaning in found] == [
        (view, column, about, meaning)
        for view, (about, columns) in sorted(dictionary.VIEWS.items())
        for column, (meaning, _) in columns.items()
    ]
    functions = book.ask("""
        SELECT proname || '(' || pg_get_function_identity_arguments(oid) || ')',
               obj_description(oid, 'pg_proc')
        FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    """)
    assert dict(functions) == dictionary.FUNCTIONS


# --- who may read -------------------------------------------------------------------------------------


def test_the_reader_sees_the_views_and_no_personal_data(balances: Book) -> None:
    grants = (PROJECT / "ccb_luigi" / "grants.sql").read_text(encoding="utf-8")
    balances.ask("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    balances.ask(grants)
    balances.ask(grants)  # may be repeated
    balances.ask("SET LOCAL ROLE ccb_analyst")
    for view in dictionary.VIEWS:
        balances.ask(f"SELECT * FROM {view}")
    assert len(balances.ask("SELECT * FROM saldo_contratual('2026-02-10')")) == 4
    for hidden in (
        *("SELECT cpf_cnpj FROM clientes", "SELECT nome FROM clientes", "SELECT extras FROM operacoes"),
        *(f"SELECT 1 FROM {name}" for name in ("enderecos", "contatos", "identidades", "dados_bancarios")),
        *("SELECT documento FROM controle.quarentena", "SELECT 1 FROM staging.clientes"),
        "DELETE FROM parcelas",
    ):
        balances.ask("SAVEPOINT before")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            balances.ask(hidden)
        balances.ask("ROLLBACK TO before")
    balances.connection.rollback()  # the role as well
