"""Candidates for what compiles the contract, on the same documents, in turn: `python -m benchmarks.gates`.

Each gets the documents' bytes, and all but one decode these first, one by one. A candidate is made anew for
every round, off the clock: what one remembers of texts that it has seen is then worth as much as on a night's
new documents.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Annotated, Any

import bson
import click
import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks import documents
from ccb_luigi.documents.block import blocks
from ccb_luigi.documents.compiled import Compiler
from ccb_luigi.documents.contract import SCHEMA, Contract, Rejected
from ccb_luigi.documents.fast.vectorised import VectorisedReader
from ccb_luigi.documents.rawbson import decode
from ccb_luigi.documents.schedule import Schedule
from ccb_luigi.settings import Settings

Document = dict[str, Any]
Rules = dict[str, Any]
Candidate = Callable[[list[bytes]], list[Any]]
"""The normal forms of documents, ``None`` for one that it is unsure of, or rejects."""

CERBERUS = "Cerberus"
SHARE_OF_CERBERUS = 10
"""It is slow: it gets every tenth document."""
COMPARED = 100
"""So many documents are also looked at: do the candidates find the same in them?"""


def _one_by_one(check: Callable[[Document], Any], *wrong: type[Exception]) -> Candidate:
    def read(raw: bytes) -> Any:
        try:
            return check(decode(raw))
        except wrong:
            return None

    return lambda documents: [*map(read, documents)]


def _cerberus() -> Candidate:
    return _one_by_one(Contract(Settings().zone).judge, Rejected)


def _msgspec() -> Candidate:
    kind = _struct("Contrato", SCHEMA)
    return _one_by_one(partial(msgspec.convert, type=kind, strict=False), msgspec.ValidationError)


def _side_by_side() -> Candidate:
    columns = VectorisedReader(SCHEMA, Compiler(Settings().zone))

    def read(raw: list[bytes]) -> list[Any]:
        found = (columns.read(block) for _, block in blocks(raw))
        return [one and one.document for block in found for one in block]

    return read


# Add a candidate here: a name, and a function that makes it.
CANDIDATES: dict[str, Callable[[], Candidate]] = {
    CERBERUS: _cerberus,
    "the compiled contract, one by one": lambda: _one_by_one(Compiler(Settings().zone).contract(SCHEMA)),
    "the fast road, block by block": _side_by_side,
    "msgspec.convert (weaker)": _msgspec,
}

# What msgspec can't express of the schema, so that its time is a bound for what it could do at best:
# "" and {"@i:nil": "true"} as null, trimmed text, amounts with a decimal comma or without cents past the
# second digit, days as "dd/mm/yyyy" or with "T00:00:00" (text here), moments as text or number (anything
# here), an ObjectId (anything here), a tax id whose zeros are lost, and numbers of rows that repeat.
_TYPES: dict[str, Any] = {
    "text": str,
    "key": str,
    "mongo_id": Any,
    "person_type": str,
    "tax_id": str,
    "zip_code": str,
    "money": Decimal,
    "rate": Decimal,
    "integer": int,
    "boolean": bool,
    "date": str,
    "moment": Any,
}


def _struct(name: str, schema: Rules) -> type:
    """A msgspec type with the fields of a Cerberus schema; unknown fields are passed over."""
    fields: list[Any] = []
    for field, rules in schema.items():
        kind = _type_of(field, rules)
        if rules.get("required"):
            fields.insert(0, (_attribute(field), kind))
        else:
            fields.append((_attribute(field), kind | None if kind is not Any else Any, None))
    rename = {_attribute(field): field for field in schema}
    return msgspec.defstruct(name, fields, rename=rename)


def _type_of(name: str, rules: Rules) -> Any:
    coerce = rules["coerce"]
    if coerce == "document":
        return _struct(name, rules["schema"])
    if coerce == "items":
        item = _type_of(name, rules["schema"])
        return list[item | None] | item  # one item stands for a list of one
    kind = _TYPES[coerce]
    if "maxlength" in rules and kind is str:
        # An account's branch is often a number.
        return Annotated[str, msgspec.Meta(max_length=rules["maxlength"])] | int
    return Annotated[int, msgspec.Meta(ge=rules["min"])] if "min" in rules else kind


def _attribute(field: str) -> str:
    return field.lstrip("_")


@click.command()
@click.option("--documents", "number", type=click.IntRange(10), default=5_000, show_default=True)
@click.option("--repeat", type=click.IntRange(1), default=3, show_default=True)
def main(number: int, repeat: int) -> None:
    """Prints the time of every candidate, and whether it finds what Cerberus finds."""
    screen = Console(highlight=False)
    with screen.status("making documents ..."):
        raw = [bson.encode(document) for document in documents.of_one_day(number)]
    seconds: dict[str, list[float]] = {name: [] for name in CANDIDATES}
    for turn in range(repeat):
        for name, make in CANDIDATES.items():
            with screen.status(f"{turn + 1}/{repeat}  {name} ...", refresh_per_second=2):
                seconds[name].append(_time(make(), _share(name, raw)))
    screen.print(_table(seconds, raw))


def _table(seconds: dict[str, list[float]], raw: list[bytes]) -> Table:
    found = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    found.add_column("")
    for heading in ("µs per document", "sure of", "same as Cerberus"):
        found.add_column(heading, justify="right")
    for name, runs in seconds.items():
        sure, same = _answers(CANDIDATES[name](), raw[:COMPARED])
        found.add_row(name, f"{statistics.median(runs) * 1e6:,.1f}", f"{sure:.0%}", same)
    return found


def _share(name: str, raw: list[bytes]) -> list[bytes]:
    return raw[::SHARE_OF_CERBERUS] if name == CERBERUS else raw


def _time(read: Candidate, raw: list[bytes]) -> float:
    """Seconds per document."""
    began = time.perf_counter()
    read(raw)
    return (time.perf_counter() - began) / len(raw)


def _answers(read: Candidate, raw: list[bytes]) -> tuple[float, str]:
    """The share of documents that a candidate is sure of, and whether it reads those as Cerberus does."""
    pairs = [*zip(read(raw), _cerberus()(raw), strict=True)]
    sure = [(mine, theirs) for mine, theirs in pairs if mine is not None]
    if not all(isinstance(mine, dict) for mine, _ in sure):
        return len(sure) / len(pairs), "other types"
    same = all(_known(mine) == _known(theirs) for mine, theirs in sure)
    return len(sure) / len(pairs), "yes" if same else "[red]no[/]"


def _known(value: Any, rules: Rules | None = SCHEMA) -> Any:
    """A normal form without what is unknown to the schema or null, which the candidates may leave out."""
    if isinstance(value, Schedule):
        value = value.items
    if isinstance(value, list):
        inner = (rules or {}).get("schema")
        return [_known(item, inner.get("schema") if inner else None) for item in value]
    if not isinstance(value, dict) or rules is None:
        return value
    return {
        name: _known(value[name], below if below.get("type") == "list" else below.get("schema"))
        for name, below in rules.items()
        if value.get(name) is not None
    }


if __name__ == "__main__":
    main()
