"""The rules of the contract (§3), each as a promise about what is in the tables afterwards."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from itertools import permutations
from typing import Any

import bson
import pytest
from sqlalchemy import event
from world import (
    D1,
    D2,
    D3,
    D4,
    DAYS,
    EIGHT,
    ORDERS,
    STEPS,
    Document,
    World,
    at,
    at_once,
    document,
    rejected,
    unfounded,
)

from ccb_luigi.database import postgres
from ccb_luigi.errors import NotReconciled, StagingIncomplete
from ccb_luigi.load import markers, pipeline
from ccb_luigi.settings import Settings

CLIENT_TABLES = ("identidades", "enderecos", "contatos", "dados_bancarios")


@pytest.fixture
def world(database_url: str, mongo: Any) -> World:
    return World(
        Settings(
            # Nothing here pulls the plug, and each date is eleven commits.
            postgres_url=f"{database_url}?options=-csynchronous_commit%3Doff",
            mongo_uri=mongo.uri,
            mongo_database=mongo.name,
            retry_seconds=30,
            lock_seconds=60,
        )
    )


def static_source() -> list[Document]:
    """Four dates; clients in several of them, two documents of one code, findings, one rejection."""
    return [
        document("a1", "C1", at(D1), client="c1"),
        document("a2", "C2", at(D1, 13), client="c2", rows=5),
        document("a3", "DOUBLE", at(D1, 14), client="c3"),
        unfounded(document("b1", "C3", at(D2), client="c1")),
        document("b2", "DOUBLE", at(D2, 13), client="c4"),
        rejected(document("b3", "C4", at(D2, 14), client="c2")),
        document("c1", "C5", at(D3), client="c2", identity=None),
        unfounded(document("c2", "DOUBLE", at(D3, 5), client="c1")),
        document("d1", "C6", at(D4), client="c4", contacts={"email": "only@example.com"}),
        document("d2", "C7", at(D4, 4), client="c1", bankData=None),
    ]


# --- 1, 2: any date, again, in any order -------------------------------------------------------------


def test_a_date_run_again_changes_not_one_row_version(world: World) -> None:
    world.put(*static_source())
    world.migrate(*DAYS)
    before, tables = world.row_versions(), world.tables()
    for day in (D1, D2, D3, D4):
        first = world.markers(day)
        world.again(day)
        assert world.row_versions() == before
        assert world.tables() == tables
        again = world.markers(day)
        assert set(again) == set(STEPS)
        assert all(again[step] > first[step] for step in STEPS)
        written = world.query(
            "SELECT contagens FROM table_updates WHERE particao = %s AND target_table = ANY(%s)",
            day,
            list(EIGHT),
        )
        assert written == [({"inserted": 0, "updated": 0, "deleted": 0},)] * 8


def test_a_date_that_is_marked_is_left_alone(world: World) -> None:
    world.put(document("a1", "C1", at(D1)))
    world.migrate(D1)
    first = world.markers(D1)
    world.put(document("a1", "C1", at(D1, 13)))
    world.migrate(D1)
    assert world.markers(D1) == first
    assert world.column("SELECT status FROM operacoes") == [f"Status a1 {at(D1):%d-%H-%M}"]


def test_dates_end_in_the_same_tables_in_whatever_order_they_run(world: World) -> None:
    world.put(*static_source())
    world.migrate(*DAYS)
    expected = world.tables()
    assert world.contracts() == {
        "C1": "a1", "C2": "a2", "C3": "b1", "C5": "c1", "C6": "d1", "C7": "d2", "DOUBLE": "c2",
    }  # fmt: skip
    assert world.quarantined() == {
        "a3": ["ccb_duplicado"],
        "b2": ["ccb_duplicado"],
        "b3": ["ausente"],
    }
    for order in ORDERS:
        world.clear()
        world.migrate(*order)
        assert world.tables() == expected, order


def test_changes_of_a_loaded_source_end_in_the_same_tables_in_whatever_order(world: World) -> None:
    """A moved code, a moved client, a shrunk schedule and a new rival of a code, over three dates."""
    loaded = [
        document("m", "OLD", at(D1), client="c1", rows=4),
        document("n", "N", at(D1, 13), client="c2", rows=6),
        document("o", "O", at(D1, 14), client="c1"),
    ]
    changed = [
        document("m", "NEW", at(D2), client="c1", rows=2),
        document("n", "N", at(D3), client="c1", rows=1),
        document("p", "O", at(D4), client="c3"),
        document("q", "Q", at(D2, 13), client="c2"),
    ]
    expected = None
    for order in permutations((D2, D3, D4)):
        world.clear()
        world.empty_source()
        world.put(*loaded)
        world.migrate(D1)
        world.put(*changed)
        world.migrate(*order)
        assert world.contracts() == {"NEW": "m", "N": "n", "O": "p", "Q": "q"}
        expected = expected or world.tables()
        assert world.tables() == expected, order


def test_a_contract_freed_by_a_moved_code_is_loaded_in_whatever_order_the_dates_run(world: World) -> None:
    """The older of two documents lost the code; then the newer one takes another code."""
    for order in permutations((D1, D3)):
        world.clear()
        world.empty_source()
        world.put(document("x", "C", at(D1)), document("y", "C", at(D2)))
        world.migrate(D2)
        world.put(document("y", "D", at(D3)))
        world.migrate(*order)
        assert world.contracts() == {"C": "x", "D": "y"}, order
        assert world.quarantined() == {}, order


# --- 3: a client is one document's -------------------------------------------------------------------


def client_data(world: World, client: str) -> dict[str, list[Any]]:
    """Everything that is kept of a client's borrower data."""
    asked = {
        "clientes": "SELECT nome FROM clientes WHERE client_id = %s",
        "identidades": "SELECT numero FROM identidades WHERE client_id = %s ORDER BY tipo",
        "enderecos": "SELECT cidade FROM enderecos WHERE client_id = %s",
        "contatos": 'SELECT valor FROM contatos WHERE client_id = %s ORDER BY valor COLLATE "C"',
        "dados_bancarios": "SELECT conta FROM dados_bancarios WHERE client_id = %s",
    }
    arrays = ", ".join(f"ARRAY({statement})" for statement in asked.values())
    ((*found,),) = world.query(f"SELECT {arrays}", *[client] * len(asked))
    return dict(zip(asked, found, strict=True))


