"""Real Prometheus, node_exporter, Pushgateway, promtool and luigid, on what the program really writes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from program import REPOSITORY, TAKEN, TRIES, Program, free_port, kill, luigid, yesterday
from tools import needs
from world import D1, at, document, rejected

from ccb_luigi.telemetry import loglines

MONITORING = REPOSITORY / "monitoring"
RULES = MONITORING / "prometheus" / "alerts.yml"


@needs("promtool")
@pytest.mark.parametrize(
    "words",
    [
        ("check", "rules", "alerts.yml"),
        ("test", "rules", "alerts_test.yml"),
        ("check", "config", "prometheus.yml"),
    ],
    ids=lambda words: " ".join(words),
)
def test_promtool_accepts(words: tuple[str, ...]) -> None:
    done = subprocess.run(
        ["promtool", *words], cwd=RULES.parent, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs("promtool")
def test_the_tests_of_the_alerts_notice_an_alert_that_never_fires(tmp_path: Path) -> None:
    rules = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    for rule in rules["groups"][0]["rules"]:
        rule["expr"] = "vector(0) > 1"
    (tmp_path / "alerts.yml").write_text(yaml.safe_dump(rules))
    (tmp_path / "alerts_test.yml").write_text((RULES.parent / "alerts_test.yml").read_text(encoding="utf-8"))
    words = ["promtool", "test", "rules", "alerts_test.yml"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    failed = set(
        re.findall(r'ALERTS\{alertname=\\"(\w+)\\", alertstate=\\"firing\\"\}', done.stdout + done.stderr)
    )
    assert failed == {rule["alert"] for rule in rules["groups"][0]["rules"]}


# --- all of it together -----------------------------------------------------------------------------


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def until(found: Callable[[], Any]) -> Any:
    """The first true answer."""
    deadline = time.monotonic() + 60
    while True:
        try:
            if answer := found():
                return answer
        except (urllib.error.URLError, ConnectionError):
            pass
        assert time.monotonic() < deadline
        time.sleep(0.1)


@contextmanager
def serving(log: Path, name: str, *words: str, ready: str = "/") -> Iterator[str]:
    """A server of Debian's package on a free port; yields its address."""
    for _ in range(TRIES):  # somebody else may take the port that was free a moment ago
        address = f"127.0.0.1:{free_port()}"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [name, f"--web.listen-address={address}", *words],
                stdout=file, stderr=file, stdin=subprocess.DEVNULL, start_new_session=True, cwd=log.parent,
            )  # fmt: skip
        until(lambda: process.poll() is not None or get(f"http://{address}{ready}"))  # noqa: B023
        if process.poll() is None or TAKEN not in log.read_text():
            break
    try:
        assert process.poll() is None, log.read_text()
        yield address
    finally:
        kill(process)


class Prometheus:
    """The server's API."""

    def __init__(self, address: str) -> None:
        self.address = address

    def ask(self, query: str) -> list[dict[str, Any]]:
        words = urllib.parse.urlencode({"query": query})
        answer = json.loads(get(f"http://{self.address}/api/v1/query?{words}"))
        assert answer["status"] == "success", query
        return list(answer["data"]["result"])

    def value(self, query: str) -> float | None:
        found = self.ask(query)
        assert len(found) < 2, query
        return float(found[0]["value"][1]) if found else None

    def firing(self) -> set[str]:
        """The alerts whose condition holds now (some wait a while before they are sent)."""
        rules = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"][0]["rules"]
        return {rule["alert"] for rule in rules if self.ask(rule["expr"])}


CONFIG = """
global: {{scrape_interval: 250ms, scrape_timeout: 250ms, evaluation_interval: 1s}}
rule_files: ['{rules}']
scrape_configs:
  - {{job_name: node, static_configs: [{{targets: ['{node}']}}]}}
  - {{job_name: luigid, static_configs: [{{targets: ['{luigid}']}}]}}
"""


