"""The command line, as a script or a person at a terminal meets it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import chdir
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import bson
import psycopg2
import pytest
from click.testing import CliRunner
from program import ANSI, BIN, Program, shown, yesterday
from world import D1, D2, D3, D4, DAYS, EIGHT, STEPS, World, at, document, rejected

from ccb_luigi.cli import main
from ccb_luigi.settings import Settings

COMMANDS = [
    "",
    "db",
    "db upgrade",
    "db grants",
    "run",
    "rerun",
    "nightly",
    "sweep",
    "status",
    "report",
    "verify",
    "quarantine",
    "quarantine list",
    "quarantine show",
    "quarantine retry",
    "quarantine purge",
    "forget",
    "alert",
    "preflight",
    "census",
    "synth",
    "demo",
]
NOBODY = "127.0.0.1:1"  # tcpmux: nothing listens there
WIDTH = 80


@pytest.fixture
def empty_database(postgres_server: Any) -> Any:
    """A database without the tables."""
    name = f"empty_{uuid4().hex}"
    connection = psycopg2.connect(postgres_server.url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
        yield postgres_server.url_of(name)
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
    connection.close()


def here(*words: object, status: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in this process: for what is told before anything is done. It starts in no time."""
    with TemporaryDirectory() as empty, chdir(empty):  # where no demo has left its data, which would be used
        done = CliRunner().invoke(main, [*map(str, words)], env=environment, prog_name="ccb-luigi")
    assert done.exit_code == status, done.output
    return subprocess.CompletedProcess([*words], done.exit_code, done.stdout, done.stderr)


def assert_plain(done: subprocess.CompletedProcess[str], width: int = WIDTH) -> None:
    assert not ANSI.search(done.stdout + done.stderr)
    too_long = [line for line in done.stdout.splitlines() if len(line) > width]
    assert too_long == []


def assert_one_reason(done: subprocess.CompletedProcess[str], pattern: str) -> None:
    """The reason is told on exactly one line; warnings of retries and the sum of dates may stand by it."""
    said = [line for line in (done.stdout + done.stderr).splitlines() if line]
    reasons = [line for line in said if "WARNING" not in line and not re.match(r"\d+ of \d+ dates", line)]
    assert len(reasons) == 1, shown(done)
    assert re.search(pattern, reasons[0]), shown(done)
    assert len([line for line in said if "WARNING" not in line]) <= 2, shown(done)
    assert not ANSI.search(done.stdout + done.stderr)


# --- what the commands do ----------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    done = here(*command.split(), "--help", CCB_POSTGRES_URL="", CCB_MONGO_URI="")
    assert done.stdout.startswith("Usage: ccb-luigi")
    assert done.stderr == ""
    assert_plain(done)
    assert "..." not in done.stdout.replace("[ARGS]...", "").replace("[MONGO_IDS]...", ""), "cut off"


def test_the_module_is_the_same_program(program: Program) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ccb_luigi", "run", "--help"],
        env=program.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--since" in done.stdout


def test_db_upgrade_creates_the_tables_and_may_be_repeated(program: Program, empty_database: str) -> None:
    for _ in range(2):
        assert_plain(program.run("db", "upgrade", CCB_POSTGRES_URL=empty_database))
    world = World(Settings(postgres_url=empty_database))
    assert [world.one(f"SELECT count(*) FROM {name}") for name in EIGHT] == [0] * 8


def test_run_migrates_the_date_that_it_is_given(program: Program) -> None:
    program.world.put(document("a", "A", at(D1)), document("b", "B", at(D2)))
    done = program.run("run", "--date", D1)
    assert done.stdout.startswith(
        f"{D1}  done  1 read, 1 loaded, 0 rejected; proven\n1 of 1 dates complete: {D1}\nrows new: "
    )
    assert_plain(done)
    assert program.world.contracts() == {"A": "a"}
    assert set(program.world.markers(D1)) == set(STEPS)
    first = program.world.markers(D1)
    assert program.run("run", "--date", D1).stdout == (
        f"1 of 1 dates complete, all of them before: {D1}; nothing was read, since a marked date is done"
        " (`ccb-luigi rerun --date D` reads it again)\n"
    )
    assert program.world.markers(D1) == first


