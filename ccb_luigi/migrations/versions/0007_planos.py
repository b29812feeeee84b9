"""Plans: a long range of dates cut into shards, which many workers of many hosts migrate."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Creates the plans and their shards."""
    op.create_table(
        "planos",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("origem", sa.Text(), nullable=False),
        sa.Column("fuso", sa.Text(), nullable=False),
        sa.Column("desde", sa.Date(), nullable=True),
        sa.Column("ate", sa.Date(), nullable=False),
        sa.Column("feitas", sa.ARRAY(sa.Date()), nullable=False),
        sa.Column("documentos", sa.BigInteger(), nullable=False),
        sa.Column("fatias", sa.Integer(), nullable=False),
        sa.Column("criado_em", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("planos_pkey")),
        schema="controle",
    )
    op.create_table(
        "fatias",
        sa.Column("plano", sa.BigInteger(), nullable=False),
        sa.Column("numero", sa.Integer(), nullable=False),
        sa.Column("documentos", sa.BigInteger(), nullable=False),
        sa.Column("trecho", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["plano"], ["controle.planos.id"], name=op.f("fatias_plano_fkey")),
        sa.PrimaryKeyConstraint("plano", "numero", name=op.f("fatias_pkey")),
        schema="controle",
    )
