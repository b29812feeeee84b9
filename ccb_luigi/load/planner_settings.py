"""What PostgreSQL's planner has to be told: how to find a batch that is small, and what not to share.

Left to its estimates PostgreSQL reads large tables whole, again and again: its index look-ups cost it what
they would on a turning disk, and that most of an index's pages are at hand already it doesn't know.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

from ccb_luigi.load.batch import Batch

SMALL = 10
"""A batch is small beside tables that hold so many times its contracts."""


def look_up_by_keys(batch: Batch) -> None:
    """From here on to the transaction's end, if the batch is small."""
    # Before PostgreSQL 18 what is switched off only counts as costly, and what is costly is compiled.
    batch.run(f"""
        SELECT set_config('enable_seqscan', 'off', true),
               set_config('random_page_cost', '1.1', true),
               set_config('jit', 'off', true)
        FROM pg_class
        WHERE oid = 'operacoes'::regclass
          AND reltuples > {SMALL} * (SELECT count(*) FROM {{contratos}} WHERE lote = :lote)
    """)


def share_no_hash_tables(connection: Connection) -> None:
    """From here on to the transaction's end no two processes of one query share a hash table.

    In shared memory, of which containers have 64 MB, a large date's would find no room.
    """
    connection.execute(text("SET LOCAL enable_parallel_hash = off"))