KEYS = {
    "clientes": "client_id",
    "identidades": "client_id, tipo",
    "enderecos": "client_id, tipo",
    "contatos": "client_id, tipo, valor",
    "dados_bancarios": "client_id, banco, agencia, conta",
    "operacoes": "ccb_code",
    "parcelas": "ccb_code, numero_parcela",
    "detalhamento_cet": "ccb_code",
}


def row_versions(world: World) -> dict[str, dict[str, str]]:
    """Table → key → which version of the row it is."""
    found = (world.query(f"SELECT ({key})::text, xmin::text FROM {table}") for table, key in KEYS.items())
    return {table: dict(rows) for table, rows in zip(KEYS, found, strict=True)}


def told_changes(stdout: str) -> dict[str, dict[str, int]]:
    """Kind → table → rows, as the last lines of a run say."""
    told = {}
    for line in stdout.split("\nrows ")[1:]:
        kind, _, tables = line.partition(": ")
        pairs = (pair.rsplit(" ", 1) for pair in " ".join(tables.split()).split(", "))
        told[kind] = {table: int(number) for table, number in pairs}
    return told


def test_a_rerun_tells_what_it_changed_in_which_table(program: Program) -> None:
    world = program.world
    world.put(document("a", "A", at(D1)), document("b", "B", at(D1), client="other"))
    world.migrate(D1)
    same = program.run("rerun", "--date", D1).stdout.splitlines()
    assert same == [
        f"{D1}  done  2 read, 0 loaded, 2 unchanged, 0 rejected; proven",
        f"1 of 1 dates complete: {D1}",
        "no row was written: the tables held all of it",
    ]
    before = row_versions(world)
    world.put(document("a", "A", at(D1, 14), rows=2), document("c", "C", at(D1), client="third"))
    done = program.run("rerun", "--date", D1)
    after = row_versions(world)
    assert_plain(done)
    counted: dict[str, dict[str, int]] = {}
    for kind, keys in (
        ("new", lambda table: after[table].keys() - before[table].keys()),
        ("changed", lambda table: {k for k, v in after[table].items() if before[table].get(k, v) != v}),
        ("removed", lambda table: before[table].keys() - after[table].keys()),
    ):
        counted[kind] = {table: len(keys(table)) for table in EIGHT if keys(table)}
    assert told_changes(done.stdout) == counted
    assert counted["removed"]["parcelas"] == 1


def test_run_without_a_date_migrates_yesterday(program: Program) -> None:
    program.world.put(document("a", "A", at(yesterday())), document("b", "B", at(D2)))
    program.run("run")
    assert program.world.contracts() == {"A": "a"}


def test_run_of_a_range_migrates_both_ends_and_what_lies_between(program: Program) -> None:
    program.world.put(*(document(f"d{n}", f"C{n}", at(day)) for n, day in enumerate(DAYS)))
    done = program.run("run", "--since", D1, "--until", D3, "--workers", 1)
    assert "3 of 3 dates complete" in done.stdout
    assert_plain(done)
    assert sorted(program.world.contracts()) == ["C0", "C1", "C2"]


def test_run_full_migrates_everything_up_to_the_date_whatever_type_its_time_has(program: Program) -> None:
    program.world.put(
        document("a", "A", at(D1)),
        document("b", "B", at(D2), updatedAt="2026-03-03T12:00:00Z"),
        document("c", "C", at(D2), updatedAt=None, createdAt="2019-07-01T12:00:00+00:00"),
        document("d", "D", at(D2), updatedAt=None, createdAt=None),
        document("e", "E", at(D3)),
    )
    program.run("run", "--full", "--date", D2)
    assert sorted(program.world.contracts()) == ["A", "B", "C", "D"]


