"""luigid as long as it answers: whatever else does so at its address, or stops, costs no night.

Luigi's own client takes only some failures for failures: what isn't HTTP, or is HTTP without luigid's JSON,
gets out as whatever the library raised, and ends a run. It follows redirections, which turns each call into
one without arguments; and the environment's proxies stand between it and the scheduler of the same machine.
"""

from __future__ import annotations

import json
import logging
import time
from typing import Any
from urllib.parse import urlencode

from luigi.rpc import RemoteScheduler
from luigi.task_status import DISABLED

from ccb_luigi.errors import ConfigurationError
from ccb_luigi.process import web
from ccb_luigi.process.web import NoAnswer

log = logging.getLogger(__name__)

SECONDS_TO_FIND = 3.0
"""For the first call: an address where nobody answers, or slowly, may not hold a run up."""

SECONDS_OF_A_REPLY = 10.0
SECONDS_BETWEEN_TRIES = 3.0

LONGEST_PATIENCE = 30.0
"""A restart takes luigid seconds, and until it answers no worker begins anything."""

_NO_WORK = {
    "n_pending_tasks": 0,
    "n_unique_pending": 0,
    "n_pending_last_scheduled": 0,
    "running_tasks": [],
    "task_id": None,
    "worker_state": "active",
}
_WORK = ("/api/get_work", "/api/count_pending")


class Luigid(RemoteScheduler):
    """Luigi's remote scheduler. Once it is lost every call is answered as if there were nothing more to do:

    the worker ends what is under way, and comes to its end.

    A task that failed too often luigid keeps from everybody, for minutes: whoever starts a run has mended
    what was wrong. So the tasks of a run are enabled again as it tells of them. (Those that fail too often
    in this run stay as luigid has them.)
    """

    def __init__(self, url: str, patience: float) -> None:
        super().__init__(url)
        self._peer = peer(url)
        self._patience = min(patience, LONGEST_PATIENCE)
        self.lost = False
        self._kept_back: set[str] | None = None

    def _enable(self, task_id: str) -> None:
        """Makes a task that is kept from everybody since an earlier run one that may be tried."""
        if self._kept_back is None:
            found = self._request("/api/task_list", {"status": DISABLED, "upstream_status": ""})
            self._kept_back = {*found} if isinstance(found, dict) else set()
        if task_id in self._kept_back:
            self._kept_back.remove(task_id)
            self._request("/api/re_enable_task", {"task_id": task_id})

    def _request(self, url: str, data: Any, attempts: int = 3, allow_null: bool = True) -> Any:
        if url == "/api/add_task":
            self._enable(data["task_id"])
        if not self.lost:
            try:
                return self._answered(url, data, once=url == "/api/ping")
            except NoAnswer as error:
                # A ping comes from a thread, each second, and the next one may be heard.
                if url != "/api/ping":
                    log.info("luigid at %s: %s; ending what is under way", self._peer.name, error)
                    self.lost = True
        return _NO_WORK if url in _WORK else None

    def _answered(self, url: str, data: Any, once: bool) -> Any:
        until = time.monotonic() + (0 if once else self._patience)
        while True:
            try:
                return ask(self._peer, url, data, SECONDS_OF_A_REPLY)
            except NoAnswer:
                if time.monotonic() >= until:
                    raise
                time.sleep(min(SECONDS_BETWEEN_TRIES, max(until - time.monotonic(), 0)))


def peer(url: str, setting: str = "CCB_SCHEDULER_URL") -> web.Peer:
    """Whoever is to be luigid.

    Raises:
        ConfigurationError: that is no address.
    """
    return web.peer(url.rstrip("/"), setting, "http://host:8082")


def ask(to: web.Peer, url: str, data: Any, seconds: float) -> Any:
    """What luigid says to one call of its API.

    Raises:
        NoAnswer: it didn't answer, or what did isn't luigid.
    """
    body = urlencode({"data": json.dumps(data)}).encode()
    answer = to.ask(seconds, url, body, "application/x-www-form-urlencoded")
    try:
        found = json.loads(answer)["response"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _stranger() from None
    if url in _WORK and not (
        isinstance(found, dict) and found.keys() >= {"n_pending_tasks", "running_tasks"}
    ):
        raise _stranger()
    return found


def paused(to: web.Peer, seconds: float) -> bool:
    """Whether luigid gives no work to anybody.

    Raises:
        NoAnswer: as ``ask``.
    """
    found = ask(to, "/api/is_paused", {}, seconds)
    if not isinstance(found, dict) or "paused" not in found:
        raise _stranger()
    return bool(found["paused"])


def _stranger() -> NoAnswer:
    return NoAnswer("something answers that isn't luigid")


def reachable(url: str, setting: str = "CCB_SCHEDULER_URL") -> str:
    """The central scheduler's address, or nothing (and a warning) if nobody there gives work.

    That is something else than luigid, nothing at all, or one that is paused: a worker would wait for it half
    an hour. The markers keep a run exact without luigid as well.
    """
    if not url:
        return ""
    try:
        found = peer(url, setting)
        if paused(found, SECONDS_TO_FIND):
            log.warning("luigid at %s is paused, on its page: running without it", found.name)
            return ""
    except ConfigurationError as error:
        log.warning("%s: running without luigid", error)
        return ""
    except NoAnswer as error:
        log.warning("luigid does not answer at %s (%s): %s: running without it", found.name, setting, error)
        return ""
    return url
