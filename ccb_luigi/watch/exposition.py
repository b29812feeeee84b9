"""Where the metrics go: a file for node_exporter's textfile collector, and a Pushgateway."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit

from prometheus_client import CollectorRegistry, generate_latest, pushadd_to_gateway
from prometheus_client.exposition import basic_auth_handler, default_handler

from ccb_luigi.errors import CcbError

JOB = "ccb_luigi"
SECONDS = 10
"""How long the Pushgateway may take."""


def write(path: Path, registry: CollectorRegistry, keep: str = "") -> None:
    """The file, whole or not at all; the metric ``keep`` stays as it was, if the registry has none.

    Everybody may read it, whatever the umask: node_exporter is another user.

    Raises:
        CcbError: it can't be written there.
    """
    words = generate_latest(registry)
    if keep and f"\n{keep}{{".encode() not in words:
        words += _kept(path, keep)
    draft = path.with_name(f".{path.name}.{os.getpid()}")  # not *.prom: nobody reads it
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(words)
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise CcbError(f"{path} can't be written: {error.strerror}") from None


def _kept(path: Path, name: str) -> bytes:
    """The lines of one metric in the last exposition."""
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except OSError:
        return b""
    begins = tuple(f"{start}{name}{end}".encode() for start, end in _LINES)
    return b"".join(line for line in lines if line.startswith(begins))


_LINES = (("# HELP ", " "), ("# TYPE ", " "), ("", "{"))


def push(url: str, registry: CollectorRegistry, **group: str) -> None:
    """Sends the metrics to a Pushgateway; what isn't among them stays there as it was.

    Raises:
        CcbError: it didn't take them. The address, which may hold a password, isn't told.
    """
    parts = urlsplit(url)

    def handler(
        url: str, method: str, timeout: float | None, headers: list[tuple[str, str]], data: bytes
    ) -> Callable[[], None]:
        call = (url, method, timeout, headers, data)
        if not parts.username:
            return default_handler(*call)
        return basic_auth_handler(*call, unquote(parts.username), unquote(parts.password or ""))

    try:
        bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        pushadd_to_gateway(bare, JOB, registry, grouping_key=group, timeout=SECONDS, handler=handler)
    except HTTPError as error:
        raise CcbError(f"the Pushgateway answered {error.code} (CCB_PUSHGATEWAY_URL)") from None
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        why = getattr(reason, "strerror", None) or type(reason).__name__
        raise CcbError(f"the Pushgateway can't be reached: {why} (CCB_PUSHGATEWAY_URL)") from None
