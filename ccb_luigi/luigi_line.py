"""What is around Luigi's own command line, ``luigi --module ccb_luigi.tasks``: no traceback, no lost minute.

It reads its parameters, and asks its scheduler, before any task could say a word. ``tasks`` loads this module
when that command line loads ``tasks``, and in no other process.
"""

from __future__ import annotations

import atexit
import logging
import sys
import traceback
from contextlib import ExitStack
from types import TracebackType
from typing import Any

from luigi import interface
from luigi.parameter import MissingParameterException, ParameterException
from luigi.task_register import TaskClassException

from ccb_luigi import settings as settings_module
from ccb_luigi.commands.frame import demo_or
from ccb_luigi.errors import CcbError, words_of
from ccb_luigi.orchestration import luigid
from ccb_luigi.orchestration.worker import WorkerFactory
from ccb_luigi.process import early


class Factory(WorkerFactory):
    """Our worker, and a scheduler that is there: without luigid one of this command's own."""

    def create_remote_scheduler(self, url: str) -> Any:
        """Luigid, or its stand-in with one warning; Luigi would try for a minute, and fail."""
        if luigid.reachable(url, "--scheduler-url"):
            return super().create_remote_scheduler(url)
        return self.create_local_scheduler()  # type: ignore[no-untyped-call]


class _OneLine(logging.Filter):
    """What Luigi logs with the way there, before any task of ours began."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Lets everything pass, in one line."""
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            record.msg, record.args, record.exc_info = f"{record.getMessage()}: {told(error)}", None, None
        return True


def told(error: BaseException) -> str:
    """One line, without what a parameter holds."""
    if isinstance(error, MissingParameterException):
        name = str(error).partition("requires the '")[2].partition("'")[0]
        return f"the task needs a parameter: --{name.replace('_', '-')}" if name else "a parameter is missing"
    if isinstance(error, (ParameterException, TaskClassException)):
        return " ".join(str(error).split())
    places = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, ValueError) and "_get_task_kwargs" in places:
        return "a parameter can't be read: a date is written as YYYY-MM-DD, a number in digits"
    return words_of(error) if isinstance(error, Exception) else type(error).__name__


def begin() -> None:
    """From here on it is ours. Where no PostgreSQL is set and a demo has left its data, that is used."""
    sys.excepthook = _say
    logging.getLogger("luigi-interface").addFilter(_OneLine())
    interface._WorkerSchedulerFactory = Factory  # type: ignore[misc]
    open_until_the_end = ExitStack()
    try:
        open_until_the_end.enter_context(demo_or(settings_module.load()))
    except CcbError as error:
        _end(str(error), error.exit_code)
    except ImportError:  # without the extra there is no demo; the tasks say that no PostgreSQL is set
        return
    atexit.register(open_until_the_end.close)


def _say(kind: type[BaseException], error: BaseException, way: TracebackType | None) -> None:
    """In the place of Python's own: what nobody catches."""
    words = f"{early.WORDS[2]}; {early.GOES_ON}" if isinstance(error, KeyboardInterrupt) else told(error)
    sys.stderr.write(f"luigi: {words}\n")


def _end(words: str, status: int) -> None:
    sys.stderr.write(f"luigi: {words}\n")
    sys.exit(status)
