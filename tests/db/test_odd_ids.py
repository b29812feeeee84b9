"""Whatever an ``_id`` is, or looks like, no command ends for its sake: over the server and from a dump."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import bson
import pytest
from bson import DBRef, Decimal128, ObjectId, Regex
from odd_ids import LOOKALIKES, OTHERS, QUOTED
from pymongo.errors import PyMongoError
from world import D1, D2, World, at, document, of_dump

from ccb_luigi.documents.identity import id_text
from ccb_luigi.load import backfill, backfill_plan, by_id
from ccb_luigi.proof import erasure, sweep, verify
from ccb_luigi.proof.verify import Scope

KEY = "a key of these tests alone"
TEXTS = [text for text in LOOKALIKES if text != "65bb0b7f0123456789abcdef"]
"""That one would be named like the ObjectId."""

# One of each of what a unique index takes for equal.
VALUES = [
    value
    for value in OTHERS
    if not isinstance(value, Decimal128) and repr(value) not in ("Int64(7)", "7", "7.0", "-0.0", "Int64(0)")
]


def documents() -> Iterator[dict[str, Any]]:
    for number, value in enumerate([*TEXTS, *VALUES]):
        yield document(f"t{number}", f"CODE{number}", at(D1), client=f"c{number}") | {"_id": value}


def storable(each: dict[str, Any]) -> bool:
    """Whether MongoDB takes the ``_id``; the server of the tests takes more."""
    value = each["_id"]
    if isinstance(value, dict):
        return not any(key.startswith("$") for key in value)
    return not isinstance(value, (list, Regex, DBRef))


def told(text: str) -> str:
    return json.dumps(text) if text in QUOTED else text


def loadable(ids: list[Any]) -> set[str]:
    """The ``mongo_id`` of those that are text (a table holds) or an ObjectId."""
    texts = {told(each) for each in ids if type(each) is str and len(each) < 256 and "\0" not in each}
    return texts | {str(each) for each in ids if isinstance(each, ObjectId)}


def assert_all_there(world: World, ids: list[Any]) -> None:
    """Each document is where it belongs, under a name of its own."""
    assert set(world.contracts().values()) == loadable(ids)
    quarantined = world.quarantined()
    assert len(quarantined) + len(loadable(ids)) == len(ids)
    assert set(map(tuple, quarantined.values())) <= {("id_invalido",), ("nul",), ("texto_longo",)}
    for name in quarantined:
        if not name.startswith("sha256:"):
            json.loads(name)
    assert not set(quarantined) & loadable(ids)


@pytest.fixture
def odd(world: World) -> tuple[World, list[Any]]:
    """A source of all that the server takes; its ids."""
    kept = []
    with world.collection() as collection:
        for each in filter(storable, documents()):
            try:
                collection.insert_one(each)
            except (PyMongoError, bson.errors.BSONError):
                continue
            kept.append(each["_id"])
    assert set(TEXTS) <= {each for each in kept if type(each) is str}
    assert len(kept) > len(TEXTS) + 25
    return World(replace(world.settings, max_rejected_share=1, forget_key=KEY)), kept


def test_documents_of_any_id_are_loaded_or_kept_and_every_step_after_that_goes_on(
    odd: tuple[World, list[Any]],
) -> None:
    world, ids = odd
    world.migrate(D1)
    assert_all_there(world, ids)
    before = world.tables()
    world.again(D1)
    assert world.tables() == before
    for _ in range(2):
        sweep.sweep(world.settings)
    assert world.tables() == before
    counts, gone = by_id.migrate_ids(world.settings, [*world.quarantined()])
    asked = [name for name in world.quarantined() if not name.startswith("sha256:")]
    assert (counts.lidos, counts.quarentena, gone) == (len(asked), len(asked), 0)
    assert world.tables() == before
    for scope in (Scope(), Scope(sample=1000), Scope(day=D1)):
        proof = verify.verify(world.settings, scope)
        assert (proof.total, proof.pending) == (0, 0)
    assert proof.documents == len(ids)
    assert erasure.erase(world.settings, "c0").found.codes == ["CODE0"]
    sweep.sweep(world.settings)
    world.again(D1)
    assert len(world.contracts()) == len(loadable(ids)) - 1


def test_rejections_of_documents_that_are_gone_close_whatever_their_ids_are(
    odd: tuple[World, list[Any]],
) -> None:
    world, ids = odd
    world.migrate(D1)
    world.empty_source()
    world.put(document("stays", "STAYS", at(D1)))
    sweep.sweep(world.settings, confirmed=True)
    assert all(name.startswith("sha256:") for name in world.quarantined())
    gone = world.column("SELECT mongo_id FROM operacoes WHERE excluido_em IS NOT NULL")
    assert set(gone) == loadable(ids)


def test_a_plan_is_cut_at_ids_of_any_kind(odd: tuple[World, list[Any]]) -> None:
    """One moment for all of them: the cuts are ids."""
    world, ids = odd
    small = replace(world.settings, shard_documents=6)
    made = backfill_plan.ensure(small, D1, D1)
    assert made is not None
    assert made.fatias > 10
    for number in range(1, made.fatias + 1):
        backfill.migrate_shard(small, made.id, number)
    backfill.close(small, made.id)
    assert_all_there(world, ids)


def test_a_dump_of_any_ids_is_loaded_proven_and_asked_for_them(world: World, tmp_path: Path) -> None:
    """No server stood between: also what MongoDB would not take."""
    path, kept = tmp_path / "odd.bson", []
    with path.open("wb") as file:
        for each in documents():
            file.write(bson.encode(each))
            kept.append(each["_id"])
    dump = World(replace(world.settings, **of_dump(path, D1), max_rejected_share=1))
    dump.migrate(D1)
    assert_all_there(dump, kept)
    counts, gone = by_id.migrate_ids(dump.settings, [*dump.quarantined()])
    assert (counts.lidos, counts.quarentena, gone) == (len(dump.quarantined()),) * 2 + (0,)
    for scope in (Scope(), Scope(sample=1000)):
        assert verify.verify(dump.settings, scope).total == 0


HEX = "65bb0b7f0123456789abcdef"
TWO = ("an ObjectId's", "a text's")


def namesakes(*moments: datetime, codes: tuple[str, str] = TWO, **changes: Any) -> list[dict[str, Any]]:
    """An ObjectId's document and one of the text of its digits, of these times."""
    ids = (ObjectId(HEX), HEX)
    return [
        document(f"of {type(each).__name__}", code, moment, client=code, **changes) | {"_id": each}
        for each, code, moment in zip(ids, codes, moments, strict=True)
    ]


