"""The DAG in a real Airflow: does it import, when does it run, for which date, and do the rows arrive?

`make test-airflow`; CCB_LUIGI names the command in the other virtual environment.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

HERE = Path(__file__).parent
HOME = Path(tempfile.mkdtemp(prefix="ccb-airflow-"))
COMMAND = Path(os.environ.get("CCB_LUIGI", HERE.parents[1] / ".venv/bin/ccb-luigi"))
DAY = date(2026, 11, 22)
AT_TWO = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)  # 02:00 of the 23rd in São Paulo
PASSWORD_OF_MONGO = "nobody-asks-for-it"
CANARY = "XqAirflowWz"

# Everybody's name; and a document that is rejected for it. In ccb-luigi's environment.
SPOIL = f"""
import sys
from datetime import datetime
from pymongo import MongoClient
people = MongoClient(sys.argv[1])["ccb"]["contratos"]
people.update_many({{}}, {{"$set": {{"name": "{CANARY}", "motherName": "{CANARY}"}}}})
spoiled = {{"_id": "spoiled", "ccbCode": "SPOILED", "taxId": "{CANARY}", "birthDate": "{CANARY}"}}
newest = people.find_one(sort=[("updatedAt", -1)])
people.insert_one({{**newest, **spoiled}})
quoted = {{"_id": "quoted", "ccbCode": "QUOTED", "clientId": "quoted"}}
people.insert_one({{**newest, **quoted, "updatedAt": datetime(2026, 11, 15, 12)}})
"""

# Before the first import of Airflow, which reads them.
os.environ |= {
    "AIRFLOW_HOME": str(HOME),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
    "AIRFLOW__CORE__DAGS_FOLDER": str(HERE),
    "AIRFLOW__CORE__UNIT_TEST_MODE": "false",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{HOME}/airflow.db",
    "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(HOME / "logs"),
    "AIRFLOW_VAR_CCB_LUIGI_COMMAND": str(COMMAND),
}


@pytest.fixture(scope="session")
def airflow() -> None:
    """Airflow's own database, empty."""
    from airflow.utils.db import initdb

    initdb()


@pytest.fixture(scope="session")
def bag(airflow: None) -> Any:
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(HERE / "ccb_luigi_dag.py", bundle_name="dags-folder")


@pytest.fixture
def dag(bag: Any) -> Any:
    return bag.dags["ccb_luigi"]


