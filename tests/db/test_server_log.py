"""PostgreSQL's own log, at its default settings and slower ones: no content of a document is ever in it.

Only what a statement holds as text, or PostgreSQL quotes of a row, can get there. So every command is made to
log all its statements, and each table to fail in every way that a server can.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from pymongo import MongoClient
from pymongo.monitoring import CommandListener
from world import D1, D2, EIGHT, World, at, document, rejected

from ccb_luigi.database.postgres import Postgres as Pool
from ccb_luigi.demo.servers import Postgres as Server
from ccb_luigi.errors import CcbError
from ccb_luigi.load import backfill, backfill_plan, by_id, pipeline, quarantine
from ccb_luigi.proof import erasure, sweep, verify
from ccb_luigi.proof.verify import Scope
from ccb_luigi.sources import mongo as mongo_source
from ccb_luigi.tables import STAGING

# PostgreSQL's defaults (log_lock_waits: since 19), where the tests' server is set not to say anything.
DEFAULTS = {
    "log_min_messages": "warning",
    "log_min_error_statement": "error",
    "log_error_verbosity": "default",
    "log_lock_waits": "on",
    "log_parameter_max_length_on_error": "0",
    "deadlock_timeout": "10ms",
}
EVERY_STATEMENT = {"log_min_duration_statement": "0"}
KEY = "a key of these tests alone"

of_one_session = pytest.mark.direct(
    "what the server logs is set by the connection's options: a pooler takes none"
)


@dataclass
class Log:
    """What the server has written since then, and the words that may not be in it."""

    path: Path
    begin: int
    canaries: list[str] = field(default_factory=list)

    def word(self) -> str:
        self.canaries.append(f"Xq{secrets.token_hex(12)}Wz")
        return self.canaries[-1]

    def text(self) -> str:
        return self.path.read_bytes()[self.begin :].decode("utf-8", "replace")

    def assert_silent(self, *also: str) -> None:
        said = "\n".join([self.text(), *also]).lower()
        for word in self.canaries:
            for told in (word.lower(), word.encode().hex()[:24]):  # as text, or as bytes
                place = said.find(told)
                assert place < 0, said[max(0, place - 600) : place + 100]


@pytest.fixture
def log(postgres_server: Server) -> Log:
    return Log(postgres_server.log, postgres_server.log.stat().st_size)


def logging(world: World, settings: dict[str, str]) -> World:
    options = "".join(f"%20-c{name}%3D{value}" for name, value in settings.items())
    url = f"{world.settings.postgres_url}{options}"
    return World(
        replace(world.settings, postgres_url=url, forget_key=KEY, max_rejected_share=1, retry_seconds=0.1)
    )


def person(log: Log, name: str, code: str, day: Any = D1, **changes: Any) -> dict[str, Any]:
    """A document all of whose content is canaries."""
    found = document(name, code, at(day), client=f"c{name}")
    return found | {
        "name": log.word(),
        "motherName": log.word(),
        "status": log.word(),
        "identity": {"number": log.word(), "issuer": log.word(), "issuerState": "MG"},
        "address": {"zipCode": "39999000", "state": "MG", "city": log.word(), "address": log.word()},
        "contacts": {"email": log.word(), "phone": [log.word()]},
        "bankData": {"bankNumber": log.word(), "branchNumber": log.word(), "accountNumber": log.word()},
        "neverSeen": {"deeper": log.word()},
        **changes,
    }


def source(world: World, log: Log) -> None:
    world.put(
        *(person(log, f"good{n}", f"GOOD{n}") for n in range(3)),
        rejected(person(log, "rejected", "REJECTED")),
        person(log, "no-number", "NO", operation={"ValorBruto": log.word()}),
        person(log, "twice1", "TWICE"),
        person(log, "twice2", "TWICE", updatedAt=at(D1, 14)),
        person(log, "zip", "ZIP") | {"address": {"zipCode": log.word(), "state": log.word()}},
        person(log, "next", "NEXT", D2),
    )


def every_command(world: World, log: Log) -> None:
    world.migrate(D1)
    world.put(person(log, "good1", "GOOD1", updatedAt=at(D1, 15)), person(log, "good2", "CHANGED"))
    world.again(D1)
    world.put(
        person(log, "late", "LATE"), rejected(person(log, "rejected", "REJECTED", updatedAt=at(D1, 16)))
    )
    sweep.sweep(world.settings)
    pipeline.load_so_far(world.settings, D2)
    made = backfill_plan.ensure(world.settings, D2, D2)
    assert made is not None
    for number in range(1, made.fatias + 1):
        backfill.migrate_shard(world.settings, made.id, number)
    backfill.close(world.settings, made.id)
    by_id.migrate_ids(world.settings, [*world.quarantined()])
    for scope in (Scope(), Scope(sample=9)):
        assert verify.verify(world.settings, scope).total == 0
    erasure.erase(world.settings, "cgood0")
    Pool(world.settings).run(lambda connection: quarantine.purge(connection, 1))


@of_one_session
def test_no_statement_holds_what_a_document_says(world: World, log: Log) -> None:
    telling = logging(world, DEFAULTS | EVERY_STATEMENT)
    source(telling, log)
    every_command(telling, log)
    said = log.text()
    for what in (
        "INSERT INTO controle.quarentena",
        "COPY staging.clientes",
        "INSERT INTO clientes",
        "DELETE",
    ):
        assert what in said, what
    assert "cgood0" in said  # ids may be told
    log.assert_silent()


class Asked(CommandListener):
    """Every command that MongoDB was sent, as a slow one stands in its log."""

    def __init__(self) -> None:
        self.commands: list[str] = []

    def started(self, event: Any) -> None:
        self.commands.append(f"{event.command_name} {event.command}")

    def succeeded(self, event: object) -> None:
        """Nothing new."""

    def failed(self, event: object) -> None:
        """Nothing new."""


def test_mongodb_is_asked_for_ids_and_times_alone(
    world: World, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Asked()
    monkeypatch.setattr(mongo_source, "MongoClient", partial(MongoClient, event_listeners=[asked]))
    whole = logging(world, {})
    source(whole, log)
    every_command(whole, log)
    assert {command.partition(" ")[0] for command in asked.commands} >= {"find", "aggregate"}
    assert "good1" in "".join(asked.commands)
    log.assert_silent(*asked.commands)


WAYS = {
    "the session is ended": "PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(5);",
    "the statement is cancelled": "PERFORM pg_cancel_backend(pg_backend_pid()); PERFORM pg_sleep(5);",
    # A time-out that a function sets counts from the next statement on: only its error is to be had here.
    "the statement takes too long": "RAISE query_canceled USING MESSAGE = 'statement timeout';",
    "a trigger refuses": "RAISE EXCEPTION 'no' USING ERRCODE = '23514';",
    "the disk is full": "RAISE EXCEPTION 'no' USING ERRCODE = '53100';",
}
PLACES = (
    *(table.fullname for table in STAGING),
    "controle.quarentena",
    *EIGHT[: EIGHT.index("operacoes") + 1],
    "controle.qualidade",
    *EIGHT[EIGHT.index("operacoes") + 1 :],
    *("controle.reconciliacoes", "controle.versoes"),
    "table_updates",
)
"""As a date comes to them, but for the last one."""


@of_one_session
@pytest.mark.parametrize("way", WAYS)
def test_no_failure_at_any_table_quotes_a_row(
    world: World, log: Log, way: str, capfd: pytest.CaptureFixture[str]
) -> None:
    failing = logging(world, DEFAULTS)
    source(failing, log)
    world.query(f"CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {WAYS[way]} END $$")
    for table in PLACES:  # what has been marked before the failure isn't done again
        world.query(f"CREATE TRIGGER fail BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION fail()")
        with pytest.raises(CcbError):
            failing.migrate(D1)
        world.query(f"DROP TRIGGER fail ON {table}")
    failing.migrate(D1)
    said = log.text()
    assert said.count("PL/pgSQL function fail()") >= len(PLACES)
    assert 'COPY clientes, line 1: "000000' in said  # it does quote lines
    log.assert_silent(*capfd.readouterr())


@of_one_session
def test_no_wait_for_a_lock_tells_what_a_document_says(world: World, log: Log) -> None:
    waiting = logging(world, DEFAULTS)
    waiting = World(replace(waiting.settings, lock_seconds=0.2))
    source(waiting, log)
    for table in ("controle.esquecimentos", *PLACES):
        other = psycopg2.connect(world.settings.postgres_url)
        with other, other.cursor() as cursor:
            cursor.execute(f"LOCK {table} IN ACCESS EXCLUSIVE MODE")
            with suppress(CcbError):  # not every table has something new to come
                waiting.migrate(D1)
            other.rollback()
        other.close()
    said = log.text()
    assert "still waiting for" in said
    assert said.count("lock timeout") > 10
    log.assert_silent()


@of_one_session
def test_a_rejection_whose_row_another_session_holds_is_not_told(world: World, log: Log) -> None:
    """Its statement waits, and is logged, with what it holds."""
    waiting = logging(world, DEFAULTS)
    waiting = World(replace(waiting.settings, lock_seconds=0.2))
    waiting.put(rejected(person(log, "rejected", "REJECTED")))
    waiting.migrate(D1)
    waiting.put(rejected(person(log, "rejected", "REJECTED", updatedAt=at(D1, 13))))
    waiting.forget(D1)
    other = psycopg2.connect(world.settings.postgres_url)
    with other, other.cursor() as cursor:
        cursor.execute("SELECT FROM controle.quarentena FOR UPDATE")
        with pytest.raises(CcbError):
            waiting.migrate(D1)
    other.close()
    assert "INSERT INTO controle.quarentena" in log.text()
    log.assert_silent()


@of_one_session
def test_a_session_ended_within_a_copy_of_many_lines_quotes_none(
    world: World, log: Log, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """As by a restart or a fail-over, at whatever line; here at the second of a table."""
    failing = logging(world, DEFAULTS)
    source(failing, log)
    world.query(
        "CREATE FUNCTION second() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.doc > 0 THEN"
        f" {WAYS['the session is ended']} END IF; RETURN NEW; END $$"
    )
    for table in STAGING:
        world.query(
            f"CREATE TRIGGER second BEFORE INSERT ON {table.fullname} FOR EACH ROW EXECUTE FUNCTION second()"
        )
        with pytest.raises(CcbError):
            failing.migrate(D1)
        world.query(f"DROP TRIGGER second ON {table.fullname}")
    assert log.text().count("terminating connection due to administrator command") >= len(STAGING)
    log.assert_silent(*capfd.readouterr())