def kept(world: World) -> list[tuple[list[str], Any]]:
    """The open rows of the quarantine: their codes, and the ``_id`` of their documents."""
    rows = world.query(
        "SELECT codigos, documento FROM controle.quarentena WHERE resolvido_em IS NULL ORDER BY mongo_id"
    )
    return [(codes, bson.decode(bytes(raw))["_id"]) for codes, raw in rows]


def assert_both_are_kept(world: World) -> None:
    """One has the row, the other is in quarantine, the proof is whole, and it stays so."""
    (code,) = world.contracts()
    ((codes, other),) = kept(world)
    assert codes == ["id_repetido"]
    assert other == (HEX if code == TWO[0] else ObjectId(HEX))
    before = world.tables()
    for scope in (Scope(), Scope(sample=10), Scope(day=D1)):
        assert verify.verify(world.settings, scope).total == 0
    swept = sweep.sweep(world.settings)
    assert (swept.homonimos, swept.primeiros_homonimos) == (1, [HEX])
    assert (swept.em_aberto, swept.mais_antigos) == (0, 0)
    assert world.tables() == before
    assert len(kept(world)) == 1


@pytest.mark.parametrize(
    "moments",
    [(at(D1), at(D1)), (at(D1, 13), at(D1)), (at(D1), at(D1, 13)), (at(D1), at(D2)), (at(D2), at(D1))],
    ids=lambda pair: " and ".join(f"{each:%d %H}" for each in pair),
)
def test_of_an_objectid_and_the_text_of_its_digits_one_has_the_row_and_the_other_is_kept(
    world: World, moments: tuple[datetime, datetime]
) -> None:
    world.put(*namesakes(*moments))
    world.migrate(D1, D2)
    assert verify.verify(world.settings, Scope()).total > 0, "one is in no place, and that is told"
    sweep.sweep(world.settings)
    assert_both_are_kept(world)


def test_two_of_one_name_that_are_alike_are_two_all_the_same(world: World) -> None:
    """As after an import of an export as JSON, where an ObjectId is a text."""
    one, _ = namesakes(at(D1), at(D1), codes=("A", "A"))
    world.put(one, one | {"_id": HEX})
    world.migrate(D1)
    proof = verify.verify(world.settings, Scope())
    assert dict(proof.places) == {("controle.quarentena", "missing"): 1}
    sweep.sweep(world.settings)
    ((codes, _),) = kept(world)
    assert codes == ["id_repetido"]
    assert verify.verify(world.settings, Scope()).total == 0


