"""What the owner of a database may have set for every session: all of it would change what ours do."""

from __future__ import annotations

from psycopg2 import ProgrammingError
from psycopg2.extensions import make_dsn, parse_dsn

HOSTILE = {
    "transactions": {
        "default_transaction_isolation": "serializable",
        "default_transaction_read_only": "on",
        "default_transaction_deferrable": "on",
        "synchronous_commit": "off",
    },
    "names": {
        "search_path": "controle, nowhere",
        "row_security": "on",
        "quote_all_identifiers": "on",
        "exit_on_error": "on",
    },
    "time-outs": {
        "statement_timeout": "'400ms'",
        "idle_in_transaction_session_timeout": "'400ms'",
        "idle_session_timeout": "'400ms'",
        "transaction_timeout": "'400ms'",
        "lock_timeout": "'1ms'",
    },
    "values": {
        "standard_conforming_strings": "off",
        "DateStyle": "'SQL, DMY'",
        "IntervalStyle": "iso_8601",
        "TimeZone": "'Asia/Tokyo'",
        "extra_float_digits": "-15",
        "client_encoding": "'LATIN1'",
        "bytea_output": "escape",
        "array_nulls": "off",
        "transform_null_equals": "on",
    },
}
"""Together none hides what another one does."""


def preferring(dsn: str) -> str:
    """The address, with which each session begins with them, as after ALTER DATABASE ... SET.

    They are options of libpq: blanks are marked there, and nothing is quoted. All but ``synchronous_commit``:
    what a crash may take back is the administrator's to say, and some tests crash the server.
    """
    try:
        given = parse_dsn(dsn)
    except ProgrammingError:  # a test of addresses that are none
        return dsn
    wanted = [
        (name, value.strip("'"))
        for some in HOSTILE.values()
        for name, value in some.items()
        if name != "synchronous_commit"
    ]
    options = [f"-c {name}={value.replace(' ', chr(92) + ' ')}" for name, value in wanted]
    return make_dsn(**given | {"options": " ".join([given.get("options", ""), *options])})
