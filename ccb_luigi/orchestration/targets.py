"""Luigi's view of a marker: a Target that only reads."""

from __future__ import annotations

from datetime import date

import luigi

from ccb_luigi import settings
from ccb_luigi.database import postgres
from ccb_luigi.load import markers


class MarkerTarget(luigi.Target):
    """The marker of one step. It is written by the step's own transaction, never here."""

    def __init__(self, update_id: str) -> None:
        self.update_id = update_id

    def exists(self) -> bool:
        """Whether the marker is set and visible, that is committed together with its rows."""
        target = postgres.of_process(settings.load())
        return bool(target.run(lambda c: markers.done(c, [self.update_id])))


def all_done(steps: tuple[str, ...], days: list[date]) -> list[date]:
    """The days of ``days`` for which every step is marked, in one query."""
    wanted = {day: {markers.update_id(step, day) for step in steps} for day in days}
    target = postgres.of_process(settings.load())
    ids = set().union(*wanted.values())
    found = target.run(lambda c: markers.done(c, ids))
    return [day for day, needed in wanted.items() if needed <= found]