@pytest.fixture(scope="session")
def module() -> Any:
    import ccb_luigi_dag

    return ccb_luigi_dag


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[str, str]]:
    """PostgreSQL with the tables and the source with 300 contracts of three days."""
    with tempfile.TemporaryDirectory(prefix="ccb-airflow-") as directory:
        Path(directory).chmod(0o711)  # PostgreSQL may run as another user
        process = subprocess.Popen(
            [COMMAND.with_name("python"), HERE / "servers.py", directory],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        found = json.loads(process.stdout.readline())
        contracts = ("--contracts", "300", "--days", "3", "--until", str(DAY))
        ccb_luigi(found, "synth", *contracts, "--to-mongo")
        subprocess.run([COMMAND.with_name("python"), "-c", SPOIL, found["mongo"]], check=True)
        yield found
        process.stdin.close()
        process.wait(60)


def ccb_luigi(servers: dict[str, str], *words: str) -> str:
    environment = os.environ | {"CCB_POSTGRES_URL": servers["postgres"], "CCB_MONGO_URI": servers["mongo"]}
    return subprocess.run(
        [COMMAND, *words], env=environment, check=True, capture_output=True, text=True
    ).stdout


def connection(url: str, scheme: str) -> str:
    """The address as Airflow's environment holds a Connection."""
    parts = urlsplit(url)
    return json.dumps(
        {
            "conn_type": scheme,
            "host": parts.hostname,
            "port": parts.port,
            "login": parts.username,
            "password": parts.password,
            "schema": parts.path.strip("/"),
        }
    )


@pytest.fixture
def connected(servers: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Airflow's Connections lead to the servers; the environment of ccb-luigi says nothing of them."""
    for name in ("CCB_POSTGRES_URL", "CCB_MONGO_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AIRFLOW_CONN_CCB_POSTGRES", connection(servers["postgres"], "postgres"))
    monkeypatch.setenv("AIRFLOW_CONN_CCB_MONGO", connection(servers["mongo"], "mongo"))
    monkeypatch.setenv("CCB_REPORT_DIR", str(tmp_path / "report"))
    return tmp_path / "report"


def test_the_dag_imports_without_an_error(bag: Any) -> None:
    assert bag.import_errors == {}
    assert list(bag.dags) == ["ccb_luigi"]


def test_each_step_runs_once_and_no_failure_is_hidden_by_the_report(dag: Any) -> None:
    assert {task.task_id: task.upstream_task_ids for task in dag.tasks} == {
        "migrate": set(),
        "sweep": {"migrate"},
        "verify": {"sweep"},
        "report": {"verify"},
        "all_is_well": {"migrate", "sweep", "verify", "report"},
    }
    assert [task.task_id for task in dag.leaves] == ["all_is_well"]
    rules = {task.task_id: task.trigger_rule.value for task in dag.tasks}
    assert rules == {
        "migrate": "all_success",
        "sweep": "all_done",
        "verify": "all_done",
        "report": "all_done",
        "all_is_well": "all_success",
    }
    assert {task.retries for task in dag.tasks} == {0}
    assert (dag.catchup, dag.max_active_runs) == (False, 1)


def test_it_starts_at_two_in_sao_paulo_whatever_airflows_own_zone_is(dag: Any) -> None:
    import pendulum
    from airflow.serialization.encoders import coerce_to_core_timetable
    from airflow.timetables.base import TimeRestriction

    table = coerce_to_core_timetable(dag.timetable)
    limits = TimeRestriction(pendulum.datetime(2026, 11, 22, 12), None, catchup=True)
    one = table.next_dagrun_info(last_automated_data_interval=None, restriction=limits)
    two = table.next_dagrun_info(last_automated_data_interval=one.data_interval, restriction=limits)
    assert [one.logical_date, two.logical_date] == [AT_TWO, AT_TWO + timedelta(days=1)]


@pytest.mark.parametrize(
    ("logical", "asked", "expected"),
    [
        (AT_TWO, None, "2026-11-22"),
        (datetime(2026, 11, 23, 2, 59, tzinfo=UTC), None, "2026-11-21"),  # still the 22nd in São Paulo
        (datetime(2026, 11, 23, 3, 0, tzinfo=UTC), None, "2026-11-22"),
        (None, None, "2026-11-22"),  # by hand: the day before it was started
        (AT_TWO, "2026-03-02", "2026-03-02"),
    ],
)
def test_a_run_is_for_the_day_before_it_in_sao_paulo(
    module: Any, logical: datetime | None, asked: str | None, expected: str
) -> None:
    run = SimpleNamespace(logical_date=logical, run_after=AT_TWO + timedelta(hours=3))
    assert module.night({"date": asked}, run) == expected
    assert module.first("2026-03-02", 7) == "2026-02-24"


def test_a_connection_becomes_an_address_whatever_signs_the_password_has(module: Any) -> None:
    found = SimpleNamespace(
        login="u@x",
        password="p/:@?",
        host="h",
        port=5433,
        schema="ccb",
        extra_dejson={"sslmode": "verify-full"},
    )
    url = module.address(found, "postgresql")
    assert url == f"postgresql://{quote('u@x', '')}:{quote('p/:@?', '')}@h:5433/ccb?sslmode=verify-full"
    atlas = SimpleNamespace(
        login=None,
        password=None,
        host="c.example.com",
        port=None,
        schema="",
        extra_dejson={"srv": True, "tls": "true"},
    )
    assert module.address(atlas, "mongodb") == "mongodb+srv://c.example.com/?tls=true"


def test_a_row_that_postgresql_refuses_and_quotes_is_in_no_log_of_airflow(
    dag: Any, connected: Path, servers: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    subprocess.run([COMMAND.with_name("python"), "-c", QUOTE, servers["postgres"]], check=True)
    run = dag.test(logical_date=AT_TWO - timedelta(days=7), run_conf={"nights": 1, "sample": 1})
    assert run.state == "failed"
    said = "".join(capfd.readouterr())
    assert "P0001" in said
    assert_untold(said)
    subprocess.run([COMMAND.with_name("python"), "-c", UNQUOTE, servers["postgres"]], check=True)


QUOTE = """
import psycopg2, sys
with psycopg2.connect(sys.argv[1]) as connection:
    connection.cursor().execute('''
        CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION USING MESSAGE = NEW::text, DETAIL = NEW::text, HINT = NEW::text; END $$;
        CREATE TRIGGER tell BEFORE INSERT ON staging.clientes FOR EACH ROW EXECUTE FUNCTION tell();
    ''')
"""


UNQUOTE = """
import psycopg2, sys
with psycopg2.connect(sys.argv[1]) as connection:
    connection.cursor().execute("DROP FUNCTION tell CASCADE")
"""


def test_a_night_fills_the_tables_and_leaves_the_page(
    dag: Any, connected: Path, servers: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    run = dag.test(logical_date=AT_TWO, run_conf={"nights": 3, "sample": 50})
    assert run.state == "success"
    (*_, last) = days = json.loads(ccb_luigi(servers, "status", "--days", "3", "--until", str(DAY), "--json"))
    assert [(day["missing"], day["proven"]) for day in days] == [([], True)] * 3
    assert last["day"] == str(DAY)
    assert sum(day["rows"]["operacoes"] for day in days) == 300
    assert (connected / f"ccb-{DAY}.html").is_file()
    said = "".join(capfd.readouterr())
    assert "3 of 3 dates complete" in said
    password = urlsplit(servers["postgres"]).password
    assert password
    assert_untold(said, password)


def test_a_failed_night_is_red_with_the_commands_own_reason(
    dag: Any, connected: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    nowhere = json.dumps({"conn_type": "mongo", "host": "127.0.0.1", "port": 1})
    monkeypatch.setenv("AIRFLOW_CONN_CCB_MONGO", nowhere)
    monkeypatch.setenv("CCB_RETRY_SECONDS", "1")
    run = dag.test(logical_date=AT_TWO + timedelta(days=1), run_conf={"nights": 1, "sample": 1})
    assert run.state == "failed"
    states = {ti.task_id: str(ti.state) for ti in run.get_task_instances()}
    assert states == {
        "migrate": "failed",
        "sweep": "failed",
        "verify": "failed",
        "report": "success",
        "all_is_well": "upstream_failed",
    }
    said = "".join(capfd.readouterr())
    assert "exit status 13: ccb-luigi: MongoDB can't be reached" in said
    assert_untold(said)
    assert (connected / "ccb-2026-11-23.html").is_file()


def assert_untold(said: str, *secrets: str) -> None:
    """No word of a document, and no secret, is in what Airflow said or in a log file of its own."""
    files = [file for file in (HOME / "logs").rglob("*") if file.is_file()]
    told = "".join([said, *(file.read_text(errors="replace") for file in files)]).lower()
    for word in (CANARY, *secrets):
        place = told.find(word.lower())
        assert place < 0, told[max(0, place - 300) : place + 100]
