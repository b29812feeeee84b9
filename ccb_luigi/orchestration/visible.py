"""What every task has in common: it tells the visualizer how it goes, and nobody what the documents say."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple
from types import MappingProxyType
from typing import ClassVar

import luigi
from luigi.rpc import RPCError

from ccb_luigi import settings as settings_module
from ccb_luigi.errors import CcbError, PartitionFailed, words_of
from ccb_luigi.load.loading import Written
from ccb_luigi.process import events, stopping
from ccb_luigi.process.events import Event
from ccb_luigi.settings import Settings

log = logging.getLogger(__name__)

SECONDS_BETWEEN_STATUSES = 1.0
"""Each is a request to luigid, and its page asks twice a second."""

UNCHANGED: Mapping[str, Written] = MappingProxyType({})

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

    def on_failure(self, exception: BaseException) -> str:
        """What the visualizer shows: our one line. A traceback might quote data."""
        return _words(exception)


class Step(Shown):
    """A step of a date or of a plan, marked by its own transaction."""

    step: ClassVar[str]
    _told = ""
    _changes = UNCHANGED

    def run(self) -> None:
        """Does the step and tells how it goes."""
        self.tell("started")
        self._unheard, self._told, self._changes = False, "", UNCHANGED
        self.show("started", 0)
        try:
            with without_data(" ".join(map(str, (self.step, *self.param_kwargs.values())))):
                rows = self.work(settings_module.load())
        except CcbError as error:
            self.show(f"failed: {error}")  # not what it was doing just before
            raise
        self.tell("done", rows, self._told)

    def tell(self, kind: str, rows: int = 0, told: str = "") -> None:
        """Tells the command line of it, where there is one."""
        day, shard = getattr(self, "date", None), getattr(self, "number", 0)
        changes = tuple((table, *astuple(written)) for table, written in self._changes.items())
        events.tell(Event(kind, self.step, day, rows, shard=shard, told=told, changes=changes))

    def work(self, settings: Settings) -> int:
        """The step itself; returns the number of rows (or documents) to show."""
        raise NotImplementedError

    def found_done(self) -> int:
        """Another runner did the step meanwhile."""
        self.show("already done by another run", 100)
        return 0


@contextmanager
def without_data(what: str) -> Iterator[None]:
    """An error that we did not foresee may quote data: its text stops here, its place goes on."""
    try:
        yield
    except CcbError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, its text must not get out
        log.error(
            "%s: %s at:\n%s",
            what,
            type(error).__name__,
            "".join(traceback.format_tb(error.__traceback__)),
        )
        raise PartitionFailed(f"{what}: {words_of(error)} (`ccb-luigi -v` shows the way there)") from None


UNFULFILLED = (
    "luigid takes a step before it for done, whose marker was forgotten a moment ago: the same command"
    " goes on, without luigid if need be ([scheduler] stable_done_cooldown_secs = 0 of luigid spares that)"
)


def _words(exception: BaseException) -> str:
    """One line without data, as ``errors.words_of``; and what Luigi itself fails a task for."""
    if isinstance(exception, CcbError):
        return str(exception)
    if isinstance(exception, RuntimeError) and str(exception).startswith("Unfulfilled "):
        return UNFULFILLED
    return type(exception).__name__


class _OneLine(logging.Filter):
    """Luigi logs each failure with the way there; an error of ours says by itself what is to be done."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Lets everything pass; of an error of ours its one line."""
        said, _, way = record.getMessage().partition("\n")  # of complete() and deps() Luigi has it as text
        last = way.strip().rpartition("\n")[2]
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, CcbError):
            reason = str(error)
        elif last.startswith(f"{CcbError.__module__}."):
            reason = last.partition(": ")[2]
        else:
            return True
        record.msg, record.args, record.exc_info = f"{said.rstrip(':')}: {reason}", None, None
        return True


logging.getLogger("luigi-interface").addFilter(_OneLine())
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
            _words(exception),
            code,
            getattr(task, "number", 0),
        )
    )


@luigi.Task.event_handler(luigi.Event.PROCESS_FAILURE)  # type: ignore[untyped-decorator]
def _tell_death(task: luigi.Task, _: str) -> None:
    if stopping.coming():  # Ctrl-C reaches the worker as well
        return
    _tell_failure(
        task, PartitionFailed("its process was killed (is memory short?); the same command goes on")
    )
