"""The runs: when each command ran, how it ended, and what it needed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Creates the table."""
    op.create_table(
        "execucoes",
        sa.Column("execucao", sa.Text(collation="C"), nullable=False),
        sa.Column("comando", sa.Text(), nullable=False),
        sa.Column("versao", sa.Text(), nullable=False),
        sa.Column("iniciada_em", sa.DateTime(timezone=True), nullable=False),
        sa.Column("terminada_em", sa.DateTime(timezone=True), nullable=False),
        sa.Column("codigo_saida", sa.Integer(), nullable=False),
        sa.Column("datas_pedidas", sa.Integer(), nullable=False),
        sa.Column("datas_completas", sa.Integer(), nullable=False),
        sa.Column("documentos", sa.BigInteger(), nullable=False),
        sa.Column("segundos_por_etapa", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("segundos_cpu", sa.Numeric(precision=12, scale=3), nullable=False),
        sa.Column("memoria_bytes", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("segundos_cpu <> 'NaN'", name=op.f("execucoes_finitos_check")),
        sa.PrimaryKeyConstraint("execucao", name=op.f("execucoes_pkey")),
        schema="controle",
    )
