"""luigid's own metrics: Luigi's Prometheus collector, without its way of failing.

Luigi subtracts the time when a task began. Where luigid doesn't know it (it was restarted and lost its state
between a task's beginning and its failure) that raises: the worker that reports the failure gets a 500, asks
again for a minute and gives the whole run up.
"""

from __future__ import annotations

from typing import Any

from luigi.contrib.prometheus_metric import PrometheusMetricsCollector


class Collector(PrometheusMetricsCollector):
    """``[scheduler] metrics_custom_import`` in ``luigi.cfg`` names it."""

    def handle_task_failed(self, task: Any) -> None:
        """Counts it; without a beginning it has no duration."""
        if task.time_running is None:
            self.task_failed_counter.labels(**self._generate_task_labels(task)).inc()
        else:
            super().handle_task_failed(task)

    def handle_task_disabled(self, task: Any, config: Any) -> None:
        """Likewise."""
        if task.time_running is None:
            self.task_disabled_counter.labels(**self._generate_task_labels(task)).inc()
        else:
            super().handle_task_disabled(task, config)
