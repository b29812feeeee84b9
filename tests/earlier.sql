-- revision 0001
CREATE SCHEMA IF NOT EXISTS staging;
CREATE TABLE clientes (
    client_id TEXT COLLATE "C" NOT NULL,
    nome TEXT NOT NULL,
    tipo_pessoa TEXT NOT NULL,
    cpf_cnpj TEXT NOT NULL,
    data_nascimento DATE,
    estado_civil TEXT,
    naturalidade TEXT,
    genero TEXT,
    nome_mae TEXT,
    pep BOOLEAN,
    uf TEXT,
    estrutura TEXT,
    renda_media_mensal NUMERIC(15, 2),
    mongo_id TEXT COLLATE "C" NOT NULL,
    atualizado_em TIMESTAMP WITH TIME ZONE NOT NULL,
    carregado_em TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT clientes_pkey PRIMARY KEY (client_id),
    CONSTRAINT clientes_finitos_check CHECK (renda_media_mensal <> 'NaN'),
    CONSTRAINT clientes_tipo_pessoa_check CHECK (tipo_pessoa IN ('PF', 'PJ'))
);
COMMENT ON TABLE clientes IS 'Borrowers, each as the newest contract describes them';
CREATE INDEX clientes_cpf_cnpj_idx ON clientes (cpf_cnpj);
CREATE TABLE controle.quarentena (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    mongo_id TEXT COLLATE "C" NOT NULL,
    particao DATE,
    codigos TEXT[] NOT NULL,
    erros JSONB NOT NULL,
    documento BYTEA,
    sha256 TEXT,
    primeira_vez TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    ultima_vez TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    tentativas INTEGER DEFAULT 1 NOT NULL,
    resolvido_em TIMESTAMP WITH TIME ZONE,
    CONSTRAINT quarentena_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE controle.quarentena IS 'Rejected documents, with the reasons and the raw BSON';
CREATE UNIQUE INDEX quarentena_aberta_key ON controle.quarentena (mongo_id) WHERE resolvido_em IS NULL;
CREATE INDEX quarentena_particao_idx ON controle.quarentena (particao);
CREATE TABLE controle.reconciliacoes (
    particao DATE NOT NULL,
    lidos BIGINT NOT NULL,
    carregados BIGINT NOT NULL,
    sem_mudanca BIGINT NOT NULL,
    obsoletos BIGINT NOT NULL,
    quarentena BIGINT NOT NULL,
    soma_valor_bruto_origem NUMERIC(20, 2) NOT NULL,
    soma_valor_bruto_destino NUMERIC(20, 2) NOT NULL,
    soma_prestacoes_origem NUMERIC(20, 2) NOT NULL,
    soma_prestacoes_destino NUMERIC(20, 2) NOT NULL,
    ok BOOLEAN NOT NULL,
    conferido_em TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT reconciliacoes_pkey PRIMARY KEY (particao),
    CONSTRAINT reconciliacoes_finitos_check CHECK (soma_valor_bruto_origem <> 'NaN' AND soma_valor_bruto_destino <> 'NaN' AND soma_prestacoes_origem <> 'NaN' AND soma_prestacoes_destino <> 'NaN')
);
COMMENT ON TABLE controle.reconciliacoes IS 'Per date: what was read and what came of it, and the sums on both sides';
CREATE TABLE staging.clientes (
    lote INTEGER NOT NULL,
    doc INTEGER NOT NULL,
    nome TEXT NOT NULL,
    tipo_pessoa TEXT NOT NULL,
    cpf_cnpj TEXT NOT NULL,
    data_nascimento DATE,
    estado_civil TEXT,
    naturalidade TEXT,
    genero TEXT,
    nome_mae TEXT,
    pep BOOLEAN,
    uf TEXT,
    estrutura TEXT,
    renda_media_mensal NUMERIC(15, 2)
);
CREATE TABLE staging.contatos (
    lote INTEGER NOT NULL,
    doc INTEGER NOT NULL,
    tipo TEXT NOT NULL,
    valor TEXT NOT NULL
);
CREATE TABLE staging.contratos (
    lote INTEGER NOT NULL,
    doc INTEGER NOT NULL,
    mongo_id TEXT COLLATE "C" NOT NULL,
    ccb_code TEXT COLLATE "C" NOT NULL,
    client_id TEXT COLLATE "C" NOT NULL,
    atualizado_em TIMESTAMP WITH TIME ZONE NOT NULL,
    particao DATE NOT NULL,
    valor_bruto NUMERIC(15, 2) NOT NULL,
    soma_prestacoes NUMERIC(20, 2) NOT NULL,
    situacao TEXT
);
COMMENT ON TABLE staging.contratos IS 'One row per accepted document of a batch; situacao is what came of it';
CREATE TABLE staging.dados_bancarios (
    lote INTEGER NOT NULL,
    doc INTEGER NOT NULL,
    banco TEXT NOT NULL,
    agencia TEXT NOT NULL,
    conta TEXT NOT NULL
);
CREATE TABLE staging.detalhamento_cet (
    lote INTEGER NOT NULL,
    doc INTEGER NOT NULL,
    porcentagem_juros NUMERIC,
    porcentagem_impostos NUMERIC,
    porcentagem_tarifas NUMERIC,
    porcentagem_servicos NUMERIC
);
CREATE TABLE staging.enderecos (
    lote INTEGER NOT NULL,
    doc INTEGER NOT NULL,
    tipo TEXT NOT NULL,
    cep TEXT,
    uf TEXT,
    cidade TEXT,
    logradouro TEXT,
    bairro TEXT,
    numero TEXT,
    complemento TEXT
);
CREATE TABLE staging.identidades (
    lote INTEGER NOT NULL,
    doc INTEGER NOT NULL,
    tipo TEXT NOT NULL,
    numero TEXT NOT NULL,
    orgao_emissor TEXT,
    uf_emissor TEXT
);
CREATE TABLE staging.operacoes (
    lote INTEGER NOT NULL,
    doc INTEGER NOT NULL,
    status TEXT,
    vencimento_primeira_parcela DATE NOT NULL,
    carencia INTEGER,
    finan_iof BOOLEAN,
    conta TEXT,
    valor_bruto NUMERIC(15, 2) NOT NULL,
    valor_seguro NUMERIC(15, 2),
    valor_cad NUMERIC(15, 2),
    valor_iof NUMERIC(15, 2),
    valor_liquido NUMERIC(15, 2) NOT NULL,
    taxa_juros NUMERIC,
    taxa_juros_anual NUMERIC,
    cet NUMERIC,
    cet_anual NUMERIC,
    data_liberacao DATE,
    data_vencimento_inicial DATE,
    data_vencimento_final DATE,
    numero_parcelas INTEGER,
    total_amortizacao NUMERIC(15, 2),
    total_taxa_servico NUMERIC(15, 2),
    total_seguro NUMERIC(15, 2),
    total_taxa_correcao NUMERIC(15, 2),
    total_juros NUMERIC(15, 2),
    total_valor_parcelas NUMERIC(15, 2),
    criado_em TIMESTAMP WITH TIME ZONE,
    emitido_em TIMESTAMP WITH TIME ZONE,
    extras JSONB NOT NULL
);
CREATE TABLE staging.parcelas (
    lote INTEGER NOT NULL,
    doc INTEGER NOT NULL,
    numero_parcela INTEGER NOT NULL,
    data_vencimento DATE NOT NULL,
    valor_amortizacao NUMERIC(15, 2),
    valor_correcao NUMERIC(15, 2),
    valor_juros NUMERIC(15, 2),
    valor_seguro NUMERIC(15, 2),
    valor_taxa_bancaria NUMERIC(15, 2),
    valor_prestacao NUMERIC(15, 2),
    valor_saldo_anterior NUMERIC(15, 2),
    valor_juros_capitalizados NUMERIC(15, 2),
    valor_saldo_atual NUMERIC(15, 2)
);
CREATE TABLE staging.qualidade (
    lote INTEGER NOT NULL,
    doc INTEGER NOT NULL,
    codigo TEXT NOT NULL,
    campo TEXT NOT NULL
);
CREATE TABLE table_updates (
    update_id TEXT NOT NULL,
    target_table TEXT,
    inserted TIMESTAMP WITH TIME ZONE DEFAULT now(),
    particao DATE,
    linhas BIGINT,
    contagens JSONB DEFAULT '{}'::jsonb NOT NULL,
    segundos NUMERIC(12, 3),
    CONSTRAINT table_updates_pkey PRIMARY KEY (update_id),
    CONSTRAINT table_updates_finitos_check CHECK (segundos <> 'NaN')
);
COMMENT ON TABLE table_updates IS 'Markers: which table has which date''s rows (Luigi''s own marker table, and our counts)';
CREATE INDEX table_updates_particao_idx ON table_updates (particao);
CREATE TABLE contatos (
    client_id TEXT COLLATE "C" NOT NULL,
    tipo TEXT NOT NULL,
    valor TEXT NOT NULL,
    CONSTRAINT contatos_pkey PRIMARY KEY (client_id, tipo, valor),
    CONSTRAINT contatos_tipo_check CHECK (tipo IN ('email', 'telefone')),
    CONSTRAINT contatos_client_id_fkey FOREIGN KEY(client_id) REFERENCES clientes (client_id)
);
COMMENT ON TABLE contatos IS 'E-mail addresses and telephones of a client';
CREATE TABLE dados_bancarios (
    client_id TEXT COLLATE "C" NOT NULL,
    banco TEXT NOT NULL,
    agencia TEXT NOT NULL,
    conta TEXT NOT NULL,
    CONSTRAINT dados_bancarios_pkey PRIMARY KEY (client_id, banco, agencia, conta),
    CONSTRAINT dados_bancarios_client_id_fkey FOREIGN KEY(client_id) REFERENCES clientes (client_id)
);
COMMENT ON TABLE dados_bancarios IS 'Bank accounts of a client';
CREATE TABLE enderecos (
    client_id TEXT COLLATE "C" NOT NULL,
    tipo TEXT NOT NULL,
    cep TEXT,
    uf TEXT,
    cidade TEXT,
    logradouro TEXT,
    bairro TEXT,
    numero TEXT,
    complemento TEXT,
    CONSTRAINT enderecos_pkey PRIMARY KEY (client_id, tipo),
    CONSTRAINT enderecos_tipo_check CHECK (tipo IN ('residencial', 'comercial')),
    CONSTRAINT enderecos_client_id_fkey FOREIGN KEY(client_id) REFERENCES clientes (client_id)
);
COMMENT ON TABLE enderecos IS 'Addresses of a client, one of each kind';
CREATE TABLE identidades (
    client_id TEXT COLLATE "C" NOT NULL,
    tipo TEXT NOT NULL,
    numero TEXT NOT NULL,
    orgao_emissor TEXT,
    uf_emissor TEXT,
    CONSTRAINT identidades_pkey PRIMARY KEY (client_id, tipo),
    CONSTRAINT identidades_tipo_check CHECK (tipo IN ('CPF', 'CNPJ', 'RG')),
    CONSTRAINT identidades_client_id_fkey FOREIGN KEY(client_id) REFERENCES clientes (client_id)
);
COMMENT ON TABLE identidades IS 'Identity documents of a client';
CREATE TABLE operacoes (
    ccb_code TEXT COLLATE "C" NOT NULL,
    mongo_id TEXT COLLATE "C" NOT NULL,
    client_id TEXT COLLATE "C" NOT NULL,
    status TEXT,
    vencimento_primeira_parcela DATE NOT NULL,
    carencia INTEGER,
    finan_iof BOOLEAN,
    conta TEXT,
    valor_bruto NUMERIC(15, 2) NOT NULL,
    valor_seguro NUMERIC(15, 2),
    valor_cad NUMERIC(15, 2),
    valor_iof NUMERIC(15, 2),
    valor_liquido NUMERIC(15, 2) NOT NULL,
    taxa_juros NUMERIC,
    taxa_juros_anual NUMERIC,
    cet NUMERIC,
    cet_anual NUMERIC,
    data_liberacao DATE,
    data_vencimento_inicial DATE,
    data_vencimento_final DATE,
    numero_parcelas INTEGER,
    total_amortizacao NUMERIC(15, 2),
    total_taxa_servico NUMERIC(15, 2),
    total_seguro NUMERIC(15, 2),
    total_taxa_correcao NUMERIC(15, 2),
    total_juros NUMERIC(15, 2),
    total_valor_parcelas NUMERIC(15, 2),
    criado_em TIMESTAMP WITH TIME ZONE,
    emitido_em TIMESTAMP WITH TIME ZONE,
    atualizado_em TIMESTAMP WITH TIME ZONE NOT NULL,
    excluido_em TIMESTAMP WITH TIME ZONE,
    extras JSONB DEFAULT '{}'::jsonb NOT NULL,
    carregado_em TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT operacoes_pkey PRIMARY KEY (ccb_code),
    CONSTRAINT operacoes_finitos_check CHECK (valor_bruto <> 'NaN' AND valor_seguro <> 'NaN' AND valor_cad <> 'NaN' AND valor_iof <> 'NaN' AND valor_liquido <> 'NaN' AND taxa_juros < 'Infinity' AND taxa_juros > '-Infinity' AND taxa_juros_anual < 'Infinity' AND taxa_juros_anual > '-Infinity' AND cet < 'Infinity' AND cet > '-Infinity' AND cet_anual < 'Infinity' AND cet_anual > '-Infinity' AND total_amortizacao <> 'NaN' AND total_taxa_servico <> 'NaN' AND total_seguro <> 'NaN' AND total_taxa_correcao <> 'NaN' AND total_juros <> 'NaN' AND total_valor_parcelas <> 'NaN'),
    CONSTRAINT operacoes_client_id_fkey FOREIGN KEY(client_id) REFERENCES clientes (client_id),
    CONSTRAINT operacoes_mongo_id_key UNIQUE (mongo_id)
);
COMMENT ON TABLE operacoes IS 'Contracts (CCBs)';
CREATE INDEX operacoes_client_id_idx ON operacoes (client_id);
CREATE TABLE controle.qualidade (
    ccb_code TEXT COLLATE "C" NOT NULL,
    mongo_id TEXT COLLATE "C" NOT NULL,
    codigo TEXT NOT NULL,
    campo TEXT NOT NULL,
    particao DATE,
    observado_em TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT qualidade_pkey PRIMARY KEY (ccb_code, codigo, campo),
    CONSTRAINT qualidade_ccb_code_fkey FOREIGN KEY(ccb_code) REFERENCES operacoes (ccb_code) ON DELETE CASCADE
);
COMMENT ON TABLE controle.qualidade IS 'Findings on contracts that were loaded all the same';
CREATE TABLE detalhamento_cet (
    ccb_code TEXT COLLATE "C" NOT NULL,
    porcentagem_juros NUMERIC,
    porcentagem_impostos NUMERIC,
    porcentagem_tarifas NUMERIC,
    porcentagem_servicos NUMERIC,
    CONSTRAINT detalhamento_cet_pkey PRIMARY KEY (ccb_code),
    CONSTRAINT detalhamento_cet_finitos_check CHECK (porcentagem_juros < 'Infinity' AND porcentagem_juros > '-Infinity' AND porcentagem_impostos < 'Infinity' AND porcentagem_impostos > '-Infinity' AND porcentagem_tarifas < 'Infinity' AND porcentagem_tarifas > '-Infinity' AND porcentagem_servicos < 'Infinity' AND porcentagem_servicos > '-Infinity'),
    CONSTRAINT detalhamento_cet_ccb_code_fkey FOREIGN KEY(ccb_code) REFERENCES operacoes (ccb_code) ON DELETE CASCADE
);
COMMENT ON TABLE detalhamento_cet IS 'What the total effective cost (CET) of a contract is made of';
CREATE TABLE parcelas (
    ccb_code TEXT COLLATE "C" NOT NULL,
    numero_parcela INTEGER NOT NULL,
    data_vencimento DATE NOT NULL,
    valor_amortizacao NUMERIC(15, 2),
    valor_correcao NUMERIC(15, 2),
    valor_juros NUMERIC(15, 2),
    valor_seguro NUMERIC(15, 2),
    valor_taxa_bancaria NUMERIC(15, 2),
    valor_prestacao NUMERIC(15, 2),
    valor_saldo_anterior NUMERIC(15, 2),
    valor_juros_capitalizados NUMERIC(15, 2),
    valor_saldo_atual NUMERIC(15, 2),
    CONSTRAINT parcelas_pkey PRIMARY KEY (ccb_code, numero_parcela),
    CONSTRAINT parcelas_finitos_check CHECK (valor_amortizacao <> 'NaN' AND valor_correcao <> 'NaN' AND valor_juros <> 'NaN' AND valor_seguro <> 'NaN' AND valor_taxa_bancaria <> 'NaN' AND valor_prestacao <> 'NaN' AND valor_saldo_anterior <> 'NaN' AND valor_juros_capitalizados <> 'NaN' AND valor_saldo_atual <> 'NaN'),
    CONSTRAINT parcelas_ccb_code_fkey FOREIGN KEY(ccb_code) REFERENCES operacoes (ccb_code) ON DELETE CASCADE
);
COMMENT ON TABLE parcelas IS 'The forecast schedule of a contract; number 0 is the grace period';
CREATE INDEX parcelas_data_vencimento_idx ON parcelas (data_vencimento);
CREATE FUNCTION staging.analisar(nome text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE tabela regclass;
BEGIN
    FOR tabela IN SELECT c.oid FROM pg_class c
                  WHERE c.relnamespace = 'staging'::regnamespace AND c.relkind = 'r'
                    AND (nome IS NULL OR c.relname = nome) LOOP
        EXECUTE format('ANALYZE %s', tabela);
    END LOOP;
END $$;
CREATE FUNCTION staging.limpar(este_lote integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE tabela regclass;
DECLARE tabelas regclass[] := ARRAY(SELECT c.oid::regclass FROM pg_class c
    WHERE c.relnamespace = 'staging'::regnamespace AND c.relkind = 'r' ORDER BY c.relname);
BEGIN
    BEGIN
        FOREACH tabela IN ARRAY tabelas LOOP
            EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE NOWAIT', tabela);
        END LOOP;
        IF NOT EXISTS (SELECT FROM staging.contratos WHERE lote <> este_lote) THEN
            EXECUTE 'TRUNCATE ' || array_to_string(tabelas, ', ');
            RETURN;
        END IF;
    EXCEPTION WHEN lock_not_available THEN NULL;
    END;
    FOREACH tabela IN ARRAY tabelas LOOP
        EXECUTE format('DELETE FROM %s WHERE lote = $1', tabela) USING este_lote;
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION staging.analisar(text), staging.limpar(integer) FROM PUBLIC;

-- revision 0002
CREATE TABLE controle.varreduras (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    iniciada_em TIMESTAMP WITH TIME ZONE NOT NULL,
    terminada_em TIMESTAMP WITH TIME ZONE NOT NULL,
    lidos_origem BIGINT NOT NULL,
    contratos_destino BIGINT NOT NULL,
    carregados BIGINT NOT NULL,
    sumidos BIGINT NOT NULL,
    marcados_excluidos BIGINT NOT NULL,
    reaparecidos BIGINT NOT NULL,
    em_aberto BIGINT NOT NULL,
    ainda_em_quarentena BIGINT NOT NULL,
    ok BOOLEAN NOT NULL,
    motivo TEXT,
    CONSTRAINT varreduras_pkey PRIMARY KEY (id)
);

-- revision 0003
CREATE TABLE controle.esquecimentos (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    esquecido_em TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    por TEXT DEFAULT SESSION_USER NOT NULL,
    chave TEXT NOT NULL,
    documentos TEXT[] NOT NULL,
    verificador TEXT NOT NULL,
    contagens JSONB NOT NULL,
    CONSTRAINT esquecimentos_pkey PRIMARY KEY (id)
);
CREATE SCHEMA IF NOT EXISTS analise;
COMMENT ON SCHEMA analise IS 'What an analyst may see: no name, no document, no address';
CREATE VIEW analise.clientes WITH (security_barrier) AS
        SELECT client_id, tipo_pessoa,
               CASE length(cpf_cnpj)
                   WHEN 11 THEN '***.' || substr(cpf_cnpj, 4, 3) || '.' || substr(cpf_cnpj, 7, 3) || '-**'
                   WHEN 14 THEN '**.' || substr(cpf_cnpj, 3, 3) || '.' || substr(cpf_cnpj, 6, 3) || '/****-**'
                   ELSE '***'
               END AS cpf_cnpj,
               CAST(extract(year FROM data_nascimento) AS integer) AS ano_nascimento,
               estado_civil, genero, uf, estrutura, renda_media_mensal, atualizado_em, carregado_em
        FROM public.clientes;
CREATE VIEW analise.identidades WITH (security_barrier) AS SELECT client_id, tipo, orgao_emissor, uf_emissor FROM public.identidades;
CREATE VIEW analise.enderecos WITH (security_barrier) AS SELECT client_id, tipo, uf, cidade FROM public.enderecos;
CREATE VIEW analise.contatos WITH (security_barrier) AS SELECT client_id, tipo, count(*) AS quantidade FROM public.contatos GROUP BY client_id, tipo;
CREATE VIEW analise.dados_bancarios WITH (security_barrier) AS
        SELECT client_id, banco, count(*) AS contas FROM public.dados_bancarios GROUP BY client_id, banco;
CREATE VIEW analise.operacoes WITH (security_barrier) AS
        SELECT ccb_code, mongo_id, client_id, status, vencimento_primeira_parcela, carencia, finan_iof,
               valor_bruto, valor_seguro, valor_cad, valor_iof, valor_liquido,
               taxa_juros, taxa_juros_anual, cet, cet_anual,
               data_liberacao, data_vencimento_inicial, data_vencimento_final, numero_parcelas,
               total_amortizacao, total_taxa_servico, total_seguro, total_taxa_correcao, total_juros,
               total_valor_parcelas, criado_em, emitido_em, atualizado_em, carregado_em
        FROM public.operacoes WHERE excluido_em IS NULL;
CREATE VIEW analise.parcelas WITH (security_barrier) AS
        SELECT p.ccb_code, p.numero_parcela, p.data_vencimento, p.valor_amortizacao, p.valor_correcao,
               p.valor_juros, p.valor_seguro, p.valor_taxa_bancaria, p.valor_prestacao,
               p.valor_saldo_anterior, p.valor_juros_capitalizados, p.valor_saldo_atual
        FROM public.parcelas p JOIN public.operacoes o ON o.ccb_code = p.ccb_code
        WHERE o.excluido_em IS NULL;
CREATE VIEW analise.detalhamento_cet WITH (security_barrier) AS
        SELECT d.ccb_code, d.porcentagem_juros, d.porcentagem_impostos, d.porcentagem_tarifas,
               d.porcentagem_servicos
        FROM public.detalhamento_cet d JOIN public.operacoes o ON o.ccb_code = d.ccb_code
        WHERE o.excluido_em IS NULL;
CREATE VIEW analise.qualidade WITH (security_barrier) AS
        SELECT q.ccb_code, q.mongo_id, q.codigo, q.campo, q.particao, q.observado_em
        FROM controle.qualidade q JOIN public.operacoes o ON o.ccb_code = q.ccb_code
        WHERE o.excluido_em IS NULL;
CREATE VIEW analise.reconciliacoes WITH (security_barrier) AS
        SELECT particao, lidos, carregados, sem_mudanca, obsoletos, quarentena,
               soma_valor_bruto_origem, soma_valor_bruto_destino,
               soma_prestacoes_origem, soma_prestacoes_destino, ok, conferido_em
        FROM controle.reconciliacoes;

-- revision 0004
CREATE TABLE controle.versoes (
    mongo_id TEXT COLLATE "C" NOT NULL,
    particao DATE NOT NULL,
    ccb_code TEXT COLLATE "C" NOT NULL,
    client_id TEXT COLLATE "C" NOT NULL,
    atualizado_em TIMESTAMP WITH TIME ZONE NOT NULL,
    valor_bruto NUMERIC(15, 2) NOT NULL,
    soma_prestacoes NUMERIC(20, 2) NOT NULL,
    impressao TEXT NOT NULL,
    linhas BIGINT NOT NULL,
    escritas BIGINT NOT NULL,
    CONSTRAINT versoes_pkey PRIMARY KEY (mongo_id),
    CONSTRAINT versoes_finitos_check CHECK (valor_bruto <> 'NaN' AND soma_prestacoes <> 'NaN')
);
CREATE INDEX versoes_particao_idx ON controle.versoes (particao);
ALTER TABLE staging.contratos ADD COLUMN impressao TEXT;
CREATE OR REPLACE FUNCTION staging.analisar(nome text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE tabela regclass;
DECLARE chaves text;
BEGIN
    FOR tabela, chaves IN
        SELECT c.oid, string_agg(quote_ident(a.attname), ', ')
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace = 'staging'::regnamespace AND c.relkind = 'r'
          AND (nome IS NULL OR c.relname = nome)
          AND a.attname IN ('lote', 'doc', 'mongo_id', 'ccb_code', 'client_id', 'situacao')
        GROUP BY c.oid
    LOOP
        EXECUTE format('ANALYZE %s (%s)', tabela, chaves);
    END LOOP;
END $$;

-- revision 0005
CREATE VIEW public.vw_agenda_vencimentos AS
SELECT p.ccb_code,
       p.numero_parcela,
       o.numero_parcelas,
       o.client_id,
       c.estrutura,
       c.uf,
       o.status,
       p.data_vencimento,
       p.data_vencimento - CAST(now() AT TIME ZONE 'America/Sao_Paulo' AS date) AS dias_ate_vencimento,
       p.valor_prestacao,
       p.valor_amortizacao,
       p.valor_juros,
       p.valor_correcao,
       p.valor_seguro,
       p.valor_taxa_bancaria,
       p.valor_saldo_atual AS saldo_contratual
FROM public.parcelas p
JOIN public.operacoes o ON o.ccb_code = p.ccb_code
JOIN public.clientes c ON c.client_id = o.client_id
WHERE p.numero_parcela >= 1 AND o.excluido_em IS NULL;
CREATE VIEW public.vw_fluxo_mensal AS
SELECT CAST(date_trunc('month', CAST(p.data_vencimento AS timestamp)) AS date) AS mes,
       c.estrutura,
       c.uf,
       count(*) AS parcelas,
       coalesce(sum(p.valor_amortizacao), 0.00) AS principal,
       coalesce(sum(p.valor_juros), 0.00) AS juros,
       coalesce(sum(p.valor_correcao), 0.00) + coalesce(sum(p.valor_seguro), 0.00)
           + coalesce(sum(p.valor_taxa_bancaria), 0.00) AS encargos,
       coalesce(sum(p.valor_prestacao), 0.00) AS total,
       count(*) FILTER (WHERE p.valor_prestacao IS NULL) AS sem_valor
FROM public.parcelas p
JOIN public.operacoes o ON o.ccb_code = p.ccb_code
JOIN public.clientes c ON c.client_id = o.client_id
WHERE p.numero_parcela >= 1 AND o.excluido_em IS NULL
GROUP BY 1, 2, 3;
CREATE FUNCTION public.saldo_contratual(data date)
RETURNS TABLE (ccb_code text, client_id text, data_vencimento date, saldo numeric)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT o.ccb_code,
           o.client_id,
           u.data_vencimento,
           CASE WHEN u.data_vencimento IS NULL THEN o.valor_bruto ELSE u.valor_saldo_atual END
    FROM public.operacoes o
    LEFT JOIN LATERAL (
        SELECT p.data_vencimento, p.valor_saldo_atual
        FROM public.parcelas p
        WHERE p.ccb_code = o.ccb_code AND p.data_vencimento <= saldo_contratual.data
        ORDER BY p.data_vencimento DESC, p.numero_parcela DESC
        LIMIT 1
    ) u ON true
    WHERE o.excluido_em IS NULL;
END;
CREATE VIEW public.vw_posicao_cliente AS
WITH h AS MATERIALIZED (SELECT CAST(now() AT TIME ZONE 'America/Sao_Paulo' AS date) AS hoje)
SELECT c.client_id,
       c.tipo_pessoa,
       CASE length(c.cpf_cnpj)
           WHEN 11 THEN '***.' || substr(c.cpf_cnpj, 4, 3) || '.' || substr(c.cpf_cnpj, 7, 3) || '-**'
           WHEN 14 THEN '**.' || substr(c.cpf_cnpj, 3, 3) || '.' || substr(c.cpf_cnpj, 6, 3) || '/****-**'
           ELSE '***'
       END AS documento_mascarado,
       c.estrutura,
       c.uf,
       count(o.ccb_code) AS contratos,
       coalesce(sum(o.valor_bruto), 0.00) AS valor_bruto,
       CASE
           WHEN count(o.ccb_code) = 0 THEN 0.00
           WHEN bool_and(p.ultimo IS NULL OR p.saldo IS NOT NULL)
           THEN sum(CASE WHEN p.ultimo IS NULL THEN o.valor_bruto ELSE p.saldo END)
       END AS saldo_contratual,
       min(p.proximo) AS proximo_vencimento
FROM public.clientes c
CROSS JOIN h
LEFT JOIN public.operacoes o ON o.client_id = c.client_id AND o.excluido_em IS NULL
LEFT JOIN LATERAL (
    SELECT max(data_vencimento) FILTER (WHERE data_vencimento <= h.hoje) AS ultimo,
           (array_agg(valor_saldo_atual ORDER BY data_vencimento DESC, numero_parcela DESC)
               FILTER (WHERE data_vencimento <= h.hoje))[1] AS saldo,
           min(data_vencimento) FILTER (WHERE data_vencimento >= h.hoje AND numero_parcela >= 1) AS proximo
    FROM public.parcelas
    WHERE ccb_code = o.ccb_code
) p ON true
GROUP BY c.client_id;
CREATE VIEW public.vw_codigos (codigo, tipo, significado, providencia) AS VALUES
('bson_invalido', 'rejeicao', 'O documento não pode ser decodificado', 'Regravar o documento na origem; de um dump, fazer outro.'),
('aninhamento', 'rejeicao', 'Há documentos aninhados fundo demais dentro do documento', 'Corrigir o campo na origem: a versão corrigida entra com a data do seu novo updatedAt.'),
('chave_repetida', 'rejeicao', 'Uma chave aparece duas vezes num documento: o valor que conta depende de quem lê', 'Regravar o documento na origem com a chave uma vez só.'),
('id_invalido', 'rejeicao', 'O _id não é nem texto nem ObjectId', 'Regravar o documento sob um _id de um desses tipos.'),
('ausente', 'rejeicao', 'Um campo obrigatório falta ou é nulo', 'Corrigir o campo na origem: a versão corrigida entra com a data do seu novo updatedAt.'),
('tipo_invalido', 'rejeicao', 'O valor é de um tipo que este campo não pode ter', 'Corrigir o campo na origem: a versão corrigida entra com a data do seu novo updatedAt.'),
('numero_invalido', 'rejeicao', 'O valor não pode ser lido como número', 'Corrigir o campo na origem: a versão corrigida entra com a data do seu novo updatedAt.'),
('nao_finito', 'rejeicao', 'O valor é NaN ou infinito', 'Corrigir o campo na origem: a versão corrigida entra com a data do seu novo updatedAt.'),
('fracao_de_centavo', 'rejeicao', 'O valor tem um dígito diferente de zero depois dos centavos', 'Corrigir o campo na origem: a versão corrigida entra com a data do seu novo updatedAt.'),
('valor_ambiguo', 'rejeicao', 'O valor pode ser milhares ou decimais (como "1.234")', 'Escrever o valor na origem com duas casas decimais (1234.00 ou 1.23).'),
('valor_excede', 'rejeicao', 'O número é maior do que a coluna comporta', 'Corrigir o campo na origem: a versão corrigida entra com a data do seu novo updatedAt.'),
('data_invalida', 'rejeicao', 'O valor não pode ser lido como data', 'Corrigir o campo na origem: a versão corrigida entra com a data do seu novo updatedAt.'),
('booleano_invalido', 'rejeicao', 'O valor não pode ser lido como verdadeiro ou falso', 'Corrigir o campo na origem: a versão corrigida entra com a data do seu novo updatedAt.'),
('texto_longo', 'rejeicao', 'O texto é mais longo do que uma chave pode ser', 'Corrigir o campo na origem: a versão corrigida entra com a data do seu novo updatedAt.'),
('nul', 'rejeicao', 'O texto contém um caractere NUL', 'Corrigir o campo na origem: a versão corrigida entra com a data do seu novo updatedAt.'),
('tipo_pessoa_invalido', 'rejeicao', 'type não é nem PF nem PJ', 'Corrigir o campo na origem: a versão corrigida entra com a data do seu novo updatedAt.'),
('cpf_cnpj_invalido', 'rejeicao', 'taxId não tem a forma nem de um CPF nem de um CNPJ', 'Corrigir o campo na origem: a versão corrigida entra com a data do seu novo updatedAt.'),
('parcela_negativa', 'rejeicao', 'NumeroDaParcela é negativo', 'Corrigir o campo na origem: a versão corrigida entra com a data do seu novo updatedAt.'),
('parcela_repetida', 'rejeicao', 'NumeroDaParcela ocorre duas vezes', 'Corrigir o campo na origem: a versão corrigida entra com a data do seu novo updatedAt.'),
('ccb_duplicado', 'rejeicao', 'Um documento mais novo tem o mesmo ccbCode', 'Decidir na origem qual documento vale, e dar outro ccbCode ao outro ou removê-lo.'),
('sem_data', 'alerta', 'Nada no documento diz a sua data: conta como 1970-01-01', 'Preencher updatedAt na origem.'),
('arredondado', 'alerta', 'Um double vizinho de centavos inteiros foi arredondado para eles', 'Nada de imediato; a origem deveria gravar valores como texto ou Decimal128.'),
('conta_incompleta', 'alerta', 'Uma conta bancária sem banco, agência ou número ficou de fora', 'Completar a conta na origem; o que veio está em operacoes.extras.'),
('cep_invalido', 'alerta', 'O CEP não tem oito dígitos e ficou de fora', 'Corrigir o CEP na origem; o que veio está em operacoes.extras.'),
('cpf_digito', 'alerta', 'Os dígitos verificadores do CPF estão errados', 'Conferir o cadastro do cliente na origem.'),
('cnpj_digito', 'alerta', 'Os dígitos verificadores do CNPJ estão errados', 'Conferir o cadastro do cliente na origem.'),
('tipo_documento', 'alerta', 'O tipo (PF, PJ) não combina com o comprimento de taxId', 'Conferir o cadastro do cliente na origem.'),
('uf_desconhecida', 'alerta', 'Não é uma das 27 unidades da federação', 'Conferir o cadastro do cliente na origem.'),
('saldo_da_linha', 'alerta', 'Saldo atual não é saldo anterior + juros + encargos - prestação', 'Conferir o cronograma com quem o calculou; o contrato está carregado como veio.'),
('saldo_encadeado', 'alerta', 'Saldo anterior não é o saldo que o precede', 'Conferir o cronograma com quem o calculou; o contrato está carregado como veio.'),
('prestacao', 'alerta', 'A prestação não é amortização + juros + encargos', 'Conferir o cronograma com quem o calculou; o contrato está carregado como veio.'),
('saldo_final', 'alerta', 'O último saldo não é zero', 'Conferir o cronograma com quem o calculou; o contrato está carregado como veio.'),
('total_amortizacao', 'alerta', 'TotalDeAmortizacao não é a soma da sua coluna', 'Conferir o total informado na origem; as parcelas estão carregadas como vieram.'),
('total_juros', 'alerta', 'TotalDeJuros não é a soma da sua coluna', 'Conferir o total informado na origem; as parcelas estão carregadas como vieram.'),
('total_parcelas', 'alerta', 'TotalDoValorDasParcelas não é a soma da sua coluna', 'Conferir o total informado na origem; as parcelas estão carregadas como vieram.'),
('valor_bruto', 'alerta', 'ValorBruto não é líquido + IOF + seguro + CAD', 'Conferir os valores do contrato na origem.'),
('numero_parcelas', 'alerta', 'NumeroDeParcelas não é a contagem das linhas de 1 em diante', 'Conferir o total informado na origem; as parcelas estão carregadas como vieram.'),
('primeiro_vencimento', 'alerta', 'DataDeVencimentoInicial não é o vencimento da primeira linha', 'Conferir o cronograma com quem o calculou; o contrato está carregado como veio.'),
('ultimo_vencimento', 'alerta', 'DataDeVencimentoFinal não é o vencimento da última linha', 'Conferir o cronograma com quem o calculou; o contrato está carregado como veio.'),
('taxa_anual', 'alerta', 'TaxaDeJurosAnual não é a taxa mensal composta', 'Conferir a taxa informada com a do contrato assinado.'),
('cet_anual', 'alerta', 'CET_ANUAL não é o CET mensal composto', 'Conferir a taxa informada com a do contrato assinado.'),
('cet_soma', 'alerta', 'CET não é a soma de detalhamentoDaCET', 'Conferir a taxa informada com a do contrato assinado.');
CREATE VIEW public.vw_qualidade AS
SELECT q.ccb_code,
       o.client_id,
       c.estrutura,
       q.mongo_id,
       q.codigo,
       k.significado,
       k.providencia,
       q.campo,
       q.particao,
       q.observado_em
FROM controle.qualidade q
JOIN public.operacoes o ON o.ccb_code = q.ccb_code
JOIN public.clientes c ON c.client_id = o.client_id
LEFT JOIN public.vw_codigos k ON k.codigo = q.codigo
WHERE o.excluido_em IS NULL;
COMMENT ON TABLE clientes IS 'Tomadores; cada um como o documento mais novo que o nomeia o descreve';
COMMENT ON COLUMN clientes.client_id IS 'Código do cliente no sistema de originação';
COMMENT ON COLUMN clientes.nome IS 'Nome ou razão social';
COMMENT ON COLUMN clientes.tipo_pessoa IS 'PF (pessoa física) ou PJ (pessoa jurídica)';
COMMENT ON COLUMN clientes.cpf_cnpj IS 'CPF (11 dígitos) ou CNPJ (14 caracteres) sem pontuação; não é único';
COMMENT ON COLUMN clientes.data_nascimento IS 'Data de nascimento, ou de fundação';
COMMENT ON COLUMN clientes.estado_civil IS 'Estado civil, como a origem o escreve';
COMMENT ON COLUMN clientes.naturalidade IS 'Município de nascimento';
COMMENT ON COLUMN clientes.genero IS 'Gênero, como a origem o escreve';
COMMENT ON COLUMN clientes.nome_mae IS 'Nome da mãe';
COMMENT ON COLUMN clientes.pep IS 'Pessoa exposta politicamente; nulo: a origem não diz';
COMMENT ON COLUMN clientes.uf IS 'Unidade da federação do cliente';
COMMENT ON COLUMN clientes.estrutura IS 'Estrutura (fundo, veículo) a que o cliente pertence na origem';
COMMENT ON COLUMN clientes.renda_media_mensal IS 'Renda média mensal declarada, em reais';
COMMENT ON COLUMN clientes.mongo_id IS '_id do documento no MongoDB de que veio esta versão do cliente';
COMMENT ON COLUMN clientes.atualizado_em IS 'Momento efetivo de atualização do documento: updatedAt, senão createdAt, emitedAt ou o do ObjectId';
COMMENT ON COLUMN clientes.carregado_em IS 'Momento em que esta versão da linha foi gravada';
COMMENT ON TABLE identidades IS 'Documentos de identidade de um cliente';
COMMENT ON COLUMN identidades.client_id IS 'Código do cliente no sistema de originação';
COMMENT ON COLUMN identidades.tipo IS 'CPF, CNPJ ou RG';
COMMENT ON COLUMN identidades.numero IS 'Número do documento; de CPF e CNPJ, o mesmo de clientes.cpf_cnpj';
COMMENT ON COLUMN identidades.orgao_emissor IS 'Órgão emissor (só RG)';
COMMENT ON COLUMN identidades.uf_emissor IS 'Unidade da federação do órgão emissor (só RG)';
COMMENT ON TABLE enderecos IS 'Endereços de um cliente, no máximo um de cada tipo';
COMMENT ON COLUMN enderecos.client_id IS 'Código do cliente no sistema de originação';
COMMENT ON COLUMN enderecos.tipo IS 'residencial ou comercial; sem indicação: residencial para PF, comercial para PJ';
COMMENT ON COLUMN enderecos.cep IS 'CEP, oito dígitos';
COMMENT ON COLUMN enderecos.uf IS 'Unidade da federação';
COMMENT ON COLUMN enderecos.cidade IS 'Município';
COMMENT ON COLUMN enderecos.logradouro IS 'Logradouro';
COMMENT ON COLUMN enderecos.bairro IS 'Bairro';
COMMENT ON COLUMN enderecos.numero IS 'Número no logradouro';
COMMENT ON COLUMN enderecos.complemento IS 'Complemento';
COMMENT ON TABLE contatos IS 'E-mails e telefones de um cliente';
COMMENT ON COLUMN contatos.client_id IS 'Código do cliente no sistema de originação';
COMMENT ON COLUMN contatos.tipo IS 'email ou telefone';
COMMENT ON COLUMN contatos.valor IS 'O endereço ou o número, como a origem o escreve';
COMMENT ON TABLE dados_bancarios IS 'Contas bancárias de um cliente';
COMMENT ON COLUMN dados_bancarios.client_id IS 'Código do cliente no sistema de originação';
COMMENT ON COLUMN dados_bancarios.banco IS 'Código do banco';
COMMENT ON COLUMN dados_bancarios.agencia IS 'Agência; zeros à esquerda faltam onde a origem gravou um número';
COMMENT ON COLUMN dados_bancarios.conta IS 'Conta; zeros à esquerda faltam onde a origem gravou um número';
COMMENT ON TABLE operacoes IS 'Contratos: uma linha por CCB';
COMMENT ON COLUMN operacoes.ccb_code IS 'Código da CCB (Cédula de Crédito Bancário)';
COMMENT ON COLUMN operacoes.mongo_id IS '_id do documento no MongoDB';
COMMENT ON COLUMN operacoes.client_id IS 'Código do cliente no sistema de originação (o tomador)';
COMMENT ON COLUMN operacoes.status IS 'Situação do contrato, como a origem a escreve';
COMMENT ON COLUMN operacoes.vencimento_primeira_parcela IS 'Vencimento da primeira parcela contratada';
COMMENT ON COLUMN operacoes.carencia IS 'Carência contratada, como a origem a informa';
COMMENT ON COLUMN operacoes.finan_iof IS 'Se o IOF é financiado, isto é, faz parte do valor bruto';
COMMENT ON COLUMN operacoes.conta IS 'Conta da operação na origem';
COMMENT ON COLUMN operacoes.valor_bruto IS 'Valor financiado, em reais';
COMMENT ON COLUMN operacoes.valor_seguro IS 'Seguro, em reais';
COMMENT ON COLUMN operacoes.valor_cad IS 'Tarifa de cadastro (CAD), em reais';
COMMENT ON COLUMN operacoes.valor_iof IS 'IOF, em reais';
COMMENT ON COLUMN operacoes.valor_liquido IS 'Valor liberado ao cliente, em reais';
COMMENT ON COLUMN operacoes.taxa_juros IS 'Taxa de juros ao mês, em por cento';
COMMENT ON COLUMN operacoes.taxa_juros_anual IS 'Taxa de juros ao ano, em por cento';
COMMENT ON COLUMN operacoes.cet IS 'Custo efetivo total ao mês, em por cento';
COMMENT ON COLUMN operacoes.cet_anual IS 'Custo efetivo total ao ano, em por cento';
COMMENT ON COLUMN operacoes.data_liberacao IS 'Data da liberação do dinheiro';
COMMENT ON COLUMN operacoes.data_vencimento_inicial IS 'Primeiro vencimento, como a origem o informa';
COMMENT ON COLUMN operacoes.data_vencimento_final IS 'Último vencimento, como a origem o informa';
COMMENT ON COLUMN operacoes.numero_parcelas IS 'Número de parcelas; a carência (parcela 0) não conta';
COMMENT ON COLUMN operacoes.total_amortizacao IS 'Soma contratual das amortizações, em reais';
COMMENT ON COLUMN operacoes.total_taxa_servico IS 'Soma contratual da taxa de serviço, em reais';
COMMENT ON COLUMN operacoes.total_seguro IS 'Soma contratual do seguro nas parcelas, em reais';
COMMENT ON COLUMN operacoes.total_taxa_correcao IS 'Soma contratual da correção, em reais';
COMMENT ON COLUMN operacoes.total_juros IS 'Soma contratual dos juros, com os da carência, em reais';
COMMENT ON COLUMN operacoes.total_valor_parcelas IS 'Soma contratual das prestações, em reais';
COMMENT ON COLUMN operacoes.criado_em IS 'Criação do documento na origem';
COMMENT ON COLUMN operacoes.emitido_em IS 'Emissão da CCB';
COMMENT ON COLUMN operacoes.atualizado_em IS 'Momento efetivo de atualização do documento: updatedAt, senão createdAt, emitedAt ou o do ObjectId';
COMMENT ON COLUMN operacoes.excluido_em IS 'Desde quando o documento não está mais na origem; nulo: está';
COMMENT ON COLUMN operacoes.extras IS 'Campos do documento sem coluna própria, sob o seu caminho: nada se perde';
COMMENT ON COLUMN operacoes.carregado_em IS 'Momento em que esta versão da linha foi gravada';
COMMENT ON TABLE parcelas IS 'Cronograma de um contrato (previsão contratual, não pagamento); o número 0 é a carência';
COMMENT ON COLUMN parcelas.ccb_code IS 'Código da CCB (Cédula de Crédito Bancário)';
COMMENT ON COLUMN parcelas.numero_parcela IS 'Número da parcela; 0 é a carência';
COMMENT ON COLUMN parcelas.data_vencimento IS 'Vencimento contratual';
COMMENT ON COLUMN parcelas.valor_amortizacao IS 'Amortização contratual do principal, em reais';
COMMENT ON COLUMN parcelas.valor_correcao IS 'Correção contratual, em reais';
COMMENT ON COLUMN parcelas.valor_juros IS 'Juros contratuais do período, em reais';
COMMENT ON COLUMN parcelas.valor_seguro IS 'Seguro contratual da parcela, em reais';
COMMENT ON COLUMN parcelas.valor_taxa_bancaria IS 'Taxa bancária contratual da parcela, em reais';
COMMENT ON COLUMN parcelas.valor_prestacao IS 'Prestação (previsão contratual, não pagamento), em reais';
COMMENT ON COLUMN parcelas.valor_saldo_anterior IS 'Saldo contratual antes da parcela, em reais';
COMMENT ON COLUMN parcelas.valor_juros_capitalizados IS 'Juros capitalizados no período, em reais';
COMMENT ON COLUMN parcelas.valor_saldo_atual IS 'Saldo contratual depois da parcela, em reais';
COMMENT ON TABLE detalhamento_cet IS 'De que é feito o CET (custo efetivo total) de um contrato, em por cento ao mês';
COMMENT ON COLUMN detalhamento_cet.ccb_code IS 'Código da CCB (Cédula de Crédito Bancário)';
COMMENT ON COLUMN detalhamento_cet.porcentagem_juros IS 'Parte dos juros';
COMMENT ON COLUMN detalhamento_cet.porcentagem_impostos IS 'Parte dos impostos';
COMMENT ON COLUMN detalhamento_cet.porcentagem_tarifas IS 'Parte das tarifas';
COMMENT ON COLUMN detalhamento_cet.porcentagem_servicos IS 'Parte dos serviços';
COMMENT ON TABLE table_updates IS 'Marcadores do Luigi: que tabela já tem as linhas de que data, gravados na transação das linhas';
COMMENT ON COLUMN table_updates.update_id IS '<tabela>:<data>; contratos é a extração, reconciliacoes a conferência';
COMMENT ON COLUMN table_updates.target_table IS 'A tabela (ou etapa)';
COMMENT ON COLUMN table_updates.inserted IS 'Momento da transação que a etapa e o marcador formam';
COMMENT ON COLUMN table_updates.particao IS 'A data cujos documentos a etapa migrou';
COMMENT ON COLUMN table_updates.linhas IS 'Linhas (ou documentos) que a data tem para a etapa';
COMMENT ON COLUMN table_updates.contagens IS 'Contagens da etapa: inseridas, alteradas, removidas, rejeitadas';
COMMENT ON COLUMN table_updates.segundos IS 'Duração da etapa, em segundos';
COMMENT ON TABLE controle.quarentena IS 'Documentos rejeitados, com os motivos; a linha aberta de um documento fecha quando ele é carregado';
COMMENT ON COLUMN controle.quarentena.id IS 'Número da rejeição';
COMMENT ON COLUMN controle.quarentena.mongo_id IS '_id do documento no MongoDB';
COMMENT ON COLUMN controle.quarentena.particao IS 'Data (partição) do documento: o dia da atualização, no fuso de CCB_TIMEZONE';
COMMENT ON COLUMN controle.quarentena.codigos IS 'Códigos dos motivos; o significado está em vw_codigos';
COMMENT ON COLUMN controle.quarentena.erros IS 'Caminho do campo → mensagens; nunca um valor';
COMMENT ON COLUMN controle.quarentena.documento IS 'O documento como veio (BSON); contém dados pessoais';
COMMENT ON COLUMN controle.quarentena.sha256 IS 'SHA-256 dos bytes do documento';
COMMENT ON COLUMN controle.quarentena.primeira_vez IS 'Primeira rejeição';
COMMENT ON COLUMN controle.quarentena.ultima_vez IS 'Última rejeição';
COMMENT ON COLUMN controle.quarentena.tentativas IS 'Quantas vezes o documento foi lido e rejeitado';
COMMENT ON COLUMN controle.quarentena.resolvido_em IS 'Quando a rejeição se resolveu; nulo: está aberta';
COMMENT ON TABLE controle.qualidade IS 'Alertas: o que não fecha em contratos que foram carregados mesmo assim; nunca um valor';
COMMENT ON COLUMN controle.qualidade.ccb_code IS 'Código da CCB (Cédula de Crédito Bancário)';
COMMENT ON COLUMN controle.qualidade.mongo_id IS '_id do documento no MongoDB';
COMMENT ON COLUMN controle.qualidade.codigo IS 'Código do alerta; o significado está em vw_codigos';
COMMENT ON COLUMN controle.qualidade.campo IS 'Caminho do campo no documento';
COMMENT ON COLUMN controle.qualidade.particao IS 'Data (partição) do documento: o dia da atualização, no fuso de CCB_TIMEZONE';
COMMENT ON COLUMN controle.qualidade.observado_em IS 'Quando o alerta foi observado';
COMMENT ON TABLE controle.reconciliacoes IS 'A prova de cada data: o que foi lido e o que foi feito disso, e as somas dos dois lados';
COMMENT ON COLUMN controle.reconciliacoes.particao IS 'A data conferida';
COMMENT ON COLUMN controle.reconciliacoes.lidos IS 'Documentos lidos na origem';
COMMENT ON COLUMN controle.reconciliacoes.carregados IS 'Documentos cujo contrato foi inserido ou alterado';
COMMENT ON COLUMN controle.reconciliacoes.sem_mudanca IS 'Documentos cujo contrato já estava igual no destino';
COMMENT ON COLUMN controle.reconciliacoes.obsoletos IS 'Documentos de que o destino já tinha uma versão mais nova';
COMMENT ON COLUMN controle.reconciliacoes.quarentena IS 'Documentos rejeitados';
COMMENT ON COLUMN controle.reconciliacoes.soma_valor_bruto_origem IS 'Soma de ValorBruto nos documentos, em reais';
COMMENT ON COLUMN controle.reconciliacoes.soma_valor_bruto_destino IS 'Soma de operacoes.valor_bruto dos mesmos contratos, em reais';
COMMENT ON COLUMN controle.reconciliacoes.soma_prestacoes_origem IS 'Soma de ValorDaPrestacao nos documentos, em reais';
COMMENT ON COLUMN controle.reconciliacoes.soma_prestacoes_destino IS 'Soma de parcelas.valor_prestacao dos mesmos contratos, em reais';
COMMENT ON COLUMN controle.reconciliacoes.ok IS 'Se tudo é igual dos dois lados';
COMMENT ON COLUMN controle.reconciliacoes.conferido_em IS 'Quando foi conferido';
COMMENT ON TABLE staging.contratos IS 'Uma linha por documento aceito de um lote; situacao é o que foi feito dele';
COMMENT ON COLUMN staging.contratos.lote IS 'O lote: documentos extraídos juntos';
COMMENT ON COLUMN staging.contratos.doc IS 'Número do documento no lote';
COMMENT ON COLUMN staging.contratos.mongo_id IS '_id do documento no MongoDB';
COMMENT ON COLUMN staging.contratos.ccb_code IS 'Código da CCB (Cédula de Crédito Bancário)';
COMMENT ON COLUMN staging.contratos.client_id IS 'Código do cliente no sistema de originação';
COMMENT ON COLUMN staging.contratos.atualizado_em IS 'Momento efetivo de atualização do documento: updatedAt, senão createdAt, emitedAt ou o do ObjectId';
COMMENT ON COLUMN staging.contratos.particao IS 'Data (partição) do documento: o dia da atualização, no fuso de CCB_TIMEZONE';
COMMENT ON COLUMN staging.contratos.valor_bruto IS 'ValorBruto do documento, em reais';
COMMENT ON COLUMN staging.contratos.soma_prestacoes IS 'Soma de ValorDaPrestacao no documento, em reais';
COMMENT ON COLUMN staging.contratos.situacao IS 'novo, alterado, igual, intacto, obsoleto ou duplicado; nulo: ainda não carregado';
COMMENT ON COLUMN staging.contratos.impressao IS 'Impressão digital do documento (controle.versoes)';
COMMENT ON TABLE staging.qualidade IS 'Alertas dos documentos de um lote, à espera da carga';
COMMENT ON COLUMN staging.qualidade.lote IS 'O lote: documentos extraídos juntos';
COMMENT ON COLUMN staging.qualidade.doc IS 'Número do documento no lote';
COMMENT ON COLUMN staging.qualidade.codigo IS 'Código do alerta';
COMMENT ON COLUMN staging.qualidade.campo IS 'Caminho do campo no documento';
COMMENT ON TABLE staging.clientes IS 'Linhas para clientes dos documentos de um lote, à espera da carga';
COMMENT ON COLUMN staging.clientes.lote IS 'O lote: documentos extraídos juntos';
COMMENT ON COLUMN staging.clientes.doc IS 'Número do documento no lote';
COMMENT ON COLUMN staging.clientes.nome IS 'Nome ou razão social';
COMMENT ON COLUMN staging.clientes.tipo_pessoa IS 'PF (pessoa física) ou PJ (pessoa jurídica)';
COMMENT ON COLUMN staging.clientes.cpf_cnpj IS 'CPF (11 dígitos) ou CNPJ (14 caracteres) sem pontuação; não é único';
COMMENT ON COLUMN staging.clientes.data_nascimento IS 'Data de nascimento, ou de fundação';
COMMENT ON COLUMN staging.clientes.estado_civil IS 'Estado civil, como a origem o escreve';
COMMENT ON COLUMN staging.clientes.naturalidade IS 'Município de nascimento';
COMMENT ON COLUMN staging.clientes.genero IS 'Gênero, como a origem o escreve';
COMMENT ON COLUMN staging.clientes.nome_mae IS 'Nome da mãe';
COMMENT ON COLUMN staging.clientes.pep IS 'Pessoa exposta politicamente; nulo: a origem não diz';
COMMENT ON COLUMN staging.clientes.uf IS 'Unidade da federação do cliente';
COMMENT ON COLUMN staging.clientes.estrutura IS 'Estrutura (fundo, veículo) a que o cliente pertence na origem';
COMMENT ON COLUMN staging.clientes.renda_media_mensal IS 'Renda média mensal declarada, em reais';
COMMENT ON TABLE staging.identidades IS 'Linhas para identidades dos documentos de um lote, à espera da carga';
COMMENT ON COLUMN staging.identidades.lote IS 'O lote: documentos extraídos juntos';
COMMENT ON COLUMN staging.identidades.doc IS 'Número do documento no lote';
COMMENT ON COLUMN staging.identidades.tipo IS 'CPF, CNPJ ou RG';
COMMENT ON COLUMN staging.identidades.numero IS 'Número do documento; de CPF e CNPJ, o mesmo de clientes.cpf_cnpj';
COMMENT ON COLUMN staging.identidades.orgao_emissor IS 'Órgão emissor (só RG)';
COMMENT ON COLUMN staging.identidades.uf_emissor IS 'Unidade da federação do órgão emissor (só RG)';
COMMENT ON TABLE staging.enderecos IS 'Linhas para enderecos dos documentos de um lote, à espera da carga';
COMMENT ON COLUMN staging.enderecos.lote IS 'O lote: documentos extraídos juntos';
COMMENT ON COLUMN staging.enderecos.doc IS 'Número do documento no lote';
COMMENT ON COLUMN staging.enderecos.tipo IS 'residencial ou comercial; sem indicação: residencial para PF, comercial para PJ';
COMMENT ON COLUMN staging.enderecos.cep IS 'CEP, oito dígitos';
COMMENT ON COLUMN staging.enderecos.uf IS 'Unidade da federação';
COMMENT ON COLUMN staging.enderecos.cidade IS 'Município';
COMMENT ON COLUMN staging.enderecos.logradouro IS 'Logradouro';
COMMENT ON COLUMN staging.enderecos.bairro IS 'Bairro';
COMMENT ON COLUMN staging.enderecos.numero IS 'Número no logradouro';
COMMENT ON COLUMN staging.enderecos.complemento IS 'Complemento';
COMMENT ON TABLE staging.contatos IS 'Linhas para contatos dos documentos de um lote, à espera da carga';
COMMENT ON COLUMN staging.contatos.lote IS 'O lote: documentos extraídos juntos';
COMMENT ON COLUMN staging.contatos.doc IS 'Número do documento no lote';
COMMENT ON COLUMN staging.contatos.tipo IS 'email ou telefone';
COMMENT ON COLUMN staging.contatos.valor IS 'O endereço ou o número, como a origem o escreve';
COMMENT ON TABLE staging.dados_bancarios IS 'Linhas para dados_bancarios dos documentos de um lote, à espera da carga';
COMMENT ON COLUMN staging.dados_bancarios.lote IS 'O lote: documentos extraídos juntos';
COMMENT ON COLUMN staging.dados_bancarios.doc IS 'Número do documento no lote';
COMMENT ON COLUMN staging.dados_bancarios.banco IS 'Código do banco';
COMMENT ON COLUMN staging.dados_bancarios.agencia IS 'Agência; zeros à esquerda faltam onde a origem gravou um número';
COMMENT ON COLUMN staging.dados_bancarios.conta IS 'Conta; zeros à esquerda faltam onde a origem gravou um número';
COMMENT ON TABLE staging.operacoes IS 'Linhas para operacoes dos documentos de um lote, à espera da carga';
COMMENT ON COLUMN staging.operacoes.lote IS 'O lote: documentos extraídos juntos';
COMMENT ON COLUMN staging.operacoes.doc IS 'Número do documento no lote';
COMMENT ON COLUMN staging.operacoes.status IS 'Situação do contrato, como a origem a escreve';
COMMENT ON COLUMN staging.operacoes.vencimento_primeira_parcela IS 'Vencimento da primeira parcela contratada';
COMMENT ON COLUMN staging.operacoes.carencia IS 'Carência contratada, como a origem a informa';
COMMENT ON COLUMN staging.operacoes.finan_iof IS 'Se o IOF é financiado, isto é, faz parte do valor bruto';
COMMENT ON COLUMN staging.operacoes.conta IS 'Conta da operação na origem';
COMMENT ON COLUMN staging.operacoes.valor_bruto IS 'Valor financiado, em reais';
COMMENT ON COLUMN staging.operacoes.valor_seguro IS 'Seguro, em reais';
COMMENT ON COLUMN staging.operacoes.valor_cad IS 'Tarifa de cadastro (CAD), em reais';
COMMENT ON COLUMN staging.operacoes.valor_iof IS 'IOF, em reais';
COMMENT ON COLUMN staging.operacoes.valor_liquido IS 'Valor liberado ao cliente, em reais';
COMMENT ON COLUMN staging.operacoes.taxa_juros IS 'Taxa de juros ao mês, em por cento';
COMMENT ON COLUMN staging.operacoes.taxa_juros_anual IS 'Taxa de juros ao ano, em por cento';
COMMENT ON COLUMN staging.operacoes.cet IS 'Custo efetivo total ao mês, em por cento';
COMMENT ON COLUMN staging.operacoes.cet_anual IS 'Custo efetivo total ao ano, em por cento';
COMMENT ON COLUMN staging.operacoes.data_liberacao IS 'Data da liberação do dinheiro';
COMMENT ON COLUMN staging.operacoes.data_vencimento_inicial IS 'Primeiro vencimento, como a origem o informa';
COMMENT ON COLUMN staging.operacoes.data_vencimento_final IS 'Último vencimento, como a origem o informa';
COMMENT ON COLUMN staging.operacoes.numero_parcelas IS 'Número de parcelas; a carência (parcela 0) não conta';
COMMENT ON COLUMN staging.operacoes.total_amortizacao IS 'Soma contratual das amortizações, em reais';
COMMENT ON COLUMN staging.operacoes.total_taxa_servico IS 'Soma contratual da taxa de serviço, em reais';
COMMENT ON COLUMN staging.operacoes.total_seguro IS 'Soma contratual do seguro nas parcelas, em reais';
COMMENT ON COLUMN staging.operacoes.total_taxa_correcao IS 'Soma contratual da correção, em reais';
COMMENT ON COLUMN staging.operacoes.total_juros IS 'Soma contratual dos juros, com os da carência, em reais';
COMMENT ON COLUMN staging.operacoes.total_valor_parcelas IS 'Soma contratual das prestações, em reais';
COMMENT ON COLUMN staging.operacoes.criado_em IS 'Criação do documento na origem';
COMMENT ON COLUMN staging.operacoes.emitido_em IS 'Emissão da CCB';
COMMENT ON COLUMN staging.operacoes.extras IS 'Campos do documento sem coluna própria, sob o seu caminho: nada se perde';
COMMENT ON TABLE staging.parcelas IS 'Linhas para parcelas dos documentos de um lote, à espera da carga';
COMMENT ON COLUMN staging.parcelas.lote IS 'O lote: documentos extraídos juntos';
COMMENT ON COLUMN staging.parcelas.doc IS 'Número do documento no lote';
COMMENT ON COLUMN staging.parcelas.numero_parcela IS 'Número da parcela; 0 é a carência';
COMMENT ON COLUMN staging.parcelas.data_vencimento IS 'Vencimento contratual';
COMMENT ON COLUMN staging.parcelas.valor_amortizacao IS 'Amortização contratual do principal, em reais';
COMMENT ON COLUMN staging.parcelas.valor_correcao IS 'Correção contratual, em reais';
COMMENT ON COLUMN staging.parcelas.valor_juros IS 'Juros contratuais do período, em reais';
COMMENT ON COLUMN staging.parcelas.valor_seguro IS 'Seguro contratual da parcela, em reais';
COMMENT ON COLUMN staging.parcelas.valor_taxa_bancaria IS 'Taxa bancária contratual da parcela, em reais';
COMMENT ON COLUMN staging.parcelas.valor_prestacao IS 'Prestação (previsão contratual, não pagamento), em reais';
COMMENT ON COLUMN staging.parcelas.valor_saldo_anterior IS 'Saldo contratual antes da parcela, em reais';
COMMENT ON COLUMN staging.parcelas.valor_juros_capitalizados IS 'Juros capitalizados no período, em reais';
COMMENT ON COLUMN staging.parcelas.valor_saldo_atual IS 'Saldo contratual depois da parcela, em reais';
COMMENT ON TABLE staging.detalhamento_cet IS 'Linhas para detalhamento_cet dos documentos de um lote, à espera da carga';
COMMENT ON COLUMN staging.detalhamento_cet.lote IS 'O lote: documentos extraídos juntos';
COMMENT ON COLUMN staging.detalhamento_cet.doc IS 'Número do documento no lote';
COMMENT ON COLUMN staging.detalhamento_cet.porcentagem_juros IS 'Parte dos juros';
COMMENT ON COLUMN staging.detalhamento_cet.porcentagem_impostos IS 'Parte dos impostos';
COMMENT ON COLUMN staging.detalhamento_cet.porcentagem_tarifas IS 'Parte das tarifas';
COMMENT ON COLUMN staging.detalhamento_cet.porcentagem_servicos IS 'Parte dos serviços';
COMMENT ON TABLE controle.versoes IS 'A última versão carregada de cada documento, para que repetir uma data pule o que não mudou';
COMMENT ON COLUMN controle.versoes.mongo_id IS '_id do documento no MongoDB';
COMMENT ON COLUMN controle.versoes.particao IS 'Data (partição) do documento: o dia da atualização, no fuso de CCB_TIMEZONE';
COMMENT ON COLUMN controle.versoes.ccb_code IS 'Código da CCB (Cédula de Crédito Bancário)';
COMMENT ON COLUMN controle.versoes.client_id IS 'Código do cliente no sistema de originação';
COMMENT ON COLUMN controle.versoes.atualizado_em IS 'Momento efetivo de atualização do documento: updatedAt, senão createdAt, emitedAt ou o do ObjectId';
COMMENT ON COLUMN controle.versoes.valor_bruto IS 'ValorBruto do documento, em reais';
COMMENT ON COLUMN controle.versoes.soma_prestacoes IS 'Soma de ValorDaPrestacao no documento, em reais';
COMMENT ON COLUMN controle.versoes.impressao IS 'Impressão digital dos bytes do documento e das regras que os leram';
COMMENT ON COLUMN controle.versoes.linhas IS 'Quantas linhas o contrato e o cliente têm em todas as tabelas';
COMMENT ON COLUMN controle.versoes.escritas IS 'Soma das transações (xmin) que gravaram essas linhas';
COMMENT ON TABLE controle.varreduras IS 'Uma linha por varredura: o que havia dos dois lados, o que foi feito, e por que parou';
COMMENT ON COLUMN controle.varreduras.id IS 'Número da varredura';
COMMENT ON COLUMN controle.varreduras.iniciada_em IS 'Início';
COMMENT ON COLUMN controle.varreduras.terminada_em IS 'Fim';
COMMENT ON COLUMN controle.varreduras.lidos_origem IS 'Documentos lidos na origem';
COMMENT ON COLUMN controle.varreduras.contratos_destino IS 'Contratos nas tabelas';
COMMENT ON COLUMN controle.varreduras.carregados IS 'Documentos que faltavam ou estavam velhos, e foram carregados';
COMMENT ON COLUMN controle.varreduras.sumidos IS 'Contratos que já não estão na origem';
COMMENT ON COLUMN controle.varreduras.marcados_excluidos IS 'Contratos que receberam excluido_em';
COMMENT ON COLUMN controle.varreduras.reaparecidos IS 'Contratos que voltaram à origem';
COMMENT ON COLUMN controle.varreduras.em_aberto IS 'Documentos da origem que não estão nas tabelas nem na quarentena';
COMMENT ON COLUMN controle.varreduras.ainda_em_quarentena IS 'Documentos da origem que continuam na quarentena';
COMMENT ON COLUMN controle.varreduras.ok IS 'Se nada ficou em aberto';
COMMENT ON COLUMN controle.varreduras.motivo IS 'Por que parou ou o que ficou em aberto (código)';
COMMENT ON TABLE controle.esquecimentos IS 'Clientes apagados (LGPD): resumos com chave, para que carga alguma os traga de volta';
COMMENT ON COLUMN controle.esquecimentos.id IS 'Número do registro';
COMMENT ON COLUMN controle.esquecimentos.esquecido_em IS 'Quando foi apagado';
COMMENT ON COLUMN controle.esquecimentos.por IS 'Usuário do banco que apagou';
COMMENT ON COLUMN controle.esquecimentos.chave IS 'HMAC-SHA256 do código do cliente, com CCB_FORGET_KEY';
COMMENT ON COLUMN controle.esquecimentos.documentos IS 'O mesmo dos _id dos seus documentos';
COMMENT ON COLUMN controle.esquecimentos.verificador IS 'Diz se CCB_FORGET_KEY é a mesma chave';
COMMENT ON COLUMN controle.esquecimentos.contagens IS 'Linhas apagadas por tabela';
COMMENT ON VIEW vw_agenda_vencimentos IS 'Agenda contratual: parcelas de número 1 em diante. São previsões, não pagamentos; contratos que saíram da origem (excluido_em) ficam de fora';
COMMENT ON COLUMN vw_agenda_vencimentos.ccb_code IS 'Código da CCB (Cédula de Crédito Bancário)';
COMMENT ON COLUMN vw_agenda_vencimentos.numero_parcela IS 'Número da parcela, de 1 em diante';
COMMENT ON COLUMN vw_agenda_vencimentos.numero_parcelas IS 'Número de parcelas do contrato, como a origem o informa';
COMMENT ON COLUMN vw_agenda_vencimentos.client_id IS 'Código do cliente no sistema de originação';
COMMENT ON COLUMN vw_agenda_vencimentos.estrutura IS 'Estrutura (fundo, veículo) do cliente';
COMMENT ON COLUMN vw_agenda_vencimentos.uf IS 'Unidade da federação do cliente';
COMMENT ON COLUMN vw_agenda_vencimentos.status IS 'Situação do contrato na origem';
COMMENT ON COLUMN vw_agenda_vencimentos.data_vencimento IS 'Vencimento contratual';
COMMENT ON COLUMN vw_agenda_vencimentos.dias_ate_vencimento IS 'Dias de hoje (em São Paulo) até o vencimento contratual; negativo: já venceu, pago ou não';
COMMENT ON COLUMN vw_agenda_vencimentos.valor_prestacao IS 'Prestação contratual, em reais';
COMMENT ON COLUMN vw_agenda_vencimentos.valor_amortizacao IS 'Amortização contratual, em reais';
COMMENT ON COLUMN vw_agenda_vencimentos.valor_juros IS 'Juros contratuais, em reais';
COMMENT ON COLUMN vw_agenda_vencimentos.valor_correcao IS 'Correção contratual, em reais';
COMMENT ON COLUMN vw_agenda_vencimentos.valor_seguro IS 'Seguro contratual, em reais';
COMMENT ON COLUMN vw_agenda_vencimentos.valor_taxa_bancaria IS 'Taxa bancária contratual, em reais';
COMMENT ON COLUMN vw_agenda_vencimentos.saldo_contratual IS 'Saldo contratual depois da parcela, em reais';
COMMENT ON VIEW vw_fluxo_mensal IS 'Fluxo contratual por mês, estrutura e UF: parcelas de número 1 em diante; contratos que saíram da origem (excluido_em) ficam de fora';
COMMENT ON COLUMN vw_fluxo_mensal.mes IS 'Primeiro dia do mês do vencimento contratual';
COMMENT ON COLUMN vw_fluxo_mensal.estrutura IS 'Estrutura (fundo, veículo) do cliente; nulo: sem estrutura';
COMMENT ON COLUMN vw_fluxo_mensal.uf IS 'Unidade da federação do cliente; nulo: sem UF';
COMMENT ON COLUMN vw_fluxo_mensal.parcelas IS 'Número de parcelas';
COMMENT ON COLUMN vw_fluxo_mensal.principal IS 'Soma contratual das amortizações, em reais';
COMMENT ON COLUMN vw_fluxo_mensal.juros IS 'Soma contratual dos juros, em reais';
COMMENT ON COLUMN vw_fluxo_mensal.encargos IS 'Soma contratual de correção, seguro e taxa bancária, em reais';
COMMENT ON COLUMN vw_fluxo_mensal.total IS 'Soma contratual das prestações, em reais';
COMMENT ON COLUMN vw_fluxo_mensal.sem_valor IS 'Parcelas sem valor de prestação na origem, que faltam no total';
COMMENT ON VIEW vw_posicao_cliente IS 'Posição contratual por cliente, hoje (em São Paulo), sem nome e com documento mascarado; contratos que saíram da origem (excluido_em) ficam de fora';
COMMENT ON COLUMN vw_posicao_cliente.client_id IS 'Código do cliente no sistema de originação';
COMMENT ON COLUMN vw_posicao_cliente.tipo_pessoa IS 'PF ou PJ';
COMMENT ON COLUMN vw_posicao_cliente.documento_mascarado IS 'CPF como ***.456.789-**, CNPJ como **.345.678/****-**';
COMMENT ON COLUMN vw_posicao_cliente.estrutura IS 'Estrutura (fundo, veículo) do cliente';
COMMENT ON COLUMN vw_posicao_cliente.uf IS 'Unidade da federação do cliente';
COMMENT ON COLUMN vw_posicao_cliente.contratos IS 'Número de contratos';
COMMENT ON COLUMN vw_posicao_cliente.valor_bruto IS 'Soma dos valores financiados, em reais';
COMMENT ON COLUMN vw_posicao_cliente.saldo_contratual IS 'Soma dos saldos contratuais de hoje (veja saldo_contratual), em reais; nulo: falta o de algum contrato';
COMMENT ON COLUMN vw_posicao_cliente.proximo_vencimento IS 'Próximo vencimento contratual de hoje em diante (o de hoje conta)';
COMMENT ON VIEW vw_qualidade IS 'Alertas de qualidade por contrato, em palavras; contratos que saíram da origem (excluido_em) ficam de fora';
COMMENT ON COLUMN vw_qualidade.ccb_code IS 'Código da CCB (Cédula de Crédito Bancário)';
COMMENT ON COLUMN vw_qualidade.client_id IS 'Código do cliente no sistema de originação';
COMMENT ON COLUMN vw_qualidade.estrutura IS 'Estrutura (fundo, veículo) do cliente';
COMMENT ON COLUMN vw_qualidade.mongo_id IS '_id do documento no MongoDB';
COMMENT ON COLUMN vw_qualidade.codigo IS 'Código do alerta';
COMMENT ON COLUMN vw_qualidade.significado IS 'O que o código quer dizer';
COMMENT ON COLUMN vw_qualidade.providencia IS 'O que fazer';
COMMENT ON COLUMN vw_qualidade.campo IS 'Caminho do campo no documento';
COMMENT ON COLUMN vw_qualidade.particao IS 'Data (partição) do documento: o dia da atualização, no fuso de CCB_TIMEZONE';
COMMENT ON COLUMN vw_qualidade.observado_em IS 'Quando o alerta foi observado';
COMMENT ON VIEW vw_codigos IS 'O que significa cada código da quarentena e dos alertas, e o que fazer';
COMMENT ON COLUMN vw_codigos.codigo IS 'O código';
COMMENT ON COLUMN vw_codigos.tipo IS 'rejeicao (o documento não é carregado) ou alerta (é carregado)';
COMMENT ON COLUMN vw_codigos.significado IS 'O que o código quer dizer';
COMMENT ON COLUMN vw_codigos.providencia IS 'O que fazer';
COMMENT ON FUNCTION saldo_contratual(data date) IS 'Saldo contratual de cada contrato na data: o da última linha do cronograma (a carência também) vencida até ela; antes do primeiro vencimento, o valor bruto, com data_vencimento nula. É previsão, não pagamento; contratos que saíram da origem (excluido_em) ficam de fora';

-- revision 0006
CREATE TABLE controle.execucoes (
    execucao TEXT COLLATE "C" NOT NULL,
    comando TEXT NOT NULL,
    versao TEXT NOT NULL,
    iniciada_em TIMESTAMP WITH TIME ZONE NOT NULL,
    terminada_em TIMESTAMP WITH TIME ZONE NOT NULL,
    codigo_saida INTEGER NOT NULL,
    datas_pedidas INTEGER NOT NULL,
    datas_completas INTEGER NOT NULL,
    documentos BIGINT NOT NULL,
    segundos_por_etapa JSONB NOT NULL,
    segundos_cpu NUMERIC(12, 3) NOT NULL,
    memoria_bytes BIGINT NOT NULL,
    CONSTRAINT execucoes_pkey PRIMARY KEY (execucao),
    CONSTRAINT execucoes_finitos_check CHECK (segundos_cpu <> 'NaN')
);
COMMENT ON TABLE controle.execucoes IS 'Uma linha por execução de um comando: quando, com que resultado, e quanto levou';
COMMENT ON COLUMN controle.execucoes.execucao IS 'Identificador da execução; o mesmo run_id está em cada linha do log';
COMMENT ON COLUMN controle.execucoes.comando IS 'nightly, run, rerun ou sweep';
COMMENT ON COLUMN controle.execucoes.versao IS 'Versão do programa';
COMMENT ON COLUMN controle.execucoes.iniciada_em IS 'Início';
COMMENT ON COLUMN controle.execucoes.terminada_em IS 'Fim';
COMMENT ON COLUMN controle.execucoes.codigo_saida IS 'Código de saída do comando; 0: tudo certo';
COMMENT ON COLUMN controle.execucoes.datas_pedidas IS 'Datas que a execução devia completar';
COMMENT ON COLUMN controle.execucoes.datas_completas IS 'Quantas delas estavam completas no fim';
COMMENT ON COLUMN controle.execucoes.documentos IS 'Documentos lidos na origem';
COMMENT ON COLUMN controle.execucoes.segundos_por_etapa IS 'Etapa → segundos, somados sobre as datas; etapas podem correr ao mesmo tempo';
COMMENT ON COLUMN controle.execucoes.segundos_cpu IS 'Segundos de processador de todos os processos';
COMMENT ON COLUMN controle.execucoes.memoria_bytes IS 'Maior memória de todos os processos juntos, em bytes';

-- revision 0007
CREATE TABLE controle.planos (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    origem TEXT NOT NULL,
    fuso TEXT NOT NULL,
    desde DATE,
    ate DATE NOT NULL,
    feitas DATE[] NOT NULL,
    documentos BIGINT NOT NULL,
    fatias INTEGER NOT NULL,
    criado_em TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT planos_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE controle.planos IS 'Cargas de muitas datas de uma vez: o que cada plano cobre; suas fatias estão em controle.fatias';
COMMENT ON COLUMN controle.planos.id IS 'Número do plano';
COMMENT ON COLUMN controle.planos.origem IS 'Coleção ou arquivo de que o plano foi feito';
COMMENT ON COLUMN controle.planos.fuso IS 'Fuso horário cujas meias-noites separam as datas';
COMMENT ON COLUMN controle.planos.desde IS 'Primeira data; nulo: desde o primeiro documento';
COMMENT ON COLUMN controle.planos.ate IS 'Última data';
COMMENT ON COLUMN controle.planos.feitas IS 'Datas que já estavam completas e ficaram de fora';
COMMENT ON COLUMN controle.planos.documentos IS 'Documentos previstos em todas as fatias';
COMMENT ON COLUMN controle.planos.fatias IS 'Número de fatias';
COMMENT ON COLUMN controle.planos.criado_em IS 'Quando o plano foi feito';
CREATE TABLE controle.fatias (
    plano BIGINT NOT NULL,
    numero INTEGER NOT NULL,
    documentos BIGINT NOT NULL,
    trecho JSONB NOT NULL,
    CONSTRAINT fatias_pkey PRIMARY KEY (plano, numero),
    CONSTRAINT fatias_plano_fkey FOREIGN KEY(plano) REFERENCES controle.planos (id)
);
COMMENT ON TABLE controle.fatias IS 'As partes de um plano, cada uma carregada numa transação só; o marcador é fatia:<plano>:<número>';
COMMENT ON COLUMN controle.fatias.plano IS 'Número do plano';
COMMENT ON COLUMN controle.fatias.numero IS 'Número da fatia no plano, de 1 em diante';
COMMENT ON COLUMN controle.fatias.documentos IS 'Documentos previstos';
COMMENT ON COLUMN controle.fatias.trecho IS 'O trecho da origem: intervalo de updatedAt, de _id, ou de bytes do arquivo';
COMMENT ON COLUMN public.table_updates.update_id IS '<tabela>:<data>; contratos é a extração, reconciliacoes a conferência. De um plano também fatia:<plano>:<número>, e plano:<plano> no fim';
