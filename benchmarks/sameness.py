"""Do the program of now and an earlier one make the same rows? `make same BASE=<commit>`.

One dump for both, of good, odd and hostile documents side by side; each program loads it by its own command
line into a database of its own; then every row of every table is compared as text, so that 1.0 isn't 1.00.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import bson
import click
import psycopg2
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks import measure
from benchmarks.databases import execute
from benchmarks.measure import REPOSITORY, Failed
from ccb_luigi import tables
from ccb_luigi.demo import synth
from ccb_luigi.demo.servers import delete, postgres_alone
from ccb_luigi.demo.spoiled import SPOILED, spoil

LAST = date(2026, 3, 2)
"""The date of the tests' documents; the synthetic ones' dates end with it."""
WHOLE = "2026-03-03T00:00"
DAYS = 3
SEED = 20260302
LONGEST = 150
"""So many documents of one origin stand together in the dump, at most."""
CLUSTER, EVERY = 40, 500
"""Of so many synthetic contracts the first ones are odd: spoiled, flagged, or written in another form."""

IGNORED = {
    "carregado_em",
    *("observado_em", "conferido_em", "primeira_vez", "ultima_vez", "resolvido_em"),
    "id",
    *("impressao", "escritas"),
}
"""Clocks, identity numbers, the rules' fingerprint and the numbers of transactions: others each time."""
KEYS: Mapping[str, Sequence[str]] = {
    **{table.fullname: table.primary_key.columns.keys() for table in tables.LOADED},
    "controle.quarentena": ("mongo_id", "sha256", "aberta"),
    "controle.qualidade": ("ccb_code", "codigo", "campo"),
    "controle.versoes": ("mongo_id",),
    "controle.reconciliacoes": ("particao",),
}
_PERSONAL = {"valor", "banco", "agencia", "conta"}
"""Parts of keys that are a document's values: they aren't told."""
EXAMPLES = 3


# --- documents ---------------------------------------------------------------------------------------


def documents(contracts: int, mutated: int) -> Iterator[bytes]:
    """Synthetic contracts, every hostile kind, and mutants, in stretches; always the same."""
    _reach_the_tests()
    from hostile import KINDS
    from mutants import mutants

    hostile = (kind.raw(f"h{number:03}") for number, kind in enumerate(KINDS))
    origins = [synthetic(contracts), hostile, iter(mutants(mutated, fixed=True) if mutated else ())]
    left = [contracts, len(KINDS), mutated]
    random = Random(SEED)
    while any(left):
        (chosen,) = random.choices(range(len(left)), left)
        some = [*islice(origins[chosen], random.randint(1, LONGEST))]
        left[chosen] -= len(some)
        yield from some


def _reach_the_tests() -> None:
    """They know what may be odd about a document."""
    tests = str(REPOSITORY / "tests")
    if tests not in sys.path:
        sys.path.insert(0, tests)


def synthetic(contracts: int) -> Iterator[bytes]:
    """Contracts of ``DAYS`` dates; the odd ones among them in clusters, each kind in its turn."""
    _reach_the_tests()
    from flagged import FLAGGED, flag
    from variants import VARIANTS, disguise

    ways = [
        *((spoil, kind) for kind in SPOILED if kind != "numeric_id"),  # it is always the same id
        *((flag, kind) for kind in FLAGGED),
        *((disguise, kind) for kind in VARIANTS),
    ]
    odd = 0
    for number, document in enumerate(synth.contracts(contracts, SEED, until=LAST, days=DAYS)):
        found = document
        if number % EVERY < CLUSTER:
            change, kind = ways[odd % len(ways)]
            found, odd = change(document, kind), odd + 1
        yield bson.encode(found)


# --- the two programs --------------------------------------------------------------------------------


