-- The views and functions: what may be read under which name, and what is done with the owner's rights.
--
-- One paragraph each, without an empty line inside. `ccb-luigi db upgrade` runs a paragraph again when its text
-- differs from what it ran last (`database/words.py`); no migration is needed. One that uses another stands after
-- it. A function whose arguments change is another function: a migration drops the old one.

-- The loader has no DDL and doesn't own the tables, but statistics of staging must be fresh before a load, and
-- emptying it must be cheap: two functions with the owner's rights do just that. Joins need statistics of the
-- keys only: looking at every column of staging took a tenth of a load.
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
REVOKE ALL ON FUNCTION staging.analisar(text) FROM PUBLIC;

-- TRUNCATE when nobody else has anything in staging (or holds a lock there), else DELETE.
CREATE OR REPLACE FUNCTION staging.limpar(este_lote integer) RETURNS void
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
REVOKE ALL ON FUNCTION staging.limpar(integer) FROM PUBLIC;

-- What an analyst may see. With the owner's rights (the default): an analyst needs none on the tables.
-- security_barrier: no function of a query sees a row that the view leaves out. Columns are named one by one:
-- a new one is decided on here.
CREATE OR REPLACE VIEW analise.clientes WITH (security_barrier) AS
SELECT client_id, tipo_pessoa,
       CASE length(cpf_cnpj)
           WHEN 11 THEN '***.' || substr(cpf_cnpj, 4, 3) || '.' || substr(cpf_cnpj, 7, 3) || '-**'
           WHEN 14 THEN '**.' || substr(cpf_cnpj, 3, 3) || '.' || substr(cpf_cnpj, 6, 3) || '/****-**'
           ELSE '***'
       END AS cpf_cnpj,
       CAST(extract(year FROM data_nascimento) AS integer) AS ano_nascimento,
       estado_civil, genero, uf, estrutura, renda_media_mensal, atualizado_em, carregado_em
FROM public.clientes;

CREATE OR REPLACE VIEW analise.identidades WITH (security_barrier) AS
SELECT client_id, tipo, orgao_emissor, uf_emissor FROM public.identidades;

CREATE OR REPLACE VIEW analise.enderecos WITH (security_barrier) AS
SELECT client_id, tipo, uf, cidade FROM public.enderecos;

CREATE OR REPLACE VIEW analise.contatos WITH (security_barrier) AS
SELECT client_id, tipo, count(*) AS quantidade FROM public.contatos GROUP BY client_id, tipo;

CREATE OR REPLACE VIEW analise.dados_bancarios WITH (security_barrier) AS
SELECT client_id, banco, count(*) AS contas FROM public.dados_bancarios GROUP BY client_id, banco;

CREATE OR REPLACE VIEW analise.operacoes WITH (security_barrier) AS
SELECT ccb_code, mongo_id, client_id, status, vencimento_primeira_parcela, carencia, finan_iof,
       valor_bruto, valor_seguro, valor_cad, valor_iof, valor_liquido,
       taxa_juros, taxa_juros_anual, cet, cet_anual,
       data_liberacao, data_vencimento_inicial, data_vencimento_final, numero_parcelas,
       total_amortizacao, total_taxa_servico, total_seguro, total_taxa_correcao, total_juros,
       total_valor_parcelas, criado_em, emitido_em, atualizado_em, carregado_em
FROM public.operacoes WHERE excluido_em IS NULL;

CREATE OR REPLACE VIEW analise.parcelas WITH (security_barrier) AS
SELECT p.ccb_code, p.numero_parcela, p.data_vencimento, p.valor_amortizacao, p.valor_correcao,
       p.valor_juros, p.valor_seguro, p.valor_taxa_bancaria, p.valor_prestacao,
       p.valor_saldo_anterior, p.valor_juros_capitalizados, p.valor_saldo_atual
FROM public.parcelas p JOIN public.operacoes o ON o.ccb_code = p.ccb_code
WHERE o.excluido_em IS NULL;

CREATE OR REPLACE VIEW analise.detalhamento_cet WITH (security_barrier) AS
SELECT d.ccb_code, d.porcentagem_juros, d.porcentagem_impostos, d.porcentagem_tarifas,
       d.porcentagem_servicos
FROM public.detalhamento_cet d JOIN public.operacoes o ON o.ccb_code = d.ccb_code
WHERE o.excluido_em IS NULL;

CREATE OR REPLACE VIEW analise.qualidade WITH (security_barrier) AS
SELECT q.ccb_code, q.mongo_id, q.codigo, q.campo, q.particao, q.observado_em
FROM controle.qualidade q JOIN public.operacoes o ON o.ccb_code = q.ccb_code
WHERE o.excluido_em IS NULL;

CREATE OR REPLACE VIEW analise.reconciliacoes WITH (security_barrier) AS
SELECT particao, lidos, carregados, sem_mudanca, obsoletos, quarentena,
       soma_valor_bruto_origem, soma_valor_bruto_destino,
       soma_prestacoes_origem, soma_prestacoes_destino, ok, conferido_em
FROM controle.reconciliacoes;

CREATE OR REPLACE VIEW public.vw_agenda_vencimentos AS
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

-- Grace interest is capitalised into the principal: row 0 pays nothing, and counting it would count twice.
CREATE OR REPLACE VIEW public.vw_fluxo_mensal AS
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

-- With the rights of whoever calls it, so that PostgreSQL can plan it as a part of the query around it.
CREATE OR REPLACE FUNCTION public.saldo_contratual(data date)
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

-- The balance as in saldo_contratual, but with the view owner's rights: who may read the view needs none
-- on the tables. A sum that lacks a contract's balance would be too small: null tells it. Materialized, today
-- is worked out once and not three times per row.
CREATE OR REPLACE VIEW public.vw_posicao_cliente AS
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

-- Each code is a row of codes.py.
CREATE OR REPLACE VIEW public.vw_codigos AS
SELECT codigo, tipo, significado, providencia FROM controle.codigos;

CREATE OR REPLACE VIEW public.vw_qualidade AS
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
