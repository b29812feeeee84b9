"""The verification finds whatever differs, names only where, and stays silent about what is right."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import bson
import psycopg2
import pytest
from bson import Decimal128, Int64
from click.testing import CliRunner, Result
from contracts import contract
from flagged import FLAGGED, flag
from sqlalchemy import Boolean, Column, Date, DateTime, Integer, Numeric, Text
from variants import VARIANTS, disguise
from world import D1, D2, D3, D4, EIGHT, World, at, at_once, document, operation, rejected, unfounded

from ccb_luigi.cli import main
from ccb_luigi.commands.run import all_days
from ccb_luigi.demo import spoiled, synth
from ccb_luigi.proof import verify
from ccb_luigi.proof.comparison import Proof, same
from ccb_luigi.proof.verify import Scope
from ccb_luigi.settings import Settings
from ccb_luigi.tables import BY_NAME, LOADED

NOT_PROVEN = 20
FULL = Scope()
Place = tuple[str, str, str]
"""(contract, client or _id; table.column; what)."""

# Columns that no load takes from a document, or that can't change alone.
UNVERIFIED = {f"{name}.carregado_em" for name in ("clientes", "operacoes")}
OWNERS = {f"{table.name}.{key}" for table in LOADED for key in ("client_id", "ccb_code")}


def places(proof: Proof) -> Counter[Place]:
    return Counter((each.subject, each.place, each.what) for each in proof.differences)


def command(world: World, *words: object) -> Result:
    settings = world.settings
    environment = {
        "CCB_POSTGRES_URL": settings.postgres_url,
        "CCB_MONGO_URI": settings.mongo_uri,
        "CCB_MONGO_DATABASE": settings.mongo_database,
        "CCB_SOURCE": "",  # where --source leaves its file
    }
    return CliRunner().invoke(main, ["verify", *map(str, words)], env=environment)


# --- a hundred corruptions ---------------------------------------------------------------------------


def spoil(column: Column[Any]) -> str:
    """A value that is nearly right, as SQL."""
    name, kind = column.name, column.type
    if isinstance(kind, Numeric):
        return f"coalesce({name}, 0) + 0.01"
    if isinstance(kind, Integer):
        return f"coalesce({name}, 0) + 1000"
    if isinstance(kind, Date):
        return f"coalesce({name}, '2000-01-01') + 1"
    if isinstance(kind, DateTime):
        return f"coalesce({name}, '2000-01-01') + interval '1 millisecond'"
    if isinstance(kind, Boolean):
        return f"{name} IS NOT TRUE"
    if isinstance(kind, Text):
        return f"coalesce({name}, '') || ' '"
    raise AssertionError(kind)


CLOSED = {
    "clientes.tipo_pessoa": "CASE tipo_pessoa WHEN 'PF' THEN 'PJ' ELSE 'PF' END",
    "identidades.tipo": "CASE tipo WHEN 'CPF' THEN 'CNPJ' ELSE 'CPF' END",
    "enderecos.tipo": "CASE tipo WHEN 'comercial' THEN 'residencial' ELSE 'comercial' END",
    "contatos.tipo": "CASE tipo WHEN 'email' THEN 'telefone' ELSE 'email' END",
}
# Where the other value isn't taken.
FREE = {
    "identidades.tipo": "t.tipo <> 'RG'",
    "enderecos.tipo": "(SELECT count(*) FROM enderecos s WHERE s.client_id = t.client_id) = 1",
}


@dataclass
class Corruption:
    """Damages rows of a committed database, each of an owner of its own, and notes what must be found."""

    cursor: Any
    random: random.Random
    expected: Counter[Place] = field(default_factory=Counter)
    used: set[str] = field(default_factory=set)
    count: int = 0

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        self.cursor.execute(statement, values or None)
        return self.cursor.fetchall() if self.cursor.description else []

    def owner(self, statement: str) -> tuple[Any, ...]:
        """One of the rows (client_id, ...) of a client that nobody has touched."""
        found = [row for row in sorted(self.rows(statement), key=repr) if row[0] not in self.used]
        assert found, f"nobody is left for {statement}"
        row = self.random.choice(found)
        self.used.add(row[0])
        return row

    def change(self, statement: str, *values: Any) -> None:
        self.cursor.execute(statement, values or None)
        assert self.cursor.rowcount > 0, statement

    def expect(self, *found: Place) -> None:
        self.count += 1
        self.expected.update(found)

    def column(self, table: str, column: str, value: str, having: str = "true") -> None:
        """One column of one row."""
        keys = [key.name for key in BY_NAME[table].primary_key]
        owner, subject = keys[0], "t.client_id" if keys[0] == "client_id" else "t.ccb_code"
        client = "t.client_id" if owner == "client_id" else "o.client_id"
        join = "" if table == "operacoes" or owner == "client_id" else "JOIN operacoes o USING (ccb_code)"
        client = "t.client_id" if table == "operacoes" else client
        _, name, *key = self.owner(
            f"SELECT {client}, {subject}, {', '.join(f't.{each}' for each in keys)} FROM {table} t {join}"
            f" WHERE {having}"
        )
        where = " AND ".join(f"{each} = %s" for each in keys)
        self.change(f"UPDATE {table} SET {column} = {value} WHERE {where}", *key)
        if column in keys:
            self.expect((name, table, "missing"), (name, table, "extra"))
        else:
            self.expect((name, f"{table}.{column}", "differs"))


def every_column(corruption: Corruption) -> None:
    """A nearly right value in each column of the eight tables that is loaded."""
    for table in LOADED:
        for column in table.columns:
            name = f"{table.name}.{column.name}"
            if name in UNVERIFIED or name in OWNERS:
                continue
            if name == "operacoes.extras":
                for value in ("extras || '{\"x\": 1}'", "'{}'", "extras - 'sendVortx'"):
                    corruption.column(table.name, column.name, value, "extras ? 'sendVortx'")
            elif name in CLOSED:
                corruption.column(table.name, column.name, CLOSED[name], FREE.get(name, "true"))
            else:
                corruption.column(table.name, column.name, spoil(column))


def nulls_and_near_misses(corruption: Corruption) -> None:
    for table, column in (
        ("clientes", "data_nascimento"),
        ("clientes", "uf"),
        ("identidades", "orgao_emissor"),
        ("enderecos", "cep"),
        ("operacoes", "status"),
        ("operacoes", "cet"),
        ("operacoes", "criado_em"),
        ("operacoes", "numero_parcelas"),
        ("parcelas", "valor_juros"),
        ("detalhamento_cet", "porcentagem_juros"),
    ):
        corruption.column(table, column, "NULL", f"t.{column} IS NOT NULL")
    corruption.column("operacoes", "atualizado_em", "atualizado_em - interval '1 day'")
    corruption.column("operacoes", "emitido_em", "emitido_em + interval '3 hours'", "emitido_em IS NOT NULL")
    corruption.column("operacoes", "valor_bruto", "-valor_bruto")
    corruption.column("operacoes", "taxa_juros", "taxa_juros + 0.0000000001", "taxa_juros IS NOT NULL")
    corruption.column("clientes", "nome", "lower(nome)", "nome <> lower(nome)")
    corruption.column("clientes", "cpf_cnpj", "reverse(cpf_cnpj)", "cpf_cnpj <> reverse(cpf_cnpj)")
    corruption.column("clientes", "atualizado_em", "atualizado_em - interval '1 day'")
    corruption.column("clientes", "mongo_id", "'0'")  # before all others at the same time
    corruption.column("clientes", "mongo_id", "(SELECT min(mongo_id) FROM operacoes)")
    corruption.column("clientes", "mongo_id", "(SELECT max(mongo_id) FROM operacoes)")


def rows_and_sets(corruption: Corruption) -> None:
    for table in ("identidades", "enderecos", "contatos", "dados_bancarios"):
        client, place = corruption.owner(f"SELECT client_id, ctid::text FROM {table}")
        corruption.change(f"DELETE FROM {table} WHERE ctid = %s::tid", place)
        corruption.expect((client, table, "missing"))
    for table, values in (
        ("identidades", "'CNPJ', '1', NULL, NULL"),
        ("contatos", "'email', 'canario@example.com'"),
        ("dados_bancarios", "'1', '2', '3'"),
    ):
        (client,) = corruption.owner("SELECT client_id FROM clientes WHERE tipo_pessoa = 'PF'")
        corruption.change(f"INSERT INTO {table} VALUES (%s, {values})", client)
        corruption.expect((client, table, "extra"))
    contract_of = "SELECT o.client_id, o.ccb_code FROM operacoes o"
    _, code = corruption.owner(f"{contract_of} WHERE EXISTS (SELECT FROM detalhamento_cet d"
                               " WHERE d.ccb_code = o.ccb_code)")  # fmt: skip
    corruption.change("DELETE FROM detalhamento_cet WHERE ccb_code = %s", code)
    corruption.expect((code, "detalhamento_cet", "missing"))
    _, code = corruption.owner(contract_of)
    corruption.change(
        "DELETE FROM parcelas WHERE ccb_code = %s AND numero_parcela ="
        " (SELECT max(numero_parcela) FROM parcelas WHERE ccb_code = %s)", code, code,
    )  # fmt: skip
    corruption.expect((code, "parcelas", "missing"))
    _, code = corruption.owner(contract_of)
    corruption.change("INSERT INTO parcelas (ccb_code, numero_parcela, data_vencimento)"
                      " VALUES (%s, 999, '2030-01-01')", code)  # fmt: skip
    corruption.expect((code, "parcelas", "extra"))
    _, code = corruption.owner(contract_of)
    (rows,) = corruption.rows("SELECT count(*) FROM parcelas WHERE ccb_code = %s", code)[0]
    corruption.change("DELETE FROM parcelas WHERE ccb_code = %s", code)
    corruption.expect(*[(code, "parcelas", "missing")] * rows)
    # Two parcelas change places with all that they hold: sums and counts stay right.
    _, code = corruption.owner(
        f"{contract_of} JOIN parcelas p USING (ccb_code) JOIN parcelas q USING (ccb_code)"
        " WHERE p.numero_parcela = 1 AND q.numero_parcela = 2"
        " AND p.valor_prestacao = q.valor_prestacao AND p.valor_amortizacao <> q.valor_amortizacao"
    )
    for number, other in ((1, -2), (2, 1), (-2, 2)):
        corruption.change(
            "UPDATE parcelas SET numero_parcela = %s WHERE ccb_code = %s AND numero_parcela = %s",
            other, code, number,
        )  # fmt: skip
    names = [column.name for column in BY_NAME["parcelas"].columns][2:]
    differ = corruption.rows(
        f"SELECT {', '.join(f'p.{name} IS DISTINCT FROM q.{name}' for name in names)}"
        " FROM parcelas p JOIN parcelas q USING (ccb_code)"
        " WHERE ccb_code = %s AND p.numero_parcela = 1 AND q.numero_parcela = 2", code,
    )[0]  # fmt: skip
    swapped = [name for name, differs in zip(names, differ, strict=True) if differs]
    corruption.expect(*[(code, f"parcelas.{name}", "differs") for name in swapped] * 2)


def contracts_and_clients(corruption: Corruption) -> None:
    contract_of = "SELECT o.client_id, o.ccb_code FROM operacoes o"
    alone = "(SELECT count(*) FROM operacoes s WHERE s.client_id = o.client_id) = 1"
    for _ in range(2):
        _, code = corruption.owner(contract_of)
        corruption.change("DELETE FROM operacoes WHERE ccb_code = %s", code)
        corruption.expect((code, "operacoes", "missing"))
    _, code = corruption.owner(contract_of)
    corruption.change("UPDATE operacoes SET mongo_id = 'ninguem' WHERE ccb_code = %s", code)
    corruption.expect((code, "operacoes.mongo_id", "differs"))
    _, code = corruption.owner(contract_of)
    for table in ("operacoes", "parcelas", "detalhamento_cet", "controle.qualidade"):
        corruption.cursor.execute(f"UPDATE {table} SET ccb_code = 'Z-0' WHERE ccb_code = %s", (code,))
    corruption.expect((code, "operacoes.ccb_code", "differs"))
    _, code = corruption.owner(contract_of)
    corruption.change(
        "UPDATE operacoes SET client_id = (SELECT min(client_id) FROM clientes) WHERE ccb_code = %s", code
    )
    corruption.expect((code, "operacoes.client_id", "differs"))
    _, code = corruption.owner(contract_of)
    names = [c.name for c in BY_NAME["operacoes"].columns if c.name not in ("ccb_code", "mongo_id")]
    corruption.change(
        f"INSERT INTO operacoes (ccb_code, mongo_id, {', '.join(names)})"
        f" SELECT 'Z-1', 'ninguem 1', {', '.join(names)} FROM operacoes WHERE ccb_code = %s", code,
    )  # fmt: skip
    corruption.expect(("Z-1", "operacoes", "extra"))
    (client, _) = corruption.owner(f"{contract_of} WHERE {alone}")
    corruption.change("DELETE FROM clientes WHERE client_id = %s", client)
    corruption.expect((client, "clientes", "missing"))
    (client,) = corruption.owner("SELECT client_id FROM clientes")
    names = [c.name for c in BY_NAME["clientes"].columns if c.name not in ("client_id", "mongo_id")]
    corruption.change(
        f"INSERT INTO clientes (client_id, mongo_id, {', '.join(names)})"
        f" SELECT 'ninguem 2', 'ninguem 2', {', '.join(names)} FROM clientes WHERE client_id = %s", client,
    )  # fmt: skip
    corruption.expect(("ninguem 2", "clientes", "extra"))
    # What the other contract of the client said the day before.
    client, mongo_id, moment = corruption.owner(
        "SELECT c.client_id, o.mongo_id, o.atualizado_em - interval '1 day'"
        " FROM clientes c JOIN operacoes o USING (client_id)"
        " WHERE o.atualizado_em < c.atualizado_em"
    )
    corruption.change("UPDATE clientes SET mongo_id = %s, atualizado_em = %s, nome = nome || ' antigo'"
                      " WHERE client_id = %s", mongo_id, moment, client)  # fmt: skip
    corruption.expect((client, "clientes", "stale"))


def findings_and_quarantine(corruption: Corruption) -> None:
    flagged = "SELECT o.client_id, q.ccb_code, q.codigo, q.campo FROM operacoes o" \
              " JOIN controle.qualidade q USING (ccb_code)"  # fmt: skip
    _, code, codigo, campo = corruption.owner(flagged)
    one = "WHERE ccb_code = %s AND codigo = %s AND campo = %s"
    corruption.change(f"DELETE FROM controle.qualidade {one}", code, codigo, campo)
    corruption.expect((code, "controle.qualidade", "missing"))
    _, code, codigo, campo = corruption.owner(flagged)
    corruption.change(f"UPDATE controle.qualidade SET campo = campo || '.x' {one}", code, codigo, campo)
    corruption.expect((code, "controle.qualidade", "missing"), (code, "controle.qualidade", "extra"))
    _, code, mongo_id = corruption.owner("SELECT client_id, ccb_code, mongo_id FROM operacoes")
    corruption.change("INSERT INTO controle.qualidade (ccb_code, mongo_id, codigo, campo)"
                      " VALUES (%s, %s, 'cet_soma', 'operation.CET')", code, mongo_id)  # fmt: skip
    corruption.expect((code, "controle.qualidade", "extra"))
    because = "SELECT mongo_id FROM controle.quarentena WHERE codigos {} '{{ccb_duplicado}}' ORDER BY 1"
    bad = [name for (name,) in corruption.rows(because.format("<>"))]
    ((loser,),) = corruption.rows(because.format("="))
    for mongo_id, statement, column, what in (
        (bad[0], "DELETE FROM controle.quarentena", "", "missing"),
        (bad[1], "UPDATE controle.quarentena SET resolvido_em = now()", "", "missing"),
        (bad[2], "UPDATE controle.quarentena SET documento = documento || '\\x00'", ".documento", "differs"),
        (bad[3], "UPDATE controle.quarentena SET documento = NULL", ".documento", "differs"),
        (bad[4], "UPDATE controle.quarentena SET sha256 = reverse(sha256)", ".sha256", "differs"),
        (loser, "DELETE FROM controle.quarentena", "", "missing"),
    ):
        corruption.change(f"{statement} WHERE mongo_id = %s", mongo_id)
        corruption.expect((mongo_id, f"controle.quarentena{column}", what))
    _, mongo_id = corruption.owner("SELECT client_id, mongo_id FROM operacoes")
    corruption.change("INSERT INTO controle.quarentena (mongo_id, codigos, erros)"
                      " VALUES (%s, '{ausente}', '{}')", mongo_id)  # fmt: skip
    corruption.expect((mongo_id, "controle.quarentena", "extra"))


def synthetic() -> list[Any]:
    """200 contracts in all their disguises; some flagged, some spoiled, and two with one code."""
    choose = random.Random(7)
    found = []
    for number, good in enumerate(synth.contracts(200, 5, until=D4, days=3)):
        if number < 6:
            found.append(spoiled.spoil(good, [*spoiled.SPOILED][number * 3]))
        elif number < 24:
            found.append(flag(good, choose.choice([*FLAGGED])))
        else:
            found.append(disguise(good, choose.choice([*VARIANTS])) if number % 2 else good)
    found[-1]["ccbCode"] = found[-2]["ccbCode"]
    return found


def load(world: World, documents: list[Any]) -> None:
    with world.collection() as collection:
        collection.insert_many(documents)
    world.migrate(*all_days(world.settings, D4))


SAVED = [*EIGHT, "controle.qualidade", "controle.quarentena"]
WITHOUT_KEYS = "SET session_replication_role = replica"


def save(cursor: Any) -> None:
    for name in SAVED:
        cursor.execute(f"CREATE TABLE staging.saved_{name.split('.')[-1]} AS TABLE {name}")


def repair(cursor: Any) -> None:
    cursor.execute(WITHOUT_KEYS)
    for name in SAVED:
        saved = f"staging.saved_{name.split('.')[-1]}"
        cursor.execute(f"DELETE FROM {name}; INSERT INTO {name} OVERRIDING SYSTEM VALUE TABLE {saved}")


def personal(documents: list[Any]) -> set[str]:
    """Texts of the documents that are nobody's business: long enough not to occur by chance."""
    found: set[str] = set()

    def collect(value: Any) -> None:
        if isinstance(value, dict):
            for inner in value.values():
                collect(inner)
        elif isinstance(value, list):
            for inner in value:
                collect(inner)
        elif isinstance(value, str) and len(value) > 5 and not value[:4].isdigit():
            found.add(value)

    ids = ("_id", "clientId", "ccbCode", "updatedAt", "createdAt", "emitedAt")
    for each in documents:
        collect({name: value for name, value in each.items() if name not in ids})
    return found - {"residencial", "comercial", "Residencial", "Comercial"}


