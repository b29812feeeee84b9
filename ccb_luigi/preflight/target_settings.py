"""PostgreSQL: what a transaction of ours really starts with, and what this role leaves in the log."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import Connection, text

from ccb_luigi.preflight.lines import Line, green, red, some, yellow
from ccb_luigi.preflight.target import asked
from ccb_luigi.settings import Settings

_RESET = "RESET it where it was set: ALTER ROLE, ALTER DATABASE, the address' options"

_NEEDED = {
    "transaction_isolation": "read committed",
    "transaction_read_only": "off",
    "session_replication_role": "origin",
    "standard_conforming_strings": "on",
    "client_encoding": "UTF8",
}
"""With another value a night fails, or its tables can't be trusted."""

_DURABLE = ("fsync", "full_page_writes", "synchronous_commit")
_LIMITS = ("statement_timeout", "idle_in_transaction_session_timeout", "transaction_timeout")
"""A load is one transaction, however long."""


@asked
def session(connection: Connection, _: Settings) -> Line:
    """What servers, databases and roles have set is set right for each transaction, or can't be."""
    return judge_session(_settings(connection, "setting", (*_NEEDED, *_LIMITS)))


def judge_session(found: Mapping[str, str]) -> Line:
    """``found``: setting → its value within a transaction of ours."""
    wrong = [f"{name} = {found[name]}" for name, good in _NEEDED.items() if found.get(name, good) != good]
    if wrong:
        return red(some(wrong), _RESET)
    if short := [f"{name} = {found[name]} ms" for name in _LIMITS if found.get(name, "0") != "0"]:
        return yellow(some(short), _RESET)
    return green("as the night needs it")


@asked
def durability(connection: Connection, _: Settings) -> Line:
    """Whether what is committed stays; it is the administrator's to say."""
    return judge_durability(_settings(connection, "setting", _DURABLE))


def judge_durability(found: Mapping[str, str]) -> Line:
    """``found``: setting → its value within a transaction of ours."""
    if fragile := [f"{name} = off" for name in _DURABLE if found[name] == "off"]:
        return yellow(
            f"a crash of the server may take back what a night has called done ({some(fragile)})",
            "set it on (docs/operations.md#postgresql)",
        )
    return green("what is committed stays")


_WRITES: dict[str, Callable[[str], bool]] = {
    "log_statement": lambda value: value in ("mod", "all"),
    "log_min_duration_statement": lambda value: value != "-1",
    "log_min_duration_sample": lambda value: value != "-1",
    "log_transaction_sample_rate": lambda value: float(value) > 0,
    "log_lock_waits": lambda value: value == "on",
    "auto_explain.log_min_duration": lambda value: value != "-1",
    "pgaudit.log": lambda value: value not in ("", "none"),
}
"""Setting → whether with it statements get into the log that failed at nothing."""


@asked
def log(connection: Connection, _: Settings) -> Line:
    """What the server's own log would hold of this role's work.

    No statement of ours holds what a document says, and no line that it would quote of a COPY. What is left
    is DETAIL and CONTEXT of an error that our rows meet nowhere, but somebody's own constraint or trigger may
    raise ("Failing row contains ..."): ``log_error_verbosity = terse`` leaves these out. ``grants.sql`` sets
    it for the loader, where whoever runs it may.
    """
    row = connection.execute(
        text("""
            SELECT current_setting('log_error_verbosity') AS verbosity, quote_ident(current_user) AS role,
                   quote_ident(current_database()) AS database
        """)
    ).one()
    if row.verbosity != "terse":
        return yellow(
            f"an error would quote its row there (log_error_verbosity = {row.verbosity})",
            f"as a superuser: ALTER ROLE {row.role} IN DATABASE {row.database}"
            " SET log_error_verbosity = 'terse'",
        )
    return judge_log(_settings(connection, "reset_val", tuple(_WRITES)))


def judge_log(found: Mapping[str, str]) -> Line:
    """``found``: setting → what server, database and role have said. Our statements hold ids, and no more."""
    telling = [
        f"{name} = {found[name]}" for name, tells in _WRITES.items() if name in found and tells(found[name])
    ]
    return green(f"holds no row; statements with ids ({some(telling)})" if telling else "holds no row")


def _settings(connection: Connection, column: str, names: tuple[str, ...]) -> dict[str, str]:
    rows = connection.execute(
        text(f"SELECT name, {column} AS found FROM pg_settings WHERE name = ANY(:names)"),
        {"names": list(names)},
    )
    return {row.name: str(row.found) for row in rows}
