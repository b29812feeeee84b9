"""The graph of a plan: its shards, and the end that marks the dates.

``luigi --module ccb_luigi.tasks FullCCB --until 2026-11-22 --workers 4``, on as many hosts as one likes
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import luigi
from luigi.parameter import OptionalParameterMixin

from ccb_luigi import settings as settings_module
from ccb_luigi.database import postgres
from ccb_luigi.load import backfill, backfill_plan
from ccb_luigi.load.backfill_plan import Plan
from ccb_luigi.orchestration.targets import MarkerTarget
from ccb_luigi.orchestration.visible import Shown, Step
from ccb_luigi.settings import Settings

END = "plano"


class OptionalDateParameter(OptionalParameterMixin[date], luigi.DateParameter):  # type: ignore[misc]
    """A date, or nothing."""

    expected_type = date


class MigrateShard(Step):
    """One shard of a plan, in one transaction: read, judged, loaded into all tables, proven, marked."""

    plan = luigi.IntParameter(description="the plan's number, in controle.planos")
    number = luigi.IntParameter(description="the shard's number in its plan")
    step = backfill_plan.STEP
    resources = {"mongo": 1, "postgres": 1}

    def output(self) -> MarkerTarget:
        """The shard's marker."""
        return MarkerTarget(backfill_plan.shard_marker(self.plan, self.number))

    def work(self, settings: Settings) -> int:
        """See ``backfill.migrate_shard``."""
        self._planned, self._before = postgres.of_process(settings).run(
            lambda c: (backfill_plan.get(c, self.plan), backfill_plan.progress(c, self.plan))
        )
        found = backfill.migrate_shard(settings, self.plan, self.number, self._progress, self._show)
        if found is None:
            return self.found_done()
        result = found.result
        self._told, self._changes = result.told, found.written
        self._show(f"done and proven: {result.told}", 100)
        return result.lidos

    def _progress(self, read: int) -> None:
        self.tell("progress", read)
        share = 60 * read * self._planned.fatias / max(1, self._planned.documentos)
        self.show_now_and_then(self._words(f"{read:,} documents read"), min(share, 59))

    def _show(self, message: str, percentage: float) -> None:
        self.show(self._words(message), percentage)

    def _words(self, message: str) -> str:
        done, planned = self._before, self._planned
        return (
            f"{message}; before it {done.shards:,} of {planned.fatias:,} shards were done,"
            f" {done.read:,} of {planned.documentos:,} documents"
        )


class EndPlan(Step):
    """The end of a plan: every date that it covers gets its markers and its proof."""

    plan = luigi.IntParameter(description="the plan's number, in controle.planos")
    step = END

    def requires(self) -> list[MigrateShard]:
        """The shards that aren't done."""
        target = postgres.of_process(settings_module.load())
        numbers = target.run(lambda connection: backfill_plan.missing(connection, self.plan))
        return [MigrateShard(plan=self.plan, number=number) for number in numbers]

    def output(self) -> MarkerTarget:
        """The plan's marker."""
        return MarkerTarget(backfill_plan.marker(self.plan))

    def work(self, settings: Settings) -> int:
        """See ``backfill.close``."""
        days = backfill.close(settings, self.plan, self.show)
        if days is None:
            return self.found_done()
        self.show(f"{len(days):,} dates are marked and proven", 100)
        return 0


class FullCCB(Shown, luigi.WrapperTask):
    """Every date from ``since`` (or the first document) to ``until`` in one plan, whatever its size."""

    until = luigi.DateParameter(description="the last date")
    since = OptionalDateParameter(default=None, description="the first date; empty: the first document's")
    _found: tuple[Plan | None] | None = None

    def requires(self) -> Iterable[EndPlan]:
        """The end of the plan, which is made here if nobody has done so; nothing if all is complete."""
        if self._found is None:
            settings = settings_module.load()
            ended = backfill_plan.ended(settings, self.since, self.until) is not None
            self._found = (None if ended else backfill_plan.ensure(settings, self.since, self.until),)
        return [EndPlan(plan=found.id) for found in self._found if found]

    def run(self) -> None:
        """All is done: says so."""
        self.show(f"everything up to {self.until} is complete", 100)
