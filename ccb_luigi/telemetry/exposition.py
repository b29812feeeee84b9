"""Where the metrics go: a file for node_exporter's textfile collector, and a Pushgateway."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest, pushadd_to_gateway

from ccb_luigi.errors import CcbError
from ccb_luigi.process import files, web
from ccb_luigi.process.web import NoAnswer

SECONDS = 10
"""How long the Pushgateway may take."""


def write(path: Path, registry: CollectorRegistry, keep: str = "") -> None:
    """Writes the file; the metric ``keep`` stays as it was, if the registry has none.

    Everybody may read the file: node_exporter is another user.

    Raises:
        CcbError: it can't be written there.
    """
    words = generate_latest(registry)
    if keep and f"\n{keep}{{".encode() not in words:
        words += _kept(path, keep)
    files.write_whole(path, words, mode=0o644)


def _kept(path: Path, name: str) -> bytes:
    """The lines of one metric in the last exposition."""
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except OSError:
        return b""
    begins = (f"# HELP {name} ".encode(), f"# TYPE {name} ".encode(), f"{name}{{".encode())
    return b"".join(line for line in lines if line.startswith(begins))


def push(url: str, registry: CollectorRegistry, **group: str) -> None:
    """Sends the metrics to a Pushgateway; what isn't among them stays there as it was.

    Raises:
        CcbError: it didn't take them. A password of the address isn't told.
    """
    to = web.peer(url.rstrip("/"), "CCB_PUSHGATEWAY_URL", "http://host:9091")

    def handler(
        url: str, method: str, timeout: float | None, headers: list[tuple[str, str]], data: bytes
    ) -> Callable[[], Any]:
        path = url.removeprefix(to.address)
        return partial(to.ask, SECONDS, path, data, dict(headers)["Content-Type"])

    try:
        pushadd_to_gateway(to.address, "ccb_luigi", registry, grouping_key=group, handler=handler)
    except NoAnswer as error:
        raise CcbError(f"the Pushgateway at {to.name} (CCB_PUSHGATEWAY_URL): {error}") from None
