"""The metrics: what a run did and where things stand, as Prometheus reads them.

Two sets. A run's own bear its ``command``; where things stand has no such label, and each run of whatever
command writes it anew. All are gauges: between two nights nothing counts up.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from prometheus_client import CollectorRegistry, Gauge

from ccb_luigi import __version__
from ccb_luigi.codes import REJECTIONS
from ccb_luigi.database import schema
from ccb_luigi.telemetry.runs import History, Run
from ccb_luigi.telemetry.standing import Effects, Standing

LAST_SUCCESS = "ccb_luigi_run_last_success_timestamp_seconds"
"""Kept from the last exposition when the tables can't be asked."""

OF_RUN = {
    "exit_code": "Status that the last run of the command ended with; 0 is success (docs/runbook.md).",
    "end_timestamp_seconds": "When the last run of the command ended, unix time.",
    "last_success_timestamp_seconds": "When the last successful run of the command ended, unix time.",
    "duration_seconds": "How long the last run of the command took.",
    "usual_duration_seconds": "Median duration of the command's last successful runs before this one.",
    "stage_duration_seconds": "Seconds of each step in the last run, summed over its dates (they overlap).",
    "dates": "Dates that the last run was to complete, and that were complete at its end.",
    "documents": "Documents of the dates that the last run read or proved, by what became of them.",
    "documents_by_road": "How the documents of these dates were read when they were judged (monitoring.md).",
    "documents_per_second": "Documents that the last run read, per second of its whole duration.",
    "rejected_documents": "Open rejections of the dates that the last run read or proved, by code.",
    "rows": "Rows that the loads of the last run touched, by table.",
    "cpu_seconds": "Processor time of all processes of the last run.",
    "memory_peak_bytes": "Most memory that all processes of the last run were seen to hold together (PSS).",
    "tables_readable": "Whether PostgreSQL could be asked after the last run; if not, the rest is older.",
}
OF_TABLES = {
    "build_info": "The program's version and the revision of its tables.",
    "partitions": "Dates of the last 30, by state as on the morning page; complete ones may differ.",
    "reconciliation_differences": "Dates whose last proof found both sides different, by what differs.",
    "lost_rows": "Rows that were loaded and that the last night's recount no longer found, by table.",
    "newest_update_timestamp_seconds": "updatedAt of the newest contract in the tables, unix time.",
    "quarantine_documents": "Open rejections.",
    "quarantine_documents_by_code": "Open rejections with the code; a document may have several.",
    "sweep_ok": "Whether the last sweep ended with nothing left open.",
    "sweep_end_timestamp_seconds": "When the last sweep ended, unix time.",
    "sweep_documents": "What the last sweep compared: documents of the source, contracts of the tables.",
    "sweep_contracts": "What the last sweep found and did: loaded, gone, marked, back, open.",
}


class _Gauges:
    """The gauges of one registry, all with ``labels``; only what is known gets in."""

    def __init__(self, prefix: str, helps: Mapping[str, str], **labels: str) -> None:
        self.registry = CollectorRegistry()
        self._prefix = prefix
        self._helps = helps
        self._labels = labels
        self._made: dict[str, Gauge] = {}

    def put(self, name: str, value: float | datetime | None, **labels: str) -> None:
        if value is None:
            return
        labels = self._labels | labels
        if name not in self._made:
            self._made[name] = Gauge(
                self._prefix + name, self._helps[name], list(labels), registry=self.registry
            )
        gauge = self._made[name].labels(**labels) if labels else self._made[name]
        gauge.set(value.timestamp() if isinstance(value, datetime) else float(value))


def of_run(run: Run, ended: datetime, effects: Effects | None, history: History | None) -> CollectorRegistry:
    """A run's metrics. Without ``effects`` and ``history`` the tables couldn't be asked."""
    gauges = _Gauges("ccb_luigi_run_", OF_RUN, command=run.command)
    put = gauges.put
    put("exit_code", run.exit_code)
    put("end_timestamp_seconds", ended)
    put("duration_seconds", run.seconds)
    put("dates", len(run.days), state="wanted")
    put("dates", run.complete, state="complete")
    for stage, took in run.stages.items():
        put("stage_duration_seconds", took, stage=stage)
    put("documents_per_second", run.documents / run.seconds if run.seconds else 0.0)
    put("cpu_seconds", run.cpu_seconds)
    put("memory_peak_bytes", run.memory_bytes)
    put("tables_readable", effects is not None)
    if effects:
        for what, number in effects.documents.items():
            put("documents", number, outcome=what)
        for road, number in effects.roads.items():
            put("documents_by_road", number, road=road)
        for code in REJECTIONS:
            put("rejected_documents", effects.codes.get(code, 0), code=code)
        for (table, change), number in effects.rows.items():
            put("rows", number, table=table, change=change)
    known = history.last_success if history else None  # by the database's clock, as the row has it
    put("last_success_timestamp_seconds", known or (None if run.exit_code else ended))
    put("usual_duration_seconds", history.usual_seconds if history else None)
    return gauges.registry


def of_tables(standing: Standing) -> CollectorRegistry:
    """Where things stand."""
    gauges = _Gauges("ccb_luigi_", OF_TABLES)
    gauges.put("build_info", 1, version=__version__, revision=schema.REVISION)
    for state, number in standing.dates.items():
        gauges.put("partitions", number, state=state)
    for what, number in standing.differences.items():
        gauges.put("reconciliation_differences", number, what=what)
    for table, number in standing.lost.items():
        gauges.put("lost_rows", number, table=table)
    gauges.put("newest_update_timestamp_seconds", standing.newest_update)
    gauges.put("quarantine_documents", standing.open_documents)
    for code in REJECTIONS:
        gauges.put("quarantine_documents_by_code", standing.open_codes.get(code, 0), code=code)
    if sweep := standing.sweep:
        gauges.put("sweep_ok", sweep.ok)
        gauges.put("sweep_end_timestamp_seconds", sweep.terminada_em)
        gauges.put("sweep_documents", sweep.lidos_origem, side="source")
        gauges.put("sweep_documents", sweep.contratos_destino, side="tables")
        gauges.put("sweep_contracts", sweep.carregados, result="loaded")
        gauges.put("sweep_contracts", sweep.sumidos, result="gone")
        gauges.put("sweep_contracts", sweep.marcados_excluidos, result="marked")
        gauges.put("sweep_contracts", sweep.reaparecidos, result="back")
        gauges.put("sweep_contracts", sweep.em_aberto, result="open")
    return gauges.registry
