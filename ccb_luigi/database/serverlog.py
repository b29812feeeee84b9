"""What PostgreSQL's own log may tell of a row, by the settings of a session.

No statement of ours holds what a document says, and no line that it would quote of a COPY. What is left is
DETAIL and CONTEXT of an error that our rows meet nowhere, but somebody's own constraint or trigger may raise
("Failing row contains ..."): ``log_error_verbosity = terse`` leaves these out. ``grants.sql`` sets it for the
loader, where whoever runs it may.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class LogSetting:
    """A setting of the session, what it is and what it should be; ``advice``: how a superuser sets it."""

    name: str
    value: str
    wanted: str
    advice: str

    @property
    def good(self) -> bool:
        """Whether it is as it should be."""
        return self.value == self.wanted


def settings(connection: Connection) -> list[LogSetting]:
    """The settings that decide it, as they are for this connection's role and database."""
    row = connection.execute(
        text("""
            SELECT current_setting('log_error_verbosity') AS verbosity, quote_ident(current_user) AS role,
                   quote_ident(current_database()) AS database
        """)
    ).one()
    advice = f"ALTER ROLE {row.role} IN DATABASE {row.database} SET log_error_verbosity = 'terse'"
    return [LogSetting("log_error_verbosity", row.verbosity, "terse", advice)]
