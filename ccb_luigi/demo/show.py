"""The demo: servers, contracts, a migration, the same again, a change, and what became of it all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from rich.console import Console
from rich.panel import Panel

from ccb_luigi import settings as settings_module
from ccb_luigi import tables
from ccb_luigi.database import postgres, schema
from ccb_luigi.demo import store, synth
from ccb_luigi.demo.servers import delete, postgres_alone, servers
from ccb_luigi.demo.spoiled import SPOILED, spoil
from ccb_luigi.demo.store import Store
from ccb_luigi.load import markers, pipeline, quarantine, reconcile, status
from ccb_luigi.orchestration import runner
from ccb_luigi.report import morning
from ccb_luigi.settings import Settings
from ccb_luigi.telemetry import display

DEFAULT = Path(".demo")
"""Where the other commands find a demo's data, in the directory that they are started in."""

DAYS = 10
SEED = 20261122
CHANGED = 25
"""Contracts that the demo updates; the first of them loses its last three parcelas."""


def run(directory: Path, contracts: int, console: Console) -> int:
    """Runs the demo in ``directory``, whose earlier data go; returns the exit status."""
    delete(directory)
    console.print(_WITH_MONGO if store.has_mongo() else _WITHOUT_MONGO)
    with attached(directory) as settings:
        code = _steps(settings, contracts, console, directory)
        console.print("stopping the servers ...")
    return code


def own(directory: Path, dump: Path, console: Console, load: Callable[[Settings], int]) -> int:
    """The demo with the documents of a dump, which ``load`` brings in; returns the exit status.

    The dump stays where it is: ``directory``, whose earlier data go, gets a link to it.
    """
    delete(directory)
    store.link(dump, directory)
    console.print("starting PostgreSQL ...")
    with attached(directory) as settings:
        schema.upgrade(settings)
        code = load(settings)
        proven = sorted(postgres.of_process(settings).run(reconcile.stored))
        until = _newest(settings) or settings.yesterday()
        days = (until - proven[0]).days + 1 if proven else 1
        console.print()
        _summary(settings, console, until, min(days, DAYS))
        page = directory / morning.name_of(until)
        morning.write(settings, until, page)
        console.print(f"\nthe morning page: {display.harmless(str(page))}", soft_wrap=True)
        console.print(Panel.fit(own_next(directory), title="where to go next"))
        console.print("stopping the server ...")
    return code


def _newest(settings: Settings) -> date | None:
    """The newest date of which there is a contract."""
    query = "SELECT max(particao) FROM controle.versoes"
    found = postgres.of_process(settings).run(lambda c: c.exec_driver_sql(query).scalar_one())
    return cast("date | None", found)


_WITH_MONGO = "starting PostgreSQL and SecantusDB (it speaks MongoDB's protocol) ..."
_WITHOUT_MONGO = (
    "starting PostgreSQL; the contracts come from a dump, since SecantusDB, which speaks MongoDB's"
    " protocol, has no wheel for this Python (`make secantus` builds it) ..."
)


@contextmanager
def _running(directory: Path) -> Iterator[dict[str, str]]:
    """The demo's servers, and the addresses that lead to its contracts and tables."""
    theirs = store.own_dump(directory)
    if theirs is None and store.has_mongo():
        with servers(directory) as (pg, mongo):
            yield {"CCB_POSTGRES_URL": pg.url, "CCB_MONGO_URI": mongo.uri}
        return
    with postgres_alone(directory) as pg:
        found = {"CCB_POSTGRES_URL": pg.url, "CCB_SOURCE": str(theirs or directory.absolute() / store.DUMP)}
        if theirs is None:
            found["CCB_SOURCE_COVERS_UNTIL"] = datetime.now().astimezone().isoformat(timespec="seconds")
        yield found


@contextmanager
def attached(directory: Path) -> Iterator[Settings]:
    """The demo's servers, running, and the settings that lead to them (in the environment as well:
    the workers read them there)."""
    with _running(directory) as found:
        before = {name: os.environ.get(name) for name in found}
        os.environ.update(found)
        try:
            yield settings_module.load()
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def _steps(settings: Settings, contracts: int, console: Console, directory: Path) -> int:
    last = settings.yesterday()
    days = [last - timedelta(days=n) for n in reversed(range(DAYS))]
    with store.opened(settings) as kept:
        _title(console, 1, f"A schema, and contracts in {kept.name}")
        schema.upgrade(settings)
        with console.status(f"writing {contracts:,} synthetic contracts ..."):
            kept.write(_documents(contracts, last))
        console.print(f"{contracts:,} contracts of {DAYS} days, a few of them bad")

        _title(console, 2, "The migration, date by date")
        with display.RunDisplay(console, days) as shown:
            code = runner.run(settings, days, workers=settings.workers, watch=shown.handle).exit_code
        _title(console, 3, "The same again: nothing is done twice")
        code = code or _again(settings, days, console)
        _title(console, 4, f"{CHANGED} contracts change in {kept.name}")
        code = code or _change(settings, kept, console)
    _title(console, 5, "What is there now")
    _summary(settings, console, settings.yesterday() + timedelta(days=1), DAYS + 1)
    console.print(Panel.fit(where_next(directory, last), title="where to go next"))
    return code


