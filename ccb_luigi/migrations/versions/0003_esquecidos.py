"""Erased clients, and what an analyst may see: views without names, documents, addresses and accounts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0003"
down_revision = "0002"

# With the owner's rights (the default): an analyst needs none on the tables. security_barrier: no function of
# a query sees a row that the view leaves out. Columns are named one by one: a new one is decided on here.
VIEWS = {
    "clientes": """
        SELECT client_id, tipo_pessoa,
               CASE length(cpf_cnpj)
                   WHEN 11 THEN '***.' || substr(cpf_cnpj, 4, 3) || '.' || substr(cpf_cnpj, 7, 3) || '-**'
                   WHEN 14 THEN '**.' || substr(cpf_cnpj, 3, 3) || '.' || substr(cpf_cnpj, 6, 3) || '/****-**'
                   ELSE '***'
               END AS cpf_cnpj,
               CAST(extract(year FROM data_nascimento) AS integer) AS ano_nascimento,
               estado_civil, genero, uf, estrutura, renda_media_mensal, atualizado_em, carregado_em
        FROM public.clientes
    """,
    "identidades": "SELECT client_id, tipo, orgao_emissor, uf_emissor FROM public.identidades",
    "enderecos": "SELECT client_id, tipo, uf, cidade FROM public.enderecos",
    "contatos": "SELECT client_id, tipo, count(*) AS quantidade FROM public.contatos GROUP BY client_id, tipo",
    "dados_bancarios": """
        SELECT client_id, banco, count(*) AS contas FROM public.dados_bancarios GROUP BY client_id, banco
    """,
    "operacoes": """
        SELECT ccb_code, mongo_id, client_id, status, vencimento_primeira_parcela, carencia, finan_iof,
               valor_bruto, valor_seguro, valor_cad, valor_iof, valor_liquido,
               taxa_juros, taxa_juros_anual, cet, cet_anual,
               data_liberacao, data_vencimento_inicial, data_vencimento_final, numero_parcelas,
               total_amortizacao, total_taxa_servico, total_seguro, total_taxa_correcao, total_juros,
               total_valor_parcelas, criado_em, emitido_em, atualizado_em, carregado_em
        FROM public.operacoes WHERE excluido_em IS NULL
    """,
    "parcelas": """
        SELECT p.ccb_code, p.numero_parcela, p.data_vencimento, p.valor_amortizacao, p.valor_correcao,
               p.valor_juros, p.valor_seguro, p.valor_taxa_bancaria, p.valor_prestacao,
               p.valor_saldo_anterior, p.valor_juros_capitalizados, p.valor_saldo_atual
        FROM public.parcelas p JOIN public.operacoes o ON o.ccb_code = p.ccb_code
        WHERE o.excluido_em IS NULL
    """,
    "detalhamento_cet": """
        SELECT d.ccb_code, d.porcentagem_juros, d.porcentagem_impostos, d.porcentagem_tarifas,
               d.porcentagem_servicos
        FROM public.detalhamento_cet d JOIN public.operacoes o ON o.ccb_code = d.ccb_code
        WHERE o.excluido_em IS NULL
    """,
    "qualidade": """
        SELECT q.ccb_code, q.mongo_id, q.codigo, q.campo, q.particao, q.observado_em
        FROM controle.qualidade q JOIN public.operacoes o ON o.ccb_code = q.ccb_code
        WHERE o.excluido_em IS NULL
    """,
    "reconciliacoes": """
        SELECT particao, lidos, carregados, sem_mudanca, obsoletos, quarentena,
               soma_valor_bruto_origem, soma_valor_bruto_destino,
               soma_prestacoes_origem, soma_prestacoes_destino, ok, conferido_em
        FROM controle.reconciliacoes
    """,
}


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
    op.execute("COMMENT ON SCHEMA analise IS 'What an analyst may see: no name, no document, no address'")
    for name, query in VIEWS.items():
        op.execute(f"CREATE VIEW analise.{name} WITH (security_barrier) AS {query}")
