"""A night that has to end: at its deadline, or because systemd asks (SIGTERM, as at TimeoutStartSec)."""

from __future__ import annotations

import signal
import subprocess
from datetime import date, timedelta
from pathlib import Path

import psutil
import pytest
from program import Program, kill, yesterday
from test_luigi import held, wait_until, waits_for
from world import World, at, document, rejected

NIGHT = {"CCB_NIGHTLY_DAYS": "2", "CCB_REPORT_DIR": "pages", "CCB_WORKERS": "1"}
# Imported by Python when it starts: it is a moment before six until the file is there.
CLOCK = """
import os
from datetime import datetime
from zoneinfo import ZoneInfo
from ccb_luigi.process import stopping
SIX = datetime(2026, 3, 10, 6, tzinfo=ZoneInfo("America/Sao_Paulo")).timestamp()
stopping.clock = lambda: SIX + (0 if os.path.exists("six") else -0.1)
"""


@pytest.fixture
def world(program: Program, tmp_path: Path) -> World:
    """Two dates to do; the program's clock stands still until ``six`` appears in its directory."""
    (tmp_path / "clock").mkdir()
    (tmp_path / "clock" / "sitecustomize.py").write_text(CLOCK)
    path = f"{tmp_path / 'clock'}:{program.environment.get('PYTHONPATH', '')}"
    program.environment |= NIGHT | {"CCB_DEADLINE": "06:00", "PYTHONPATH": path}
    for number, day in enumerate(nights()):
        program.world.put(document(f"d{number}", f"C{number}", at(day)))
    return program.world


def nights() -> tuple[date, date]:
    return yesterday() - timedelta(days=1), yesterday()


def page(program: Program) -> str:
    html = (program.directory / "pages" / "ultimo.html").read_text(encoding="utf-8")
    return html.replace("<wbr>", "")


def finished(process: subprocess.Popen[str], status: int) -> tuple[str, str]:
    """What it said; nothing that it started is left."""
    descendants = psutil.Process(process.pid).children(recursive=True)
    try:
        out, err = process.communicate(timeout=60)
        psutil.wait_procs(descendants, timeout=60)
        assert not [each for each in descendants if each.is_running()]
    finally:
        kill(process)
    assert process.returncode == status, out + err
    assert "Traceback" not in out + err
    return out, err


def assert_all_or_nothing(world: World, day: date) -> None:
    """Rows of the date's contract are there exactly where its step is marked."""
    code = f"C{nights().index(day)}"
    for table in ("operacoes", "parcelas", "detalhamento_cet"):
        rows = world.one(f"SELECT count(*) FROM {table} WHERE ccb_code = %s", code)
        assert bool(rows) == (table in world.markers(day)), table


def test_a_night_ends_at_its_deadline_names_what_is_left_and_the_next_one_catches_up(
    program: Program, world: World
) -> None:
    first, second = nights()
    world.migrate(first)
    with held(world, "parcelas"):
        process = program.start("nightly")
        wait_until(lambda: waits_for(world, "parcelas"))
        (program.directory / "six").touch()
        out, err = finished(process, 21)
    assert out == ""
    assert err == (
        f"ccb-luigi: the deadline, 06:00, has passed: 1 of 2 dates complete; missing: {second};"
        " the next night goes on where this one ended\n"
    )
    assert {"contratos", "operacoes"} <= world.markers(second).keys()
    assert not {"parcelas", "reconciliacoes"} & world.markers(second).keys()
    assert_all_or_nothing(world, second)
    assert world.one("SELECT count(*) FROM controle.varreduras") == 0
    assert "the deadline, 06:00, has passed" in page(program)
    assert f"ccb-luigi run --date {second}" in page(program)

    extracted = world.markers(second)["contratos"]
    (program.directory / "six").unlink()
    done = program.run("nightly")
    assert done.stdout.startswith(
        f"{second}  done  1 read, 1 loaded, 0 rejected; proven\n"
        f"2 of 2 dates complete, 1 of them before: {first} to {second}\nrows new: "
    )
    assert done.stderr == ""
    assert world.markers(second)["contratos"] == extracted
    assert world.contracts() == {"C0": "d0", "C1": "d1"}
    assert "Tudo certo" in page(program)


