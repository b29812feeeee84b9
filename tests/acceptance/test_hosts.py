"""Three hosts in network namespaces share a migration: two with workers, one with luigid.

The servers are a fourth, and everything between them goes over veth. ``make hosts CONTRACTS=50000`` does the
same at full size, with the settings of ``luigi.cfg``, and tells what it saw.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import arena
import oracle
import psutil
import psycopg2
import pymongo
import pytest
from oracle import DAY_ZERO, Version
from program import BIN, REPOSITORY, kill
from test_luigi import wait_until

from ccb_luigi.demo.servers import delete

CONTRACTS = int(os.environ.get("CCB_TEST_HOSTS_CONTRACTS", "0"))
FULL = CONTRACTS > 0
NUMBER = CONTRACTS or 360
SHARD = max(30, NUMBER // 25)
DAYS = [DAY_ZERO + timedelta(days=n) for n in range(1, 9)]
NETWORK, BANK, AGENDA, ONE, TWO, HERE = ("10.207.77.0/24", *(f"10.207.77.{n}" for n in (1, 2, 3, 4, 254)))
SECONDS_AFTER_DETECTION = 60


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=20)


def why_not() -> str:
    """Why no namespaces can be made here; nothing if they can."""
    if shutil.which("ip") is None:
        return "iproute2 (ip) is not installed"
    name = f"ccb-try-{os.getpid()}"
    tried = subprocess.run(
        ["ip", "netns", "add", name], capture_output=True, text=True, timeout=20, check=False
    )
    if tried.returncode:
        return f"no network namespaces can be made here: {tried.stderr.strip()}"
    ip("netns", "del", name)
    return ""


def _clear_away() -> None:
    """What a run that was killed has left: its addresses are ours."""
    alive = {str(pid % 100_000) for pid in psutil.pids()}
    for path in Path("/run/netns").glob("ccb*-*"):
        found = re.match("ccb([0-9]+)-", path.name)
        if found and found[1] not in alive:
            subprocess.run(["ip", "netns", "del", path.name], capture_output=True, check=False)
            subprocess.run(["ip", "link", "del", f"ccb{found[1]}h1"], capture_output=True, check=False)


class Network:
    """Hosts on one switch, each a namespace of its own; this process is on it as well."""

    def __init__(self, stack: ExitStack) -> None:
        _clear_away()
        self._name = f"ccb{os.getpid() % 100_000}"
        self._stack = stack
        self._count = 0
        self._switch = self._namespace("switch")
        self._in(self._switch, "link", "add", "bridge", "type", "bridge")
        self._in(self._switch, "link", "set", "bridge", "up")
        self._plug(None, HERE)

    def host(self, address: str) -> str:
        """A new host's namespace."""
        namespace = self._namespace(address.rpartition(".")[2])
        self._in(namespace, "link", "set", "lo", "up")
        self._plug(namespace, address)
        return namespace

    def _namespace(self, name: str) -> str:
        full = f"{self._name}-{name}"
        ip("netns", "add", full)
        self._stack.callback(ip, "netns", "del", full)
        return full

    def _plug(self, namespace: str | None, address: str) -> None:
        self._count += 1
        ours, theirs = f"{self._name}h{self._count}", f"{self._name}s{self._count}"
        ip("link", "add", ours, "type", "veth", "peer", "name", theirs)
        ip("link", "set", theirs, "netns", self._switch)
        self._in(self._switch, "link", "set", theirs, "master", "bridge")
        self._in(self._switch, "link", "set", theirs, "up")
        if namespace:
            ip("link", "set", ours, "netns", namespace)
        else:
            self._stack.callback(
                subprocess.run, ["ip", "link", "del", ours], capture_output=True, check=False
            )
        self._in(namespace, "addr", "add", f"{address}/24", "dev", ours)
        self._in(namespace, "link", "set", ours, "up")

    @staticmethod
    def _in(namespace: str | None, *words: str) -> None:
        ip(*(["-n", namespace] if namespace else []), *words)


