"""A dump speaks for what it covers: no date that ends after its newest document is marked by it."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import bson
import pytest
from world import D1, D2, D3, D4, EIGHT, STEPS, Document, World, at, document

from ccb_luigi import settings as settings_module
from ccb_luigi.database import postgres
from ccb_luigi.errors import NotCovered
from ccb_luigi.load import backfill, backfill_plan, closing, status
from ccb_luigi.settings import Settings

MIDNIGHT = datetime(2026, 3, 4, 3, tzinfo=UTC)  # the end of D2 in São Paulo
Dump = Callable[..., World]


@pytest.fixture
def dump(settings: Settings, tmp_path: Path) -> Dump:
    """``dump(documents ...)``: a world whose source is the file; ``until``: what somebody says of it."""

    def make(*documents: Document, until: str = "", packed: bool = False, **more: Any) -> World:
        raw = b"".join(map(bson.encode, documents))
        path = tmp_path / ("c.bson.gz" if packed else "c.bson")
        path.write_bytes(gzip.compress(raw, 1) if packed else raw)
        return World(replace(settings, source=str(path), source_covers_until=until, **more))

    return make


NOON = (document("a", "A", at(D1, 9)), document("b", "B", at(D2, 12), client="c2"))


def test_the_last_date_of_a_dump_is_loaded_and_not_marked(dump: Dump) -> None:
    world = dump(*NOON)
    world.migrate(D1)
    assert set(world.markers(D1)) == set(STEPS)
    with pytest.raises(NotCovered) as told:
        world.migrate(D2)
    assert str(told.value) == (
        f"{D2}: 1 read, 1 loaded, 0 rejected, so far and without a marker: the newest document of"
        f" {world.settings.source} is of {D2} 09:00; if the dump holds all there was until later, say so:"
        " `--covers-until`"
    )
    assert world.contracts() == {"A": "a", "B": "b"}
    assert world.markers(D2) == {}
    assert world.column("SELECT particao FROM controle.reconciliacoes") == [D1]
    days = postgres.of_process(world.settings).run(lambda c: status.last_days(c, world.settings, D2, 2))
    assert [day.so_far for day in days] == [0, 1]
    with pytest.raises(NotCovered, match=r"^2026-03-03: 1 read, 0 loaded, 1 unchanged, 0 rejected, so far"):
        world.migrate(D2)


def test_a_date_after_its_newest_document_is_not_proven_empty(dump: Dump) -> None:
    world = dump(*NOON)
    with pytest.raises(NotCovered, match=f"^{D4}: 0 read, 0 loaded, 0 rejected, so far and without a marker"):
        world.migrate(D4)
    assert [world.one(f"SELECT count(*) FROM {name}") for name in ("table_updates", *EIGHT)] == [0] * 9


def test_a_document_from_after_its_end_closes_a_date_in_whatever_form_its_time_is(dump: Dump) -> None:
    for newest in (
        MIDNIGHT,
        MIDNIGHT + timedelta(days=40),
        {"$date": "2026-03-04T03:00:00Z"},
        "2026-03-04T00:00:00-03:00",
        bson.Int64(MIDNIGHT.timestamp() * 1000),
        None,  # then createdAt tells
    ):
        world = dump(*NOON, document("n", "N", at(D1), client="c3", updatedAt=newest, createdAt=MIDNIGHT))
        world.again(D2)
        assert set(world.markers(D2)) == set(STEPS), newest


@pytest.mark.parametrize(
    "newest", [MIDNIGHT - timedelta(milliseconds=1), datetime(2062, 1, 1, tzinfo=UTC), "?"]
)
def test_a_moment_before_its_end_does_not_nor_one_that_can_not_be_true(dump: Dump, newest: Any) -> None:
    world = dump(*NOON, document("n", "N", at(D1), client="c3", updatedAt=newest), max_rejected_share=1)
    with pytest.raises(NotCovered):
        world.migrate(D2)
    assert world.markers(D2) == {}


def test_a_time_from_after_the_file_was_written_tells_nothing_of_it(dump: Dump) -> None:
    world = dump(*NOON, document("n", "N", at(D3, 12), client="c3"))
    noon = at(D2, 15).timestamp()
    os.utime(world.settings.source, (noon, noon))
    with pytest.raises(NotCovered, match=f"is of {D2} 09:00"):
        world.migrate(D2)


@pytest.mark.parametrize(
    ("until", "closes"),
    [("2026-03-04T00:00", True), ("2026-03-04T03:00Z", True), ("2026-03-03T23:59", False)],
)
def test_until_when_it_covers_may_be_said(dump: Dump, until: str, closes: bool) -> None:
    world = dump(*NOON, until=until, packed=True)
    world.migrate(D1)
    if closes:
        world.migrate(D2)
    else:
        with pytest.raises(NotCovered, match=r"covers no more than CCB_SOURCE_COVERS_UNTIL"):
            world.migrate(D2)
    assert bool(world.markers(D2)) is closes


def test_nobody_can_say_that_a_date_is_over(dump: Dump, monkeypatch: pytest.MonkeyPatch) -> None:
    world = dump(*NOON, until="2062-01-01T00:00")
    monkeypatch.setattr(settings_module, "now", lambda: at(D2, 20))
    with pytest.raises(closing.NotOver):
        world.migrate(D2)


def migrated(world: World, since: date | None, until: date) -> tuple[backfill_plan.Plan, list[date] | None]:
    found = backfill_plan.ensure(world.settings, since, until)
    assert found is not None
    numbers = postgres.of_process(world.settings).run(lambda c: backfill_plan.missing(c, found.id))
    for number in numbers:
        backfill.migrate_shard(world.settings, found.id, number)
    return found, backfill.close(world.settings, found.id)


@pytest.mark.parametrize("since", [None, D1])
def test_a_plan_of_a_dump_marks_what_it_covers_and_goes_on_when_more_is_said(
    dump: Dump, since: date | None
) -> None:
    world = dump(*NOON, shard_documents=1)
    with pytest.raises(NotCovered, match=f"^{D2}.*1 read, 1 loaded.*without a marker.*is of {D2} 09:00"):
        migrated(world, since, D3)
    assert world.contracts() == {"A": "a", "B": "b"}
    assert [bool(world.markers(day)) for day in (D1, D2, D3)] == [True, False, False]
    said = World(replace(world.settings, source_covers_until="2026-03-05T00:00"))
    found, days = migrated(said, since, D3)
    assert days == ([D1, D2] if since is None else [D1, D2, D3])
    assert found.id == 1
    assert set(world.markers(D2)) == set(STEPS)
    assert world.column("SELECT particao FROM controle.reconciliacoes ORDER BY 1")[:2] == [D1, D2]
