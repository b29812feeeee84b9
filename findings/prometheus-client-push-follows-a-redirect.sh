#!/usr/bin/env bash
# prometheus-client 0.24.1: a push that is answered with a redirect is reported as done, and nothing was stored.
#
# Guess: pushadd_to_gateway raises on anything but 2xx ("HTTPError 302"), as its own handler does from 400 on.
# Seen: urllib follows the 302 by itself with a GET without a body; whatever page comes from there with 200 (a
# login, a proxy's notice) makes the call return as if the metrics had been taken.
# So a Pushgateway that moved behind a single sign-on loses every night's metrics without an error.
set -euo pipefail
there=$(mktemp -d)
trap 'rm -rf "$there"' EXIT
python3 -m venv "$there/venv"
"$there/venv/bin/pip" install -q --disable-pip-version-check prometheus-client==0.24.1
cat >"$there/push.py" <<'PY'
import http.server
import platform
import threading
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Gauge, pushadd_to_gateway

seen = []


class Moved(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        size = len(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        seen.append(("POST", self.path, size))
        self.send_response(302)
        self.send_header("Location", "/login")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self):
        seen.append(("GET", self.path, 0))
        page = b"<html>please log in</html>"
        self.send_response(200)
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Moved)
threading.Thread(target=server.serve_forever, daemon=True).start()
registry = CollectorRegistry()
Gauge("contracts", "loaded", registry=registry).set(1)
print("prometheus-client", version("prometheus-client"), "on Python", platform.python_version())
try:
    pushadd_to_gateway(f"127.0.0.1:{server.server_port}", job="night", registry=registry)
    said = "returned without an error"
except Exception as error:
    said = f"raised {type(error).__name__}"
print("pushadd_to_gateway", said)
for method, path, size in seen:
    print(f"  the server got {method} {path} with {size} bytes")
assert said == "returned without an error"
assert [(method, bool(size)) for method, _, size in seen] == [("POST", True), ("GET", False)]
PY
"$there/venv/bin/python" "$there/push.py"