@contextmanager
def watching(tmp_path: Path, metrics: Path, scheduler: str) -> Iterator[tuple[Prometheus, str]]:
    """Prometheus with our rules, which reads the file through node_exporter, and luigid; a Pushgateway."""
    with ExitStack() as stack:
        textfile = ("--collector.disable-defaults", "--collector.textfile")
        node = stack.enter_context(
            serving(
                tmp_path / "node.log",
                "prometheus-node-exporter",
                *textfile,
                f"--collector.textfile.directory={metrics}",
            )
        )
        gateway = stack.enter_context(serving(tmp_path / "gateway.log", "prometheus-pushgateway"))
        config = tmp_path / "prometheus.yml"
        config.write_text(CONFIG.format(rules=RULES, node=node, luigid=scheduler.removeprefix("http://")))
        server = stack.enter_context(
            serving(
                tmp_path / "prometheus.log",
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={tmp_path / 'data'}",
                ready="/-/ready",
            )
        )
        yield Prometheus(server), gateway


@needs("prometheus", "prometheus-node-exporter", "prometheus-pushgateway")
def test_a_night_is_seen_by_prometheus_and_so_is_a_broken_one(program: Program, tmp_path: Path) -> None:
    metrics, day = tmp_path / "metrics", yesterday()
    metrics.mkdir()
    program.world.put(
        document("a", "A", at(day)),
        document("b", "B", at(day), client="c2", rows=5),
        rejected(document("z", "Z", at(day))),
    )
    with (
        luigid(tmp_path / "luigid") as scheduler,
        watching(tmp_path, metrics, scheduler.url) as (prometheus, gateway),
    ):
        until(lambda: prometheus.value('up{job="node"}'))
        assert "CcbLuigiMetricsAbsent" in prometheus.firing()
        settings = {
            "CCB_METRICS_DIR": str(metrics),
            "CCB_PUSHGATEWAY_URL": f"http://{gateway}",
            "CCB_NIGHTLY_DAYS": "1",
            "CCB_SCHEDULER_URL": scheduler.url,
            "CCB_LOG_FORMAT": "json",
        }
        done = program.run("nightly", **settings)
        assert_lines(done, ["run_started", "sweep_done", "run_ended"])
        until(lambda: prometheus.value('ccb_luigi_run_exit_code{command="nightly"}') == 0)
        assert prometheus.firing() == set()
        for query, expected in {
            'ccb_luigi_run_documents{outcome="read"}': 3,
            'ccb_luigi_run_documents{outcome="quarantined"}': 1,
            'ccb_luigi_run_rows{table="parcelas", change="inserted"}': 8,
            'ccb_luigi_quarantine_documents_by_code{code="ausente"}': 1,
            'ccb_luigi_partitions{state="complete"}': 1,
            "ccb_luigi_newest_update_timestamp_seconds": at(day).timestamp(),
            "ccb_luigi_sweep_ok": 1,
        }.items():
            assert prometheus.value(query) == expected, query
        assert 'family="ccb.ExtractContratos"' in get(f"{scheduler.url}/metrics")
        until(lambda: prometheus.ask("luigi_task_done_total"))
        unanswered = {query for query in dashboard() if not prometheus.ask(query)}
        # Nothing to tell: no habit yet, no date in trouble, no failed or disabled task.
        assert unanswered == {
            'ccb_luigi_run_usual_duration_seconds{command="nightly"}',
            "sum by (family) (increase(luigi_task_failed_total[1h]))",
            "sum by (family) (increase(luigi_task_disabled_total[1h]))",
        }
        pushed = get(f"http://{gateway}/metrics")
        assert re.search(
            r'^ccb_luigi_run_exit_code\{command="nightly",instance="",job="ccb_luigi"\} 0$', pushed, re.M
        )
        assert re.search(r'^ccb_luigi_sweep_ok\{instance="",job="ccb_luigi"\} 1$', pushed, re.M)

        success = prometheus.value("ccb_luigi_run_last_success_timestamp_seconds")
        program.world.forget(day)
        broken = settings | {"CCB_SOURCE": "missing.bson", "CCB_SCHEDULER_URL": ""}
        done = program.run("nightly", status=15, **broken)
        assert_lines(done, ["step_failed", "run_ended"])
        until(lambda: prometheus.value('ccb_luigi_run_exit_code{command="nightly"}') == 15)
        until(lambda: prometheus.firing() == {"CcbLuigiNightFailed", "CcbLuigiPartitionMissing"})
        assert prometheus.value("ccb_luigi_run_last_success_timestamp_seconds") == success

        # Without the tables: what was known stays.
        away = {"CCB_POSTGRES_URL": "postgresql://127.0.0.1:1/x", "CCB_RETRY_SECONDS": "0.2"}
        assert_lines(
            program.run("nightly", status=14, **(broken | away)), ["retry", "run_ended", "command_failed"]
        )
        until(lambda: prometheus.value("ccb_luigi_run_tables_readable") == 0)
        assert prometheus.value("ccb_luigi_run_last_success_timestamp_seconds") == success
        until(lambda: prometheus.firing() == {"CcbLuigiNightFailed", "CcbLuigiPartitionMissing"})
        until(lambda: prometheus.ask('ALERTS{alertname="CcbLuigiNightFailed", alertstate="firing"}'))
        pushed = get(f"http://{gateway}/metrics")
        assert re.search(r"^ccb_luigi_run_last_success_timestamp_seconds\{.*\} [1-9]", pushed, re.M)
    rows = program.world.query("SELECT comando, codigo_saida FROM controle.execucoes ORDER BY terminada_em")
    assert rows == [("nightly", 0), ("nightly", 15)]


