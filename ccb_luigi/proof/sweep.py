"""The sweep: both sides compared by ids and update times, whatever the dates and their markers say.

What is missing or older here is loaded by ``_id``: late commits, clocks that go wrong, times that can't be
read, a marker without its document. What is gone from the source is marked with ``excluido_em``; no row is
ever deleted. That something is gone is believed last and least: see ``_compare`` and ``_mark_gone``.

One transaction holds the comparison (see ``missing``), the marks and the sweep's own row. Documents are
loaded meanwhile in transactions of their own, a thousand at a time, so that no date waits for long. Only what
waits for the code of a contract that was marked is loaded, and the row written, after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, func, text

from ccb_luigi import tables
from ccb_luigi.database import postgres, schema
from ccb_luigi.documents.block import judge_of
from ccb_luigi.documents.identity import BY_BYTES
from ccb_luigi.errors import CcbError, CircuitBroken, NotReconciled, SourceError, SweepRefused
from ccb_luigi.load import by_id, erasures, missing, namesakes, quarantine, whole
from ccb_luigi.settings import Settings
from ccb_luigi.sources import source
from ccb_luigi.sources.source import LiveSource
from ccb_luigi.tables import varreduras

LOCK = "varredura"

FEW = 20
"""So many contracts may vanish whatever their share ..."""

SMALL_SHARE = 0.005
"""... and this share of all contracts however many they are, before somebody has to confirm it."""

FIRST = 5
"""So many documents are named that are older in the source, and so many that share their name."""

LAST = 3
"""Turns of loading: each may free a code that another document waits for. The last only counts."""

Tell = Callable[[str, int, int], None]
"""(what is being done, how many so far, of how many or 0)"""


@dataclass(slots=True)
class Swept:
    """What a sweep found and did: a row of ``controle.varreduras``.

    ``sumidos``: contracts that weren't met in the source. ``reaparecidos``: contracts that were marked and
    are back. ``em_aberto``: documents of the source that are still neither in the tables nor in quarantine.
    Not in the row: ``mais_antigos``, documents that are older in the source than in the tables, and
    ``homonimos``, names that two documents share (see ``namesakes``); and the first of each.
    """

    lidos_origem: int = 0
    contratos_destino: int = 0
    carregados: int = 0
    sumidos: int = 0
    marcados_excluidos: int = 0
    reaparecidos: int = 0
    em_aberto: int = 0
    ainda_em_quarentena: int = 0
    mais_antigos: int = 0
    primeiros_mais_antigos: list[str] = field(default_factory=list)
    homonimos: int = 0
    primeiros_homonimos: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _UnderWay:
    """A sweep under way."""

    settings: Settings
    connection: Connection
    origin: LiveSource
    confirmed: bool
    progress: Tell
    started: datetime
    swept: Swept = field(default_factory=Swept)
    freed: list[str] = field(default_factory=list)
    """Documents that wait for the code of a contract that was marked."""
    problem: CcbError | None = None

    def ask(self, statement: str, **values: Any) -> Any:
        """The only value of a statement in the sweep's transaction."""
        return self.connection.execute(text(statement), {"started": self.started, **values}).scalar_one()

    def names(self, statement: str, **values: Any) -> Iterator[list[str]]:
        """Groups of ``mongo_id``, through a cursor of the server."""
        found = self.connection.execute(
            text(statement),
            {"started": self.started, **values},
            execution_options={"stream_results": True, "max_row_buffer": missing.GROUP},
        )
        return (list(group) for group in found.scalars().partitions(missing.GROUP))

    def migrate(self, ids: list[str]) -> None:
        """Migrates documents, group by group, in transactions of their own."""
        for n in range(0, len(ids), missing.GROUP):
            counts, _ = by_id.migrate_ids(self.settings, ids[n : n + missing.GROUP])
            self.swept.carregados += counts.lidos - counts.quarentena
            self.progress("loaded", self.swept.carregados, 0)


