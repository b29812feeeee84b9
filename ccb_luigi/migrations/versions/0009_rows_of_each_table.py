"""How many rows a contract and its client had in each table when they were loaded: for the night's recount.

Null for what was loaded before: nobody counted it.
"""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """A column without a default: no row is touched."""
    op.execute("ALTER TABLE controle.versoes ADD COLUMN linhas_filhas integer[]")
