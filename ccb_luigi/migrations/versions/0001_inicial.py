"""The eight tables, the markers, the quarantine, the findings, the proofs, and staging."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Creates everything."""
    op.execute("CREATE SCHEMA IF NOT EXISTS staging")
    _tables()


def _tables() -> None:
    op.create_table(
        "clientes",
        sa.Column("client_id", sa.Text(collation="C"), nullable=False),
        sa.Column("nome", sa.Text(), nullable=False),
        sa.Column("tipo_pessoa", sa.Text(), nullable=False),
        sa.Column("cpf_cnpj", sa.Text(), nullable=False),
        sa.Column("data_nascimento", sa.Date(), nullable=True),
        sa.Column("estado_civil", sa.Text(), nullable=True),
        sa.Column("naturalidade", sa.Text(), nullable=True),
        sa.Column("genero", sa.Text(), nullable=True),
        sa.Column("nome_mae", sa.Text(), nullable=True),
        sa.Column("pep", sa.Boolean(), nullable=True),
        sa.Column("uf", sa.Text(), nullable=True),
        sa.Column("estrutura", sa.Text(), nullable=True),
        sa.Column("renda_media_mensal", sa.Numeric(precision=15, scale=2), nullable=True),
        sa.Column("mongo_id", sa.Text(collation="C"), nullable=False),
        sa.Column("atualizado_em", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "carregado_em",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("renda_media_mensal <> 'NaN'", name=op.f("clientes_finitos_check")),
        sa.CheckConstraint("tipo_pessoa IN ('PF', 'PJ')", name=op.f("clientes_tipo_pessoa_check")),
        sa.PrimaryKeyConstraint("client_id", name=op.f("clientes_pkey")),
    )
    op.create_index(op.f("clientes_cpf_cnpj_idx"), "clientes", ["cpf_cnpj"], unique=False)
    op.create_table(
        "quarentena",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("mongo_id", sa.Text(collation="C"), nullable=False),
        sa.Column("particao", sa.Date(), nullable=True),
        sa.Column("codigos", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("erros", JSONB(), nullable=False),
        sa.Column("documento", sa.LargeBinary(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column(
            "primeira_vez",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "ultima_vez",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("tentativas", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("resolvido_em", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("quarentena_pkey")),
        schema="controle",
    )
    op.create_index(
        "quarentena_aberta_key",
        "quarentena",
        ["mongo_id"],
        unique=True,
        schema="controle",
        postgresql_where=sa.text("resolvido_em IS NULL"),
    )
    op.create_index(
        op.f("quarentena_particao_idx"), "quarentena", ["particao"], unique=False, schema="controle"
    )
    op.create_table(
        "reconciliacoes",
        sa.Column("particao", sa.Date(), nullable=False),
        sa.Column("lidos", sa.BigInteger(), nullable=False),
        sa.Column("carregados", sa.BigInteger(), nullable=False),
        sa.Column("sem_mudanca", sa.BigInteger(), nullable=False),
        sa.Column("obsoletos", sa.BigInteger(), nullable=False),
        sa.Column("quarentena", sa.BigInteger(), nullable=False),
        sa.Column("soma_valor_bruto_origem", sa.Numeric(precision=20, scale=2), nullable=False),
        sa.Column("soma_valor_bruto_destino", sa.Numeric(precision=20, scale=2), nullable=False),
        sa.Column("soma_prestacoes_origem", sa.Numeric(precision=20, scale=2), nullable=False),
        sa.Column("soma_prestacoes_destino", sa.Numeric(precision=20, scale=2), nullable=False),
        sa.Column("ok", sa.Boolean(), nullable=False),
        sa.Column(
            "conferido_em",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "soma_valor_bruto_origem <> 'NaN' AND soma_valor_bruto_destino <> 'NaN' AND soma_prestacoes_origem <> 'NaN' AND soma_prestacoes_destino <> 'NaN'",
            name=op.f("reconciliacoes_finitos_check"),
        ),
        sa.PrimaryKeyConstraint("particao", name=op.f("reconciliacoes_pkey")),
        schema="controle",
    )
    op.create_table(
        "clientes",
        sa.Column("lote", sa.Integer(), nullable=False),
        sa.Column("doc", sa.Integer(), nullable=False),
        sa.Column("nome", sa.Text(), nullable=False),
        sa.Column("tipo_pessoa", sa.Text(), nullable=False),
        sa.Column("cpf_cnpj", sa.Text(), nullable=False),
        sa.Column("data_nascimento", sa.Date(), nullable=True),
        sa.Column("estado_civil", sa.Text(), nullable=True),
        sa.Column("naturalidade", sa.Text(), nullable=True),
        sa.Column("genero", sa.Text(), nullable=True),
        sa.Column("nome_mae", sa.Text(), nullable=True),
        sa.Column("pep", sa.Boolean(), nullable=True),
        sa.Column("uf", sa.Text(), nullable=True),
        sa.Column("estrutura", sa.Text(), nullable=True),
        sa.Column("renda_media_mensal", sa.Numeric(precision=15, scale=2), nullable=True),
        schema="staging",
    )
    op.create_table(
        "contatos",
        sa.Column("lote", sa.Integer(), nullable=False),
        sa.Column("doc", sa.Integer(), nullable=False),
        sa.Column("tipo", sa.Text(), nullable=False),
        sa.Column("valor", sa.Text(), nullable=False),
        schema="staging",
    )
    op.create_table(
        "contratos",
        sa.Column("lote", sa.Integer(), nullable=False),
        sa.Column("doc", sa.Integer(), nullable=False),
        sa.Column("mongo_id", sa.Text(collation="C"), nullable=False),
        sa.Column("ccb_code", sa.Text(collation="C"), nullable=False),
        sa.Column("client_id", sa.Text(collation="C"), nullable=False),
        sa.Column("atualizado_em", sa.DateTime(timezone=True), nullable=False),
        sa.Column("particao", sa.Date(), nullable=False),
        sa.Column("valor_bruto", sa.Numeric(precision=15, scale=2), nullable=False),
        sa.Column("soma_prestacoes", sa.Numeric(precision=20, scale=2), nullable=False),
        sa.Column("situacao", sa.Text(), nullable=True),
        schema="staging",
    )
    op.create_table(
        "dados_bancarios",
        sa.Column("lote", sa.Integer(), nullable=False),
        sa.Column("doc", sa.Integer(), nullable=False),
        sa.Column("banco", sa.Text(), nullable=False),
        sa.Column("agencia", sa.Text(), nullable=False),
        sa.Column("conta", sa.Text(), nullable=False),
        schema="staging",
    )
    op.create_table(
        "detalhamento_cet",
        sa.Column("lote", sa.Integer(), nullable=False),
        sa.Column("doc", sa.Integer(), nullable=False),
        sa.Column("porcentagem_juros", sa.Numeric(), nullable=True),
        sa.Column("porcentagem_impostos", sa.Numeric(), nullable=True),
        sa.Column("porcentagem_tarifas", sa.Numeric(), nullable=True),
        sa.Column("porcentagem_servicos", sa.Numeric(), nullable=True),
        schema="staging",
    )
    op.create_table(
        "enderecos",
        sa.Column("lote", sa.Integer(), nullable=False),
        sa.Column("doc", sa.Integer(), nullable=False),
        sa.Column("tipo", sa.Text(), nullable=False),
        sa.Column("cep", sa.Text(), nullable=True),
        sa.Column("uf", sa.Text(), nullable=True),
        sa.Column("cidade", sa.Text(), nullable=True),
        sa.Column("logradouro", sa.Text(), nullable=True),
        sa.Column("bairro", sa.Text(), nullable=True),
        sa.Column("numero", sa.Text(), nullable=True),
        sa.Column("complemento", sa.Text(), nullable=True),
        schema="staging",
    )
    op.create_table(
        "identidades",
        sa.Column("lote", sa.Integer(), nullable=False),
        sa.Column("doc", sa.Integer(), nullable=False),
        sa.Column("tipo", sa.Text(), nullable=False),
        sa.Column("numero", sa.Text(), nullable=False),
        sa.Column("orgao_emissor", sa.Text(), nullable=True),
        sa.Column("uf_emissor", sa.Text(), nullable=True),
        schema="staging",
    )
    op.create_table(
        "operacoes",
        sa.Column("lote", sa.Integer(), nullable=False),
        sa.Column("doc", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("vencimento_primeira_parcela", sa.Date(), nullable=False),
        sa.Column("carencia", sa.Integer(), nullable=True),
        sa.Column("finan_iof", sa.Boolean(), nullable=True),
        sa.Column("conta", sa.Text(), nullable=True),
        sa.Column("valor_bruto", sa.Numeric(precision=15, scale=2), nullable=False),
        sa.Column("valor_seguro", sa.Numeric(precision=15, scale=2), nullable=True),
        sa.Column("valor_cad", sa.Numeric(precision=15, scale=2), nullable=True),
        sa.Column("valor_iof", sa.Numeric(precision=15, scale=2), nullable=True),
        sa.Column("valor_liquido", sa.Numeric(precision=15, scale=2), nullable=False),
        sa.Column("taxa_juros", sa.Numeric(), nullable=True),
        sa.Column("taxa_juros_anual", sa.Numeric(), nullable=True),
        sa.Column("cet", sa.Numeric(), nullable=True),
        sa.Column("cet_anual", sa.Numeric(), nullable=True),
        sa.Column("data_liberacao", sa.Date(), nullable=True),
        sa.Column("data_vencimento_inicial", sa.Date(), nullable=True),
        sa.Column("data_vencimento_final", sa.Date(), nullable=True),
        sa.Column("numero_parcelas", sa.Integer(), nullable=True),
        sa.Column("total_amortizacao", sa.Numeric(precision=15, scale=2), nullable=True),
        sa.Column("total_taxa_servico", sa.Numeric(precision=15, scale=2), nullable=True),
        sa.Column("total_seguro", sa.Numeric(precision=15, scale=2), nullable=True),
        sa.Column("total_taxa_correcao", sa.Numeric(precision=15, scale=2), nullable=True),
        sa.Column("total_juros", sa.Numeric(precision=15, scale=2), nullable=True),
        sa.Column("total_valor_parcelas", sa.Numeric(precision=15, scale=2), nullable=True),
        sa.Column("criado_em", sa.DateTime(timezone=True), nullable=True),
        sa.Column("emitido_em", sa.DateTime(timezone=True), nullable=True),
        sa.Column("extras", JSONB(), nullable=False),
        schema="staging",
    )
    op.create_table(
        "parcelas",
        sa.Column("lote", sa.Integer(), nullable=False),
        sa.Column("doc", sa.Integer(), nullable=False),
        sa.Column("numero_parcela", sa.Integer(), nullable=False),
        sa.Column("data_vencimento", sa.Date(), nullable=False),
        sa.Column("valor_amortizacao", sa.Numeric(precision=15, scale=2), nullable=True),
        sa.Column("valor_correcao", sa.Numeric(precision=15, scale=2), nullable=True),
        sa.Column("valor_juros", sa.Numeric(precision=15, scale=2), nullable=True),
        sa.Column("valor_seguro", sa.Numeric(precision=15, scale=2), nullable=True),
        sa.Column("valor_taxa_bancaria", sa.Numeric(precision=15, scale=2), nullable=True),
        sa.Column("valor_prestacao", sa.Numeric(precision=15, scale=2), nullable=True),
        sa.Column("valor_saldo_anterior", sa.Numeric(precision=15, scale=2), nullable=True),
        sa.Column("valor_juros_capitalizados", sa.Numeric(precision=15, scale=2), nullable=True),
        sa.Column("valor_saldo_atual", sa.Numeric(precision=15, scale=2), nullable=True),
        schema="staging",
    )
    op.create_table(
        "qualidade",
        sa.Column("lote", sa.Integer(), nullable=False),
        sa.Column("doc", sa.Integer(), nullable=False),
        sa.Column("codigo", sa.Text(), nullable=False),
        sa.Column("campo", sa.Text(), nullable=False),
        schema="staging",
    )
    op.create_table(
        "table_updates",
        sa.Column("update_id", sa.Text(), nullable=False),
        sa.Column("target_table", sa.Text(), nullable=True),
        sa.Column("inserted", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=True),
        sa.Column("particao", sa.Date(), nullable=True),
        sa.Column("linhas", sa.BigInteger(), nullable=True),
        sa.Column("contagens", JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("segundos", sa.Numeric(precision=12, scale=3), nullable=True),
        sa.CheckConstraint("segundos <> 'NaN'", name=op.f("table_updates_finitos_check")),
        sa.PrimaryKeyConstraint("update_id", name=op.f("table_updates_pkey")),
    )
    op.create_index(op.f("table_updates_particao_idx"), "table_updates", ["particao"], unique=False)
    op.create_table(
        "contatos",
        sa.Column("client_id", sa.Text(collation="C"), nullable=False),
        sa.Column("tipo", sa.Text(), nullable=False),
        sa.Column("valor", sa.Text(), nullable=False),
        sa.CheckConstraint("tipo IN ('email', 'telefone')", name=op.f("contatos_tipo_check")),
        sa.ForeignKeyConstraint(["client_id"], ["clientes.client_id"], name=op.f("contatos_client_id_fkey")),
        sa.PrimaryKeyConstraint("client_id", "tipo", "valor", name=op.f("contatos_pkey")),
    )
    op.create_table(
        "dados_bancarios",
        sa.Column("client_id", sa.Text(collation="C"), nullable=False),
        sa.Column("banco", sa.Text(), nullable=False),
        sa.Column("agencia", sa.Text(), nullable=False),
        sa.Column("conta", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clientes.client_id"], name=op.f("dados_bancarios_client_id_fkey")
        ),
        sa.PrimaryKeyConstraint("client_id", "banco", "agencia", "conta", name=op.f("dados_bancarios_pkey")),
    )
    op.create_table(
        "enderecos",
        sa.Column("client_id", sa.Text(collation="C"), nullable=False),
        sa.Column("tipo", sa.Text(), nullable=False),
        sa.Column("cep", sa.Text(), nullable=True),
        sa.Column("uf", sa.Text(), nullable=True),
        sa.Column("cidade", sa.Text(), nullable=True),
        sa.Column("logradouro", sa.Text(), nullable=True),
        sa.Column("bairro", sa.Text(), nullable=True),
        sa.Column("numero", sa.Text(), nullable=True),
        sa.Column("complemento", sa.Text(), nullable=True),
        sa.CheckConstraint("tipo IN ('residencial', 'comercial')", name=op.f("enderecos_tipo_check")),
        sa.ForeignKeyConstraint(["client_id"], ["clientes.client_id"], name=op.f("enderecos_client_id_fkey")),
        sa.PrimaryKeyConstraint("client_id", "tipo", name=op.f("enderecos_pkey")),
    )
    op.create_table(
        "identidades",
        sa.Column("client_id", sa.Text(collation="C"), nullable=False),
        sa.Column("tipo", sa.Text(), nullable=False),
        sa.Column("numero", sa.Text(), nullable=False),
        sa.Column("orgao_emissor", sa.Text(), nullable=True),
        sa.Column("uf_emissor", sa.Text(), nullable=True),
        sa.CheckConstraint("tipo IN ('CPF', 'CNPJ', 'RG')", name=op.f("identidades_tipo_check")),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clientes.client_id"], name=op.f("identidades_client_id_fkey")
        ),
        sa.PrimaryKeyConstraint("client_id", "tipo", name=op.f("identidades_pkey")),
    )
    op.create_table(
        "operacoes",
        sa.Column("ccb_code", sa.Text(collation="C"), nullable=False),
        sa.Column("mongo_id", sa.Text(collation="C"), nullable=False),
        sa.Column("client_id", sa.Text(collation="C"), nullable=False),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("vencimento_primeira_parcela", sa.Date(), nullable=False),
        sa.Column("carencia", sa.Integer(), nullable=True),
        sa.Column("finan_iof", sa.Boolean(), nullable=True),
        sa.Column("conta", sa.Text(), nullable=True),
        sa.Column("valor_bruto", sa.Numeric(precision=15, scale=2), nullable=False),
        sa.Column("valor_seguro", sa.Numeric(precision=15, scale=2), nullable=True),
        sa.Column("valor_cad", sa.Numeric(precision=15, scale=2), nullable=True),
        sa.Column("valor_iof", sa.Numeric(precision=15, scale=2), nullable=True),
        sa.Column("valor_liquido", sa.Numeric(precision=15, scale=2), nullable=False),
        sa.Column("taxa_juros", sa.Numeric(), nullable=True),
        sa.Column("taxa_juros_anual", sa.Numeric(), nullable=True),
        sa.Column("cet", sa.Numeric(), nullable=True),
        sa.Column("cet_anual", sa.Numeric(), nullable=True),
        sa.Column("data_liberacao", sa.Date(), nullable=True),
        sa.Column("data_vencimento_inicial", sa.Date(), nullable=True),
        sa.Column("data_vencimento_final", sa.Date(), nullable=True),
        sa.Column("numero_parcelas", sa.Integer(), nullable=True),
        sa.Column("total_amortizacao", sa.Numeric(precision=15, scale=2), nullable=True),
        sa.Column("total_taxa_servico", sa.Numeric(precision=15, scale=2), nullable=True),
        sa.Column("total_seguro", sa.Numeric(precision=15, scale=2), nullable=True),
        sa.Column("total_taxa_correcao", sa.Numeric(precision=15, scale=2), nullable=True),
        sa.Column("total_juros", sa.Numeric(precision=15, scale=2), nullable=True),
        sa.Column("total_valor_parcelas", sa.Numeric(precision=15, scale=2), nullable=True),
        sa.Column("criado_em", sa.DateTime(timezone=True), nullable=True),
        sa.Column("emitido_em", sa.DateTime(timezone=True), nullable=True),
        sa.Column("atualizado_em", sa.DateTime(timezone=True), nullable=False),
        sa.Column("excluido_em", sa.DateTime(timezone=True), nullable=True),
        sa.Column("extras", JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column(
            "carregado_em",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "valor_bruto <> 'NaN' AND valor_seguro <> 'NaN' AND valor_cad <> 'NaN' AND valor_iof <> 'NaN' AND valor_liquido <> 'NaN' AND taxa_juros < 'Infinity' AND taxa_juros > '-Infinity' AND taxa_juros_anual < 'Infinity' AND taxa_juros_anual > '-Infinity' AND cet < 'Infinity' AND cet > '-Infinity' AND cet_anual < 'Infinity' AND cet_anual > '-Infinity' AND total_amortizacao <> 'NaN' AND total_taxa_servico <> 'NaN' AND total_seguro <> 'NaN' AND total_taxa_correcao <> 'NaN' AND total_juros <> 'NaN' AND total_valor_parcelas <> 'NaN'",
            name=op.f("operacoes_finitos_check"),
        ),
        sa.ForeignKeyConstraint(["client_id"], ["clientes.client_id"], name=op.f("operacoes_client_id_fkey")),
        sa.PrimaryKeyConstraint("ccb_code", name=op.f("operacoes_pkey")),
        sa.UniqueConstraint("mongo_id", name=op.f("operacoes_mongo_id_key")),
    )
    op.create_index(op.f("operacoes_client_id_idx"), "operacoes", ["client_id"], unique=False)
    op.create_table(
        "qualidade",
        sa.Column("ccb_code", sa.Text(collation="C"), nullable=False),
        sa.Column("mongo_id", sa.Text(collation="C"), nullable=False),
        sa.Column("codigo", sa.Text(), nullable=False),
        sa.Column("campo", sa.Text(), nullable=False),
        sa.Column("particao", sa.Date(), nullable=True),
        sa.Column(
            "observado_em",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["ccb_code"],
            ["operacoes.ccb_code"],
            name=op.f("qualidade_ccb_code_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("ccb_code", "codigo", "campo", name=op.f("qualidade_pkey")),
        schema="controle",
    )
    op.create_table(
        "detalhamento_cet",
        sa.Column("ccb_code", sa.Text(collation="C"), nullable=False),
        sa.Column("porcentagem_juros", sa.Numeric(), nullable=True),
        sa.Column("porcentagem_impostos", sa.Numeric(), nullable=True),
        sa.Column("porcentagem_tarifas", sa.Numeric(), nullable=True),
        sa.Column("porcentagem_servicos", sa.Numeric(), nullable=True),
        sa.CheckConstraint(
            "porcentagem_juros < 'Infinity' AND porcentagem_juros > '-Infinity' AND porcentagem_impostos < 'Infinity' AND porcentagem_impostos > '-Infinity' AND porcentagem_tarifas < 'Infinity' AND porcentagem_tarifas > '-Infinity' AND porcentagem_servicos < 'Infinity' AND porcentagem_servicos > '-Infinity'",
            name=op.f("detalhamento_cet_finitos_check"),
        ),
        sa.ForeignKeyConstraint(
            ["ccb_code"],
            ["operacoes.ccb_code"],
            name=op.f("detalhamento_cet_ccb_code_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("ccb_code", name=op.f("detalhamento_cet_pkey")),
    )
    op.create_table(
        "parcelas",
        sa.Column("ccb_code", sa.Text(collation="C"), nullable=False),
        sa.Column("numero_parcela", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("data_vencimento", sa.Date(), nullable=False),
        sa.Column("valor_amortizacao", sa.Numeric(precision=15, scale=2), nullable=True),
        sa.Column("valor_correcao", sa.Numeric(precision=15, scale=2), nullable=True),
        sa.Column("valor_juros", sa.Numeric(precision=15, scale=2), nullable=True),
        sa.Column("valor_seguro", sa.Numeric(precision=15, scale=2), nullable=True),
        sa.Column("valor_taxa_bancaria", sa.Numeric(precision=15, scale=2), nullable=True),
        sa.Column("valor_prestacao", sa.Numeric(precision=15, scale=2), nullable=True),
        sa.Column("valor_saldo_anterior", sa.Numeric(precision=15, scale=2), nullable=True),
        sa.Column("valor_juros_capitalizados", sa.Numeric(precision=15, scale=2), nullable=True),
        sa.Column("valor_saldo_atual", sa.Numeric(precision=15, scale=2), nullable=True),
        sa.CheckConstraint(
            "valor_amortizacao <> 'NaN' AND valor_correcao <> 'NaN' AND valor_juros <> 'NaN' AND valor_seguro <> 'NaN' AND valor_taxa_bancaria <> 'NaN' AND valor_prestacao <> 'NaN' AND valor_saldo_anterior <> 'NaN' AND valor_juros_capitalizados <> 'NaN' AND valor_saldo_atual <> 'NaN'",
            name=op.f("parcelas_finitos_check"),
        ),
        sa.ForeignKeyConstraint(
            ["ccb_code"],
            ["operacoes.ccb_code"],
            name=op.f("parcelas_ccb_code_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("ccb_code", "numero_parcela", name=op.f("parcelas_pkey")),
    )
    op.create_index(op.f("parcelas_data_vencimento_idx"), "parcelas", ["data_vencimento"], unique=False)
