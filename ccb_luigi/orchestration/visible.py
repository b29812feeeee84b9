"""What every task has in common: it tells the visualizer how it goes, and nobody what the documents say."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import luigi
from luigi.rpc import RPCError

from ccb_luigi.errors import CcbError, PartitionFailed, words_of
from ccb_luigi.process import events, stopping
from ccb_luigi.process.events import Event

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

    def on_failure(self, exception: BaseException) -> str:
        """What the visualizer shows: our one line. A traceback might quote data."""
        return str(exception) if isinstance(exception, CcbError) else type(exception).__name__


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
            str(exception) if isinstance(exception, CcbError) else type(exception).__name__,
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
