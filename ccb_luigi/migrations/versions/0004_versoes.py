"""What each loaded document's bytes were, so that a rerun passes over what can't have changed."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """The table of versions, and the fingerprint in staging."""
    op.create_table(
        "versoes",
        sa.Column("mongo_id", sa.Text(collation="C"), nullable=False),
        sa.Column("particao", sa.Date(), nullable=False),
        sa.Column("ccb_code", sa.Text(collation="C"), nullable=False),
        sa.Column("client_id", sa.Text(collation="C"), nullable=False),
        sa.Column("atualizado_em", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valor_bruto", sa.Numeric(precision=15, scale=2), nullable=False),
        sa.Column("soma_prestacoes", sa.Numeric(precision=20, scale=2), nullable=False),
        sa.Column("impressao", sa.Text(), nullable=False),
        sa.Column("linhas", sa.BigInteger(), nullable=False),
        sa.Column("escritas", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "valor_bruto <> 'NaN' AND soma_prestacoes <> 'NaN'", name=op.f("versoes_finitos_check")
        ),
        sa.PrimaryKeyConstraint("mongo_id", name=op.f("versoes_pkey")),
        schema="controle",
    )
    op.create_index(op.f("versoes_particao_idx"), "versoes", ["particao"], unique=False, schema="controle")
    op.add_column("contratos", sa.Column("impressao", sa.Text(), nullable=True), schema="staging")
