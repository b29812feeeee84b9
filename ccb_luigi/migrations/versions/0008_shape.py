"""All tables, as they were when this was written; a later change is a revision of its own.

Written out once and not derived from ``tables``, which goes on changing: a revision must do for ever what it
did. That all revisions together make what ``tables`` says, a test shows, down to the names that PostgreSQL
chooses for keys, checks and indexes.

Before the first release there were eight revisions. This one stands for them under the number of the last,
so a database that was made by them is where it should be.
"""

from alembic import op

revision = "0008"
down_revision = None


def upgrade() -> None:
    """Creates everything; ``schema`` has made ``controle``, where Alembic keeps the revision."""
    for part in (PUBLIC, CONTROLE, STAGING, STAGED):
        op.execute(part)


# numeric takes NaN, and without a precision infinity as well; NaN sorts above infinity.
PUBLIC = """
CREATE SCHEMA IF NOT EXISTS analise;

CREATE TABLE clientes (
    client_id text COLLATE "C" PRIMARY KEY,
    nome text NOT NULL,
    tipo_pessoa text NOT NULL CHECK (tipo_pessoa IN ('PF', 'PJ')),
    cpf_cnpj text NOT NULL,
    data_nascimento date,
    estado_civil text,
    naturalidade text,
    genero text,
    nome_mae text,
    pep boolean,
    uf text,
    estrutura text,
    renda_media_mensal numeric(15, 2),
    mongo_id text COLLATE "C" NOT NULL,
    atualizado_em timestamptz NOT NULL,
    carregado_em timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT clientes_finitos_check CHECK (renda_media_mensal <> 'NaN')
);
CREATE INDEX ON clientes (cpf_cnpj);

CREATE TABLE identidades (
    client_id text COLLATE "C" REFERENCES clientes,
    tipo text CHECK (tipo IN ('CPF', 'CNPJ', 'RG')),
    numero text NOT NULL,
    orgao_emissor text,
    uf_emissor text,
    PRIMARY KEY (client_id, tipo)
);

CREATE TABLE enderecos (
    client_id text COLLATE "C" REFERENCES clientes,
    tipo text CHECK (tipo IN ('residencial', 'comercial')),
    cep text,
    uf text,
    cidade text,
    logradouro text,
    bairro text,
    numero text,
    complemento text,
    PRIMARY KEY (client_id, tipo)
);

CREATE TABLE contatos (
    client_id text COLLATE "C" REFERENCES clientes,
    tipo text CHECK (tipo IN ('email', 'telefone')),
    valor text,
    PRIMARY KEY (client_id, tipo, valor)
);

CREATE TABLE dados_bancarios (
    client_id text COLLATE "C" REFERENCES clientes,
    banco text,
    agencia text,
    conta text,
    PRIMARY KEY (client_id, banco, agencia, conta)
);

CREATE TABLE operacoes (
    ccb_code text COLLATE "C" PRIMARY KEY,
    mongo_id text COLLATE "C" NOT NULL UNIQUE,
    client_id text COLLATE "C" NOT NULL REFERENCES clientes,
    status text,
    vencimento_primeira_parcela date NOT NULL,
    carencia integer,
    finan_iof boolean,
    conta text,
    valor_bruto numeric(15, 2) NOT NULL,
    valor_seguro numeric(15, 2),
    valor_cad numeric(15, 2),
    valor_iof numeric(15, 2),
    valor_liquido numeric(15, 2) NOT NULL,
    taxa_juros numeric,
    taxa_juros_anual numeric,
    cet numeric,
    cet_anual numeric,
    data_liberacao date,
    data_vencimento_inicial date,
    data_vencimento_final date,
    numero_parcelas integer,
    total_amortizacao numeric(15, 2),
    total_taxa_servico numeric(15, 2),
    total_seguro numeric(15, 2),
    total_taxa_correcao numeric(15, 2),
    total_juros numeric(15, 2),
    total_valor_parcelas numeric(15, 2),
    criado_em timestamptz,
    emitido_em timestamptz,
    atualizado_em timestamptz NOT NULL,
    excluido_em timestamptz,
    extras jsonb NOT NULL DEFAULT '{}',
    carregado_em timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT operacoes_finitos_check CHECK (
        valor_bruto <> 'NaN' AND valor_seguro <> 'NaN' AND valor_cad <> 'NaN' AND valor_iof <> 'NaN'
        AND valor_liquido <> 'NaN'
        AND taxa_juros < 'Infinity' AND taxa_juros > '-Infinity'
        AND taxa_juros_anual < 'Infinity' AND taxa_juros_anual > '-Infinity'
        AND cet < 'Infinity' AND cet > '-Infinity' AND cet_anual < 'Infinity' AND cet_anual > '-Infinity'
        AND total_amortizacao <> 'NaN' AND total_taxa_servico <> 'NaN' AND total_seguro <> 'NaN'
        AND total_taxa_correcao <> 'NaN' AND total_juros <> 'NaN' AND total_valor_parcelas <> 'NaN'
    )
);
CREATE INDEX ON operacoes (client_id);

CREATE TABLE parcelas (
    ccb_code text COLLATE "C" REFERENCES operacoes ON DELETE CASCADE,
    numero_parcela integer,
    data_vencimento date NOT NULL,
    valor_amortizacao numeric(15, 2),
    valor_correcao numeric(15, 2),
    valor_juros numeric(15, 2),
    valor_seguro numeric(15, 2),
    valor_taxa_bancaria numeric(15, 2),
    valor_prestacao numeric(15, 2),
    valor_saldo_anterior numeric(15, 2),
    valor_juros_capitalizados numeric(15, 2),
    valor_saldo_atual numeric(15, 2),
    PRIMARY KEY (ccb_code, numero_parcela),
    CONSTRAINT parcelas_finitos_check CHECK (
        valor_amortizacao <> 'NaN' AND valor_correcao <> 'NaN' AND valor_juros <> 'NaN'
        AND valor_seguro <> 'NaN' AND valor_taxa_bancaria <> 'NaN' AND valor_prestacao <> 'NaN'
        AND valor_saldo_anterior <> 'NaN' AND valor_juros_capitalizados <> 'NaN'
        AND valor_saldo_atual <> 'NaN'
    )
);
CREATE INDEX ON parcelas (data_vencimento);

CREATE TABLE detalhamento_cet (
    ccb_code text COLLATE "C" PRIMARY KEY REFERENCES operacoes ON DELETE CASCADE,
    porcentagem_juros numeric,
    porcentagem_impostos numeric,
    porcentagem_tarifas numeric,
    porcentagem_servicos numeric,
    CONSTRAINT detalhamento_cet_finitos_check CHECK (
        porcentagem_juros < 'Infinity' AND porcentagem_juros > '-Infinity'
        AND porcentagem_impostos < 'Infinity' AND porcentagem_impostos > '-Infinity'
        AND porcentagem_tarifas < 'Infinity' AND porcentagem_tarifas > '-Infinity'
        AND porcentagem_servicos < 'Infinity' AND porcentagem_servicos > '-Infinity'
    )
);

CREATE TABLE table_updates (
    update_id text PRIMARY KEY,
    target_table text,
    inserted timestamptz DEFAULT now(),
    particao date,
    linhas bigint,
    contagens jsonb NOT NULL DEFAULT '{}',
    segundos numeric(12, 3),
    CONSTRAINT table_updates_finitos_check CHECK (segundos <> 'NaN')
);
CREATE INDEX ON table_updates (particao);
"""

