"""The proof of a partition: every document counts, and the sums agree on both sides (contract §3.10)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import Connection, text

from ccb_luigi.load import situacao
from ccb_luigi.load.batch import Batch
from ccb_luigi.load.planner_settings import look_up_by_keys, share_no_hash_tables

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """One row of ``controle.reconciliacoes``; sums in reais."""

    lidos: int
    carregados: int
    sem_mudanca: int
    obsoletos: int
    quarentena: int
    soma_valor_bruto_origem: Decimal = ZERO
    soma_valor_bruto_destino: Decimal = ZERO
    soma_prestacoes_origem: Decimal = ZERO
    soma_prestacoes_destino: Decimal = ZERO

    @property
    def ok(self) -> bool:
        """Nothing is missing and nothing differs."""
        return not self.differing

    @property
    def told(self) -> str:
        """What became of the documents: ``40 read, 0 loaded, 40 rejected``."""
        others = ((self.sem_mudanca, "unchanged"), (self.obsoletos, "stale"))
        between = "".join(f", {number:,} {word}" for number, word in others if number)
        return f"{self.lidos:,} read, {self.carregados:,} loaded{between}, {self.quarentena:,} rejected"

    @property
    def in_tables(self) -> int:
        """Documents that the tables hold at their version or at a newer one."""
        return self.carregados + self.sem_mudanca + self.obsoletos

    @property
    def accounted(self) -> int:
        """Documents of which it is known what became of them."""
        return self.in_tables + self.quarentena

    @property
    def sides(self) -> dict[str, tuple[int | Decimal, int | Decimal]]:
        """What has to be the same in the source and in the tables."""
        return {
            "documents": (self.lidos, self.accounted),
            "valor_bruto": (self.soma_valor_bruto_origem, self.soma_valor_bruto_destino),
            "valor_prestacao": (self.soma_prestacoes_origem, self.soma_prestacoes_destino),
        }

    @property
    def differing(self) -> list[str]:
        """The names of the sides that aren't the same."""
        return [name for name, (source, target) in self.sides.items() if source != target]

    @property
    def differences(self) -> list[str]:
        """What differs, in words without amounts."""
        documents = f"{self.lidos} documents read, {self.accounted} accounted for"
        return [documents if name == "documents" else f"the sum of {name}" for name in self.differing]


NOTHING = Reconciliation(0, 0, 0, 0, 0)
SIDES = tuple(NOTHING.sides)
"""What is compared."""


# A contract is found if the table holds this very version: a newer one has been reconciled by its own batch.
_FOUND = f"""
    SELECT k.particao,
           count(*) AS documentos,
           count(o.ccb_code) FILTER (WHERE k.{situacao.WRITTEN}) AS carregados,
           count(o.ccb_code) FILTER (WHERE k.{situacao.UNCHANGED}) AS sem_mudanca,
           count(*) FILTER (WHERE k.situacao = 'obsoleto') AS obsoletos,
           count(*) FILTER (WHERE k.situacao = 'duplicado') AS duplicados,
           coalesce(sum(k.valor_bruto) FILTER (WHERE k.{situacao.IN_THE_TABLES}), 0) AS valor_bruto_origem,
           coalesce(sum(o.valor_bruto), 0) AS valor_bruto_destino,
           coalesce(sum(k.soma_prestacoes) FILTER (WHERE k.{situacao.IN_THE_TABLES}), 0) AS prestacoes_origem
    FROM {{contratos}} k
    LEFT JOIN operacoes o
      ON o.ccb_code = k.ccb_code AND o.mongo_id = k.mongo_id AND o.atualizado_em = k.atualizado_em
         AND k.{situacao.IN_THE_TABLES}
    WHERE k.lote = :lote GROUP BY k.particao
"""

# Another date's load may have overtaken a contract since this one's, under whatever code.
_OVERTAKEN = """
    UPDATE {contratos} k SET situacao = 'obsoleto'
    FROM operacoes o
    WHERE k.lote = :lote AND k.situacao IS DISTINCT FROM 'obsoleto'
      AND o.mongo_id = k.mongo_id AND o.atualizado_em > k.atualizado_em
"""

