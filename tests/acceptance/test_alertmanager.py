"""From a night that failed to a mailbox: our rules and samples in a real Prometheus and Alertmanager."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from program import REPOSITORY, Program, yesterday
from test_alert import Mailbox
from test_alert import serving as receiving
from test_prometheus import Prometheus, serving, until
from tools import needs
from world import at, document

MONITORING = REPOSITORY / "monitoring"
SAMPLE = MONITORING / "alertmanager" / "alertmanager.yml"
WIKI = "https://wiki.example.com/runbook.md"


def in_the_docs() -> str:
    """The command that makes the links absolute, as it stands there, for a wiki of ours."""
    said = (REPOSITORY / "docs" / "monitoring.md").read_text(encoding="utf-8")
    (found,) = re.findall(r"`(sed -i [^`]+ alerts\.yml)`", said)
    assert WIKI in found
    return str(found)


@needs("amtool")
def test_amtool_accepts_the_sample() -> None:
    words = ["amtool", "check-config", str(SAMPLE)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_sample_sends_every_alert_of_ours_to_the_mailbox_and_leaves_the_others_alone() -> None:
    sample = yaml.safe_load(SAMPLE.read_text(encoding="utf-8"))
    (matcher,) = sample["route"]["routes"][0]["matchers"]
    pattern = re.fullmatch(r'alertname =~ "(.+)"', matcher)
    rules = yaml.safe_load((MONITORING / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))
    names = [rule["alert"] for rule in rules["groups"][0]["rules"]]
    assert pattern
    assert all(re.fullmatch(pattern[1], name) for name in names)
    assert not re.fullmatch(pattern[1], "HostOutOfMemory")


class Watched:
    """The metrics' directory is read, its alerts are judged and sent on as the samples say, but at once."""

    def __init__(self, directory: Path, smtp_port: int) -> None:
        self.metrics, self.directory, self.port = directory / "metrics", directory, smtp_port
        self.metrics.mkdir()

    def alertmanager(self) -> tuple[str, ...]:
        sample: Any = yaml.safe_load(SAMPLE.read_text(encoding="utf-8"))
        sample["global"]["smtp_smarthost"] = f"127.0.0.1:{self.port}"
        sample["route"]["routes"][0] |= {"group_wait": "2s", "group_interval": "1s"}
        path = self.directory / "alertmanager.yml"
        path.write_text(yaml.safe_dump(sample))
        state = f"--storage.path={self.directory / 'alertmanager'}"
        return (f"--config.file={path}", state, "--cluster.listen-address=")

    def prometheus(self, node: str, alertmanager: str) -> tuple[str, ...]:
        """The sample with our rules: none waits, but that of the files that nobody has read yet."""
        rules = self.directory / "alerts.yml"
        rules.write_text((MONITORING / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))
        subprocess.run(in_the_docs(), shell=True, check=True, cwd=self.directory, timeout=60)
        hasty = yaml.safe_load(rules.read_text(encoding="utf-8"))
        for rule in hasty["groups"][0]["rules"]:
            if rule["alert"] != "CcbLuigiMetricsAbsent":
                rule["for"] = "0s"
        rules.write_text(yaml.safe_dump(hasty))
        found: Any = yaml.safe_load(
            (MONITORING / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
        )
        found["global"] = {
            "scrape_interval": "500ms",
            "scrape_timeout": "500ms",
            "evaluation_interval": "500ms",
        }
        found["scrape_configs"] = [job for job in found["scrape_configs"] if job["job_name"] == "node"]
        found["scrape_configs"][0]["static_configs"][0]["targets"] = [node]
        found["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [alertmanager]
        path = self.directory / "prometheus.yml"
        path.write_text(yaml.safe_dump(found))
        return (f"--config.file={path}", f"--storage.tsdb.path={self.directory / 'data'}")

    def watch(self, stack: ExitStack) -> Prometheus:
        def server(name: str, *words: str, ready: str = "/-/ready") -> str:
            return stack.enter_context(serving(self.directory / f"{name}.log", name, *words, ready=ready))

        textfile = f"--collector.textfile.directory={self.metrics}"
        only = ("--collector.disable-defaults", "--collector.textfile")
        node = server("prometheus-node-exporter", *only, textfile, ready="/")
        sender = server("prometheus-alertmanager", *self.alertmanager())
        return Prometheus(server("prometheus", *self.prometheus(node, sender)))


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def watched(tmp_path: Path, mailbox: Mailbox) -> Iterator[Watched]:
    with receiving(mailbox) as controller:
        yield Watched(tmp_path, controller.port)


@needs("prometheus", "prometheus-node-exporter", "prometheus-alertmanager")
def test_a_night_that_failed_comes_to_the_mailbox_with_its_chapter_and_so_does_its_mending(
    program: Program, watched: Watched, mailbox: Mailbox
) -> None:
    before = yesterday() - timedelta(days=1)
    program.world.put(document("a", "A", at(before)), document("b", "B", at(yesterday())))
    program.world.migrate(before)
    settings = {"CCB_METRICS_DIR": str(watched.metrics), "CCB_NIGHTLY_DAYS": "1"}
    program.run("nightly", status=15, CCB_SOURCE="missing.bson", **settings)
    with ExitStack() as stack:
        prometheus = watched.watch(stack)
        until(lambda: mailbox.mails)
        first = mailbox.mails[0]
        assert prometheus.firing() == {"CcbLuigiNightFailed", "CcbLuigiPartitionMissing"}
        assert (first["To"], first["From"]) == ("on-call@example.com", "ccb-luigi@example.com")
        assert set(first["Subject"].split(", ")) == prometheus.firing()
        assert first.get_content_type() in {"text/plain", "multipart/alternative"}
        body = first.get_body(("plain",))
        assert body is not None
        said = body.get_content()
        assert "CcbLuigiNightFailed (critical), since " in said
        assert "The night ended with exit status 15." in said
        assert f"What to do: {WIKI}#ccbluiginightfailed" in said
        assert f"{WIKI}#exit-code-15" in said
        assert "Dates that are not complete in PostgreSQL: 1." in said
        assert f"What to do: {WIKI}#ccbluigipartitionmissing" in said
        assert "docs/runbook.md" not in said

        program.run("nightly", **settings)
        until(lambda: any(mail["Subject"].startswith("mended: ") for mail in mailbox.mails))
        assert prometheus.firing() == set()
