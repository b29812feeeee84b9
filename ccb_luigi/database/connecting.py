"""A connection to PostgreSQL: opened quietly, with the newest password, and refused if it can't be used."""

from __future__ import annotations

import os
import re
from typing import Any

import psycopg2
from psycopg2.extensions import parse_dsn

from ccb_luigi import settings as settings_module
from ccb_luigi.errors import CcbError, ConfigurationError

SECONDS_TO_CONNECT = 10

# Shown in pg_stat_activity; the timeouts make a lost peer known within minutes instead of hours.
CONNECT: dict[str, Any] = {
    "application_name": "ccb_luigi",
    "connect_timeout": SECONDS_TO_CONNECT,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,  # keepalives are silent while data of ours wait to be acknowledged
    "client_encoding": "UTF8",
}

# Until psycopg2 has the connection libpq prints on stderr what the server warns of (a password that expires).
# At the second psycopg2 looks but once: a string with a backslash, quoted for "off", is another under "on".
_AT_ONCE = ("client_min_messages=error", "standard_conforming_strings=on")

WRONG_PASSWORD = "authentication failed|autentica.*falhou|no password supplied"  # noqa: S105 - a server's words


WATCHED_CLIENTS = "SET LOCAL client_connection_check_interval TO '5s'"
"""A backend whose client died stops, and lets its locks go."""


class Connector:
    """Opens connections to one address, whose password may be another one by the time of the next."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._takes_options = True
        self.watches_clients: bool | None = None
        """Whether the server can be asked to look after its clients; ``None``: nobody has tried."""

    def __call__(self) -> Any:
        """A connection that can be used.

        Raises:
            ConfigurationError: its database or its strings are of a kind that can't be.
            psycopg2.Error: it can't be had.
        """
        connection = self.open()
        try:
            refuse_unusable(connection)
            if self.watches_clients is None:
                self.watches_clients = _watches_clients(connection)
        except (CcbError, psycopg2.Error):
            connection.close()
            raise
        return connection

    def open(self) -> Any:
        """Any connection; if the password is wrong it is looked up once more, for it may live for minutes."""
        try:
            return self._quietly()
        except psycopg2.OperationalError as error:
            if not re.search(WRONG_PASSWORD, str(error), re.IGNORECASE) or not self._has_changed():
                raise
        return self._quietly()

    def _quietly(self) -> Any:
        """Without a word on stderr, as far as the server (or a pooler, which has few options) lets us."""
        options = self._options() if self._takes_options else None
        if options is None:
            return psycopg2.connect(self._dsn, **CONNECT)
        try:
            return psycopg2.connect(self._dsn, **CONNECT, options=options)
        except psycopg2.OperationalError as error:
            if "unsupported startup parameter" not in str(error):
                raise
        self._takes_options = False
        return psycopg2.connect(self._dsn, **CONNECT)

    def _options(self) -> str | None:
        """Ours beside the user's; what a service's file says nobody tells us, so there it stays as it is."""
        given = parse_dsn(self._dsn)
        if "service" in given or "PGSERVICE" in os.environ:
            return None
        theirs = given.get("options", os.environ.get("PGOPTIONS", ""))
        return " ".join([theirs, *(f"-c{each}" for each in _AT_ONCE)]).strip()

    def _has_changed(self) -> bool:
        """Whether the settings (a file with the secret, most likely) now name this database otherwise."""
        try:
            newest = settings_module.load().postgres_url
            same_place = newest and _place(newest) == _place(self._dsn)
        except (CcbError, psycopg2.Error):  # the refusal is what there is to be told
            return False
        if not same_place or newest == self._dsn:
            return False
        self._dsn = newest
        return True


def _place(dsn: str) -> dict[str, str]:
    """What an address says but for who comes."""
    return {name: value for name, value in parse_dsn(dsn).items() if name not in ("user", "password")}


def refuse_unusable(connection: Any) -> None:
    """Lets pass what every value can be written to as it is.

    Raises:
        ConfigurationError: the database isn't in UTF-8, or its strings aren't standard and can't be made so.
    """
    encoding = _told(connection, "server_encoding")
    if encoding != "UTF8":
        raise ConfigurationError(
            f"the database of CCB_POSTGRES_URL is in {encoding}, not in UTF8, and can't hold every name: make"
            " another one (createdb -E UTF8 -T template0; --locale=C.UTF-8 if the cluster's locale refuses)"
        )
    if _told(connection, "standard_conforming_strings") == "off":
        raise ConfigurationError(
            "PostgreSQL: standard_conforming_strings is off: RESET it for this role and this database"
            " (ALTER ROLE, ALTER DATABASE)"
        )


def _told(connection: Any, name: str) -> str:
    """A setting that a server tells by itself, and not every pooler passes on."""
    told = connection.info.parameter_status(name)
    if told is None:
        with connection, connection.cursor() as cursor:
            cursor.execute(f"SHOW {name}")
            ((told,),) = cursor.fetchall()
    return str(told)


def _watches_clients(connection: Any) -> bool:
    """On Linux, macOS and the BSDs; elsewhere a lost client's session goes on until its statement ends."""
    try:
        with connection, connection.cursor() as cursor:
            # A refusal is no reason to end the session, whatever is the default there.
            cursor.execute(f"SET LOCAL exit_on_error TO off; {WATCHED_CLIENTS}")
    except (psycopg2.errors.UndefinedObject, psycopg2.DataError, psycopg2.NotSupportedError):
        return False
    return True