def dashboard() -> list[str]:
    found = json.loads((MONITORING / "grafana" / "ccb-luigi.json").read_text(encoding="utf-8"))
    return [
        t["expr"].replace("$command", "nightly")
        for panel in found["panels"]
        for t in panel.get("targets", [])
    ]


def assert_lines(done: subprocess.CompletedProcess[str], events: list[str]) -> None:
    """Everything that was said is JSON with the promised fields, of one run."""
    assert done.stdout == ""
    found = [json.loads(line) for line in done.stderr.splitlines()]
    known = {"ts", "level", "event", "message", "logger", *loglines.FIELDS}
    assert {name for line in found for name in line} <= known
    assert len({line["run_id"] for line in found}) == 1
    assert {line["event"] for line in found} >= set(events)


def test_under_systemd_lines_are_json_without_being_asked(program: Program) -> None:
    """The journal is known by its device and inode: here a file plays it."""
    program.world.put(document("a", "A", at(D1)))
    journal = program.directory / "journal"
    with journal.open("wb") as file:
        code = (
            "import os, sys; s = os.fstat(2); os.environ['JOURNAL_STREAM'] = f'{s.st_dev}:{s.st_ino}';"
            "from ccb_luigi.cli import main; sys.argv[1:] = ['nightly']; main()"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=program.environment | {"CCB_NIGHTLY_DAYS": "1"}, cwd=program.directory,
            stdout=subprocess.PIPE, stderr=file, timeout=120, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, b"")
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    assert [line["event"] for line in lines if line["event"].startswith("run")] == [
        "run_started",
        "run_ended",
    ]
    assert {line["task"] for line in lines if line["event"] == "step_done"} >= {"contratos", "reconciliacoes"}


def test_a_pushgateway_that_is_away_is_one_warning_and_no_failure(program: Program) -> None:
    program.world.put(document("a", "A", at(D1)))
    done = program.run(
        "sweep", CCB_PUSHGATEWAY_URL="http://me:TOPSECRET@127.0.0.1:1", CCB_METRICS_DIR="file/m"
    )
    assert done.returncode == 0
    assert "TOPSECRET" not in done.stderr
    assert (
        done.stderr.count(
            "the metrics were not pushed: the Pushgateway at http://127.0.0.1:1 (CCB_PUSHGATEWAY_URL):"
        )
        == 2
    )


def test_luigid_counts_a_failure_of_a_task_whose_beginning_it_has_forgotten(tmp_path: Path) -> None:
    """Luigi's own collector answers 500 then, and the worker gives its run up."""
    with luigid(tmp_path / "luigid") as scheduler:
        for task, status in (("forgotten", "FAILED"), ("never begun", "DISABLED")):
            scheduler.ask("add_task", worker="w", task_id=task, status=status, family="Example", params={})
        said = get(f"{scheduler.url}/metrics")
    assert 'luigi_task_failed_total{family="Example"} 1.0' in said
    assert 'luigi_task_disabled_total{family="Example"} 1.0' in said
