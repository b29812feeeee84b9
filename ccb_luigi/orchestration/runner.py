"""Runs dates through Luigi and says truthfully how it went.

Luigi's own exit status gives false alarms on graphs that several workers share, and no alarm at all
without ``[retcode]``: what counts here is whether the roots are complete afterwards.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date

import luigi
from luigi import configuration
from sqlalchemy import Connection

from ccb_luigi.database import postgres, schema
from ccb_luigi.errors import PartitionFailed
from ccb_luigi.load import markers
from ccb_luigi.load.backfill_plan import Plan, PlanProgress, marker, progress
from ccb_luigi.orchestration import luigid
from ccb_luigi.orchestration.backfill_tasks import END, EndPlan
from ccb_luigi.orchestration.targets import all_done
from ccb_luigi.orchestration.visible import UNFULFILLED
from ccb_luigi.orchestration.worker import WorkerFactory
from ccb_luigi.process import events, stopping
from ccb_luigi.process.events import Event
from ccb_luigi.process.stopping import Stopped
from ccb_luigi.settings import Settings
from ccb_luigi.sources import source
from ccb_luigi.tasks import MigrateCCB

log = logging.getLogger(__name__)

TRIES = 5
"""So often luigid is told of a plan's tasks: it keeps them in memory, and may be restarted in the middle."""

# What makes an unattended run safe, should no luigi.cfg say otherwise.
_SAFE = {
    ("worker", "check_complete_on_run"): "true",
    ("core", "autoload_range"): "false",
    # What luigid isn't told of counts 1: here it would be one shard at a time.
    ("resources", "mongo"): "4",
    ("resources", "postgres"): "8",
}


@dataclass(slots=True)
class Outcome:
    """What a run came to. ``failures`` are the events of failed steps, in order.

    ``before``: so many of the dates were complete when it began.
    """

    complete: list[date]
    incomplete: list[date]
    failures: list[Event] = field(default_factory=list)
    before: int = 0

    @property
    def exit_code(self) -> int:
        """0 only if every date is complete; else the own one of the first failure that nothing has mended."""
        if not self.incomplete:
            return 0
        left = (e.exit_code for e in self.failures if e.exit_code and e.day in self.incomplete)
        return next(left, PartitionFailed.exit_code)

    def let_pass(self, code: int) -> None:
        """Dates that failed with this status alone were asked for as they are: they're nobody's failure."""
        passed = {event.day for event in self.failures if event.exit_code == code}
        self.failures = [
            event for event in self.failures if event.day not in passed or event.exit_code != code
        ]
        passed -= {event.day for event in self.failures}
        self.incomplete = [day for day in self.incomplete if day not in passed]


def run(
    settings: Settings,
    days: Sequence[date],
    *,
    workers: int,
    watch: Callable[[Event], None] = lambda _: None,
) -> Outcome:
    """Migrates the dates that aren't complete; every one of them is tried, whatever the others do."""
    postgres.of_process(settings).run(schema.check)
    wanted = list(days)
    done = set(all_done(markers.STEPS, wanted))
    todo = [day for day in wanted if day not in done]
    outcome = Outcome(complete=[], incomplete=todo, before=len(done))

    def handle(event: Event) -> None:
        if event.kind == "failed":
            outcome.failures.append(event)
        watch(event)

    if todo:
        source.reach(settings)
        with events.listening(handle):
            if _build([MigrateCCB(date=day) for day in todo], settings, workers):
                # Luigid remembers what was done a moment ago, or has given it to another worker. Who needs
                # what another is doing waits for its lock.
                failed = {event.day for event in outcome.failures if event.message != UNFULFILLED}
                if left := sorted(set(todo) - failed - {*all_done(markers.STEPS, todo)}):
                    _build_once([MigrateCCB(date=day) for day in left], "", settings, workers)
    complete = set(all_done(markers.STEPS, wanted))
    outcome.complete = [day for day in wanted if day in complete]
    outcome.incomplete = [day for day in wanted if day not in complete]
    return outcome


@dataclass(slots=True)
class PlanOutcome:
    """What a run of a plan came to. ``interrupted``: it was asked to end after the shards under way."""

    complete: bool
    progress: PlanProgress
    interrupted: bool = False
    failures: list[Event] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 only if the plan is complete; else the own one of the first failure, or Ctrl-C's."""
        if self.complete:
            return 0
        other = Stopped.exit_code if self.interrupted else PartitionFailed.exit_code
        return next((event.exit_code for event in self.failures if event.exit_code), other)


def run_plan(
    settings: Settings,
    plan: Plan,
    *,
    workers: int,
    watch: Callable[[Event], None] = lambda _: None,
    asked_to_stop: Callable[[], None] = lambda: None,
) -> PlanOutcome:
    """Does the shards that aren't done, and ends the plan; other hosts may be at the same."""
    target = postgres.of_process(settings)
    source.reach(settings)
    failures: list[Event] = []

    def handle(event: Event) -> None:
        if event.kind == "failed":
            failures.append(event)
        watch(event)

    def look(connection: Connection) -> tuple[bool, PlanProgress]:
        return bool(markers.done(connection, [marker(plan.id)])), progress(connection, plan.id)

    with stopping.gently(asked_to_stop) as gentle, events.listening(handle):
        # Also with one worker: a task in this process would be what Ctrl-C interrupts.
        configuration.get_config().set("worker", "force_multiprocessing", "true")
        for _ in range(TRIES):
            central = _build([EndPlan(plan=plan.id)], settings, workers, lambda: gentle.asked)
            complete, done = target.run(look)
            if complete or gentle.asked or failures or not central:
                break
        if central and not (complete or gentle.asked or failures):
            # As in ``run``.
            _build_once([EndPlan(plan=plan.id)], "", settings, workers)
            complete, done = target.run(look)
        if central and not (complete or gentle.asked or failures):
            handle(Event("failed", END, message=_UNDONE, exit_code=PartitionFailed.exit_code))
    return PlanOutcome(complete, done, gentle.asked, failures)


_UNDONE = "it isn't complete, though nothing failed here: another run was at it; the same command goes on"


def _build(
    roots: list[luigi.Task], settings: Settings, workers: int, stop: Callable[[], bool] = lambda: False
) -> bool:
    """Has Luigi do the roots, with luigid for as long as that answers; whether it did so to the end.

    What luigid leaves undone because it went away is done all the same: with it when it is back, else
    without.
    """
    config = configuration.get_config()
    config.set("core", "no_configure_logging", "true")  # the command line has done it
    for (section, name), value in _SAFE.items():
        if not config.has_option(section, name):
            config.set(section, name, value)
    for _ in range(TRIES):
        url = luigid.reachable(settings.scheduler_url)
        if not _build_once(roots, url, settings, workers):
            return bool(url)
        if stop():
            return False
    log.warning("luigid went away %d times: running without it", TRIES)
    _build_once(roots, "", settings, workers)
    return False


def _build_once(roots: list[luigi.Task], url: str, settings: Settings, workers: int) -> bool:
    """One worker's life; whether luigid was lost in it."""
    config = configuration.get_config()
    if not url:  # nobody else can take a task over, and what a retry may mend has been tried again
        config.set("worker", "keep_alive", "false")
        # Nobody can ask a scheduler of our own for metrics, and their library takes a while to import.
        config.set("scheduler", "metrics_collector", "none")
    factory = WorkerFactory(settings.retry_seconds)
    luigi.build(
        roots,
        worker_scheduler_factory=factory,
        workers=workers,
        local_scheduler=not url,
        **({"scheduler_url": url} if url else {}),
        detailed_summary=True,
    )
    return factory.lost
