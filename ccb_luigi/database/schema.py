"""The database's schema: created and migrated by Alembic, and checked before anything is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from ccb_luigi.database import online_ddl, postgres, refusals, words
from ccb_luigi.errors import Busy, SchemaOutdated
from ccb_luigi.settings import Settings

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).parents[1] / "migrations"
_REVISIONS = sorted(file.name[:4] for file in MIGRATIONS.glob("versions/[0-9]*.py"))
FIRST = _REVISIONS[0]
"""Makes all tables in an empty database; what is older can't be brought up to date from here."""
REVISION = _REVISIONS[-1]
"""What this version of the code was written for."""

_BEFORE_FIRST = "ce074aa"
"""The last commit that had the revisions before ``FIRST``, and ``FIRST`` as well."""

LOCK = "schema"


def upgrade(settings: Settings, waiting: Callable[[str], None] = lambda _: None) -> tuple[str | None, str]:
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
        alone(connection, waiting)
        before = current(connection)
        if before is not None:
            _refuse_unknown(before)
        postgres.wait_briefly(connection)
        try:
            migrate(connection, REVISION)
            words.apply(connection, waiting)
        except DBAPIError as error:
            if isinstance(refusals.translated(error), Busy):
                raise _in_use() from None
            raise
        return before, REVISION

    done = postgres.of_process(settings).run(work)
    online_ddl.settle(settings, waiting)
    return done


def _in_use() -> Busy:
    return Busy(
        "nothing was changed: a session uses a table that has to be altered (a long query? pg_stat_activity"
        " shows it); end it, or run this again when it has ended",
        transient=True,
    )


def migrate(connection: Connection, revision: str) -> None:
    """The shape alone, up to ``revision``."""
    from alembic import command  # takes a fifth of a second to import: not before every run

    connection.execute(text("CREATE SCHEMA IF NOT EXISTS controle"))
    command.upgrade(alembic_config(connection), revision)


def alembic_config(connection: Connection) -> Config:
    """Alembic's configuration, without a file: the connection is the caller's."""
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


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


def alone(connection: Connection, waiting: Callable[[str], None]) -> None:
    """Keeps every step of every run out until the transaction ends; waits for those under way.

    Raises:
        Busy: one of them did not end within ``lock_seconds``.
    """
    postgres.lock_alone(connection, LOCK, waiting)


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
