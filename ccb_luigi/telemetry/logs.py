"""What is logged, and how it looks: text for people, one JSON object a line for machines.

Under systemd (``auto``), or where ``log_format`` says so, every line on stderr is JSON with the fields that
docs/monitoring.md lists. Either way what a library says goes through the same sieve: no password of an
address, no DETAIL or CONTEXT of PostgreSQL, no text of an exception that isn't ours.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from typing import IO, Any

from ccb_luigi.errors import CcbError
from ccb_luigi.process import early

_NOISY = ("luigi", "luigi-interface", "luigi.scheduler", "alembic")
_QUOTING = ("pymongo", "sqlalchemy", "urllib3")
"""Below WARNING these quote commands, statements and addresses."""

_log = logging.getLogger("ccb_luigi.run")
_lines = False
_progress = False
_run_id = ""


def configure(form: str, *, verbose: bool, quiet: bool = True, stream: IO[str] | None = None) -> None:
    """Sets logging up for this process and those that it forks; ``form``: auto, text or json.

    ``quiet``: nobody is told how far a command is, but by the bar of a terminal.
    """
    global _lines, _progress
    stream = stream or sys.stderr
    _lines = early.wants_json(form, _descriptor(stream))
    _progress = not (quiet or _lines)
    early.lines_are_json(_lines)
    handler = logging.StreamHandler(stream)
    if _lines:
        from ccb_luigi.telemetry.loglines import Lines  # its library takes a while to import

        handler.setFormatter(Lines())
    else:
        handler.setFormatter(Text("%(asctime)s %(levelname)-7s %(message)s"))
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[handler])
    logging.captureWarnings(_lines)
    logging.getLogger("ccb_luigi").setLevel(logging.INFO if _lines else logging.NOTSET)
    # On a terminal the progress display says the same.
    _log.setLevel(logging.INFO if _lines or verbose else logging.CRITICAL)
    for name in _QUOTING:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.NOTSET if verbose else logging.CRITICAL)


def _descriptor(stream: IO[str]) -> int:
    try:
        return stream.fileno()
    except OSError:  # it is no file
        return -1


def are_lines() -> bool:
    """Whether stderr gets JSON: then nothing else may be written there."""
    return _lines


def tells_progress() -> bool:
    """Whether a command without a terminal says on stderr how far it is."""
    return _progress


def run_id() -> str:
    """The run that this process works for, or nothing."""
    return _run_id


def begin(run_id: str) -> None:
    """From now on every line of this process, and of those that it forks, names the run."""
    global _run_id
    _run_id = run_id


def tell(level: int, event: str, message: str, **fields: Any) -> None:
    """A line about a run, a step or a sweep. People see them only with ``-v``."""
    _log.log(level, message, extra={"event": event, **fields})


_PASSWORD = re.compile(r"([a-z][a-z0-9+.-]*://[^\s:/@]*:)\S+@", re.IGNORECASE)
_PASSWORD_PAIR = re.compile(r"(password\s*=\s*)('[^']*'|\S+)", re.IGNORECASE)
# PostgreSQL's second thoughts, in its two languages here, and SQLAlchemy's: they quote rows and values.
_QUOTE = re.compile(
    r"\s*(\b(DETAIL|DETALHE|CONTEXTO?|HINT|DICA|QUERY|CONSULTA|STATEMENT|COMANDO):|\[(SQL|parameters): ).*",
    re.DOTALL,
)


def sifted(words: str) -> str:
    """The words without passwords, and without what quotes data."""
    words = _PASSWORD.sub(r"\1***@", words)
    words = _PASSWORD_PAIR.sub(r"\1***", words)
    return _QUOTE.sub("", words)


def named(error: BaseException | None) -> str:
    """Ours with its text; of any other only the kind."""
    if isinstance(error, CcbError):
        return f"{type(error).__name__}: {error}"
    return type(error).__name__


class Text(logging.Formatter):
    """For people."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """One line, sifted."""
        record.message = sifted(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        """Where it happened, without the text of what isn't ours."""
        frames = "".join(traceback.format_tb(ei[2]))
        return f"Traceback (most recent call last):\n{frames}{named(ei[1])}"
