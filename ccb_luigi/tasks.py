"""The graph: per date one extraction, eight loads in foreign-key order, one reconciliation.

``luigi --module ccb_luigi.tasks MigrateCCB --date 2026-11-22``

The sweep and the morning page are no tasks: Luigi runs a task only when all that it requires succeeded, and
both are needed most on the night when a date failed. ``ccb-luigi nightly`` does them after the dates,
however those ended; beside stock Luigi run ``ccb-luigi sweep`` and ``ccb-luigi report`` yourself.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import Any

import luigi

from ccb_luigi import settings as settings_module
from ccb_luigi import tables
from ccb_luigi.database import postgres
from ccb_luigi.load import closing, markers, pipeline
from ccb_luigi.orchestration.backfill_tasks import FullCCB
from ccb_luigi.orchestration.targets import MarkerTarget, all_done
from ccb_luigi.orchestration.visible import Shown, Step
from ccb_luigi.orchestration.worker import fork_tasks
from ccb_luigi.settings import Settings


class DateStep(Step):
    """One marked step of one date."""

    date = luigi.DateParameter(description="the partition, a local date")

    def output(self) -> MarkerTarget:
        """The step's marker."""
        return MarkerTarget(markers.update_id(self.step, self.date))


class ExtractContratos(DateStep):
    """Reads the date's documents once, into staging and quarantine."""

    step = markers.EXTRACTION
    resources = {"mongo": 1}

    def work(self, settings: Settings) -> int:
        """See ``pipeline.extract``."""
        counts = pipeline.extract(settings, self.date, self._progress)
        if counts is None:
            return self.found_done()
        self.show(f"{counts.lidos:,} documents read, {counts.quarentena:,} quarantined", 100)
        return counts.lidos

    def _progress(self, read: int, share: float | None) -> None:
        self.tell("progress", read)
        percentage = None if share is None else 95 * share  # the rest is committing
        self.show_now_and_then(f"{read:,} documents read", percentage)


class LoadTable(DateStep):
    """Loads one table of the date from staging."""

    def requires(self) -> list[DateStep]:
        """The extraction, and the loads of the tables that this one references.

        The extraction as well, since it is forgotten together with any table that is to be done again.
        """
        owners = tables.parents(tables.BY_NAME[self.step])
        return [ExtractContratos(date=self.date), *(LOADS[owner.name](date=self.date) for owner in owners)]

    def work(self, settings: Settings) -> int:
        """See ``pipeline.load_table``."""
        written = pipeline.load_table(settings, tables.BY_NAME[self.step], self.date, self.show)
        if written is None:
            return self.found_done()
        self._changes = {self.step: written}
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


LOADS: dict[str, type[LoadTable]] = {load.step: load for load in LoadTable.__subclasses__()}


class ReconcileCCB(DateStep):
    """Proves the date by counts and sums, then empties its staging."""

    step = markers.RECONCILIATION

    def requires(self) -> list[DateStep]:
        """All eight loads."""
        return [load(date=self.date) for load in LOADS.values()]

    def work(self, settings: Settings) -> int:
        """See ``pipeline.reconcile_day``."""
        result = pipeline.reconcile_day(settings, self.date, self.show)
        if result is None:
            return self.found_done()
        self._told = result.told
        self.show(f"proven: {result.told}, both sums equal", 100)
        return result.lidos


class MigrateCCB(Shown, luigi.WrapperTask):
    """One date, whole: the eight loads and the proof."""

    date = luigi.DateParameter(description="the partition, a local date")

    def requires(self) -> Iterable[DateStep]:
        """The eight loads and the reconciliation."""
        return [*(load(date=self.date) for load in LOADS.values()), ReconcileCCB(date=self.date)]

    def complete(self) -> bool:
        """Whether all of the date's steps are marked, by one query instead of one per step."""
        return bool(all_done(markers.STEPS, [self.date]))

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
    """The last days up to ``date``: what failed, was missed, or was marked too early is caught up.

    No sweep and no morning page: see the module.
    """

    date = luigi.DateParameter(description="the newest partition")

    def requires(self) -> list[MigrateCCB]:
        """Only the dates that aren't complete."""
        settings = settings_module.load()
        days = postgres.of_process(settings).run(
            lambda connection: closing.of_night(connection, settings, self.date)
        )
        complete = set(all_done(markers.STEPS, days))
        return [MigrateCCB(date=day) for day in days if day not in complete]

    def run(self) -> None:
        """All is done: says so."""
        self.show(f"the {settings_module.load().nightly_days} days up to {self.date} are complete", 100)


_STATUSES = {
    "already_running": 10,
    "missing_data": 20,
    "not_run": 25,
    "task_failed": 30,
    "scheduling_error": 35,
}
"""What Luigi's own command line ends with unless ``[retcode]`` says otherwise; its defaults are all 0."""


def _never_green_in_silence() -> None:
    config = luigi.configuration.get_config()
    for name, status in _STATUSES.items():
        if not config.has_option("retcode", name):
            config.set("retcode", name, str(status))


_never_green_in_silence()
fork_tasks()


def _is_luigis_own(argv: Sequence[str]) -> bool:
    """Whether this process is ``luigi --module ccb_luigi.tasks ...``, or ``python -m luigi ...``."""
    program = Path(argv[0] if argv else "")
    named = program.stem == "luigi" or program.parts[-2:] == ("luigi", "__main__.py")
    return named and any(word.removeprefix("--module=") == __name__ for word in argv[1:])


if _is_luigis_own(sys.argv):
    # By its name: what stands around a command stands above the graph, but Luigi begins with the graph.
    import_module("ccb_luigi.luigi_line").begin()


def _also_without_namespace(root: type[luigi.Task]) -> None:
    """``luigi --module ccb_luigi.tasks MigrateCCB`` means ``ccb.MigrateCCB``, the same task."""

    def the_root(_: type, *args: Any, **parameters: Any) -> luigi.Task:
        return root(*args, **parameters)

    contents = {"__module__": __name__, "__doc__": root.__doc__, "__new__": the_root, "task_namespace": ""}
    luigi.task_register.Register(root.__name__, (root,), contents)


_also_without_namespace(MigrateCCB)
_also_without_namespace(NightlyCCB)
_also_without_namespace(FullCCB)
