"""What the changelog promises to who has rows of earlier rules: which may change, and how they are found."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from bson import Int64
from world import D1, D2, Document, World, at, document, operation

from ccb_luigi.documents import fingerprint, times
from ccb_luigi.documents.block import judge_of
from ccb_luigi.documents.kinds import KINDS
from ccb_luigi.proof import sweep, verify
from ccb_luigi.proof.comparison import Proof

CHANGELOG = Path(__file__).parents[2] / "CHANGELOG.md"


def query() -> str:
    """The only query that the changelog gives."""
    (found,) = re.findall(r"```sql\n(.*?)```", CHANGELOG.read_text(encoding="utf-8"), re.DOTALL)
    return "\n".join(line.strip() for line in found.splitlines()).replace("%", "%%")


_ZERO = re.compile(r"(.{10})T00:00:00(?:\.0+)?Z").fullmatch


@contextmanager
def earlier_rules(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Days and moments as they were read before: text at offset zero moved, any number was milliseconds."""
    day, moment = times.calendar_date, times.moment

    def number(value: Any) -> Any:
        return (
            {"$date": value} if isinstance(value, int) and abs(value) < times.SURELY_MILLISECONDS else value
        )

    def moved(value: Any, zone: ZoneInfo) -> date | None:
        if isinstance(value, str) and (found := _ZERO(value)):
            return date.fromisoformat(found[1]) - timedelta(days=1)
        return day(number(value), zone)

    with monkeypatch.context() as patch:
        patch.setitem(KINDS, "date", replace(KINDS["date"], read=moved))
        patch.setattr(times, "moment", lambda value, zone: moment(number(value), zone))
        patch.setitem(KINDS, "moment", replace(KINDS["moment"], read=times.moment))
        patch.setattr(fingerprint, "key", lambda *_: b"an earlier version's")
        judge_of.cache_clear()
        yield
    judge_of.cache_clear()


def contracts() -> list[Document]:
    def with_days(name: str, **changes: Any) -> Document:
        return document(name, name.upper(), at(D1), client=name, **changes)

    schedule = operation(3)
    for row in schedule["parcelas"]["PrevisaoDeParcela"]:
        row["DataDeVencimento"] = f"{row['DataDeVencimento'][:10]}T00:00:00.000Z"
    return [
        with_days("plain", birthDate="1980-12-08"),
        with_days("bson", birthDate=datetime(1980, 12, 8, tzinfo=UTC)),
        with_days("json", birthDate="1980-12-08T00:00:00.000Z"),
        with_days("rows", operation=schedule),
        with_days("digits", birthDate=19_801_208),
        with_days("released", operation=operation(3, DataDeLiberacao=Int64(1_775_779_200))),
        with_days("seconds", updatedAt=Int64(1_772_452_800)),
    ]


def proven(world: World) -> Proof:
    return verify.verify(world.settings, verify.Scope())


def test_rows_that_earlier_rules_read_otherwise_are_found_and_read_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put(*contracts())
    nineteen_seventy = date(1970, 1, 21)
    with earlier_rules(monkeypatch):
        world.migrate(nineteen_seventy, D1)
        assert proven(world).total == 0
        assert len(world.contracts()) == 7
        births = dict(world.query("SELECT client_id, data_nascimento FROM clientes"))
    assert (births["bson"], births["json"]) == (date(1980, 12, 8), date(1980, 12, 7))

    # The query names what came from a small number, with its field.
    named = [(code, field) for code, field, *_ in world.query(query())]
    assert named == [("DIGITS", "birthDate"), ("RELEASED", "DataDeLiberacao"), ("SECONDS", "updatedAt")]

    # Which days had moved only the documents can tell.
    found = proven(world)
    assert {(each.subject, each.place, each.what, each.day) for each in found.differences} == {
        ("json", "clientes.data_nascimento", "differs", D1),
        ("ROWS", "parcelas.data_vencimento", "differs", D1),
        ("digits", "controle.quarentena", "missing", D1),
        ("released", "controle.quarentena", "missing", D1),
        ("seconds", "controle.quarentena", "missing", None),
    }

    # A rerun passes over nothing that other rules have read.
    world.again(D1)
    assert proven(world).total == 0
    births = dict(world.query("SELECT client_id, data_nascimento FROM clientes"))
    assert births["json"] == date(1980, 12, 8)

    assert world.quarantined() == {name: ["data_ambigua"] for name in ("digits", "released", "seconds")}
    # What they said last stays, until their source says better.
    assert len(world.contracts()) == 7
    assert [code for code, *_ in world.query(query())] == ["DIGITS", "RELEASED", "SECONDS"]


def test_the_sweep_alone_finds_the_times_that_were_numbers(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put(*contracts())
    with earlier_rules(monkeypatch):
        world.migrate(D1, date(1970, 1, 21))
    sweep.sweep(world.settings)
    assert world.quarantined() == {"seconds": ["data_ambigua"]}


def test_a_document_that_is_mended_leaves_the_quarantine_with_its_new_version(world: World) -> None:
    world.put(document("a", "A", at(D1), birthDate=19_801_208))
    world.migrate(D1)
    assert world.quarantined() == {"a": ["data_ambigua"]}
    world.put(document("a", "A", at(D2), birthDate="1980-12-08"))
    world.migrate(D2)
    assert world.quarantined() == {}
    assert world.column("SELECT data_nascimento FROM clientes") == [date(1980, 12, 8)]
