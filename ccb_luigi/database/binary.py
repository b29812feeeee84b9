"""Rows in COPY's binary format, of which PostgreSQL quotes nothing.

A value that stands in a statement's text is in PostgreSQL's log as soon as the statement waits, takes long or
fails, at its default settings; of a COPY in text it quotes the line at which a session ends. What people
wrote into a document that we rejected must get there neither way.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from ccb_luigi.database.postgres import copy_in

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = struct.pack(">h", -1)


def copy_values(connection: Connection, table: str, rows: Iterable[Sequence[bytes | str | None]]) -> None:
    """COPYs rows into ``table``, whose columns are all text or bytea."""
    lines = [struct.pack(">h", len(row)) + b"".join(map(_cell, row)) for row in rows]
    copy_in(connection, f"COPY {table} FROM STDIN (FORMAT binary)", b"".join([_HEADER, *lines, _END]))


def _cell(value: bytes | str | None) -> bytes:
    if value is None:
        return struct.pack(">i", -1)
    content = value.encode() if isinstance(value, str) else value
    return struct.pack(">i", len(content)) + content