class Hosts:
    """The servers, luigid and two hosts that are given the same command."""

    def __init__(self, stack: ExitStack, directory: Path) -> None:
        self.directory = directory
        self._stack = stack
        network = Network(stack)
        self._namespaces = {address: network.host(address) for address in (BANK, AGENDA, ONE, TWO)}
        script = str(Path(__file__).with_name("servers_of_hosts.py"))
        servers = self.start(
            BANK, sys.executable, script, str(directory), BANK, NETWORK, stdin=subprocess.PIPE
        )
        assert servers.stdout
        self.addresses: dict[str, str] = json.loads(servers.stdout.readline())
        self.config = directory / "luigi.cfg"
        text = (REPOSITORY / "luigi.cfg").read_text(encoding="utf-8")
        if not FULL:  # nobody waits for half a minute in a test
            for slow, quick in (("worker_disconnect_delay = 30", "worker_disconnect_delay = 3"),
                                ("\nretry_delay = 10", "\nretry_delay = 1")):  # fmt: skip
                assert slow in text
                text = text.replace(slow, quick)
        self.config.write_text(text, encoding="utf-8")
        self.luigid: subprocess.Popen[str] | None = None

    def start(self, host: str, *words: str, stdin: int = subprocess.DEVNULL, **environment: str) -> Any:
        """A process on a host."""
        log = (self.directory / f"{host}.log").open("a")
        process = subprocess.Popen(
            ["ip", "netns", "exec", self._namespaces[host], *words],
            cwd=self.directory,
            env={"PATH": os.environ["PATH"], "HOME": str(self.directory), "PYTHONPATH": str(REPOSITORY)}
            | environment,
            stdin=stdin,
            stdout=subprocess.PIPE if stdin == subprocess.PIPE else log,
            stderr=log,
            text=True,
            start_new_session=True,
        )
        self._stack.callback(_end, process)
        return process

    def start_luigid(self) -> None:
        words = ("--address", AGENDA, "--port", "8082", "--state-path", str(self.directory / "state.pickle"))
        self.luigid = self.start(AGENDA, str(BIN / "luigid"), *words, LUIGI_CONFIG_PATH=str(self.config))
        wait_until(self.workers_known, 60)

    def workers_known(self) -> list[str] | None:
        """The hosts' workers that luigid takes for alive, ``None`` if it doesn't answer."""
        try:
            with urllib.request.urlopen(f"http://{AGENDA}:8082/api/worker_list", timeout=5) as answer:
                return [worker["name"] for worker in json.load(answer)["response"]] or [""]
        except OSError:
            return None

    def run(self, host: str) -> Any:
        """The command, the same on each host."""
        return self.start(
            host,
            *(str(BIN / "ccb-luigi"), "run", "--full", "--until", str(DAYS[-1]), "--workers", "2"),
            LUIGI_CONFIG_PATH=str(self.config),
            CCB_SCHEDULER_URL=f"http://{AGENDA}:8082",
            CCB_POSTGRES_URL=self.addresses["postgres"],
            CCB_MONGO_URI=self.addresses["mongo"],
            CCB_MONGO_DATABASE="hosts",
            CCB_SHARD_DOCUMENTS=str(SHARD),
            CCB_PROCESSES="1",
        )

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        connection = psycopg2.connect(self.addresses["postgres"])
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def done(self) -> int:
        """Shards that are marked."""
        ((number,),) = self.query("SELECT count(*) FROM table_updates WHERE target_table = 'fatias'")
        return int(number)

    def done_by(self, host: str) -> int:
        """Shards that this host said to have done."""
        lines = (self.directory / f"{host}.log").read_text().splitlines()
        return sum(line.startswith("shard ") and " done  " in line for line in lines)

    def clear(self) -> None:
        """Empty tables, and logs of their own for the next run."""
        found = self.query(
            "SELECT string_agg(schemaname || '.' || tablename, ', ') FROM pg_tables"
            " WHERE schemaname IN ('public', 'controle', 'staging') AND tablename <> 'alembic_version'"
        )
        self.query(f"TRUNCATE {found[0][0]}")
        for host in (ONE, TWO):
            (self.directory / f"{host}.log").write_text("")

    def log(self, host: str) -> str:
        return (self.directory / f"{host}.log").read_text()


def _end(process: subprocess.Popen[str]) -> None:
    if process.stdin:  # the servers stop in order
        process.stdin.close()
        process.wait(timeout=60)
    kill(process)


