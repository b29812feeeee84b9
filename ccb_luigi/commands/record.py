"""What a run leaves behind besides its data: lines, a row of ``controle.execucoes``, metrics.

Nothing here changes how a run ends: what can't be noted is a warning.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ccb_luigi.commands.frame import complain
from ccb_luigi.database import postgres
from ccb_luigi.errors import CcbError, words_of
from ccb_luigi.process.stopping import Stopped
from ccb_luigi.settings import Settings
from ccb_luigi.telemetry import runs
from ccb_luigi.telemetry.runs import Recorder, Run

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


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


def _note(settings: Settings, run: Run, *, known: bool = False) -> None:
    """``known``: the run's own error tells why PostgreSQL may not be there; once is enough."""
    wanted = bool(settings.metrics_dir or settings.pushgateway_url)
    history, effects, stands = None, None, None  # and so they stay if the tables can't be asked
    with (
        _or_a_warning("the run was not noted in controle.execucoes", quietly=known),
        # Once, without another try: the run is over, and what failed it may still last.
        postgres.of_process(settings).transaction() as connection,
    ):
        runs.put(connection, run)
        if wanted:
            from ccb_luigi.telemetry import standing

            history = runs.history(connection, run)
            stands = standing.gather(connection, settings, settings.yesterday())
            effects = standing.effects(connection, run)
    if not wanted:
        return
    with _or_a_warning("the metrics were not written"):
        from ccb_luigi.telemetry import metrics  # its library takes a while to import

        of_run = metrics.of_run(run, datetime.now(UTC), effects, history)
        name = f"ccb_luigi_{run.command}"
        _send(settings, name, of_run, keep=metrics.LAST_SUCCESS, command=run.command)
        if stands:  # else what the last run said stays
            _send(settings, "ccb_luigi", metrics.of_tables(stands))


def _send(settings: Settings, name: str, registry: CollectorRegistry, keep: str = "", **group: str) -> None:
    from ccb_luigi.telemetry import exposition

    if settings.metrics_dir:
        with _or_a_warning("the metrics were not written"):
            exposition.write(Path(settings.metrics_dir) / f"{name}.prom", registry, keep)
    if settings.pushgateway_url:
        with _or_a_warning("the metrics were not pushed"):
            exposition.push(settings.pushgateway_url, registry, **group)


@contextmanager
def _or_a_warning(what: str, *, quietly: bool = False) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever it is, the run's own result stands
        if not quietly:
            complain(f"{what}: {words_of(error)}", event="not_recorded")
