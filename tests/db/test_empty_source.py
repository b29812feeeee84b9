"""A source without a document marks nothing and is nobody's success: it may be a wrong name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bson
import pytest
from world import D1, D2, World, at, document, of_dump, rejected

from ccb_luigi.errors import SourceError
from ccb_luigi.load import backfill_plan, by_id, pipeline
from ccb_luigi.sources import mongo as mongo_source


@pytest.fixture
def misspelt(world: World) -> World:
    """A world whose settings name a collection that isn't there, beside the one that is."""
    world.put(document("a", "A", at(D1)))
    return World(replace(world.settings, mongo_collection="Contratos"))


def test_a_misspelt_collection_is_told_with_those_that_are_there(misspelt: World) -> None:
    database = misspelt.settings.mongo_database
    for work in (
        lambda: pipeline.extract(misspelt.settings, D1),
        lambda: pipeline.load_so_far(misspelt.settings, D1),
        lambda: backfill_plan.ensure(misspelt.settings, None, D2),
        lambda: backfill_plan.ensure(misspelt.settings, D1, D2),
    ):
        with pytest.raises(SourceError) as told:
            work()
        assert str(told.value).startswith(f"there is no {database}.Contratos; there are: contratos; ")
        assert told.value.exit_code == 13
    assert misspelt.one("SELECT count(*) FROM table_updates") == 0


def test_whoever_may_not_list_collections_is_told_all_the_same(
    misspelt: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(self: object, **_: object) -> list[str]:
        raise mongo_source.OperationFailure("not authorized", 13)

    monkeypatch.setattr("pymongo.synchronous.database.Database.list_collection_names", refused)
    with pytest.raises(SourceError, match=r"\.Contratos is not there, or holds no document"):
        pipeline.extract(misspelt.settings, D1)


def test_a_collection_that_vanished_marks_no_date_beside_full_tables(world: World) -> None:
    world.put(document("a", "A", at(D1)))
    world.migrate(D1)
    world.empty_source()
    with pytest.raises(SourceError, match="contratos holds no document; so nothing is marked"):
        world.migrate(D2)
    world.forget(D1)
    with pytest.raises(SourceError):
        world.migrate(D1)
    assert world.markers(D1) == world.markers(D2) == {}
    assert world.contracts() == {"A": "a"}


def test_a_date_without_documents_of_a_source_that_holds_some_is_complete(world: World) -> None:
    world.put(document("a", "A", at(D1)))
    world.migrate(D2)
    assert len(world.markers(D2)) == 10


def test_a_retry_closes_no_rejection_because_the_source_vanished(world: World) -> None:
    world.put(document("a", "A", at(D1)), rejected(document("r", "R", at(D1))))
    world.migrate(D1)
    world.empty_source()
    with pytest.raises(SourceError):
        by_id.migrate_ids(world.settings, ["r"])
    assert set(world.quarantined()) == {"r"}


def test_a_dump_without_a_document_that_is_rejected_does_not_say_that_it_is_gone(
    world: World, tmp_path: Path
) -> None:
    world.put(document("a", "A", at(D1)), rejected(document("r", "R", at(D1))))
    world.migrate(D1)
    path = tmp_path / "other.bson"
    path.write_bytes(bson.encode(document("a", "A", at(D1))))
    _, closed = by_id.migrate_ids(replace(world.settings, source=str(path)), ["r"])
    assert closed == 0
    assert set(world.quarantined()) == {"r"}


def test_an_empty_dump_marks_nothing_whatever_is_said_of_it(world: World, tmp_path: Path) -> None:
    path = tmp_path / "empty.bson"
    path.write_bytes(b"")
    settings = replace(world.settings, **of_dump(path, D2))
    for work in (lambda: pipeline.extract(settings, D1), lambda: backfill_plan.ensure(settings, None, D2)):
        with pytest.raises(SourceError, match=r"empty\.bson holds no document"):
            work()
    assert world.one("SELECT count(*) FROM table_updates") == 0
