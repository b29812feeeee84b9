"""A program that is one revision ahead of this one, so that there is something to upgrade to."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ccb_luigi.database import schema

BEFORE = schema.REVISION
MIGRATIONS = schema.MIGRATIONS
NEXT = "9000"

ADDED = (
    "CREATE TABLE controle.depois (numero integer PRIMARY KEY)",
    "ALTER TABLE staging.contratos ADD COLUMN depois text",
)
"""A table, and a column where the pipeline alone would notice."""

REVISION = '''
"""As a version to come may have it."""

from alembic import op

revision = "{}"
down_revision = "{}"


def upgrade() -> None:
    for statement in {!r}:
        op.execute(statement)
'''


def install(monkeypatch: pytest.MonkeyPatch, directory: Path, *statements: str) -> None:
    """From here on the program has a revision more, of these statements (by default: ``ADDED``)."""
    migrations = directory / "migrations"
    shutil.copytree(MIGRATIONS, migrations, ignore=shutil.ignore_patterns("__pycache__"))
    file = migrations / "versions" / f"{NEXT}_later.py"
    file.write_text(REVISION.format(NEXT, BEFORE, statements or ADDED), encoding="utf-8")
    monkeypatch.setattr(schema, "MIGRATIONS", migrations)
    monkeypatch.setattr(schema, "REVISION", NEXT)