def data_of(tag: str) -> dict[str, list[str]]:
    """``client_data`` of the document with this tag, as ``world.document`` writes it."""
    return {
        "clientes": [f"Nome {tag}"],
        "identidades": ["39825979194", f"RG {tag}"],
        "enderecos": [f"Cidade {tag}"],
        "contatos": sorted([f"1 {tag}", f"2 {tag}", f"{tag}@example.com"]),
        "dados_bancarios": [f"Conta {tag}"],
    }


def test_a_client_of_many_contracts_is_the_newest_documents_in_every_part(world: World) -> None:
    world.put(*(document(f"k{n}", f"C{n}", at(day)) for n, day in enumerate((D1, D2, D3))))
    for order in ((D1, D2, D3), (D2, D3, D1), (D3, D2, D1)):  # the newest last, between, first
        world.clear()
        world.migrate(*order)
        assert client_data(world, "c1") == data_of("k2 04-12-00"), order
        assert world.query("SELECT mongo_id, atualizado_em FROM clientes") == [("k2", at(D3))]


def test_a_client_keeps_nothing_that_its_newest_document_does_not_say(world: World) -> None:
    full = document("k1", "C1", at(D1))
    bare = document("k2", "C2", at(D2), identity=None, address=None, contacts=None, bankData=None)
    for order in ((D1, D2), (D2, D1)):
        world.clear()
        world.put(full, bare)
        world.migrate(*order)
        assert client_data(world, "c1") == {
            "clientes": ["Nome k2 03-12-00"],
            "identidades": ["39825979194"],
            "enderecos": [],
            "contatos": [],
            "dados_bancarios": [],
        }


@pytest.mark.parametrize("ids", [("Z", "a"), ("a", "Z")])
def test_of_versions_of_one_instant_the_greater_id_by_bytes_counts(
    world: World, ids: tuple[str, str]
) -> None:
    """ "Z" is less than "a" in bytes, and greater in most languages' order."""
    for mongo_id in ids:
        world.put(document(mongo_id, "C", at(D1)))
    world.migrate(D1)
    assert client_data(world, "c1") == data_of("a 02-12-00")
    assert world.contracts() == {"C": "a"}
    assert world.quarantined() == {"Z": ["ccb_duplicado"]}


def test_a_document_that_arrives_later_with_the_same_instant_and_a_lesser_id_stays_behind(
    world: World,
) -> None:
    world.put(document("a", "C", at(D1)))
    world.migrate(D1)
    world.put(document("Z", "C", at(D1)))
    world.again(D1)
    assert client_data(world, "c1") == data_of("a 02-12-00")
    assert world.contracts() == {"C": "a"}
    assert world.quarantined() == {"Z": ["ccb_duplicado"]}


def test_a_client_stays_when_no_contract_names_it_any_more(world: World) -> None:
    world.put(document("a", "C", at(D1), client="old"))
    world.migrate(D1)
    world.put(document("a", "C", at(D2), client="new"))
    world.migrate(D2)
    assert client_data(world, "old") == data_of("a 02-12-00")
    assert client_data(world, "new") == data_of("a 03-12-00")
    assert world.one("SELECT client_id FROM operacoes") == "new"


# --- 4: children are a set ---------------------------------------------------------------------------


