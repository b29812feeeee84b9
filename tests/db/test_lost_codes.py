"""Who loses a ``ccbCode`` or may get one that was vacated: noted by the load, looked at when it is over."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from world import D1, D2, D3, World, at, document

from ccb_luigi.load import by_id, pipeline
from ccb_luigi.tables import LOADED

OPEN = "SELECT mongo_id, documento FROM controle.quarentena WHERE resolvido_em IS NULL"
NOBODY = "mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=1"


def test_no_load_reads_the_source_not_even_of_who_lost_its_code(world: World) -> None:
    world.put(document("old", "C", at(D1)))
    world.migrate(D1)
    world.put(document("new", "C", at(D2)))
    pipeline.extract(world.settings, D2)
    without_source = replace(world.settings, mongo_uri=NOBODY)
    for table in LOADED:
        pipeline.load_table(without_source, table, D2)
    assert world.contracts() == {"C": "new"}
    assert world.query(OPEN) == [("old", None)]
    pipeline.reconcile_day(world.settings, D2)
    ((mongo_id, raw),) = world.query(OPEN)
    assert (mongo_id, bytes(raw)) == ("old", world.raw("old"))


def test_a_loser_that_a_killed_run_left_unread_is_read_by_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put(document("old", "C", at(D1)))
    world.migrate(D1)
    world.put(document("new", "C", at(D2)), document("b", "B", at(D3)))

    def killed(_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(by_id, "_complete_rejections", killed)
    with pytest.raises(KeyboardInterrupt):
        by_id.migrate_ids(world.settings, ["new"])
    monkeypatch.undo()
    assert world.query(OPEN) == [("old", None)]
    world.migrate(D3)
    ((mongo_id, raw),) = world.query(OPEN)
    assert (mongo_id, bytes(raw)) == ("old", world.raw("old"))
    assert world.one("SELECT tentativas FROM controle.quarentena") == 1


def test_a_loser_that_was_not_read_yet_has_the_code_as_soon_as_it_is_vacated(world: World) -> None:
    world.put(document("x", "C", at(D1)))
    world.migrate(D1)
    world.put(document("y", "C", at(D2)))
    pipeline.extract(world.settings, D2)
    world.load(D2)
    world.put(document("y", "D", at(D3)))
    world.migrate(D3)
    assert (world.contracts(), world.quarantined()) == ({"C": "x", "D": "y"}, {})


def test_who_loses_its_code_in_its_batch_and_in_the_table_is_rejected_once(world: World) -> None:
    world.put(document("x", "C", at(D1)))
    world.migrate(D1)
    world.put(document("x", "C", at(D2, 13)), document("y", "C", at(D2, 14), client="c2"))
    world.migrate(D2)
    assert (world.contracts(), world.quarantined()) == ({"C": "y"}, {"x": ["ccb_duplicado"]})
    assert world.query("SELECT particao, tentativas FROM controle.quarentena") == [(D2, 1)]


def test_of_a_loser_that_is_gone_a_closed_row_tells_that_it_was_here(world: World) -> None:
    world.put(document("old", "C", at(D1)))
    world.migrate(D1)
    world.empty_source()
    world.put(document("new", "C", at(D2)))
    world.migrate(D2)
    assert world.contracts() == {"C": "new"}
    assert world.query("SELECT mongo_id, documento, resolvido_em IS NULL FROM controle.quarentena") == [
        ("old", None, False)
    ]
