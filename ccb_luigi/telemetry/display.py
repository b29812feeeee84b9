"""What a person sees in the terminal: progress, tables, one-line errors. Plain text when piped."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, datetime
from textwrap import wrap
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from ccb_luigi import tables
from ccb_luigi.errors import NotCovered
from ccb_luigi.load import markers, recount
from ccb_luigi.load.backfill_plan import Plan, PlanProgress
from ccb_luigi.load.loading import Written
from ccb_luigi.load.quarantine import Entry
from ccb_luigi.load.reconcile import Reconciliation, total
from ccb_luigi.load.recount import Recount
from ccb_luigi.load.status import Day, InTable, Proven, Sweep
from ccb_luigi.process.events import Event
from ccb_luigi.process.streams import printable
from ccb_luigi.telemetry import logs
from ccb_luigi.telemetry.plain_progress import PlainProgress, lasting

if TYPE_CHECKING:
    from ccb_luigi.proof.sweep import Swept  # with it comes all that reads documents

SHORT = {
    "contratos": "read",
    "clientes": "client",
    "identidades": "ident",
    "enderecos": "addr",
    "contatos": "contact",
    "dados_bancarios": "bank",
    "operacoes": "oper",
    "parcelas": "parcela",
    "detalhamento_cet": "cet",
}


class Bar(Progress):
    """One bar over all that is to be done, where a terminal shows it, and lines above it.

    Elsewhere a line on stderr now and then, with the same words.
    """

    def __init__(
        self,
        console: Console,
        *columns: ProgressColumn,
        total: int | None,
        about: str = "starting",
        hidden: bool = False,
        **fields: Any,
    ) -> None:
        super().__init__(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            *columns,
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=hidden or not console.is_terminal,
            auto_refresh=False,  # its thread would print while workers are forked: see events
        )
        self.all = self.add_task(about, total=total, **fields)
        self._failed: set[Event] = set()
        plainly = self.disable and not hidden and logs.tells_progress()
        self._lines = PlainProgress(self._words) if plainly else None

    def start(self) -> None:
        """The bar, or the lines."""
        super().start()
        if self._lines:
            self._lines.begin()

    def stop(self) -> None:
        """The end of both."""
        super().stop()
        if self._lines:
            self._lines.end()

    def _words(self) -> str:
        """What the bar would say, but for what is drawn, and the time."""
        (task,) = self.tasks
        told = (each for each in self.columns if not isinstance(each, (str, BarColumn, TimeElapsedColumn)))
        return " ".join(words for each in told if (words := str(each.render(task)).strip()))

    def tell_failure(self, event: Event, what: str) -> None:
        """A line, unless it was tried again and failed again in the same way."""
        if event in self._failed:
            return
        self._failed.add(event)
        day = f"{event.day}  " if event.day else ""
        told = f"[red]{day}{what}  failed[/]:"
        if event.exit_code == NotCovered.exit_code:
            told = f"[yellow]{day}so far[/] "
        message = event.message.removeprefix(f"{event.day}: ")
        self.print(f"{told} {harmless(message)}", soft_wrap=True)


class RunDisplay(Bar):
    """A bar over all steps of all dates, and a line per finished date."""

    def __init__(self, console: Console, days: Sequence[date]) -> None:
        columns = (MofNCompleteColumn(), TextColumn("steps"))
        super().__init__(console, *columns, total=len(days) * len(markers.STEPS))

    def handle(self, event: Event) -> None:
        """Takes an event of a worker."""
        self.refresh()
        if event.day is None:
            return
        if event.kind == "failed":
            self.tell_failure(event, event.step)
        elif event.kind == "progress":
            self.update(self.all, description=f"{event.day}  {event.rows:,} contracts read")
        elif event.kind == "started":
            self.update(self.all, description=f"{event.day}  {event.step}")
        elif event.kind == "done":
            self.advance(self.all)
            if event.step == markers.RECONCILIATION:
                self.print(f"[green]{event.day}  done[/]  {event.told or 'by another run'}; proven")


WIDTH_OF_STATUS = 76
"""Columns of a terminal that the table of all tables needs."""


def _proof(day: Day) -> str:
    if day.early:
        return "[red]early[/]"
    if day.so_far:
        return "[yellow]so far[/]"
    if day.lost:
        return "[red]LOST[/]"
    return {None: "[red]-[/]", True: "[green]ok[/]", False: "[red]DIFF[/]"}[day.proven]


def status_table(
    days: Sequence[Day], totals: Mapping[str, InTable] | None = None, *, width: int = WIDTH_OF_STATUS
) -> Table:
    """Dates × tables: rows of the date, or what is missing; ``totals``: rows in the tables themselves.

    In a terminal that is too narrow for that, the dates alone.
    """
    if width < WIDTH_OF_STATUS:
        return _narrow_status_table(days)
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("date", no_wrap=True)
    for name in SHORT.values():
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("quar", justify="right")
    table.add_column("proof")
    for day in days:
        table.add_row(str(day.day), *_cells(day), _short(day.quarantined), _proof(day))
    if totals:
        cells = [rows_in(totals[step]) if step in totals else "" for step in SHORT]
        table.add_row("in tables", *cells, "", "", style="bold")
    return table


def rows_in(table: InTable) -> str:
    """The rows of a table; ``~`` before what nobody counted."""
    return f"{'~' if table.about else ''}{_short(table.rows)}"


def complete_line(days: Sequence[Day], proven: Proven, totals: Mapping[str, InTable]) -> str:
    """How many of the dates shown are complete, how many in all, and what the table's signs mean."""
    complete = sum(not day.missing for day in days)
    signs = "-: missing; quar: open rejections"
    if any(each.about for each in totals.values()):
        signs += "; ~: about"
    shown = f"{complete} of {len(days)} dates complete"
    if not proven.first or not proven.last or proven.dates <= complete:
        return f"{shown} ({signs})"
    first = f"{counted(proven.dates, 'date')} proven in all, {proven.first} to {proven.last}"
    if complete:
        return f"{shown}; {first} ({signs})"
    again = f"`ccb-luigi status --until {proven.last}` shows the last"
    return f"{first}; none of the {len(days)} shown here is complete: {again} ({signs})"


