"""A night is held against both servers' clocks, and told of dates that another zone has cut."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import clock
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from world import D1, D2, World, at, document

from ccb_luigi import settings as settings_module
from ccb_luigi.cli import main
from ccb_luigi.database import postgres
from ccb_luigi.errors import NotOver
from ccb_luigi.load import backfill, backfill_plan, by_id, circumstances, markers
from ccb_luigi.load.circumstances import Doubt
from ccb_luigi.report import morning, page
from ccb_luigi.settings import Settings
from ccb_luigi.sources.mongo import MongoSource

DAY = timedelta(days=1)
UNREACHABLE = "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=50"


def asked(settings: Settings, work: Callable[..., Any]) -> Any:
    return postgres.of_process(settings).run(work)


def of_night(settings: Settings, until: date = D1) -> list[Doubt]:
    found: list[Doubt] = asked(settings, lambda c: circumstances.of_night(c, settings, until))
    return found


@pytest.fixture
def set_host(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Sets this host's clock ahead of the servers'."""
    real = settings_module.now

    def ahead(by: timedelta) -> None:
        monkeypatch.setattr(settings_module, "now", lambda: real() + by)

    return ahead


@pytest.fixture
def set_mongo(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Sets MongoDB's clock ahead of this host's."""
    real = MongoSource.command

    def ahead(by: timedelta) -> None:
        def command(self: MongoSource, words: dict[str, Any], database: str) -> dict[str, Any]:
            told = real(self, words, database)
            return told | ({"localTime": told["localTime"] + by} if "localTime" in told else {})

        monkeypatch.setattr(MongoSource, "command", command)

    return ahead


@given(st.timedeltas(-20 * DAY, 20 * DAY), st.timedeltas(timedelta(), timedelta(seconds=30)))
def test_the_time_that_asking_took_is_nobody_s_fault(theirs: timedelta, took: timedelta) -> None:
    began = datetime(2026, 3, 2, 2, 0)
    apart = circumstances.off(began + theirs, began, began + took)
    if timedelta() <= theirs <= took:
        assert apart == timedelta()
    else:
        assert apart == (theirs if theirs < timedelta() else theirs - took)


def test_clocks_that_agree_say_nothing(world: World) -> None:
    assert of_night(world.settings) == []


@pytest.mark.parametrize(
    ("by", "pt", "en"),
    [
        (timedelta(minutes=5), "5 min atrasado", "5 min behind"),
        (timedelta(hours=-7), "7 h adiantado", "7 h ahead of"),
    ],
)
def test_minutes_apart_are_told_of_either_server(
    world: World, set_host: Callable[[timedelta], None], by: timedelta, pt: str, en: str
) -> None:
    set_host(by + (timedelta(seconds=20) if by > timedelta() else timedelta(seconds=-20)))
    found = of_night(world.settings)
    assert [doubt.said("en") for doubt in found] == [
        f"{name}'s clock is {en} this host's: which of the two is wrong? (NTP)"
        for name in ("PostgreSQL", "MongoDB")
    ]
    assert all(pt in doubt.said("pt") for doubt in found)


def test_mongodbs_clock_alone_may_be_the_wrong_one(
    world: World, set_mongo: Callable[[timedelta], None]
) -> None:
    set_mongo(timedelta(minutes=3, seconds=20))
    (found,) = of_night(world.settings)
    assert found.en.startswith("MongoDB's clock is 3 min ahead of")
    set_mongo(-3 * DAY - timedelta(minutes=1))
    with pytest.raises(NotOver, match="MongoDB's is 3 days behind it"):
        of_night(world.settings)


@pytest.mark.parametrize("settings_of", [{"mongo_uri": UNREACHABLE}, {"source": "no such file"}])
def test_whoever_tells_no_time_is_left_to_the_night_itself(world: World, settings_of: dict[str, str]) -> None:
    assert of_night(replace(world.settings, **settings_of)) == []


@pytest.mark.parametrize("by", [-14 * DAY, DAY])
def test_a_night_by_a_clock_a_day_off_is_refused_before_it_does_anything(
    world: World, set_host: Callable[[timedelta], None], by: timedelta, tmp_path: Any
) -> None:
    set_host(by + (timedelta(minutes=1) if by > timedelta() else timedelta(minutes=-1)))
    world.put(document("a", "A", at(D1)))
    found = CliRunner().invoke(main, ["nightly"], env=environment(world, tmp_path))
    assert found.exit_code == 2
    side = "behind" if by > timedelta() else "ahead of"
    assert re.search(rf"PostgreSQL's is \d+ (h|days) {side} it, MongoDB's", found.stderr), found.stderr
    assert world.one("SELECT count(*) FROM table_updates") == 0
    assert world.one("SELECT count(*) FROM controle.varreduras") == 0
    html = (tmp_path / morning.LATEST).read_text(encoding="utf-8")
    assert "PostgreSQL&#39;s is" in html
    assert "relógio" in html


def environment(world: World, reports: Any) -> dict[str, str]:
    """Of a command in this process."""
    return {
        "CCB_POSTGRES_URL": world.settings.postgres_url,
        "CCB_MONGO_URI": world.settings.mongo_uri,
        "CCB_MONGO_DATABASE": world.settings.mongo_database,
        "CCB_REPORT_DIR": str(reports),
        "CCB_NIGHTLY_DAYS": "1",
    }


def test_a_night_a_page_and_the_status_tell_of_minutes(
    world: World, set_host: Callable[[timedelta], None], tmp_path: Any
) -> None:
    set_host(timedelta(minutes=-7, seconds=-20))
    world.put(document("a", "A", at(D1)))
    night = CliRunner().invoke(main, ["nightly"], env=environment(world, tmp_path))
    assert night.exit_code == 0, night.output
    for name in ("PostgreSQL", "MongoDB"):
        assert f"ccb-luigi: {name}'s clock is 7 min ahead of this host's" in night.stderr
    told = CliRunner().invoke(main, ["status"], env=environment(world, tmp_path)).stdout
    assert "PostgreSQL's clock is 7 min ahead of" in told
    html = (tmp_path / morning.LATEST).read_text(encoding="utf-8")
    assert "O relógio do PostgreSQL está 7 min adiantado" in html
    assert "PostgreSQL&#39;s clock is 7 min ahead" in html


# --- the zone -------------------------------------------------------------------------------------------


def of_tables(settings: Settings, until: date) -> list[str]:
    found = asked(settings, lambda c: circumstances.of_tables(c, settings, until))
    return [doubt.en for doubt in found]


def test_dates_that_another_zone_has_cut_are_told_until_they_are_done_again(world: World) -> None:
    world.put(document("a", "A", at(D1)), document("b", "B", at(D2), client="c2"))
    world.migrate(D1)
    elsewhere = World(replace(world.settings, timezone="America/Noronha"))
    elsewhere.migrate(D2)
    (said,) = of_tables(elsewhere.settings, D2)
    assert f"between {D1} and {D1} were cut by the zone America/Sao_Paulo, not by America/Noronha" in said
    (said,) = of_tables(world.settings, D2)
    assert f"between {D2} and {D2} were cut by the zone America/Noronha" in said
    assert of_tables(world.settings, D2 + clock.days(world.settings.nightly_days)) == []
    html = page.render(morning.read(world.settings, D2))
    assert "foram cortadas pelo fuso America/Noronha" in html
    assert "were cut by the zone America/Noronha" in html
    world.forget(D2)
    world.migrate(D2)
    assert of_tables(world.settings, D2) == []


def test_a_plan_s_dates_remember_their_zone_and_markers_of_before_have_none(world: World) -> None:
    world.put(document("a", "A", at(D1)), document("b", "B", at(D2), client="c2"))
    small = replace(world.settings, shard_documents=1)
    plan = backfill_plan.ensure(small, D1, D2)
    assert plan is not None
    for number in (1, 2):
        backfill.migrate_shard(small, plan.id, number)
    backfill.close(small, plan.id)
    elsewhere = replace(small, timezone="America/Noronha")
    (said,) = of_tables(elsewhere, D2)
    assert f"between {D1} and {D2} were cut by the zone America/Sao_Paulo" in said
    world.query("UPDATE table_updates SET contagens = contagens - %s", circumstances.ZONE)
    assert of_tables(elsewhere, D2) == []
    assert world.one("SELECT count(*) FROM table_updates WHERE target_table = %s", markers.EXTRACTION) == 2


# --- documents without a date ---------------------------------------------------------------------------


def test_documents_whose_time_can_not_be_read_are_told_once_beside_the_dates(
    world: World, tmp_path: Any
) -> None:
    world.put(document("a", "A", at(D1)), document("odd", "B", at(D1), updatedAt="ontem"))
    night = CliRunner().invoke(
        main, ["nightly"], env=environment(world, tmp_path) | {"CCB_NIGHTLY_DAYS": "3"}
    )
    assert night.exit_code == 0, night.output
    assert world.query("SELECT sum(lidos), sum(quarentena) FROM controle.reconciliacoes") == [(1, 1)]
    one = "The updatedAt of one rejected document can't be read"
    told = CliRunner().invoke(main, ["status"], env=environment(world, tmp_path)).stdout
    assert told.count(one) == 1
    again = CliRunner().invoke(main, ["nightly"], env=environment(world, tmp_path))
    assert again.stderr.count(one) == 1
    html = (tmp_path / morning.LATEST).read_text(encoding="utf-8")
    assert "De um documento rejeitado o updatedAt não pode ser lido" in html
    assert one.replace("'", "&#39;") in html
    world.put(document("even odder", "C", at(D1), updatedAt=7))
    world.migrate(D2)
    (said,) = of_tables(world.settings, D2)
    assert said.startswith("The updatedAt of 2 rejected documents can't be read")
    with world.collection() as collection:
        collection.delete_many({"_id": {"$in": ["odd", "even odder"]}})
    by_id.migrate_ids(world.settings, ["odd", "even odder"])
    assert of_tables(world.settings, D2) == []