CONTROLE = """
CREATE TABLE controle.quarentena (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mongo_id text COLLATE "C" NOT NULL,
    particao date,
    codigos text[] NOT NULL,
    erros jsonb NOT NULL,
    documento bytea,
    sha256 text,
    primeira_vez timestamptz NOT NULL DEFAULT now(),
    ultima_vez timestamptz NOT NULL DEFAULT now(),
    tentativas integer NOT NULL DEFAULT 1,
    resolvido_em timestamptz
);
CREATE UNIQUE INDEX quarentena_aberta_key ON controle.quarentena (mongo_id) WHERE resolvido_em IS NULL;
CREATE INDEX ON controle.quarentena (particao);

CREATE TABLE controle.qualidade (
    ccb_code text COLLATE "C" REFERENCES operacoes ON DELETE CASCADE,
    mongo_id text COLLATE "C" NOT NULL,
    codigo text,
    campo text,
    particao date,
    observado_em timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (ccb_code, codigo, campo)
);

CREATE TABLE controle.reconciliacoes (
    particao date PRIMARY KEY,
    lidos bigint NOT NULL,
    carregados bigint NOT NULL,
    sem_mudanca bigint NOT NULL,
    obsoletos bigint NOT NULL,
    quarentena bigint NOT NULL,
    soma_valor_bruto_origem numeric(20, 2) NOT NULL,
    soma_valor_bruto_destino numeric(20, 2) NOT NULL,
    soma_prestacoes_origem numeric(20, 2) NOT NULL,
    soma_prestacoes_destino numeric(20, 2) NOT NULL,
    ok boolean NOT NULL,
    conferido_em timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT reconciliacoes_finitos_check CHECK (
        soma_valor_bruto_origem <> 'NaN' AND soma_valor_bruto_destino <> 'NaN'
        AND soma_prestacoes_origem <> 'NaN' AND soma_prestacoes_destino <> 'NaN'
    )
);

CREATE TABLE controle.versoes (
    mongo_id text COLLATE "C" PRIMARY KEY,
    particao date NOT NULL,
    ccb_code text COLLATE "C" NOT NULL,
    client_id text COLLATE "C" NOT NULL,
    atualizado_em timestamptz NOT NULL,
    valor_bruto numeric(15, 2) NOT NULL,
    soma_prestacoes numeric(20, 2) NOT NULL,
    impressao text NOT NULL,
    linhas bigint NOT NULL,
    escritas bigint NOT NULL,
    CONSTRAINT versoes_finitos_check CHECK (valor_bruto <> 'NaN' AND soma_prestacoes <> 'NaN')
);
CREATE INDEX ON controle.versoes (particao);

CREATE TABLE controle.varreduras (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    iniciada_em timestamptz NOT NULL,
    terminada_em timestamptz NOT NULL,
    lidos_origem bigint NOT NULL,
    contratos_destino bigint NOT NULL,
    carregados bigint NOT NULL,
    sumidos bigint NOT NULL,
    marcados_excluidos bigint NOT NULL,
    reaparecidos bigint NOT NULL,
    em_aberto bigint NOT NULL,
    ainda_em_quarentena bigint NOT NULL,
    ok boolean NOT NULL,
    motivo text
);

CREATE TABLE controle.execucoes (
    execucao text COLLATE "C" PRIMARY KEY,
    comando text NOT NULL,
    versao text NOT NULL,
    iniciada_em timestamptz NOT NULL,
    terminada_em timestamptz NOT NULL,
    codigo_saida integer NOT NULL,
    datas_pedidas integer NOT NULL,
    datas_completas integer NOT NULL,
    documentos bigint NOT NULL,
    segundos_por_etapa jsonb NOT NULL,
    segundos_cpu numeric(12, 3) NOT NULL,
    memoria_bytes bigint NOT NULL,
    CONSTRAINT execucoes_finitos_check CHECK (segundos_cpu <> 'NaN')
);

CREATE TABLE controle.planos (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    origem text NOT NULL,
    fuso text NOT NULL,
    desde date,
    ate date NOT NULL,
    feitas date[] NOT NULL,
    documentos bigint NOT NULL,
    fatias integer NOT NULL,
    criado_em timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE controle.fatias (
    plano bigint REFERENCES controle.planos,
    numero integer,
    documentos bigint NOT NULL,
    trecho jsonb NOT NULL,
    PRIMARY KEY (plano, numero)
);

CREATE TABLE controle.esquecimentos (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    esquecido_em timestamptz NOT NULL DEFAULT now(),
    por text NOT NULL DEFAULT SESSION_USER,
    chave text NOT NULL,
    documentos text[] NOT NULL,
    verificador text NOT NULL,
    contagens jsonb NOT NULL
);

CREATE TABLE controle.codigos (
    codigo text PRIMARY KEY,
    tipo text NOT NULL,
    significado text NOT NULL,
    providencia text NOT NULL
);

CREATE TABLE controle.textos (
    nome text PRIMARY KEY,
    sha256 text NOT NULL
);
"""

