"""What the README says to paste, pasted: your own data, your own servers."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import places
import psycopg2
import pymongo
import pytest
from bson import json_util
from program import BIN, REPOSITORY
from psycopg2 import errors
from psycopg2.extensions import make_dsn, parse_dsn
from terminal import CONTROL
from world import D1, at, document

from ccb_luigi.demo import cluster
from ccb_luigi.demo.servers import Mongo, Postgres, delete

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
DEBIANS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
OWNERS, LOADERS, READERS = "owner's own", "loader's own", "readers-own"
PROMPT = b"what next? "
LONG = 150
"""Seconds that nothing here takes."""


def block(words: str, kind: str = "sh") -> str:
    """The one block that has these words."""
    (found,) = [text for text in re.findall(rf"(?ms)^```{kind}\n(.*?)^```$", README) if words in text]
    return str(found)


class Pasted(NamedTuple):
    """What a terminal showed, without its commands, and the exit status."""

    text: str
    status: int


def paste(text: str, directory: Path, environment: Mapping[str, str], answers: Sequence[str] = ()) -> Pasted:
    """Pastes a block into bash on a terminal; each question for a password gets the next answer.

    A terminal that marks no paste: whatever asks a question reads what was pasted behind it.
    """
    ours, theirs = pty.openpty()
    shell = subprocess.Popen(
        ["bash", "--norc", "--noediting", "-i"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=directory,
        env={**environment, "TERM": "dumb", "PS1": PROMPT.decode()},
        start_new_session=True,
        preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)),  # psql asks its controlling terminal
    )
    os.close(theirs)
    shown, answered, left, ended = bytearray(), 0, [*answers], False
    os.write(ours, f"{text.rstrip()}\n".encode())
    deadline = time.monotonic() + LONG
    while time.monotonic() < deadline:
        # Who asks for a password throws away what was typed behind it: the prompt has to be back.
        if not left and not ended and (not answers or shown[answered:].endswith(PROMPT)):
            ended = bool(os.write(ours, b"exit\n"))  # with the status of what came before
        if not select.select([ours], [], [], 1)[0]:
            continue
        try:
            shown += os.read(ours, 1 << 16)
        except OSError:  # nobody has it open any more
            break
        if left and re.search(rb"(?i)password[^\r\n]*: $|again: $", bytes(shown[answered:])):
            answered = len(shown)
            os.write(ours, f"{left.pop(0)}\n".encode())
    os.close(ours)
    return Pasted(CONTROL.sub("", shown.decode()), shell.wait(timeout=LONG))


class Place(NamedTuple):
    """A project after ``make run``, a shell there, and a PostgreSQL that nobody has prepared."""

    directory: Path
    environment: dict[str, str]
    server: Postgres

    @property
    def log(self) -> str:
        """What the server wrote of each statement."""
        return "".join(path.read_text() for path in self.server.directory.glob("*.log"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Where `.venv/bin/ccb-luigi` is."""
    (tmp_path / ".venv").symlink_to(BIN.parent)
    return tmp_path


