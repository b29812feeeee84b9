-- Who may do what. Everything here may be repeated, and what it doesn't give is taken away.
--
-- The owner of the tables keeps the schema (`ccb-luigi db upgrade`). Three roles share the rest:
--
--     ccb_loader              loads: reads and writes rows, and can neither create, alter nor drop anything
--     ccb_analyst             reads the schema analise and the views vw_*: no name, document, address,
--                             contact or account
--     ccb_restricted_reader   reads the eight tables with all personal data, and the controls, but not the
--                             raw documents of the quarantine
--
-- `ccb-luigi db grants` prints this, `ccb-luigi db grants --apply` runs it: in the database of the tables, as
-- their owner with CREATEROLE or as a superuser, after each `ccb-luigi db upgrade`. Roles come without a
-- password and can't log in with one before you set it: psql -d ccb -c '\password ccb_loader'

DO $$
DECLARE papel text;
BEGIN
    FOREACH papel IN ARRAY ARRAY['ccb_loader', 'ccb_analyst', 'ccb_restricted_reader'] LOOP
        -- Roles belong to the whole cluster: another database's may be there.
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = papel) THEN
            EXECUTE format(
                'CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS', papel);
        END IF;
        EXECUTE format('REVOKE ALL ON DATABASE %I FROM %I', current_database(), papel);
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), papel);
    END LOOP;
    -- A load compares both sides in temporary tables. By default PUBLIC may make them, but many
    -- installations revoke that.
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO ccb_loader', current_database());
END $$;

REVOKE ALL ON SCHEMA public, controle, staging, analise FROM ccb_loader, ccb_analyst, ccb_restricted_reader;
REVOKE ALL ON ALL TABLES IN SCHEMA public, controle, staging, analise
    FROM ccb_loader, ccb_analyst, ccb_restricted_reader;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA staging FROM ccb_loader, ccb_analyst, ccb_restricted_reader;
-- Before PostgreSQL 15 everybody may create tables in public.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;

-- ccb_loader ------------------------------------------------------------------------------------------

GRANT USAGE ON SCHEMA public, controle, staging TO ccb_loader;

-- The eight tables and the markers. DELETE: children that a newer version no longer has, contracts whose
-- code changed, clients that are erased, and markers that `rerun` forgets.
GRANT SELECT, INSERT, UPDATE, DELETE ON
    public.clientes,
    public.identidades,
    public.enderecos,
    public.contatos,
    public.dados_bancarios,
    public.operacoes,
    public.parcelas,
    public.detalhamento_cet,
    public.table_updates
TO ccb_loader;

-- Rejections, findings, proofs, versions. The revision of the schema is only looked at, and what a sweep
-- or a run came to, or a plan is made of, is written once.
GRANT SELECT, INSERT, UPDATE, DELETE ON
    controle.quarentena,
    controle.qualidade,
    controle.reconciliacoes,
    controle.versoes
TO ccb_loader;
GRANT SELECT, INSERT ON controle.varreduras, controle.execucoes, controle.planos, controle.fatias TO ccb_loader;
GRANT SELECT ON controle.alembic_version, controle.codigos, controle.textos TO ccb_loader;

-- Erasures are written once and never changed. Who and when, the database says itself.
GRANT SELECT, INSERT (chave, documentos, verificador, contagens) ON controle.esquecimentos TO ccb_loader;

-- Staging is the pipeline's own. Two functions do with its owner's rights what needs them: fresh
-- statistics before a load, and emptying it afterwards.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA staging TO ccb_loader;
GRANT EXECUTE ON FUNCTION staging.analisar(text), staging.limpar(integer) TO ccb_loader;

-- What the server's own log says of an error in a session of the loader: no DETAIL and no CONTEXT, which
-- quote rows. Only a superuser may say so (from PostgreSQL 15 on whoever was given SET ON PARAMETER
-- log_error_verbosity, too); without that right all else is given the same.
DO $$ BEGIN
    EXECUTE format(
        'ALTER ROLE ccb_loader IN DATABASE %I SET log_error_verbosity = terse', current_database());
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'log_error_verbosity of ccb_loader is not set: only a superuser may (docs/security.md)';
END $$;

-- ccb_analyst -----------------------------------------------------------------------------------------

GRANT USAGE ON SCHEMA analise, public TO ccb_analyst;
GRANT SELECT ON ALL TABLES IN SCHEMA analise TO ccb_analyst;
GRANT SELECT ON
    public.vw_agenda_vencimentos,
    public.vw_fluxo_mensal,
    public.vw_posicao_cliente,
    public.vw_qualidade,
    public.vw_codigos
TO ccb_analyst;
-- saldo_contratual reads with its caller's rights: these columns hold no personal data.
GRANT EXECUTE ON FUNCTION public.saldo_contratual(date) TO ccb_analyst;
GRANT SELECT (ccb_code, client_id, valor_bruto, excluido_em) ON public.operacoes TO ccb_analyst;
GRANT SELECT (ccb_code, numero_parcela, data_vencimento, valor_saldo_atual) ON public.parcelas TO ccb_analyst;

-- ccb_restricted_reader -------------------------------------------------------------------------------

GRANT USAGE ON SCHEMA public, controle, analise TO ccb_restricted_reader;
GRANT SELECT ON
    public.clientes,
    public.identidades,
    public.enderecos,
    public.contatos,
    public.dados_bancarios,
    public.operacoes,
    public.parcelas,
    public.detalhamento_cet,
    public.table_updates,
    controle.qualidade,
    controle.reconciliacoes,
    controle.varreduras,
    controle.versoes,
    controle.execucoes,
    controle.planos,
    controle.fatias,
    controle.esquecimentos,
    controle.alembic_version,
    controle.codigos,
    controle.textos,
    public.vw_agenda_vencimentos,
    public.vw_fluxo_mensal,
    public.vw_posicao_cliente,
    public.vw_qualidade,
    public.vw_codigos
TO ccb_restricted_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA analise TO ccb_restricted_reader;
-- All but the raw document.
GRANT SELECT (id, mongo_id, particao, codigos, erros, sha256, primeira_vez, ultima_vez, tentativas,
              resolvido_em)
    ON controle.quarentena TO ccb_restricted_reader;
