"""``parcelas`` in parts by the hash of ``ccb_code``, and back into one table, with the rows that are there.

One transaction: it copies the rows into a new table beside the old one, gives it all that the old one has,
and in the end puts it in the old one's place. Nobody may write meanwhile (no step runs, and ``parcelas`` and
``operacoes`` are locked against others), everybody may read: readers wait only for the exchange, which tries
again rather than queue behind a long query. Whatever ends it before the commit leaves the old table there.

Views and functions stay the same objects, so that what depends on them needs nothing. What depends on
``parcelas`` in a way that isn't known here refuses the whole beforehand, by name.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from ccb_luigi.database import postgres, refusals, schema
from ccb_luigi.errors import Busy, TargetError
from ccb_luigi.settings import Settings

MOST_PARTS = 256
"""Each is a table with two indexes: planning a query of all of them takes longer with their number."""

SECONDS_BETWEEN_TRIES = 2.0


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it: the parts before and after (1: a plain table), and the rows that were copied."""

    before: int
    after: int
    rows: int


def partition(settings: Settings, parts: int, tell: Callable[[str], None]) -> Done:
    """Makes ``parcelas`` a table of so many parts; 1 makes it a plain one.

    Raises:
        Busy: a step did not end, or readers kept the table for, ``lock_seconds``; nothing was changed.
        TargetError: something depends on ``parcelas`` that would be lost.
    """

    def work(connection: Connection) -> Done:
        schema.alone(connection, tell)
        schema.check(connection)
        before = parts_of(connection)
        if parts == before:
            return Done(before, parts, 0)
        # The foreign key will need the first of them: who writes both mustn't be met halfway.
        connection.execute(text("LOCK TABLE public.operacoes, public.parcelas IN EXCLUSIVE MODE"))
        _refuse_unknown(connection)
        tell("copying the rows of parcelas ...")
        rows = _copy(connection, parts)
        tell(f"{rows:,} rows are copied; building keys and indexes ...")
        postgres.plainly(connection, _KEYS)
        postgres.plainly(connection, _OWNED)
        tell("exchanging the tables ...")
        _exchange_patiently(connection, settings.lock_seconds, tell)
        return Done(before, parts, rows)

    return postgres.of_process(settings).run(work)


def parts_of(connection: Connection) -> int:
    """How many parts ``parcelas`` has; 1: it is a plain table."""
    found = connection.execute(
        text("SELECT count(*) FROM pg_inherits WHERE inhparent = CAST('public.parcelas' AS regclass)")
    )
    return int(found.scalar_one()) or 1


# --- what depends on the table -----------------------------------------------------------------------

_OURS = "'parcelas_pkey', 'parcelas_data_vencimento_idx', 'parcelas_ccb_code_fkey', 'parcelas_finitos_check'"

# Views and functions in SQL are replaced in place. Everything else, of the table or of its row type.
_UNKNOWN = f"""
    SELECT pg_describe_object(d.classid, d.objid, d.objsubid)
    FROM pg_depend d
    LEFT JOIN pg_rewrite r ON d.classid = CAST('pg_rewrite' AS regclass) AND r.oid = d.objid
    LEFT JOIN pg_class v ON v.oid = r.ev_class
    LEFT JOIN pg_class i ON d.classid = CAST('pg_class' AS regclass) AND i.oid = d.objid
    LEFT JOIN pg_constraint c ON d.classid = CAST('pg_constraint' AS regclass) AND c.oid = d.objid
    LEFT JOIN pg_proc p ON d.classid = CAST('pg_proc' AS regclass) AND p.oid = d.objid
    LEFT JOIN pg_trigger t ON d.classid = CAST('pg_trigger' AS regclass) AND t.oid = d.objid
    WHERE d.deptype IN ('n', 'a')
      AND (d.refclassid = CAST('pg_class' AS regclass) AND d.refobjid = CAST('public.parcelas' AS regclass)
           OR d.refclassid = CAST('pg_type' AS regclass) AND d.refobjid = CAST('public.parcelas' AS regtype))
      AND NOT coalesce(v.relkind = 'v' AND r.rulename = '_RETURN', false)
      AND NOT coalesce(i.relname IN ({_OURS}), false)
      AND NOT coalesce(c.conname IN ({_OURS}) OR c.contype = 'n', false)
      AND NOT coalesce(p.prosqlbody IS NOT NULL, false)
      AND NOT coalesce(t.tgisinternal, false)
      AND NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = d.objid)
    ORDER BY 1 LIMIT 1
"""


def _refuse_unknown(connection: Connection) -> None:
    found = connection.execute(text(_UNKNOWN)).scalar()
    if found:
        raise TargetError(
            f"nothing was changed: {found} depends on parcelas and would be lost; drop it, and make it again"
            " afterwards"
        )


# --- the new table -----------------------------------------------------------------------------------


def _copy(connection: Connection, parts: int) -> int:
    """A table of the same name in the schema ``particoes``, where its parts stay; returns its rows."""
    # Of the plain table, or of its parts: a partitioned table has none.
    options = connection.execute(
        text("""
            SELECT array_to_string(reloptions, ', ') FROM pg_class
            WHERE reloptions IS NOT NULL AND (oid = CAST('public.parcelas' AS regclass) OR oid IN (
                SELECT inhrelid FROM pg_inherits WHERE inhparent = CAST('public.parcelas' AS regclass)))
            LIMIT 1
        """)
    ).scalar()
    of_storage = f" WITH ({options})" if options else ""
    kind = of_storage if parts == 1 else " PARTITION BY HASH (ccb_code)"
    connection.execute(text("CREATE SCHEMA IF NOT EXISTS particoes"))
    connection.execute(
        text(f"CREATE TABLE particoes.parcelas (LIKE public.parcelas INCLUDING ALL EXCLUDING INDEXES){kind}")
    )
    for n in range(parts if parts > 1 else 0):
        connection.execute(
            text(f"""
                CREATE TABLE particoes.parcelas_{parts}_{n} PARTITION OF particoes.parcelas
                FOR VALUES WITH (MODULUS {parts}, REMAINDER {n}){of_storage}
            """)
        )
    return connection.execute(text("INSERT INTO particoes.parcelas SELECT * FROM public.parcelas")).rowcount