# What a table's rerun found without loading operacoes again, and what lost its code meanwhile.
_CLASSIFY_REST = f"""
    UPDATE {{contratos}} k SET situacao =
        CASE WHEN o.mongo_id = k.mongo_id THEN 'igual' ELSE 'duplicado' END
    FROM operacoes o
    WHERE k.lote = :lote AND o.ccb_code = k.ccb_code
      AND (k.situacao IS NULL AND (o.atualizado_em, o.mongo_id) >= (k.atualizado_em, k.mongo_id)
           OR k.{situacao.IN_THE_TABLES}
              AND (o.atualizado_em, o.mongo_id) > (k.atualizado_em, k.mongo_id))
"""


def reconcile(batch: Batch, read: Mapping[date, Sequence[int]]) -> dict[date, Reconciliation]:
    """Counts and sums of a loaded batch, per date.

    ``read``: documents read and rejected, by the extraction's own count. Sums of the source were computed
    from the documents before any row was rendered.
    """
    look_up_by_keys(batch)
    share_no_hash_tables(batch.connection)
    loaded = batch.run(_FOUND).all()
    if any(each.documentos > each.carregados + each.sem_mudanca + each.obsoletos for each in loaded):
        # Where each document is found at its version, or stale, these would change nothing.
        for statement in (_OVERTAKEN, _CLASSIFY_REST):
            batch.run(statement)
        loaded = batch.run(_FOUND).all()
    # Of all contracts that should be in the tables, at whatever version: if one isn't found, the counts say
    # so. A date's own run reads no temporary table here: so several processes may share the work.
    prestacoes = batch.run(f"""
        SELECT k.particao, sum(p.valor_prestacao) AS soma
        FROM {{contratos}} k JOIN parcelas p USING (ccb_code)
        WHERE k.lote = :lote AND k.{situacao.IN_THE_TABLES} GROUP BY k.particao
    """)
    of_date = {row.particao: row.soma for row in prestacoes}
    found = {day: [Reconciliation(lidos, 0, 0, 0, rejected)] for day, (lidos, rejected) in read.items()}
    for each in loaded:
        result = Reconciliation(
            lidos=0,
            carregados=each.carregados,
            sem_mudanca=each.sem_mudanca,
            obsoletos=each.obsoletos,
            quarentena=each.duplicados,
            soma_valor_bruto_origem=each.valor_bruto_origem,
            soma_valor_bruto_destino=each.valor_bruto_destino,
            soma_prestacoes_origem=each.prestacoes_origem,
            soma_prestacoes_destino=of_date.get(each.particao) or ZERO,
        )
        found.setdefault(each.particao, []).append(result)
    return {day: total(parts) for day, parts in sorted(found.items())}


def total(parts: Iterable[Reconciliation]) -> Reconciliation:
    """All of them together."""
    sums = zip(*map(astuple, [NOTHING, *parts]), strict=True)
    return Reconciliation(*map(sum, sums))  # type: ignore[arg-type]


def put(connection: Connection, day: date, result: Reconciliation) -> None:
    """Stores the date's row, in place of an earlier one."""
    names = list(asdict(result))
    assign = ", ".join(f"{name} = excluded.{name}" for name in [*names, "ok", "conferido_em"])
    connection.execute(
        text(f"""
            INSERT INTO controle.reconciliacoes (particao, {", ".join(names)}, ok)
            VALUES (:day, {", ".join(f":{name}" for name in names)}, :ok)
            ON CONFLICT (particao) DO UPDATE SET {assign}
        """),
        {"day": day, "ok": result.ok, **asdict(result)},
    )


def stored(connection: Connection, where: str = "true", **values: object) -> dict[date, Reconciliation]:
    """The dates' rows of which the condition holds, the oldest first."""
    names = ", ".join(Reconciliation.__dataclass_fields__)
    query = f"SELECT particao, {names} FROM controle.reconciliacoes WHERE {where} ORDER BY particao"
    return {day: Reconciliation(*rest) for day, *rest in connection.execute(text(query), values)}