@contextmanager
def checked_out(base: str, place: Path) -> Iterator[Path]:
    """The tree of a commit."""
    git = ["git", "-C", str(REPOSITORY), "worktree"]
    done = subprocess.run(
        [*git, "add", "-q", "--detach", str(place), base], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Failed(done.stderr.strip())
    try:
        yield place
    finally:
        subprocess.run([*git, "remove", "--force", str(place)], check=True)


def migrate(tree: Path, url: str, dump: Path) -> float:
    """Loads the dump by the command line of the program in ``tree``; returns the seconds of the run."""
    settings = {
        "PYTHONPATH": str(tree),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LUIGI_CONFIG_PATH": str(tree / "luigi.cfg"),
        "CCB_POSTGRES_URL": url,
        "CCB_MAX_REJECTED_SHARE": "1",
    }
    log = dump.with_suffix(".log")
    asked = [sys.executable, "-c", "import ccb_luigi; print(ccb_luigi.__file__)"]
    measure.command(asked, settings, log)
    if not log.read_text().startswith(f"{tree}/"):
        raise Failed(f"it isn't the program in {tree} that was run")
    measure.command(measure.python("ccb_luigi", "db", "upgrade"), settings, log)
    words = ("run", "--full", "--until", LAST, "--source", dump, "--covers-until", WHOLE)
    return measure.command(measure.python("ccb_luigi", *words), settings, log).seconds


# --- the comparison ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Compared:
    """One table: its rows in both databases, and how many of them differ or are in one alone.

    ``columns``: column → in how many of the rows that both have. ``examples``: keys, without values of a
    document.
    """

    name: str
    before: int
    now: int
    differing: int
    columns: dict[str, int]
    examples: list[str]


def compare(before: str, now: str, spool: Path) -> list[Compared]:
    """The databases at two addresses, table by table; ``spool`` is a directory for the rows of the first."""
    with (
        closing(psycopg2.connect(before)) as old,
        closing(psycopg2.connect(now)) as new,
        old.cursor() as theirs,
        new.cursor() as ours,
    ):
        for side in ("antes", "agora"):
            ours.execute(f"CREATE TEMP TABLE {side} (tabela text, chave text, linha text)")
        for name in KEYS:
            with tempfile.TemporaryFile(dir=spool) as rows:
                theirs.copy_expert(f"COPY ({_rows_of(name)}) TO STDOUT", rows)
                rows.seek(0)
                ours.copy_expert("COPY antes FROM STDIN", rows)
            ours.execute(f"INSERT INTO agora {_rows_of(name)}")
        ours.execute("ANALYZE antes, agora")
        ours.execute(_DIFFERENCES)
        return [_compared(ours, name) for name in KEYS]


def _rows_of(name: str) -> str:
    """A query of a table's rows: key, and all that isn't ignored. Rejections of one key are numbered."""
    ignored = ", ".join(f"'{column}'" for column in sorted(IGNORED))
    key = ", ".join(f"'{column}', linha -> '{column}'" for column in KEYS[name])
    more = ""
    if name == "controle.quarentena":
        more = " || jsonb_build_object('aberta', resolvido_em IS NULL)"
        key += f", '#', row_number() OVER (PARTITION BY jsonb_build_object({key}) ORDER BY linha)"
    return f"""
        SELECT '{name}', jsonb_build_object({key})::text, linha::text
        FROM (SELECT (to_jsonb(t){more}) - ARRAY[{ignored}] AS linha FROM {name} t) cada
    """


_DIFFERENCES = """
    CREATE TEMP TABLE diferentes AS
    SELECT tabela, chave, a.linha::jsonb AS antes, n.linha::jsonb AS agora
    FROM antes a FULL JOIN agora n USING (tabela, chave)
    WHERE a.linha IS DISTINCT FROM n.linha
"""
_COLUMNS = """
    SELECT coluna, count(*)
    FROM diferentes, LATERAL (
        SELECT key AS coluna FROM jsonb_each(antes) a FULL JOIN jsonb_each(agora) n USING (key)
        WHERE a.value::text IS DISTINCT FROM n.value::text
    ) cada
    WHERE tabela = %s AND antes IS NOT NULL AND agora IS NOT NULL
    GROUP BY coluna ORDER BY 2 DESC, 1
"""
_EXAMPLES = """
    SELECT chave, CASE WHEN agora IS NULL THEN 'only before' WHEN antes IS NULL THEN 'only now' END
    FROM diferentes WHERE tabela = %s ORDER BY chave LIMIT %s
"""


def _compared(cursor: Any, name: str) -> Compared:
    cursor.execute(
        "SELECT (SELECT count(*) FROM antes WHERE tabela = %(name)s),"
        " (SELECT count(*) FROM agora WHERE tabela = %(name)s),"
        " (SELECT count(*) FROM diferentes WHERE tabela = %(name)s)",
        {"name": name},
    )
    before, now, differing = cursor.fetchone()
    cursor.execute(_COLUMNS, (name,))
    columns = dict(cursor.fetchall())
    cursor.execute(_EXAMPLES, (name, EXAMPLES))
    return Compared(name, before, now, differing, columns, [_told(*row) for row in cursor.fetchall()])


def _told(key: str, where: str | None) -> str:
    told = {name: value for name, value in json.loads(key).items() if name not in _PERSONAL | {"#"}}
    words = ", ".join(f"{name} {value!r}"[:80] for name, value in told.items())
    return f"{words} ({where})" if where else words


# --- the command -------------------------------------------------------------------------------------


@click.command()
@click.option("--base", required=True, help="The commit that now is compared with.")
@click.option("--contracts", type=click.IntRange(0), default=20_000, show_default=True)
@click.option("--mutants", type=click.IntRange(0), default=5_000, show_default=True)
@click.pass_context
def main(context: click.Context, base: str, contracts: int, mutants: int) -> None:
    """Ends with 1 if a row differs."""
    screen = Console(highlight=False)
    directory = Path(tempfile.mkdtemp(prefix="ccb-luigi-same-"))
    directory.chmod(0o711)  # started by root, PostgreSQL runs as nobody and must get in
    try:
        with checked_out(base, directory / "base") as tree, postgres_alone(directory) as server:
            with screen.status("writing the dump ..."):
                dump = directory / "documents.bson"
                number = write(documents(contracts, mutants), dump)
            urls = []
            for name, code in (("antes", tree), ("agora", REPOSITORY)):
                execute(server.url, f"CREATE DATABASE {name}")
                urls.append(server.url_of(name))
                with screen.status(f"{number:,} documents, {name} ..."):
                    seconds = migrate(code, urls[-1], dump)
                screen.print(f"{name}: {number:,} documents in {seconds:,.0f} s, by {code}")
            with screen.status("comparing ..."):
                found = compare(*urls, directory)
    except Failed as error:
        raise click.ClickException(str(error)) from error
    finally:
        delete(directory)
    screen.print(table(found))
    for words in differences(found):
        screen.print(words, style="red", markup=False, soft_wrap=True)
    if any(each.differing for each in found) or not any(each.now for each in found):
        context.exit(1)


def write(raw: Iterable[bytes], path: Path) -> int:
    """A dump of the documents; how many they are."""
    number = 0
    with path.open("wb") as file:
        for each in raw:
            file.write(each)
            number += 1
    return number


def table(found: Sequence[Compared]) -> Table:
    """Rows before, rows now, rows that differ."""
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    shown.add_column("")
    for heading in ("before", "now", "differ"):
        shown.add_column(heading, justify="right")
    for each in found:
        shown.add_row(each.name, f"{each.before:,}", f"{each.now:,}", f"{each.differing:,}")
    return shown


def differences(found: Sequence[Compared]) -> Iterator[str]:
    """For each table that differs: which columns, how often, and the keys of the first rows."""
    for each in found:
        if each.differing:
            columns = ", ".join(f"{name} ({number:,})" for name, number in each.columns.items())
            yield f"{each.name}: {columns or 'rows that one side lacks'}"
            yield from (f"  {example}" for example in each.examples)


if __name__ == "__main__":
    main()
