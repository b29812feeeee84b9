"""Blocks of documents judged on a Dask cluster that a company already runs (``CCB_EXECUTOR``).

Only judging and rendering go there. Reading, COPY, markers and loads stay where they are, so that a cluster
that fails costs time and never a row: what it can't do, or whatever else answers at its address, this machine
does itself.

Raw documents travel, and Dask writes the arguments of a function that raised into its log: what is sent
shows nothing of itself, and what is done there never raises.
"""

from __future__ import annotations

import logging
import pickle
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future, wait
from concurrent.futures import TimeoutError as Late
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from ssl import SSLCertVerificationError
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from ccb_luigi.codes import Strictness
from ccb_luigi.documents import fingerprint
from ccb_luigi.errors import CcbError, ConfigurationError, PartitionFailed, words_of
from ccb_luigi.load import parallel
from ccb_luigi.process import web
from ccb_luigi.settings import LOCAL, Settings

T = TypeVar("T")
log = logging.getLogger(__name__)

SECONDS_TO_CONNECT = 10

_given_up: set[str] = set()
"""Clusters that failed this process. Luigi forks one for each date or shard: the next one asks again."""

SECONDS_BETWEEN_LOOKS = 5.0
"""While a block is waited for, the cluster is asked so often whether it still has a worker."""

MOST_WORKERS = 32
"""More would wait for one COPY, and what is under way for each (about 16 MB) is held here."""


@dataclass(frozen=True, slots=True)
class Request:
    """A block for a worker. ``rules`` is the key of the rules that must be the worker's too."""

    zone: str
    strictness: Strictness
    rules: bytes
    work: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a request: a value, or in ``failure`` what went wrong, without data."""

    value: Any = field(default=None, repr=False)
    failure: str = ""


def workers(settings: Settings) -> parallel.Workers | None:
    """Who judges the documents of an extraction: see ``Settings.executor``."""
    if settings.executor == LOCAL or settings.executor in _given_up:
        return parallel.local(settings.processes)
    return partial(_opened, settings)


class _Unusable(Exception):
    """Why the cluster can't be used, in words."""


@contextmanager
def _opened(settings: Settings, descriptors: list[int]) -> Iterator[tuple[parallel.Pool, int]]:
    """The cluster, until the block ends; or processes of this machine, if there is none.

    Raises:
        ConfigurationError: ``distributed`` isn't installed, or TLS isn't set up.
        PartitionFailed: the cluster failed in the middle; the next try is this machine's.
    """
    with ExitStack() as opened:
        try:
            cluster = opened.enter_context(_connected(settings))
        except _Unusable as why:
            log.warning(
                "the Dask cluster at %s (CCB_EXECUTOR): %s: judging on this machine", settings.executor, why
            )
            _given_up.add(settings.executor)
            yield opened.enter_context(parallel.forked(settings.processes, descriptors))
            return
        try:
            yield cluster, min(max(cluster.workers(), 1), MOST_WORKERS)
        except PartitionFailed as error:
            _given_up.add(settings.executor)
            raise PartitionFailed(f"{error}; judging on this machine", transient=True) from None


def asked(settings: Settings) -> tuple[int, str]:
    """How many workers the cluster has, or why it can't be used.

    Raises:
        ConfigurationError: as in an extraction.
    """
    try:
        with _connected(settings) as cluster:
            return cluster.workers(), ""
    except _Unusable as why:
        return 0, str(why)


@contextmanager
def _connected(settings: Settings) -> Iterator[_Cluster]:
    """The cluster, until the block ends.

    Raises:
        ConfigurationError: ``distributed`` isn't installed, or TLS isn't set up.
        _Unusable: see ``_client``.
    """
    client = _client(settings)
    try:
        yield _Cluster(client, settings)
    finally:
        with suppress(Exception):  # nothing of ours is there any more
            client.close(timeout=SECONDS_TO_CONNECT)


def _client(settings: Settings) -> Any:
    """Dask's client.

    Raises:
        _Unusable: what answers there, if anybody does, is no Dask scheduler that we may use.
    """
    try:
        from distributed import Client
    except ImportError:
        raise ConfigurationError(
            "CCB_EXECUTOR names a Dask cluster, and Dask is not installed: pip install 'ccb-luigi[dask]'"
        ) from None
    logging.getLogger("distributed").setLevel(logging.WARNING)  # importing it has asked for more
    parts = urlsplit(settings.executor)
    if parts.scheme == "tls":
        _demand_certificates()
    try:
        socket.create_connection((parts.hostname or "", parts.port or 0), SECONDS_TO_CONNECT).close()
        return _within(
            SECONDS_TO_CONNECT,
            lambda: Client(  # type: ignore[no-untyped-call]
                settings.executor, timeout=SECONDS_TO_CONNECT, set_as_default=False, name="ccb_luigi"
            ),
        )
    except Late:
        raise _Unusable("no answer in time") from None
    except Exception as error:  # noqa: BLE001 - of a banner Dask makes a MemoryError, of others what it likes
        raise _Unusable(_words(error)) from None


