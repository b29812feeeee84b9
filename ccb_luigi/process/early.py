"""A signal while nothing has to be cleaned up: before a command begins and after it has ended.

Python's own answer would be a traceback, or click's "Aborted!" with status 1, or nothing at all: here it is
the same line and status as everywhere. Only modules that are part of Python itself are imported: each other
one takes a while to load, and until then nobody listens.
"""

import _signal  # type: ignore[import-not-found, unused-ignore]  # `signal` imports `enum` first
import os
import time

WORDS = {
    _signal.SIGINT: "interrupted",
    _signal.SIGHUP: "its terminal is gone (SIGHUP)",
    _signal.SIGTERM: "ended by SIGTERM",
}
"""The signals that end a command, and what they mean; its status is 128 and their number, as in a shell."""

GOES_ON = "what is done is marked, the same command goes on"

_as_json: bool | None = None


def take_over() -> None:
    """From here on each of the signals ends the process, with one line; ignored ones (nohup) stay ignored."""
    for number in WORDS:
        if _signal.getsignal(number) in (_signal.SIG_DFL, _signal.default_int_handler):
            _signal.signal(number, hear)


def lines_are_json(found: bool) -> None:
    """Says how lines look on stderr; until then the environment has to tell."""
    global _as_json
    _as_json = found


def hear(number: int, frame: object) -> None:
    """The end. In any place: nothing is imported, no lock is taken, no buffer is touched."""
    words, status = f"{WORDS[number]}; {GOES_ON}", 128 + number
    form = os.environ.get("CCB_LOG_FORMAT") or "auto"
    as_json = wants_json(form, 2) if _as_json is None else _as_json
    line = _line(words, status) if as_json else f"ccb-luigi: {words}"
    try:
        os.write(2, f"{line}\n".encode())
    except OSError:
        pass
    finally:
        os._exit(status)


def _line(words: str, status: int) -> str:
    """As ``loglines`` writes it."""
    now = time.time()
    moment = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now))}.{int(now % 1 * 1000):03}Z"
    return (
        f'{{"ts": "{moment}", "level": "error", "event": "command_failed", "message": "{words}",'
        f' "logger": "{__name__}", "exit_code": {status}}}'
    )


def wants_json(form: str, descriptor: int) -> bool:
    """Whether lines there are for machines: ``form`` says so, or is ``auto`` and that is the journal.

    The way to know it is that of systemd.exec(5). The variable alone proves nothing: everything that a user
    session starts inherits it.
    """
    if form != "auto":
        return form == "json"
    try:
        found = os.fstat(descriptor)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"
