"""The proof: the rows that were loaded, column by column, against a fresh look at the documents.

The target is read in one snapshot. What the source has since then isn't the load's fault: a version is
*due* once the date that it belongs to has been migrated after the version was written; until then it
is *pending*.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from ccb_luigi.codes import Strictness
from ccb_luigi.database import postgres, schema
from ccb_luigi.documents.identity import name_of
from ccb_luigi.load import erasures, namesakes, parallel
from ccb_luigi.proof.comparison import (
    DIFFERS,
    EXTRA,
    MISSING,
    STALE,
    Difference,
    Proof,
    Target,
    compare,
    target_of,
)
from ccb_luigi.proof.expected import Expected, expected
from ccb_luigi.settings import Settings
from ccb_luigi.sources import source
from ccb_luigi.sources.queries import EVERYTHING

GROUP_DOCUMENTS = 250
GROUP_BYTES = 8 << 20
"""Documents are compared in groups; one ends here even if it has few of them: some have 15 MB."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which documents: those of ``day``, ``sample`` contracts drawn by ``seed``, or (neither) all."""

    day: date | None = None
    sample: int | None = None
    seed: int = 0

    @property
    def full(self) -> bool:
        """Whether every document of the source is looked at."""
        return self.day is None and self.sample is None


def verify(settings: Settings, scope: Scope, progress: Callable[[int], None] = lambda _: None) -> Proof:
    """Compares the tables with the source; every difference is in the result, none is an exception."""

    def work(connection: Connection) -> Proof:
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        schema.check(connection)
        connection.execute(text(_SEEN))
        proof = Proof()
        apart = namesakes.kept(connection)
        with source.opened(settings) as origin:
            fresh = partial(_fresh, settings.zone, settings.strictness, scope.day)
            documents = _documents(connection, origin, settings, scope)
            if erased := erasures.known(connection, settings):  # nothing of them is to be here
                documents = (raw for raw in documents if not erased.drops_raw(raw, name_of(raw)))
            groups_in_order = parallel.ordered_map(
                fresh,
                _groups(documents),
                parallel.local(settings.processes),
                let_go=lambda: [postgres.driver_connection(connection).fileno()],
            )
            with closing(groups_in_order) as groups:
                for group in (_by_their_names(group, apart) for group in groups):
                    target = target_of(connection, group)
                    compare(group, target, proof)
                    _remember(connection, group, target)
                    progress(proof.documents)
        _finish(connection, scope, proof)
        return proof

    return postgres.of_process(settings).run(work)


def expected_number(settings: Settings, scope: Scope) -> int | None:
    """About how many documents a verification will see, for its progress; ``None``: nobody knows."""
    if scope.sample is not None:
        return scope.sample
    if scope.day is not None:
        return None
    count = text("SELECT count(*) FROM operacoes")
    return int(postgres.of_process(settings).run(lambda c: c.execute(count).scalar_one()))


# --- what is compared --------------------------------------------------------------------------------

# Every document that was looked at: who else should be in the target is a question to all of them.
_SEEN = """
    CREATE TEMP TABLE pg_temp.ccb_luigi_visto (
        mongo_id text COLLATE "C", ccb_code text COLLATE "C", client_id text COLLATE "C",
        atualizado_em timestamptz, devido boolean NOT NULL
    ) ON COMMIT DROP
"""


def _documents(
    connection: Connection, origin: source.Source, settings: Settings, scope: Scope
) -> Iterator[bytes]:
    if scope.sample is not None:
        connection.execute(
            text("""
                CREATE TEMP TABLE pg_temp.ccb_luigi_amostra ON COMMIT DROP AS
                SELECT mongo_id, ccb_code FROM operacoes WHERE excluido_em IS NULL
                ORDER BY md5(ccb_code || :seed), ccb_code LIMIT :size
            """),
            {"seed": f" {scope.seed}", "size": scope.sample},
        )
        return origin.by_ids(
            connection.execute(text("SELECT mongo_id FROM pg_temp.ccb_luigi_amostra")).scalars().all()
        )
    if scope.day is not None:
        return origin.documents(*settings.bounds(scope.day))
    return origin.documents(*EVERYTHING)


def _groups(documents: Iterable[bytes]) -> Iterator[tuple[list[bytes]]]:
    group: list[bytes] = []
    size = 0
    for raw in documents:
        group.append(raw)
        size += len(raw)
        if len(group) == GROUP_DOCUMENTS or size >= GROUP_BYTES:
            yield (group,)
            group, size = [], 0
    if group:
        yield (group,)


def _fresh(zone: ZoneInfo, strictness: Strictness, day: date | None, group: list[bytes]) -> list[Expected]:
    """A document whose time can't be read belongs to every date."""
    found = [expected(raw, zone, strictness) for raw in group]
    return [each for each in found if day is None or each.day in (None, day)]


def _by_their_names(group: list[Expected], apart: dict[str, str]) -> list[Expected]:
    """Of two who share a name the one that is kept in quarantine for that has the name that it has there."""
    return [
        replace(each, mongo_id=apart[each.sha256], accepted=False) if each.sha256 in apart else each
        for each in group
    ]