def environment() -> dict[str, str]:
    """Of somebody who has set nothing."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}


@pytest.fixture
def place(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """With Debian's newest PostgreSQL where it is installed, else with the wheel's."""
    if DEBIANS:
        monkeypatch.setenv("CCB_DEMO_POSTGRES", str(DEBIANS[-1]))
    directory = places.for_servers()
    try:
        with Postgres(directory, {"fsync": "off", "log_statement": "all"}) as server:
            home = directory / "postgres"
            programs = cluster.programs(home, cluster.ensure_home(home))
            there = parse_dsn(server.url)
            who = {f"PG{key.upper()}": str(there[key]) for key in ("host", "port", "user", "password")}
            path = {"PATH": f"{programs}:{os.environ['PATH']}"}
            yield Place(project, environment() | who | path, server)
    finally:
        delete(directory)


def test_your_own_data_takes_three_commands(project: Path) -> None:
    (dump,) = set(re.findall(r"`(\S*ccb-luigi synth [^`]*)`", README))
    made = paste(dump, project, environment())
    assert made.status == 0, made.text
    try:
        done = paste("set -e\n" + block("demo --source"), project, environment())
        assert done.status == 0, done.text
        assert re.search(r"documents +(\S+) +\1 +equal", done.text), done.text
        assert re.search(r"(?m)^ccbCode +100% +string .*required", done.text), done.text
        (page,) = re.findall(r"the morning page: (\S+)", done.text)
        assert "<html" in (project / page).read_text(encoding="utf-8")
    finally:
        delete(project / ".demo")


def test_your_own_servers_take_six_blocks(place: Place, mongo_server: Mongo) -> None:
    port = parse_dsn(place.server.url)["port"]
    owner = paste(block("createuser"), place.directory, place.environment, [OWNERS, OWNERS])
    assert owner.status == 0, owner.text
    here = {name: value for name, value in place.environment.items() if not name.startswith("PG")}
    tables = block("db upgrade").replace(
        "pg.example.com/ccb?sslmode=verify-full&sslrootcert=system", f"127.0.0.1:{port}/ccb"
    )
    loader = paste(tables, place.directory, here, [OWNERS, LOADERS, LOADERS])
    assert loader.status == 0, loader.text
    assert OWNERS not in place.log + owner.text + loader.text
    assert LOADERS not in place.log + loader.text
    assert "SCRAM-SHA-256" in place.log
    collection = prepare_mongo(mongo_server)
    try:
        collection.insert_many([example(), document("a", "A", at(D1)), document("b", "B", at(D1))])
        done = first_run(place.directory, here, int(port), mongo_server.uri)
    finally:
        collection.drop()
    assert done.status == 0, done.text
    assert "2 of 2 dates complete" in done.text
    the_loader_may_read_three_contracts_and_do_nothing_else(int(port))


def prepare_mongo(server: Mongo) -> pymongo.collection.Collection[dict[str, object]]:
    """Does what the lines for mongosh say; returns the collection."""
    client = pymongo.MongoClient[dict[str, object]](server.uri)
    made = None
    for line in block("createUser", "js").splitlines():
        name, words, argument = re.fullmatch(r'db\.getSiblingDB\("(\w+)"\)\.([\w.]+)\((.*)\)', line).groups()  # type: ignore[union-attr]
        said = json.loads(re.sub(r"(\w+):", r'"\1":', argument.replace("passwordPrompt()", f'"{READERS}"')))
        if words == "createUser":
            client[name].command("createUser", said.pop("user"), **said)
        else:
            collection, method = words.split(".")
            assert method == "createIndex"
            made = client[name][collection]
            made.create_index([*said.items()])
    assert made is not None
    return made


def example() -> dict[str, object]:
    text = (REPOSITORY / "docs" / "contrato-exemplo.json").read_text(encoding="utf-8")
    found: dict[str, object] = json_util.loads(text)
    return found


def first_run(directory: Path, here: Mapping[str, str], port: int, mongo: str) -> Pasted:
    """The file of both addresses, and the first night by hand."""
    mongos = mongo.removeprefix("mongodb://").rstrip("/")
    lines = block("cat > ccb.env")
    for old, new in (
        ("ccb_reader:PASSWORD", f"ccb_reader:{READERS}"),
        ("ccb_loader:PASSWORD", f"ccb_loader:{LOADERS.replace(' ', '%20').replace(chr(39), '%27')}"),
        ("mongo.example.com/?authSource=ccb&tls=true", f"{mongos}/?authSource=ccb"),
        ("pg.example.com/ccb?sslmode=verify-full&sslrootcert=system", f"127.0.0.1:{port}/ccb"),
    ):
        assert old in lines
        lines = lines.replace(old, new)
    made = paste(lines, directory, here)
    assert made.status == 0, made.text
    assert (directory / "ccb.env").stat().st_mode & 0o777 == 0o600
    path = {"PATH": f"{directory}/.venv/bin:{here['PATH']}"}  # an earlier block's, in the same shell
    return paste("set -e\n" + block("preflight"), directory, {**here, **path})


def the_loader_may_read_three_contracts_and_do_nothing_else(port: int) -> None:
    """And neither it nor the owner is a superuser."""
    dsn = make_dsn(host="127.0.0.1", port=port, dbname="ccb", user="ccb_loader", password=LOADERS)
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM operacoes")
        assert cursor.fetchall() == [(3,)]
        cursor.execute("SELECT rolname FROM pg_roles WHERE rolsuper AND rolname LIKE 'ccb%'")
        assert cursor.fetchall() == []
        for statement in (
            "CREATE TABLE mine (a int)",
            "DROP TABLE parcelas",
            "ALTER TABLE parcelas ADD a int",
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                cursor.execute(statement)
            connection.rollback()


def test_what_make_is_asked_for_is_the_demo_and_these_tests() -> None:
    """The demo is run by tests/db/test_demo.py, and `make test` runs this."""
    lines = block("make run", "console").splitlines()
    assert [line.split("#")[0].split() for line in lines] == [["$", "make", "run"], ["$", "make", "test"]]
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"(?m)^run: .*\n\t@\$\(BIN\)/ccb-luigi demo$", makefile)
    assert re.search(r"(?m)^test: .*\n\t@\$\(BIN\)/python -m pytest$", makefile)


def test_every_block_of_the_readme_is_pasted_here() -> None:
    before = README.partition("\n## Reference\n")[0]
    kinds = re.findall(r"(?ms)^```(\w+)\n", before)
    assert sorted(kinds) == ["console", "js", *["sh"] * 5, "text"]
