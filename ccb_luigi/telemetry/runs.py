"""The runs: what the command line notes of one while it goes on, and the row that it leaves."""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from sqlalchemy import Connection, text

from ccb_luigi import __version__, tables
from ccb_luigi.load import markers, recount
from ccb_luigi.load.loading import Written
from ccb_luigi.load.status import SWEEP
from ccb_luigi.process.events import Event
from ccb_luigi.telemetry import footprint, logs

USUAL = 14
"""So many successful runs of a command tell what is usual for it ..."""

FEWEST = 3
"""... and with fewer than these nothing is."""

Step = tuple[date | None, str]


@dataclass(slots=True)
class Run:
    """One run of a command.

    ``stages``: step → seconds, summed over the dates. ``read``: date → documents read by this run;
    ``shards``: likewise, of the shards of a plan. ``done``: the steps that this run saw end well;
    ``failures``: the events of those that failed, in order. ``changes``: table → its rows that the steps
    wrote.
    """

    command: str
    days: Sequence[date] = ()
    run_id: str = ""
    complete: int = 0
    exit_code: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    memory_bytes: int = 0
    stages: dict[str, float] = field(default_factory=dict)
    read: dict[date, int] = field(default_factory=dict)
    shards: dict[int, int] = field(default_factory=dict)
    done: set[Step] = field(default_factory=set)
    failures: list[Event] = field(default_factory=list)
    changes: dict[str, Written] = field(default_factory=dict)

    @property
    def documents(self) -> int:
        """Documents read over all dates."""
        return sum(self.read.values()) + sum(self.shards.values())

    def proven(self) -> list[date]:
        """The dates whose proof this run saw."""
        return sorted(day for day, step in self.done if day and step == markers.RECONCILIATION)

    def unproven(self) -> list[date]:
        """Dates of which this run read something, and whose proof it didn't see."""
        return sorted(self.read.keys() - set(self.proven()))


class Recorder:
    """Notes a run from its events, and logs a line for each."""

    def __init__(self, command: str, days: Sequence[date] = ()) -> None:
        moment = datetime.now(UTC)
        self.run = Run(command, days, run_id=f"{moment:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}")
        self._began = time.monotonic()
        self._begun: dict[tuple[Step, int], float] = {}
        self._peak = footprint.Peak()

    def begin(self) -> None:
        """Logs the start."""
        logs.begin(self.run.run_id)
        logs.tell(
            logging.INFO,
            "run_started",
            f"{self.run.command} started",
            command=self.run.command,
            dates=_interval(self.run.days),
            version=__version__,
        )

    def handle(self, event: Event) -> None:
        """Takes an event of a worker, or of the sweep."""
        self._peak.look()
        step = (event.day, event.step)
        if event.kind == "started":
            self._begun[step, event.shard] = time.monotonic()
            self._tell(event, "started")
        elif event.kind == "progress" and event.day:
            self.run.read[event.day] = event.rows
        elif event.kind == "progress" and event.shard:
            self.run.shards[event.shard] = event.rows
        elif event.kind == "done":
            if event.shard:
                self.run.shards[event.shard] = event.rows
            if event.step == markers.EXTRACTION and event.day and (step, 0) in self._begun:
                self.run.read[event.day] = event.rows
            self.run.done.add(step)
            for table, *rows in event.changes:
                self.run.changes[table] = self.run.changes.get(table, Written()) + Written(*rows)
            self._tell(event, "done", rows=event.rows, seconds=self._took(step, event.shard))
        elif event.kind == "failed":
            self.run.failures.append(event)
            self._tell(
                event, "failed", exit_code=event.exit_code or None, seconds=self._took(step, event.shard)
            )

    def end(self, exit_code: int) -> Run:
        """The finished run."""
        run = self.run
        run.exit_code = exit_code
        run.seconds = time.monotonic() - self._began
        run.cpu_seconds = footprint.cpu_seconds()
        run.memory_bytes = self._peak.bytes
        dates = f"{run.complete} of {len(run.days)} dates complete"
        logs.tell(
            logging.ERROR if exit_code else logging.INFO,
            "run_ended",
            f"{run.command} ended with {exit_code}" + (f": {dates}" if run.days else ""),
            command=run.command,
            exit_code=exit_code,
            rows=run.documents,
            seconds=round(run.seconds, 3),
            dates=_interval(run.days),
            incomplete=len(run.days) - run.complete,
        )
        return run

    def _took(self, step: Step, shard: int) -> float | None:
        begun = self._begun.pop((step, shard), None)
        if begun is None:  # it failed before it began, or an earlier try told its end already
            return None
        took = time.monotonic() - begun
        self.run.stages[step[1]] = self.run.stages.get(step[1], 0.0) + took
        return round(took, 3)

    def _tell(self, event: Event, kind: str, **fields: object) -> None:
        what = "sweep" if event.step == SWEEP else "step"
        which = event.day or (event.shard or "of the plan" if event.step in ("fatias", "plano") else None)
        logs.tell(
            logging.ERROR if kind == "failed" else logging.INFO,
            f"{what}_{kind}",
            event.message or f"{event.step} {which} {kind}",
            task=event.step,
            table=event.step if event.step in tables.BY_NAME else None,
            partition=f"{event.day}" if event.day and event.step not in (SWEEP, recount.NAME) else None,
            **fields,
        )


def _interval(days: Sequence[date]) -> str | None:
    """As ISO 8601 writes one, both ends included."""
    return f"{days[0]}/{days[-1]}" if days else None


def put(connection: Connection, run: Run) -> None:
    """Writes the run's row. Its times are the database's."""
    connection.execute(
        text("""
            INSERT INTO controle.execucoes
                (execucao, comando, versao, iniciada_em, terminada_em, codigo_saida, datas_pedidas,
                 datas_completas, documentos, segundos_por_etapa, segundos_cpu, memoria_bytes)
            VALUES (:id, :command, :version, clock_timestamp() - make_interval(secs => :seconds),
                    clock_timestamp(), :code, :wanted, :complete, :documents, CAST(:stages AS jsonb), :cpu,
                    :memory)
        """),
        {
            "id": run.run_id,
            "command": run.command,
            "version": __version__,
            "seconds": run.seconds,
            "code": run.exit_code,
            "wanted": len(run.days),
            "complete": run.complete,
            "documents": run.documents,
            "stages": json.dumps({step: round(took, 3) for step, took in run.stages.items()}),
            "cpu": round(run.cpu_seconds, 3),
            "memory": run.memory_bytes,
        },
    )


@dataclass(frozen=True, slots=True)
class History:
    """What earlier runs of a command tell: the last success, and how long one usually takes."""

    last_success: datetime | None = None
    usual_seconds: float | None = None


def history(connection: Connection, run: Run) -> History:
    """The history of the run's command. The run itself counts as a success, but not as usual."""
    found = connection.execute(
        text("""
            WITH good AS (
                SELECT execucao, terminada_em, extract(epoch FROM terminada_em - iniciada_em) AS took
                FROM controle.execucoes WHERE comando = :command AND codigo_saida = 0
            ), last AS (
                SELECT took FROM good WHERE execucao <> :id ORDER BY terminada_em DESC LIMIT :usual
            )
            SELECT (SELECT max(terminada_em) FROM good) AS last_success,
                   count(*) AS runs, percentile_cont(0.5) WITHIN GROUP (ORDER BY took) AS took
            FROM last
        """),
        {"command": run.command, "id": run.run_id, "usual": USUAL},
    ).one()
    return History(found.last_success, float(found.took) if found.runs >= FEWEST else None)