def in_tables_line(totals: Mapping[str, InTable]) -> str:
    """What the tables hold, for a terminal that is too narrow for a column each."""
    told = ", ".join(f"{name} {rows_in(each)}" for name, each in totals.items())
    return f"rows in the tables: {told}"


def unmarked_lines(days: Sequence[Day]) -> list[str]:
    """What ``early`` and ``so far`` in the table mean, if they are there."""
    lines = []
    if any(day.early for day in days):
        lines.append("[red]early[/]: marked before the date was over; `ccb-luigi nightly` does it again")
    if any(day.so_far and not day.early for day in days):
        lines.append("[yellow]so far[/]: contracts in the tables; the date has no marker and no proof")
    return lines


def recount_line(found: Recount, zone: ZoneInfo) -> str:
    """That rows are no longer there, which, and what brings them back."""
    when = f"{found.counted_at.astimezone(zone):%Y-%m-%d %H:%M}"
    return f"[red]LOST[/]: counted again on {when}, {recount.told(found)}"


def password_line(ends: datetime, zone: ZoneInfo) -> str:
    """That somebody has to renew it."""
    return (
        f"[yellow]PostgreSQL[/]: the password of this role ends on {ends.astimezone(zone):%Y-%m-%d %H:%M}"
        " (ALTER ROLE ... VALID UNTIL)"
    )


def _cells(day: Day) -> list[str]:
    """Rows of each step, or that it is missing; of what was loaded so far only the contracts are known."""
    if day.so_far and not day.early:
        return [f"[yellow]{_short(day.so_far)}[/]" if step == "operacoes" else "" for step in SHORT]
    return ["[red]-[/]" if (rows := day.rows.get(step)) is None else _short(rows) for step in SHORT]


def sweep_line(sweep: Sweep | None, zone: ZoneInfo) -> str:
    """When the last sweep ended, and how."""
    if sweep is None:
        return "last sweep: never"
    failed = f"[red]FAILED[/] ({sweep.motivo}): `ccb-luigi sweep` says more"
    ended = f"{sweep.terminada_em.astimezone(zone):%Y-%m-%d %H:%M}"
    compared = f"{counted(sweep.lidos_origem, 'document')} compared with "
    compared += counted(sweep.contratos_destino, "contract")
    done = f"[green]ok[/], {compared}: {what_it_did(sweep)}"
    return f"last sweep: {ended}, {done if sweep.ok else failed}"


def closed_line(closed: int) -> str:
    """What became of rejected documents lately."""
    documents = counted(closed, "rejected document")
    return f"quarantine: {documents} closed in the last 24 h (loaded by now, or gone from the source)"


def what_it_did(sweep: Sweep | Swept) -> str:
    """What a sweep changed, in a few words."""
    done = (
        (sweep.carregados, "loaded"),
        (sweep.marcados_excluidos, "marked as gone"),
        (sweep.reaparecidos, "back again"),
        (sweep.em_aberto, "still open"),
    )
    return ", ".join(f"{number:,} {words}" for number, words in done if number) or "nothing to do"


