"""ccb_luigi's night as an Airflow DAG, for a company that runs Airflow already: see README.md beside it.

Airflow is the clock and the log here; the work is done by the command `ccb-luigi`, in a virtual environment
of its own (its pinned libraries needn't be Airflow's), as the systemd timer would start it.
"""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, BaseOperator, Connection, CronTriggerTimetable, Param, TriggerRule, Variable
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException

ZONE = ZoneInfo("America/Sao_Paulo")
COMMAND = "/opt/ccb-luigi/.venv/bin/ccb-luigi"
"""Unless the Airflow Variable ``ccb_luigi_command`` (or AIRFLOW_VAR_CCB_LUIGI_COMMAND) says otherwise."""

ADDRESSES = {"ccb_mongo": ("CCB_MONGO_URI", "mongodb"), "ccb_postgres": ("CCB_POSTGRES_URL", "postgresql")}
"""Connection → the variable of ccb-luigi's environment that it fills, and the scheme of the address."""

SECONDS_TO_END = 50


class CcbLuigi(BaseOperator):
    """One command of ccb-luigi. Each line that it writes is a line of the task's log.

    It fails with the exit status and the command's own one-line reason. Airflow doesn't try again: the
    command has retried what a retry can mend, and a rerun by hand ("Clear") goes on where it stopped.
    """

    template_fields = ("words",)
    ui_color = "#d7f0dd"

    def __init__(self, *, words: list[str], **options: Any) -> None:
        super().__init__(**options)
        self.words = words
        self._process: subprocess.Popen[str] | None = None

    def execute(self, context: Any) -> None:
        """Runs the command to its end, or ends it."""
        command = [Variable.get("ccb_luigi_command", default=COMMAND), *self.words]
        self.log.info("%s", " ".join(command))
        try:
            self._process = subprocess.Popen(
                command,
                env=os.environ | addresses(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            )
        except OSError as error:
            raise AirflowFailException(f"{command[0]}: {error.strerror}") from None
        reasons = []
        try:
            for line in self._process.stdout or ():
                self.log.info("%s", line.rstrip())
                if line.startswith("ccb-luigi: ") or "failed: " in line:
                    reasons.append(line.strip())
            status = self._process.wait()
        finally:  # a time that ran out, for example
            self.on_kill()
        if status:
            raise AirflowFailException(f"exit status {status}: {reasons[0] if reasons else 'see the log'}")

    def on_kill(self) -> None:
        """Ctrl-C first: a step is one transaction, done and marked or never begun. Then whatever is left."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(SECONDS_TO_END)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def addresses() -> dict[str, str]:
    """The two addresses from Airflow's Connections; without them the worker's environment has to have them.

    They reach the command in its environment alone: a command line can be read by anybody on the machine.
    """
    found = {}
    for name, (variable, scheme) in ADDRESSES.items():
        with suppress(AirflowNotFoundException):
            found[variable] = address(Connection.get(name), scheme)
    return found


def address(connection: Any, scheme: str) -> str:
    """A connection as a URL; its `extra` becomes the options: ``{"sslmode": "verify-full"}``."""
    if scheme == "mongodb" and connection.extra_dejson.get("srv"):
        scheme = "mongodb+srv"
    login = quote(connection.login or "", safe="")
    if connection.password:
        login += ":" + quote(connection.password, safe="")
    place = (connection.host or "") + (f":{connection.port}" if connection.port else "")
    options = {name: str(value) for name, value in connection.extra_dejson.items() if name != "srv"}
    return (
        f"{scheme}://{login}{'@' if login else ''}{place}/{quote(connection.schema or '', safe='')}"
        f"{'?' if options else ''}{urlencode(options)}"
    )


def partition(run_at: datetime) -> date:
    """The date that a run at this moment is for: the day before, as São Paulo's calendar has it."""
    return run_at.astimezone(ZONE).date() - timedelta(days=1)


def first(day: str, nights: int) -> str:
    """The first of so many dates up to ``day``."""
    return str(date.fromisoformat(day) - timedelta(days=int(nights) - 1))


def night(params: Any, dag_run: Any) -> str:
    """The newest date of a run: what its starter asked for, else the day before its logical date.

    A run that was started by hand may have no logical date: then the day before it was started.
    """
    if params["date"]:
        return str(date.fromisoformat(params["date"]))
    return str(partition(dag_run.logical_date or dag_run.run_after))


DAY = "{{ night(params, dag_run) }}"

with DAG(
    dag_id="ccb_luigi",
    description="CCBs from MongoDB into PostgreSQL: every night, to the cent, proven complete",
    doc_md=__doc__,
    # Not "0 2 * * *": as a text its zone and its logical date depend on Airflow's settings.
    schedule=CronTriggerTimetable("0 2 * * *", timezone="America/Sao_Paulo"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,  # `nights` makes up for missed ones
    max_active_runs=1,
    default_args={"retries": 0, "execution_timeout": timedelta(hours=4)},
    params={
        "date": Param(None, type=["null", "string"], format="date", title="Newest date (default: yesterday)"),
        "nights": Param(7, type="integer", minimum=1, maximum=366, title="Dates that must be complete"),
        "sample": Param(1000, type="integer", minimum=1, title="Contracts to verify"),
    },
    user_defined_macros={"night": night, "first": first},
    tags=["ccb"],
) as dag:
    migrate = CcbLuigi(
        task_id="migrate",
        words=["run", "--since", "{{ first(night(params, dag_run), params.nights) }}", "--until", DAY],
        doc_md="The dates that aren't complete. One that fails doesn't keep the others.",
    )
    # Needed most on a night when a date failed: each of these runs however the one before it ended.
    sweep = CcbLuigi(task_id="sweep", words=["sweep"], trigger_rule=TriggerRule.ALL_DONE)
    verify = CcbLuigi(
        task_id="verify",
        words=["verify", "--sample", "{{ params.sample }}"],
        trigger_rule=TriggerRule.ALL_DONE,
    )
    report = CcbLuigi(
        task_id="report",
        words=["report", "--date", DAY],
        trigger_rule=TriggerRule.ALL_DONE,
        execution_timeout=timedelta(minutes=10),
    )
    # A run's state is that of its last task: without this one a report on a failed night would make it green.
    all_is_well = EmptyOperator(task_id="all_is_well")

    migrate >> sweep >> verify >> report
    [migrate, sweep, verify, report] >> all_is_well
