#!/usr/bin/env bash
# PyMongo 4.20.0: while DNS doesn't answer, a mongodb+srv address is "a wrong configuration".
#
# Guess: an outage of DNS is a failed connection like any other: ServerSelectionTimeoutError (an AutoReconnect, a
# ConnectionFailure) once serverSelectionTimeoutMS is over.
# Seen: ConfigurationError, which is no ConnectionFailure, and so whoever retries connection failures alone ends at
# once, with advice about the address; how long it takes is DNS' own business (serverSelectionTimeoutMS is not
# asked). With mongodb:// and a host name the same outage is a ServerSelectionTimeoutError.
set -euo pipefail
there=$(mktemp -d)
trap 'rm -rf "$there"' EXIT
python3 -m venv "$there/venv"
"$there/venv/bin/pip" install -q --disable-pip-version-check pymongo==4.20.0 dnspython==2.9.2
cat >"$there/resolve.py" <<'PY'
import platform
import time

import dns.resolver
import pymongo
from pymongo.errors import ConfigurationError, ConnectionFailure

# A name server that isn't there, as in an outage: nothing listens at this port of this machine.
away = dns.resolver.Resolver(configure=False)
away.nameservers, away.port, away.lifetime = ["127.0.0.1"], 9, 1
dns.resolver.default_resolver = away


def ping(address):
    began = time.monotonic()
    try:
        pymongo.MongoClient(address).admin.command("ping")
    except Exception as error:
        print(f"{address}: {type(error).__name__} after {time.monotonic() - began:.0f} s;"
              f" ConnectionFailure: {isinstance(error, ConnectionFailure)}")
        return error


print("PyMongo", pymongo.version, "on Python", platform.python_version())
srv = ping("mongodb+srv://cluster0.example.invalid/?serverSelectionTimeoutMS=1000")
plain = ping("mongodb://host.example.invalid/?serverSelectionTimeoutMS=1000")
assert isinstance(srv, ConfigurationError) and not isinstance(srv, ConnectionFailure)
assert isinstance(plain, ConnectionFailure)
PY
"$there/venv/bin/python" "$there/resolve.py"