def test_a_schedule_of_12_then_9_then_0_then_5_is_exactly_that_after_each_run(world: World) -> None:
    for day, rows in zip(DAYS, (12, 9, 0, 5), strict=True):
        world.put(document("a", "C", at(day), rows=rows))
        world.migrate(day)
        assert world.numbers("C") == list(range(1, rows + 1))
        balances = world.column("SELECT valor_saldo_atual FROM parcelas ORDER BY numero_parcela DESC")
        assert [int(balance) for balance in balances] == [100 * n for n in range(rows)]
    shrunk = world.query(
        "SELECT particao, contagens FROM table_updates WHERE target_table = 'parcelas' ORDER BY 1"
    )
    assert [counts["deleted"] for _, counts in shrunk] == [0, 3, 9, 0]


def test_a_schedule_may_vanish_altogether_and_with_it_the_parts_of_the_cet(world: World) -> None:
    world.put(document("a", "C", at(D1), rows=4))
    world.migrate(D1)
    bare = {"VencimentoPrimeiraParcela": "2026-04-10", "ValorBruto": "400.00", "ValorLiquido": "400.00"}
    world.put(document("a", "C", at(D2), operation=bare))
    world.migrate(D2)
    assert world.numbers("C") == []
    assert world.one("SELECT count(*) FROM detalhamento_cet") == 0
    assert world.contracts() == {"C": "a"}


def test_unchanged_rows_are_not_rewritten_beside_changed_ones(world: World) -> None:
    world.put(document("a", "A", at(D1), client="ca"), document("b", "B", at(D1), client="cb", rows=4))
    world.migrate(D1)
    before = world.row_versions()
    changed = document("b", "B", at(D1, 13), client="cb", rows=4)
    changed["operation"]["parcelas"]["PrevisaoDeParcela"][1]["DataDeVencimento"] = "2026-05-11"
    world.put(changed)
    world.again(D1)
    after = world.row_versions()
    for table in EIGHT:
        ours = [row for row in before[table] if row[2].startswith(("(A,", "(ca,"))]
        assert ours
        assert set(ours) <= set(after[table]), table
    kept = set(before["parcelas"]) & set(after["parcelas"])
    assert sorted(row[2].split(",")[1] for row in kept if row[2].startswith("(B,")) == ["1", "3", "4"]
    assert world.one("SELECT contagens FROM table_updates WHERE update_id = %s", f"parcelas:{D1}") == {
        "inserted": 0,
        "updated": 1,
        "deleted": 0,
    }


# --- 5: one code, two documents; moved codes; rejections -----------------------------------------------


@pytest.mark.parametrize("order", [(D1, D2), (D2, D1)])
def test_of_two_documents_of_one_code_the_newest_has_the_row_and_the_other_is_kept_whole(
    world: World, order: tuple[date, date]
) -> None:
    old = document("old", "C", at(D1), client="of old", rows=5)
    new = document("new", "C", at(D2), client="of new", rows=2)
    world.put(old, new)
    world.migrate(*order)
    assert world.contracts() == {"C": "new"}
    assert world.numbers("C") == [1, 2]
    ((mongo_id, codes, raw, digest, day),) = world.query(
        "SELECT mongo_id, codigos, documento, sha256, particao FROM controle.quarentena"
        " WHERE resolvido_em IS NULL"
    )
    assert (mongo_id, codes, day) == ("old", ["ccb_duplicado"], D1)
    assert bytes(raw) == world.raw("old")
    assert digest == hashlib.sha256(bytes(raw)).hexdigest()
    assert bson.decode(bytes(raw))["operation"] == old["operation"]
    assert client_data(world, "of old") == data_of("old 02-12-00")


def test_two_documents_of_one_code_and_one_date_leave_one_row_and_one_rejection(world: World) -> None:
    for first, second in permutations(("e", "f")):
        world.clear()
        world.empty_source()
        for mongo_id in (first, second):
            moment = at(D1, 15 if mongo_id == "e" else 14)
            world.put(document(mongo_id, "C", moment, client=f"of {mongo_id}", rows=ord(mongo_id) - 99))
        world.migrate(D1)
        assert world.contracts() == {"C": "e"}
        assert world.numbers("C") == [1, 2]
        assert world.quarantined() == {"f": ["ccb_duplicado"]}
        assert world.column("SELECT client_id FROM clientes ORDER BY 1") == ["of e", "of f"]
        assert world.query("SELECT lidos, carregados, quarentena, ok FROM controle.reconciliacoes") == [
            (2, 1, 1, True)
        ]


