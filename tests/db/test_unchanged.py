"""A rerun passes over what can't have changed, and over nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine
from world import D1, D2, World, at, document, unfounded

from ccb_luigi import tables
from ccb_luigi.database import postgres
from ccb_luigi.database.postgres import of_process
from ccb_luigi.load import loading, markers, pipeline, unchanged
from ccb_luigi.load.batch import Batch

# One tampering per way: what a hand at the database can do to what document "a" became.
TAMPERED = {
    "clientes": "UPDATE clientes SET nome_mae = 'X' WHERE client_id = 'c1'",
    "clientes without a change": "UPDATE clientes SET nome = nome WHERE client_id = 'c1'",
    "identidades": "DELETE FROM identidades WHERE client_id = 'c1' AND tipo = 'RG'",
    "enderecos": "UPDATE enderecos SET cidade = NULL WHERE client_id = 'c1'",
    "contatos": "INSERT INTO contatos VALUES ('c1', 'telefone', '9')",
    "dados_bancarios": "UPDATE dados_bancarios SET conta = '0' WHERE client_id = 'c1'",
    "operacoes": "UPDATE operacoes SET extras = '{}', status = 'X' WHERE ccb_code = 'A'",
    "operacoes gone": "DELETE FROM operacoes WHERE ccb_code = 'A'",
    "operacoes marked as gone": "UPDATE operacoes SET excluido_em = now() WHERE ccb_code = 'A'",
    "parcelas": "UPDATE parcelas SET valor_juros = 0.01 WHERE ccb_code = 'A' AND numero_parcela = 2",
    "parcelas gone": "DELETE FROM parcelas WHERE ccb_code = 'A' AND numero_parcela = 3",
    "a parcela too many": "INSERT INTO parcelas (ccb_code, numero_parcela, data_vencimento)"
    " VALUES ('A', 9, '2030-01-01')",
    "detalhamento_cet": "DELETE FROM detalhamento_cet WHERE ccb_code = 'A'",
    "qualidade": "DELETE FROM controle.qualidade WHERE ccb_code = 'A'",
}


@pytest.fixture
def loaded(world: World) -> World:
    """Three documents of one date, in the tables."""
    world.put(
        unfounded(document("a", "A", at(D1), client="c1")),
        document("b", "B", at(D1, 13), client="c2"),
        document("c", "C", at(D1, 14), client="c3"),
    )
    world.migrate(D1)
    return world


def intact(world: World) -> int:
    return int(
        world.one("SELECT contagens->>'intactos' FROM table_updates WHERE update_id = %s", f"contratos:{D1}")
    )


def proof(world: World) -> tuple[int, ...]:
    (row,) = world.query(
        "SELECT lidos, carregados, sem_mudanca, obsoletos, quarentena FROM controle.reconciliacoes"
        " WHERE particao = %s AND ok",
        D1,
    )
    return row


def test_a_first_load_knows_nothing(loaded: World) -> None:
    assert intact(loaded) == 0
    assert proof(loaded) == (3, 3, 0, 0, 0)


def test_what_has_not_changed_is_passed_over_and_counts_as_unchanged(loaded: World) -> None:
    before = loaded.tables(), loaded.row_versions()
    loaded.again(D1)
    assert intact(loaded) == 3
    assert proof(loaded) == (3, 0, 3, 0, 0)
    assert (loaded.tables(), loaded.row_versions()) == before
    assert loaded.one("SELECT count(*) FROM staging.contratos") == 0


def test_a_marker_counts_the_rows_of_what_was_passed_over_too(loaded: World) -> None:
    counted = "SELECT update_id, linhas FROM table_updates ORDER BY 1"
    before = loaded.query(counted)
    loaded.again(D1)
    assert intact(loaded) == 3
    assert loaded.query(counted) == before
    assert dict(before)[f"parcelas:{D1}"] == 9


def test_rows_of_a_client_are_counted_for_the_document_that_they_came_from_alone(loaded: World) -> None:
    loaded.put(document("d", "D", at(D2), client="c1", contacts={"phone": ["1", "2", "3", "4", "5"]}))
    loaded.migrate(D2)
    loaded.again(D1)  # looks at document a once more, whose client is d's now
    loaded.again(D1)
    assert intact(loaded) == 3
    counted = "SELECT linhas FROM table_updates WHERE update_id = %s"
    assert loaded.one(counted, f"clientes:{D1}") == 2
    assert loaded.one(counted, f"contatos:{D1}") == 6
    assert loaded.one(counted, f"operacoes:{D1}") == 3


def test_only_what_changed_is_judged_again(loaded: World) -> None:
    loaded.put(document("b", "B", at(D1, 15), client="c2", status="other"))
    loaded.again(D1)
    assert intact(loaded) == 2
    assert proof(loaded) == (3, 1, 2, 0, 0)
    assert loaded.one("SELECT status FROM operacoes WHERE ccb_code = 'B'") == "other"


def test_a_change_of_any_byte_counts_also_without_a_newer_time(loaded: World) -> None:
    loaded.put(document("b", "B", at(D1, 13), client="c2", status="other"))
    loaded.again(D1)
    assert intact(loaded) == 2
    assert loaded.one("SELECT status FROM operacoes WHERE ccb_code = 'B'") == "other"


def test_a_hand_at_the_tables_is_noticed_and_undone(loaded: World) -> None:
    before = loaded.tables()
    for way, statement in TAMPERED.items():
        loaded.query(statement)
        loaded.again(D1)
        assert intact(loaded) == 2, way
        assert loaded.tables() == before, way
        loaded.again(D1)
        assert intact(loaded) == 3, way


def test_other_rules_read_every_document_anew(loaded: World) -> None:
    stricter = World(replace(loaded.settings, reject_findings="numero_parcelas"))
    stricter.again(D1)
    assert intact(stricter) == 0
    assert stricter.quarantined() == {"a": ["numero_parcelas"]}


def test_a_database_that_was_restored_is_compared_whole(loaded: World) -> None:
    before = loaded.tables()
    for table in ("parcelas", "operacoes"):  # every row is written by another transaction, as by pg_restore
        loaded.query(f"UPDATE {table} SET ccb_code = ccb_code")
    loaded.again(D1)
    assert intact(loaded) == 0
    assert loaded.tables() == before


def test_the_next_run_but_one_passes_over_again(loaded: World) -> None:
    loaded.query(TAMPERED["parcelas"])
    loaded.again(D1)
    loaded.again(D1)
    assert intact(loaded) == 3


def test_a_newer_contract_of_the_client_makes_the_older_one_be_looked_at_again(loaded: World) -> None:
    loaded.put(document("d", "D", at(D2), client="c1"))
    loaded.migrate(D2)
    before = loaded.tables()
    loaded.again(D1)
    assert intact(loaded) == 2
    assert loaded.tables() == before


def test_a_document_that_was_rejected_in_between_and_came_back_closes_its_rejection(loaded: World) -> None:
    good = document("b", "B", at(D1, 13), client="c2")
    loaded.put({name: value for name, value in good.items() if name != "taxId"})
    loaded.again(D1)
    assert loaded.quarantined() == {"b": ["ausente"]}
    loaded.put(good)
    loaded.again(D1)
    assert intact(loaded) == 3
    assert loaded.quarantined() == {}


def test_a_thorough_rerun_passes_over_nothing(loaded: World) -> None:
    of_process(loaded.settings).run(lambda connection: unchanged.forget(connection, D1))
    loaded.again(D1)
    assert intact(loaded) == 0
    assert proof(loaded) == (3, 0, 3, 0, 0)


def test_a_new_document_takes_the_code_of_an_intact_one(loaded: World) -> None:
    loaded.put(document("z", "B", at(D1, 20), client="c2"))
    loaded.again(D1)
    assert loaded.contracts() == {"A": "a", "B": "z", "C": "c"}
    assert loaded.quarantined() == {"b": ["ccb_duplicado"]}
    assert proof(loaded) == (4, 1, 2, 0, 1)


def test_a_rerun_of_one_table_vouches_for_no_other(loaded: World) -> None:
    loaded.query(TAMPERED["enderecos"])
    of_process(loaded.settings).run(lambda c: markers.forget(c, D1, "parcelas"))
    loaded.migrate(D1)
    assert loaded.one("SELECT cidade FROM enderecos WHERE client_id = 'c1'") is None
    loaded.again(D1)
    assert loaded.one("SELECT cidade FROM enderecos WHERE client_id = 'c1'") is not None
    loaded.again(D1)
    assert intact(loaded) == 3


@pytest.mark.parametrize(("contracts", "seq_scans"), [(10, "on"), (1_000_000, "off")])
def test_a_date_that_is_small_beside_the_tables_is_looked_up_by_keys(
    loaded: World, monkeypatch: pytest.MonkeyPatch, contracts: int, seq_scans: str
) -> None:
    seen: list[str] = []

    def watched(work: Callable[..., Any]) -> Callable[..., Any]:
        def look(batch: Batch, *rest: Any) -> Any:
            seen.append(batch.run("SHOW enable_seqscan").scalar_one())
            return work(batch, *rest)

        return look

    monkeypatch.setattr(loading, "write", watched(loading.write))
    monkeypatch.setattr(unchanged, "remember", watched(unchanged.remember))
    loaded.query(f"UPDATE pg_class SET reltuples = {contracts} WHERE oid = 'operacoes'::regclass")
    loaded.put(document("d", "D", at(D2), client="c4"))
    loaded.migrate(D2)
    assert seen == [seq_scans] * (len(tables.LOADED) + 1)
    assert loaded.contracts() == {"A": "a", "B": "b", "C": "c", "D": "d"}


def test_no_query_of_a_proof_shares_a_hash_table_between_processes(loaded: World) -> None:
    """Shared memory is small in containers: a large date's table would find no room there."""
    seen: dict[str, str] = {}

    def note(connection: Connection, _: Any, statement: str, *__: Any) -> None:
        if "FROM staging.contratos k" in statement and statement.lstrip().startswith(("SELECT", "CREATE")):
            with postgres.driver_connection(connection).cursor() as cursor:
                cursor.execute("SHOW enable_parallel_hash")
                seen[statement] = cursor.fetchone()[0]  # type: ignore[index]

    loaded.put(document("d", "D", at(D2), client="c4"))
    pipeline.extract(loaded.settings, D2)
    loaded.load(D2)
    event.listen(Engine, "before_cursor_execute", note)
    try:
        pipeline.reconcile_day(loaded.settings, D2)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert len(seen) >= 3, "what was found, what its schedules amount to, what is remembered"
    assert {*seen.values()} == {"off"}
