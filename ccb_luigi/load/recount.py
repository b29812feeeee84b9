"""What was loaded, counted again: are the rows still there?

``controle.versoes`` keeps how many rows the contract and the client of each loaded document had in each
table. Who deletes rows by hand, or restores half of a backup, changes no marker and no proof: this is what
notices. Only what can be compared exactly is counted, so that no later load is ever taken for a loss:

- the rows of a contract whose version in the tables is the very one that was counted;
- the rows of a client as well, if the client's row is of that version, too (of the documents that name a
  client the newest has the client's rows);
- a contract that is missing as a whole. (Who loses a code to another document loses its row here, too.)

Dates that are being done again are left out: between two steps their rows are of two versions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import Connection, Table, text

from ccb_luigi import tables
from ccb_luigi.database import postgres, schema
from ccb_luigi.errors import NotReconciled, command_for
from ccb_luigi.load import markers
from ccb_luigi.load.batch import OWN
from ccb_luigi.load.planner_settings import share_no_hash_tables
from ccb_luigi.settings import Settings

NAME = "recontagem"
"""The row of ``table_updates`` that holds what the last recount found; and what it is told as, a step."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Rows that a date had loaded into a table and that are gone, of so many contracts or clients."""

    day: date
    table: str
    rows: int
    owners: int


@dataclass(frozen=True, slots=True)
class Recount:
    """What the last recount of so many contracts found, but for dates that were proven again since."""

    counted_at: datetime
    contracts: int = 0
    lost: list[Lost] = field(default_factory=list)

    @property
    def days(self) -> list[date]:
        """The dates whose rows are missing."""
        return sorted({each.day for each in self.lost})

    @property
    def rows(self) -> dict[str, int]:
        """Table → rows that are missing there; for every table, in the order of the tables."""
        of_table = dict.fromkeys(tables.BY_NAME, 0)
        for each in self.lost:
            of_table[each.table] += each.rows
        return of_table

    @property
    def by_table(self) -> str:
        """``parcelas 10,454, contatos 3``."""
        return ", ".join(f"{name} {number:,}" for name, number in self.rows.items() if number)

    @property
    def command(self) -> str:
        """What brings them back."""
        return command_for("rerun", self.days)


def told(found: Recount) -> str:
    """What is missing, in one line."""
    rows, days = sum(found.rows.values()), found.days
    lost = "1 row that was loaded is" if rows == 1 else f"{rows:,} rows that were loaded are"
    shown = ", ".join(map(str, days[:5])) + (" ..." if len(days) > 5 else "")
    return (
        f"{lost} no longer in the tables ({found.by_table}), of {len(days):,} date{'s'[: len(days) > 1]}:"
        f" {shown}; `{found.command}` loads {'it' if rows == 1 else 'them'} again"
    )


def recount(settings: Settings) -> Recount:
    """Counts, and leaves what was found for ``status``, the page and the metrics.

    Raises:
        NotReconciled: rows are missing.
    """
    target = postgres.of_process(settings)
    found = target.run(_count)
    target.run(lambda connection: _put(connection, found))
    if found.lost:
        raise NotReconciled(told(found))
    return found


def _count(connection: Connection) -> Recount:
    """In one snapshot: what is loaded meanwhile is of no concern."""
    connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
    schema.check(connection)
    share_no_hash_tables(connection)
    connection.execute(text(_PLANNED))
    connection.execute(text(f"CREATE TEMP TABLE {_COUNTED} ON COMMIT DROP AS {_AT_REST}"))
    connection.execute(text(f"ANALYZE {_COUNTED}"))
    moment, contracts = connection.execute(
        text(f"SELECT now(), count(*) FROM {_COUNTED} WHERE NOT falta")
    ).one()
    lost = [Lost(*row) for query in _MISSING for row in connection.execute(text(query))]
    return Recount(moment, contracts, lost)


