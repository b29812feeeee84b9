"""The sweep from the command line, by hand and at the end of the night."""

from __future__ import annotations

import re
from datetime import timedelta
from zoneinfo import ZoneInfo

from program import ANSI, Program, shown, yesterday
from world import D1, World, at, document, rejected


def reasons(world: World) -> list[str | None]:
    return world.column("SELECT motivo FROM controle.varreduras ORDER BY id")


def test_a_sweep_loads_marks_and_says_so_in_one_line(program: Program) -> None:
    world = program.world
    world.put(document("a", "A", at(D1)), document("b", "B", at(D1)), rejected(document("r", "R", at(D1))))
    world.migrate(D1)
    assert last_sweep(program) == "last sweep: never"
    world.put(document("late", "LATE", at(D1)))
    with world.collection() as collection:
        collection.delete_one({"_id": "b"})
    done = program.run("sweep")
    assert done.stdout == (
        "sweep: 3 documents compared with 2 contracts and 1 rejections: 1 loaded, 1 marked as gone\n"
    )
    assert done.stderr == ""
    assert not ANSI.search(done.stdout)
    assert world.contracts() == {"A": "a", "B": "b", "LATE": "late"}
    assert world.column("SELECT ccb_code FROM operacoes WHERE excluido_em IS NOT NULL") == ["B"]
    shown = r"last sweep: \d{4}-\d\d-\d\d \d\d:\d\d, ok, 1 loaded, 1 marked as gone"
    assert re.fullmatch(shown, last_sweep(program))
    ended = world.one("SELECT max(terminada_em) FROM controle.varreduras").astimezone(ZoneInfo("Asia/Tokyo"))
    assert f"{ended:%Y-%m-%d %H:%M}" in program.run("status", CCB_TIMEZONE="Asia/Tokyo").stdout
    assert "nothing to do" in program.run("sweep").stdout


def last_sweep(program: Program) -> str:
    (line,) = [x for x in program.run("status").stdout.splitlines() if x.startswith("last sweep: ")]
    return line


def test_a_sweep_that_refuses_ends_with_19_one_line_and_no_mark(program: Program) -> None:
    world = program.world
    world.put(*(document(f"d{n:02}", f"D{n}", at(D1), client=f"c{n}") for n in range(22)))
    world.migrate(D1)
    with world.collection() as collection:
        collection.delete_many({"_id": {"$ne": "d00"}})
    done = program.run("sweep", status=19)
    assert done.stdout == ""
    assert done.stderr == (
        "ccb-luigi: 21 of 22 contracts are no longer in MongoDB: none was marked; if they were deleted on"
        " purpose, `ccb-luigi sweep --confirm`\n"
    )
    assert "21 marked as gone" in program.run("sweep", "--confirm").stdout
    world.empty_source()
    done = program.run("sweep", "--confirm", status=19)
    assert "holds no document" in done.stderr, shown(done)
    assert reasons(world) == ["muitos_sumidos", None, "origem_vazia"]
    assert last_sweep(program).endswith(", FAILED (origem_vazia): `ccb-luigi sweep` says more")
    assert world.one("SELECT count(*) FROM operacoes WHERE excluido_em IS NULL") == 1


def test_the_night_ends_with_a_sweep_and_with_its_status(program: Program) -> None:
    world, last = program.world, yesterday()
    world.put(document("a", "A", at(last)), document("old", "OLD", at(last - timedelta(days=90))))
    night = {"CCB_NIGHTLY_DAYS": "2"}
    program.run("nightly", **night, CCB_NIGHTLY_SWEEP="false")
    assert world.contracts() == {"A": "a"}
    assert reasons(world) == []
    done = program.run("nightly", **night)
    both = f"{last - timedelta(days=1)} to {last}"
    told = f"2 of 2 dates complete, all of them before: {both}; nothing was read\nsweep: 2 documents"
    assert told in done.stdout
    assert world.contracts() == {"A": "a", "OLD": "old"}
    world.empty_source()
    done = program.run("nightly", **night, status=19)
    assert "2 of 2 dates complete" in done.stdout
    assert done.stderr.startswith(f"ccb-luigi: sweep: {world.settings.mongo_database}.contratos holds no")
    assert reasons(world) == [None, "origem_vazia"]
