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
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="Número do plano"),
        sa.Column("origem", sa.Text(), nullable=False, comment="Coleção ou arquivo de que o plano foi feito"),
        sa.Column("fuso", sa.Text(), nullable=False,
                  comment="Fuso horário cujas meias-noites separam as datas"),
        sa.Column("desde", sa.Date(), nullable=True,
                  comment="Primeira data; nulo: desde o primeiro documento"),
        sa.Column("ate", sa.Date(), nullable=False, comment="Última data"),
        sa.Column("feitas", sa.ARRAY(sa.Date()), nullable=False,
                  comment="Datas que já estavam completas e ficaram de fora"),
        sa.Column("documentos", sa.BigInteger(), nullable=False,
                  comment="Documentos previstos em todas as fatias"),
        sa.Column("fatias", sa.Integer(), nullable=False, comment="Número de fatias"),
        sa.Column("criado_em", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False,
                  comment="Quando o plano foi feito"),
        sa.PrimaryKeyConstraint("id", name=op.f("planos_pkey")),
        schema="controle",
        comment="Cargas de muitas datas de uma vez: o que cada plano cobre; suas fatias estão em controle.fatias",
    )  # fmt: skip
    op.create_table(
        "fatias",
        sa.Column("plano", sa.BigInteger(), nullable=False, comment="Número do plano"),
        sa.Column("numero", sa.Integer(), nullable=False, comment="Número da fatia no plano, de 1 em diante"),
        sa.Column("documentos", sa.BigInteger(), nullable=False, comment="Documentos previstos"),
        sa.Column("trecho", postgresql.JSONB(astext_type=sa.Text()), nullable=False,
                  comment="O trecho da origem: intervalo de updatedAt, de _id, ou de bytes do arquivo"),
        sa.ForeignKeyConstraint(["plano"], ["controle.planos.id"], name=op.f("fatias_plano_fkey")),
        sa.PrimaryKeyConstraint("plano", "numero", name=op.f("fatias_pkey")),
        schema="controle",
        comment="As partes de um plano, cada uma carregada numa transação só;"
        " o marcador é fatia:<plano>:<número>",
    )  # fmt: skip
    op.execute(
        "COMMENT ON COLUMN public.table_updates.update_id IS '<tabela>:<data>; contratos é a extração,"
        " reconciliacoes a conferência. De um plano também fatia:<plano>:<número>, e plano:<plano> no fim'"
    )
