"""One way to try again: full jitter, a cap, a total deadline, and nothing that a retry can't mend."""

from __future__ import annotations

import logging
import time
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
        told = str(error)
        how_long = f" for {deadline:g} s" if deadline else ""
        log.warning("%s; trying again%s", told, how_long, extra={"event": "retry"})

    def tell(details: Any) -> None:
        nonlocal told
        waits, before, told = details["wait"], told, str(details["exception"])
        log.log(
            logging.INFO if told == before else logging.WARNING,  # the same again is no news for people
            "%s; trying again in %.1f s",
            told,
            waits,
            extra={"event": "retry", "seconds": round(waits, 1)},
        )

    attempt = backoff.on_exception(
        backoff.expo,
        CcbError,
        max_value=LONGEST_WAIT,
        max_time=deadline,
        jitter=backoff.full_jitter,
        giveup=lambda error: not getattr(error, "transient", False),
        on_backoff=tell,
        logger=None,
    )
    return attempt(work)()


def soon(work: Callable[[], None], deadline: float) -> None:
    """``work``, with which somebody who waits begins: tried for about so long, and told then as hasty.

    Raises:
        CcbError: of the same kind, and not to be tried again.
    """
    began = time.monotonic()
    try:
        try:
            work()
        except CcbError as error:
            if not error.transient or time.monotonic() - began >= deadline:
                raise
            retrying(work, deadline)
    except CcbError as error:
        if error.transient:
            error.transient, error.hasty = False, True
        raise
