-- The role that loads: it reads and writes rows, and can neither create, alter nor drop anything.
--
-- Run it in the database of the tables, as their owner with CREATEROLE or as a superuser, after
-- `ccb-luigi db upgrade`, and again after each later one (a new table needs its grants; everything here
-- may be repeated):
--
--     psql -d ccb -f docs/grants.sql
--     psql -d ccb -c '\password ccb_loader'
--
-- The owner of the tables keeps the schema (`ccb-luigi db upgrade`); everything else runs as ccb_loader.

DO $$
BEGIN
    CREATE ROLE ccb_loader LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
EXCEPTION
    WHEN duplicate_object THEN NULL;  -- roles belong to the whole cluster
END $$;

-- A load compares both sides in temporary tables. By default PUBLIC may connect and make them, but many
-- installations revoke that.
DO $$
BEGIN
    EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO ccb_loader', current_database());
END $$;

GRANT USAGE ON SCHEMA public, controle, staging TO ccb_loader;

-- The eight tables and the markers. DELETE: children that a newer version no longer has, contracts whose
-- code changed, and markers that `rerun` forgets.
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

-- Rejections, findings, proofs, versions. The revision of the schema is only looked at.
GRANT SELECT, INSERT, UPDATE, DELETE ON
    controle.quarentena,
    controle.qualidade,
    controle.reconciliacoes,
    controle.versoes
TO ccb_loader;
-- A sweep's row is written once and never changed.
GRANT SELECT, INSERT ON controle.varreduras TO ccb_loader;
GRANT SELECT ON controle.alembic_version TO ccb_loader;

-- Staging is the pipeline's own. Two functions do with its owner's rights what needs them: fresh
-- statistics before a load, and emptying it afterwards.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA staging TO ccb_loader;
GRANT EXECUTE ON FUNCTION staging.analisar(text), staging.limpar(integer) TO ccb_loader;
