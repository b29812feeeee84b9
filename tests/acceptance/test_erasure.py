"""Roles, erasure and retention as a person at a terminal meets them."""

from __future__ import annotations

from typing import Any

import psycopg2
import pytest
from program import Program, shown
from world import D1, D2, World, at, document, rejected

KEY = "a key of these tests alone"
GONE = "cliente-que-sai"
ROLES = ("ccb_loader", "ccb_analyst", "ccb_restricted_reader")


@pytest.fixture
def world(program: Program) -> World:
    world = program.world
    world.put(document("g", "G", at(D1), client=GONE), rejected(document("r", "R", at(D1), client=GONE)))
    world.put(document("s", "S", at(D1)))
    world.migrate(D1)
    program.environment["CCB_FORGET_KEY"] = KEY
    return world


def lines(done: Any) -> list[str]:
    return [line for line in (done.stdout + done.stderr).splitlines() if line]


def test_grants_are_printed_as_sql_that_runs_and_applied_by_the_same_command(
    program: Program, world: World
) -> None:
    printed = program.run("db", "grants", CCB_POSTGRES_URL="").stdout  # needs no server
    assert printed.startswith("BEGIN;")
    assert printed.rstrip().endswith("COMMIT;")
    existing = "SELECT rolname FROM pg_roles WHERE rolname = ANY(%s) ORDER BY 1"
    try:
        world.query(printed)
        assert world.column(existing, [*ROLES]) == sorted(ROLES)
        can = "SELECT has_table_privilege('ccb_analyst', 'analise.operacoes', 'SELECT')"
        world.query("REVOKE SELECT ON analise.operacoes FROM ccb_analyst")
        assert world.one(can) is False
        done = program.run("db", "grants", "--apply")
        assert world.one(can) is True
        assert len(lines(done)) == 1
    finally:
        for role in ROLES:
            world.query(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_a_client_is_erased_only_when_that_is_confirmed(program: Program, world: World) -> None:
    before = world.tables()
    done = program.run("forget", GONE, status=1)  # nobody answers
    assert "nothing was removed" in done.stderr.splitlines()[-1], shown(done)
    assert world.tables() == before
    done = program.run("forget", f" {GONE} ", "--yes")
    counted = {words[0]: words[1] for line in lines(done) if len(words := line.split()) == 2}
    assert counted == {
        "clientes": "1",
        "identidades": "2",
        "enderecos": "1",
        "contatos": "3",
        "dados_bancarios": "1",
        "operacoes": "1",
        "parcelas": "3",
        "detalhamento_cet": "1",
        "controle.quarentena": "1",
    }
    assert "14 rows removed" in lines(done)[-1]
    assert world.contracts() == {"S": "s"}
    assert world.quarantined() == {}
    done = program.run("forget", GONE, "--yes")
    assert "erased before" in lines(done)[-1]
    assert world.one("SELECT count(*) FROM controle.esquecimentos") == 1
    # Nothing that was said tells who it was.
    assert "Nome" not in shown(done)


def test_the_next_runs_leave_an_erased_client_out_or_refuse(program: Program, world: World) -> None:
    program.run("forget", GONE, "--yes")
    world.put(document("g", "G", at(D2), client=GONE))
    for other in ("", "another key, of nobody"):
        done = program.run("run", "--date", D2, "--workers", 1, status=15, CCB_FORGET_KEY=other)
        (reason,) = [line for line in lines(done) if "dates complete" not in line]
        assert "CCB_FORGET_KEY" in reason
        assert world.markers(D2) == {}
    program.run("run", "--date", D2)
    program.run("rerun", "--date", D1)
    assert world.contracts() == {"S": "s"}
    assert world.quarantined() == {}


def test_without_a_key_nobody_is_erased(program: Program, world: World) -> None:
    before = world.tables()
    done = program.run("forget", GONE, "--yes", status=15, CCB_FORGET_KEY="")
    assert "CCB_FORGET_KEY" in lines(done)[0]
    assert len(lines(done)) == 1
    program.run("forget", "  ", "--yes", status=2)
    assert world.tables() == before


def test_closed_rejections_of_an_age_are_purged(program: Program, world: World) -> None:
    world.query("UPDATE controle.quarentena SET resolvido_em = now() - interval '10 days'")
    for wrong, words in (
        ("a year", "days are written as 180d or 180"),
        ("0", "it must be from 1 to 36500 days"),
        ("0d", "it must be from 1 to 36500 days"),
        ("36501d", "it must be from 1 to 36500 days"),
    ):
        assert words in program.here("quarantine", "purge", "--older-than", wrong, status=2).stderr
    assert "removed: 0" in program.run("quarantine", "purge", "--older-than", "11d").stdout
    assert "removed: 1" in program.run("quarantine", "purge", "--older-than", "9").stdout
    assert world.one("SELECT count(*) FROM controle.quarentena") == 0


def test_an_upgrade_beside_a_run_waits_and_gives_up_with_what_to_do(program: Program) -> None:
    with psycopg2.connect(program.world.settings.postgres_url, application_name="a night run") as run:
        run.cursor().execute("SELECT pg_advisory_xact_lock_shared(hashtextextended('ccb_luigi:schema', 0))")
        done = program.run("db", "upgrade", status=16, CCB_LOCK_SECONDS="0.3")
    run.close()
    waiting, gave_up = lines(done)
    assert waiting.startswith("waiting for a night run of ")
    assert "a night run" in gave_up
    assert "run this again when it has ended" in gave_up
