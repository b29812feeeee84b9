"""PostgreSQL: whether the night's role can do its work there, and nobody else's."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from ccb_luigi import tables
from ccb_luigi.database import postgres, schema, words
from ccb_luigi.errors import CcbError, SchemaOutdated, TargetError
from ccb_luigi.load import erasures, status
from ccb_luigi.preflight.host import LEAST_ROOM
from ccb_luigi.preflight.lines import Line, green, grey, red, some, yellow
from ccb_luigi.preflight.source import judge_clock
from ccb_luigi.process import web
from ccb_luigi.settings import Settings

OLDEST, MAINTAINED, NEWEST = 14, 15, 19
"""The oldest that has what the tables need, the oldest that gets corrections, the newest that was tried."""

SOON = timedelta(days=14)

GRANTS = "`ccb-luigi db grants --apply` as the owner of the tables"


def asked(judge: Callable[[Connection, Settings], Line]) -> Callable[[Settings], Line]:
    """A check that is one transaction."""

    def ask(settings: Settings) -> Line:
        with postgres.of_process(settings).transaction() as connection:  # tried once
            return judge(connection, settings)

    return ask


def answers(settings: Settings) -> Line:
    """Whether it can be reached with this role, and used."""
    try:
        with postgres.of_process(settings).transaction() as connection:
            name = _one(connection, "SELECT current_user")
    except CcbError as error:
        return red(str(error), f"docs/runbook.md#exit-code-{error.exit_code}")
    return green(f"reached, as {name}")


@asked
def version(connection: Connection, _: Settings) -> Line:
    """The server's version."""
    return judge_version(int(_one(connection, "SHOW server_version_num")) // 10_000)


def judge_version(major: int) -> Line:
    """What has been tried is what is maintained."""
    if major < OLDEST:
        return red(f"{major} is too old for these tables", f"upgrade to PostgreSQL {NEWEST - 1}")
    if major < MAINTAINED:
        return yellow(f"{major} gets no corrections any more", f"upgrade to PostgreSQL {NEWEST - 1}")
    if major > NEWEST:
        return yellow(f"{major} has not been tried with this program", "try it on a copy first")
    return green(str(major))


def _one(connection: Connection, statement: str, **values: object) -> Any:
    return connection.execute(text(statement), values).scalar()


def _names(connection: Connection, statement: str) -> list[str]:
    return [str(name) for name in connection.execute(text(statement)).scalars()]


@asked
def encoding(connection: Connection, _: Settings) -> Line:
    """UTF-8, or not every name can be held."""
    found = _one(connection, "SHOW server_encoding")
    if found != "UTF8":
        return red(f"the database is in {found}", "make another one: createdb -E UTF8 -T template0")
    return green(found)


@asked
def encryption(connection: Connection, _: Settings) -> Line:
    """TLS, and whether it is verified."""
    info = postgres.driver_connection(connection).info
    mode = info.dsn_parameters.get("sslmode", "prefer")
    if not info.ssl_in_use:
        if web.is_here(info.host):
            return green("without TLS, on this machine")
        return yellow(
            "without TLS: rows and password pass in the clear", "sslmode=verify-full (docs/security.md)"
        )
    if mode not in ("verify-full", "verify-ca"):
        return yellow(
            f"TLS, but sslmode={mode} takes any certificate", "sslmode=verify-full (docs/security.md)"
        )
    if mode == "verify-ca":
        return yellow("TLS, but the certificate may be another host's", "sslmode=verify-full")
    return green("TLS, verified")


@asked
def pooler(connection: Connection, _: Settings) -> Line:
    """A pooler makes up the number of the process that it lends."""
    ours = postgres.driver_connection(connection).info.backend_pid
    if _one(connection, "SELECT pg_backend_pid()") == ours:
        return green("none: the server itself answers")
    return yellow(
        "a pooler is between (another process answers than the one that was connected to)",
        "a night may go through it; `ccb-luigi db` commands want the server itself (docs/operations.md)",
    )


def revision(settings: Settings) -> Line:
    """Tables and program go together, and the role may see that."""
    try:
        with postgres.of_process(settings).transaction() as connection:
            schema.check(connection)
    except SchemaOutdated as error:
        return red(*str(error).split(": ", 1))
    except TargetError as error:
        return red(str(error).partition(": `")[0], GRANTS)
    return green(f"revision {schema.REVISION}")


@asked
def texts(connection: Connection, _: Settings) -> Line:
    """Views, codes and comments are of this version."""
    if older := words.outdated(connection):
        return yellow(
            f"of another version: {some(older)}", "`ccb-luigi db upgrade` as the owner of the tables"
        )
    return green("of this version")


_RWUD = ("SELECT", "INSERT", "UPDATE", "DELETE")
_NEEDED = {
    _RWUD: (
        *tables.LOADED,
        *(tables.table_updates, tables.quarentena, tables.qualidade, tables.reconciliacoes, tables.versoes),
        *tables.STAGING,
    ),
    ("SELECT", "INSERT"): (tables.varreduras, tables.execucoes, tables.planos, tables.fatias),
    ("SELECT",): (tables.esquecimentos,),
}


def _missing(connection: Connection) -> Iterator[str]:
    for name in ("public", "controle", "staging"):
        if not _one(connection, "SELECT has_schema_privilege(:name, 'USAGE')", name=name):
            yield f"USAGE on schema {name}"
            return  # what is in it can't even be named
    for rights, those in _NEEDED.items():
        for table in those:
            for right in rights:
                may = "SELECT has_table_privilege(CAST(:table AS regclass), :right)"
                if not _one(connection, may, table=table.fullname, right=right):
                    yield f"{right} on {table.fullname}"
    for name in ("staging.analisar(text)", "staging.limpar(integer)"):
        may = "SELECT has_function_privilege(CAST(:name AS regprocedure), 'EXECUTE')"
        if not _one(connection, may, name=name):
            yield f"EXECUTE on {name}"
    if not _one(connection, "SELECT has_database_privilege(current_database(), 'TEMPORARY')"):
        yield "TEMPORARY on the database"


@asked
def rights(connection: Connection, _: Settings) -> Line:
    """The role can do all of the night's work, and no more."""
    if missing := list(_missing(connection)):
        return red(f"the role has no {some(missing, 3)}", GRANTS)
    name = _one(connection, "SELECT current_user")
    enough = "the night needs no more than ccb_loader (`ccb-luigi db grants`)"
    if _one(connection, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
        return yellow(f"{name} is a superuser", enough)
    owns = (
        "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = CAST('public.operacoes' AS regclass)"
    )
    if _one(connection, owns):
        return yellow(f"{name} owns the tables and may drop them", enough)
    return green(f"{name} may read and write rows, and no more")


@asked
def row_security(connection: Connection, _: Settings) -> Line:
    """A policy that hides rows makes a proof a lie."""
    held = _names(
        connection,
        """SELECT CAST(oid AS regclass) FROM pg_class WHERE relrowsecurity
           AND CAST(relnamespace AS regnamespace)::text IN ('public', 'controle', 'staging')
           AND row_security_active(oid) ORDER BY 1""",
    )
    if held:
        return red(
            f"policies hide rows of {some(held)} from this role",
            "ALTER ROLE ... BYPASSRLS for the loader, or ALTER TABLE ... DISABLE ROW LEVEL SECURITY",
        )
    return green("hides nothing")


@asked
def writable(connection: Connection, _: Settings) -> Line:
    """A standby, or a server that was set to read only."""
    if _one(connection, "SELECT pg_is_in_recovery()"):
        return red("a standby, which only reads", "CCB_POSTGRES_URL must name the primary")
    return green("the primary")


@asked
def publications(connection: Connection, _: Settings) -> Line:
    """Publications that take staging along: it changes by the million, and holds what people are called."""
    found = _names(
        connection,
        """SELECT pubname FROM pg_publication WHERE puballtables UNION
           SELECT pubname FROM pg_publication_tables WHERE schemaname = 'staging' ORDER BY 1""",
    )
    if not found:
        return green("none of staging")
    keyless = _names(
        connection,
        """SELECT relname FROM pg_class c WHERE relnamespace = CAST('staging' AS regnamespace)
           AND relkind = 'r' AND relreplident IN ('d', 'n')
           AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = c.oid AND indisprimary)""",
    )
    instead = "publish the schema public: CREATE PUBLICATION ... FOR TABLES IN SCHEMA public"
    if keyless:
        return red(
            f"{some(found)} publishes staging, whose tables have no key: every date would fail", instead
        )
    return yellow(f"{some(found)} publishes staging, rows that live for minutes", instead)


@asked
def clock(connection: Connection, _: Settings) -> Line:
    """The server's clock against ours."""
    began = datetime.now(UTC)
    return judge_clock(_one(connection, "SELECT clock_timestamp()"), began, datetime.now(UTC))


@asked
def password(connection: Connection, _: Settings) -> Line:
    """When the role's password ends."""
    ends = "SELECT rolvaliduntil FROM pg_roles WHERE rolname = session_user AND rolvaliduntil < 'infinity'"
    return judge_expiry(_one(connection, ends), datetime.now(UTC))


def judge_expiry(until: datetime | None, now: datetime) -> Line:
    """VALID UNTIL of the role."""
    if until is None:
        return green("without an end")
    if until <= now:
        return red(f"ended on {until:%Y-%m-%d}", "ALTER ROLE ... PASSWORD ... VALID UNTIL ...")
    if until - now < SOON:
        return yellow(f"ends on {until:%Y-%m-%d}", "ALTER ROLE ... PASSWORD ... VALID UNTIL ...")
    return green(f"ends on {until:%Y-%m-%d}")


@asked
def connections(connection: Connection, settings: Settings) -> Line:
    """Enough of them for the workers, as far as role and database have limits."""
    limit = _one(
        connection,
        """SELECT min(n) FROM (
               SELECT rolconnlimit AS n FROM pg_roles WHERE rolname = session_user
               UNION ALL SELECT datconnlimit FROM pg_database WHERE datname = current_database()) limits
           WHERE n >= 0""",
    )
    needed = settings.workers + 2  # the command's own, and one that looks whether the server still answers
    if limit is not None and limit < needed:
        return red(
            f"role or database allow {limit}, {settings.workers} workers need {needed}",
            "ALTER ROLE ... CONNECTION LIMIT, or fewer CCB_WORKERS",
        )
    return green(f"{limit} allowed" if limit is not None else "no limit of role or database")


@asked
def room(connection: Connection, _: Settings) -> Line:
    """The server's disk, where that is this machine's."""
    size = _one(connection, "SELECT pg_database_size(current_database())")
    held = f"the database has {_gigabytes(size)}"
    info = postgres.driver_connection(connection).info
    may = _one(connection, "SELECT pg_has_role('pg_read_all_settings', 'USAGE')")
    if not may or not web.is_here(info.host):
        return grey(f"PostgreSQL doesn't tell what is free; {held}", "look at the server's disk: df -h")
    try:
        free = shutil.disk_usage(_one(connection, "SHOW data_directory")).free
    except OSError:
        return grey(
            f"the server's directory isn't on this machine; {held}", "look at the server's disk: df -h"
        )
    if free < max(LEAST_ROOM, size // 10):
        return yellow(f"{_gigabytes(free)} free; {held}", "make room: a full disk ends every load")
    return green(f"{_gigabytes(free)} free; {held}")


def _gigabytes(number: int) -> str:
    return f"{number / (1 << 30):,.1f} GB"


@asked
def dates(connection: Connection, settings: Settings) -> Line:
    """What the first night would have to do."""
    count = settings.nightly_days
    days = status.last_days(connection, settings, settings.yesterday(), count)
    missing = [day for day in days if day.missing]
    if not _one(connection, "SELECT EXISTS (SELECT FROM table_updates)"):
        return yellow(
            f"none is migrated: the night does the last {count}, and nothing older",
            "first `ccb-luigi run --full`",
        )
    if wrong := [str(day.day) for day in days if day.proven is False]:
        return yellow(f"not proven: {some(wrong)}", "`ccb-luigi rerun --date D`")
    if missing:
        return yellow(
            f"{count - len(missing)} of the last {count} are complete",
            f"nothing: the night does {some([str(day.day) for day in missing])}",
        )
    return green(f"the last {count} are complete")


@asked
def forget_key(connection: Connection, settings: Settings) -> Line:
    """Erased clients need the key that they were erased with."""
    try:
        erased = erasures.known(connection, settings)
    except CcbError as error:
        return red(
            str(error).partition(":")[0], "the key of the erasures, into the environment file of every run"
        )
    return green("the one of the erasures" if erased else "not needed: nobody has been erased")