def sweep(settings: Settings, *, confirmed: bool = False, progress: Tell = lambda *_: None) -> Swept:
    """Brings the tables up to the source, and marks what is gone from it.

    ``confirmed``: however many contracts vanished, they did. (An empty source is never believed.)

    Raises:
        SweepRefused: so much would count as gone that something else is likelier; nothing is marked.
        NotReconciled, CircuitBroken: documents stay open. All else is done, and stays done.
    """
    under_way: list[_UnderWay] = []

    def work(connection: Connection) -> _UnderWay:
        postgres.lock(connection, LOCK)
        started = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        with source.live(settings) as origin:
            this = _UnderWay(settings, connection, origin, confirmed, progress, started)
            under_way[:] = [this]
            _compare(this)
            _load_missing(this)
            _tell_older(this)
            _close_gone(this)
            _keep_namesakes(this)
            _mark_gone(this)
            if not this.freed:
                _put(connection, this)
        return this

    target = postgres.of_process(settings)
    # Not in the sweep's own transaction: an upgrade that waits for it would keep our loads waiting as well.
    target.run(schema.check)
    try:
        done = target.run(work)
        if done.freed:
            done.migrate(done.freed)
            target.run(lambda connection: _put(connection, done))
    except CcbError as error:
        for this in under_way:
            this.problem = error
            with suppress(CcbError):  # the first one is worth more
                target.run(lambda connection, this=this: _put(connection, this))  # type: ignore[misc]
        raise
    if done.problem:
        raise done.problem
    return done.swept


def _compare(this: _UnderWay) -> None:
    """Notes what the source holds.

    Raises:
        SweepRefused: the source is empty, or gave fewer documents than it has.
    """
    judge = judge_of(this.settings.zone, this.settings.strictness)
    swept, counted = this.swept, this.origin.count()
    swept.contratos_destino = this.ask("SELECT count(*) FROM operacoes WHERE excluido_em IS NULL")
    swept.ainda_em_quarentena = this.ask(_OPEN_REJECTIONS)
    swept.lidos_origem = missing.note(
        this.connection,
        judge,
        this.origin.versions(),
        lambda read: this.progress("read", read, max(read, counted)),
        erased=erasures.known(this.connection, this.settings),
    )
    if not swept.lidos_origem and (why := this.origin.why_empty()):
        raise SweepRefused(
            "origem_vazia",
            f"{why}: nothing was marked; check CCB_MONGO_URI, CCB_MONGO_DATABASE and CCB_MONGO_COLLECTION",
        )
    # Counted again, since some may have been deleted while the others were read.
    if swept.lidos_origem < counted and swept.lidos_origem < (counted := this.origin.count()):
        raise SweepRefused(
            "leitura_incompleta",
            f"{swept.lidos_origem:,} documents were read where MongoDB counts {counted:,}: nothing was loaded"
            " or marked; run it again",
        )


_OPEN_REJECTIONS = "SELECT count(*) FROM controle.quarentena WHERE resolvido_em IS NULL"


def _load_missing(this: _UnderWay) -> None:
    """Migrates what is missing or older here, as long as that changes anything; notes what stays open."""
    judge = judge_of(this.settings.zone, this.settings.strictness)
    held = missing.held_dates(this.connection, this.settings)
    for turn in range(LAST + 1):
        found, left = False, list[missing.Open]()
        groups = missing.unsettled(this.connection, this.origin, judge, held=held, again=turn > 0)
        for group in groups:
            found = True
            if turn == LAST:
                left += group
            else:
                this.migrate([each.mongo_id for each in group])
        if not found:
            break
    _note_open(this, held, left + missing.nameless(this.connection, judge))


def _note_open(this: _UnderWay, held: list[date], left: list[missing.Open]) -> None:
    waiting = missing.of_held_dates(this.connection, this.settings, held) if held else 0
    this.swept.em_aberto = len(left) + waiting
    if waiting:
        this.problem = CircuitBroken(
            f"{waiting:,} documents wait for {_list(held)}, whose extraction failed with too many rejections;"
            f" see `ccb-luigi quarantine list --date {held[0]}`"
        )
    elif left:
        days = sorted({each.day for each in left if each.day})
        this.problem = NotReconciled(
            f"{len(left):,} documents of MongoDB are neither in the tables nor in quarantine;"
            f" `ccb-luigi rerun --date D` reads their dates again{': ' + _list(days) if days else ''}"
        )


def _tell_older(this: _UnderWay) -> None:
    """Counts the documents that went back in time: what they say now will never be loaded.

    A clock that was wrong, a restored backup, another unit of time. What was loaded while the sweep ran may
    be newer than what the sweep has read.
    """
    older = """
        SELECT o.mongo_id FROM operacoes o JOIN pg_temp.ccb_luigi_vistos v USING (mongo_id)
        WHERE v.momento < o.atualizado_em AND o.carregado_em < :started
          AND NOT EXISTS (SELECT FROM pg_temp.ccb_luigi_homonimos h WHERE h.mongo_id = o.mongo_id)
        ORDER BY o.mongo_id
    """
    for group in this.names(older):
        this.swept.mais_antigos += len(group)
        this.swept.primeiros_mais_antigos = (this.swept.primeiros_mais_antigos + group)[:FIRST]


