"""Hostile documents load faithfully or lie in the quarantine, and their neighbours never notice."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import bson
import pytest
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from hostile import KINDS, Kind, Loads, Refused
from psycopg2 import connect
from psycopg2.extras import RealDictCursor
from pymongo.errors import BulkWriteError, OperationFailure
from world import D1, EIGHT, World, at, document, of_dump

from ccb_luigi.database import postgres
from ccb_luigi.documents import block
from ccb_luigi.load import by_id
from ccb_luigi.proof import sweep, verify
from ccb_luigi.report import page
from ccb_luigi.report.facts import gather

Contents = dict[str, list[str]]


def tag(number: int) -> str:
    return f"h{number:03}"


def neighbours(number: int) -> list[bytes]:
    """Two good documents that share nothing with anybody."""
    names = [f"g{number:03}{letter}" for letter in "ab"]
    return [bson.encode(document(name, name.upper(), at(D1), client=name)) for name in names]


def batch(number: int, raw: bytes) -> list[bytes]:
    """A hostile document and its neighbours; each batch is rendered and copied by itself."""
    found = neighbours(number)
    found.insert(number % (len(found) + 1), raw)
    return found


def migrated(world: World, path: Path, documents: list[bytes]) -> World:
    path.write_bytes(b"".join(documents))
    reading = World(replace(world.settings, **of_dump(path, D1), max_rejected_share=1, processes=1))
    reading.migrate(D1)
    return reading


def dictionaries(world: World, statement: str) -> list[dict[str, Any]]:
    connection = connect(world.settings.postgres_url)
    with connection, connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(statement)
        found = [dict(row) for row in cursor]
    connection.close()
    return found


def assert_neighbours_intact(world: World, control: Contents) -> None:
    """Every row of the control is there once, unchanged; the others belong to hostile documents."""
    for name, rows in world.tables().items():
        if name == "controle.quarentena":
            continue
        found, wanted = Counter(rows), Counter(control[name])
        assert wanted - found == Counter(), name
        for row in found - wanted:
            owner = json.loads(row, parse_int=str)
            assert owner.get("client_id", owner.get("ccb_code", "")).lower().startswith("h"), name


class Outcome:
    """What is in the tables of each hostile document."""

    def __init__(self, world: World) -> None:
        self.contracts = {row["ccb_code"]: row for row in dictionaries(world, "SELECT * FROM operacoes")}
        self.clients = {row["client_id"]: row for row in dictionaries(world, "SELECT * FROM clientes")}
        self.children = {
            name: Counter(
                {row["owner"].lower(): row["n"] for row in dictionaries(
                    world, f"SELECT {owner} AS owner, count(*) AS n FROM {name} GROUP BY {owner}")}
            )
            for name, owner in (
                *((name, "client_id") for name in EIGHT[1:5]),
                *((name, "ccb_code") for name in EIGHT[6:]),
            )
        }  # fmt: skip
        self.findings: dict[str, set[str]] = {}
        for row in dictionaries(world, "SELECT ccb_code, codigo FROM controle.qualidade"):
            self.findings.setdefault(row["ccb_code"], set()).add(row["codigo"])
        rejections = dictionaries(
            world,
            "SELECT sha256, encode(sha256(documento), 'hex') AS documento, codigos, erros"
            " FROM controle.quarentena WHERE resolvido_em IS NULL",
        )
        assert all(row["sha256"] == row["documento"] for row in rejections)
        self.rejections = {row["sha256"]: row for row in rejections}
        assert len(self.rejections) == len(rejections)

    def wrong(self, name: str, kind: Kind, raw: bytes) -> str | None:
        """What isn't as expected, in words."""
        rejection = self.rejections.get(hashlib.sha256(raw).hexdigest())
        contract = self.contracts.get(name.upper())
        if isinstance(kind.expected, Refused):
            if contract:
                return "was loaded"
            if rejection is None:
                return "is nowhere"
            return self._wrong_reasons(kind.expected, rejection)
        if contract is None:
            return f"was not loaded: {rejection and rejection['erros']}"
        if rejection is not None:
            return "was loaded and rejected"
        if self.findings.get(name.upper(), set()) != kind.expected.findings:
            return f"findings {self.findings.get(name.upper())}"
        return self._wrong_values(name, kind.expected, contract)

    def _wrong_reasons(self, expected: Refused, rejection: dict[str, Any]) -> str | None:
        told = {
            path: [message.split(":")[0] for message in some] for path, some in rejection["erros"].items()
        }
        codes = {path: [code] if isinstance(code, str) else code for path, code in expected.reasons.items()}
        right = told.keys() == codes.keys() and all(
            len(told[path]) == 1 and told[path][0] in codes[path] for path in told
        )
        right = right and set(rejection["codigos"]) == {code for some in told.values() for code in some}
        return None if right else f"reasons {told}"

    def _wrong_values(self, name: str, expected: Loads, contract: dict[str, Any]) -> str | None:
        for place, value in expected.values.items():
            table, _, column = place.partition(".")
            if not column:
                found: Any = self.children[table][name]
            else:
                found = (contract if table == "operacoes" else self.clients[name])[column]
            if (type(found), found) != (type(value), value) and _json(found) != _json(value):
                return f"{place} is {str(found)[:200]!r}"
        return None