@pytest.mark.parametrize(
    "words",
    [
        ("run", "--date", "02/03/2026"),
        ("run", "--date", D1, "--since", D1),
        ("run", "--since", D2, "--until", D1),
        ("rerun",),
        ("rerun", "--date", D1, "--table", "pg_class"),
        ("synth", "--contracts", 5),
    ],
)
def test_options_that_make_no_sense_are_refused_before_anything_is_done(words: tuple[object, ...]) -> None:
    nobody = {"CCB_POSTGRES_URL": f"postgresql://{NOBODY}/x", "CCB_MONGO_URI": f"mongodb://{NOBODY}"}
    assert "Error: " in here(*words, status=2, **nobody).stderr  # 13 or 14 if it had looked at them


def test_rerun_of_a_table_does_that_table_again(program: Program) -> None:
    world = program.world
    world.put(document("a", "A", at(D1)))
    world.migrate(D1)
    before = world.markers(D1)
    world.query("DELETE FROM parcelas WHERE numero_parcela = 2")
    assert_plain(program.run("rerun", "--date", D1, "--table", "parcelas"))
    assert world.numbers("A") == [1, 2, 3]
    after = world.markers(D1)
    assert {step for step in STEPS if before[step] != after[step]} == {
        "contratos",
        "parcelas",
        "reconciliacoes",
    }
    program.run("rerun", "--date", D1)
    assert not set(after.items()) & set(world.markers(D1).items())


def test_nightly_catches_up_the_dates_that_were_missed(program: Program) -> None:
    last = yesterday()
    world = program.world
    world.put(*(document(f"d{n}", f"C{n}", at(last - timedelta(days=n))) for n in range(4)))
    world.migrate(last - timedelta(days=1))
    marked = world.markers(last - timedelta(days=1))
    program.run("nightly", CCB_NIGHTLY_DAYS="3")
    assert {"C0", "C1", "C2"} <= set(world.contracts())
    for n in range(3):
        assert set(world.markers(last - timedelta(days=n))) == set(STEPS)
    assert world.markers(last - timedelta(days=1)) == marked


def test_status_shows_what_is_done_and_what_is_missing(program: Program) -> None:
    world = program.world
    world.put(document("a", "A", at(D1)), rejected(document("b", "B", at(D1))))
    world.migrate(D1)
    done = program.run("status", "--days", 3, "--until", D2)
    assert_plain(done)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith(str(D1))]
    assert line.split() == [str(D1), "2", "1", "2", "1", "3", "1", "1", "3", "1", "1", "ok"]
    assert "1 of 3 dates complete" in done.stdout
    days = json.loads(program.run("status", "--days", 3, "--until", D2, "--json").stdout)
    assert [day["day"] for day in days] == ["2026-03-01", str(D1), str(D2)]
    assert [day["proven"] for day in days] == [None, True, None]
    assert [len(day["missing"]) for day in days] == [len(STEPS), 0, len(STEPS)]
    assert (days[1]["rows"]["parcelas"], days[1]["quarantined"]) == (3, 1)
    assert sum(days[1]["roads"].values()) == days[1]["rows"]["contratos"]
    assert set(days[1]["roads"]) <= {"together", "rows_alone", "alone", "cerberus"}


def test_large_counts_and_all_dates_still_fit_a_terminal(program: Program) -> None:
    program.world.query(
        "INSERT INTO table_updates (update_id, target_table, particao, linhas)"
        " SELECT step || ':' || day, step, day::date, 99999 * (1 + 999 * (day::date - '2026-03-02'::date))"
        " FROM unnest(%s) step, generate_series('2026-03-02'::date, '2026-03-05', '1 day') day",
        list(STEPS),
    )
    assert_plain(program.run("status", "--until", D4))


