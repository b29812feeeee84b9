"""Where the page is written, and when: by hand, or around a night's run.

The exit status of a night speaks of the data alone. A page that can't be written is one line on stderr;
and a night that ends before its end leaves a page that says so, not the last good one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

from sqlalchemy import Connection

from ccb_luigi.database import postgres
from ccb_luigi.errors import CcbError, words_of
from ccb_luigi.load import status
from ccb_luigi.process import files
from ccb_luigi.process.events import Event
from ccb_luigi.report import page
from ccb_luigi.report.facts import Facts, Failure, gather
from ccb_luigi.settings import Settings

LATEST = "ultimo.html"


def read(settings: Settings, day: date, count: int = status.DAYS) -> Facts:
    """The facts of the page, the times in the zone of the partitions."""

    def work(connection: Connection) -> Facts:
        return gather(connection, settings, day, count)

    facts = postgres.of_process(settings).run(work)
    return replace(facts, read_at=facts.read_at and facts.read_at.astimezone(settings.zone))


def name_of(day: date) -> str:
    """The file of a date's page."""
    return f"ccb-{day}.html"


@contextmanager
def around(settings: Settings, day: date, complain: Callable[[str], None]) -> Iterator[list[Event]]:
    """Writes the page of a night's run into ``report_dir``, if that is set; never raises by itself.

    Yields a list for the events of failed steps. While the run goes on, ``ultimo.html`` says that: if the
    run is killed, that is what stays.
    """
    failures: list[Event] = []
    if not settings.report_dir:
        yield failures
        return
    directory = Path(settings.report_dir)

    def publish(html: str, *names: str) -> None:
        for name in names:
            files.write_whole(directory / name, html.encode())

    def bare(key: str, error: Exception | None = None) -> str:
        now = datetime.now(settings.zone)
        if error is None:
            return page.render_without_facts(key, day, now, language=settings.language)
        code = error.exit_code if isinstance(error, CcbError) else 1
        failure = Failure("", None, words_of(error), code, settings.runbook(code))
        return page.render_without_facts(key, day, now, failure=failure, language=settings.language)

    _try(lambda: publish(bare("running"), LATEST), complain)
    try:
        yield failures
    except Exception as error:
        html = bare("stopped", error)
        _try(lambda: publish(html, LATEST, name_of(day)), complain)
        raise
    _try(lambda: publish(_of_night(settings, day, failures, bare), LATEST, name_of(day)), complain)


def _of_night(
    settings: Settings, day: date, failures: list[Event], bare: Callable[[str, Exception], str]
) -> str:
    try:
        facts = read(settings, day)
    except CcbError as error:
        return bare("unread", error)
    done = {(known.day, step) for known in facts.days for step in known.rows}
    told = dict.fromkeys(
        Failure(event.step, event.day, event.message, event.exit_code, settings.runbook(event.exit_code))
        for event in failures
        if (event.day, event.step) not in done  # a later try may have succeeded
    )
    return page.render(replace(facts, failures=tuple(told)), language=settings.language)


def _try(work: Callable[[], None], complain: Callable[[str], None]) -> None:
    try:
        work()
    except Exception as error:  # noqa: BLE001 - whatever it is, the night's own result stands
        complain(f"the morning page was not written: {words_of(error)}")
