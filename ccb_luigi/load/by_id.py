"""Documents that are migrated by their ``_id``, whatever their date, and what becomes of a contested code.

Of two documents with one ``ccbCode`` the newest has the row. A load only notes what that means for others:
who lost a code is put into quarantine by ``_id`` alone, who may have one that was vacated is named. Both are
looked at here, when the load is committed: no load reads the source again.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from ccb_luigi.database import postgres, schema
from ccb_luigi.documents.block import judge_of
from ccb_luigi.documents.identity import name_of
from ccb_luigi.documents.judge import Refused
from ccb_luigi.load import erasures, quarantine, whole
from ccb_luigi.load.batch import Batch
from ccb_luigi.load.missing import GROUP
from ccb_luigi.load.staging import Counts
from ccb_luigi.load.whole import Show
from ccb_luigi.settings import Settings
from ccb_luigi.sources import source

AD_HOC = 0
"""The batch of documents that are migrated by ``_id``; a date's batch is its ordinal, from 1 on."""


def migrate_ids(settings: Settings, ids: list[str]) -> tuple[Counts, int]:
    """Migrates single documents by ``_id``, whatever their date, in one transaction of all tables.

    Returns the counts, and how many rejections were closed because their document is gone. What a vacated
    code sets free here, the next retry or sweep loads.
    """
    found = _migrated(settings, ids)
    _complete_rejections(settings)
    return found


def settle(settings: Settings, freed: Sequence[str], show: Show = lambda *_: None) -> None:
    """After a load: who may have a code that it vacated is migrated, and who lost one is read again.

    Otherwise it would depend on the order of the dates who has the code (contract §3.2).
    """
    for n in range(0, len(freed), GROUP):
        show(f"looks again at documents whose code another had: {n:,} of {len(freed):,}", 5)
        _migrated(settings, list(freed[n : n + GROUP]))
    _complete_rejections(settings)


def _migrated(settings: Settings, ids: list[str]) -> tuple[Counts, int]:
    def work(connection: Connection) -> tuple[Counts, int]:
        schema.check(connection)
        batch = Batch.own(connection, AD_HOC)
        read_at = whole.now(connection)
        counts = whole.stage(settings, batch, lambda origin: origin.by_ids(ids))
        loaded = whole.load_staged(settings, batch, counts, read_at, "documents loaded by _id")
        counts.quarentena = loaded.result.quarentena
        # That a dump doesn't hold a document doesn't say that it is gone.
        return counts, 0 if settings.source else quarantine.close_gone(connection, ids)

    return postgres.of_process(settings).run(work)


def _complete_rejections(settings: Settings) -> None:
    """Reads the documents of those who lost their code: one side of each pair may be of any date.

    Of those that are gone a closed row tells that they were here: clients may come from them.
    """

    def work(connection: Connection) -> None:
        schema.check(connection)
        missing = dict.fromkeys(quarantine.without_document(connection))
        if not missing:
            return
        judge = judge_of(settings.zone, settings.strictness)
        erased = erasures.known(connection, settings)
        with source.opened(settings) as origin:
            for raw in origin.by_ids([*missing]):
                if (name := name_of(raw)) not in missing:
                    continue
                judged = judge.judge(raw)  # it may have become unfit as well
                rejection = judged if isinstance(judged, Refused) else quarantine.duplicate(name, raw)
                if erased and erased.drops(rejection):  # it is an erased client's by now
                    continue
                del missing[name]
                quarantine.complete(connection, rejection, judge.partition_of_raw(raw) or judge.today())
        quarantine.close_gone(connection, list(missing))

    postgres.of_process(settings).run(work)