def test_a_document_whose_code_changed_takes_its_contract_along(world: World) -> None:
    world.put(unfounded(document("a", "OLD", at(D1), rows=4)), document("b", "B", at(D1)))
    world.migrate(D1)
    assert world.column("SELECT ccb_code FROM controle.qualidade") == ["OLD"]
    world.put(document("a", "NEW", at(D2), rows=2))
    world.migrate(D2)
    assert world.contracts() == {"NEW": "a", "B": "b"}
    assert world.numbers("OLD") == []
    assert world.numbers("NEW") == [1, 2]
    assert world.column("SELECT ccb_code FROM detalhamento_cet ORDER BY 1") == ["B", "NEW"]
    assert world.column("SELECT ccb_code FROM controle.qualidade") == []


@pytest.mark.parametrize("days", [(D2, D2), (D2, D3), (D3, D2)])
def test_two_documents_swap_their_codes(world: World, days: tuple[date, date]) -> None:
    world.put(document("a", "A", at(D1), rows=2), document("b", "B", at(D1), client="c2", rows=3))
    world.migrate(D1)
    world.put(
        document("a", "B", at(days[0], 13), rows=4),
        document("b", "A", at(days[1], 14), client="c2", rows=5),
    )
    for order in permutations(sorted(set(days))):
        world.again(D1)
        world.again(*order)
        assert world.contracts() == {"B": "a", "A": "b"}
        assert (world.numbers("B"), world.numbers("A")) == ([1, 2, 3, 4], [1, 2, 3, 4, 5])
        assert world.quarantined() == {}


def test_a_newer_version_that_is_rejected_leaves_the_last_good_one(world: World) -> None:
    world.put(document("a", "C", at(D1)))
    world.migrate(D1)
    before = world.row_versions()
    world.put(rejected(document("a", "C", at(D2), rows=1)))
    world.migrate(D2)
    assert world.row_versions() == before
    assert world.quarantined() == {"a": ["ausente"]}
    world.put(document("a", "C", at(D3), rows=2))
    world.migrate(D3)
    assert world.numbers("C") == [1, 2]
    assert world.quarantined() == {}
    assert world.one("SELECT count(*) FROM controle.quarentena WHERE resolvido_em IS NOT NULL") == 1


def test_a_rejection_closes_when_a_version_loads_that_was_read_before_the_rejection_was_written(
    world: World,
) -> None:
    """Two dates side by side: the first displaces a document whose new version the second has read."""
    world.put(document("a", "A", at(D1)), document("b", "B", at(D1, 13), client="c2"))
    world.migrate(D1)
    world.put(document("a", "B", at(D2)), document("b", "E", at(D3), client="c2"))
    pipeline.extract(world.settings, D2)
    pipeline.extract(world.settings, D3)
    world.load(D2)
    world.load(D3)
    pipeline.reconcile_day(world.settings, D2)
    pipeline.reconcile_day(world.settings, D3)
    assert world.contracts() == {"B": "a", "E": "b"}
    assert world.quarantined() == {}


def test_findings_are_those_of_the_version_that_is_loaded(world: World) -> None:
    world.put(unfounded(document("a", "C", at(D1))))
    world.migrate(D1)
    world.put(unfounded(document("a", "C", at(D2))))
    world.migrate(D2)
    found = world.query("SELECT ccb_code, mongo_id, codigo, campo, particao FROM controle.qualidade")
    assert found == [("C", "a", "numero_parcelas", "operation.NumeroDeParcelas", D2)]
    world.put(document("a", "C", at(D3)))
    world.migrate(D3)
    assert world.query("SELECT FROM controle.qualidade") == []


def test_a_document_that_loads_again_is_not_gone(world: World) -> None:
    world.put(document("a", "A", at(D1)), document("b", "B", at(D1)))
    world.migrate(D1)
    world.query("UPDATE operacoes SET excluido_em = now() WHERE ccb_code = 'A'")
    before = world.row_versions()["operacoes"]
    world.again(D1)
    assert world.query("SELECT ccb_code, excluido_em FROM operacoes ORDER BY 1") == [("A", None), ("B", None)]
    kept = set(before) & set(world.row_versions()["operacoes"])
    assert [row[2][:3] for row in kept] == ["(B,"]


# --- 6: rows and marker, or neither ------------------------------------------------------------------


def test_a_step_whose_staging_lost_rows_loads_nothing(world: World) -> None:
    world.put(unfounded(document("a", "A", at(D1))), document("b", "B", at(D1), client="c2"))
    pipeline.extract(world.settings, D1)
    also = {"clientes": ["contratos"], "operacoes": ["qualidade"]}
    for step in EIGHT:
        for staged in (step, *also.get(step, ())):
            first = f"ctid = (SELECT min(ctid) FROM staging.{staged})"
            world.query(f"CREATE TABLE lost AS SELECT * FROM staging.{staged} WHERE {first}")
            assert world.query(f"DELETE FROM staging.{staged} WHERE {first} RETURNING 1") == [(1,)], staged
            with pytest.raises(StagingIncomplete):
                world.load(D1, step)
            assert world.one(f"SELECT count(*) FROM {step}") == 0, staged
            assert step not in world.markers(D1), staged
            world.query(f"INSERT INTO staging.{staged} SELECT * FROM lost")
            world.query("DROP TABLE lost")
        world.load(D1, step)
    pipeline.reconcile_day(world.settings, D1)
    assert set(world.markers(D1)) == set(STEPS)
    assert world.contracts() == {"A": "a", "B": "b"}