def test_a_hundred_corruptions_are_found_each_and_nothing_else_is_reported(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    documents = synthetic()
    load(world, documents)
    clean = command(world, "--full")
    assert (clean.exit_code, clean.stderr) == (0, "")
    assert "no difference" in clean.stdout

    with psycopg2.connect(world.settings.postgres_url) as connection, connection.cursor() as cursor:
        save(cursor)
        cursor.execute(WITHOUT_KEYS)
        corruption = Corruption(cursor, random.Random(3))
        for damage in (
            every_column,
            nulls_and_near_misses,
            rows_and_sets,
            contracts_and_clients,
            findings_and_quarantine,
        ):
            damage(corruption)
    assert corruption.count >= 100

    found = command(world, "--full", "--json")
    assert found.exit_code == NOT_PROVEN
    told = json.loads(found.stdout)
    listed = Counter(
        (each["subject"], ".".join(filter(None, (each["table"], each["column"]))), each["what"])
        for each in told["differences"]
    )
    assert listed == corruption.expected
    assert told["total"] == corruption.expected.total()
    assert told["ok"] is False

    shown = command(world, "--full")
    assert shown.exit_code == NOT_PROVEN
    said = found.output + shown.output
    for text in personal(documents) | {"canario"}:
        assert text not in said

    with connection, connection.cursor() as cursor:
        repair(cursor)
    connection.close()
    assert command(world, "--full").exit_code == 0


# --- what is not loaded yet, and who may be right --------------------------------------------------------


def proof_of(world: World, scope: Scope = FULL) -> Proof:
    return verify.verify(world.settings, scope)


def test_an_empty_world_is_right(world: World) -> None:
    assert proof_of(world) == Proof()


def test_a_version_written_after_its_date_was_loaded_is_pending_and_fails_only_if_asked(world: World) -> None:
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    world.put(document("a", "A", at(D1)), document("b", "B", at(D1)))
    world.migrate(D1)
    world.put(document("a", "A", later, rows=7), document("c", "C", at(D2)))
    world.put(rejected(document("d", "D", at(D3))))
    proof = proof_of(world)
    assert (proof.total, proof.pending, sorted(proof.newer)) == (0, 3, ["a", "c", "d"])
    shown = command(world, "--full")
    assert shown.exit_code == 0
    assert "3 newer in the source" in shown.stdout
    assert command(world, "--full", "--strict").exit_code == NOT_PROVEN


def test_a_version_that_the_load_of_its_date_should_have_met_is_a_difference(world: World) -> None:
    world.put(document("other", "O", at(D2)))
    world.migrate(D1)
    world.put(document("a", "A", at(D1)), rejected(document("b", "B", at(D1))))
    assert places(proof_of(world)) == {
        ("A", "operacoes", "missing"): 1,
        ("c1", "clientes", "missing"): 1,
        ("b", "controle.quarentena", "missing"): 1,
    }
    world.again(D1)
    assert proof_of(world).total == 0


def test_an_old_version_in_the_table_of_a_date_that_was_run_again_is_a_difference(world: World) -> None:
    world.put(document("a", "A", at(D1)))
    world.migrate(D1, D2)
    world.put(document("a", "A", at(D2)))  # it came late
    found = places(proof_of(world))
    assert {place for _, place, _ in found} == {
        "operacoes.atualizado_em",
        "operacoes.status",
        "clientes.atualizado_em",
    }
    world.again(D2)
    assert proof_of(world).total == 0


def test_rejections_losers_and_last_good_versions_are_right_where_they_are(world: World) -> None:
    world.put(
        document("good", "G", at(D1)),
        document("spoils", "S", at(D1), client="c2"),
        document("winner", "X", at(D2), client="c3"),
        document("loser", "X", at(D1), client="c4"),
        document("moves", "M", at(D1), client="c5"),
        unfounded(document("flagged", "F", at(D2), client="c6")),
        {**document("odd", "O", at(D1)), "updatedAt": "ontem"},
        {**document("odd", "O", at(D1)), "_id": 7},
    )
    world.migrate(D1, D2)
    world.put(
        rejected(document("spoils", "S", at(D2), client="c2")),
        document("moves", "M", at(D2), client="c7"),  # c5 stays, and nobody names it any more
    )
    world.again(D2)
    proof = proof_of(world)
    assert places(proof) == {}
    assert (proof.documents, proof.contracts, proof.quarantined, proof.pending) == (8, 4, 4, 0)
    assert proof.clients == 5  # c5 and c2 have versions that the source has no more


def test_a_client_that_missed_a_newer_contract_is_stale_whichever_contract_is_sampled(world: World) -> None:
    world.put(document("old", "A", at(D1)))
    world.migrate(D1)
    world.put(document("new", "B", at(D2)))
    world.migrate(D2)
    columns = "mongo_id, atualizado_em"
    world.query(f"UPDATE clientes SET ({columns}) = (SELECT {columns} FROM operacoes WHERE ccb_code = 'A')")
    for scope in (FULL, Scope(sample=10), Scope(day=D2)):
        assert ("c1", "clientes", "stale") in places(proof_of(world, scope))
    assert ("c1", "clientes", "stale") not in places(proof_of(world, Scope(day=D1)))


def test_a_contract_that_left_the_source_is_extra_until_it_is_marked_as_gone(world: World) -> None:
    world.put(document("a", "A", at(D1)), document("b", "B", at(D1, 13)))
    world.migrate(D1)
    with world.collection() as collection:
        collection.delete_one({"_id": "a"})
    for scope in (FULL, Scope(sample=2)):
        assert places(proof_of(world, scope)) == {("A", "operacoes", "extra"): 1}
    world.query("UPDATE operacoes SET excluido_em = now() WHERE ccb_code = 'A'")
    assert places(proof_of(world)) == places(proof_of(world, Scope(sample=2))) == {}
    world.query("UPDATE operacoes SET excluido_em = now() WHERE ccb_code = 'B'")
    assert places(proof_of(world)) == {("B", "operacoes.excluido_em", "differs"): 1}


# --- which documents ---------------------------------------------------------------------------------


def test_a_date_is_looked_at_alone_but_for_documents_without_a_readable_time(world: World) -> None:
    odd = {**document("odd", "O", at(D1)), "updatedAt": "ontem"}
    world.put(document("a", "A", at(D1), client="c1"), document("b", "B", at(D2), client="c2"), odd)
    world.migrate(D1, D2)
    world.query("UPDATE operacoes SET valor_bruto = valor_bruto + 0.01")
    assert places(proof_of(world, Scope(day=D1))) == {("A", "operacoes.valor_bruto", "differs"): 1}
    assert places(proof_of(world, Scope(day=D2))) == {("B", "operacoes.valor_bruto", "differs"): 1}
    assert [proof_of(world, Scope(day=day)).quarantined for day in (D1, D2, D3)] == [1, 1, 1]


def test_a_seed_draws_the_same_contracts_again_and_is_told(world: World) -> None:
    world.put(*(document(f"m{n}", f"C{n:02}", at(D1, 4, n), client=f"k{n}") for n in range(30)))
    world.migrate(D1)
    world.query("UPDATE operacoes SET valor_bruto = valor_bruto + 0.01")

    def drawn(seed: int) -> set[str]:
        return {each.subject for each in proof_of(world, Scope(sample=8, seed=seed)).differences}

    assert len(drawn(1)) == 8
    assert drawn(1) == drawn(1) != drawn(2)
    told = json.loads(command(world, "--sample", 8, "--json").stdout)
    assert drawn(told["seed"]) == {each["subject"] for each in told["differences"]}


def test_a_dump_is_as_good_a_source(world: World, tmp_path: Path) -> None:
    documents = [document(f"m{n}", f"C{n}", at(D1, 4, n), client=f"k{n}") for n in range(5)]
    world.put(*documents)
    world.migrate(D1)
    world.query("UPDATE parcelas SET valor_juros = 0.01 WHERE ccb_code = 'C3' AND numero_parcela = 2")
    dump = tmp_path / "contratos.bson"
    dump.write_bytes(b"".join(map(bson.encode, documents)))
    world.empty_source()
    for words in (["--full"], ["--date", D1], ["--sample", 5]):
        found = command(world, *words, "--source", dump, "--json")
        assert found.exit_code == NOT_PROVEN
        ((each),) = json.loads(found.stdout)["differences"]
        assert (each["subject"], each["table"], each["column"]) == ("C3", "parcelas", "valor_juros")
        assert (each["row"], each["day"]) == ("2", str(D1))


def test_the_snapshot_is_one_though_a_load_commits_in_the_middle(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the next date's load writes meanwhile is neither half seen nor missed."""
    world.put(*(document(f"m{n}", f"C{n}", at(D1, 4, n), client=f"k{n}") for n in range(6)))
    world.migrate(D1)
    monkeypatch.setattr(verify, "GROUP_DOCUMENTS", 2)
    settings = Settings(**{**_fields(world.settings), "processes": 1})
    target_of = verify.target_of
    loaded: list[int] = []

    def then_load(*arguments: Any) -> Any:
        if not loaded:
            world.put(*(document(f"m{n}", f"C{n}", at(D2, 4, n), client=f"k{n}", rows=5) for n in range(6)))
            loaded.append(1)
            assert at_once(lambda: world.migrate(D2)) == []
        return target_of(*arguments)

    monkeypatch.setattr(verify, "target_of", then_load)
    proof = verify.verify(settings, FULL)
    assert loaded
    assert proof.total == 0
    assert verify.verify(settings, FULL).total == 0


def _fields(settings: Settings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in Settings.__dataclass_fields__}


# --- how it is told ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ["--full", "--sample", 3],
        ["--date", D1, "--full"],
        ["--seed", 3],
        ["--sample", 0],
        ["--date", "ontem"],
    ],
    ids=str,
)
def test_a_senseless_command_line_is_refused(world: World, words: list[object]) -> None:
    assert command(world, *words).exit_code == 2


