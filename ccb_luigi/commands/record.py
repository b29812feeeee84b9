"""What a run leaves behind besides its data: lines, a row of ``controle.execucoes``, metrics.

Nothing here changes how a run ends: what can't be noted is a warning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
from sqlalchemy import Connection

from ccb_luigi.commands.frame import complain
from ccb_luigi.database import postgres
from ccb_luigi.errors import CcbError, words_of
from ccb_luigi.process.stopping import Stopped
from ccb_luigi.settings import Settings
from ccb_luigi.telemetry import runs
from ccb_luigi.telemetry.runs import History, Recorder, Run

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from ccb_luigi.telemetry.standing import Effects, Standing


@contextmanager
def recorded(settings: Settings, command: str, days: Sequence[date] = ()) -> Iterator[Recorder]:
    """Notes the run of a command: the block's errors pass, and its ``recorder.run.exit_code`` counts."""
    recorder = Recorder(command, days)
    recorder.begin()
    try:
        yield recorder
    except BaseException as error:
        _note(settings, recorder.end(_status(error)), known=True)
        raise
    _note(settings, recorder.end(recorder.run.exit_code))


def _status(error: BaseException) -> int:
    if isinstance(error, (CcbError, click.ClickException)):
        return error.exit_code
    for stop in (error, error.__context__):  # a library may have stumbled over it
        if isinstance(stop, KeyboardInterrupt):
            return stop.exit_code if isinstance(stop, Stopped) else Stopped.exit_code
    return error.code if isinstance(error, SystemExit) and isinstance(error.code, int) else 1


class _Seen:
    """What the tables say after the run; all ``None`` if they can't be asked."""

    history: History | None = None
    effects: Effects | None = None
    standing: Standing | None = None


def _note(settings: Settings, run: Run, *, known: bool = False) -> None:
    """``known``: the run's own error tells why PostgreSQL may not be there; once is enough."""
    seen, wanted = _Seen(), bool(settings.metrics_dir or settings.pushgateway_url)

    def work(connection: Connection) -> None:
        runs.put(connection, run)
        if wanted:
            _look(connection, settings, run, seen)

    def ask() -> None:
        # Once, without another try: the run is over, and what failed it may still last.
        with postgres.of_process(settings).transaction() as connection:
            work(connection)

    _try("the run was not noted in controle.execucoes", ask, quietly=known)
    if wanted:
        _try("the metrics were not written", lambda: _publish(settings, run, seen))


def _look(connection: Connection, settings: Settings, run: Run, seen: _Seen) -> None:
    from ccb_luigi.telemetry import standing

    seen.history = runs.history(connection, run)
    seen.standing = standing.gather(connection, settings, settings.yesterday())
    seen.effects = standing.effects(connection, run)


def _publish(settings: Settings, run: Run, seen: _Seen) -> None:
    from ccb_luigi.telemetry import metrics  # its library takes a while to import

    ended = datetime.now(UTC)
    _send(settings, f"ccb_luigi_{run.command}", metrics.of_run(run, ended, seen.effects, seen.history),
          keep=metrics.LAST_SUCCESS, command=run.command)  # fmt: skip
    if seen.standing:  # else what the last run said stays
        _send(settings, "ccb_luigi", metrics.of_tables(seen.standing))


def _send(settings: Settings, name: str, registry: CollectorRegistry, keep: str = "", **group: str) -> None:
    from ccb_luigi.telemetry import exposition

    if settings.metrics_dir:
        path = Path(settings.metrics_dir) / f"{name}.prom"
        _try("the metrics were not written", lambda: exposition.write(path, registry, keep))
    if settings.pushgateway_url:
        _try(
            "the metrics were not pushed",
            lambda: exposition.push(settings.pushgateway_url, registry, **group),
        )


def _try(what: str, work: Callable[[], None], *, quietly: bool = False) -> None:
    try:
        work()
    except Exception as error:  # noqa: BLE001 - whatever it is, the run's own result stands
        if not quietly:
            complain(f"{what}: {words_of(error)}", event="not_recorded")
