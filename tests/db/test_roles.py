"""Who may do what: each role as it logs in, what is refused to it, and what an analyst gets to see."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg2
import psycopg2.errors
import pytest
from contracts import contract
from psycopg2 import sql
from world import D1, EIGHT, World, at, document, rejected, unfounded

from ccb_luigi.database import postgres, schema
from ccb_luigi.demo.servers import POSTGRES_SETTINGS
from ccb_luigi.settings import Settings
from ccb_luigi.tables import BY_NAME

LOADER, ANALYST, READER = ROLES = ("ccb_loader", "ccb_analyst", "ccb_restricted_reader")
Login = Callable[[str], Any]

STAGING = ("staging.contratos", "staging.parcelas", "staging.qualidade")
CONTROLS = (
    *("controle.quarentena", "controle.qualidade", "controle.reconciliacoes"),
    *("controle.execucoes", "controle.esquecimentos"),
)
VIEWS = (*EIGHT, "qualidade", "reconciliacoes")

EVERYBODY = [
    *(f"CREATE TABLE {where}.mine (x int)" for where in ("public", "controle", "staging", "analise")),
    *(f"CREATE VIEW {where}.mine AS SELECT 1" for where in ("public", "analise")),
    *(f"DROP TABLE {table} CASCADE" for table in (*EIGHT, "table_updates", *CONTROLS, *STAGING)),
    *(f"TRUNCATE {table} CASCADE" for table in ("clientes", "operacoes", *CONTROLS)),
    *(f"ALTER TABLE {table} ADD COLUMN x int" for table in (*EIGHT, *CONTROLS)),
    *(f"DROP VIEW analise.{view}" for view in VIEWS),
    "ALTER VIEW analise.clientes SET (security_barrier = false)",
    "CREATE OR REPLACE VIEW analise.clientes AS SELECT * FROM clientes",
    "INSERT INTO analise.operacoes (ccb_code) VALUES ('x')",
    "DELETE FROM analise.operacoes",
    "CREATE FUNCTION public.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE SCHEMA mine",
    "CREATE ROLE mine",
    "CREATE DATABASE mine",
    f"ALTER ROLE {LOADER} SUPERUSER",
    f"GRANT {LOADER} TO {ANALYST}",
    f"GRANT {READER} TO {ANALYST}",
    "SET ROLE postgres",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT rolpassword FROM pg_authid",
    "COPY (SELECT 1) TO PROGRAM 'cat'",
    "UPDATE controle.alembic_version SET version_num = '9999'",
    # The audit of erasures is written once; who and when isn't for the writer to say.
    "UPDATE controle.esquecimentos SET chave = 'x'",
    "DELETE FROM controle.esquecimentos",
    "INSERT INTO controle.esquecimentos (chave, documentos, verificador, contagens, por)"
    " VALUES ('x', '{}', 'x', '{}', 'somebody else')",
    "INSERT INTO controle.esquecimentos (chave, documentos, verificador, contagens, esquecido_em)"
    " VALUES ('x', '{}', 'x', '{}', '2001-01-01')",
]
READERS = [
    *(f"DELETE FROM {table}" for table in (*EIGHT, "table_updates", *CONTROLS)),
    "UPDATE clientes SET nome = 'x'",
    "INSERT INTO contatos (client_id, tipo, valor) VALUES ('c1', 'email', 'x')",
    "INSERT INTO table_updates (update_id) VALUES ('x')",
    "SELECT staging.analisar()",
    "SELECT staging.limpar(0)",
    *(f"SELECT count(*) FROM {table}" for table in STAGING),
    "SELECT * FROM clientes FOR UPDATE",
]
FORBIDDEN = {
    LOADER: [*EVERYBODY, *(f"SELECT * FROM analise.{view}" for view in VIEWS)],
    ANALYST: [
        *EVERYBODY,
        *READERS,
        *(f"SELECT * FROM {table}" for table in (*EIGHT, "table_updates", *CONTROLS)),
        *(f"SELECT count(*) FROM {table}" for table in EIGHT if table not in ("operacoes", "parcelas")),
        "SELECT mongo_id FROM operacoes",
        "SELECT valor_juros FROM parcelas",
        *(f"SELECT {column} FROM clientes" for column in ("nome", "cpf_cnpj", "nome_mae", "data_nascimento")),
        "SELECT client_id FROM clientes",
        "SELECT valor FROM contatos",
        "SELECT conta FROM dados_bancarios",
        "SELECT extras FROM operacoes",
        "COPY clientes TO STDOUT",
        "SELECT documento FROM controle.quarentena",
        "SELECT erros FROM controle.quarentena",
        "CREATE TEMP VIEW mine AS SELECT nome FROM clientes; SELECT * FROM mine",
    ],
    READER: [
        *EVERYBODY,
        *READERS,
        "SELECT documento FROM controle.quarentena",
        "SELECT * FROM controle.quarentena",
        "SELECT q FROM controle.quarentena q",
        "SELECT to_jsonb(q) FROM controle.quarentena q",
        "COPY controle.quarentena TO STDOUT",
        "SELECT mongo_id FROM controle.quarentena WHERE documento IS NOT NULL",
    ],
}
ALLOWED = {
    LOADER: [
        *(f"SELECT * FROM {table}" for table in (*EIGHT, "table_updates", *CONTROLS, *STAGING)),
        *(f"DELETE FROM {table}" for table in ("parcelas", "contatos", "controle.quarentena")),
        "SELECT staging.analisar()",
        "INSERT INTO controle.esquecimentos (chave, documentos, verificador, contagens)"
        " VALUES ('x', '{}', 'x', '{}')",
        "CREATE TEMP TABLE mine (x int)",
    ],
    ANALYST: [f"SELECT * FROM analise.{view}" for view in VIEWS],
    READER: [
        *(f"SELECT * FROM {table}" for table in (*EIGHT, "table_updates", *CONTROLS[1:])),
        *(f"SELECT * FROM analise.{view}" for view in VIEWS),
        "SELECT id, mongo_id, particao, codigos, erros, sha256, primeira_vez, ultima_vez, tentativas,"
        " resolvido_em FROM controle.quarentena",
        "COPY clientes TO STDOUT",
    ],
}


# A few digits alone are somewhere in every other moment (12:00:00.410333).
NUMBERS = {
    "bankData.branchNumber": "AG-4103",
    "bankData.accountNumber": "CC-8079",
    "contacts.phone": "(11) 90000-0000",
    "address.number": "N-17-FUNDOS",
}


@pytest.fixture
def login(world: World) -> Iterator[Login]:
    """A new connection of a role, in a database where only what ``db grants`` gives counts."""
    world.put(
        contract(updatedAt=at(D1), **NUMBERS),
        unfounded(document("a", "A", at(D1))),
        rejected(document("b", "B", at(D1))),
    )
    world.migrate(D1)
    # What somebody gave them by hand is taken away; what PUBLIC could on old servers, too.
    schema.grant(world.settings)
    world.query(
        f"GRANT SELECT (nome) ON clientes TO {ANALYST}; GRANT CREATE ON SCHEMA analise TO {ANALYST};"
        f"GRANT ALL ON operacoes, controle.esquecimentos TO {LOADER};"
        f"GRANT SELECT ON controle.quarentena TO {READER};"
        f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA staging TO {READER};"
        "GRANT CREATE ON SCHEMA public TO PUBLIC"
    )
    schema.grant(world.settings)
    password = uuid4().hex
    for role in ROLES:
        world.query(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(password)))
    parts = urlsplit(world.settings.postgres_url)
    opened = []

    def connect(role: str) -> Any:
        url = f"postgresql://{role}:{password}@{parts.hostname}:{parts.port}{parts.path}"
        opened.append(psycopg2.connect(url))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()
    for role in ROLES:
        world.query(f"DROP OWNED BY {role}; DROP ROLE {role}")


def refusal(connection: Any, statement: str) -> str | None:
    """The SQLSTATE that the statement ends with, or nothing."""
    with connection.cursor() as cursor:
        try:
            if statement.startswith("COPY") and statement.endswith("STDOUT"):
                cursor.copy_expert(statement, io.BytesIO())
            else:
                cursor.execute(statement)
        except psycopg2.Error as error:
            return str(error.pgcode)
        finally:
            connection.rollback()
    return None


@pytest.mark.parametrize("role", ROLES)
def test_a_role_is_refused_everything_that_it_does_not_need(login: Login, role: str) -> None:
    connection = login(role)
    assert len(FORBIDDEN[role]) >= 25
    connection.autocommit = True  # CREATE DATABASE would be refused for another reason
    found = {statement: refusal(connection, statement) for statement in FORBIDDEN[role]}
    connection.autocommit = False
    assert {statement: state for statement, state in found.items() if state != "42501"} == {}
    assert {statement: refusal(connection, statement) for statement in ALLOWED[role]} == dict.fromkeys(
        ALLOWED[role]
    )


def test_the_server_logs_the_loaders_errors_without_rows(login: Login) -> None:
    with login(LOADER).cursor() as cursor:
        cursor.execute("SHOW log_error_verbosity")
        assert cursor.fetchone() == ("terse",)
    with login(ANALYST).cursor() as cursor:
        cursor.execute("SHOW log_error_verbosity")
        assert cursor.fetchone() == (POSTGRES_SETTINGS["log_error_verbosity"],)


def test_no_role_can_log_in_before_it_is_given_a_password(world: World) -> None:
    schema.grant(world.settings)
    found = world.query("SELECT rolname, rolpassword FROM pg_authid WHERE rolname = ANY(%s)", [*ROLES])
    assert sorted(found) == [(role, None) for role in sorted(ROLES)]
    for role in ROLES:
        world.query(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_an_analyst_sees_no_name_document_address_contact_or_account(login: Login) -> None:
    personal = [
        *("BENTO", "GUIMARÃES", "39825979194", "12.345.678", "12345678", "39999000", "CÓRREGO", "Rural"),
        *(
            "bento@example.com",
            "90000-0000",
            "CC-8079",
            "AG-4103",
            "N-17-FUNDOS",
            "Clara",
            "1979-05-21",
            "110000000",
        ),
    ]
    with login(ANALYST).cursor() as cursor:
        seen = ""
        for view in VIEWS:
            cursor.execute(f"SELECT v::text FROM analise.{view} v")
            shown = [row for (row,) in cursor.fetchall()]
            assert shown, view
            seen += "\n".join(shown) + "\n"
    with login(READER).cursor() as cursor:
        kept = ""
        for table in EIGHT:
            cursor.execute(f"SELECT t::text FROM {table} t")
            kept += "\n".join(row for (row,) in cursor.fetchall())
    assert [value for value in personal if value not in kept and value != "12345678"] == []
    assert [value for value in personal if value in seen] == []
    assert "***.259.791-**" in seen


@pytest.mark.parametrize(
    ("kind", "number", "mask"),
    [
        ("PF", "52998224725", "***.982.247-**"),
        ("PJ", "11222333000181", "**.222.333/****-**"),
        ("PJ", "12ABC34501DE35", "**.ABC.345/****-**"),
    ],
)
def test_documents_of_both_kinds_are_masked(world: World, kind: str, number: str, mask: str) -> None:
    world.query(
        "INSERT INTO clientes (client_id, nome, tipo_pessoa, cpf_cnpj, mongo_id, atualizado_em)"
        " VALUES ('c', 'n', %s, %s, 'm', now())",
        kind,
        number,
    )
    assert world.one("SELECT cpf_cnpj FROM analise.clientes") == mask


# What no analyst may see, and what the views say in another way.
WITHHELD = {
    "clientes": {"nome", "data_nascimento", "naturalidade", "nome_mae", "pep", "mongo_id"},
    "identidades": {"numero"},
    "enderecos": {"cep", "logradouro", "bairro", "numero", "complemento"},
    "contatos": {"valor"},
    "dados_bancarios": {"agencia", "conta"},
    "operacoes": {"conta", "extras", "excluido_em"},
    "parcelas": set(),
    "detalhamento_cet": set(),
}


@pytest.mark.parametrize("name", EIGHT)
def test_every_column_is_either_shown_to_an_analyst_or_withheld_on_purpose(world: World, name: str) -> None:
    shown = world.column(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0", f"analise.{name}"
    )
    columns = {column.name for column in BY_NAME[name].columns}
    assert columns - set(shown) == WITHHELD[name]


def test_contracts_that_are_gone_from_the_source_are_not_shown(world: World) -> None:
    world.put(unfounded(document("a", "A", at(D1))), unfounded(document("b", "B", at(D1), client="c2")))
    world.migrate(D1)
    world.query("UPDATE operacoes SET excluido_em = now() WHERE ccb_code = 'B'")
    for view in ("operacoes", "parcelas", "detalhamento_cet", "qualidade"):
        assert set(world.column(f"SELECT ccb_code FROM analise.{view}")) == {"A"}, view
        assert set(world.column(f"SELECT ccb_code FROM {'controle.' * (view == 'qualidade')}{view}")) == {
            "A",
            "B",
        }


def test_a_function_of_a_query_sees_no_row_that_the_view_leaves_out(login: Login, world: World) -> None:
    world.query("UPDATE operacoes SET excluido_em = now() WHERE ccb_code = 'A'")
    connection = login(ANALYST)
    with connection.cursor() as cursor:
        cursor.execute("""
            CREATE FUNCTION pg_temp.tell(seen text) RETURNS boolean COST 0.000001 LANGUAGE plpgsql
            AS $$ BEGIN RAISE NOTICE 'saw %', seen; RETURN true; END $$
        """)
        cursor.execute("SELECT ccb_code FROM analise.operacoes WHERE pg_temp.tell(ccb_code)")
        assert cursor.fetchall() == [("A0912345-000",)]
    assert "".join(connection.notices).count("saw ") == 1


def test_the_views_run_with_their_owners_rights_behind_a_barrier(world: World) -> None:
    found = dict(
        world.query(
            "SELECT relname, reloptions FROM pg_class WHERE relkind = 'v'"
            " AND relnamespace = 'analise'::regnamespace"
        )
    )
    assert found == {view: ["security_barrier=true"] for view in VIEWS}


def test_a_due_date_is_looked_up_by_its_index_behind_the_barrier(world: World) -> None:
    world.put(document("a", "A", at(D1)))
    world.migrate(D1)
    world.query(
        "INSERT INTO parcelas (ccb_code, numero_parcela, data_vencimento)"
        " SELECT 'A', n, date '2030-01-01' + n FROM generate_series(10, 9999) n; ANALYZE parcelas"
    )
    plan = world.column("EXPLAIN SELECT * FROM analise.parcelas WHERE data_vencimento = '2031-01-01'")
    assert any("parcelas_data_vencimento_idx" in line for line in plan)


def test_the_tables_owner_makes_the_roles_without_being_a_superuser(postgres_server: Any) -> None:
    owner, database, password = "ccb_owner_of_a_test", f"owned_{uuid4().hex}", uuid4().hex
    connection = psycopg2.connect(postgres_server.url)
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute(f"CREATE ROLE {owner} LOGIN CREATEROLE PASSWORD '{password}'")
    cursor.execute(f"CREATE DATABASE {database} OWNER {owner}")
    try:
        parts = urlsplit(postgres_server.url_of(database))
        url = parts._replace(netloc=f"{owner}:{password}@{parts.hostname}:{parts.port}").geturl()
        settings = Settings(postgres_url=url, retry_seconds=1)
        schema.upgrade(settings)
        schema.grant(settings)
        schema.grant(settings)
        postgres.of_process(settings).engine.dispose()
        made = "SELECT rolname, rolsuper, rolcreaterole FROM pg_roles WHERE rolname = ANY(%s)"
        cursor.execute(made, [[*ROLES]])
        assert sorted(cursor.fetchall()) == [(role, False, False) for role in sorted(ROLES)]
    finally:
        cursor.execute(f"DROP DATABASE {database} WITH (FORCE)")
        for role in (*ROLES, owner):
            cursor.execute(f"DROP ROLE IF EXISTS {role}")
        connection.close()
