"""luigid's own history of tasks, in PostgreSQL, set up as docs/visualizer.md says."""

from __future__ import annotations

import re
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest
from program import REPOSITORY, Program, Scheduler, luigid
from test_luigi import TASK_OF_STEP, wait_until
from world import D1, D2, World, at, document

DOCUMENTED = (REPOSITORY / "docs" / "visualizer.md").read_text(encoding="utf-8")
NAMES = {"ccb.MigrateCCB", *(f"ccb.{name}" for name in TASK_OF_STEP.values())}
PASSWORD = "only in the file"


def block(language: str, word: str) -> str:
    """The documented example that holds the word."""
    return next(found for found in re.findall(rf"(?s)```{language}\n(.*?)```", DOCUMENTED) if word in found)


@pytest.fixture
def history(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scheduler]:
    """A luigid whose role, schema, configuration and password are the documented ones."""
    statements = block("sql", "CREATE ROLE").replace("\\password luigid\n", "")
    owner = psycopg2.connect(database_url)
    owner.autocommit = True
    with owner.cursor() as cursor:
        cursor.execute(statements)
        cursor.execute("ALTER ROLE luigid PASSWORD %s", (PASSWORD,))
    place = urlsplit(database_url)
    server = f"{place.hostname}:{place.port}{place.path}"
    config = block("ini", "db_connection").replace("pg.example.com/ccb?sslmode=verify-full&", f"{server}?")
    assert server in config
    config = config.replace("[scheduler]", "[scheduler]\nretry_count = 2\nretry_delay = 1")
    (tmp_path / "luigi.cfg").write_text(config)
    secret = tmp_path / "pgpass"
    secret.touch(mode=0o600)
    secret.write_text(f"{place.hostname}:{place.port}:{place.path[1:]}:luigid:{PASSWORD}\n")
    monkeypatch.setenv("PGPASSFILE", str(secret))
    (tmp_path / "luigid").mkdir()  # luigid's working directory has the project's luigi.cfg
    shutil.copy(REPOSITORY / "luigi.cfg", tmp_path / "luigid")
    with luigid(tmp_path / "luigid", tmp_path / "luigi.cfg") as found:
        yield found
    with owner.cursor() as cursor:  # roles belong to the server, which other tests use
        cursor.execute("DROP SCHEMA luigid CASCADE")
        cursor.execute("DROP ROLE luigid")
    owner.close()


def ends(world: World, day: object) -> dict[str, str]:
    """Task → how its last attempt for the date ended."""
    found = world.query(
        "SELECT DISTINCT ON (t.name) t.name, e.event_name FROM luigid.tasks t"
        " JOIN luigid.task_events e ON e.task_id = t.id"
        " JOIN luigid.task_parameters p ON p.task_id = t.id AND p.name = 'date'"
        " WHERE p.value = %s ORDER BY t.name, e.ts DESC",
        str(day),
    )
    return dict(found)


def test_every_attempt_is_in_the_tables_and_on_the_page_with_its_date_and_no_more(
    program: Program, history: Scheduler
) -> None:
    world = program.world
    world.put(document("a", "A", at(D1)), document("b", "B", at(D2)))
    world.query("ALTER TABLE parcelas ADD CONSTRAINT nobody CHECK (ccb_code <> 'B') NOT VALID")
    program.run("run", "--date", D1, CCB_SCHEDULER_URL=history.url)
    assert ends(world, D1) == dict.fromkeys(NAMES, "DONE")

    # The server throws luigid out: the runs go on, and so does the history.
    world.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'luigid'")
    words = ("MigrateCCB", "--date", D2, "--scheduler-url", history.url)
    program.luigi(*words, status=30)
    wait_until(lambda: ends(world, D2).get("ccb.LoadParcelas") == "FAILED")
    assert ends(world, D2)["ccb.ReconcileCCB"] == "PENDING"
    failed = world.query(block("sql", "Every attempt").replace("2026-11-22", str(D2)))
    assert [name for name, _ in failed] == ["ccb.LoadParcelas"] * 2  # as often as it was tried

    with urllib.request.urlopen(f"{history.url}/history", timeout=10) as answer:
        page = answer.read().decode()
    rows = re.findall(r"(?s)<tr>\s*<td><a [^>]*>(\S+)</a>.*?<td>(\d{4}-\d\d-\d\d)</td>", page)
    everything = {(name, str(day)) for name in NAMES for day in (D1, D2)}
    assert everything - set(rows) == {
        ("ccb.MigrateCCB", str(D2))
    }  # the event that found the connection broken
    assert set(rows) <= everything
    assert set(world.column("SELECT DISTINCT name FROM luigid.task_parameters")) == {"date"}

    for statement in block("sql", "DELETE FROM").replace("400 days", "0 days").strip().split("\n"):
        world.query(statement)
    assert world.one("SELECT count(*) FROM luigid.tasks") == 0
