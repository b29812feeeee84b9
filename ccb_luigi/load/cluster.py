"""Blocks of documents judged on a Dask cluster that a company already runs (``CCB_EXECUTOR``).

Only judging and rendering go there. Reading, COPY, markers and loads stay where they are, so that a cluster
that fails costs time and never a row.

Raw documents travel, and Dask writes the arguments of a function that raised into its log: what is sent
shows nothing of itself, and what is done there never raises.
"""

from __future__ import annotations

import logging
import pickle
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar
from zoneinfo import ZoneInfo

from ccb_luigi.documents import fingerprint
from ccb_luigi.errors import CcbError, ConfigurationError, PartitionFailed
from ccb_luigi.load import parallel
from ccb_luigi.settings import LOCAL, Settings

T = TypeVar("T")

SECONDS_TO_CONNECT = 10

SECONDS_BETWEEN_LOOKS = 5.0
"""While a block is waited for, the cluster is asked so often whether it still has a worker."""

MOST_WORKERS = 32
"""More would wait for one COPY, and what is under way for each (about 16 MB) is held here."""


@dataclass(frozen=True, slots=True)
class Order:
    """A block for a worker. ``rules`` is the key of the rules that must be the worker's too."""

    zone: str
    promoted: frozenset[str]
    rules: bytes
    work: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came of an order: a value, or in ``failure`` what went wrong, without data."""

    value: Any = field(default=None, repr=False)
    failure: str = ""


def workers(settings: Settings) -> parallel.Workers | None:
    """Who judges the documents of an extraction: see ``Settings.executor``."""
    if settings.executor == LOCAL:
        return parallel.local(settings.processes)
    return partial(_opened, settings)


@contextmanager
def _opened(settings: Settings, _: list[int]) -> Iterator[tuple[parallel.Pool, int]]:
    """The cluster, until the block ends. (It forks nothing of this process.)

    Raises:
        ConfigurationError: ``distributed`` isn't installed, or TLS isn't set up; or workers have other rules.
        PartitionFailed: the scheduler can't be reached, or the cluster lost a block.
    """
    client = _connected(settings)
    try:
        cluster = _Cluster(client, settings)
        yield cluster, min(max(cluster.workers(), 1), MOST_WORKERS)
    finally:
        with suppress(Exception):  # nothing of ours is there any more
            client.close(timeout=SECONDS_TO_CONNECT)


def _connected(settings: Settings) -> Any:
    try:
        from distributed import Client
    except ImportError:
        raise ConfigurationError(
            "CCB_EXECUTOR names a Dask cluster, and Dask is not installed: pip install 'ccb-luigi[dask]'"
        ) from None
    logging.getLogger("distributed").setLevel(logging.WARNING)  # importing it has asked for more
    try:
        return Client(  # type: ignore[no-untyped-call]
            settings.executor, timeout=SECONDS_TO_CONNECT, set_as_default=False, name="ccb_luigi"
        )
    except OSError:
        raise PartitionFailed(
            "the Dask scheduler that CCB_EXECUTOR names can't be reached", transient=True
        ) from None
    except (RuntimeError, TypeError, ValueError):
        raise ConfigurationError(
            "CCB_EXECUTOR: Dask refuses the address; for tls:// its own settings name the certificates"
            " (DASK_DISTRIBUTED__COMM__TLS__CA_FILE, ...)"
        ) from None


class _Cluster:
    """Dask's executor, for blocks."""

    def __init__(self, client: Any, settings: Settings) -> None:
        self._client = client
        self._executor: Executor = client.get_executor(pure=False)
        self._settings = settings
        self._rules = fingerprint.key(settings.zone, settings.promoted)

    def submit(self, work: Callable[..., T], /, *item: Any) -> parallel.Awaited[T]:
        """Sends the block; the answer is waited for as long as there is anybody to give it."""
        packed = pickle.dumps((work, item), pickle.HIGHEST_PROTOCOL)
        order = Order(self._settings.zone.key, self._settings.promoted, self._rules, packed)
        try:
            return _Answer(self._executor.submit(carry_out, order), self)
        except Exception:  # noqa: BLE001 - the client has given up, whatever it calls that
            raise _lost() from None

    def workers(self) -> int:
        """How many there are now."""
        try:
            return len(self._client.nthreads())
        except Exception:  # noqa: BLE001 - likewise
            raise _lost() from None


@dataclass(frozen=True, slots=True)
class _Answer(Generic[T]):
    future: Future[Delivery]
    cluster: _Cluster

    def result(self) -> T:
        delivery = self._delivery()
        if delivery.failure:
            raise PartitionFailed(f"a worker of the Dask cluster (CCB_EXECUTOR): {delivery.failure}")
        found: T = delivery.value
        return found

    def _delivery(self) -> Delivery:
        while not wait([self.future], SECONDS_BETWEEN_LOOKS).done:
            if not self.cluster.workers():
                raise _lost()
        try:
            return self.future.result()
        except CancelledError:
            raise _lost() from None
        except Exception as error:  # noqa: BLE001 - of Dask, or of unpacking: the text may be anything
            if type(error).__name__ == "KilledWorker":
                raise _lost() from None
            raise PartitionFailed(
                f"a worker of the Dask cluster (CCB_EXECUTOR) can't take a block: {type(error).__name__};"
                " is this version of ccb_luigi installed there?"
            ) from None


def _lost() -> CcbError:
    return PartitionFailed(
        "the Dask cluster (CCB_EXECUTOR) lost a block: its scheduler or all its workers are gone, or were"
        " killed over it (is memory short?)",
        transient=True,
    )


_alone = threading.Lock()
"""A worker may have several threads, and Cerberus' validator is one person's."""


def carry_out(order: Order) -> Delivery:
    """Does an order, on a worker. Never raises."""
    try:
        if fingerprint.key(ZoneInfo(order.zone), order.promoted) != order.rules:
            return Delivery(
                failure="it reads documents by other rules: it needs the same version of ccb_luigi, of Python"
                " and of the pinned libraries (requirements.txt), and a restart after an upgrade"
            )
        with _alone:
            work, item = pickle.loads(order.work)  # noqa: S301 - who may send orders may run anything there
            return Delivery(work(*item))
    except Exception as error:  # noqa: BLE001 - its text may quote a document
        place = traceback.extract_tb(error.__traceback__)[-1]
        return Delivery(failure=f"unexpected {type(error).__name__} in {place.name}, line {place.lineno}")
