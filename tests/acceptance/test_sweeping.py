"""The sweep from the command line, by hand and at the end of the night; and the recount after it."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from zoneinfo import ZoneInfo

from program import ANSI, Program, shown, yesterday
from world import D1, EIGHT, World, at, document, rejected


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
    (line,) = [x for x in program.run("status").stdout.splitlines() if x.startswith("in tables ")]
    assert line.split()[2:] == [str(world.one(f"SELECT count(*) FROM {name}")) for name in EIGHT]
    assert world.column("SELECT ccb_code FROM operacoes WHERE excluido_em IS NOT NULL") == ["B"]
    shown = r"last sweep: \d{4}-\d\d-\d\d \d\d:\d\d, ok, 3 documents compared with 2 contracts: "
    shown += "1 loaded, 1 marked as gone"
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


def test_a_night_notices_rows_that_somebody_deleted_and_what_it_says_to_do_brings_them_back(
    program: Program,
) -> None:
    world, last = program.world, yesterday()
    before = last - timedelta(days=1)
    world.put(document("a", "A", at(last), client="c1"), document("b", "B", at(before), client="c2", rows=5))
    night = {"CCB_NIGHTLY_DAYS": "2", "CCB_REPORT_DIR": str(program.directory), "CCB_METRICS_DIR": "."}
    program.run("nightly", **night)
    assert "LOST" not in program.run("status").stdout
    world.query("DELETE FROM parcelas WHERE numero_parcela > 2")
    done = program.run("nightly", **night, status=12)
    command = f"ccb-luigi rerun --since {before} --until {last}"
    told = (
        "4 rows that were loaded are no longer in the tables (parcelas 4), of 2 dates:"
        f" {before}, {last}; `{command}` loads them again"
    )
    assert done.stderr == f"ccb-luigi: {told}\n"
    lines = program.run("status").stdout.splitlines()
    assert [line.split()[-1] for line in lines if line.startswith((str(before), str(last)))] == ["LOST"] * 2
    (line,) = [line for line in lines if line.startswith("LOST: ")]
    assert line.endswith(told)
    lost = [day["lost"] for day in json.loads(program.run("status", "--days", 2, "--json").stdout)]
    assert lost == [{"parcelas": 3}, {"parcelas": 1}]
    page = (program.directory / "ultimo.html").read_text()
    assert "Rows that 2 dates had loaded" in page
    assert "4 (parcelas)." in page
    assert f"<code>{command.replace(' ', ' <wbr>')}</code>" in page
    assert "#exit-code-12" in page
    metrics = (program.directory / "ccb_luigi.prom").read_text()
    assert 'ccb_luigi_lost_rows{table="parcelas"} 4.0' in metrics
    assert 'ccb_luigi_partitions{state="lost"} 2.0' in metrics
    program.run(*command.split()[1:], CCB_METRICS_DIR=".")
    assert world.numbers("B") == [1, 2, 3, 4, 5]
    assert 'ccb_luigi_lost_rows{table="parcelas"} 0.0' in (program.directory / "ccb_luigi.prom").read_text()
    assert "LOST" not in program.run("status").stdout
    program.run("nightly", **night)


def test_rerun_does_the_dates_again_that_verify_has_found(program: Program) -> None:
    world, days = program.world, [D1 + timedelta(days=n) for n in range(8)]
    world.put(*(document(f"d{n}", f"D{n}", at(day), client=f"c{n}") for n, day in enumerate(days)))
    world.migrate(*days)
    world.query("DELETE FROM parcelas WHERE ccb_code NOT IN ('D2', 'D5') AND numero_parcela = 3")
    wrong = [day for n, day in enumerate(days) if n not in (2, 5)]
    done = program.run("verify", "--full", "--json", status=20)
    assert json.loads(done.stdout)["dates"] == [str(day) for day in wrong]
    assert all(str(day) in done.stderr for day in wrong)
    found = program.directory / "verify.json"
    found.write_text(done.stdout)
    untouched = world.markers(days[2])
    assert "6 of 6 dates complete" in program.run("rerun", "--from-verify", found).stdout
    assert world.markers(days[2]) == untouched
    done = program.run("verify", "--full", "--json")
    found.write_text(done.stdout)
    assert program.run("rerun", "--from-verify", found).stdout == "no date differs: nothing is done again\n"
