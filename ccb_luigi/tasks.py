"""The graph: per date one extraction, eight loads in foreign-key order, one reconciliation.

``luigi --module ccb_luigi.tasks MigrateCCB --date 2026-11-22``
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any, ClassVar

import luigi

from ccb_luigi import events, markers, pipeline, tables
from ccb_luigi import settings as settings_module
from ccb_luigi.errors import CcbError, PartitionFailed
from ccb_luigi.events import Event
from ccb_luigi.targets import MarkerTarget, all_done

log = logging.getLogger(__name__)


class Step(luigi.Task):
    """One marked step of one date."""

    task_namespace = "ccb"
    date = luigi.DateParameter(description="the partition, a local date")
    step: ClassVar[str]

    def output(self) -> MarkerTarget:
        """The step's marker."""
        return MarkerTarget(self.step, self.date)

    def run(self) -> None:
        """Does the step and tells how it goes."""
        events.tell(Event("started", self.step, self.date))
        with _without_data(f"{self.step} {self.date}"):
            rows = self.work(settings_module.load())
        events.tell(Event("done", self.step, self.date, rows))

    def work(self, settings: settings_module.Settings) -> int:
        """The step itself; returns the number of rows (or documents) to show."""
        raise NotImplementedError

    def show(self, message: str, percentage: float | None = None) -> None:
        """Status and progress for the visualizer: counts, never data. Outside a worker, nothing."""
        if self.set_status_message is not None:
            self.set_status_message(message)
        if percentage is not None and self.set_progress_percentage is not None:
            self.set_progress_percentage(percentage)

    def on_failure(self, exception: BaseException) -> str:
        """What the visualizer shows: our one line. A traceback might quote data."""
        return str(exception) if isinstance(exception, CcbError) else type(exception).__name__


class ExtractContratos(Step):
    """Reads the date's documents once, into staging and quarantine."""

    step = markers.EXTRACTION
    resources = {"mongo": 1}

    def work(self, settings: settings_module.Settings) -> int:
        """See ``pipeline.extract``."""
        counts = pipeline.extract(settings, self.date, self._progress)
        if counts is None:
            return 0
        self.show(f"{counts.lidos} documents read, {counts.quarentena} quarantined", 100)
        return counts.lidos

    def _progress(self, read: int) -> None:
        events.tell(Event("progress", self.step, self.date, read))
        if read % 1000 == 0:
            self.show(f"{read} documents read")


class LoadTable(Step):
    """Loads one table of the date from staging."""

    def requires(self) -> list[Step]:
        """The extraction, and the loads of the tables that this one references.

        The extraction as well, since it is forgotten together with any table that is to be done again.
        """
        owners = tables.parents(tables.BY_NAME[self.step])
        return [ExtractContratos(date=self.date), *(LOADS[owner.name](date=self.date) for owner in owners)]

    def work(self, settings: settings_module.Settings) -> int:
        """See ``pipeline.load``."""
        written = pipeline.load(settings, tables.BY_NAME[self.step], self.date)
        if written is None:
            return 0
        self.show(f"{written.inserted} new, {written.updated} changed, {written.deleted} removed", 100)
        return written.total


class LoadClientes(LoadTable):
    """Borrowers."""

    step = "clientes"


class LoadIdentidades(LoadTable):
    """Identity documents of the borrowers."""

    step = "identidades"


class LoadEnderecos(LoadTable):
    """Addresses of the borrowers."""

    step = "enderecos"


class LoadContatos(LoadTable):
    """E-mail addresses and telephones of the borrowers."""

    step = "contatos"


class LoadDadosBancarios(LoadTable):
    """Bank accounts of the borrowers."""

    step = "dados_bancarios"


class LoadOperacoes(LoadTable):
    """Contracts."""

    step = "operacoes"
    priority = 1  # first in line: the schedules, which take as long as all the rest, wait for them


class LoadParcelas(LoadTable):
    """Schedules of the contracts."""

    step = "parcelas"
    priority = 1


class LoadDetalhamentoCet(LoadTable):
    """The parts of each contract's CET."""

    step = "detalhamento_cet"


LOADS: dict[str, type[LoadTable]] = {
    load.step: load
    for load in (
        LoadClientes,
        LoadIdentidades,
        LoadEnderecos,
        LoadContatos,
        LoadDadosBancarios,
        LoadOperacoes,
        LoadParcelas,
        LoadDetalhamentoCet,
    )
}


class ReconcileCCB(Step):
    """Proves the date by counts and sums, then empties its staging."""

    step = markers.RECONCILIATION

    def requires(self) -> list[Step]:
        """All eight loads."""
        return [load(date=self.date) for load in LOADS.values()]

    def work(self, settings: settings_module.Settings) -> int:
        """See ``pipeline.reconcile_day``."""
        result = pipeline.reconcile_day(settings, self.date)
        if result is None:
            return 0
        self.show(f"{result.lidos} documents accounted for", 100)
        return result.lidos


class MigrateCCB(luigi.WrapperTask):
    """One date, whole: the eight loads and the proof."""

    date = luigi.DateParameter(description="the partition, a local date")

    def requires(self) -> Iterable[Step]:
        """The eight loads and the reconciliation."""
        return [*(load(date=self.date) for load in LOADS.values()), ReconcileCCB(date=self.date)]

    @classmethod
    def bulk_complete(cls, parameter_tuples: Iterable[Any]) -> list[Any]:
        """For ``luigi.tools.range``: one query for all dates."""
        given = list(parameter_tuples)
        days = [item if isinstance(item, date) else item[0] for item in given]
        complete = set(all_done(markers.STEPS, days))
        return [item for item, day in zip(given, days, strict=True) if day in complete]


class NightlyCCB(luigi.WrapperTask):
    """The last days up to ``date``: what failed or was missed on earlier nights is caught up."""

    date = luigi.DateParameter(description="the newest partition")

    def requires(self) -> list[MigrateCCB]:
        """Only the dates that aren't complete."""
        back = settings_module.load().nightly_days
        days = [self.date - timedelta(days=n) for n in reversed(range(back))]
        complete = set(all_done(markers.STEPS, days))
        return [MigrateCCB(date=day) for day in days if day not in complete]


@contextmanager
def _without_data(what: str) -> Iterator[None]:
    """An error that we did not foresee may quote data: its text stops here, its place goes on."""
    try:
        yield
    except CcbError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, its text must not get out
        place = traceback.extract_tb(error.__traceback__)[-1]
        log.error(
            "%s: %s at:\n%s",
            what,
            type(error).__name__,
            "".join(traceback.format_tb(error.__traceback__)),
        )
        raise PartitionFailed(
            f"{what}: unexpected {type(error).__name__} in {place.name}, line {place.lineno}"
        ) from None


@luigi.Task.event_handler(luigi.Event.FAILURE)  # type: ignore[untyped-decorator]
def _tell_failure(task: luigi.Task, exception: BaseException) -> None:
    code = exception.exit_code if isinstance(exception, CcbError) else PartitionFailed.exit_code
    events.tell(
        Event(
            "failed",
            getattr(task, "step", task.task_family),
            getattr(task, "date", None),
            0,
            str(exception) if isinstance(exception, CcbError) else type(exception).__name__,
            code,
        )
    )


@luigi.Task.event_handler(luigi.Event.PROCESS_FAILURE)  # type: ignore[untyped-decorator]
def _tell_death(task: luigi.Task, _: str) -> None:
    _tell_failure(
        task, PartitionFailed("its process was killed (is memory short?); the same command goes on")
    )
