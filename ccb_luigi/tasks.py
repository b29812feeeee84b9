"""The graph: per date one extraction, eight loads in foreign-key order, one reconciliation.

``luigi --module ccb_luigi.tasks MigrateCCB --date 2026-11-22``

The sweep and the morning page are no tasks: Luigi runs a task only when all that it requires succeeded, and
both are needed most on the night when a date failed. ``ccb-luigi nightly`` does them after the dates,
however those ended; beside stock Luigi run ``ccb-luigi sweep`` and ``ccb-luigi report`` yourself.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any, ClassVar

import luigi
from luigi.rpc import RPCError

from ccb_luigi import events, markers, pipeline, stopping, tables
from ccb_luigi import settings as settings_module
from ccb_luigi.errors import CcbError, PartitionFailed
from ccb_luigi.events import Event
from ccb_luigi.targets import MarkerTarget, all_done

log = logging.getLogger(__name__)


SECONDS_BETWEEN_STATUSES = 1.0
"""Each is a request to luigid, and its page asks twice a second."""

# luigid's page takes a status message as HTML.
_AS_TEXT = str.maketrans({"<": "‹", ">": "›", "&": "+"})


class Shown(luigi.Task):
    """A task that tells the visualizer how it goes."""

    task_namespace = "ccb"
    _shown_at = float("-inf")
    _unheard = False

    def show(self, message: str, percentage: float | None = None) -> None:
        """Status and progress for the visualizer: counts, never data. Outside a worker, nothing.

        No step fails because luigid went away: from then on it works in silence.
        """
        if self.set_status_message is None or self.set_progress_percentage is None or self._unheard:
            return
        self._shown_at = time.monotonic()
        try:
            self.set_status_message(message.translate(_AS_TEXT))
            if percentage is not None:
                self.set_progress_percentage(round(percentage))
        except RPCError:
            log.info("%s: luigid doesn't take the status", self)
            self._unheard = True

    def show_now_and_then(self, message: str, percentage: float | None = None) -> None:
        """The same, for what is called often."""
        if time.monotonic() - self._shown_at >= SECONDS_BETWEEN_STATUSES:
            self.show(message, percentage)


class Step(Shown):
    """One marked step of one date."""

    date = luigi.DateParameter(description="the partition, a local date")
    step: ClassVar[str]

    def output(self) -> MarkerTarget:
        """The step's marker."""
        return MarkerTarget(self.step, self.date)

    def run(self) -> None:
        """Does the step and tells how it goes."""
        events.tell(Event("started", self.step, self.date))
        self._unheard = False
        self.show("started", 0)
        try:
            with _without_data(f"{self.step} {self.date}"):
                rows = self.work(settings_module.load())
        except CcbError as error:
            self.show(f"failed: {error}")  # not what it was doing just before
            raise
        events.tell(Event("done", self.step, self.date, rows))

    def work(self, settings: settings_module.Settings) -> int:
        """The step itself; returns the number of rows (or documents) to show."""
        raise NotImplementedError

    def found_done(self) -> int:
        """Another runner did the step meanwhile."""
        self.show("already done by another run", 100)
        return 0

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
            return self.found_done()
        self.show(f"{counts.lidos:,} documents read, {counts.quarentena:,} quarantined", 100)
        return counts.lidos

    def _progress(self, read: int, share: float | None) -> None:
        events.tell(Event("progress", self.step, self.date, read))
        percentage = None if share is None else 95 * share  # the rest is committing
        self.show_now_and_then(f"{read:,} documents read", percentage)


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
        written = pipeline.load(settings, tables.BY_NAME[self.step], self.date, self.show)
        if written is None:
            return self.found_done()
        self.show(
            f"{written.inserted:,} rows new, {written.updated:,} changed, {written.deleted:,} removed", 100
        )
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
        result = pipeline.reconcile_day(settings, self.date, self.show)
        if result is None:
            return self.found_done()
        self.show(f"proven: {result.lidos:,} documents accounted for, both sums equal", 100)
        return result.lidos


class MigrateCCB(Shown, luigi.WrapperTask):
    """One date, whole: the eight loads and the proof."""

    date = luigi.DateParameter(description="the partition, a local date")

    def requires(self) -> Iterable[Step]:
        """The eight loads and the reconciliation."""
        return [*(load(date=self.date) for load in LOADS.values()), ReconcileCCB(date=self.date)]

    def run(self) -> None:
        """All is done: says so."""
        self.show(f"all {len(markers.STEPS)} steps are done and proven", 100)

    @classmethod
    def bulk_complete(cls, parameter_tuples: Iterable[Any]) -> list[Any]:
        """For ``luigi.tools.range``: one query for all dates."""
        given = list(parameter_tuples)
        days = [item if isinstance(item, date) else item[0] for item in given]
        complete = set(all_done(markers.STEPS, days))
        return [item for item, day in zip(given, days, strict=True) if day in complete]


class NightlyCCB(Shown, luigi.WrapperTask):
    """The last days up to ``date``: what failed or was missed on earlier nights is caught up.

    No sweep and no morning page: see the module.
    """

    date = luigi.DateParameter(description="the newest partition")

    def requires(self) -> list[MigrateCCB]:
        """Only the dates that aren't complete."""
        back = settings_module.load().nightly_days
        days = [self.date - timedelta(days=n) for n in reversed(range(back))]
        complete = set(all_done(markers.STEPS, days))
        return [MigrateCCB(date=day) for day in days if day not in complete]

    def run(self) -> None:
        """All is done: says so."""
        self.show(f"the {settings_module.load().nightly_days} days up to {self.date} are complete", 100)


def _also_without_namespace(root: type[luigi.Task]) -> None:
    """``luigi --module ccb_luigi.tasks MigrateCCB`` means ``ccb.MigrateCCB``, the same task."""

    def the_root(_: type, *args: Any, **parameters: Any) -> luigi.Task:
        return root(*args, **parameters)

    contents = {"__module__": __name__, "__doc__": root.__doc__, "__new__": the_root, "task_namespace": ""}
    luigi.task_register.Register(root.__name__, (root,), contents)


_also_without_namespace(MigrateCCB)
_also_without_namespace(NightlyCCB)


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
            " (`ccb-luigi -v` shows the way there)"
        ) from None


stopping.swallows(luigi.Task.trigger_event)  # also Ctrl-C, and goes on


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
    if stopping.coming():  # Ctrl-C reaches the worker as well
        return
    _tell_failure(
        task, PartitionFailed("its process was killed (is memory short?); the same command goes on")
    )