def last(connection: Connection) -> Recount | None:
    """The last recount; ``None`` before the first one."""
    counts = connection.execute(
        text("SELECT contagens FROM table_updates WHERE update_id = :name"), {"name": NAME}
    ).scalar()
    if counts is None:
        return None
    counted_at = datetime.fromisoformat(counts["contado_em"])
    lost = [
        Lost(date.fromisoformat(day), table, rows, owners) for day, table, rows, owners in counts["faltam"]
    ]
    again = _proven_since(connection, counted_at, {each.day for each in lost})
    return Recount(counted_at, counts["contratos"], [each for each in lost if each.day not in again])


def _put(connection: Connection, found: Recount) -> None:
    schema.check(connection)
    postgres.lock(connection, NAME)
    connection.execute(text("DELETE FROM table_updates WHERE update_id = :name"), {"name": NAME})
    missing = [[each.day.isoformat(), each.table, each.rows, each.owners] for each in found.lost]
    counts = {
        "contado_em": found.counted_at.isoformat(),
        "contratos": found.contracts,
        "faltam": missing,
    }
    markers.put(connection, NAME, None, sum(found.rows.values()), counts, name=NAME)


def _proven_since(connection: Connection, moment: datetime, days: set[date]) -> set[date]:
    found = connection.execute(
        text("""
            SELECT particao FROM table_updates
            WHERE target_table = :step AND inserted > :moment AND particao = ANY(:days)
        """),
        {"step": markers.RECONCILIATION, "moment": moment, "days": list(days)},
    )
    return set(found.scalars())


_COUNTED = f"{OWN}contados"

# Everything is looked at once. The planner expects one row of a join by three columns, and would look up a
# million of them one by one; and eighteen million parcelas are counted in the order of their key in a third
# of the time that a hash table of the contracts takes.
_PLANNED = """
    SELECT set_config('enable_nestloop', 'off', true), set_config('enable_hashagg', 'off', true),
           set_config('jit', 'off', true), set_config('work_mem', '128MB', true)
"""


def _same_version(owners: str) -> str:
    """That the row of the contract, or of the client, is of the version that was counted."""
    (key,) = (column.name for column in tables.BY_NAME[owners].primary_key)
    return " AND ".join(f"{owners}.{name} = v.{name}" for name in (key, "mongo_id", "atualizado_em"))


# A contract's row that is gone has taken its children along. The row of another version: nothing is known.
_AT_REST = f"""
    SELECT v.particao, v.ccb_code, clientes.client_id, v.linhas_filhas, operacoes.ccb_code IS NULL AS falta
    FROM controle.versoes v
    LEFT JOIN operacoes ON operacoes.ccb_code = v.ccb_code
    LEFT JOIN clientes ON {_same_version("clientes")}
    WHERE v.linhas_filhas IS NOT NULL
      AND (operacoes.ccb_code IS NULL OR {_same_version("operacoes")})
      AND v.particao NOT IN (
          SELECT particao FROM table_updates WHERE target_table = '{markers.EXTRACTION}'
          EXCEPT SELECT particao FROM table_updates WHERE target_table = '{markers.RECONCILIATION}')
"""


def _children(table: Table) -> str:
    """Rows of a table of children that are missing, per date."""
    owner, number = tables.owner(table), tables.CHILDREN.index(table) + 1
    return f"""
        SELECT v.particao, '{table.name}' AS tabela,
               CAST(sum(v.linhas_filhas[{number}] - coalesce(t.linhas, 0)) AS bigint) AS linhas,
               count(*) AS donos
        FROM {_COUNTED} v
        LEFT JOIN (SELECT {owner}, count(*) AS linhas FROM {table.fullname} GROUP BY {owner}) t
          ON t.{owner} = v.{owner}
        WHERE NOT v.falta AND v.{owner} IS NOT NULL AND v.linhas_filhas[{number}] > coalesce(t.linhas, 0)
        GROUP BY v.particao ORDER BY v.particao
    """


_CONTRACTS = f"""
    SELECT particao, 'operacoes' AS tabela, count(*) AS linhas, count(*) AS donos
    FROM {_COUNTED} WHERE falta GROUP BY particao ORDER BY particao
"""

_MISSING = [_CONTRACTS, *map(_children, tables.CHILDREN)]
