"""The night counts again what was loaded, and takes nothing for a loss that is none."""

from __future__ import annotations

from datetime import date

import pytest
from world import D1, D2, D3, DAYS, EIGHT, ORDERS, World, at, document, rejected

from ccb_luigi.database import postgres
from ccb_luigi.errors import NotReconciled
from ccb_luigi.load import by_id, pipeline, recount, unchanged
from ccb_luigi.load.recount import Lost
from ccb_luigi.proof import sweep

ROWS = {
    "identidades": "client_id = 'c1' AND tipo = 'RG'",
    "enderecos": "client_id = 'c1'",
    "contatos": "client_id = 'c1' AND tipo = 'telefone'",
    "dados_bancarios": "client_id = 'c1'",
    "parcelas": "ccb_code = 'A' AND numero_parcela > 1",
    "detalhamento_cet": "ccb_code = 'A'",
}
MISSING = {"contatos": 2, "parcelas": 2}
"""Rows that go with each condition of ``ROWS``, where it isn't one."""


def counted(world: World) -> list[Lost]:
    try:
        return recount.recount(world.settings).lost
    except NotReconciled:
        found = told(world)
        assert found is not None
        return found.lost


def told(world: World) -> recount.Recount | None:
    return postgres.of_process(world.settings).run(recount.last)


@pytest.fixture
def loaded(world: World) -> World:
    """Two contracts of two clients, of two dates."""
    world.put(
        document("a", "A", at(D1), client="c1", rows=3),
        document("b", "B", at(D2), client="c2", rows=5),
    )
    world.migrate(D1, D2)
    return world


@pytest.mark.parametrize("table", ROWS)
def test_rows_that_were_deleted_by_hand_are_named_with_their_table_and_date(
    loaded: World, table: str
) -> None:
    loaded.query(f"DELETE FROM {table} WHERE {ROWS[table]}")
    number = MISSING.get(table, 1)
    with pytest.raises(NotReconciled) as caught:
        recount.recount(loaded.settings)
    assert str(caught.value) == (
        f"{number} rows that were loaded are no longer in the tables ({table} {number}), of 1 date: {D1};"
        f" `ccb-luigi rerun --date {D1}` loads them again"
        if number > 1
        else f"1 row that was loaded is no longer in the tables ({table} 1), of 1 date: {D1};"
        f" `ccb-luigi rerun --date {D1}` loads it again"
    )
    found = told(loaded)
    assert found is not None
    assert (found.contracts, found.lost) == (2, [Lost(D1, table, number, 1)])
    done_again(loaded, D1)
    assert told(loaded) == recount.Recount(found.counted_at, 2)  # proven since
    assert counted(loaded) == []


def done_again(world: World, day: date) -> None:
    """What ``rerun`` does."""
    postgres.of_process(world.settings).run(lambda c: unchanged.forget_the_gone(c, day))
    world.again(day)


def test_half_a_restore_is_noticed_on_all_its_dates(loaded: World) -> None:
    loaded.query("DELETE FROM parcelas")
    with pytest.raises(NotReconciled, match=rf"8 rows .*\(parcelas 8\), of 2 dates: {D1}, {D2};"):
        recount.recount(loaded.settings)
    done_again(loaded, D1)
    assert counted(loaded) == [Lost(D2, "parcelas", 5, 1)]


def test_contracts_that_are_missing_as_a_whole_are_counted_once(loaded: World) -> None:
    """Their children are gone with them."""
    loaded.query("DELETE FROM operacoes WHERE ccb_code = 'B'")
    assert counted(loaded) == [Lost(D2, "operacoes", 1, 1)]
    sweep.sweep(loaded.settings)
    assert counted(loaded) == []


def test_what_nothing_can_bring_back_is_told_until_its_date_is_done_again(loaded: World) -> None:
    """The document is gone from the source as well."""
    with loaded.collection() as collection:
        collection.delete_one({"_id": "b"})
    sweep.sweep(loaded.settings)
    assert counted(loaded) == []
    loaded.query("DELETE FROM parcelas WHERE ccb_code = 'B' AND numero_parcela = 5")
    assert counted(loaded) == [Lost(D2, "parcelas", 1, 1)]
    done_again(loaded, D2)
    assert counted(loaded) == []


def history(world: World) -> None:
    """Versions, clients and codes that go from date to date."""
    world.put(
        document("a", "A", at(D1), client="c1", rows=3),
        document("b", "B", at(D1, 13), client="c1", rows=4),  # the client's rows are b's
        document("c", "C", at(D2), client="c2", rows=2),
        document("d", "D", at(D2, 13), client="c3"),
        document("e", "E", at(D3), client="c4"),
        rejected(document("x", "X", at(D3))),
        document("g", "G", at(D3, 14), client="c6"),
    )
    world.migrate(*DAYS)
    world.put(
        # Fewer rows, another client, another's code, a code that is left, one that is rejected by now.
        document("a", "A", at(D2), client="c1", rows=1, contacts={}, bankData=None),
        document("b", "B", at(D3), client="c5", rows=2),
        document("d", "C", at(D3, 13), client="c3", rows=6),
        document("e", "E2", at(D3, 15), client="c4", rows=1),
        rejected(document("g", "G", at(D3, 16), client="c6")),
        document("x", "X", at(D3, 17), client="c1", rows=2, address=None),
    )


@pytest.mark.parametrize("order", ORDERS)
def test_what_later_loads_change_is_no_loss(world: World, order: list[date]) -> None:
    history(world)
    for day in order:
        assert counted(world) == []
        world.again(day)
        assert counted(world) == []
    sweep.sweep(world.settings)
    assert counted(world) == []
    assert world.contracts()["C"] == "d"
    # The code becomes free, and whoever lost it is gone from the source: its row goes and none comes.
    with world.collection() as collection:
        collection.delete_one({"_id": "c"})
    world.put(document("d", "D9", at(D3, 18), client="c3"))
    world.again(D3)
    assert "C" not in world.contracts()
    assert counted(world) == []
    by_id.migrate_ids(world.settings, ["a", "b", "d", "e", "g", "x"])
    assert counted(world) == []


def test_between_the_steps_of_a_date_nothing_is_missed(loaded: World) -> None:
    """Same moment, fewer rows: the tables are of two versions until the date is proven."""
    loaded.put(document("a", "A", at(D1), client="c1", rows=1, contacts={}))
    loaded.forget(D1)
    assert counted(loaded) == []
    pipeline.extract(loaded.settings, D1)
    for name in EIGHT:
        loaded.load(D1, name)
        assert counted(loaded) == []
    pipeline.reconcile_day(loaded.settings, D1)
    assert counted(loaded) == []
    loaded.query("DELETE FROM parcelas WHERE ccb_code = 'A'")
    assert counted(loaded) == [Lost(D1, "parcelas", 1, 1)]


def test_a_newer_version_of_another_date_that_is_under_way_is_no_loss(loaded: World) -> None:
    loaded.put(document("a", "A", at(D3), client="c1", rows=1, contacts={}))
    pipeline.extract(loaded.settings, D3)
    for name in EIGHT:
        loaded.load(D3, name)
        assert counted(loaded) == []
    assert loaded.numbers("A") == [1]


def test_what_an_earlier_program_loaded_is_not_counted(loaded: World) -> None:
    loaded.query("UPDATE controle.versoes SET linhas_filhas = NULL")
    loaded.query("DELETE FROM parcelas")
    assert recount.recount(loaded.settings) == told(loaded)
    assert counted(loaded) == []
