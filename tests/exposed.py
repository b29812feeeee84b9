"""Every metric that there is, of made-up facts: what dashboards and alerts may ask for."""

from __future__ import annotations

from datetime import UTC, date, datetime

from prometheus_client import CollectorRegistry

from ccb_luigi.load.status import Sweep
from ccb_luigi.telemetry import metrics
from ccb_luigi.telemetry.runs import History, Run
from ccb_luigi.telemetry.standing import Effects, Standing

NOW = datetime(2026, 11, 23, 5, 2, tzinfo=UTC)
RUN = Run("nightly", [date(2026, 11, 22)], "id", 1, 0, 60.0, 30.0, 1 << 28, {"contratos": 4.0},
          {date(2026, 11, 22): 200})  # fmt: skip


def everything() -> tuple[CollectorRegistry, CollectorRegistry]:
    """A run's metrics, and where things stand."""
    effects = Effects(
        {"read": 200, "quarantined": 2}, {"ausente": 2}, {("parcelas", "inserted"): 7}, {"alone": 200}
    )
    standing = Standing(
        dict.fromkeys(("missing", "breaker", "differs", "gap", "complete"), 0),
        dict.fromkeys(("documents", "valor_bruto", "valor_prestacao"), 0),
        2,
        {"ausente": 2},
        NOW,
        Sweep(NOW, True, None, 200, 198, 0, 0, 0, 0, 0),
        {"parcelas": 0},
    )
    return metrics.of_run(RUN, NOW, effects, History(NOW, 55.0)), metrics.of_tables(standing)


def names() -> set[str]:
    return {metric.name for registry in everything() for metric in registry.collect()}
