"""Alerts, dashboard, log shipping and runbook speak of what there is: metrics, fields, commands, sections."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from exposed import names
from luigi.contrib import prometheus_metric

from ccb_luigi import errors
from ccb_luigi.telemetry import loglines

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "monitoring"
RUNBOOK = ROOT / "docs" / "runbook.md"
PAGES = [RUNBOOK, ROOT / "docs" / "monitoring.md"]
METRIC = re.compile(r"\b(?:ccb_luigi|luigi)_[a-z_]+\b(?!:)")
LUIGIS = set(re.findall(r'"(luigi_\w+)"', inspect.getsource(prometheus_metric)))


def rules() -> list[dict[str, Any]]:
    found = yaml.safe_load((MONITORING / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))
    return [rule for group in found["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    found = json.loads((MONITORING / "grafana" / "ccb-luigi.json").read_text(encoding="utf-8"))
    return list(found["panels"])


def queries() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel.get("targets", [])]


def slugs(path: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def sections() -> dict[str, str]:
    """Slug → text of each section of the runbook."""
    parts = re.split(r"^### (.+)$", RUNBOOK.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {name.lower().replace(" ", "-"): text for name, text in zip(parts[1::2], parts[2::2], strict=True)}


# --- alerts and dashboard ---------------------------------------------------------------------------


def test_alerts_and_dashboard_ask_for_metrics_that_there_are() -> None:
    known = names() | LUIGIS
    assert len(LUIGIS) == 5
    asked = [*queries(), *(rule["expr"] for rule in rules())]
    assert len(asked) > 30
    for query in asked:
        found = set(METRIC.findall(query))
        assert found, query
        assert found <= known, query


def test_every_metric_is_on_the_dashboard_in_an_alert_or_for_the_prometheus_that_reads_them() -> None:
    asked = {
        name for query in [*queries(), *(rule["expr"] for rule in rules())] for name in METRIC.findall(query)
    }
    assert names() - asked == {"ccb_luigi_run_tables_readable", "ccb_luigi_run_dates", "ccb_luigi_build_info",
                               "ccb_luigi_run_rejected_documents",
                               "ccb_luigi_run_documents_by_road"}  # fmt: skip


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_what_and_where_to_read_on(rule: dict[str, Any]) -> None:
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{rule['alert'].lower()}"
    assert rule["alert"].lower() in slugs(RUNBOOK)


def test_every_alert_is_tested_firing_and_not_firing() -> None:
    found = yaml.safe_load((MONITORING / "prometheus" / "alerts_test.yml").read_text(encoding="utf-8"))
    tried = [
        (re.search(r'alertname="(\w+)"', case["expr"])[1], bool(case["exp_samples"]))  # type: ignore[index]
        for test in found["tests"]
        for case in test.get("promql_expr_test", [])
    ]
    assert set(tried) == {(rule["alert"], fires) for rule in rules() for fires in (True, False)}


def test_no_two_panels_lie_on_each_other_and_each_says_what_it_shows() -> None:
    covered = [
        (x, y)
        for panel in panels()
        for box in [panel["gridPos"]]
        for x in range(box["x"], box["x"] + box["w"])
        for y in range(box["y"], box["y"] + box["h"])
    ]
    assert len(covered) == len(set(covered))
    assert max(x for x, _ in covered) == 23
    assert len({panel["id"] for panel in panels()}) == len(panels())
    assert panels()[0]["title"] == "The last night"


# --- log shipping -----------------------------------------------------------------------------------


def _named(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("from", "field") or (key in ("fields", "has_fields") and isinstance(value, list)):
                yield from [value] if isinstance(value, str) else [v for v in value if isinstance(v, str)]
            yield from _named(value)
    elif isinstance(node, list):
        for each in node:
            yield from _named(each)


def test_filebeat_names_fields_that_the_lines_have() -> None:
    sample = yaml.safe_load((MONITORING / "filebeat" / "filebeat.yml").read_text(encoding="utf-8"))
    ours = {name.removeprefix("ccb.") for name in _named(sample["processors"]) if name.startswith("ccb.")}
    assert ours == {
        "ts",
        "level",
        "event",
        "message",
        "logger",
        "exit_code",
        "version",
        "run_id",
        "error",
        "where",
    }
    assert ours <= {"ts", "level", "event", "message", "logger", *loglines.FIELDS}
    begins = sample["processors"][0]["decode_json_fields"]["when.regexp.message"]
    assert re.match(begins, '{"ts": "2026-11-23T05:00:02.123Z", "level": "info"}')


def test_the_pages_name_every_field_and_every_metric() -> None:
    page = PAGES[1].read_text(encoding="utf-8")
    for name in ("ts", "level", "event", "message", "logger", *loglines.FIELDS):
        assert f"`{name}`" in page, name
    for name in names():
        assert re.search(rf"`{name.removeprefix('ccb_luigi_').removeprefix('run_')}[`{{]", page), name


# --- runbook ----------------------------------------------------------------------------------------


def codes() -> list[int]:
    return [0, *errors.STATUSES]


def test_every_alert_and_every_exit_status_has_its_section() -> None:
    wanted = {rule["alert"].lower() for rule in rules()} | {f"exit-code-{code}" for code in codes()}
    assert len(codes()) == 22
    assert set(sections()) == wanted


@pytest.mark.parametrize("name", sections())
def test_a_section_says_what_it_means_and_what_to_do(name: str) -> None:
    text = sections()[name]
    assert "**Means**" in text
    if name != "exit-code-0":
        assert re.search(r"\*\*Do\*\*|\*\*do\*\*|CcbLuigi", text)
    if name.startswith("ccbluigi"):
        for word in ("**Look**", "**Escalate**", "**Don't**"):
            assert word in text, word
