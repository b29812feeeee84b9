"""A long range from the command line: its plan, its progress, Ctrl-C, and Luigi's own command line."""

from __future__ import annotations

import os
import signal
import subprocess
from datetime import timedelta

import bson
import pytest
from program import Program, Scheduler, kill
from test_luigi import held, wait_until, waits_for
from world import D1, D2, D3, D4, STEPS, World, at, document

NUMBER = 60


@pytest.fixture
def world(program: Program) -> World:
    """Three dates of twenty contracts each, and shards of ten."""
    program.environment |= {"CCB_SHARD_DOCUMENTS": "10", "CCB_PROCESSES": "1"}
    documents = [
        document(f"d{n}", f"C{n}", at(D1) + timedelta(hours=n % 3, days=n // 20), client=f"c{n % 7}", rows=1)
        for n in range(NUMBER)
    ]
    with program.world.collection() as collection:
        collection.create_index("updatedAt")
        collection.insert_many(documents)
    (program.directory / "contratos.bson").write_bytes(b"".join(map(bson.encode, documents)))
    return program.world


def assert_migrated(world: World) -> None:
    assert world.contracts() == {f"C{n}": f"d{n}" for n in range(NUMBER)}
    assert world.one("SELECT count(*) FROM parcelas") == NUMBER
    for day in (D1, D2, D3):
        assert set(world.markers(day)) == set(STEPS)
    assert world.query("SELECT particao, lidos, ok FROM controle.reconciliacoes ORDER BY 1") == [
        (day, 20, True) for day in (D1, D2, D3)
    ]


def shards_done(world: World) -> int:
    return int(world.one("SELECT count(*) FROM table_updates WHERE target_table = 'fatias'"))


DUMP = ("--source", "contratos.bson", "--covers-until", f"{D4}T00:00")


@pytest.mark.parametrize("kind", [(), DUMP], ids=["server", "dump"])
def test_a_full_run_tells_how_far_it_is_and_is_done_once(
    program: Program, world: World, kind: tuple[str, ...]
) -> None:
    done = program.run("run", "--full", "--until", D3, "--workers", 2, *kind)
    assert_migrated(world)
    lines = done.stdout.splitlines()
    shards = world.one("SELECT fatias FROM controle.planos")
    assert lines[0] == f"plan 1: {NUMBER} contracts in {shards} shards"
    assert len([line for line in lines if " done  " in line and " rejected; proven; " in line]) == shards
    summed_up = lines.index(f"3 of 3 dates complete: {D1} to {D3}")
    assert f"{NUMBER} of {NUMBER}, " in lines[summed_up - 1]
    new = " ".join(lines[summed_up + 1 :])
    assert new.startswith("rows new: clientes ")
    assert f", operacoes {world.one('SELECT count(*) FROM operacoes')}, " in new
    assert f", parcelas {world.one('SELECT count(*) FROM parcelas')}, " in new
    assert done.stderr == ""
    before = world.query("SELECT * FROM table_updates ORDER BY 1")
    again = program.run("run", "--full", "--until", D3, *kind).stdout
    source = f" --source {program.directory / 'contratos.bson'}" if kind else ""
    assert again == (
        f"3 of 3 dates complete, all of them before: {D1} to {D3}; nothing was read"
        f"{source.replace(' --source', ' from')}, since a marked date is done"
        f" (`ccb-luigi rerun --date D{source}` reads it again)\n"
    )
    assert world.query("SELECT * FROM table_updates ORDER BY 1") == before
    assert world.one("SELECT documentos FROM controle.execucoes ORDER BY iniciada_em LIMIT 1") == NUMBER


def test_a_range_of_more_documents_than_a_shard_is_planned_a_smaller_one_goes_by_dates(
    program: Program, world: World
) -> None:
    done = program.run("run", "--since", D1, "--until", D2, CCB_SHARD_DOCUMENTS="40")
    assert done.stdout.startswith(f"{D1}  done  20 read, 20 loaded, 0 rejected; proven\n")
    done = program.run("run", "--since", D3, "--until", D3, CCB_SHARD_DOCUMENTS="19")  # one date may be hot
    assert done.stdout.startswith("plan 1: 20 contracts in 2 shards")
    program.run("run", "--since", D1, "--until", D3)
    assert_migrated(world)


def interrupted(process: subprocess.Popen[str]) -> None:
    """As a terminal does it: the signal reaches all processes of the command."""
    os.killpg(process.pid, signal.SIGINT)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_first_ctrl_c_ends_what_is_under_way_and_the_same_command_goes_on(
    program: Program, world: World, workers: int
) -> None:
    process = program.start("run", "--full", "--until", D3, "--workers", workers)
    with held(world, "parcelas"):
        wait_until(lambda: waits_for(world, "parcelas"))
        interrupted(process)
        assert process.stderr
        assert process.stderr.readline() == (
            "ccb-luigi: stopping after the shards under way; Ctrl-C again stops at once\n"
        )
    try:
        out, err = process.communicate(timeout=60)
    finally:
        kill(process)
    assert process.returncode == 130, out + err
    done, shards = shards_done(world), world.one("SELECT fatias FROM controle.planos")
    assert 1 <= done <= workers
    assert err == (f"ccb-luigi: interrupted: {done} of {shards} shards done; the same command goes on\n")
    assert world.one("SELECT count(*) FROM operacoes") == world.one(
        "SELECT sum(linhas) FROM table_updates WHERE target_table = 'fatias'"
    )
    again = program.run("run", "--full", "--until", D3)
    assert again.stdout.startswith(f"plan 1: {NUMBER} contracts in {shards} shards; {done} are done\n")
    assert_migrated(world)


def test_the_second_ctrl_c_ends_at_once_and_leaves_nothing_half_done(program: Program, world: World) -> None:
    process = program.start("run", "--full", "--until", D3, "--workers", 2)
    with held(world, "parcelas"):
        wait_until(lambda: waits_for(world, "parcelas"))
        interrupted(process)
        assert process.stderr
        process.stderr.readline()
        interrupted(process)
        try:
            out, err = process.communicate(timeout=30)
        finally:
            kill(process)
    assert process.returncode == 130, out + err
    assert err == "ccb-luigi: interrupted; what is done is marked, the same command goes on\n"
    wait_until(lambda: world.one("SELECT count(*) FROM operacoes") == 0)
    assert shards_done(world) == 0
    program.run("run", "--full", "--until", D3)
    assert_migrated(world)


def test_luigi_itself_carries_a_plan_out_on_two_workers_that_share_a_scheduler(
    program: Program, world: World, scheduler: Scheduler
) -> None:
    words = (
        "--module",
        "ccb_luigi.tasks",
        "FullCCB",
        "--until",
        D3,
        "--scheduler-url",
        scheduler.url,
        "--no-lock",
    )
    processes = [program.start(*words, program="luigi") for _ in range(2)]
    for process in processes:
        try:
            out, err = process.communicate(timeout=100)
        finally:
            kill(process)
        assert process.returncode in (0, 25), out + err  # 25: what the other one did is "not run" to Luigi
    assert_migrated(world)
    assert set(scheduler.statuses().values()) == {"DONE"}
    assert world.one("SELECT count(*) FROM controle.planos") == 1


def test_a_failed_shard_gives_its_status_and_the_others_are_done(program: Program, world: World) -> None:
    world.query("ALTER TABLE operacoes ADD CONSTRAINT one CHECK (ccb_code <> 'C7') NOT VALID")
    done = program.run("run", "--full", "--until", D3, "--workers", 1, status=14)
    shards = world.one("SELECT fatias FROM controle.planos")
    assert f"{shards - 1} of {shards} shards done; the same command goes on" in done.stdout
    assert done.stdout.count("failed") == 1
    assert "check violation (23514) in table operacoes, constraint one" in done.stdout
    world.query("ALTER TABLE operacoes DROP CONSTRAINT one")
    program.run("run", "--full", "--until", D3)
    assert_migrated(world)
