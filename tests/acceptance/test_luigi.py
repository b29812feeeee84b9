"""The graph under Luigi itself: its command line, its scheduler, and processes that end in the middle."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import psycopg2
import pytest
from program import REPOSITORY, Program, Scheduler, kill, luigid, shown, yesterday
from strangers import ANSWERS, HOST, answering, closed_port
from world import D1, D2, D3, D4, DAYS, EIGHT, STEPS, World, at, document, rejected

TASK_OF_STEP = {
    "contratos": "ExtractContratos",
    "clientes": "LoadClientes",
    "identidades": "LoadIdentidades",
    "enderecos": "LoadEnderecos",
    "contatos": "LoadContatos",
    "dados_bancarios": "LoadDadosBancarios",
    "operacoes": "LoadOperacoes",
    "parcelas": "LoadParcelas",
    "detalhamento_cet": "LoadDetalhamentoCet",
    "reconciliacoes": "ReconcileCCB",
}
CHILDREN_OF_CLIENTES = ("identidades", "enderecos", "contatos", "dados_bancarios", "operacoes")
BREAK = "ALTER TABLE clientes ADD CONSTRAINT nobody CHECK (nome = 'x') NOT VALID"
MEND = "ALTER TABLE clientes DROP CONSTRAINT nobody"
CHILDREN_OF_OPERACOES = ("parcelas", "detalhamento_cet")


def migrate(
    program: Program, day: object, *words: object, status: int = 0
) -> subprocess.CompletedProcess[str]:
    return program.luigi("MigrateCCB", "--date", day, *words, status=status)


def steps_of(statuses: dict[str, str], day: object) -> dict[str, str]:
    """Step (or ``root``) → status, from task ids like ``ccb.LoadParcelas_2026_03_02_0123456789``."""
    return {
        step_of(name): status
        for name, status in statuses.items()
        if str(day).replace("-", "_") in name  # the dates of a task id
    }


def step_of(task_id: str) -> str:
    """The step of a task id like ``ccb.LoadParcelas_2026_03_02_0123456789``, or ``root``."""
    family = task_id.split("_")[0].removeprefix("ccb.")
    return {task: step for step, task in TASK_OF_STEP.items()}.get(family, "root")


@contextmanager
def held(world: World, table: str) -> Iterator[None]:
    """No row of ``table`` can be written meanwhile: a load stops there, in its transaction."""
    connection = psycopg2.connect(world.settings.postgres_url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
            yield
        connection.rollback()
    finally:
        connection.close()


def wait_until(true: Callable[[], object], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def waits_for(world: World, table: str) -> bool:
    """Whether somebody waits for a lock of the table."""
    return bool(
        world.one(
            "SELECT count(*) FROM pg_locks WHERE relation = %s::regclass AND NOT granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            table,
        )
    )


def assert_migrated_once(world: World, day: object = D1) -> None:
    """Rows and markers of the only document ``a`` and the rejected one ``b``."""
    assert world.contracts() == {"A": "a"}
    assert world.numbers("A") == [1, 2, 3]
    assert [world.one(f"SELECT count(*) FROM {name}") for name in EIGHT] == [1, 2, 1, 3, 1, 1, 3, 1]
    assert world.one("SELECT count(*) FROM table_updates") == len(STEPS)
    assert set(world.quarantined()) == {"b"}
    assert world.query("SELECT particao, lidos, ok FROM controle.reconciliacoes") == [(day, 2, True)]
    assert world.one("SELECT count(*) FROM staging.contratos") == 0


@pytest.fixture
def world(program: Program) -> World:
    program.world.put(document("a", "A", at(D1)), rejected(document("b", "B", at(D1))))
    return program.world


def test_luigi_migrates_a_date_and_its_scheduler_shows_eleven_tasks_done_and_no_setting(
    program: Program, world: World, scheduler: Scheduler
) -> None:
    migrate(program, D1, "--scheduler-url", scheduler.url)
    assert_migrated_once(world)
    statuses = scheduler.statuses()
    assert len(statuses) == 11
    assert steps_of(statuses, D1) == dict.fromkeys([*STEPS, "root"], "DONE")

    (root,) = [name for name in statuses if name.startswith("ccb.MigrateCCB_")]
    graph = scheduler.ask("dep_graph", task_id=root, include_done=True)
    needs = {step_of(name): {step_of(dep) for dep in node["deps"]} for name, node in graph.items()}
    assert needs == {
        "contratos": set(),
        "clientes": {"contratos"},
        **{name: {"contratos", "clientes"} for name in CHILDREN_OF_CLIENTES},
        **{name: {"contratos", "operacoes"} for name in CHILDREN_OF_OPERACOES},
        "reconciliacoes": set(EIGHT),
        "root": {*EIGHT, "reconciliacoes"},
    }
    tasks = scheduler.ask("task_list", status="")
    assert {json.dumps(task["params"]) for task in tasks.values()} == {json.dumps({"date": str(D1)})}


def test_luigi_needs_no_running_scheduler(program: Program, world: World) -> None:
    migrate(program, D1, "--local-scheduler")
    assert_migrated_once(world)
    before = world.markers(D1)
    migrate(program, D1, "--local-scheduler")
    assert world.markers(D1) == before


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (
            ("MigrateCCB", "--date", "02/03/2026"),
            "a parameter can't be read: a date is written as YYYY-MM-DD",
        ),
        (("MigrateCCB",), "the task needs a parameter: --date"),
        (("NightlyCBC", "--date", D1), "No task NightlyCBC. Did you mean"),
        (("MigrateCCB", "--date", D1, "--canary", 1), "unrecognized arguments: --canary 1"),
    ],
    ids=["a wrong date", "no date", "an unknown task", "an unknown parameter"],
)
def test_luigis_own_command_line_has_one_line_for_what_is_wrong_with_it(
    program: Program, words: tuple[object, ...], reason: str
) -> None:
    status = {"unrec": 2, "No ta": 1}.get(reason[:5], 40)
    done = program.luigi(*words, "--local-scheduler", status=status)
    assert "Traceback" not in done.stdout + done.stderr
    assert len([line for line in done.stderr.splitlines() if reason in line]) == 1, shown(done)


def test_luigis_own_command_line_does_without_luigid_at_once(program: Program, world: World) -> None:
    with closed_port() as port:
        done = migrate(program, D1, "--scheduler-url", f"http://{HOST}:{port}")
    (line,) = [line for line in done.stderr.splitlines() if "luigid" in line]
    assert f"luigid does not answer at http://{HOST}:{port} (--scheduler-url): nothing listens there" in line
    assert "Traceback" not in done.stdout + done.stderr
    assert_migrated_once(world)


@pytest.mark.parametrize(
    ("status", "wrong", "reason"),
    [
        (35, {"CCB_POSTGRES_URL": ""}, "CCB_POSTGRES_URL is not set"),
        (35, {"CCB_POSTGRES_URL": f"postgresql://{HOST}:1/x"}, "PostgreSQL can't be reached"),
        (15, {"CCB_WORKERS": "many"}, "CCB_WORKERS is not a number"),
    ],
    ids=["no address", "no server", "a wrong setting"],
)
def test_luigis_own_command_line_tells_what_a_setting_or_a_server_lacks(
    program: Program, status: int, wrong: dict[str, str], reason: str
) -> None:
    night = {"CCB_RETRY_SECONDS": "0"}
    done = program.luigi("NightlyCCB", "--date", D1, "--local-scheduler", status=status, **night, **wrong)
    assert "Traceback" not in done.stdout + done.stderr
    assert reason in done.stderr


def test_luigis_own_command_line_tries_at_once_what_failed_too_often(
    program: Program, world: World, scheduler: Scheduler
) -> None:
    world.query(BREAK)
    migrate(program, D1, "--scheduler-url", scheduler.url, status=30)
    assert steps_of(scheduler.statuses(), D1)["clientes"] == "DISABLED"
    world.query(MEND)
    migrate(program, D1, "--scheduler-url", scheduler.url)
    assert_migrated_once(world)


def test_a_failing_task_is_shown_as_failed_with_one_clean_line(
    program: Program, world: World, scheduler: Scheduler
) -> None:
    # PostgreSQL's own message about this would quote the row.
    world.query("ALTER TABLE clientes ADD CONSTRAINT nobody CHECK (nome = 'x') NOT VALID")
    done = migrate(program, D1, "--scheduler-url", scheduler.url, "--scheduler-retry-count", 1, status=30)
    assert "Nome a" not in done.stdout + done.stderr
    statuses = scheduler.statuses()
    failed = [name for name, status in statuses.items() if status in ("FAILED", "DISABLED")]
    assert [step_of(name) for name in failed] == ["clientes"]
    assert steps_of(statuses, D1)["contratos"] == "DONE"
    assert steps_of(statuses, D1)["parcelas"] == "PENDING"
    error = scheduler.ask("fetch_error", task_id=failed[0])["error"]
    assert error.strip('"') == (
        "PostgreSQL: check violation (23514) in table clientes, constraint nobody:"
        " the log of the server says more"
    )
    assert set(world.markers(D1)) == {"contratos"}


def test_what_failed_too_often_is_run_by_hand_as_soon_as_it_is_mended(
    program: Program, world: World, scheduler: Scheduler
) -> None:
    """After three failures luigid keeps a task from everybody for ten minutes."""
    central = {"CCB_SCHEDULER_URL": scheduler.url}
    commands = {
        D1: ("run", "--date", D1),
        D2: ("rerun", "--date", D2),
        D3: ("rerun", "--date", D3, "--table", "clientes"),
        D4: ("run", "--since", D3, "--until", D4),
    }
    for day, words in commands.items():
        world.put(document(f"d{day}", f"C{day}", at(day)))
        world.query(BREAK)
        program.run(*words, status=14, **central)
        assert steps_of(scheduler.statuses(), day)["clientes"] == "DISABLED", words
        world.query(MEND)
        done = program.run(*words, **central)
        assert done.stderr == "", shown(done)
        assert set(world.markers(day)) == set(STEPS), words
        assert steps_of(scheduler.statuses(), day)["clientes"] == "DONE", words


def test_what_is_still_broken_fails_by_hand_with_its_own_reason(
    program: Program, world: World, scheduler: Scheduler
) -> None:
    world.query(BREAK)
    for _ in range(2):
        done = program.run("run", "--date", D1, status=14, CCB_SCHEDULER_URL=scheduler.url)
        (reason,) = [line for line in done.stdout.splitlines() if "failed" in line]
        assert "check violation (23514) in table clientes" in reason
    assert steps_of(scheduler.statuses(), D1)["clientes"] == "DISABLED"


def test_what_was_done_a_moment_ago_is_done_again_when_it_is_asked_for(
    program: Program, world: World, scheduler: Scheduler
) -> None:
    """Luigid takes no claim that a task which it has seen done in the last ten seconds is not."""
    for words in (("run",), ("rerun",), ("rerun", "--table", "parcelas")):
        done = program.run(*words, "--date", D1, CCB_SCHEDULER_URL=scheduler.url)
        assert f"{D1}  done  2 read, " in done.stdout, shown(done)
        assert done.stderr == ""
    assert_migrated_once(world)


def test_a_scheduler_that_takes_no_second_claim_for_a_while_costs_no_rerun(
    program: Program, world: World, tmp_path: Path
) -> None:
    """As luigid is unless told otherwise, but for ten minutes: what it has seen done stays done for it."""
    ours, stubborn = (REPOSITORY / "luigi.cfg").read_text(encoding="utf-8"), tmp_path / "stubborn.cfg"
    for name, value, other in (("stable_done_cooldown_secs", 0, 600), ("retry_delay", 10, 1)):
        assert f"\n{name} = {value}\n" in ours
        ours = ours.replace(f"\n{name} = {value}\n", f"\n{name} = {other}\n")
    stubborn.write_text(ours, encoding="utf-8")
    with luigid(tmp_path / "luigid", stubborn) as scheduler:
        central = {"CCB_SCHEDULER_URL": scheduler.url}
        world.query(BREAK)
        program.run("run", "--date", D1, status=14, **central)  # read, which luigid keeps in mind
        world.query(MEND)
        for words in (("rerun",), ("rerun",), ("rerun", "--table", "parcelas")):
            done = program.run(*words, "--date", D1, **central)
            assert f"{D1}  done  2 read, " in done.stdout, shown(done)
            assert done.stderr == ""
    assert_migrated_once(world)


def test_a_paused_scheduler_costs_one_warning(program: Program, world: World, scheduler: Scheduler) -> None:
    scheduler.ask("pause")
    done = program.run("run", "--date", D1, CCB_SCHEDULER_URL=scheduler.url)
    (line,) = done.stderr.splitlines()
    assert line.endswith(f"luigid at {scheduler.url} is paused, on its page: running without it")
    assert_migrated_once(world)


def test_a_run_killed_in_the_middle_ends_right_when_it_is_started_again(
    program: Program, world: World
) -> None:
    for table in ("clientes", "operacoes", "parcelas"):
        process = program.start("run", "--date", D1, "--workers", 1)
        with held(world, table):
            wait_until(lambda table=table: waits_for(world, table))  # type: ignore[misc]
            kill(process)
        assert table not in world.markers(D1)
        assert world.one(f"SELECT count(*) FROM {table}") == 0
    program.run("run", "--date", D1)
    assert_migrated_once(world)


def test_a_run_killed_at_any_moment_ends_right_when_it_is_started_again(
    program: Program, world: World
) -> None:
    for tenths in (8, 13, 18):
        world.clear()
        process = program.start("run", "--date", D1, "--workers", 2)
        time.sleep(tenths / 10)
        kill(process)
        marked = world.markers(D1)
        for table in EIGHT:
            assert (table in marked) == bool(world.one(f"SELECT count(*) FROM {table}"))
        program.run("run", "--date", D1)
        assert_migrated_once(world)


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_ends_with_one_line_and_130_and_nothing_half_written(
    program: Program, world: World, workers: int
) -> None:
    process = program.start("run", "--date", D1, "--workers", workers)
    with held(world, "parcelas"):
        wait_until(lambda: waits_for(world, "parcelas"))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=100)
    kill(process)
    assert process.returncode == 130, out + err
    said = [line for line in (out + err).splitlines() if line]
    assert len(said) == 1, out + err
    assert "interrupted" in said[0]
    assert "parcelas" not in world.markers(D1)
    wait_until(lambda: world.one("SELECT count(*) FROM parcelas") == 0)
    program.run("run", "--date", D1)
    assert_migrated_once(world)


def test_two_runs_of_one_date_at_once_both_end_well_with_one_set_of_rows(
    program: Program, world: World
) -> None:
    for _ in range(2):
        world.clear()
        processes = [program.start("run", "--date", D1, "--workers", 2) for _ in range(2)]
        for process in processes:
            out, err = process.communicate(timeout=100)
            assert process.returncode == 0, out + err
            assert "1 of 1 dates complete" in out
            assert err == ""
        assert_migrated_once(world)


def test_two_runs_that_share_a_scheduler_both_end_well(
    program: Program, world: World, scheduler: Scheduler
) -> None:
    processes = [
        program.start("run", "--date", D1, "--workers", 1, CCB_SCHEDULER_URL=scheduler.url) for _ in range(2)
    ]
    for process in processes:
        out, err = process.communicate(timeout=100)
        assert process.returncode == 0, out + err
    assert_migrated_once(world)
    assert steps_of(scheduler.statuses(), D1) == dict.fromkeys([*STEPS, "root"], "DONE")


def test_a_scheduler_that_is_down_does_not_keep_a_run_from_its_work(program: Program, world: World) -> None:
    done = program.run("run", "--date", D1, CCB_SCHEDULER_URL="http://127.0.0.1:1")
    assert "luigid does not answer" in done.stderr
    assert_migrated_once(world)


def test_whatever_answers_at_luigids_address_a_night_ends_well_with_one_warning(
    program: Program, world: World, scheduler: Scheduler
) -> None:
    day = yesterday()
    world.put(document("y", "Y", at(day, 15)))
    night = {"CCB_NIGHTLY_DAYS": "2", "CCB_RETRY_SECONDS": "1"}

    def nightly(**environment: str) -> str:
        world.forget(day)
        done = program.run("nightly", **night, **environment)
        assert set(world.markers(day)) == set(STEPS)
        return done.stderr

    for name in ("401", "502", "200 HTML", "redirect", "SSH"):  # what is said of the others: test_web
        with answering(ANSWERS[name][0]) as port:
            said = nightly(CCB_SCHEDULER_URL=f"http://me:canary-senha@{HOST}:{port}")
        (line,) = said.splitlines()
        assert (
            f"luigid does not answer at http://{HOST}:{port} (CCB_SCHEDULER_URL): {ANSWERS[name][1]}" in line
        )
        assert "canary" not in said
    with closed_port() as port:
        dead = {"http_proxy": f"http://{HOST}:{port}", "HTTP_PROXY": f"http://{HOST}:{port}"}
        (line,) = nightly(CCB_SCHEDULER_URL="http://192.0.2.1:8082", **dead).splitlines()
        assert f"(through the proxy http://{HOST}:{port}) (CCB_SCHEDULER_URL): nothing listens there" in line
        assert nightly(CCB_SCHEDULER_URL=scheduler.url, **dead) == "", (
            "no proxy stands before this machine's own"
        )
    assert set(steps_of(scheduler.statuses(), day).values()) == {"DONE"}


def test_a_plan_needs_no_luigid_either(program: Program, world: World) -> None:
    with answering(ANSWERS["502"][0]) as port:
        where = f"http://{HOST}:{port}"
        done = program.run("run", "--full", "--until", D1, CCB_SHARD_DOCUMENTS="1", CCB_SCHEDULER_URL=where)
    (line,) = done.stderr.splitlines()
    assert f"luigid does not answer at {where} (CCB_SCHEDULER_URL): it answered with status 502" in line
    assert world.one("SELECT count(*) FROM controle.planos") == 1
    assert world.contracts() == {"A": "a"}
    assert set(world.markers(D1)) >= {"reconciliacoes"}


def test_a_range_of_dates_is_asked_for_at_once_and_only_the_missing_ones_run(
    program: Program, world: World, tmp_path: Path
) -> None:
    world.put(document("c", "C", at(D3)))
    migrate(program, D2, "--local-scheduler")
    first = world.markers(D2)
    # The module that has RangeDaily doesn't import ours, and ours doesn't import that one.
    (tmp_path / "both.py").write_text("import ccb_luigi.tasks\nimport luigi.tools.range\n")
    done = program.run(
        *("--module", "both", "RangeDaily", "--of", "MigrateCCB", "--local-scheduler"),
        *("--start", D1, "--stop", D3 + timedelta(days=1), "--days-back", 3660, "--task-limit", 50),
        program="luigi",
        PYTHONPATH=f"{tmp_path}:{program.environment.get('PYTHONPATH', '')}",
    )
    assert "missing_data" not in done.stderr
    for day in (D1, D2, D3):
        assert set(world.markers(day)) == set(STEPS), shown(done)
    assert world.markers(D2) == first
    assert world.markers(D4) == {}
    assert world.contracts() == {"A": "a", "C": "c"}


def test_nightly_as_a_task_catches_up_the_last_days(program: Program, world: World) -> None:
    program.luigi("NightlyCCB", "--date", D4, "--local-scheduler", CCB_NIGHTLY_DAYS="4")
    for day in DAYS:
        assert set(world.markers(day)) == set(STEPS)