def _demand_certificates() -> None:
    from distributed.security import Security

    try:
        found = Security().get_connection_args("client")["ssl_context"]  # type: ignore[no-untyped-call]
    except (OSError, ValueError):
        found = None
    if found is None:
        raise ConfigurationError(
            "CCB_EXECUTOR: for tls:// Dask's own settings name the certificates"
            " (DASK_DISTRIBUTED__COMM__TLS__CA_FILE, ...)"
        )


def _within(seconds: float, work: Callable[[], T]) -> T:
    """What ``work`` returns or raises, or ``Late``: Dask waits for the other side's first word for ever."""
    future: Future[T] = Future()

    def do() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - whoever waits gets it
            future.set_exception(error)

    threading.Thread(target=do, daemon=True).start()
    return future.result(seconds)


def _words(error: BaseException) -> str:
    """Why there is no cluster. Dask wraps what lies beneath, which may quote what was said."""
    beneath: BaseException | None = error
    while beneath is not None:
        if isinstance(beneath, SSLCertVerificationError):
            return "its certificate is not signed by a CA of Dask's settings, or is another host's"
        beneath = beneath.__cause__ or beneath.__context__
    if isinstance(error, OSError) and not type(error).__module__.startswith("distributed"):
        return web.broken(error)
    return "something answers that isn't a Dask scheduler"


class _Cluster:
    """Dask's executor, for blocks."""

    def __init__(self, client: Any, settings: Settings) -> None:
        self._client = client
        self._executor: Executor = client.get_executor(pure=False)
        self._settings = settings
        self._rules = fingerprint.key(settings.zone, settings.strictness)

    def submit(self, work: Callable[..., T], /, *item: Any) -> parallel.Awaited[T]:
        """Sends the block; the answer is waited for as long as there is anybody to give it."""
        packed = pickle.dumps((work, item), pickle.HIGHEST_PROTOCOL)
        request = Request(self._settings.zone.key, self._settings.strictness, self._rules, packed)
        try:
            return _Answer(self._executor.submit(carry_out, request), self)
        except Exception:  # noqa: BLE001 - the client has given up, whatever it calls that
            raise _lost() from None

    def workers(self) -> int:
        """How many there are now."""
        try:
            scheduler = self._client.scheduler
            return len(self._client.sync(scheduler.ncores, callback_timeout=SECONDS_TO_CONNECT))
        except Exception:  # noqa: BLE001 - likewise
            raise _lost() from None


@dataclass(frozen=True, slots=True)
class _Answer(Generic[T]):
    future: Future[Reply]
    cluster: _Cluster

    def result(self) -> T:
        while not wait([self.future], SECONDS_BETWEEN_LOOKS).done:
            if not self.cluster.workers():
                raise _lost()
        try:
            reply = self.future.result()
        except CancelledError:
            raise _lost() from None
        except Exception as error:  # noqa: BLE001 - of Dask, or of unpacking: the text may be anything
            if type(error).__name__ == "KilledWorker":
                raise _lost() from None
            raise PartitionFailed(
                f"a worker of the Dask cluster (CCB_EXECUTOR) can't take a block: {type(error).__name__};"
                " is this version of ccb_luigi installed there?"
            ) from None
        if reply.failure:
            raise PartitionFailed(f"a worker of the Dask cluster (CCB_EXECUTOR): {reply.failure}")
        found: T = reply.value
        return found


def _lost() -> CcbError:
    return PartitionFailed(
        "the Dask cluster (CCB_EXECUTOR) lost a block: its scheduler or all its workers are gone, or were"
        " killed over it (is memory short?)",
        transient=True,
    )


_alone = threading.Lock()
"""A worker may have several threads, and Cerberus' validator is one person's."""


def carry_out(request: Request) -> Reply:
    """Does a request, on a worker. Never raises."""
    try:
        if fingerprint.key(ZoneInfo(request.zone), request.strictness) != request.rules:
            return Reply(
                failure="it reads documents by other rules: it needs the same version of ccb_luigi, of Python"
                " and of the pinned libraries (requirements.txt), and a restart after an upgrade"
            )
        with _alone:
            work, item = pickle.loads(request.work)  # noqa: S301 - who may send requests may run anything there
            return Reply(work(*item))
    except Exception as error:  # noqa: BLE001 - its text may quote a document
        return Reply(failure=words_of(error))