def test_one_of_a_kind_is_told_as_one(world: World) -> None:
    world.put(document("a", "A", at(D1)))
    world.migrate(D1)
    assert command(world, "--full").stdout.startswith(
        "1 document of the source: 1 contract and 1 client compared in every column"
    )
    world.query("UPDATE operacoes SET status = 'x'")
    assert command(world, "--full").stderr.startswith("ccb-luigi: 1 difference between the documents")
    world.query("DELETE FROM parcelas WHERE numero_parcela > 1")
    assert command(world, "--full").stderr.startswith("ccb-luigi: 3 differences between the documents")


def test_of_very_many_differences_the_first_are_told_and_all_are_counted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ccb_luigi.proof.comparison.MOST_TOLD", 3)
    monkeypatch.setattr("ccb_luigi.commands.verify.SHOWN", 2)
    world.put(document("a", "A", at(D1), rows=9))
    world.migrate(D1)
    world.query("UPDATE parcelas SET valor_juros = 1, valor_seguro = 1 WHERE numero_parcela > 2")
    proof = proof_of(world)
    assert len(proof.differences) == 3
    assert proof.total == 14
    assert proof.places == {("parcelas.valor_juros", "differs"): 7, ("parcelas.valor_seguro", "differs"): 7}
    shown = command(world, "--full")
    assert "and 12 more" in shown.stdout
    assert "rerun --date 2026-03-02" in shown.stderr
    assert "14 differences" in shown.stderr


