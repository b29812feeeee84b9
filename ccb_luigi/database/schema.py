"""The database's schema: created and migrated by Alembic, and checked before anything is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from ccb_luigi.database import online_ddl, postgres, refusals, waiting, words
from ccb_luigi.errors import Busy, SchemaOutdated
from ccb_luigi.settings import Settings

MIGRATIONS = Path(__file__).parents[1] / "migrations"
_REVISIONS = sorted(file.name[:4] for file in MIGRATIONS.glob("versions/[0-9]*.py"))
FIRST = _REVISIONS[0]
"""Makes all tables in an empty database; what is older can't be brought up to date from here."""
REVISION = _REVISIONS[-1]
"""What this version of the code was written for."""

_BEFORE_FIRST = "ce074aa"
"""The last commit that had the revisions before ``FIRST``, and ``FIRST`` as well."""

LOCK = "schema"


def upgrade(settings: Settings, tell: Callable[[str], None] = lambda _: None) -> tuple[str | None, str]:
    """Brings the schema to ``REVISION``, and its ``words`` to ours; returns the revisions before and after.

    Waits for the steps that are running (they hold ``LOCK`` shared), and they for it. Nobody else waits
    longer than a moment: the transaction of the migrations changes catalogues only and gives up rather
    than queue for a table that is in use, and what takes its time is done after it (``online_ddl``).

    Raises:
        Busy: a step did not end within ``lock_seconds``, or a session kept a table for ``retry_seconds``;
            nothing was changed.
        SchemaOutdated: the tables are newer than this program, or older than ``FIRST``.
    """

    def work(connection: Connection) -> tuple[str | None, str]:
        alone(connection, tell)
        before = current(connection)
        if before is not None:
            _refuse_unknown(before)
        postgres.wait_briefly(connection)
        try:
            migrate(connection, REVISION)
            words.apply(connection, tell)
        except DBAPIError as error:
            if isinstance(refusals.translated(error), Busy):
                raise Busy(
                    "nothing was changed: a session uses a table that has to be altered (a long query?"
                    " pg_stat_activity shows it); end it, or run this again when it has ended",
                    transient=True,
                ) from None
            raise
        return before, REVISION

    done = postgres.of_process(settings).run(work)
    online_ddl.settle(settings, tell)
    return done


def migrate(connection: Connection, revision: str) -> None:
    """The shape alone, up to ``revision``."""
    from alembic import command  # takes a fifth of a second to import: not before every run
    from alembic.config import Config

    connection.execute(text("CREATE SCHEMA IF NOT EXISTS controle"))
    config = Config(attributes={"connection": connection})  # without a file: the connection is the caller's
    config.set_main_option("script_location", str(MIGRATIONS))
    command.upgrade(config, revision)


def current(connection: Connection) -> str | None:
    """The database's revision; ``None`` before the first ``upgrade``."""
    if connection.execute(text("SELECT to_regclass('controle.alembic_version')")).scalar() is None:
        return None
    found: Any = connection.execute(text("SELECT version_num FROM controle.alembic_version")).scalar()
    return None if found is None else str(found)


def grant(settings: Settings) -> None:
    """Makes the roles of ``grants.sql`` and gives them what it says, in one transaction."""

    def work(connection: Connection) -> None:
        check(connection)
        words.grant(connection)

    postgres.of_process(settings).run(work)


def alone(connection: Connection, tell: Callable[[str], None]) -> None:
    """Keeps every step of every run out until the transaction ends; tells whom it waits for, if it has to.

    Raises:
        Busy: one of them did not end within ``lock_seconds``. Not transient: it has been waited for.
    """
    if postgres.try_lock(connection, LOCK):
        return
    tell(f"waiting for {_holders(connection)} ...")
    try:
        with connection.begin_nested():
            postgres.lock(connection, LOCK)
    except DBAPIError as error:
        if not isinstance(refusals.translated(error), Busy):
            raise
        raise Busy(
            f"nothing was changed: still at work is {_holders(connection)}; run this again when it has"
            " ended, or wait longer (CCB_LOCK_SECONDS)"
        ) from None


def _holders(connection: Connection) -> str:
    """Who holds the lock, in words."""
    # The lock's number is split into two halves; who may not see others' activity sees null for its time.
    found = connection.execute(
        text("""
            SELECT a.pid, a.usename, a.application_name, to_char(a.xact_start, 'HH24:MI:SS')
            FROM pg_locks l JOIN pg_stat_activity a USING (pid)
            WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND pid <> pg_backend_pid()
              AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
              AND (CAST(l.classid AS bigint) << 32) | CAST(l.objid AS bigint) = hashtextextended(:name, 0)
            ORDER BY a.xact_start, a.pid
        """),
        {"name": f"ccb_luigi:{LOCK}"},
    )
    told = [waiting.in_words(*row) for row in found]
    return " and ".join(told) or "a run that has just ended"


def check(connection: Connection) -> None:
    """Refuses another revision than ours, and keeps ``upgrade`` out until the transaction ends.

    Raises:
        SchemaOutdated: the code and the tables don't go together.
    """
    postgres.lock(connection, LOCK, shared=True)
    found = current(connection)
    if found is None:
        raise SchemaOutdated("the tables have not been created: run `ccb-luigi db upgrade` as their owner")
    _refuse_unknown(found)
    if found < REVISION:
        raise SchemaOutdated(
            f"the tables are at revision {found}, not {REVISION}: run `ccb-luigi db upgrade` as their owner"
        )


def _refuse_unknown(found: str) -> None:
    """What no upgrade of this program leads on from."""
    if found < FIRST:
        raise SchemaOutdated(
            f"the tables are at revision {found}, older than this program's first ({FIRST}): run"
            f" `ccb-luigi db upgrade` of commit {_BEFORE_FIRST} as their owner, then this program's"
        )
    if found > REVISION:
        raise SchemaOutdated(
            f"the tables are at revision {found}, newer than this program ({REVISION}): install the newer one"
        )