def test_the_quarantine_is_listed_shown_and_tried_again(program: Program, tmp_path: Path) -> None:
    world = program.world
    assert "empty" in program.run("quarantine", "list").stdout
    good = document("late", "LATE", at(D2))
    world.put(rejected(good), document("a", "A", at(D2)))
    world.migrate(D2)
    explanation = program.run("quarantine", "show", "late").stdout.splitlines()
    assert explanation[3:] == [
        "  taxId: ausente: a required field is missing or null (it is missing)",
        "  ausente: Correct the field at the source: the corrected version is loaded with",
        "    the date of its new updatedAt.",
    ]
    listed = program.run("quarantine", "list", "--date", D2)
    assert_plain(listed)
    assert re.search(rf"^late +{D2} +ausente +1 ", listed.stdout, re.MULTILINE)
    assert "empty" in program.run("quarantine", "list", "--date", D1).stdout
    (entry,) = json.loads(program.run("quarantine", "list", "--json").stdout)
    assert (entry["mongo_id"], entry["codigos"], entry["tentativas"]) == ("late", ["ausente"], 1)

    out = tmp_path / "late.bson"
    explained = program.run("quarantine", "show", "late", "--out", out)
    assert_plain(explained)
    assert "taxId: ausente" in explained.stdout
    assert bson.decode(out.read_bytes())["ccbCode"] == "LATE"
    assert out.stat().st_mode & 0o777 == 0o600
    unknown = program.run("quarantine", "show", "no[b]ody", status=1)
    assert_one_reason(unknown, re.escape("no open rejection of _id no[b]ody:"))

    assert "still rejected" in program.run("quarantine", "retry", "late").stdout
    assert world.column("SELECT tentativas FROM controle.quarentena") == [2]
    world.put(good)
    assert "1 loaded" in program.run("quarantine", "retry").stdout
    assert world.contracts() == {"A": "a", "LATE": "late"}
    assert world.quarantined() == {}


def test_the_fields_of_a_collection_are_counted_without_postgresql(program: Program) -> None:
    world = program.world
    world.put(document("a", "A", at(D1)), document("b", "B", at(D1)) | {"nova\x1b[31m": 1})
    odd = document("c", "C", at(D1)) | {"updatedAt": "2026-03-02T10:00:00Z"}
    world.put({**odd, "taxId": None})
    told = program.here("census", CCB_POSTGRES_URL="").stdout
    lines = [" ".join(line.split()) for line in told.splitlines()]
    assert "taxId 100% 33% string 67%, null 33% required" in lines
    assert "updatedAt 100% date 67%, string 33%" in lines
    assert not ANSI.search(told)
    assert "3 documents looked at" in lines


def test_ids_from_outside_can_not_command_the_terminal(program: Program) -> None:
    evil = "\x1b]0;owned\x07[red]id[/red]"
    program.world.put(rejected(document(evil, "A", at(D1))))
    program.world.migrate(D1)
    for words in (("quarantine", "list"), ("quarantine", "show", evil)):
        done = program.run(*words)
        assert not re.search(r"[\x1b\x07]", done.stdout)
        assert "[red]id[/red]" in done.stdout


def test_a_long_id_is_shown_whole_within_the_terminal(program: Program) -> None:
    program.world.put(rejected(document("x" * 200, "A", at(D1))))
    program.world.migrate(D1)
    listed = program.run("quarantine", "list")
    assert_plain(listed)
    assert listed.stdout.count("x") >= 200


def test_synthetic_contracts_go_to_mongo_and_migrate_without_a_finding(program: Program) -> None:
    written = program.run("synth", "--contracts", 60, "--seed", 7, "--days", 2, "--until", D2, "--to-mongo")
    assert_plain(written)
    program.world.migrate(D1, D2)
    assert program.world.one("SELECT count(*) FROM operacoes") == 60
    assert program.world.quarantined() == {}
    assert program.world.query("SELECT codigo, campo FROM controle.qualidade") == []


def test_the_same_seed_makes_the_same_dump(program: Program, tmp_path: Path) -> None:
    files = [tmp_path / "a.bson", tmp_path / "b.bson"]
    for file in files:
        program.run("synth", "--contracts", 20, "--seed", 3, "--until", D2, "--to-bson", file)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert len(bson.decode_all(files[0].read_bytes())) == 20