def test_no_date_is_proven_whose_staging_lost_a_document(world: World) -> None:
    world.put(document("a", "A", at(D1)), document("b", "B", at(D1), client="c2"))
    pipeline.extract(world.settings, D1)
    for table in EIGHT:
        world.load(D1, table)
    assert world.query("DELETE FROM staging.contratos WHERE mongo_id = 'b' RETURNING 1") == [(1,)]
    with pytest.raises(StagingIncomplete, match=r"staging\.contratos holds 1 rows, the extraction wrote 2"):
        pipeline.reconcile_day(world.settings, D1)
    assert "reconciliacoes" not in world.markers(D1)
    assert world.one("SELECT count(*) FROM controle.versoes") == 0


def test_nothing_loads_before_the_date_is_extracted(world: World) -> None:
    world.put(document("a", "A", at(D1)))
    with pytest.raises(StagingIncomplete):
        world.load(D1, "clientes")
    assert world.markers(D1) == {}


class Killed(BaseException):
    """Stands for the end of the process."""


@contextmanager
def ending_at(step: str, end: Callable[[], object]) -> Iterator[None]:
    """Before the marker of ``step`` is put, ``end`` happens."""
    put = markers.put

    def put_all_but(connection: Any, this: str, *rest: Any) -> None:
        if this == step:
            end()
        put(connection, this, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(markers, "put", put_all_but)
        yield


def die() -> None:
    raise Killed


def test_a_step_killed_between_rows_and_marker_leaves_neither(world: World) -> None:
    """Each in its turn: what is run again goes on behind the steps that are marked."""
    world.put(unfounded(document("a", "A", at(D1))), rejected(document("b", "B", at(D1))))
    for done, step in enumerate(STEPS):
        with ending_at(step, die), pytest.raises(Killed):
            world.migrate(D1)
        assert set(world.markers(D1)) == set(STEPS[:done])
        _assert_no_rows(world, step)
    world.migrate(D1)
    _assert_whole(world)


def test_a_process_that_ends_between_rows_and_marker_leaves_neither(world: World) -> None:
    world.put(unfounded(document("a", "A", at(D1))), rejected(document("b", "B", at(D1))))
    for step in ("contratos", "operacoes", "parcelas"):
        with ending_at(step, lambda: os._exit(9)):
            assert at_once(lambda: world.migrate(D1)) == ["exit status 9"], step
        assert step not in world.markers(D1)
        _assert_no_rows(world, step)
    world.migrate(D1)
    _assert_whole(world)


def _assert_no_rows(world: World, step: str) -> None:
    if step in EIGHT:
        assert world.one(f"SELECT count(*) FROM {step}") == 0, step
    elif step == "contratos":
        assert world.one("SELECT count(*) FROM staging.contratos") == 0
        assert world.quarantined() == {}
    else:
        assert world.query("SELECT FROM controle.reconciliacoes") == []


def _assert_whole(world: World) -> None:
    assert set(world.markers(D1)) == set(STEPS)
    assert world.contracts() == {"A": "a"}
    assert world.numbers("A") == [1, 2, 3]
    assert world.quarantined() == {"b": ["ausente"]}
    assert world.one("SELECT count(*) FROM staging.contratos") == 0


def test_rows_of_a_table_come_back_by_forgetting_that_table_alone(world: World) -> None:
    world.put(*static_source())
    world.migrate(*DAYS)
    expected, marked = world.tables(), world.markers(D1)
    world.query("DELETE FROM parcelas WHERE ccb_code = 'C2' AND numero_parcela > 1")
    world.query("UPDATE parcelas SET valor_prestacao = 1 WHERE ccb_code = 'C1'")
    world.forget(D1, "parcelas")
    world.migrate(D1)
    assert world.tables() == expected
    again = world.markers(D1)
    redone = {step for step in STEPS if again[step] != marked[step]}
    assert redone == {"contratos", "parcelas", "reconciliacoes"}
    assert world.one("SELECT contagens FROM table_updates WHERE update_id = %s", f"parcelas:{D1}") == {
        "inserted": 4,
        "updated": 3,
        "deleted": 0,
    }


def test_forgetting_a_table_forgets_what_depends_on_it_and_nothing_else(world: World) -> None:
    world.put(document("a", "A", at(D1)))
    world.migrate(D1, D2)
    other = world.markers(D2)
    world.forget(D1, "operacoes")
    assert set(world.markers(D1)) == {"clientes", *CLIENT_TABLES}
    assert world.markers(D2) == other
    world.forget(D1, "clientes")
    assert world.markers(D1) == {}


# --- 6: two at once ----------------------------------------------------------------------------------


def test_two_runs_of_one_date_at_once_do_it_once(world: World) -> None:
    world.put(*static_source())
    world.migrate(D2)
    expected = world.tables()
    for _ in range(3):
        world.clear()
        assert at_once(*[lambda: world.migrate(D2)] * 3) == []
        assert world.tables() == expected
        assert set(world.markers(D2)) == set(STEPS)
        assert world.one("SELECT count(*) FROM table_updates") == len(STEPS)
        assert world.column("SELECT tentativas FROM controle.quarentena") == [1]


def test_neighbouring_dates_at_once_end_as_one_after_the_other(world: World) -> None:
    first = [
        *(document(f"s{n:02}", f"S{n:02}", at(D1, 4, n), client=f"k{n % 7}", rows=n % 5) for n in range(40)),
        *(document(f"t{n}", f"T{n}", at(D1, 5, n), client=f"k{n}", rows=2) for n in range(6)),
    ]
    second = [
        # Each date rewrites contracts and clients of the other's, in opposite order.
        *(
            document(
                f"s{n:02}", f"S{n:02}", at(D2 if n % 2 else D3, 4, 59 - n), client=f"k{n % 5}", rows=n % 4
            )
            for n in range(40)
        ),
        # Rivals for codes, and codes handed on: t0 -> T1 -> ... over both dates.
        *(
            document(f"t{n}", f"T{(n + 1) % 6}", at(D2 if n % 2 else D3, 5, n), client=f"k{n}")
            for n in range(6)
        ),
        *(document(f"u{n}", f"S{n:02}", at(D3 if n % 2 else D2, 6, n), client="k1") for n in range(10)),
    ]

    def prepare() -> None:
        world.clear()
        world.empty_source()
        world.put(*first)
        world.migrate(D1)
        world.put(*second)

    prepare()
    world.migrate(D2, D3)
    expected = world.tables()
    for _ in range(2):
        prepare()
        assert at_once(lambda: world.migrate(D2), lambda: world.migrate(D3)) == []
        assert world.tables() == expected


# --- 10: every document counts -----------------------------------------------------------------------


def test_every_document_of_a_mixed_date_is_accounted_for(world: World) -> None:
    world.put(
        document("same", "SAME", at(D1), rows=2),
        document("changes", "CHANGES", at(D1)),
        document("ahead", "AHEAD", at(D2)),
        document("rival", "DOUBLE", at(D2)),
    )
    world.migrate(D1, D2)
    world.put(
        document("changes", "CHANGES", at(D1, 13), rows=7),
        document("ahead", "AHEAD", at(D1)),  # the source went back, as after a restore
        document("new", "NEW", at(D1)),
        document("loses", "DOUBLE", at(D1)),
        rejected(document("bad", "BAD", at(D1))),
    )
    world.again(D1)
    counted = world.query(
        "SELECT lidos, carregados, sem_mudanca, obsoletos, quarentena, ok FROM controle.reconciliacoes"
        " WHERE particao = %s",
        D1,
    )
    assert counted == [(6, 2, 1, 1, 2, True)]
    sums = world.query(
        "SELECT soma_valor_bruto_origem, soma_valor_bruto_destino, soma_prestacoes_origem,"
        " soma_prestacoes_destino FROM controle.reconciliacoes WHERE particao = %s",
        D1,
    )
    assert [float(value) for value in sums[0]] == [200 + 700 + 300] * 4
    assert world.quarantined() == {"loses": ["ccb_duplicado"], "bad": ["ausente"]}
    assert world.one("SELECT atualizado_em FROM operacoes WHERE ccb_code = 'AHEAD'") == at(D2)


def test_an_empty_date_is_proven_too(world: World) -> None:
    world.put(document("other", "A", at(D2)))  # a source that holds nothing at all is another matter
    world.migrate(D1)
    assert set(world.markers(D1)) == set(STEPS)
    assert world.query("SELECT lidos, carregados, ok FROM controle.reconciliacoes") == [(0, 0, True)]


def load_and_damage(world: World, damage: str) -> None:
    """Two documents' contracts A and B in all tables, one of which is changed before the proof."""
    world.put(document("a", "A", at(D1)), document("b", "B", at(D1)))
    pipeline.extract(world.settings, D1)
    world.load(D1)
    world.query(damage)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE operacoes SET valor_bruto = valor_bruto + 0.01 WHERE ccb_code = 'A'",
        "UPDATE parcelas SET valor_prestacao = valor_prestacao - 0.01"
        " WHERE ccb_code = 'B' AND numero_parcela = 2",
        "DELETE FROM parcelas WHERE ccb_code = 'A' AND numero_parcela = 3",
        "DELETE FROM operacoes WHERE ccb_code = 'A'",
    ],
)
def test_a_target_that_differs_by_a_cent_is_not_marked_as_proven(world: World, damage: str) -> None:
    load_and_damage(world, damage)
    with pytest.raises(NotReconciled):
        pipeline.reconcile_day(world.settings, D1)
    assert world.column("SELECT ok FROM controle.reconciliacoes") == [False]
    assert set(world.markers(D1)) == set(STEPS) - {"reconciliacoes"}
    world.again(D1)
    assert world.column("SELECT ok FROM controle.reconciliacoes") == [True]
    assert world.numbers("A") == world.numbers("B") == [1, 2, 3]


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM operacoes WHERE ccb_code = 'A'",
        "UPDATE operacoes SET atualizado_em = atualizado_em - interval '1 hour' WHERE ccb_code = 'A'",
        "UPDATE operacoes SET mongo_id = '0' WHERE ccb_code = 'A'",
        # Of amounts of zero no sum tells that they are missing.
        "UPDATE staging.contratos SET valor_bruto = 0, soma_prestacoes = 0 WHERE ccb_code = 'A';"
        " DELETE FROM operacoes WHERE ccb_code = 'A'",
    ],
)
def test_a_document_whose_version_is_not_in_the_table_is_not_accounted_for(world: World, damage: str) -> None:
    load_and_damage(world, damage)
    with pytest.raises(NotReconciled, match="2 documents read, 1 accounted for"):
        pipeline.reconcile_day(world.settings, D1)


