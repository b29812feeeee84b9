"""A Dask cluster for the tests: a scheduler and workers as an operator starts them, each with its log."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import trustme

HERE = "127.0.0.1"
SECONDS_TO_START = 60

OF_DOCUMENTS = ("Nome ", "Cidade ", "Conta ", "Status ", "@example.com", "39825979194", "Xq")
"""What the tests' documents say of somebody (``world.document``), and canaries: no log of a cluster does."""


class Cluster:
    """Processes of this machine; ``directory`` holds what they say."""

    def __init__(self, directory: Path, secured: bool) -> None:
        self.directory = directory
        self.environment = certificates(directory) if secured else {}
        self.scheduler = self._start(
            "scheduler", "--port", "0", "--no-dashboard", "--protocol", "tls" if secured else "tcp"
        )
        self.workers: list[subprocess.Popen[bytes]] = []
        self.address = self._said(self.scheduler, "scheduler", "Scheduler at:")

    def add_worker(self) -> subprocess.Popen[bytes]:
        """One more, without a nanny: what is killed stays dead."""
        name = f"worker-{len(self.workers)}"
        words = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(self.directory)]
        worker = self._start(name, self.address, *words, kind="worker")
        self.workers.append(worker)
        self._said(worker, name, "Registered to:")
        return worker

    def words(self) -> str:
        """All that its processes have logged."""
        return "".join(log.read_text() for log in self.directory.glob("*.log"))

    def stop(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()

    def _start(self, name: str, *words: str, kind: str = "scheduler") -> subprocess.Popen[bytes]:
        with (self.directory / f"{name}.log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.dask_{kind}", "--host", HERE, *words],
                cwd=self.directory,
                stdout=log,
                stderr=log,
                env=os.environ | self.environment,
            )

    def _said(self, process: subprocess.Popen[bytes], name: str, what: str) -> str:
        """The last word of the first line with ``what``."""
        deadline = time.monotonic() + SECONDS_TO_START
        while True:
            text = (self.directory / f"{name}.log").read_text()
            lines = [line for line in text.splitlines(keepends=True) if what in line and line.endswith("\n")]
            if lines:
                return lines[0].split()[-1]
            assert process.poll() is None, text
            assert time.monotonic() < deadline, text
            time.sleep(0.05)


def certificates(directory: Path) -> dict[str, str]:
    """Dask's settings for TLS with certificates on both sides: no other gets in."""
    authority = trustme.CA()
    mine = authority.issue_cert(HERE)
    files = {"CA_FILE": directory / "ca.pem"}
    authority.cert_pem.write_to_path(str(files["CA_FILE"]))
    mine.cert_chain_pems[0].write_to_path(str(directory / "cert.pem"))
    mine.private_key_pem.write_to_path(str(directory / "key.pem"))
    for role in ("SCHEDULER", "WORKER", "CLIENT"):
        files |= {f"{role}__CERT": directory / "cert.pem", f"{role}__KEY": directory / "key.pem"}
    found = {f"DASK_DISTRIBUTED__COMM__TLS__{name}": str(path) for name, path in files.items()}
    return found | {"DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "true"}


@contextlib.contextmanager
def cluster(directory: Path, workers: int, *, secured: bool = False) -> Iterator[Cluster]:
    """A cluster, whatever befalls it; at its end its logs have told nothing of any document."""
    directory.mkdir()
    found = Cluster(directory, secured)
    try:
        for _ in range(workers):
            found.add_worker()
        yield found
    finally:
        found.stop()
    said = found.words()
    assert [word for word in OF_DOCUMENTS if word in said] == []
