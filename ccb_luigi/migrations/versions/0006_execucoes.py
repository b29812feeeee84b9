"""The runs: when each command ran, how it ended, and what it needed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"

COMMENT = "Uma linha por execução de um comando: quando, com que resultado, e quanto levou"


def upgrade() -> None:
    """Creates the table."""
    op.create_table(
        "execucoes",
        sa.Column("execucao", sa.Text(collation="C"), nullable=False,
                  comment="Identificador da execução; o mesmo run_id está em cada linha do log"),
        sa.Column("comando", sa.Text(), nullable=False, comment="nightly, run, rerun ou sweep"),
        sa.Column("versao", sa.Text(), nullable=False, comment="Versão do programa"),
        sa.Column("iniciada_em", sa.DateTime(timezone=True), nullable=False, comment="Início"),
        sa.Column("terminada_em", sa.DateTime(timezone=True), nullable=False, comment="Fim"),
        sa.Column("codigo_saida", sa.Integer(), nullable=False,
                  comment="Código de saída do comando; 0: tudo certo"),
        sa.Column("datas_pedidas", sa.Integer(), nullable=False, comment="Datas que a execução devia completar"),
        sa.Column("datas_completas", sa.Integer(), nullable=False,
                  comment="Quantas delas estavam completas no fim"),
        sa.Column("documentos", sa.BigInteger(), nullable=False, comment="Documentos lidos na origem"),
        sa.Column("segundos_por_etapa", postgresql.JSONB(astext_type=sa.Text()), nullable=False,
                  comment="Etapa → segundos, somados sobre as datas; etapas podem correr ao mesmo tempo"),
        sa.Column("segundos_cpu", sa.Numeric(precision=12, scale=3), nullable=False,
                  comment="Segundos de processador de todos os processos"),
        sa.Column("memoria_bytes", sa.BigInteger(), nullable=False,
                  comment="Maior memória de todos os processos juntos, em bytes"),
        sa.CheckConstraint("segundos_cpu <> 'NaN'", name=op.f("execucoes_finitos_check")),
        sa.PrimaryKeyConstraint("execucao", name=op.f("execucoes_pkey")),
        schema="controle",
        comment=COMMENT,
    )  # fmt: skip
