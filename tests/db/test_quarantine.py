"""The quarantine: what is in it, when it opens and closes, and when there is too much of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg2
import pytest
from bson import ObjectId
from contracts import MISSING, contract
from sqlalchemy import Connection, create_engine
from world import D1, D2, D3, STEPS, World, at, document, rejected, unfounded

from ccb_luigi.documents.judge import Refused
from ccb_luigi.errors import CircuitBroken
from ccb_luigi.load import by_id, pipeline, quarantine

Rows = Callable[..., list[dict[str, Any]]]

CANARIES = {
    "name": "Canário Amarelo",
    "taxId": "398.259.791-9X",
    "motherName": "Mãe do Canário",
    "birthDate": "31/02/1980 canario",
    "state": "canario-uf",
    "identity.number": "canario-rg",
    "address.address": "Rua do Canário",
    "contacts.email": "canario@example.com",
    "contacts.phone": "canario-fone",
    "bankData.accountNumber": "canario-conta",
    "operation.ValorBruto": "7.321",
    "operation.ValorDoIOF": "canario-iof",
    "operation.TaxaDeJuros": "NaN canario",
    "operation.FinanIOF": "talvez canario",
    "operation.NumeroDeParcelas": "12 canarios",
}


def one(rows: Rows, **having: Any) -> dict[str, Any]:
    (row,) = rows("controle.quarentena", **having)
    return row


def open_row(rows: Rows, mongo_id: str) -> dict[str, Any]:
    (row,) = (r for r in rows("controle.quarentena", mongo_id=mongo_id) if r["resolvido_em"] is None)
    return row


# --- what is in it ----------------------------------------------------------------------------------


def test_a_rejected_document_is_kept_whole_with_its_reasons(world: World, rows: Rows) -> None:
    before = datetime.now(UTC)
    world.put(rejected(document("a", "A", at(D1))))
    world.migrate(D1)
    raw, row = world.raw("a"), one(rows)
    assert (row["mongo_id"], row["particao"], row["codigos"]) == ("a", D1, ["ausente"])
    assert bytes(row["documento"]) == raw
    assert row["sha256"] == hashlib.sha256(raw).hexdigest()
    assert (row["tentativas"], row["resolvido_em"]) == (1, None)
    assert before <= row["primeira_vez"] == row["ultima_vez"] <= datetime.now(UTC)
    ((path, messages),) = row["erros"].items()
    assert path == "taxId"
    assert len(messages) == 1
    assert rows("operacoes") == rows("clientes") == []


def test_every_reason_is_named_and_none_quotes_a_value(world: World, rows: Rows) -> None:
    world.put(contract(updatedAt=at(D1), clientId=MISSING, **CANARIES))
    world.migrate(D1)
    row = one(rows)
    assert set(row["erros"]) == {
        "clientId",
        "taxId",
        "birthDate",
        "operation.ValorBruto",
        "operation.ValorDoIOF",
        "operation.TaxaDeJuros",
        "operation.FinanIOF",
        "operation.NumeroDeParcelas",
    }
    assert row["codigos"] == [
        "ausente",
        "booleano_invalido",
        "cpf_cnpj_invalido",
        "data_invalida",
        "numero_invalido",
        "valor_ambiguo",
    ]
    said = str(row["codigos"]) + str(row["erros"])
    for canary in CANARIES.values():
        assert canary not in said
    assert "canari" not in said.lower()


def test_paths_lead_to_the_item_of_a_list(world: World, rows: Rows) -> None:
    bad = document("a", "A", at(D1), rows=3)
    schedule = bad["operation"]["parcelas"]["PrevisaoDeParcela"]
    schedule[1]["ValorDoJuros"] = "0.001"
    schedule[2]["DataDeVencimento"] = None
    bad["address"] = [None, {"zipCode": {"a": 1}}]
    world.put(bad)
    world.migrate(D1)
    assert set(one(rows)["erros"]) == {
        "operation.parcelas.PrevisaoDeParcela.1.ValorDoJuros",
        "operation.parcelas.PrevisaoDeParcela.2.DataDeVencimento",
        "address.1.zipCode",
    }


def test_a_document_with_an_impossible_id_is_kept_under_a_name_and_found_again(
    world: World, rows: Rows
) -> None:
    world = World(replace(world.settings, max_rejected_share=1))
    odd = [7, 1.5, True, datetime(2026, 1, 2, tzinfo=UTC), {"a": 1}, b"x", None, "x" * 300, "a\0b"]
    world.put(*({**document("a", "A", at(D1)), "_id": each} for each in odd), document("b", "B", at(D1)))
    world.migrate(D1)
    world.again(D1)
    found = rows("controle.quarentena")
    assert len({row["mongo_id"] for row in found}) == len(found) == len(odd)
    assert {(*row["erros"], row["tentativas"]) for row in found} == {("_id", 2)}
    assert world.contracts() == {"B": "b"}
    by_id.migrate_ids(world.settings, [row["mongo_id"] for row in found])
    for row in rows("controle.quarentena"):
        # What is known by its fingerprint alone can't be asked for.
        attempts = 2 if row["mongo_id"].startswith("sha256:") else 3
        assert row["tentativas"] == attempts, row["mongo_id"]


# --- one open row per document ----------------------------------------------------------------------


def test_a_document_has_one_open_row_that_counts_the_attempts(world: World, rows: Rows) -> None:
    bad = rejected(document("a", "A", at(D1)))
    world.put(bad)
    world.migrate(D1)
    first = one(rows)
    for attempt in (2, 3, 4):
        world.again(D1)
        row = one(rows)
        assert row["tentativas"] == attempt
        assert row["primeira_vez"] == first["primeira_vez"]
        assert row["ultima_vez"] > first["ultima_vez"]
        assert row["sha256"] == first["sha256"]


def test_the_open_row_tells_of_the_newest_rejected_version(world: World, rows: Rows) -> None:
    world.put(rejected(document("a", "A", at(D1))))
    world.migrate(D1)
    world.put({**document("a", "A", at(D2)), "type": "XX"})
    world.migrate(D2)
    row = one(rows)
    assert (row["particao"], row["codigos"], row["tentativas"]) == (D2, ["tipo_pessoa_invalido"], 2)
    assert list(row["erros"]) == ["type"]
    assert bytes(row["documento"]) == world.raw("a")
    assert row["sha256"] == hashlib.sha256(world.raw("a")).hexdigest()


def test_a_document_rejected_again_after_it_was_mended_gets_a_new_row(world: World, rows: Rows) -> None:
    world.put(rejected(document("a", "A", at(D1))))
    world.migrate(D1)
    world.put(document("a", "A", at(D2)))
    world.migrate(D2)
    world.put(rejected(document("a", "A", at(D3))))
    world.migrate(D3)
    closed, opened = sorted(rows("controle.quarentena"), key=lambda row: row["id"])
    assert (closed["particao"], closed["tentativas"]) == (D1, 1)
    assert closed["resolvido_em"] is not None
    assert (opened["particao"], opened["tentativas"], opened["resolvido_em"]) == (D3, 1, None)


# --- it closes by itself ----------------------------------------------------------------------------


def test_it_closes_when_a_later_good_version_loads(world: World, rows: Rows) -> None:
    world.put(rejected(document("a", "A", at(D1))), rejected(document("b", "B", at(D1))))
    world.migrate(D1)
    raw = world.raw("a")
    world.put(document("a", "A", at(D2)))
    world.migrate(D2)
    row = one(rows, mongo_id="a")
    assert row["ultima_vez"] < row["resolvido_em"] <= datetime.now(UTC)
    assert bytes(row["documento"]) == raw  # history
    assert world.quarantined() == {"b": ["ausente"]}
    assert world.contracts() == {"A": "a"}


def test_it_stays_closed_and_untouched_when_the_good_version_loads_again(world: World, rows: Rows) -> None:
    world.put(rejected(document("a", "A", at(D1))))
    world.migrate(D1)
    world.put(document("a", "A", at(D2)))
    world.migrate(D2)
    row = one(rows)
    world.again(D2)
    assert one(rows) == row


def test_it_is_not_closed_by_a_reading_from_before_the_rejection(world: World, rows: Rows) -> None:
    """The good version is read and waits in staging while a newer one is rejected."""
    world.put(document("a", "A", at(D1)))
    pipeline.extract(world.settings, D1)
    world.put(rejected(document("a", "A", at(D2))))
    world.migrate(D2)
    world.migrate(D1)
    assert world.quarantined() == {"a": ["ausente"]}
    assert world.contracts() == {"A": "a"}
    assert open_row(rows, "a")["particao"] == D2


def test_it_is_not_closed_by_running_the_good_versions_date_again_before_the_rejection_is_mended(
    world: World, rows: Rows
) -> None:
    world.put(document("a", "A", at(D1)))
    world.migrate(D1)
    world.put(rejected(document("a", "A", at(D2))))
    world.migrate(D2)
    world.again(D1)  # the document isn't of this date any more
    assert world.quarantined() == {"a": ["ausente"]}
    assert world.contracts() == {"A": "a"}


def test_a_rejected_newer_version_leaves_the_last_good_one_beside_its_open_row(
    world: World, rows: Rows
) -> None:
    world.put(unfounded(document("a", "A", at(D1), rows=5)))
    world.migrate(D1)
    tables = ("clientes", "contatos", "operacoes", "parcelas", "detalhamento_cet", "controle.qualidade")
    before = {table: rows(table) for table in tables}
    world.put(rejected(document("a", "A", at(D2), rows=2)))
    world.migrate(D2)
    world.again(D2)
    assert {table: rows(table) for table in tables} == before
    assert len(before["parcelas"]) == 5
    assert (open_row(rows, "a")["particao"], open_row(rows, "a")["tentativas"]) == (D2, 2)


# --- retry ------------------------------------------------------------------------------------------


def test_a_retry_loads_what_has_become_good_whatever_its_date(world: World, rows: Rows) -> None:
    oid = ObjectId()
    bad = [rejected(document(name, name.upper(), at(D1))) for name in ("a", "b", "gone")]
    world.put(*bad, {**rejected(document("x", "X", at(D1))), "_id": oid})
    world.migrate(D1)
    markers = world.markers(D1)
    world.put(document("a", "A", at(D2), rows=2), {**document("x", "X", at(D3)), "_id": oid})
    with world.collection() as collection:
        collection.delete_one({"_id": "gone"})
    counts, closed_gone = by_id.migrate_ids(world.settings, ["a", "b", "gone", str(oid)])
    assert (counts.lidos, counts.quarentena, closed_gone) == (3, 1, 1)
    assert world.contracts() == {"A": "a", "X": str(oid)}
    assert world.numbers("A") == [1, 2]
    assert world.quarantined() == {"b": ["ausente"]}
    assert open_row(rows, "b")["tentativas"] == 2
    assert one(rows, mongo_id="gone")["resolvido_em"] is not None
    assert world.markers(D1) == markers
    assert set(world.markers(D2)) == set()
    assert world.column("SELECT count(*) FROM staging.contratos") == [0]


def test_a_retry_of_the_loser_of_a_code_loads_it_once_the_code_is_free(world: World) -> None:
    world.put(document("a", "A", at(D1)), document("b", "A", at(D1, 13)))
    world.migrate(D1)
    assert (world.contracts(), world.quarantined()) == ({"A": "b"}, {"a": ["ccb_duplicado"]})
    counts, _ = by_id.migrate_ids(world.settings, ["a"])
    assert (counts.lidos, counts.quarentena) == (1, 1)
    assert world.quarantined() == {"a": ["ccb_duplicado"]}
    world.put(document("b", "B", at(D2)))
    world.migrate(D2)
    counts, _ = by_id.migrate_ids(world.settings, ["a"])
    assert (counts.lidos, counts.quarentena) == (1, 0)
    assert (world.contracts(), world.quarantined()) == ({"A": "a", "B": "b"}, {})


def test_a_retry_of_nothing_changes_nothing(world: World) -> None:
    world.put(document("a", "A", at(D1)))
    world.migrate(D1)
    before = world.row_versions()
    counts, gone = by_id.migrate_ids(world.settings, [])
    assert (counts.lidos, counts.quarentena, gone) == (0, 0, 0)
    assert world.row_versions() == before


# --- circuit breaker --------------------------------------------------------------------------------


def put_many(world: World, bad: int, good: int) -> None:
    documents = [rejected(document(f"bad{n}", f"B{n}", at(D1), client=f"b{n}", rows=1)) for n in range(bad)]
    documents += [document(f"good{n}", f"G{n}", at(D1), client=f"g{n}", rows=1) for n in range(good)]
    with world.collection() as collection:
        collection.insert_many(documents)


def assert_broken(world: World, rows: Rows, bad: int) -> None:
    with pytest.raises(CircuitBroken) as caught:
        world.migrate(D1)
    assert caught.value.exit_code == 11
    said = str(caught.value)
    assert f"{D1}: {bad} of " in said
    assert "ausente" in said
    assert "\n" not in said
    assert world.markers(D1) == {}
    assert world.query("SELECT 1 FROM staging.contratos UNION ALL SELECT 1 FROM staging.parcelas") == []
    assert rows("operacoes") == rows("clientes") == rows("controle.reconciliacoes") == []
    assert len(world.quarantined()) == bad


def test_fifty_rejected_of_a_hundred_pass(world: World, rows: Rows) -> None:
    put_many(world, 50, 50)
    world.migrate(D1)
    assert set(world.markers(D1)) == set(STEPS)
    assert (len(world.contracts()), len(world.quarantined())) == (50, 50)


def test_fifty_one_rejected_of_sixty_fail_and_only_the_quarantine_is_filled(world: World, rows: Rows) -> None:
    put_many(world, 51, 9)
    assert_broken(world, rows, 51)


def test_a_broken_date_loads_once_its_documents_are_mended(world: World, rows: Rows) -> None:
    put_many(world, 51, 9)
    assert_broken(world, rows, 51)
    world.put(*(document(f"bad{n}", f"B{n}", at(D1, 13), client=f"b{n}", rows=1) for n in range(51)))
    world.migrate(D1)
    assert len(world.contracts()) == 60
    assert world.quarantined() == {}
    assert {row["tentativas"] for row in rows("controle.quarentena")} == {1}


def test_exactly_the_share_passes_and_one_more_fails(world: World, rows: Rows) -> None:
    """(The share that is allowed where nothing is said: tests/unit.)"""
    world = World(replace(world.settings, max_rejected_share=0.5))
    put_many(world, 60, 60)
    with world.collection() as collection:
        collection.insert_one(rejected(document("one more", "M", at(D1))))
    assert_broken(world, rows, 61)
    with world.collection() as collection:
        collection.delete_one({"_id": "one more"})
    world.migrate(D1)
    assert len(world.contracts()) == 60


def test_a_share_of_one_turns_the_breaker_off(world: World) -> None:
    put_many(world, 60, 0)
    tolerant = World(replace(world.settings, max_rejected_share=1.0))
    tolerant.migrate(D1)
    assert set(world.markers(D1)) == set(STEPS)
    assert len(world.quarantined()) == 60


def test_a_share_of_zero_still_lets_fifty_pass(world: World, rows: Rows) -> None:
    put_many(world, 51, 50)
    strict = World(replace(world.settings, max_rejected_share=0.0))
    assert_broken(strict, rows, 51)
    with world.collection() as collection:
        collection.delete_one({"_id": "bad0"})
    strict.migrate(D1)
    assert len(world.contracts()) == 50


# --- promoted findings ------------------------------------------------------------------------------


def test_a_finding_can_be_promoted_to_a_rejection(world: World, rows: Rows) -> None:
    world.put(unfounded(document("a", "A", at(D1))), document("b", "B", at(D1), state="ZZ"))
    world.migrate(D1)
    assert sorted(world.contracts()) == ["A", "B"]
    assert {row["codigo"] for row in rows("controle.qualidade")} == {"numero_parcelas", "uf_desconhecida"}

    strict = World(replace(world.settings, reject_findings="numero_parcelas, cpf_digito"))
    strict.clear()
    strict.migrate(D1)
    assert sorted(world.contracts()) == ["B"]
    row = one(rows)
    assert (row["mongo_id"], row["codigos"]) == ("a", ["numero_parcelas"])
    assert list(row["erros"]) == ["operation.NumeroDeParcelas"]
    assert bytes(row["documento"]) == world.raw("a")
    assert {row["codigo"] for row in rows("controle.qualidade")} == {"uf_desconhecida"}


def test_a_promoted_finding_counts_for_the_breaker_and_closes_without_the_promotion(
    world: World, rows: Rows
) -> None:
    with world.collection() as collection:
        collection.insert_many([unfounded(document(f"a{n}", f"A{n}", at(D1))) for n in range(51)])
    strict = World(replace(world.settings, reject_findings="numero_parcelas"))
    with pytest.raises(CircuitBroken, match="numero_parcelas 51"):
        strict.migrate(D1)
    world.migrate(D1)
    assert len(world.contracts()) == 51
    assert world.quarantined() == {}


def test_what_has_no_time_is_rejected_if_that_is_promoted(world: World, rows: Rows) -> None:
    strict = World(replace(world.settings, reject_findings="sem_data"))
    strict.put(contract(updatedAt=MISSING, createdAt=MISSING, emitedAt=MISSING))
    strict.migrate(datetime(1970, 1, 1).date() - timedelta(days=1))
    assert one(rows)["codigos"] == ["sem_data"]
    assert rows("operacoes") == []


def test_of_dates_side_by_side_the_first_to_commit_has_the_document_whose_time_can_not_be_read(
    world: World, rows: Rows
) -> None:
    odd = Refused("odd", ["data_invalida"], {"updatedAt": ["data_invalida"]}, b"bytes")

    def put(connection: Connection, day: date) -> set[str]:
        return quarantine.put_timeless(connection, [odd], day, again=False)

    engine = create_engine(
        "postgresql+psycopg2://", creator=lambda: psycopg2.connect(world.settings.postgres_url)
    )
    with ThreadPoolExecutor() as pool, engine.connect() as first, engine.connect() as second:
        assert put(first, D1) == {"odd"}
        later = pool.submit(put, second, D2)
        waits = "wait_event_type = 'Lock' AND datname = current_database()"
        while not world.one(f"SELECT count(*) FROM pg_stat_activity WHERE {waits}"):
            assert not later.done()
        first.commit()
        assert later.result(timeout=60) == set()
        second.commit()
    engine.dispose()
    assert (one(rows)["particao"], one(rows)["tentativas"]) == (D1, 1)
