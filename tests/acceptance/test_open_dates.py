"""Today and the future through every door: one line, a status that isn't 0, and no marker."""

from __future__ import annotations

import bson
import clock
import pytest
from program import Program, shown
from world import D1, D2, STEPS, World, at, document

ZONE = clock.noon_zone()
ONCE = ("--local-scheduler", "--scheduler-retry-count", 1)
FUTURE = "2062-01-01"
RANGE = "import ccb_luigi.tasks\nimport luigi.tools.range\n"


@pytest.fixture
def world(program: Program) -> World:
    program.environment["CCB_TIMEZONE"] = ZONE
    program.world.put(
        document("a", "A", clock.moment(ZONE, clock.today(ZONE))),
        document("y", "Y", clock.moment(ZONE, clock.today(ZONE) - clock.days(1)), client="c2"),
    )
    return program.world


def lines(err: str) -> list[str]:
    return [line for line in err.splitlines() if line]


def untouched(world: World) -> bool:
    return not world.one(
        "SELECT (SELECT count(*) FROM table_updates WHERE particao IS NOT NULL)"
        " + (SELECT count(*) FROM operacoes)"
        " + (SELECT count(*) FROM controle.reconciliacoes)"
    )


def test_no_command_takes_a_date_that_is_not_over(program: Program, world: World) -> None:
    today = clock.today(ZONE)
    for words in (
        ("run", "--date", today),
        ("run", "--since", today - clock.days(2), "--until", today),
        ("run", "--full", "--until", today),
        ("rerun", "--date", today),
    ):
        done = program.here(*words, status=2)
        (line,) = lines(done.stderr)
        assert line.startswith(f"ccb-luigi: {today} is not over"), shown(done)
        assert f"`ccb-luigi run --date {today} --so-far`" in line
    for words in (
        ("run", "--date", FUTURE),
        ("run", "--date", FUTURE, "--so-far"),
        ("rerun", "--date", FUTURE, "--table", "parcelas"),
    ):
        (line,) = lines(program.here(*words, status=2).stderr)
        assert line.startswith(f"ccb-luigi: {FUTURE} lies in the future")
    assert untouched(world)


@pytest.mark.parametrize("config", ["ours", "none"])
def test_luigis_own_command_line_fails_in_one_line_and_never_with_0(
    program: Program, world: World, config: str
) -> None:
    if config == "none":
        del program.environment["LUIGI_CONFIG_PATH"]
    today = clock.today(ZONE)
    for words, status in (
        (("MigrateCCB", "--date", today), 30),
        (("MigrateCCB", "--date", FUTURE), 30),
        (("FullCCB", "--until", today), 35),
        (("FullCCB", "--until", FUTURE), 35),
    ):
        done = program.luigi(*words, *ONCE, status=status)
        assert "Traceback" not in done.stdout + done.stderr, shown(done)
        said = f"{FUTURE} lies in the future" if FUTURE in words else f"{today} is not over"
        assert done.stderr.count(said) == 1, shown(done)
    assert untouched(world)


def test_a_night_of_luigi_marks_what_is_over_and_not_today(program: Program, world: World) -> None:
    today = clock.today(ZONE)
    for until, said in ((today, f"{today} is not over"), (FUTURE, f"{FUTURE} lies in the future")):
        done = program.luigi("NightlyCCB", "--date", until, *ONCE, status=30, CCB_NIGHTLY_DAYS="2")
        assert "Traceback" not in done.stdout + done.stderr, shown(done)
        assert done.stderr.count(said) == 1, shown(done)
        assert world.markers(today) == world.markers(FUTURE) == {}
    assert set(world.markers(today - clock.days(1))) == set(STEPS)


def test_a_range_of_luigi_marks_what_is_over_and_not_today(program: Program, world: World) -> None:
    (program.directory / "both.py").write_text(RANGE, encoding="utf-8")
    today = clock.today(ZONE)
    done = program.run(
        *("--module", "both", "RangeDaily", "--of", "MigrateCCB", "--start", today - clock.days(1)),
        *("--stop", today + clock.days(1), "--days-forward", 2, *ONCE),
        program="luigi",
        status=30,
        PYTHONPATH=str(program.directory),
    )
    assert "Traceback" not in done.stdout + done.stderr, shown(done)
    assert set(world.markers(today - clock.days(1))) == set(STEPS)
    assert world.markers(today) == {}
    assert world.contracts() == {"Y": "y"}
    done = program.run(
        *("--module", "both", "RangeDaily", "--of", "MigrateCCB", "--start", FUTURE),
        *("--stop", "2062-01-02", "--days-forward", 20_000, *ONCE),
        program="luigi",
        status=30,
        PYTHONPATH=str(program.directory),
    )
    assert done.stderr.count(f"{FUTURE} lies in the future") == 1, shown(done)
    assert world.one("SELECT count(DISTINCT particao) FROM table_updates") == 1