# The foreign key last: looking all rows up at once takes seconds, one by one minutes.
_KEYS = """
    ALTER TABLE particoes.parcelas ADD CONSTRAINT parcelas_pkey PRIMARY KEY (ccb_code, numero_parcela);
    CREATE INDEX parcelas_data_vencimento_idx ON particoes.parcelas (data_vencimento);
    ALTER TABLE particoes.parcelas ADD CONSTRAINT parcelas_ccb_code_fkey
        FOREIGN KEY (ccb_code) REFERENCES public.operacoes (ccb_code) ON DELETE CASCADE;
    ANALYZE particoes.parcelas
"""

# Comments of columns and checks come with LIKE. The owner comes last: who isn't it can't grant.
_OWNED = """
    DO $$ DECLARE velha regclass := 'public.parcelas'; dito text; BEGIN
        EXECUTE format('COMMENT ON TABLE particoes.parcelas IS %L', obj_description(velha, 'pg_class'));
        FOR dito IN
            SELECT format('GRANT %s%s ON particoes.parcelas TO %s%s', g.privilege_type,
                          ' (' || quote_ident(g.attname) || ')',
                          CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END,
                          CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
            FROM (
                SELECT NULL AS attname, a.* FROM pg_class, aclexplode(relacl) a WHERE oid = velha
                UNION ALL
                SELECT attname, a.* FROM pg_attribute, aclexplode(attacl) a WHERE attrelid = velha
            ) g
        LOOP EXECUTE dito; END LOOP;
        FOR dito IN
            SELECT format('ALTER TABLE %s OWNER TO %s', nova, relowner::regrole)
            FROM pg_class, pg_partition_tree('particoes.parcelas') t(nova) WHERE oid = velha
            UNION
            SELECT format('ALTER TABLE particoes.parcelas OWNER TO %s', relowner::regrole)
            FROM pg_class WHERE oid = velha
        LOOP EXECUTE dito; END LOOP;
    END $$
"""


# --- the exchange ------------------------------------------------------------------------------------

# With these two search paths one after the other the same words mean the old and the new table: PostgreSQL
# writes the name of what it would find by it without the schema.
_DEPENDANTS = """
    SELECT CASE WHEN v.oid IS NOT NULL THEN format(
               'CREATE OR REPLACE VIEW %s.%I%s AS %s', CAST(v.relnamespace AS regnamespace), v.relname,
               ' WITH (' || array_to_string(v.reloptions, ', ') || ')', pg_get_viewdef(v.oid))
           ELSE pg_get_functiondef(p.oid) END
    FROM (
        SELECT DISTINCT classid, objid FROM pg_depend
        WHERE refobjid = CAST('public.parcelas' AS regclass) AND deptype = 'n'
          AND classid IN (CAST('pg_rewrite' AS regclass), CAST('pg_proc' AS regclass))
    ) d
    LEFT JOIN pg_rewrite r ON d.classid = CAST('pg_rewrite' AS regclass) AND r.oid = d.objid
    LEFT JOIN pg_class v ON v.oid = r.ev_class
    LEFT JOIN pg_proc p ON d.classid = CAST('pg_proc' AS regclass) AND p.oid = d.objid
    ORDER BY v.relname, p.proname
"""


def _exchange_patiently(connection: Connection, seconds: float, tell: Callable[[str], None]) -> None:
    """Each try waits for a moment alone, and lets go of all that it has got."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with connection.begin_nested():
                postgres.wait_briefly(connection)
                _exchange(connection)
            return
        except DBAPIError as error:
            if not isinstance(refusals.translated(error), Busy):
                raise
        if time.monotonic() > deadline:
            raise Busy("nothing was changed: queries of parcelas or its views left no gap; try it at night")
        tell("parcelas or one of its views is being read; trying again ...")
        time.sleep(SECONDS_BETWEEN_TRIES)


def _exchange(connection: Connection) -> None:
    """Views first: their readers lock them before the table, and who does it the other way round collides."""
    connection.execute(text("SET LOCAL search_path TO public"))
    dependants = connection.execute(text(_DEPENDANTS)).scalars().all()
    connection.execute(text("SET LOCAL search_path TO particoes, public"))
    for definition in dependants:
        postgres.plainly(connection, definition)
    connection.execute(text("SET LOCAL search_path TO public"))
    # Dropping the old foreign key takes the first of them as well, and most queries come in this order.
    connection.execute(text("LOCK TABLE public.operacoes, public.parcelas IN ACCESS EXCLUSIVE MODE"))
    connection.execute(text("DROP TABLE public.parcelas"))
    connection.execute(text("ALTER TABLE particoes.parcelas SET SCHEMA public"))
    left = text("SELECT count(*) FROM pg_class WHERE relnamespace = CAST('particoes' AS regnamespace)")
    if not connection.execute(left).scalar():
        connection.execute(text("DROP SCHEMA particoes"))
