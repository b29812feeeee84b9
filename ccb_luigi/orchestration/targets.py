"""Luigi's view of a marker: a Target that only reads."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import luigi

from ccb_luigi import settings
from ccb_luigi.database import postgres
from ccb_luigi.load import closing, markers


class MarkerTarget(luigi.Target):
    """The marker of one step. It is written by the step's own transaction, never here.

    One that was set before its date was over is none.
    """

    def __init__(self, update_id: str) -> None:
        self.update_id = update_id

    def exists(self) -> bool:
        """Whether the marker is set and visible, that is committed together with its rows."""
        return bool(_done([self.update_id]))


def marked(tasks: Iterable[luigi.Task]) -> set[str]:
    """The ids of those tasks whose output is a marker that is set, in one query."""
    outputs = {task.task_id: task.output() for task in tasks}
    names = {name: found.update_id for name, found in outputs.items() if isinstance(found, MarkerTarget)}
    done = _done(names.values()) if names else set()
    return {name for name, update_id in names.items() if update_id in done}


def all_done(steps: tuple[str, ...], days: list[date]) -> list[date]:
    """The days of ``days`` for which every step is marked, in one query."""
    wanted = {day: {markers.update_id(step, day) for step in steps} for day in days}
    found = _done(set().union(*wanted.values()))
    return [day for day, needed in wanted.items() if needed <= found]


def _done(update_ids: Iterable[str]) -> set[str]:
    ours, wanted = settings.load(), list(update_ids)
    return postgres.of_process(ours).run(lambda connection: closing.done(connection, ours, wanted))
