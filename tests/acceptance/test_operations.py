"""What docs/operations.md promises about restores, and that its samples are what they seem."""

from __future__ import annotations

import configparser
import re
from contextlib import closing
from datetime import timedelta
from urllib.parse import urlsplit, urlunsplit

import click
import psycopg2
from program import REPOSITORY, Program, yesterday
from test_systemd import ask, needs_systemd
from world import D1, World, at, document

from ccb_luigi.cli import main
from ccb_luigi.database import postgres
from ccb_luigi.settings import Settings

PAGE = (REPOSITORY / "docs" / "operations.md").read_text(encoding="utf-8")


def test_a_database_restored_from_an_older_backup_is_caught_up_by_its_own_markers(program: Program) -> None:
    world, last = program.world, yesterday()
    days = [last - timedelta(days=n) for n in reversed(range(3))]
    world.put(document("a", "A", at(days[0])), document("gone", "GONE", at(days[0]), client="c2"))
    world.migrate(days[0])
    postgres.of_process(world.settings).engine.dispose()  # a template must have no connections
    url = world.settings.postgres_url
    parts = urlsplit(url)
    restored = urlunsplit(parts._replace(path=f"{parts.path}_restored"))
    server = urlunsplit(parts._replace(path="/postgres"))
    name = parts.path.lstrip("/")
    with closing(psycopg2.connect(server)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(f"CREATE DATABASE {name}_restored TEMPLATE {name}")  # the backup
        try:
            world.put(document("a", "A", at(days[1])), document("b", "B", at(days[2])))
            world.migrate(*days[1:])
            with world.collection() as collection:
                collection.delete_one({"_id": "gone"})
            program.run("sweep")

            program.run("run", "--since", days[0], CCB_POSTGRES_URL=restored)
            program.run("sweep", CCB_POSTGRES_URL=restored)
            program.run("verify", "--full", CCB_POSTGRES_URL=restored)
            there = World(Settings(postgres_url=restored))
            query = "SELECT ccb_code, atualizado_em, excluido_em IS NULL FROM operacoes ORDER BY 1"
            assert there.query(query) == world.query(query)
            assert [alive for _, _, alive in there.query(query)] == [True, True, False]
        finally:
            cursor.execute(f"DROP DATABASE {name}_restored WITH (FORCE)")


def test_a_newer_table_beside_older_markers_is_mended_by_a_thorough_rerun(program: Program) -> None:
    world = program.world
    world.put(document("a", "A", at(D1)))
    world.migrate(D1)
    world.query("DELETE FROM parcelas")  # restored from a backup that was older
    program.run("verify", "--full", status=20)
    program.run("rerun", "--date", D1, "--thorough")
    program.run("verify", "--full")
    assert world.numbers("A") == [1, 2, 3]


def test_every_command_and_every_setting_of_the_page_exists() -> None:
    told = set(re.findall(r"ccb-luigi ((?:db |quarantine )?[a-z]+)(?= |`|\n)", PAGE))
    context = click.Context(main)
    known = set(main.list_commands(context)) | {
        f"{group} {name}"
        for group in ("db", "quarantine")
        for name in main.get_command(context, group).commands  # type: ignore[union-attr]
    }
    prose = {"and", "is", "on"}
    assert told - prose <= known
    assert len(told & known) >= 10
    settings = {f"CCB_{name.upper()}" for name in Settings.__dataclass_fields__}
    assert set(re.findall(r"CCB_[A-Z_]+[A-Z]", PAGE)) <= settings | {f"{name}_FILE" for name in settings}


@needs_systemd
def test_the_timer_of_the_page_is_one_that_systemd_understands() -> None:
    (units,) = re.findall(r"```ini\n(# /etc/systemd/system/ccb-luigi-purge\.service.*?)```", PAGE, re.DOTALL)
    parser = configparser.RawConfigParser(strict=False)
    parser.read_string(units)
    done = ask("systemd-analyze", "calendar", parser["Timer"]["oncalendar"])
    assert done.returncode == 0, done.stderr
    assert parser["Service"]["environmentfile"] == "/etc/ccb-luigi/env"
