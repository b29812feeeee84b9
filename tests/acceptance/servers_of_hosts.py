"""PostgreSQL and SecantusDB for a network of hosts: ``servers_of_hosts.py DIRECTORY ADDRESS NETWORK``.

Prints their addresses as one line of JSON and serves until its input ends.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import psycopg2

from ccb_luigi.demo.servers import Mongo, Postgres


def main(directory: str, address: str, network: str) -> None:
    where = Path(directory)
    with Postgres(where, {"listen_addresses": "*"}) as postgres, Mongo(where, host="0.0.0.0") as mongo:
        (rules,) = (where / "postgres").resolve().glob("data/pg_hba.conf")
        with rules.open("a") as file:
            file.write(f"host all all {network} scram-sha-256\n")
        connection = psycopg2.connect(postgres.url)
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT pg_reload_conf()")
        connection.close()
        found = {
            "postgres": postgres.url.replace("127.0.0.1", address),
            "mongo": mongo.uri.replace("127.0.0.1", address) + "?directConnection=true",
        }
        print(json.dumps(found), flush=True)  # noqa: T201 - to whoever started this
        sys.stdin.read()


main(*sys.argv[1:])
