"""A range of many documents: one plan, on this host and on any other that is given the same command."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import partial

from ccb_luigi.commands.frame import complain, progress_console
from ccb_luigi.database import postgres
from ccb_luigi.errors import CcbError
from ccb_luigi.load import backfill_plan
from ccb_luigi.load.backfill_plan import Plan, PlanProgress
from ccb_luigi.process.events import Event
from ccb_luigi.settings import Settings
from ccb_luigi.telemetry import display
from ccb_luigi.telemetry.runs import Recorder


@dataclass(frozen=True, slots=True)
class Planned:
    """How a plan ended: the exit status, and the dates that are marked by it; ``now``: by this command."""

    exit_code: int
    days: list[date]
    now: bool = True


def migrate(
    settings: Settings, since: date | None, until: date, workers: int | None, recorder: Recorder
) -> Planned | None:
    """Goes on with the open plan of the range, or makes one; ``None``: too few documents for one."""
    if (ended := backfill_plan.ended(settings, since, until)) is not None:
        return Planned(0, ended, now=False)
    with display.Bar(progress_console(), total=None, about="looking for what is to be planned"):
        found = backfill_plan.ensure(settings, since, until, larger_than=settings.shard_documents)
    return None if found is None else _run(settings, found, workers, recorder)


def _run(settings: Settings, found: Plan, workers: int | None, recorder: Recorder) -> Planned:
    from ccb_luigi.orchestration import runner  # Luigi takes a while to import: only where it is needed

    target, screen = postgres.of_process(settings), progress_console()
    look = partial(backfill_plan.progress, plan=found.id)

    def ask() -> PlanProgress | None:
        try:
            with target.transaction() as connection:
                return look(connection)
        except CcbError:  # whoever needs the database tells
            return None

    before = target.run(look)
    done = f"; {before.shards:,} are done" if before.shards else ""
    screen.print(f"plan {found.id}: {found.documentos:,} contracts in {found.fatias:,} shards{done}")
    with display.PlanDisplay(screen, found, before, ask) as shown:

        def watch(event: Event) -> None:
            recorder.handle(event)
            shown.handle(event)

        outcome = runner.run_plan(
            settings, found, workers=workers or settings.workers, watch=watch, asked_to_stop=_asked_to_stop
        )
    now = outcome.progress
    if not outcome.complete:
        words = f"{now.shards:,} of {found.fatias:,} shards done"
        if outcome.interrupted:
            complain(f"interrupted: {words}; the same command goes on", event="stopped")
        else:
            screen.print(f"[red]{words}[/]; the same command goes on")
    days = target.run(lambda connection: backfill_plan.dates(connection, settings, found))
    recorder.run.days, recorder.run.complete = days, len(days)
    return Planned(outcome.exit_code, days)


def _asked_to_stop() -> None:
    complain("stopping after the shards under way; Ctrl-C again stops at once", event="stopping")
