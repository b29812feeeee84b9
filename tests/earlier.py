"""Databases as earlier states of this version made them: what ``db upgrade`` promises to bring up to date."""

from __future__ import annotations

from pathlib import Path

import psycopg2

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007")

STATEMENTS = Path(__file__).with_name("earlier.sql")
"""What the migrations ran while they still made views, codes and comments: a part per revision."""


def make(url: str, revision: str) -> None:
    """Brings an empty database to ``revision`` as it was made then."""
    parts = STATEMENTS.read_text(encoding="utf-8").split("-- revision ")[1:]
    wanted = [part[4:] for part in parts if part[:4] <= revision]
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE SCHEMA controle; CREATE TABLE controle.alembic_version"
            " (version_num varchar(32) CONSTRAINT alembic_version_pkc PRIMARY KEY)"
        )
        cursor.execute("".join(wanted))
        cursor.execute("INSERT INTO controle.alembic_version VALUES (%s)", (revision,))
    connection.close()