def _close_gone(this: _UnderWay) -> None:
    """Closes the open rejections of documents that are gone; each is looked up again before."""
    # A document that is known by its bytes alone can't be looked up.
    gone = """
        SELECT q.mongo_id FROM controle.quarentena q
        WHERE q.resolvido_em IS NULL AND q.mongo_id NOT LIKE :nameless
          AND NOT EXISTS (SELECT FROM pg_temp.ccb_luigi_vistos v WHERE v.mongo_id = q.mongo_id)
        ORDER BY q.mongo_id
    """
    for group in this.names(gone, nameless=f"{BY_BYTES}%"):
        this.migrate(group)


def _keep_namesakes(this: _UnderWay) -> None:
    """Keeps in quarantine whoever has no place since another document has the same name.

    In transactions of their own: too much that vanished undoes the sweep's.
    """
    for group in this.names(namesakes.FOUND):
        found = namesakes.keep(this.settings, this.origin, group)
        this.swept.homonimos += len(found)
        this.swept.primeiros_homonimos = (this.swept.primeiros_homonimos + found)[:FIRST]
    if this.ask(namesakes.ANY_KEPT):
        this.migrate(namesakes.release(this.settings, this.origin, this.started))


def _mark_gone(this: _UnderWay) -> None:
    """Marks contracts whose document is gone, and takes the mark from those whose document is back.

    Only what had been loaded when the sweep began can be gone, and each is looked up again before it's
    marked.

    Raises:
        SweepRefused: too many vanished, and nobody confirmed it.
    """
    swept = this.swept
    swept.sumidos = this.ask(f"SELECT count(*) {_GONE}")
    if swept.sumidos > max(FEW, SMALL_SHARE * swept.contratos_destino) and not this.confirmed:
        raise SweepRefused(
            "muitos_sumidos",
            f"{swept.sumidos:,} of {swept.contratos_destino:,} contracts are no longer in MongoDB: none was"
            " marked; if they were deleted on purpose, `ccb-luigi sweep --confirm`",
        )
    postgres.lock(this.connection, whole.table_lock(tables.operacoes))
    swept.reaparecidos = this.connection.execute(text(_UNMARK)).rowcount
    codes: list[str] = []
    for group in this.names(f"SELECT o.mongo_id {_GONE} ORDER BY o.mongo_id"):
        there = this.origin.still_there(group)
        gone = [name for name in group if name not in there]
        marked = this.connection.execute(text(_MARK), {"started": this.started, "gone": gone})
        codes += marked.scalars()
        swept.marcados_excluidos = len(codes)
        this.progress("marked", swept.marcados_excluidos, swept.sumidos)
    if codes:
        this.freed = quarantine.waiting_for(this.connection, codes)


_GONE = """
    FROM operacoes o
    WHERE o.excluido_em IS NULL AND o.carregado_em < :started
      AND NOT EXISTS (SELECT FROM pg_temp.ccb_luigi_vistos v WHERE v.mongo_id = o.mongo_id)
"""

_MARK = """
    UPDATE operacoes SET excluido_em = clock_timestamp()
    WHERE mongo_id = ANY(:gone) AND excluido_em IS NULL AND carregado_em < :started
    RETURNING ccb_code
"""

# Loading has done so already, but for a document that came back older than it had been (after a restore).
_UNMARK = """
    UPDATE operacoes o SET excluido_em = NULL
    WHERE o.excluido_em IS NOT NULL
      AND EXISTS (SELECT FROM pg_temp.ccb_luigi_vistos v WHERE v.mongo_id = o.mongo_id)
"""


def _put(connection: Connection, this: _UnderWay) -> None:
    """Writes the sweep's row."""
    this.swept.ainda_em_quarentena = connection.execute(text(_OPEN_REJECTIONS)).scalar_one()
    counts = {name: value for name, value in asdict(this.swept).items() if name in varreduras.columns}
    connection.execute(
        varreduras.insert().values(
            **counts,
            iniciada_em=this.started,
            terminada_em=func.clock_timestamp(),
            ok=this.problem is None,
            motivo=_reason(this.problem),
        )
    )


def _reason(problem: CcbError | None) -> str | None:
    match problem:
        case None:
            return None
        case SweepRefused():
            return problem.reason
        case SourceError():
            return "origem_ilegivel"
        case CircuitBroken():
            return "disjuntor"
        case NotReconciled():
            return "em_aberto"
    return "falhou"


def _list(days: list[date]) -> str:
    return ", ".join(map(str, days[:5])) + (" ..." if len(days) > 5 else "")