def test_a_sweep_that_outlives_the_night_ends_as_well_in_the_middle_of_a_statement(
    program: Program, world: World
) -> None:
    world.migrate(*nights())
    world.put(document("d0", "C0", at(nights()[0], 13)))  # for the sweep to load
    with held(world, "operacoes"):
        process = program.start("nightly")
        wait_until(lambda: waits_for(world, "operacoes"))
        (program.directory / "six").touch()
        out, err = finished(process, 21)
    both = f"{nights()[0]} to {nights()[-1]}"
    assert out == f"2 of 2 dates complete, all of them before: {both}; nothing was read\n"
    assert err.startswith("ccb-luigi: the deadline, 06:00, has passed: 2 of 2 dates complete; the sweep is")
    assert err.count("\n") == 1
    assert "A varredura não terminou bem" in page(program)
    assert world.one("SELECT count(*) FROM controle.varreduras") == 0


def test_of_a_failure_and_a_deadline_the_failure_gives_the_status_and_the_page_tells_both(
    program: Program, world: World
) -> None:
    first, second = nights()
    world.put(*(rejected(document(f"r{n}", f"R{n}", at(first))) for n in range(51)))
    with held(world, "parcelas"):
        process = program.start("nightly")
        wait_until(lambda: waits_for(world, "parcelas"))
        wait_until(lambda: len(world.quarantined()) == 51)
        (program.directory / "six").touch()
        _, err = finished(process, 11)
    assert f"0 of 2 dates complete; missing: {first}, {second};" in err
    assert "51 of 52 documents were rejected" in page(program)
    assert "the deadline, 06:00, has passed" in page(program)


def test_systemd_s_time_limit_ends_a_night_with_one_line_and_143_and_nobody_is_left(
    program: Program, world: World
) -> None:
    first, second = nights()
    world.migrate(first)
    with held(world, "parcelas"):
        process = program.start("nightly", CCB_WORKERS="2", CCB_DEADLINE="")
        wait_until(lambda: waits_for(world, "parcelas"))
        process.send_signal(signal.SIGTERM)
        out, err = finished(process, 143)
    assert out == ""
    assert err == (
        f"ccb-luigi: ended by SIGTERM: 1 of 2 dates complete; missing: {second};"
        " the next night goes on where this one ended\n"
    )
    assert_all_or_nothing(world, second)
    assert "ended by SIGTERM" in page(program)
    program.run("nightly")
    assert world.contracts() == {"C0": "d0", "C1": "d1"}


@pytest.mark.parametrize("command", ["run", "sweep"])
def test_sigterm_ends_other_commands_with_one_line_and_143(
    program: Program, world: World, command: str
) -> None:
    day = nights()[1]
    if command == "sweep":
        world.migrate(*nights())
        world.put(document("d1", "C1", at(day, 13)))
    with held(world, "parcelas"):
        process = program.start(command)
        wait_until(lambda: waits_for(world, "parcelas"))
        process.send_signal(signal.SIGTERM)
        out, err = finished(process, 143)
    assert out == ""
    assert err == "ccb-luigi: ended by SIGTERM; what is done is marked, the same command goes on\n"
    program.run(command)
    assert world.one("SELECT count(*) FROM operacoes WHERE ccb_code = 'C1'") == 1


CTRL_C = """
import os, signal
def once():
    global once
    once = lambda: None
    os.killpg(0, signal.SIGINT)
os.register_at_fork(after_in_parent=lambda: once())
"""


def test_ctrl_c_in_the_middle_of_a_fork_is_no_failure_of_a_date(program: Program, tmp_path: Path) -> None:
    (tmp_path / "struck").mkdir()
    (tmp_path / "struck" / "sitecustomize.py").write_text(CTRL_C)
    path = f"{tmp_path / 'struck'}:{program.environment.get('PYTHONPATH', '')}"
    program.world.put(document("d1", "C1", at(yesterday())))
    out, err = finished(program.start("run", CCB_WORKERS="2", PYTHONPATH=path), 130)
    assert out == ""
    assert err == "ccb-luigi: interrupted; what is done is marked, the same command goes on\n"
    program.run("run")
    assert program.world.contracts() == {"C1": "d1"}