def _json(value: Any) -> str:
    """Tells true from 1, but not 1 from 1.0: jsonb doesn't."""
    text = json.dumps(value, sort_keys=True, default=str)
    return json.dumps(json.loads(text, parse_float=_number, parse_int=_number), sort_keys=True, default=str)


def _number(text: str) -> str:
    return f"number {float(text)!r}"


def test_each_kind_has_a_name_of_its_own_and_there_are_hundreds() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS) > 500


def test_any_document_loads_faithfully_or_is_kept_and_harms_no_neighbour(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First, in the middle or last of its batch, by turns."""
    good = [raw for number in range(len(KINDS)) for raw in neighbours(number)]
    control = migrated(world, tmp_path / "good.bson", good).tables()
    world.clear()

    monkeypatch.setattr(block, "DOCUMENTS", len(batch(0, b"")))
    hostile = [kind.raw(tag(number)) for number, kind in enumerate(KINDS)]
    documents = [raw for number, bad in enumerate(hostile) for raw in batch(number, bad)]
    reading = migrated(world, tmp_path / "hostile.bson", documents)

    assert_neighbours_intact(reading, control)
    outcome = Outcome(reading)
    wrong = {
        kind.name: problem
        for number, kind in enumerate(KINDS)
        if (problem := outcome.wrong(tag(number), kind, hostile[number]))
    }
    assert wrong == {}
    refused = sum(isinstance(kind.expected, Refused) for kind in KINDS)
    assert len(outcome.rejections) == refused
    assert reading.query("SELECT lidos, quarentena, ok FROM controle.reconciliacoes") == [
        (len(documents), refused, True)
    ]
    read_by_the_others(reading)


def test_what_a_server_takes_comes_out_of_it_with_the_same_end(world: World) -> None:
    """Not every kind can be stored: what comes back as it went in must end as from a dump."""
    raws = {kind.raw(tag(number)): (number, kind) for number, kind in enumerate(KINDS)}
    writable = [raw for raw in raws if len(raw) < 1_000_000 and rewritten(raw) == raw]
    good = [raw for number in range(0, len(KINDS), 10) for raw in neighbours(number)]
    with world.collection() as collection:
        options: CodecOptions[Any] = CodecOptions(document_class=RawBSONDocument)
        raw_collection = collection.with_options(options)
        insert(raw_collection, good)
        insert(raw_collection, writable)
        there = {each.raw for each in raw_collection.find()}
    assert there >= set(good)
    stored = [raws[raw] for raw in there.intersection(raws)]
    assert len(stored) > 300
    reading = World(replace(world.settings, max_rejected_share=1))
    reading.migrate(D1)
    outcome = Outcome(reading)
    wrong = {
        kind.name: problem
        for number, kind in stored
        if (problem := outcome.wrong(tag(number), kind, kind.raw(tag(number))))
    }
    assert wrong == {}
    assert len([code for code in outcome.contracts if code.startswith("G")]) == len(good)
    assert sweep.sweep(reading.settings).em_aberto == 0
    read_by_the_others(reading)


def read_by_the_others(world: World) -> None:
    """Whoever reads these documents, or what is kept of them, once more: nothing differs, nothing changes."""
    before = world.tables()
    for scope in (verify.Scope(), verify.Scope(sample=50)):
        assert [*map(str, verify.verify(world.settings, scope).differences)] == []
    by_id.migrate_ids(world.settings, [*world.quarantined()])
    world.again(D1)  # what has no date of its own counts with the date that was asked for last
    facts = postgres.of_process(world.settings).run(lambda c: gather(c, world.settings, D1, 1))
    assert page.render(facts)
    assert world.tables() == before


def insert(collection: Any, raws: list[bytes]) -> None:
    """Those that the server takes: it may refuse an ``_id``, or stumble over all for the sake of one."""
    try:
        collection.insert_many([*map(RawBSONDocument, raws)], ordered=False)
    except BulkWriteError:
        pass
    except OperationFailure:
        half = len(raws) // 2
        for some in (raws[:half], raws[half:]) if half else ():
            insert(collection, some)


def rewritten(raw: bytes) -> bytes:
    """The document as PyMongo would write what it reads; nothing if it can't, or MongoDB refuses its id."""
    try:
        document = bson.decode(raw)
        return b"" if isinstance(document.get("_id"), list | bson.Regex) else bson.encode(document)
    except (bson.errors.BSONError, ValueError, OverflowError, RecursionError):
        return b""