def _remember(connection: Connection, group: list[Expected], target: Target) -> None:
    """Notes who was seen; a rejected document says nothing about contracts and clients."""
    connection.execute(
        text("""
            INSERT INTO pg_temp.ccb_luigi_visto SELECT * FROM unnest(
                CAST(:ids AS text[]), CAST(:codes AS text[]), CAST(:clients AS text[]),
                CAST(:moments AS timestamptz[]), CAST(:due AS boolean[]))
        """),
        {
            "ids": [each.mongo_id for each in group],
            "codes": [each.ccb_code if each.accepted else None for each in group],
            "clients": [each.client_id if each.accepted else None for each in group],
            "moments": [each.moment for each in group],
            "due": [target.due(each) for each in group],
        },
    )


# --- who else is in the target -----------------------------------------------------------------------

_NEWEST = """
    SELECT DISTINCT ON (client_id) client_id, atualizado_em, mongo_id FROM pg_temp.ccb_luigi_visto
    WHERE devido AND client_id IS NOT NULL ORDER BY client_id, atualizado_em DESC, mongo_id DESC
"""

_NO_CLIENT = f"""
    SELECT client_id, '', '{MISSING}' FROM ({_NEWEST}) n
    WHERE NOT EXISTS (SELECT FROM clientes c WHERE c.client_id = n.client_id)
"""

_STALE_CLIENTS = f"""
    SELECT client_id,
           CASE WHEN n.mongo_id = c.mongo_id THEN 'atualizado_em'
                WHEN n.atualizado_em = c.atualizado_em THEN 'mongo_id' ELSE '' END,
           CASE WHEN n.mongo_id = c.mongo_id OR n.atualizado_em = c.atualizado_em
                THEN '{DIFFERS}' ELSE '{STALE}' END
    FROM ({_NEWEST}) n JOIN clientes c USING (client_id)
    WHERE (n.atualizado_em, n.mongo_id) > (c.atualizado_em, c.mongo_id)
"""

_CLIENTS_FROM_THE_FUTURE = f"""
    SELECT c.client_id, 'atualizado_em', '{DIFFERS}'
    FROM clientes c JOIN pg_temp.ccb_luigi_visto v ON v.mongo_id = c.mongo_id AND v.client_id = c.client_id
    WHERE v.atualizado_em < c.atualizado_em
"""

# A document that named the client may have gone on: to another client, into the quarantine, out of the
# source. But it must have been there, and not at a time when it was somebody else's.
_CLIENTS_OF_NOBODY = f"""
    SELECT c.client_id, CASE WHEN EXISTS (SELECT FROM operacoes o WHERE o.client_id = c.client_id)
                             THEN 'mongo_id' ELSE '' END,
           CASE WHEN EXISTS (SELECT FROM operacoes o WHERE o.client_id = c.client_id)
                THEN '{DIFFERS}' ELSE '{EXTRA}' END
    FROM clientes c
    WHERE NOT EXISTS (SELECT FROM pg_temp.ccb_luigi_visto v
                      WHERE v.mongo_id = c.mongo_id AND v.client_id = c.client_id)
      AND NOT EXISTS (SELECT FROM ({_NEWEST}) n WHERE n.client_id = c.client_id
                      AND (n.atualizado_em, n.mongo_id) > (c.atualizado_em, c.mongo_id))
      AND (EXISTS (SELECT FROM pg_temp.ccb_luigi_visto v
                   WHERE v.client_id = c.client_id AND v.atualizado_em = c.atualizado_em)
           OR EXISTS (SELECT FROM pg_temp.ccb_luigi_visto v
                      WHERE v.mongo_id = c.mongo_id AND v.client_id IS NOT NULL
                        AND v.atualizado_em <= c.atualizado_em)
           OR NOT EXISTS (SELECT FROM pg_temp.ccb_luigi_visto v WHERE v.mongo_id = c.mongo_id)
              AND NOT EXISTS (SELECT FROM operacoes o WHERE o.mongo_id = c.mongo_id)
              AND NOT EXISTS (SELECT FROM controle.quarentena q WHERE q.mongo_id = c.mongo_id))
"""


def _finish(connection: Connection, scope: Scope, proof: Proof) -> None:
    """What only all documents together can tell."""
    connection.execute(text("ANALYZE pg_temp.ccb_luigi_visto"))
    clients = [_NO_CLIENT, _STALE_CLIENTS, _CLIENTS_FROM_THE_FUTURE]
    for query in [*clients, _CLIENTS_OF_NOBODY] if scope.full else clients:
        found = connection.execute(text(query))
        proof.add(Difference(client, "clientes", column, what) for client, column, what in found)
    # Two documents that are one row: whoever isn't in it must be in quarantine, also if they are alike.
    twice = connection.execute(
        text("""
            SELECT mongo_id FROM pg_temp.ccb_luigi_visto WHERE ccb_code IS NOT NULL
            GROUP BY mongo_id, atualizado_em HAVING count(*) > 1
        """)
    )
    proof.add(Difference(name, "controle.quarentena", "", MISSING) for name in twice.scalars())
    if scope.day is None:
        sampled = "(SELECT * FROM operacoes JOIN pg_temp.ccb_luigi_amostra USING (ccb_code, mongo_id))"
        gone = connection.execute(
            text(f"""
                SELECT o.ccb_code FROM {"operacoes" if scope.full else sampled} o
                WHERE o.excluido_em IS NULL
                  AND NOT EXISTS (SELECT FROM pg_temp.ccb_luigi_visto v WHERE v.mongo_id = o.mongo_id)
                  AND NOT EXISTS (SELECT FROM pg_temp.ccb_luigi_visto v
                                  WHERE v.ccb_code = o.ccb_code AND v.atualizado_em = o.atualizado_em)
            """)
        )
        proof.add(Difference(code, "operacoes", "", EXTRA) for code in gone.scalars())
