-- The role of those who read the views: no name, no CPF or CNPJ, no address, contact or account.
--
-- Run it in the database of the tables, as their owner with CREATEROLE or as a superuser, after
-- `ccb-luigi db upgrade`; everything here may be repeated. It is a group without a login:
--
--     psql -d ccb -f docs/grants-leitor.sql
--     psql -d ccb -c 'GRANT ccb_leitor TO maria'

DO $$
BEGIN
    CREATE ROLE ccb_leitor NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
EXCEPTION
    WHEN duplicate_object THEN NULL;  -- roles belong to the whole cluster
END $$;

DO $$
BEGIN
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO ccb_leitor', current_database());
END $$;

GRANT USAGE ON SCHEMA public TO ccb_leitor;

-- The views read the tables with their owner's rights.
GRANT SELECT ON
    public.vw_agenda_vencimentos,
    public.vw_fluxo_mensal,
    public.vw_posicao_cliente,
    public.vw_qualidade,
    public.vw_codigos
TO ccb_leitor;

-- The function reads with the caller's: these columns hold no personal data.
GRANT EXECUTE ON FUNCTION public.saldo_contratual(date) TO ccb_leitor;
GRANT SELECT (ccb_code, client_id, valor_bruto, excluido_em) ON public.operacoes TO ccb_leitor;
GRANT SELECT (ccb_code, numero_parcela, data_vencimento, valor_saldo_atual) ON public.parcelas TO ccb_leitor;
