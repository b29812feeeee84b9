"""One way to try again: full jitter, a cap, a total deadline, and nothing that a retry can't mend."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

import backoff

from ccb_luigi.errors import CcbError

T = TypeVar("T")
log = logging.getLogger(__name__)

LONGEST_WAIT = 15.0
"""Seconds between two tries, at most."""


def retrying(work: Callable[[], T], deadline: float) -> T:
    """Calls ``work`` until it returns, for at most ``deadline`` seconds after the first failure.

    Only errors with ``transient`` set are tried again; the last one is raised when time is up. The first
    try may take hours: a connection that breaks at the end of it has the whole deadline to come back.
    """
    try:
        return work()
    except CcbError as error:
        if not error.transient:
            raise
        log.warning("%s; trying again at once", error, extra={"event": "retry"})
    attempt = backoff.on_exception(
        backoff.expo,
        CcbError,
        max_value=LONGEST_WAIT,
        max_time=deadline,
        jitter=backoff.full_jitter,
        giveup=lambda error: not getattr(error, "transient", False),
        on_backoff=_tell,
        logger=None,
    )
    return attempt(work)()


def _tell(details: Any) -> None:
    waits = details["wait"]
    log.warning(
        "%s; trying again in %.1f s",
        details["exception"],
        waits,
        extra={"event": "retry", "seconds": round(waits, 1)},
    )