def test_contracts_that_are_there_already_are_told_in_one_line(program: Program) -> None:
    words = ("synth", "--contracts", 3, "--seed", 5, "--until", D2, "--to-mongo")
    program.run(*words)
    assert_one_reason(program.run(*words, status=13), "one of that _id is there already")


def test_a_dump_of_synthetic_contracts_needs_no_server_not_even_the_demos(program: Program) -> None:
    (program.directory / ".demo").mkdir()
    words = ("synth", "--contracts", 3, "--until", D2, "--to-bson")
    done = program.here(*words, "made.bson", CCB_POSTGRES_URL="", CCB_MONGO_URI="mongodb://nobody.invalid/")
    assert done.stdout == "3 contracts written\n"
    assert done.stderr == ""
    assert list((program.directory / ".demo").iterdir()) == []
    nowhere = program.here(*words, "no/where.bson", status=1)
    assert_one_reason(nowhere, r"^ccb-luigi: no/where.bson can't be written: No such file or directory$")


def test_a_package_of_an_extra_that_is_not_installed_is_one_line(program: Program, tmp_path: Path) -> None:
    (tmp_path / "faker.py").write_text("raise ModuleNotFoundError('quoted', name='faker.proxy')")
    path = os.pathsep.join([str(tmp_path), program.environment.get("PYTHONPATH", "")])
    for words in (("synth", "--contracts", 3, "--to-mongo"), ("demo",)):
        done = program.run(*words, status=15, PYTHONPATH=path)
        assert_one_reason(done, r"the package faker is not installed: pip install '\.\[demo\]'")


# --- how they fail -----------------------------------------------------------------------------------


def with_password(url: str, password: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{parts.username}:{password}@{parts.hostname}:{parts.port}"))


def test_a_source_that_is_not_there_ends_with_13(program: Program) -> None:
    uri = f"mongodb://reader:canary-senha@{NOBODY}/"
    done = program.run("run", "--date", D1, status=13, CCB_MONGO_URI=uri, CCB_RETRY_SECONDS="0.2")
    assert_one_reason(done, r"MongoDB can't be reached")
    assert "canary" not in done.stdout + done.stderr
    assert program.world.markers(D1) == {}


def test_a_target_that_is_not_there_ends_with_14(program: Program) -> None:
    url = f"postgresql://loader:canary-senha@{NOBODY}/ccb"
    for words in (("run", "--date", D1), ("status",), ("db", "upgrade"), ("quarantine", "list")):
        done = program.run(*words, status=14, CCB_POSTGRES_URL=url, CCB_RETRY_SECONDS="0.2")
        assert_one_reason(done, r"PostgreSQL can't be reached")
        assert "canary" not in done.stdout + done.stderr


def test_a_wrong_password_ends_with_14_at_once(program: Program) -> None:
    url = with_password(program.environment["CCB_POSTGRES_URL"], "canary-senha")
    done = program.run("run", "--date", D1, status=14, CCB_POSTGRES_URL=url)
    assert_one_reason(done, r"user or password is wrong")
    assert "canary" not in done.stdout + done.stderr
    assert "trying again" not in done.stderr


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("CCB_WORKERS", "many"),
        ("CCB_MAX_REJECTED_SHARE", "5"),
        ("CCB_TIMEZONE", "America/Nowhere"),
        ("CCB_REJECT_FINDINGS", "no_such_code"),
        ("CCB_MONGO_URI", "mongo//reader:canary-senha@host"),
        ("CCB_POSTGRES_URL", "postgres//loader:canary-senha@host"),
        ("CCB_POSTGRES_URL", ""),
    ],
)
def test_a_setting_that_makes_no_sense_ends_with_15_and_its_name(
    program: Program, setting: str, value: str
) -> None:
    words = ("run", "--full") if setting == "CCB_MONGO_URI" else ("status",)  # who looks at it first
    done = here(*words, status=15, **(program.environment | {setting: value}))
    assert_one_reason(done, setting)
    assert "canary" not in done.stdout + done.stderr


