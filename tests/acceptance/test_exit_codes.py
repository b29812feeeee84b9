"""The exit statuses that no other file provokes, and that the pages and the alerts know them all."""

from __future__ import annotations

import re
import signal
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from program import REPOSITORY, Program
from world import D1, at, document

from ccb_luigi import errors
from ccb_luigi.errors import STATUSES, CcbError
from ccb_luigi.process import stopping, streams

PAGES = [REPOSITORY / "docs" / name for name in ("exit-status.md", "exit-status.pt-BR.md")]


def kinds() -> list[type[CcbError]]:
    found = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, CcbError)]
    return [each for each in found if each is not CcbError]


def test_every_error_has_a_status_of_its_own_that_has_words() -> None:
    codes = [kind.exit_code for kind in kinds()]
    stops = (stopping.DeadlinePassed, stopping.Stopped, stopping.Terminated, stopping.HungUp)
    codes += [*(each.exit_code for each in stops), streams.UNSAID]
    # A date that isn't over is a wrong command line.
    assert sorted({*codes, CcbError.exit_code, 2}) == sorted(STATUSES)
    assert sorted(codes) == sorted(set(codes)), "each its own"
    for number, stop in ((1, stopping.HungUp), (2, stopping.Stopped), (15, stopping.Terminated)):
        assert stop.exit_code == 128 + number, signal.Signals(number).name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_table_of_statuses_has_only_those_that_there_are(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    listed = [int(code) for code in re.findall(r"^\| \[?(\d+)\b", text, re.MULTILINE)]
    assert listed == sorted(listed)
    assert set(listed) | {2, 1} == {0, *STATUSES}


def test_another_run_that_holds_the_lock_is_waited_for_and_then_named_by_16(program: Program) -> None:
    program.world.put(document("a", "A", at(D1)))
    patience = {"CCB_LOCK_SECONDS": "0.2", "CCB_RETRY_SECONDS": "0.2"}
    with closing(psycopg2.connect(program.world.settings.postgres_url)) as other, other.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"ccb_luigi:contratos:{D1}",)
        )
        done = program.run("run", "--date", D1, status=16, **patience)
        assert f"{D1}  contratos  failed: another session holds a lock that this one needs" in done.stdout
        other.rollback()
        program.run("run", "--date", D1, **patience)


def test_staging_that_lost_a_row_ends_with_18_and_a_rerun_mends_it(program: Program) -> None:
    world = program.world
    world.put(document("a", "A", at(D1)))
    world.query("ALTER TABLE clientes ADD CONSTRAINT nobody CHECK (nome = 'x') NOT VALID")
    program.run("run", "--date", D1, status=14)
    world.query("ALTER TABLE clientes DROP CONSTRAINT nobody; DELETE FROM staging.parcelas")
    done = program.run("run", "--date", D1, status=18)
    assert f"ccb-luigi rerun --date {D1}" in done.stdout
    program.run("rerun", "--date", D1)
    assert world.numbers("A") == [1, 2, 3]


@pytest.mark.parametrize("words", [("run", "--date", "22/11/2026"), ("no-such-command",)])
def test_a_command_line_that_is_wrong_ends_with_2(program: Program, words: tuple[str, ...]) -> None:
    program.run(*words, status=2)
