"""A date is marked once it is over, by both clocks; markers that were set earlier count for nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import clock
import pytest
from world import D1, D2, D3, DAYS, EIGHT, STEPS, World, at, document, rejected

from ccb_luigi import settings as settings_module
from ccb_luigi import tasks
from ccb_luigi.database import postgres
from ccb_luigi.errors import CircuitBroken, NotOver
from ccb_luigi.load import backfill, backfill_plan, breaker, closing, markers, pipeline, status
from ccb_luigi.load.loading import Written
from ccb_luigi.orchestration.targets import MarkerTarget, all_done
from ccb_luigi.settings import Settings

END_OF_D1 = datetime(2026, 3, 3, tzinfo=ZoneInfo("America/Sao_Paulo"))
FAR = date(2062, 1, 1)


def asked(world: World, work: Callable[..., Any]) -> Any:
    return postgres.of_process(world.settings).run(work)


def marked_at(world: World, day: date, moment: datetime) -> None:
    """As an earlier version might have left it."""
    world.query("UPDATE table_updates SET inserted = %s WHERE particao = %s", moment, day)


def nothing_is_there(world: World) -> bool:
    counts = [world.one(f"SELECT count(*) FROM {name}") for name in ("table_updates", *EIGHT)]
    return not any([*counts, world.one("SELECT count(*) FROM controle.reconciliacoes")])


@pytest.fixture
def noon(settings: Settings) -> World:
    """A world in whose zone it is about noon, with a document of today and one of yesterday."""
    world = World(replace(settings, timezone=clock.noon_zone()))
    now = clock.today(world.settings.timezone)
    world.put(
        document("a", "A", clock.moment(world.settings.timezone, now)),
        document("y", "Y", clock.moment(world.settings.timezone, now - clock.days(1))),
    )
    return world


@pytest.fixture
def configured(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world whose settings are those of the process, where tasks look for them."""
    monkeypatch.setattr(settings_module, "load", lambda: world.settings)
    return world


# --- what is not over -----------------------------------------------------------------------------------


def test_a_date_that_is_not_over_is_refused_before_the_source_is_read(noon: World) -> None:
    today = clock.today(noon.settings.timezone)
    blind = replace(noon.settings, mongo_uri="mongodb://127.0.0.1:1")  # whoever reads it fails otherwise
    with pytest.raises(NotOver, match=rf"^{today} is not over.*--date {today} --so-far") as failed:
        pipeline.extract(blind, today)
    assert failed.value.exit_code == 2
    with pytest.raises(NotOver, match=r"^2062-01-01 lies in the future"):
        pipeline.extract(blind, FAR)
    for until in (today, FAR):
        for since in (None, today - clock.days(3)):
            with pytest.raises(NotOver):
                backfill_plan.ensure(blind, since, until)
    assert nothing_is_there(noon)


@pytest.mark.parametrize(("ahead", "whose"), [(2, "PostgreSQL's"), (-40, "this host's")])
def test_of_two_clocks_the_earlier_one_says_whether_a_date_is_over(
    noon: World, monkeypatch: pytest.MonkeyPatch, ahead: int, whose: str
) -> None:
    wrong = settings_module.now() + timedelta(days=ahead)
    monkeypatch.setattr(settings_module, "now", lambda: wrong)
    day = clock.today(noon.settings.timezone) - clock.days(0 if ahead > 0 else 1)
    with pytest.raises(NotOver, match=f"by {whose} clock it is"):
        pipeline.extract(noon.settings, day)
    assert nothing_is_there(noon)


def test_the_last_date_that_is_over_is_migrated(noon: World) -> None:
    noon.migrate(noon.settings.yesterday())
    assert noon.contracts() == {"Y": "y"}
    assert set(noon.markers(noon.settings.yesterday())) == set(STEPS)


# --- what is loaded by day ------------------------------------------------------------------------------


def test_what_is_loaded_so_far_has_neither_marker_nor_proof_and_is_shown(noon: World) -> None:
    zone, today = noon.settings.timezone, clock.today(noon.settings.timezone)
    noon.put(rejected(document("b", "B", clock.moment(zone, today, 2))))
    found = pipeline.load_so_far(noon.settings, today)
    assert found is not None
    assert found.result is not None
    assert found.result.told == "2 read, 1 loaded, 1 rejected"
    assert found.written["parcelas"] == Written(inserted=3)
    assert noon.contracts() == {"A": "a"}
    assert set(noon.quarantined()) == {"b"}
    assert noon.one("SELECT count(*) FROM table_updates") == 0
    assert noon.one("SELECT count(*) FROM controle.reconciliacoes") == 0
    assert noon.one("SELECT count(*) FROM staging.contratos") == 0
    (shown,) = asked(noon, lambda c: status.day_after(c, noon.settings, noon.settings.yesterday()))
    assert (shown.day, shown.so_far, shown.quarantined) == (today, 1, 1)
    assert shown.missing == list(STEPS)

    noon.put(document("a", "A", clock.moment(zone, today, 3), rows=2))
    again = pipeline.load_so_far(noon.settings, today)
    assert again is not None
    assert again.result is not None
    assert again.result.told == "2 read, 1 loaded, 1 rejected"
    assert noon.numbers("A") == [1, 2]


