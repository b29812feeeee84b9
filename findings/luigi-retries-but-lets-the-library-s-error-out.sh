#!/usr/bin/env bash
# Luigi 3.8.1: a scheduler that closes the connection without an answer is no RPCError.
#
# Guess: whatever happens on the way to luigid, a worker sees luigi.rpc.RPCError, which Luigi handles (and which is
# what a closed port gives).
# Seen: without `requests` installed Luigi's fetcher names URLError and TimeoutError as its errors. A peer that
# accepts and closes (a proxy that restarts, a load balancer without a luigid behind it) raises
# http.client.RemoteDisconnected out of urllib unwrapped: the calls are repeated, but what comes out in the end is
# the library's own error: whoever catches RPCError to go on without luigid does not go on.
set -euo pipefail
there=$(mktemp -d)
trap 'rm -rf "$there"' EXIT
python3 -m venv "$there/venv"
"$there/venv/bin/pip" install -q --disable-pip-version-check luigi==3.8.1
cat >"$there/ask.py" <<'PY'
import logging
import platform
import socket
import threading
from importlib.metadata import version

from luigi.rpc import RemoteScheduler, RPCError

logging.disable()
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen()
calls = []


def close_each():
    while True:
        peer, _ = listener.accept()
        calls.append(len(peer.recv(65536)))
        peer.close()


threading.Thread(target=close_each, daemon=True).start()
free = socket.socket()
free.bind(("127.0.0.1", 0))
closed = free.getsockname()[1]
free.close()


def ping(port):
    scheduler = RemoteScheduler(f"http://127.0.0.1:{port}")
    scheduler._rpc_retry_wait = 0
    try:
        scheduler.ping(worker="worker")
    except Exception as error:
        return error
    return None


print("luigi", version("luigi"), "on Python", platform.python_version())
print("fetcher:", type(RemoteScheduler("http://127.0.0.1:1")._fetcher).__name__)
refused, dropped = ping(closed), ping(listener.getsockname()[1])
print("a closed port:", type(refused).__name__)
print(f"closes without an answer: {type(dropped).__name__} after {len(calls)} calls; RPCError: {isinstance(dropped, RPCError)}")
assert isinstance(refused, RPCError)
assert type(dropped).__name__ == "RemoteDisconnected"
assert not isinstance(dropped, RPCError)
PY
"$there/venv/bin/python" "$there/ask.py"