def _documents(contracts: int, last: date) -> Iterator[dict[str, Any]]:
    """Good contracts, and one of each kind of bad one scattered among them."""
    kinds = list(SPOILED)
    gap = max(1, contracts // (len(kinds) + 1))
    for number, document in enumerate(synth.contracts(contracts, SEED, until=last, days=DAYS)):
        kind, rest = divmod(number, gap)
        spoiled = rest == gap - 1 and kind < len(kinds)
        yield spoil(document, kinds[kind]) if spoiled else document


def _title(console: Console, number: int, text: str) -> None:
    console.print(f"\n[bold]{number}. {text}[/]")


def _again(settings: Settings, days: list[date], console: Console) -> int:
    target = postgres.of_process(settings)
    before = target.run(_fingerprint)
    code = runner.run(settings, days, workers=settings.workers).exit_code
    console.print(f"run --since {days[0]} --until {days[-1]}: every marker is there, nothing to do")
    target.run(lambda c: markers.forget(c, days[-1]))
    code = code or runner.run(settings, days[-1:], workers=settings.workers).exit_code
    (again,) = target.run(lambda c: status.last_days(c, settings, days[-1], 1))
    written = sum(again.written.values())
    same = "not one row version differs" if target.run(_fingerprint) == before else "[red]rows differ[/]"
    read = again.rows[markers.EXTRACTION]
    console.print(f"rerun --date {days[-1]}: {read} contracts read again, {written} rows written;\n  {same}")
    return code


def _fingerprint(connection: Any) -> list[Any]:
    """Changes with any row version of the eight tables."""
    sums = ", ".join(
        f"(SELECT coalesce(sum(hashtextextended(xmin::text || t::text, 0)), 0) FROM {name} t)"
        for name in tables.BY_NAME
    )
    return list(connection.exec_driver_sql(f"SELECT {sums}").one())


def _change(settings: Settings, kept: Store, console: Console) -> int:
    now = datetime.now(settings.zone)
    # Bad documents are left alone: they would stay where they are.
    long = kept.long_ones(CHANGED * 2)
    chosen = [each for each in long if _count(settings, "operacoes", "mongo_id", str(each["_id"]))][:CHANGED]
    shortened = chosen[0]
    rows = shortened["operation"]["parcelas"]["PrevisaoDeParcela"]
    for document in chosen:
        document.update(updatedAt=now, status="Alterada")
    shortened["operation"]["parcelas"]["PrevisaoDeParcela"] = rows[:-3]
    kept.replace(chosen)
    today = now.date()
    found = pipeline.load_so_far(settings, today)
    if found is None:
        return 1
    console.print(f"run --date {today} --so-far: {found.result.told}; no marker, the date is not over")
    display.tell_changes(console, found.written)
    left = _count(settings, "parcelas", "ccb_code", shortened["ccbCode"])
    console.print(f"contract {shortened['ccbCode']}: {len(rows)} parcelas before, {left} now")
    return 0


def _count(settings: Settings, table: str, column: str, value: str) -> int:
    query = f"SELECT count(*) FROM {table} WHERE {column} = %s"
    return int(postgres.of_process(settings).run(lambda c: c.exec_driver_sql(query, (value,)).scalar_one()))


def _summary(settings: Settings, console: Console, until: date, count: int) -> None:
    target = postgres.of_process(settings)
    totals = target.run(lambda c: status.in_tables(c))
    days = target.run(lambda c: status.last_days(c, settings, until, count))
    console.print(display.status_table(days, totals, width=console.width))
    entries = target.run(quarantine.open_entries)
    console.print(f"\n{len(entries) or 'no'} documents in quarantine{':' if entries else ''}")
    if entries:
        console.print(display.quarantine_table(entries, width=console.width))
    console.print()
    console.print(display.sums_table(target.run(reconcile.stored).values()))


def where_next(directory: Path, day: date) -> str:
    """What can be done with the data that the demo leaves in ``directory``."""
    return _next(directory, ["status", "quarantine list", f"rerun --date {day} --table parcelas"])


def own_next(directory: Path) -> str:
    """The same of a dump of somebody's own."""
    return _next(directory, ["quarantine list", "quarantine show ID", "verify --full"])


def _next(directory: Path, commands: Sequence[str]) -> str:
    there = display.harmless(str(directory))
    link = "" if directory == DEFAULT else f"  ln -s {there} {DEFAULT}    # where they look for it\n"
    each = "".join(f"  .venv/bin/ccb-luigi {command}\n" for command in commands)
    return (
        f"The data stay in {there}/; without CCB_POSTGRES_URL these start its servers again:\n{link}{each}"
        'Your own servers: README.md, "Your own servers"'
    )