def test_after_it_the_date_is_migrated_whole(world: World) -> None:
    world.put(document("a", "A", at(D1, 9)), document("b", "B", at(D1, 10), client="c2"))
    assert pipeline.load_so_far(world.settings, D1) is not None
    assert world.one("SELECT count(*) FROM table_updates") == 0
    world.put(document("a", "A", at(D1, 20), rows=1), document("late", "L", at(D1, 21), client="c3"))
    world.migrate(D1)
    assert world.contracts() == {"A": "a", "B": "b", "L": "late"}
    assert world.numbers("A") == [1]
    assert set(world.markers(D1)) == set(STEPS)
    assert world.query("SELECT particao, lidos, sem_mudanca, ok FROM controle.reconciliacoes") == [
        (D1, 3, 1, True)
    ]
    (shown,) = asked(world, lambda c: status.last_days(c, world.settings, D1, 1))
    assert (shown.so_far, shown.missing) == (0, [])
    assert pipeline.load_so_far(world.settings, D1) is None


def test_a_flood_of_rejections_stops_it_as_it_stops_a_date(world: World, monkeypatch: Any) -> None:
    monkeypatch.setattr(breaker, "MANY", 2)
    world.put(*(rejected(document(f"r{n}", f"R{n}", at(D1, 9, n))) for n in range(3)))
    world.put(document("a", "A", at(D1)))
    with pytest.raises(CircuitBroken):
        pipeline.load_so_far(world.settings, D1)
    assert world.contracts() == {}
    assert len(world.quarantined()) == 3
    assert world.one("SELECT count(*) FROM staging.contratos") == 0


def test_a_code_that_a_load_so_far_vacates_is_free_for_the_document_that_waits(world: World) -> None:
    world.put(document("old", "X", at(D1, 9)), document("new", "X", at(D1, 10), client="c2"))
    world.migrate(D1)
    assert world.contracts() == {"X": "new"}
    world.put(document("new", "Z", at(D2, 9), client="c2"))
    assert pipeline.load_so_far(world.settings, D2) is not None
    assert world.contracts() == {"X": "old", "Z": "new"}


# --- what an earlier version marked too early -----------------------------------------------------------


@pytest.fixture
def early(configured: World) -> World:
    """D1 was marked at noon, when one of its two documents was there; D2 in time."""
    configured.put(document("a", "A", at(D1, 9)), document("d", "D", at(D2), client="c2"))
    configured.migrate(D1, D2)
    marked_at(configured, D1, at(D1, 15))
    configured.put(document("b", "B", at(D1, 20), client="c3"))
    return configured


def test_markers_of_a_date_that_was_not_over_count_for_nobody(early: World) -> None:
    assert all_done(markers.STEPS, DAYS) == [D2]
    assert not tasks.MigrateCCB(date=D1).complete()
    assert not MarkerTarget(f"contratos:{D1}").exists()
    assert not MarkerTarget(f"parcelas:{D1}").exists()
    assert MarkerTarget(f"parcelas:{D2}").exists()
    assert tasks.MigrateCCB.bulk_complete([D1, D2]) == [D2]
    assert asked(early, lambda c: closing.complete(c, early.settings, None, D3)) == [D2]
    found = asked(early, lambda c: status.last_days(c, early.settings, D2, 2))
    assert [(day.early, day.missing) for day in found] == [(True, list(STEPS)), (False, [])]


def test_such_a_date_is_done_again_and_once(early: World) -> None:
    before = early.markers(D2)
    early.migrate(D1)
    assert early.contracts() == {"A": "a", "B": "b", "D": "d"}
    assert all_done(markers.STEPS, [D1, D2]) == [D1, D2]
    assert early.one("SELECT lidos FROM controle.reconciliacoes WHERE particao = %s", D1) == 2
    marked = early.markers(D1)
    early.migrate(D1, D2)
    assert (early.markers(D1), early.markers(D2)) == (marked, before)


def test_a_night_does_such_dates_however_old_and_those_that_were_begun(early: World) -> None:
    early.put(document("e", "E", at(D3), client="c4"))
    pipeline.extract(early.settings, D3)
    week = [D1 + timedelta(days=100 + n) for n in range(7)]
    assert asked(early, lambda c: closing.of_night(c, early.settings, week[-1])) == [D1, D3, *week]
    required = tasks.NightlyCCB(date=week[-1]).requires()
    assert [task.date for task in required] == [D1, D3, *week]
    early.migrate(D1, D3)
    assert asked(early, lambda c: closing.of_night(c, early.settings, week[-1])) == week


@pytest.mark.parametrize(("microseconds", "counts"), [(-1, False), (0, True)])
def test_a_marker_counts_from_the_very_end_of_its_date_on(
    configured: World, microseconds: int, counts: bool
) -> None:
    configured.put(document("a", "A", at(D1)))
    configured.migrate(D1)
    marked_at(configured, D1, END_OF_D1 + timedelta(microseconds=microseconds))
    assert bool(all_done(markers.STEPS, [D1])) is counts


def test_a_plan_does_a_date_again_that_was_marked_too_early(early: World) -> None:
    found = backfill_plan.ensure(early.settings, D1, D2)
    assert found is not None
    assert found.feitas == [D2]
    backfill.migrate_shard(early.settings, found.id, 1)
    assert backfill.close(early.settings, found.id) == [D1]
    assert early.contracts() == {"A": "a", "B": "b", "D": "d"}
    assert all_done(markers.STEPS, [D1, D2]) == [D1, D2]


def test_a_plan_marks_no_date_that_was_not_over_when_it_was_read(configured: World) -> None:
    configured.put(document("a", "A", at(D1, 9)), document("d", "D", at(D2, 9), client="c2"))
    found = backfill_plan.ensure(configured.settings, D1, D2)
    assert found is not None
    backfill.migrate_shard(configured.settings, found.id, 1)
    configured.query("UPDATE table_updates SET inserted = %s", at(D2, 10))
    assert backfill.close(configured.settings, found.id) == [D1]
    assert all_done(markers.STEPS, [D1, D2]) == [D1]
