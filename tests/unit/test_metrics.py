"""Metrics of made-up facts: names, conventions, and where they are written."""

from __future__ import annotations

import http.server
import os
import stat
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from exposed import RUN, everything
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from strangers import ANSWERS, HOST, answering, black_hole

from ccb_luigi.errors import CcbError
from ccb_luigi.telemetry import exposition, metrics
from ccb_luigi.telemetry.runs import History, Run

NOW = datetime(2026, 11, 23, 5, 2, tzinfo=UTC)
DAY = date(2026, 11, 22)


def of(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(f"ccb_luigi_{name}", labels)


def test_every_metric_that_is_described_is_made_and_follows_the_conventions() -> None:
    found = {metric.name: metric for registry in everything() for metric in registry.collect()}
    described = {f"ccb_luigi_run_{n}" for n in metrics.OF_RUN} | {f"ccb_luigi_{n}" for n in metrics.OF_TABLES}
    assert set(found) == described
    for name, metric in found.items():
        assert metric.type == "gauge"
        assert not name.endswith("_total"), "that is for counters"
        assert metric.documentation.endswith("."), name
        assert metric.samples, name
        base_units = ("seconds", "bytes")
        assert not any(wrong in name for wrong in ("_ms", "_minutes", "_mb", "_percent")), name
        if "duration" in name or "timestamp" in name or "memory" in name:
            assert name.endswith(base_units), name
        assert all(set(s.labels) >= {"command"} for s in metric.samples) == name.startswith("ccb_luigi_run_")


def test_a_failure_keeps_the_time_of_the_last_success() -> None:
    failed = Run("nightly", [DAY], exit_code=13, seconds=3.0)
    before = datetime(2026, 11, 22, 5, tzinfo=UTC)
    registry = metrics.of_run(failed, NOW, None, History(before, 60.0))
    assert of(registry, "run_last_success_timestamp_seconds", command="nightly") == before.timestamp()
    assert of(registry, "run_exit_code", command="nightly") == 13
    assert of(registry, "run_tables_readable", command="nightly") == 0
    assert of(registry, "run_usual_duration_seconds", command="nightly") == 60
    good = metrics.of_run(RUN, NOW, None, None)
    assert of(good, "run_last_success_timestamp_seconds", command="nightly") == NOW.timestamp()


def test_the_file_keeps_the_last_success_when_nobody_can_tell_it(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "ccb_luigi_nightly.prom"
    good = metrics.of_run(RUN, NOW, None, None)
    exposition.write(file, good, keep=metrics.LAST_SUCCESS)
    assert file.read_bytes() == generate_latest(good)
    failed = metrics.of_run(Run("nightly", exit_code=14), NOW, None, None)
    for _ in range(2):  # also from a file that kept it
        exposition.write(file, failed, keep=metrics.LAST_SUCCESS)
        said = file.read_text()
        assert f'{metrics.LAST_SUCCESS}{{command="nightly"}} 1.79541012e+09' in said
        assert (
            said.count(f"# HELP {metrics.LAST_SUCCESS} ")
            == said.count(f"# TYPE {metrics.LAST_SUCCESS} ")
            == 1
        )
        assert 'ccb_luigi_run_exit_code{command="nightly"} 14.0' in said
    exposition.write(tmp_path / "new.prom", failed, keep=metrics.LAST_SUCCESS)
    assert metrics.LAST_SUCCESS not in (tmp_path / "new.prom").read_text()


def test_everybody_may_read_the_file_and_nothing_else_is_left(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        exposition.write(tmp_path / "a.prom", metrics.of_run(RUN, NOW, None, None))
    finally:
        os.umask(before)
    assert [file.name for file in tmp_path.iterdir()] == ["a.prom"]
    assert stat.S_IMODE((tmp_path / "a.prom").stat().st_mode) == 0o644


def test_a_file_that_can_not_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CcbError, match=r"file/a.prom can't be written: (Not a directory|File exists)"):
        exposition.write(tmp_path / "file" / "a.prom", metrics.of_run(RUN, NOW, None, None))


class Gateway(http.server.BaseHTTPRequestHandler):
    """Remembers what it is sent, and answers ``status``."""

    status = 202
    got: list[Any]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append((self.path, self.headers.get("Authorization"), body))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def gateway() -> Iterator[Any]:
    class Mine(Gateway):
        got: list[Any] = []

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mine) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        Mine.address = f"127.0.0.1:{server.server_port}"  # type: ignore[attr-defined]
        yield Mine
        server.shutdown()


def one() -> CollectorRegistry:
    registry = CollectorRegistry()
    Gauge("x", "Help.", registry=registry).set(7)
    return registry


def test_the_pushgateway_gets_the_metrics_and_the_password_of_its_address(gateway: Any) -> None:
    exposition.push(f"http://{gateway.address}", one(), command="nightly")
    exposition.push(f"http://me:p%40ss@{gateway.address}/", one())
    (path, nobody, body), (bare, me, _) = gateway.got
    assert path == "/metrics/job/ccb_luigi/command/nightly"
    assert bare == "/metrics/job/ccb_luigi"
    assert (nobody, me) == (None, "Basic bWU6cEBzcw==")
    assert b"x 7.0" in body


def test_a_pushgateway_that_refuses_or_is_not_there_is_one_line_without_its_password(gateway: Any) -> None:
    gateway.status = 400
    for url, words in (
        (f"http://me:TOPSECRET@{gateway.address}", r"answered with status 400"),
        ("http://me:TOPSECRET@127.0.0.1:1", r"127.0.0.1:1 \(CCB_PUSHGATEWAY_URL\): nothing listens there"),
        ("http://me:TOPSECRET@h:port", r"CCB_PUSHGATEWAY_URL is not an address"),
    ):
        with pytest.raises(CcbError, match=words) as raised:
            exposition.push(url, one())
        assert "TOPSECRET" not in str(raised.value)


@pytest.mark.parametrize("stranger", ANSWERS)
def test_whatever_is_no_pushgateway_is_not_taken_for_one_that_took_them(stranger: str) -> None:
    behave, words = ANSWERS[stranger]
    with answering(behave) as port, pytest.raises(CcbError) as raised:
        exposition.push(f"http://me:TOPSECRET@{HOST}:{port}", one(), command="nightly")
    line = str(raised.value)
    assert line.startswith(f"the Pushgateway at http://{HOST}:{port} (CCB_PUSHGATEWAY_URL): ")
    assert words in line
    assert "TOPSECRET" not in line
    assert "\n" not in line


def test_a_silent_pushgateway_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposition, "SECONDS", 0.1)
    with black_hole() as port, pytest.raises(CcbError, match="no answer in time"):
        exposition.push(f"http://{HOST}:{port}", one())