# Without keys: what arrives is judged already, and is gone after the load.
STAGING = """
CREATE SCHEMA IF NOT EXISTS staging;

CREATE TABLE staging.contratos (
    lote integer NOT NULL,
    doc integer NOT NULL,
    mongo_id text COLLATE "C" NOT NULL,
    ccb_code text COLLATE "C" NOT NULL,
    client_id text COLLATE "C" NOT NULL,
    atualizado_em timestamptz NOT NULL,
    particao date NOT NULL,
    valor_bruto numeric(15, 2) NOT NULL,
    soma_prestacoes numeric(20, 2) NOT NULL,
    situacao text,
    impressao text
);

CREATE TABLE staging.qualidade (
    lote integer NOT NULL,
    doc integer NOT NULL,
    codigo text NOT NULL,
    campo text NOT NULL
);
"""

# What of each table's columns is staged with the row: the load takes the others from staging.contratos, or
# adds them by itself.
STAGED = """
DO $$ DECLARE tabela text; colunas text; BEGIN
    FOREACH tabela IN ARRAY ARRAY['clientes', 'identidades', 'enderecos', 'contatos', 'dados_bancarios',
                                  'operacoes', 'parcelas', 'detalhamento_cet'] LOOP
        SELECT string_agg(format('%I %s%s', attname, format_type(atttypid, atttypmod),
                                 CASE WHEN attnotnull THEN ' NOT NULL' END), ', ' ORDER BY attnum)
        INTO colunas
        FROM pg_attribute
        WHERE attrelid = to_regclass(tabela) AND attnum > 0
          AND attname NOT IN ('client_id', 'ccb_code', 'mongo_id',
                              'atualizado_em', 'excluido_em', 'carregado_em');
        EXECUTE format('CREATE TABLE staging.%I (lote integer NOT NULL, doc integer NOT NULL, %s)',
                       tabela, colunas);
    END LOOP;
END $$
"""
