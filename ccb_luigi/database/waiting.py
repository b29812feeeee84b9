"""Whom a session of ours waits for, asked over another connection: afterwards nobody can tell any more."""

from __future__ import annotations

import logging

from psycopg2 import extensions

log = logging.getLogger(__name__)

OURS = "ccb_luigi "
"""How the words for a session of this program's begin."""

# Who may not see others' activity sees null for it. No value of anybody: queries aren't asked for.
_HOLDERS = """
    SELECT a.pid, a.usename, a.application_name,
           pg_catalog.to_char(a.state_change AT TIME ZONE 'UTC', 'HH24:MI:SS'), a.state
    FROM pg_catalog.pg_stat_activity a
    WHERE a.pid = ANY (pg_catalog.pg_blocking_pids(%s)) ORDER BY a.pid
"""


def holders(connection: extensions.connection, process: int) -> list[str]:
    """Each in words.

    Behind a pooler the number of our own process isn't known, and nobody is found.
    """
    with connection.cursor() as cursor:
        cursor.execute(_HOLDERS, (process,))
        return [in_words(*row) for row in cursor.fetchall()]


def tell(held_by: list[str], before: list[str]) -> None:
    """Says for whom a session of ours waits, once: not if they are ours as well, which take turns."""
    others = [each for each in held_by if not each.startswith(OURS)]
    if others and held_by != before:
        log.warning("PostgreSQL: waiting for a lock of %s", "; ".join(others), extra={"event": "waiting"})


def in_words(
    pid: int, role: str | None, program: str | None, since: str | None, doing: str | None = None
) -> str:
    """A session: program, role, number, and since when it has been doing what it does, where that is seen."""
    told = f", {doing + ' ' if doing else ''}since {since} UTC" if since else ""
    return f"{program or 'a session'} of {role or 'another role'} (pid {pid}{told})"
