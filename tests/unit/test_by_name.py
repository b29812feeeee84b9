"""A value stands in the column of its name, wherever a table's definition puts that column."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

import bson
import pytest
from contracts import contract

import ccb_luigi
from ccb_luigi import tables
from ccb_luigi.documents import rows
from ccb_luigi.documents.contract import Contract
from ccb_luigi.documents.extras import extras
from ccb_luigi.documents.schedule import schedule_of
from ccb_luigi.proof import expected

ZONE = ZoneInfo("America/Sao_Paulo")
Table = list[dict[str, Any]]


def executed(module: ModuleType, source: str = "") -> ModuleType:
    """A module of the same name made anew, from changed source if there is some."""
    assert module.__file__
    path = Path(module.__file__)
    made = ModuleType(module.__name__)
    made.__file__ = module.__file__
    sys.modules[module.__name__] = made
    exec(compile(source or path.read_text(encoding="utf-8"), str(path), "exec"), made.__dict__)
    return made


@contextmanager
def with_tables(source: str) -> Iterator[tuple[ModuleType, ModuleType, ModuleType]]:
    """``tables`` as ``source`` says, and both modules that put rows together made for it."""
    try:
        changed = executed(tables, source)
        ccb_luigi.tables = changed  # type: ignore[attr-defined]
        yield changed, executed(rows), executed(expected)
    finally:
        ccb_luigi.tables = tables  # type: ignore[attr-defined]
        for module in (tables, rows, expected):
            sys.modules[module.__name__] = module


def loaded(rows_module: ModuleType, document: dict[str, Any]) -> dict[str, Table]:
    """What the load would write, column by column."""
    by = Contract(ZONE)
    checked = by.compiled(document) or by.judge(document)
    found = rows_module.rows_of(checked, extras(document), lambda: document)
    found.tables["parcelas"] = rows_module.parcelas(row for _, row in schedule_of(checked).indexed())
    staged = rows_module.tables.BY_NAME
    return {
        name: [
            dict(zip([c.name for c in rows_module.staged_columns(staged[name])], row, strict=True))
            for row in of_table
        ]
        for name, of_table in found.tables.items()
    }


def definitions(name: str) -> tuple[list[str], int, int]:
    """The lines of ``tables``, and where the columns of a table begin and end."""
    lines = Path(tables.__file__).read_text(encoding="utf-8").split("\n")
    begin = lines.index(f"{name} = _table(") + 2
    return lines, begin, lines.index(")", begin)


DOCUMENT = contract(
    nova="x", address=[contract()["address"], {**contract()["address"], "type": "comercial", "zipCode": "1"}]
)
NEW = {name: ("clientId" if name in ("clientes", "operacoes") else "nova") for name in tables.BY_NAME}
"""Where the new column's value comes from: top-level fields of the document, or a field that no item has."""


@pytest.mark.parametrize("name", tables.BY_NAME)
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_a_new_column_anywhere_moves_no_value_into_another_column(name: str, place: str) -> None:
    lines, begin, end = definitions(name)
    at = {"first": begin, "middle": (begin + end) // 2, "last": end}[place]
    while lines[at - 1].strip() and not lines[at - 1].rstrip().endswith((",", "(")):
        at -= 1  # not inside a definition of several lines
    source = "\n".join([*lines[:at], f'    _from("{NEW[name]}", "coluna_nova"),', *lines[at:]])
    before, told_before = loaded(rows, DOCUMENT), expected.expected(bson.encode(DOCUMENT), ZONE).rows
    with with_tables(source) as (_, rows_module, expected_module):
        after = loaded(rows_module, DOCUMENT)
        told_after = expected_module.expected(bson.encode(DOCUMENT), ZONE).rows
    value = DOCUMENT["clientId"] if NEW[name] == "clientId" else None
    for had, has in ((before, after), (told_before, told_after)):
        assert all(row["coluna_nova"] == value for row in has[name] if "coluna_nova" in row)
        assert any("coluna_nova" in row for row in has[name])
        for of_table in has.values():
            for row in of_table:
                row.pop("coluna_nova", None)
        assert has == had


def test_a_column_that_nobody_has_a_value_for_is_noticed_at_once() -> None:
    lines, _, end = definitions("operacoes")
    source = "\n".join([*lines[:end], '    Column("coluna_nova", Text),', *lines[end:]])
    with pytest.raises(LookupError, match=r"operacoes.coluna_nova"), with_tables(source):
        pass
