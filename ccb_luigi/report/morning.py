"""Where the page is written, and when: by hand, or around a night's run.

The exit status of a night speaks of the data alone. A page that can't be written is one line on stderr;
and a night that ends before its end leaves a page that says so, not the last good one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from pathlib import Path

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
    """The facts of the page."""
    return postgres.of_process(settings).run(lambda connection: gather(connection, settings, day, count))


def write(settings: Settings, day: date, path: Path) -> None:
    """Writes the page of a date."""
    files.write_whole(path, page.render(read(settings, day), language=settings.language).encode())


def name_of(day: date) -> str:
    """The file of a date's page."""
    return f"ccb-{day}.html"


@contextmanager
def around(
    settings: Settings, day: date, failures: list[Event], complain: Callable[[str], None]
) -> Iterator[None]:
    """Writes the page of a night's run into ``report_dir``, if that is set; never raises by itself.

    ``failures``: the events of failed steps, of which there may be more at the end. While the run goes on,
    ``ultimo.html`` says that: if the run is killed, that is what stays.
    """
    if not settings.report_dir:
        yield
        return

    def publish(make: Callable[[], str], *names: str) -> None:
        try:
            html = make().encode()
            for name in names:
                files.write_whole(Path(settings.report_dir) / name, html)
        except Exception as error:  # noqa: BLE001 - whatever it is, the night's own result stands
            complain(f"the morning page was not written: {words_of(error)}")

    publish(partial(_without_facts, settings, day, "running"), LATEST)
    try:
        yield
    except Exception as error:
        publish(partial(_without_facts, settings, day, "stopped", error), LATEST, name_of(day))
        raise
    publish(partial(_of_night, settings, day, failures), LATEST, name_of(day))


def _without_facts(settings: Settings, day: date, key: str, error: Exception | None = None) -> str:
    code = error.exit_code if isinstance(error, CcbError) else 1
    failure = Failure("", None, words_of(error), code, settings.runbook(code)) if error else None
    now = datetime.now(settings.zone)
    return page.render_without_facts(key, day, now, failure=failure, language=settings.language)


def _of_night(settings: Settings, day: date, failures: list[Event]) -> str:
    try:
        facts = read(settings, day)
    except CcbError as error:
        return _without_facts(settings, day, "unread", error)
    done = {(known.day, step) for known in facts.days for step in known.rows}
    told = dict.fromkeys(
        Failure(event.step, event.day, event.message, event.exit_code, settings.runbook(event.exit_code))
        for event in failures
        if (event.day, event.step) not in done  # a later try may have succeeded
    )
    return page.render(replace(facts, failures=tuple(told)), language=settings.language)