def test_by_day_a_person_loads_what_is_there_and_it_is_shown(program: Program, world: World) -> None:
    today = clock.today(ZONE)
    done = program.run("run", "--date", today, "--so-far")
    assert f"{today}  so far  1 read, 1 loaded, 0 rejected; no marker" in done.stdout
    assert world.contracts() == {"A": "a"}
    assert world.one("SELECT count(*) FROM table_updates") == 0
    shows = program.run("status", "--days", 1).stdout
    assert [line.split() for line in shows.splitlines() if line.startswith(str(today))] == [
        [str(today), "1", "0", "so", "far"]
    ]
    page = program.run("report", "--out", "-").stdout
    assert f"So far one contract of {today.day} " in page

    done = program.run("run", "--full", "--so-far")  # the days before as ever, and today
    assert f"{today}  so far  1 read, 0 loaded, 1 unchanged, 0 rejected" in done.stdout
    assert world.contracts() == {"A": "a", "Y": "y"}
    assert set(world.markers(today - clock.days(1))) == set(STEPS)
    assert world.markers(today) == {}


def test_a_night_does_again_what_an_earlier_version_marked_too_early(program: Program) -> None:
    world = program.world
    world.put(document("a", "A", at(D1, 9)), document("d", "D", at(D2), client="c2"))
    world.migrate(D1, D2)
    world.put(document("b", "B", at(D1, 20), client="c3"))
    world.query("UPDATE table_updates SET inserted = %s WHERE particao = %s", at(D1, 15), D1)
    told = program.run("status", "--until", D2, "--days", 2).stdout
    assert "early: marked before the date was over; `ccb-luigi nightly` does it again" in told
    assert "1 of 2 dates complete" in told
    assert (
        f"{D1.day} Mar 2026 was marked before it was over"
        in program.run("report", "--date", D2, "--out", "-").stdout
    )
    done = program.run("nightly")
    assert "8 of 8 dates complete" in done.stdout
    assert world.contracts() == {"A": "a", "B": "b", "D": "d"}
    assert "7 of 7 dates complete" in program.run("nightly").stdout


def test_a_dump_that_ends_at_noon_closes_no_date_and_says_so(program: Program) -> None:
    world, path = program.world, program.directory / "noon.bson"
    path.write_bytes(
        b"".join(map(bson.encode, [document("a", "A", at(D1)), document("b", "B", at(D2, 15), client="c2")]))
    )
    words = ("run", "--full", "--until", D2, "--source", "noon.bson")
    done = program.run(*words, status=24)
    # On a slow machine Luigi tries the date again while others run: what it read is loaded by then.
    line, *_ = [line for line in done.stdout.splitlines() if line.startswith(f"{D2}  so far")]
    assert "1 read, 1 loaded, 0 rejected, so far and without a marker: the newest document of" in line
    assert f"noon.bson is of {D2} 12:00" in line
    assert set(world.markers(D1)) == set(STEPS)
    assert world.markers(D2) == {}
    assert "1 of 2 dates complete; 1 loaded so far" in program.run(*words, "--so-far").stdout
    planned = {"CCB_SHARD_DOCUMENTS": "1"}
    world.query("DELETE FROM table_updates")
    done = program.run(*words, status=24, **planned)
    assert f"so far  {D2}: 1 read, 0 loaded, 1 unchanged, 0 rejected, so far" in done.stdout, shown(done)
    assert "1 of 1 dates" in program.run(*words, "--so-far", **planned).stdout
    assert world.markers(D2) == {}
    done = program.run(*words, "--covers-until", f"{D2 + clock.days(1)}T00:00", **planned)
    assert set(world.markers(D2)) == set(STEPS), shown(done)

    night = {"CCB_SOURCE": "noon.bson", "CCB_NIGHTLY_DAYS": "1"}
    assert "1 of 1 dates complete" not in program.run("nightly", status=24, **night).stdout
    (line,) = lines(program.run("run", "--date", D2, "--covers-until", "2026-03-04T00:00", status=15).stderr)
    assert "CCB_SOURCE names none" in line
    (line,) = lines(program.run(*words, "--covers-until", "2026-03-04", status=15).stderr)
    assert "is not a moment such as 2026-11-20T00:00" in line


def test_a_first_night_against_a_misspelt_collection_is_not_green(program: Program, world: World) -> None:
    done = program.run("nightly", status=13, CCB_MONGO_COLLECTION="Contratos", CCB_NIGHTLY_DAYS="2")
    said = f"there is no {world.settings.mongo_database}.Contratos; there are: contratos"
    assert said in done.stdout, shown(done)
    assert f"ccb-luigi: sweep: {said}" in done.stderr, shown(done)
    assert untouched(world)
