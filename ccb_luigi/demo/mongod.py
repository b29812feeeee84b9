"""SecantusDB as a process of its own: ``mongod.py DIRECTORY PORT OPTIONS`` (JSON).

Not by its own command: that one waits for SIGTERM in a way that misses one in ten (0.7.0b3).
"""

from __future__ import annotations

import gc
import json
import logging
import signal
import sys


def main(directory: str, port: str, options: str) -> None:
    """Serves until SIGTERM; whatever it acknowledged is on disk."""
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    given = json.loads(options)
    host = given.pop("host", "127.0.0.1")
    from secantus import SecantusDBServer

    # Blocked before there are threads, which inherit it: so only sigwait can receive them.
    endings = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, endings)
    server = SecantusDBServer(host, int(port), directory, **given)
    server.start()
    # It gathers the whole result of a query as Python objects, which are no garbage: seldom look for some.
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    signal.sigwait(endings)
    server.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