WAITS = """
    SELECT count(*) FROM pg_locks
    WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


@contextmanager
def overtaken(
    world: World, here: Callable[[str, Any], bool], overtake: Callable[[], object]
) -> Iterator[None]:
    """Before the first statement that is ``here`` another process does its work, as far as locks let it."""

    def work() -> None:
        try:
            overtake()
        finally:
            os._exit(0)

    process = multiprocessing.get_context("fork").Process(target=work)

    def before(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        if here(" ".join(statement.split()), parameters) and process.pid is None:
            process.start()
            deadline = time.monotonic() + 5
            while process.is_alive() and not world.one(WAITS) and time.monotonic() < deadline:
                time.sleep(0.02)

    engine = postgres.of_process(world.settings).engine
    event.listen(engine, "before_cursor_execute", before)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", before)
        if process.pid:
            process.join(60)
    assert process.pid, "nobody came"


@pytest.mark.parametrize("table", ["clientes", "operacoes"])
def test_a_load_waits_for_another_dates_load_of_the_same_table(world: World, table: str) -> None:
    """What it has found missing the other one would insert as well."""
    world.put(document("a", "A", at(D1)), document("b", "A", at(D2)))
    for day in (D1, D2):
        pipeline.extract(world.settings, day)
        for earlier in EIGHT[: EIGHT.index(table)]:
            world.load(day, earlier)
    inserts = f"INSERT INTO {table} "
    with overtaken(world, lambda said, _: said.startswith(inserts), lambda: world.load(D2, table)):
        world.load(D1, table)
    world.migrate(D1, D2)
    assert world.contracts() == {"A": "b"}
    assert world.column("SELECT mongo_id FROM clientes") == ["b"]


STATEMENTS_OF_A_PROOF = 17


@pytest.mark.parametrize("statement", range(STATEMENTS_OF_A_PROOF))
def test_a_date_is_proven_although_the_next_one_overtakes_it_at_that_moment(
    world: World, statement: int
) -> None:
    """The next date's loads commit (or wait) before the given statement, from the proof's own lock on."""
    world.put(document("s", "S", at(D1)), document("t", "T", at(D1)))
    pipeline.extract(world.settings, D1)
    world.load(D1)
    world.put(document("u", "S", at(D2), rows=7), document("t", "T", at(D2), rows=5))
    pipeline.extract(world.settings, D2)
    of_proof: list[str] = []

    def here(said: str, parameters: Any) -> bool:
        if of_proof or "ccb_luigi:reconciliacoes" in str(parameters):
            of_proof.append(said)
        return len(of_proof) == statement + 1

    with overtaken(world, here, lambda: world.load(D2)):
        pipeline.reconcile_day(world.settings, D1)
    (stored,) = [n for n, said in enumerate(of_proof) if "INTO controle.reconciliacoes" in said]
    assert stored < STATEMENTS_OF_A_PROOF, "the proof has become longer, and so must this test"
    world.migrate(D2)
    assert world.contracts() == {"S": "u", "T": "t"}
    assert world.query("SELECT lidos, ok FROM controle.reconciliacoes") == [(2, True), (2, True)]


# --- all of it at random -----------------------------------------------------------------------------


class History:
    """A source that changes, and what the contract says the tables hold: newest wins, and nothing else.

    Kept of all that was ever read by a run, in plain Python. Clients: the newest version that named
    them. Contracts: where codes never move (``fixed``), the newest good version of each code that was
    ever read; else, once every date has run twice after the last change, the newest document that now
    has the code.
    """

    def __init__(self, seed: int, *, fixed: bool) -> None:
        self.random = random.Random(seed)
        self.fixed = fixed
        self.source: dict[str, Document] = {}
        self.bad: set[str] = set()
        self.read: list[Document] = []
        self.clock = dict.fromkeys(DAYS, 180)  # minutes

    def moment(self, earliest: date) -> Any:
        day = self.random.choice([day for day in DAYS if day >= earliest])
        self.clock[day] += self.random.choice((0, 1, 7))  # equal instants occur
        return at(day, *divmod(self.clock[day], 60))

    def change(self) -> Document:
        """One insertion or one newer version of a document."""
        choose = self.random.choice
        mongo_id = choose(["Z1", "a1", "B2", "b2", "é", "_3", "q", "Q"])
        old = self.source.get(mongo_id)
        moment = self.moment(old["updatedAt"].date() if old else D1)
        if old and moment <= old["updatedAt"]:
            moment = old["updatedAt"] + timedelta(seconds=1)
        code = old["ccbCode"] if old and self.fixed else choose(["C1", "C2", "C3", "C4", "C5"])
        new = document(mongo_id, code, moment, client=choose(["k1", "k2", "k3"]), rows=choose([0, 1, 2, 5]))
        self.bad.discard(mongo_id)
        if self.fixed and self.random.random() < 0.2:
            self.bad.add(mongo_id)
        elif self.random.random() < 0.2:
            new = unfounded(new)
        self.source[mongo_id] = new
        return rejected(new) if mongo_id in self.bad else new

    def ran(self, day: date) -> None:
        """Notes what a run of the date reads."""
        self.read += [
            version
            for mongo_id, version in self.source.items()
            if version["updatedAt"].date() == day and mongo_id not in self.bad
        ]

    def clients(self) -> dict[str, tuple[str, str]]:
        """client → (name, mongo_id)."""
        newest = _newest(self.read, "clientId")
        return {client: (version["name"], version["_id"]) for client, version in newest.items()}

    def contracts(self) -> dict[str, tuple[str, str, str, int]]:
        """code → (mongo_id, status, client, number of parcelas)."""
        versions = self.read if self.fixed else list(self.source.values())
        return {
            code: (v["_id"], v["status"], v["clientId"], _rows(v))
            for code, v in _newest(versions, "ccbCode").items()
        }

    def quarantined(self) -> set[str]:
        """Documents of the source whose current version isn't the one in the tables."""
        loaded = {(mongo_id, status) for mongo_id, status, _, _ in self.contracts().values()}
        return {v["_id"] for v in self.source.values() if (v["_id"], v["status"]) not in loaded} | self.bad


