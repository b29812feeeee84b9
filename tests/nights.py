"""Bad nights: how each is broken, what then is said, and what of its chapter in the runbook mends it.

A night is a generator: what it does before its ``yield`` breaks a world in which yesterday is to be migrated,
what it does after it is what the chapter has somebody mend outside (``told`` are the chapter's words for
that). The rest is done by the chapter's own commands: each is written here as it stands there.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import bson
import psycopg2
from program import Program, yesterday
from psycopg2.extensions import make_dsn
from world import Document, at, document, of_dump, rejected

START = "start the night again"
"""The words of the runbook for its first command: ``sudo systemctl start ccb-luigi.service``."""
NOBODY = "127.0.0.1:1"

Breaking = Callable[["Case"], Generator[None]]


@dataclass
class Case:
    """A world with some contracts of the day before yesterday, which are loaded, and some of yesterday."""

    program: Program
    settings: dict[str, str]
    """What the unit's files set, but for the addresses."""
    day: date = field(default_factory=yesterday)
    id: str = ""
    """The document that the chapter calls ID."""
    expected: set[str] = field(default_factory=set)
    """The contracts that are to be there in the end."""
    last: list[str] = field(default_factory=list)

    def at_last(self, statement: str) -> None:
        """What the server is told when the night is over: roles are the whole server's."""
        self.last.append(statement)

    def put(self, *documents: Document) -> None:
        """Documents of which all are to be loaded in the end."""
        self.program.world.put(*documents)
        self.expected |= {each["ccbCode"] for each in documents}

    def documents(self, name: str, count: int, day: date | None = None) -> list[Document]:
        return [
            document(f"{name}{n}", f"{name.upper()}{n}", at(day or self.day), client=f"{name}{n}")
            for n in range(count)
        ]

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        return self.program.world.query(statement)

    @contextmanager
    def set(self, **changes: str) -> Iterator[None]:
        """Settings that are wrong for as long as nobody corrects them."""
        before = self.settings.copy()
        self.settings.update(changes)
        yield
        self.settings.clear()
        self.settings.update(before)


@dataclass(frozen=True)
class Look:
    """A command of a chapter that shows the cause: how it ends, and words that it has."""

    command: str
    shows: str
    status: int = 0


@dataclass(frozen=True)
class Night:
    """``chapters``: the sections that lead to what helps, the exit status' first.

    ``again``: it is run twice before it is mended, for what the first run leaves could make the second green.
    """

    name: str
    breaks: Breaking
    status: int
    says: str
    told: str
    do: tuple[str, ...]
    chapters: tuple[str, ...]
    look: tuple[Look, ...]
    by: tuple[str, ...]
    again: bool
    empty: bool
    silent: bool


NIGHTS: list[Night] = []


def night(
    name: str,
    *,
    status: int,
    says: str,
    do: tuple[str, ...] = (START,),
    told: str = "",
    then: str = "",
    instead: str = "",
    look: tuple[Look, ...] = (),
    by: tuple[str, ...] = ("nightly",),
    again: bool = False,
    empty: bool = False,
    silent: bool = False,
) -> Callable[[Breaking], Breaking]:
    """Puts a night on the table.

    ``then``: the chapter to which that of the exit status sends its reader; ``instead``: an alert's, where no
    status leads to help; ``by``: the command that fails, if it isn't the night; ``empty``: nothing has been
    loaded; ``silent``: it ends before it knows where the page and the metrics go.
    """

    def keep(breaks: Breaking) -> Breaking:
        chapters = (instead,) if instead else (f"exit-code-{status}", *filter(None, [then]))
        NIGHTS.append(Night(name, breaks, status, says, told, do, chapters, look, by, again, empty, silent))
        return breaks

    return keep


# --- the source ------------------------------------------------------------------------------------------


