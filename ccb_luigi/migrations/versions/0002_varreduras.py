"""The sweeps: what each found and did, also those that refused."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Creates the table."""
    op.create_table(
        "varreduras",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("iniciada_em", sa.DateTime(timezone=True), nullable=False),
        sa.Column("terminada_em", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lidos_origem", sa.BigInteger(), nullable=False),
        sa.Column("contratos_destino", sa.BigInteger(), nullable=False),
        sa.Column("carregados", sa.BigInteger(), nullable=False),
        sa.Column("sumidos", sa.BigInteger(), nullable=False),
        sa.Column("marcados_excluidos", sa.BigInteger(), nullable=False),
        sa.Column("reaparecidos", sa.BigInteger(), nullable=False),
        sa.Column("em_aberto", sa.BigInteger(), nullable=False),
        sa.Column("ainda_em_quarentena", sa.BigInteger(), nullable=False),
        sa.Column("ok", sa.Boolean(), nullable=False),
        sa.Column("motivo", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("varreduras_pkey")),
        schema="controle",
    )