def counted(number: int, word: str) -> str:
    """``1 difference``, ``2 differences``."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _narrow_status_table(days: Sequence[Day]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("date", no_wrap=True)
    for name in ("read", "tables", "quar"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("proof", no_wrap=True)
    for day in days:
        read = day.rows.get(markers.EXTRACTION)
        loaded = sum(step in day.rows for step in SHORT if step != markers.EXTRACTION)
        of_all = f"{loaded} of {len(SHORT) - 1}"
        table.add_row(
            str(day.day),
            "[red]-[/]" if read is None else _short(read),
            of_all if loaded == len(SHORT) - 1 else f"[red]{of_all}[/]",
            _short(day.quarantined),
            _proof(day),
        )
    return table


def _short(number: int) -> str:
    """At most six characters: 12345, 1.2M."""
    if number < 100_000:
        return str(number)
    return f"{number / 1e3:.0f}k" if number < 1_000_000 else f"{number / 1e6:.1f}M"


def quarantine_table(entries: Sequence[Entry], *, width: int = 80) -> Table:
    """Open rejections: which document, which date, why, how often. What is to be typed again is whole."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("_id", overflow="fold")
    table.add_column("date", no_wrap=True)
    longest = max((len(code) for entry in entries for code in entry.codigos), default=0)
    table.add_column("codes", overflow="fold", min_width=longest if width > 2 * longest + 16 else None)
    if width >= 67:
        table.add_column("tries", justify="right", no_wrap=True)
    if width >= 79:
        table.add_column("since", no_wrap=True)
    for entry in entries:
        cells = [harmless(entry.mongo_id), str(entry.particao), ", ".join(entry.codigos)]
        cells += [str(entry.tentativas), entry.primeira_vez.strftime("%Y-%m-%d")]
        table.add_row(*cells[: len(table.columns)])
    return table


def sums_table(proofs: Collection[Reconciliation]) -> Table:
    """The proofs of some dates together: counts, and the sums on both sides."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in (f"proof of {len(proofs)} dates", "MongoDB", "PostgreSQL", ""):
        table.add_column(name, justify="left" if name.startswith("proof") else "right")
    for name, (source, target) in total(proofs).sides.items():
        equal = "[green]equal[/]" if source == target else "[red]DIFFERENT[/]"
        what = name if name == "documents" else f"sum of {name}"
        table.add_row(what, f"{source:,}", f"{target:,}", equal)
    return table


def tell_changes(screen: Console, changes: Mapping[str, Written]) -> None:
    """What was done to the rows of which table: a line for each kind of change that there was."""
    for line in _changes(changes) or ["no row was written: the tables held all of it"]:
        tell_indented(screen, line)


def tell_indented(screen: Console, line: str, indent: str = "", style: str | None = None) -> None:
    """A line that may be long: what goes on in a next one is indented by more."""
    lines = wrap(
        line,
        screen.width,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    screen.print("\n".join(lines), style=style, soft_wrap=True, highlight=False)


def _changes(changes: Mapping[str, Written]) -> list[str]:
    lines = []
    for attribute, word in (("inserted", "new"), ("updated", "changed"), ("deleted", "removed")):
        numbers = {name: getattr(changes.get(name), attribute, 0) for name in tables.BY_NAME}
        if any(numbers.values()):
            told = ", ".join(f"{name} {number:,}" for name, number in numbers.items() if number)
            lines.append(f"rows {word}: {told}")
    return lines


def span(days: Sequence[date]) -> str:
    """A date, or the first and the last of several."""
    return str(days[0]) if len(days) == 1 else f"{days[0]} to {days[-1]}"


def harmless(text: str) -> str:
    """Text from outside, as it may go into what rich prints: printable, and without markup."""
    return printable(text).replace("[", "\\[")


class PlanDisplay(Bar):
    """A bar over the documents of a plan, whoever migrates them, and a line per shard that is done here."""

    def __init__(
        self, console: Console, plan: Plan, before: PlanProgress, ask: Callable[[], PlanProgress | None]
    ) -> None:
        super().__init__(console, TextColumn("{task.fields[pace]}"), total=plan.documentos, pace="")
        self._plan = plan
        self._before = self._now = before
        self._ask = ask
        self._began = time.monotonic()
        self._under_way: dict[int, int] = {}

    def handle(self, event: Event) -> None:
        """Takes an event of a worker."""
        if event.kind == "progress":
            self._under_way[event.shard] = event.rows
        elif event.kind == "failed":
            self.tell_failure(event, f"shard {event.shard}" if event.shard else "plan")
        elif event.kind == "done" and event.shard:
            self._under_way.pop(event.shard, None)
            self._now = self._ask() or self._now
            if event.rows:  # else another run did it
                which = f"[green]shard {event.shard} of {self._plan.fatias}  done[/]"
                self.print(f"{which}  {event.told}; proven; {self.pace()}", soft_wrap=True)
        done = self._now.planned + sum(self._under_way.values())
        shards = f"{self._now.shards} of {self._plan.fatias} shards"
        self.update(self.all, description=shards, completed=done, pace=self.pace(), refresh=True)

    def pace(self) -> str:
        """Documents done and planned, the rate, the time that is left at it."""
        done = self._now.planned + sum(self._under_way.values())
        found = f"{min(done, self._plan.documentos):,} of {self._plan.documentos:,}"
        took = time.monotonic() - self._began
        if (new := done - self._before.planned) <= 0 or took <= 0:
            return found
        left = max(0, self._plan.documentos - done) * took / new
        return f"{found}, {new / took:,.0f}/s, {lasting(left)} left"