@night(
    "the first night, with a misspelt collection",
    status=13,
    says=r"there is no \S+\.contrato; there are: contratos",
    told="a wrong name in `CCB_MONGO_DATABASE` or `CCB_MONGO_COLLECTION`",
    empty=True,
    again=True,
)
def misspelt(case: Case) -> Generator[None]:
    with case.set(CCB_MONGO_COLLECTION="contrato"):
        yield


@night(
    "MongoDB is away",
    status=13,
    says=r"MongoDB can't be reached: nothing listens at its address",
    told="server down: when it is back, start the night again",
)
def no_mongo(case: Case) -> Generator[None]:
    with case.set(CCB_MONGO_URI=f"mongodb://{NOBODY}/?serverSelectionTimeoutMS=200"):
        yield


@night(
    "a dump that ends in the middle of a document",
    status=13,
    says=r"\.bson\b.*(truncated|ends|broken|damaged|cut)",
    told="A dump: make another one",
)
def damaged_dump(case: Case) -> Generator[None]:
    whole = b"".join(map(bson.encode, case.documents("b", 12)))
    path = case.program.directory / "contratos.bson"
    path.write_bytes(whole[:-40])
    case.settings |= {f"CCB_{name.upper()}": value for name, value in of_dump(path, case.day).items()}
    yield
    path.write_bytes(whole)


@night(
    "a dump that was made before the date was over",
    status=24,
    says=r"newest document",
    told="make a new dump",
    again=True,
)
def early_dump(case: Case) -> Generator[None]:
    path = case.program.directory / "contratos.bson"
    documents = b"".join(map(bson.encode, case.documents("b", 12)))
    path.write_bytes(documents)
    case.settings["CCB_SOURCE"] = str(path)
    yield
    later = document("z", "Z", at(case.day + timedelta(days=1), 3), client="z")
    path.write_bytes(documents + bson.encode(later))


@night(
    "the night's documents are all rejected",
    status=11,
    says=r"12 of 12|12 read|12 documents",
    then="ccbluigicircuitbreaker",
    look=(
        Look("ccb-luigi quarantine list --date D", r"(?s)ausente.*taxId|taxId.*ausente"),
        Look("ccb-luigi quarantine show ID", r"taxId"),
    ),
    told="have the source mended",
    do=("ccb-luigi run --date D", "ccb-luigi sweep"),
    again=True,
)
def flood(case: Case) -> Generator[None]:
    case.program.world.put(*map(rejected, case.documents("b", 12)))
    case.id = "b3"
    yield
    case.put(*case.documents("b", 12, case.day + timedelta(days=1)))


@night(
    "a date that is held back, and whoever owns the source says that it is right so",
    status=11,
    says=r"11 of 12|11 documents|11 rejected",
    then="ccbluigicircuitbreaker",
    told="confirms in writing",
    do=("CCB_MAX_REJECTED_SHARE=1 ccb-luigi run --date D",),
)
def rightly_rejected(case: Case) -> Generator[None]:
    case.program.world.put(*map(rejected, case.documents("b", 11)))
    case.expected -= {f"B{n}" for n in range(11)}
    yield


# --- PostgreSQL ------------------------------------------------------------------------------------------


@night(
    "PostgreSQL is away",
    status=14,
    says=r"PostgreSQL can't be reached: nothing listens at its address",
    told="is it up?",
)
def no_postgres(case: Case) -> Generator[None]:
    with case.set(CCB_POSTGRES_URL=f"postgresql://{NOBODY}/x"):
        yield


@night(
    "PostgreSQL's password was changed",
    status=14,
    says=r"PostgreSQL refused the connection",
    told="password, `pg_hba.conf`, certificate: the line says which",
)
def other_password(case: Case) -> Generator[None]:
    url = case.program.world.settings.postgres_url
    with case.set(CCB_POSTGRES_URL=make_dsn(url, password="another")):
        yield