def _newest(versions: list[Document], field: str) -> dict[str, Document]:
    found: dict[str, Document] = {}
    for version in sorted(versions, key=lambda v: (v["updatedAt"], v["_id"].encode())):
        found[version[field]] = version
    return found


def _rows(version: Document) -> int:
    return len(version["operation"]["parcelas"]["PrevisaoDeParcela"])


@pytest.fixture(params=range(3))
def seed(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.mark.parametrize("fixed", [True, False], ids=["codes stay", "codes move"])
def test_any_history_of_changes_and_runs_ends_in_the_newest_versions(
    world: World, seed: int, fixed: bool
) -> None:
    history = History(seed, fixed=fixed)

    def run(day: date) -> None:
        world.again(day)
        history.ran(day)
        clients = {row[0]: row[1:] for row in world.query("SELECT client_id, nome, mongo_id FROM clientes")}
        assert clients == history.clients()

    for _ in range(7):
        world.put(*[history.change() for _ in range(history.random.randint(1, 5))])
        run(history.random.choice(DAYS))
    for _ in range(1 if fixed else 2):
        for day in history.random.sample(DAYS, 4):
            run(day)

    contracts = {
        row[0]: row[1:]
        for row in world.query(
            "SELECT ccb_code, mongo_id, status, client_id,"
            " (SELECT count(*) FROM parcelas p WHERE p.ccb_code = o.ccb_code) FROM operacoes o"
        )
    }
    assert contracts == history.contracts()
    assert set(world.quarantined()) == history.quarantined()
    for client, (name, _) in history.clients().items():
        assert client_data(world, client) == data_of(name.removeprefix("Nome "))
    flagged = {
        v["ccbCode"]
        for v in history.read
        if v["operation"]["NumeroDeParcelas"] == 99
        and contracts.get(v["ccbCode"], ("", ""))[:2] == (v["_id"], v["status"])
    }
    assert set(world.column("SELECT ccb_code FROM controle.qualidade")) == flagged
    assert world.column("SELECT ok FROM controle.reconciliacoes") == [True] * 4