def test_a_rejected_one_beside_its_namesake_is_kept_as_well(world: World) -> None:
    one, other = namesakes(at(D1), at(D1))
    world.put(one, other | {"taxId": None})
    world.migrate(D1)
    sweep.sweep(world.settings)
    assert [(code, str(each)) for (code,), each in kept(world)] in (
        [("ausente", HEX)],
        [("id_repetido", HEX)],
    )
    assert verify.verify(world.settings, Scope()).total == 0


@pytest.mark.parametrize("gone", [ObjectId(HEX), HEX], ids=lambda each: type(each).__name__)
def test_when_one_of_two_is_gone_the_other_has_the_row(world: World, gone: Any) -> None:
    world.put(*namesakes(at(D1), at(D2)))
    world.migrate(D1, D2)
    sweep.sweep(world.settings)
    with world.collection() as collection:
        collection.delete_one({"_id": gone})
    sweep.sweep(world.settings, confirmed=True)
    (left,) = [each for each in TWO if (each == TWO[1]) == (gone != HEX)]
    assert set(world.contracts()) == {left}
    assert kept(world) == []
    assert verify.verify(world.settings, Scope()).total == 0


def test_an_open_row_under_a_name_of_before_closes_by_itself(world: World) -> None:
    """Names of a text that looks like another value's were not in quotes once."""
    world.put(document("null", "A", at(D1)))
    world.migrate(D1)
    world.query("UPDATE operacoes SET mongo_id = 'null'")
    world.query("UPDATE clientes SET mongo_id = 'null'")
    world.query("UPDATE controle.versoes SET mongo_id = 'null'")
    sweep.sweep(world.settings)
    assert world.contracts() == {"A": id_text("null")} == {"A": '"null"'}
    assert world.quarantined() == {}
    assert world.column("SELECT excluido_em FROM operacoes") == [None]


def test_the_longest_keys_that_are_taken_fit_into_the_indexes_and_longer_ones_are_rejected(
    world: World,
) -> None:
    """An index takes 2,704 bytes of a row. Random characters, since PostgreSQL compresses."""
    draw = random.Random(7)

    def long(length: int) -> str:
        return "".join(chr(draw.randrange(0x20000, 0x2A000)) for _ in range(length))

    world.put(
        document("t", long(255), at(D1), client=long(255))
        | {
            "_id": long(255),
            "contacts": {"email": long(320), "phone": [long(320)]},
            "bankData": {name: long(60) for name in ("bankNumber", "branchNumber", "accountNumber")},
        },
        document("a", long(10_000), at(D1), client="a"),
        document("b", "B", at(D1), client=long(10_000)),
        document("c", "C", at(D1), client="c", contacts={"email": long(10_000)}),
        document("d", "D", at(D1), client="d") | {"_id": long(10_000)},
        document("e", "E", at(D1), client="e", bankData={"bankNumber": "1", "branchNumber": "1",
                                                         "accountNumber": long(10_000)}),
    )  # fmt: skip
    world = World(replace(world.settings, max_rejected_share=1))
    world.migrate(D1)
    assert len(world.contracts()) == 1
    assert world.one("SELECT count(*) FROM contatos") == 2
    assert world.one("SELECT count(*) FROM dados_bancarios") == 1
    assert [*world.quarantined().values()] == [["texto_longo"]] * 5
    sweep.sweep(world.settings)
    assert verify.verify(world.settings, Scope()).total == 0


def test_a_rejection_that_todays_rules_read_otherwise_ends_no_sweep(world: World) -> None:
    """It waits for a code, but its time can't be read any more: a rule of a later version."""
    world = World(replace(world.settings, forget_key=KEY))
    world.put(document("a", "A", at(D1)), document("z", "A", at(D1, 13)))
    world.migrate(D1)
    assert world.quarantined() == {"a": ["ccb_duplicado"]}
    for change in ({"updatedAt": "ontem"}, {"ccbCode": {"a": 1}}):
        world.put(document("a", "A", at(D1)) | change)
        raw = world.raw("a")
        world.query(
            "UPDATE controle.quarentena SET codigos = '{ccb_duplicado}', documento = %s, sha256 = %s",
            raw,
            hashlib.sha256(raw).hexdigest(),
        )
        sweep.sweep(world.settings)
        assert world.quarantined() in ({"a": ["data_invalida"]}, {"a": ["tipo_invalido"]})
    world.query("UPDATE controle.quarentena SET codigos = '{ccb_duplicado}'")
    assert erasure.erase(world.settings, "nobody").freed == []
    world.put(document("z", "OTHER", at(D1, 14)))
    sweep.sweep(world.settings)
    assert world.contracts() == {"OTHER": "z"}