@night(
    "somebody else's transaction has locked a table",
    status=16,
    says=r"psql by hand",
    look=(Look("SELECT pid,", r"psql by hand.*idle in transaction"),),
    told="have whoever it is end it",
    again=True,
)
def table_lock(case: Case) -> Generator[None]:
    url = make_dsn(case.program.world.settings.postgres_url, application_name="psql by hand")
    with ExitStack() as stack:
        other = psycopg2.connect(url)
        stack.callback(other.close)
        other.cursor().execute("LOCK TABLE parcelas")
        yield


@night(
    "the tables aren't there",
    status=17,
    says=r"ccb-luigi db upgrade",
    do=("ccb-luigi db upgrade", START),
    empty=True,
)
def no_tables(case: Case) -> Generator[None]:
    case.query("DROP SCHEMA controle, staging CASCADE")
    case.query("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    yield


@night(
    "somebody emptied staging in the middle of a date",
    status=18,
    says=r"ccb-luigi rerun --date",
    do=("ccb-luigi rerun --date D",),
    again=True,
)
def no_staging(case: Case) -> Generator[None]:
    case.query("ALTER TABLE clientes ADD CONSTRAINT nobody CHECK (nome = 'x') NOT VALID")
    case.program.forked("nightly", status=14, **case.settings)
    case.query("ALTER TABLE clientes DROP CONSTRAINT nobody; DELETE FROM staging.parcelas")
    yield


# --- more of PostgreSQL ----------------------------------------------------------------------------------


def as_loader(case: Case) -> str:
    """The address of a role that may only load, as grants make it."""
    case.program.forked("db", "grants", "--apply")
    case.at_last("DROP OWNED BY ccb_loader, ccb_analyst, ccb_restricted_reader")
    case.at_last("DROP ROLE ccb_loader, ccb_analyst, ccb_restricted_reader")
    case.query("ALTER ROLE ccb_loader PASSWORD 'x'")
    return make_dsn(case.program.world.settings.postgres_url, user="ccb_loader", password="x")


@contextmanager
def trigger(case: Case, body: str, table: str = "parcelas") -> Iterator[None]:
    """Somebody's function that runs at every row that is written to the table."""
    case.query(
        f"CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; RETURN NEW; END $$;"
        f"CREATE TRIGGER meddle BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION meddle()"
    )
    yield
    case.query("DROP FUNCTION meddle() CASCADE")


@night(
    "a right was taken away",
    status=14,
    says=r"insufficient privilege \(42501\)",
    look=(Look("ccb-luigi db grants", "TO ccb_loader"),),
    told="the owner applies it",
    do=("ccb-luigi db grants --apply", START),
)
def revoked(case: Case) -> Generator[None]:
    case.settings["CCB_POSTGRES_URL"] = as_loader(case)
    case.query("REVOKE INSERT ON parcelas FROM ccb_loader")
    yield


@night(
    "row-level security hides rows from the loader",
    status=14,
    says=r"row-level security of \w+ hides rows",
    do=("ALTER ROLE ccb_loader BYPASSRLS", START),
)
def hidden_rows(case: Case) -> Generator[None]:
    case.settings["CCB_POSTGRES_URL"] = as_loader(case)
    case.query("ALTER TABLE operacoes ENABLE ROW LEVEL SECURITY")
    yield


@night(
    "somebody ends every session of ours",
    status=14,
    says=r"the server ended the session",
    told="the server ended the session",
    again=True,
)
def ended_sessions(case: Case) -> Generator[None]:
    with trigger(case, "PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(5)"):
        yield


@night(
    "somebody cancels statements of ours",
    status=14,
    says=r"query canceled \(57014\): cancelled by an administrator",
    told="somebody cancelled it",
)
def cancelled(case: Case) -> Generator[None]:
    with trigger(case, "PERFORM pg_cancel_backend(pg_backend_pid()); PERFORM pg_sleep(5)"):
        yield


@night(
    "a trigger of somebody else changes amounts",
    status=12,
    says=r"differ",
    then="ccbluiginotreconciled",
    look=(
        Look("ccb-luigi report", r"\bproven\b|differ"),
        Look("ccb-luigi verify --date D", r"valor_prestacao", 20),
    ),
    told="a trigger, a script, a restore",
    do=("ccb-luigi rerun --date D", "ccb-luigi verify --date D"),
    again=True,
)
def changed_amounts(case: Case) -> Generator[None]:
    with trigger(case, "NEW.valor_prestacao := NEW.valor_prestacao + 0.01"):
        yield


@night(
    "rows were changed by hand",
    by=("verify", "--full"),
    status=20,
    says=r"parcelas",
    do=("ccb-luigi rerun --date D --thorough", "ccb-luigi verify --date D"),
)
def changed_rows(case: Case) -> Generator[None]:
    case.program.forked("nightly", **case.settings)
    case.query("UPDATE parcelas SET valor_prestacao = 1 WHERE ccb_code = 'B3'")
    yield


@night(
    "tables that are newer than the program",
    status=17,
    says=r"newer",
    told="install the newer one",
)
def newer_tables(case: Case) -> Generator[None]:
    ((version,),) = case.query("SELECT version_num FROM controle.alembic_version")
    case.query("UPDATE controle.alembic_version SET version_num = 'zzzz'")
    yield
    case.query(f"UPDATE controle.alembic_version SET version_num = '{version}'")


# --- settings and the sweep ------------------------------------------------------------------------------


@night(
    "a setting that makes no sense",
    status=15,
    says=r"CCB_LOCK_SECONDS",
    silent=True,
    told="correct `/etc/ccb-luigi/env` or `luigi.cfg`; then start the night again",
)
def wrong_setting(case: Case) -> Generator[None]:
    with case.set(CCB_LOCK_SECONDS="ten"):
        yield


@night(
    "the key of erased clients is missing",
    status=15,
    says=r"CCB_FORGET_KEY",
    told="once a client was erased, no run goes without the key",
)
def lost_key(case: Case) -> Generator[None]:
    case.settings["CCB_FORGET_KEY"] = "a key of these tests alone"
    case.program.forked("forget", "a1", "--yes", **case.settings)
    case.expected.discard("A1")
    key = case.settings.pop("CCB_FORGET_KEY")
    yield
    case.settings["CCB_FORGET_KEY"] = key


@night(
    "the collection was emptied",
    status=13,
    says=r"holds no document",
    told="a collection that was dropped or emptied",
    again=True,
)
def emptied(case: Case) -> Generator[None]:
    with case.program.world.collection() as collection:
        documents = [*collection.find()]
    case.program.world.empty_source()
    yield
    case.program.world.put(*documents)


@night(
    "many contracts are gone from the source, by mistake",
    status=19,
    says=r"30 of 45 contracts are no longer in MongoDB",
    told="A passing fault: `ccb-luigi sweep`",
    do=("ccb-luigi sweep",),
    again=True,
)
def vanished(case: Case) -> Generator[None]:
    documents = case.documents("v", 30, case.day - timedelta(days=2))
    case.put(*documents)
    case.program.world.migrate(case.day - timedelta(days=2))
    with case.program.world.collection() as collection:
        collection.delete_many({"_id": {"$regex": "^v"}})
    yield
    case.put(*documents)


@night(
    "many contracts are gone from the source, on purpose",
    status=19,
    says=r"30 of 45 contracts are no longer in MongoDB",
    told="Deleted on purpose, and confirmed by whoever owns the source",
    do=("ccb-luigi sweep --confirm",),
)
def deleted(case: Case) -> Generator[None]:
    case.put(*case.documents("v", 30, case.day - timedelta(days=2)))
    case.program.world.migrate(case.day - timedelta(days=2))
    with case.program.world.collection() as collection:
        collection.delete_many({"_id": {"$regex": "^v"}})
    yield


# --- good nights that leave something to do --------------------------------------------------------------


@night(
    "a few documents are rejected, and mended at the source without a new date",
    status=0,
    says=r"12 read, 11 loaded, 1 rejected",
    instead="ccbluigiquarantinerate",
    look=(
        Look("ccb-luigi quarantine list --date D", r"b3 .*ausente"),
        Look("ccb-luigi quarantine show ID", r"taxId"),
    ),
    told="after a new version of this program accepts it",
    do=("ccb-luigi quarantine retry ID",),
)
def one_rejected(case: Case) -> Generator[None]:
    (mended,) = [each for each in case.documents("b", 12) if each["_id"] == "b3"]
    case.program.world.put(rejected(mended))
    case.id = "b3"
    yield
    case.put(mended)


@night(
    "a date of the week before last was begun and not ended",
    by=("status", "--days", "30"),
    status=0,
    says=r"(?m)^DATE .* -",
    instead="ccbluigipartitionmissing",
    look=(Look("ccb-luigi status --days 30", r"(?m)^DATE .* -"),),
    told="catches up the last days, and older ones that were begun",
    do=("sudo systemctl start ccb-luigi.service",),
)
def begun(case: Case) -> Generator[None]:
    case.day -= timedelta(days=9)
    case.put(*case.documents("o", 3))
    case.query("ALTER TABLE clientes ADD CONSTRAINT nobody CHECK (nome = 'x') NOT VALID")
    case.program.forked("run", "--date", case.day, status=14, **case.settings)
    case.query("ALTER TABLE clientes DROP CONSTRAINT nobody")
    yield


@night(
    "a date of the week before last was never run",
    by=("status", "--days", "30"),
    status=0,
    says=r"(?m)^DATE .* -",
    instead="ccbluigipartitionmissing",
    told="An older date that never ran is left to you",
    do=("ccb-luigi run --date D",),
)
def never_run(case: Case) -> Generator[None]:
    case.day -= timedelta(days=9)
    case.put(*case.documents("o", 3))
    yield


@night(
    "the sweep is switched off, and a document came late",
    status=0,
    says=r"12 of 12|1 of 1 dates complete",
    instead="ccbluigisweepold",
    look=(Look("SELECT max(terminada_em) FROM controle.varreduras", r"None"),),
    told="it is switched off (`CCB_NIGHTLY_SWEEP=false`)",
    do=("ccb-luigi sweep",),
)
def no_sweep(case: Case) -> Generator[None]:
    with case.set(CCB_NIGHTLY_SWEEP="false"):
        case.put(document("late", "LATE", at(case.day - timedelta(days=1)), client="late"))
        yield


@night(
    "the night reads a copy of the source that stands still",
    status=0,
    says=r"1 of 1 dates complete",
    instead="ccbluiginothingnew",
    told="correct the address, then `ccb-luigi sweep`",
    do=("ccb-luigi sweep",),
)
def standing_still(case: Case) -> Generator[None]:
    with case.program.world.collection() as collection:
        still = collection.database["still"]
        still.insert_many(collection.find({"_id": {"$regex": "^a"}}))
    with case.set(CCB_MONGO_COLLECTION="still"):
        yield


@night(
    "the sweep fails: documents wait for a date that is held back",
    by=("sweep",),
    status=11,
    says=r"held back|wait",
    instead="ccbluigisweepfailed",
    look=(Look("SELECT * FROM controle.varreduras ORDER BY id DESC LIMIT 3", "disjuntor"),),
    told="**Do**: mend that, then `ccb-luigi sweep`",
    do=("ccb-luigi sweep",),
)
def waiting_sweep(case: Case) -> Generator[None]:
    bad = {f"b{n}" for n in range(8)}
    case.program.world.put(*(rejected(each) for each in case.documents("b", 12) if each["_id"] in bad))
    case.program.forked("run", "--date", case.day, status=11, **case.settings)
    yield
    case.put(*(each for each in case.documents("b", 12, case.day + timedelta(days=1)) if each["_id"] in bad))
    case.program.forked("run", "--date", case.day, **case.settings)