def test_a_database_without_the_tables_ends_with_17_and_tells_the_command(
    program: Program, empty_database: str
) -> None:
    for words in (("run", "--date", D1), ("status",), ("quarantine", "list"), ("rerun", "--date", D1)):
        done = program.run(*words, status=17, CCB_POSTGRES_URL=empty_database)
        assert_one_reason(done, "db upgrade")


def test_too_many_rejections_end_with_11_and_no_marker(program: Program) -> None:
    world = program.world
    world.put(*(rejected(document(f"r{n}", f"R{n}", at(D1))) for n in range(51)))
    world.put(*(document(f"g{n}", f"G{n}", at(D1)) for n in range(9)))
    done = program.run("run", "--date", D1, status=11)
    assert_one_reason(done, r"51 of 60 documents were rejected")
    assert world.markers(D1) == {}
    assert world.contracts() == {}
    assert len(world.quarantined()) == 51
    program.run("run", "--date", D1, CCB_MAX_REJECTED_SHARE="1")
    assert len(world.contracts()) == 9


def test_fifty_rejections_that_are_no_more_than_half_of_a_date_are_not_too_many(program: Program) -> None:
    program.world.put(*(rejected(document(f"r{n}", f"R{n}", at(D1))) for n in range(50)))
    program.world.put(*(document(f"g{n}", f"G{n}", at(D1)) for n in range(50)))
    done = program.run("run", "--date", D1)
    assert f"{D1}  done  100 read, 50 loaded, 50 rejected; proven" in done.stdout
    assert len(program.world.quarantined()) == 50


def test_a_date_of_which_all_is_rejected_fails_and_is_told_so(program: Program) -> None:
    program.world.put(*(rejected(document(f"r{n}", f"R{n}", at(D1))) for n in range(40)))
    done = program.run("run", "--date", D1, status=11)
    assert_one_reason(done, r"40 of 40 documents were rejected \(.*\), none was loaded")
    assert program.world.markers(D1) == {}


def change_a_cent_on_its_way(world: World) -> None:
    world.query(
        "CREATE FUNCTION one_cent() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN NEW.valor_prestacao := NEW.valor_prestacao + 0.01; RETURN NEW; END $$;"
        " CREATE TRIGGER one_cent BEFORE INSERT ON parcelas FOR EACH ROW"
        " WHEN (NEW.numero_parcela = 2) EXECUTE FUNCTION one_cent()"
    )


def test_a_cent_that_differs_ends_with_12(program: Program) -> None:
    world = program.world
    change_a_cent_on_its_way(world)
    world.put(document("a", "A", at(D1)))
    done = program.run("run", "--date", D1, status=12)
    assert_one_reason(done, "sum of valor_prestacao")
    assert world.column("SELECT ok FROM controle.reconciliacoes") == [False]
    (line,) = [x for x in program.run("status", "--until", D1).stdout.splitlines() if x.startswith(str(D1))]
    assert line.split()[-1] == "DIFF"
    world.query("DROP TRIGGER one_cent ON parcelas")
    program.run("rerun", "--date", D1)
    assert world.column("SELECT ok FROM controle.reconciliacoes") == [True]


def test_one_date_that_fails_does_not_keep_the_others(program: Program) -> None:
    world = program.world
    world.put(*(rejected(document(f"r{n}", f"R{n}", at(D2))) for n in range(60)))
    world.put(document("a", "A", at(D1)), document("c", "C", at(D3)))
    done = program.run("run", "--since", D1, "--until", D3, status=11)
    assert world.contracts() == {"A": "a", "C": "c"}
    assert f"2 of 3 dates complete; missing: {D2}" in done.stdout


def test_nothing_of_the_program_is_written_beside_the_directory_it_runs_in(program: Program) -> None:
    program.world.put(document("a", "A", at(D1)))
    program.run("run", "--date", D1)
    assert list(program.directory.iterdir()) == []
    assert (BIN / "ccb-luigi").is_file()
