"""Erased clients, and the schema of what an analyst may see."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Creates the table of erasures, and the schema ``analise``."""
    op.create_table(
        "esquecimentos",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column(
            "esquecido_em", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("por", sa.Text(), server_default=sa.text("SESSION_USER"), nullable=False),
        sa.Column("chave", sa.Text(), nullable=False),
        sa.Column("documentos", ARRAY(sa.Text()), nullable=False),
        sa.Column("verificador", sa.Text(), nullable=False),
        sa.Column("contagens", JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("esquecimentos_pkey")),
        schema="controle",
    )
    op.execute("CREATE SCHEMA IF NOT EXISTS analise")