def test_what_only_looks_different_is_right(world: World) -> None:
    """Numbers of every BSON type in extras, trailing zeros, text that needs escapes."""
    odd = {"a.b": [1, 1.5, Int64(2**60), Decimal128("1E+3"), True, None, float("nan")], "\\": {"": "\\N\t"}}
    world.put(
        contract(guarantors=odd, updatedAt=at(D1), **{"operation.TaxaDeJuros": "2.43900"}, status="a\\\tb"),
        document("b", "B", at(D1), extra=1e300, operation=operation(2, ValorDoIOF=0.1 + 0.2)),
    )
    world.migrate(D1)
    assert proof_of(world).total == 0
    world.query("UPDATE operacoes SET taxa_juros = 2.439,"
                " extras = replace(extras::text, '1.5', '1.50')::jsonb")  # fmt: skip
    assert proof_of(world).total == 1  # b had no such rate
    world.query("UPDATE operacoes SET extras = replace(extras::text, 'true', '1')::jsonb, taxa_juros ="
                " CASE ccb_code WHEN 'B' THEN NULL ELSE taxa_juros END")  # fmt: skip
    assert {place for _, place, _ in places(proof_of(world))} == {"operacoes.extras"}


@pytest.mark.parametrize(
    ("ours", "theirs", "equal"),
    [
        (1, True, False),
        ([0], [False], False),
        ({"a": 1}, {"a": 1, "b": None}, False),
        ([1, 2], [2, 1], False),
        ("1", 1, False),
        (None, False, False),
        ({"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}, True),
    ],
)
def test_values_are_the_same_or_not(ours: Any, theirs: Any, equal: bool) -> None:
    assert same(ours, theirs) is equal


def test_what_a_verification_reports_is_repaired_by_running_the_date_that_it_names_again(
    world: World,
) -> None:
    world.put(*(document(f"m{n}", f"C{n}", at(D1, 4, n), client=f"k{n}") for n in range(6)))
    world.migrate(D1)
    world.query("UPDATE operacoes SET valor_bruto = valor_bruto + 0.01 WHERE ccb_code = 'C0'")
    world.query("DELETE FROM parcelas WHERE ccb_code = 'C1' AND numero_parcela = 2")
    world.query("UPDATE contatos SET valor = 'x' || valor WHERE client_id = 'k2'")
    world.query("DELETE FROM operacoes WHERE ccb_code = 'C3'")
    world.query("UPDATE parcelas SET numero_parcela = numero_parcela + 10 WHERE ccb_code = 'C4'")
    found = proof_of(world)
    assert found.total > 0
    assert {each.day for each in found.differences} == {D1}
    world.again(D1)
    assert proof_of(world).total == 0