def documents() -> dict[str, Version]:
    """Contracts of eight dates, some rejected, some of known clients, times of three types."""
    start = datetime(DAYS[0].year, DAYS[0].month, DAYS[0].day, 3, tzinfo=UTC)
    found = {}
    for n in range(NUMBER):
        moment = start + timedelta(days=n % len(DAYS), seconds=(n * 7919) % 70_000)
        # Times as text and as numbers are odd ones: a few of them.
        number = 4 * n + (n % 4 if n % 40 < 4 else 0)
        fault = ("no taxId", "NaN", "twice")[n % 3] if n % 97 == 0 else ""
        found[f"d{n}"] = Version(
            f"d{n}",
            number,
            f"C{n}",
            f"k{n // 2 if n % 10 == 0 else n}",
            moment,
            1 + n % 12,
            fault,
            n % 50 == 3,
        )
    return found


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    if reason := why_not():
        pytest.skip(reason)
    directory = Path(tempfile.mkdtemp(prefix="ccb-hosts-"))
    directory.chmod(0o711)
    with ExitStack() as stack:
        stack.callback(delete, directory)
        found = Hosts(stack, directory)
        _prepare(found)
        yield found


def _prepare(hosts: Hosts) -> None:
    done = hosts.start(
        ONE, str(BIN / "ccb-luigi"), "db", "upgrade", CCB_POSTGRES_URL=hosts.addresses["postgres"]
    )
    assert done.wait(timeout=120) == 0, hosts.log(ONE)
    with pymongo.MongoClient[Any](hosts.addresses["mongo"]) as client:
        collection = client.hosts.contratos
        collection.create_index("updatedAt")
        state = [version.document() for version in documents().values()]
        for n in range(0, len(state), 1000):
            collection.insert_many(state[n : n + 1000])
    (hosts.directory / f"{ONE}.log").write_text("")
    hosts.start_luigid()


def assert_as_the_oracle_says(hosts: Hosts) -> None:
    read: dict[date, list[Version]] = {day: [] for day in DAYS}
    for version in documents().values():
        read[version.day].append(version)
    said = oracle.differences(arena.read(hosts.addresses["postgres"]), oracle.expected([], read))
    assert said[:10] == []


def told(words: str) -> None:
    if FULL:
        print(words, flush=True)  # noqa: T201 - figures for whoever asked for them


@pytest.mark.timeout(3600)
def test_of_two_hosts_one_is_killed_and_the_other_finishes(hosts: Hosts) -> None:
    hosts.clear()
    began = time.monotonic()
    one, two = hosts.run(ONE), hosts.run(TWO)
    wait_until(lambda: hosts.done_by(ONE) >= 2 and hosts.done_by(TWO) >= 2, 1800)
    kill(one)
    killed, left = time.monotonic(), hosts.done()
    wait_until(lambda: len(hosts.workers_known() or ()) == 1, 200)
    detected = time.monotonic()
    assert two.wait(timeout=1800) == 0, hosts.log(TWO)
    ended = time.monotonic()
    shards = hosts.query("SELECT fatias FROM controle.planos")
    told(
        f"{NUMBER:,} contracts, {shards[0][0]} shards: {hosts.done_by(ONE)} by the one, the rest by the other"
    )
    told(f"killed after {killed - began:.0f} s with {left} done, noticed {detected - killed:.0f} s later")
    told(f"all done {ended - began:.0f} s after the start, {ended - detected:.0f} s after it was noticed")
    assert len(shards) == 1
    assert hosts.done() == shards[0][0]
    assert_as_the_oracle_says(hosts)


@pytest.mark.timeout(3600)
def test_luigid_is_restarted_in_the_middle_and_both_hosts_finish(hosts: Hosts) -> None:
    hosts.clear()
    began = time.monotonic()
    one, two = hosts.run(ONE), hosts.run(TWO)
    wait_until(lambda: hosts.done() >= 2, 1800)
    assert hosts.luigid
    kill(hosts.luigid)
    killed, left = time.monotonic(), hosts.done()
    hosts.start_luigid()
    for host, process in ((ONE, one), (TWO, two)):
        assert process.wait(timeout=1800) == 0, hosts.log(host)
    told(
        f"luigid killed after {killed - began:.0f} s with {left} shards done and started again; all done"
        f" {time.monotonic() - began:.0f} s after the start, {hosts.done_by(ONE)} by the one,"
        f" {hosts.done_by(TWO)} by the other"
    )
    assert left < hosts.query("SELECT fatias FROM controle.planos")[0][0]
    assert_as_the_oracle_says(hosts)
