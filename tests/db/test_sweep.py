"""The sweep: both sides end alike whatever the dates missed, and nothing counts as gone that may be there."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import bson
import pymongo
import pytest
from bson import Binary, Decimal128, Int64, MaxKey, MinKey, ObjectId, Timestamp
from world import D1, D2, D3, D4, DAYS, Document, World, at, at_once, document, rejected

from ccb_luigi.commands.sweep import summary
from ccb_luigi.database import postgres
from ccb_luigi.documents.judge import Judge
from ccb_luigi.errors import (
    CircuitBroken,
    ConfigurationError,
    NotReconciled,
    SourceError,
    SweepRefused,
    TargetError,
)
from ccb_luigi.load import by_id, missing, pipeline
from ccb_luigi.proof import sweep, verify
from ccb_luigi.sources import mongo as mongo_source
from ccb_luigi.sources import source
from ccb_luigi.sources.mongo import MongoSource

HEX = "65f04a2b9d1c8e0012ab34cd"


def swept(world: World, **how: Any) -> dict[str, int]:
    """A sweep that leaves nothing open; what of its row isn't zero, without what both sides held."""
    sweep.sweep(world.settings, **how)
    row = last_row(world)
    assert (row["ok"], row["motivo"], row["em_aberto"]) == (True, None, 0)
    told = ("carregados", "sumidos", "marcados_excluidos", "reaparecidos")
    return {name: row[name] for name in told if row[name]}


def last_row(world: World) -> dict[str, Any]:
    (row,) = world.column("SELECT to_jsonb(v) FROM controle.varreduras v ORDER BY id DESC LIMIT 1")
    return dict(row)


def gone(world: World) -> set[str]:
    return set(world.column("SELECT mongo_id FROM operacoes WHERE excluido_em IS NOT NULL"))


def remove(world: World, *ids: Any) -> None:
    with world.collection() as collection:
        assert collection.delete_many({"_id": {"$in": list(ids)}}).deleted_count == len(ids)


def tries(world: World) -> dict[str, int]:
    return dict(
        world.query("SELECT mongo_id, tentativas FROM controle.quarentena WHERE resolvido_em IS NULL")
    )


# --- what is missing or older is loaded ---------------------------------------------------------------


def test_what_was_committed_after_its_date_had_run_is_loaded(world: World) -> None:
    world.put(document("a", "A", at(D1)), document("b", "B", at(D1)))
    world.migrate(D1, D2)
    world.put(document("late", "LATE", at(D1, 13)), document("b", "B", at(D1, 20), rows=5))
    assert swept(world) == {"carregados": 2}
    assert world.contracts() == {"A": "a", "B": "b", "LATE": "late"}
    assert world.numbers("B") == [1, 2, 3, 4, 5]
    row = last_row(world)
    assert (row["lidos_origem"], row["contratos_destino"], row["ainda_em_quarentena"]) == (3, 2, 0)
    assert row["iniciada_em"] < row["terminada_em"]


def test_dates_that_nobody_ran_and_clocks_that_go_wrong_do_not_matter(world: World) -> None:
    world.put(
        document("past", "PAST", datetime(2003, 1, 1, 12, tzinfo=UTC)),
        document("future", "FUTURE", datetime(2203, 1, 1, 12, tzinfo=UTC)),
        document("never", "NEVER", at(D1), updatedAt=None, createdAt=None),
    )
    assert swept(world) == {"carregados": 3}
    assert set(world.contracts()) == {"PAST", "FUTURE", "NEVER"}
    assert swept(world) == {}


def test_a_marker_without_its_document_is_found_out(world: World) -> None:
    world.put(document("a", "A", at(D1)), document("b", "B", at(D1), client="c2"))
    world.migrate(D1)
    expected = world.tables()
    world.query("DELETE FROM operacoes WHERE ccb_code = 'B'")
    assert swept(world) == {"carregados": 1}
    assert world.tables() == expected


def test_a_sweep_of_equal_sides_touches_no_row(world: World) -> None:
    world.put(
        document("a", "A", at(D1)),
        document("x", "X", at(D1)),
        document("y", "X", at(D2)),
        rejected(document("r", "R", at(D2))),
    )
    world.migrate(D1, D2)
    before, tables, tried = world.row_versions(), world.tables(), tries(world)
    assert swept(world) == {}
    assert world.row_versions() == before
    assert world.tables() == tables
    assert tries(world) == tried == {"x": 1, "r": 1}
    assert last_row(world)["ainda_em_quarentena"] == 2


ODD_TIMES: dict[str, Any] = {
    "text": "2026-03-02T15:00:00.123456Z",
    "local": "2026-03-02T12:00:00",
    "day": "02/03/2026",
    "int64": Int64(1772452800000),
    "double": 1772452800000.0,
    "$date": {"$date": {"$numberLong": "1772452800000"}},
    "timestamp": Timestamp(1772452800, 1),
    "empty": "",
    "nil": {"@i:nil": "true"},
    "none": None,
    "year one": datetime(1, 1, 1, tzinfo=UTC),
    "year 9999": datetime(9999, 12, 31, 12, tzinfo=UTC),
}
UNREADABLE_TIMES: dict[str, Any] = {
    "word": "ontem",
    "bool": True,
    "list": [],
    "dates": [datetime(2026, 3, 2, 12, tzinfo=UTC)],
    "object": {"day": 3},
    "bytes": b"2026",
    "oid": ObjectId(HEX),
    "nan": float("nan"),
    "far": Int64(2**62),
    "seconds": Int64(1772452800),
    "zero": 0.0,
    "minkey": MinKey(),
}


def test_times_of_any_type_are_compared_as_what_they_mean(world: World) -> None:
    """Missed by every date, since none of them ran; then loaded once, and not again."""
    for name, value in (ODD_TIMES | UNREADABLE_TIMES).items():
        world.put(document(name, f"C {name}", at(D1), updatedAt=value))
    assert swept(world) == {"carregados": len(ODD_TIMES)}
    assert set(world.contracts().values()) == set(ODD_TIMES)
    assert set(world.quarantined()) == set(UNREADABLE_TIMES)
    versions, tried = world.row_versions(), tries(world)
    assert swept(world) == {}
    assert world.row_versions() == versions
    assert tries(world) == tried
    later = ("text", "int64", "year one", "word", "list")
    for name in later:
        world.put(document(name, f"C {name}", at(D1), updatedAt="2026-03-02T16:00:00Z"))
    assert swept(world) == {"carregados": len(later)}
    assert set(world.quarantined()) == set(UNREADABLE_TIMES) - set(later)


def test_a_loaded_document_whose_time_can_not_be_read_any_more_goes_to_the_quarantine(world: World) -> None:
    world.put(document("a", "A", at(D1)))
    world.migrate(D1)
    world.put(document("a", "A", at(D1), updatedAt="ontem"))
    assert swept(world) == {}
    assert world.quarantined() == {"a": ["data_invalida"]}
    assert swept(world) == {}
    assert tries(world) == {"a": 1}
    assert gone(world) == set()


def test_a_version_that_is_older_than_the_loaded_one_is_told(world: World) -> None:
    world.put(*(document(f"d{number}", f"D{number}", at(D2)) for number in range(7)))
    world.put(document("same", "SAME", at(D2)), document("newer", "NEWER", at(D1)))
    world.migrate(D1, D2)
    told = sweep.sweep(world.settings)
    assert (told.mais_antigos, told.primeiros_mais_antigos) == (0, [])
    before = world.tables()
    world.put(*(document(f"d{number}", f"D{number}", at(D1), rows=5) for number in range(7)))
    told = sweep.sweep(world.settings)
    assert (told.mais_antigos, told.primeiros_mais_antigos) == (7, ["d0", "d1", "d2", "d3", "d4"])
    assert world.tables() == before
    assert last_row(world)["ok"]
    line = summary(told)
    assert "7 are older in MongoDB than here" in line
    assert line.endswith("d0, d1, d2, d3, d4 ...")


def test_what_was_loaded_while_the_sweep_ran_is_not_older_in_the_source(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put(document("a", "A", at(D1)), document("b", "B", at(D1)))
    world.migrate(D1)
    note = missing.note

    def meanwhile(*args: Any, **named: Any) -> int:
        read = note(*args, **named)
        world.query(
            "UPDATE operacoes SET atualizado_em = %s, carregado_em = clock_timestamp() WHERE ccb_code = 'A'",
            at(D2),
        )
        return read

    monkeypatch.setattr(missing, "note", meanwhile)
    assert sweep.sweep(world.settings).mais_antigos == 0
    monkeypatch.undo()
    assert sweep.sweep(world.settings).mais_antigos == 1


def test_a_later_version_whose_time_came_in_seconds_is_rejected_and_told(world: World) -> None:
    world.put(document("a", "A", at(D1), updatedAt=Int64(1772452800000)))
    world.migrate(D1)
    before = world.tables()
    world.put(document("a", "A", at(D2), rows=5, updatedAt=Int64(1772539200)))
    assert swept(world) == {}
    assert world.quarantined() == {"a": ["data_ambigua"]}
    assert {**world.tables(), "controle.quarentena": []} == {**before, "controle.quarentena": []}
    assert swept(world) == {}
    assert tries(world) == {"a": 1}


def test_a_duplicate_of_earlier_rules_whose_time_is_ambiguous_today_does_not_end_the_sweep(
    world: World,
) -> None:
    world.put(document("new", "A", at(D2)), document("old", "A", at(D1), updatedAt=Int64(1772452800)))
    world.migrate(D1, D2)
    world.query("UPDATE controle.quarentena SET codigos = '{ccb_duplicado}' WHERE mongo_id = 'old'")
    assert swept(world) == {}
    assert world.quarantined() == {"old": ["data_ambigua"]}
    assert swept(world) == {}
    assert tries(world)["old"] == 2  # its first date's, and the sweep's


ODD_IDS: list[Any] = [
    5,
    Int64(2**40),
    -1.5,
    float("nan"),
    True,
    datetime(2026, 3, 2, tzinfo=UTC),
    {"b": 1, "a": {"c": "x"}},
    b"bytes",
    Binary.from_uuid(UUID(int=7)),
    Decimal128("1.50"),
    Timestamp(1, 2),
    MinKey(),
    MaxKey(),
    None,
    "nul\0inside",
    '{"$numberInt": "5"',
]


def test_ids_of_any_type_and_order_are_matched(world: World) -> None:
    """By bytes Z < _ < a < é; a language's order, MongoDB's types and hex digits have each their own."""
    good = ["Z", "a", "_", "B", "b", "é", "e", "É", "10", "9", " ", "a b", "a\tb", "a\\b", "%", "''", "[1]"]
    good += [ObjectId(HEX), ObjectId(), str(ObjectId()), "f" * 23, "x" * 40]
    world.put(*(document(name, f"G{n}", at(D1)) for n, name in enumerate(good)))
    odd = [document("", f"B{n}", at(D1)) | {"_id": name} for n, name in enumerate(ODD_IDS)]
    with world.collection() as collection:
        collection.insert_many(odd)
    assert swept(world) == {"carregados": len(good) + 1}
    assert set(world.contracts().values()) == {str(name) for name in good} | {ODD_IDS[-1]}
    assert len(world.quarantined()) == len(ODD_IDS) - 1
    tried = tries(world)
    assert swept(world) == {}
    assert tries(world) == tried
    assert gone(world) == set()
    remove(world, "a", ObjectId(HEX), 5)
    assert swept(world) == {"sumidos": 2, "marcados_excluidos": 2}
    assert gone(world) == {"a", HEX}
    assert set(tried) - set(tries(world)) == {'{"$numberInt": "5"}'}


def test_a_document_whose_id_is_too_long_to_be_asked_for_is_left_open_until_its_date_runs(
    world: World,
) -> None:
    world.put(document("x" * 300, "LONG", at(D1)))
    with pytest.raises(NotReconciled, match=f"1 documents .* {D1}"):
        sweep.sweep(world.settings)
    assert (last_row(world)["ok"], last_row(world)["motivo"]) == (False, "em_aberto")
    world.migrate(D1)
    assert swept(world) == {}
    assert len(world.quarantined()) == 1


# --- the quarantine -----------------------------------------------------------------------------------


def test_a_rejected_document_is_tried_again_only_when_its_bytes_changed(world: World) -> None:
    bad = rejected(document("r", "R", at(D1)))
    world.put(bad, rejected(document("s", "S", at(D1))), rejected(document("t", "T", at(D1))))
    world.migrate(D1)
    for _ in range(2):
        assert swept(world) == {}
    assert tries(world) == {"r": 1, "s": 1, "t": 1}
    world.put(document("r", "R", at(D1)), bad | {"_id": "s", "ccbCode": "S2"})  # at the same times
    assert swept(world) == {"carregados": 1}
    assert tries(world) == {"s": 2, "t": 1}
    assert world.contracts() == {"R": "r"}


def test_a_rejection_beside_an_older_good_version_is_left_alone(world: World) -> None:
    world.put(document("a", "A", at(D1)))
    world.migrate(D1)
    world.put(rejected(document("a", "A", at(D2))))
    world.migrate(D2)
    assert swept(world) == {}
    assert tries(world) == {"a": 1}
    world.put(document("a", "A", at(D1)))  # as after a restore
    assert swept(world) == {"carregados": 1}
    assert tries(world) == {}


def test_the_rejection_of_a_document_that_is_gone_is_closed(world: World) -> None:
    world.put(rejected(document("r", "R", at(D1))), rejected(document("s", "S", at(D1))))
    world.put(document("a", "A", at(D1)))
    world.migrate(D1)
    remove(world, "r")
    assert swept(world) == {}
    assert set(tries(world)) == {"s"}


def test_the_loser_of_a_code_waits_and_has_it_as_soon_as_it_is_free(world: World) -> None:
    world.put(document("x", "C", at(D1)), document("y", "C", at(D2)), document("z", "C", at(D1, 4)))
    world.migrate(D1, D2)
    assert swept(world) == {}
    world.put(document("y", "D", at(D2, 13)))
    assert swept(world) == {"carregados": 2}
    assert world.contracts() == {"C": "x", "D": "y"}
    assert world.quarantined() == {"z": ["ccb_duplicado"]}
    assert swept(world) == {}


def test_the_loser_of_a_code_has_it_when_the_winner_is_gone_and_as_long_as_it_is(world: World) -> None:
    winner = document("y", "C", at(D2), rows=12, client="cy")
    world.put(document("x", "C", at(D1), rows=5, client="cx"), winner, document("z", "C", at(D1, 4)))
    world.migrate(D1, D2)
    remove(world, "y")
    assert swept(world) == {"carregados": 1, "sumidos": 1, "marcados_excluidos": 1}
    assert (world.contracts(), world.numbers("C"), gone(world)) == ({"C": "x"}, [1, 2, 3, 4, 5], set())
    assert world.one("SELECT client_id FROM operacoes") == "cx"
    assert world.quarantined() == {"z": ["ccb_duplicado"]}
    assert last_row(world)["ainda_em_quarentena"] == 1
    assert swept(world) == {}

    world.put(winner)
    assert swept(world) == {"carregados": 1}
    assert (world.contracts(), len(world.numbers("C"))) == ({"C": "y"}, 12)
    assert world.quarantined() == {"x": ["ccb_duplicado"], "z": ["ccb_duplicado"]}
    assert swept(world) == {}


def test_a_code_that_a_mark_set_free_is_taken_by_whoever_comes_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mark_alone() -> None:
        """A sweep that fails between its marks and the load of what waits for them."""
        world.again(D1, D2)
        remove(world, "y")
        with monkeypatch.context() as broken:
            broken.setattr(by_id, "migrate_ids", failing)
            with pytest.raises(TargetError):
                sweep.sweep(world.settings)
        row = last_row(world)
        assert (row["marcados_excluidos"], row["ok"], row["motivo"]) == (1, False, "falhou")
        assert (world.contracts(), gone(world)) == ({"C": "y"}, {"y"})

    def failing(*_: object) -> None:
        raise TargetError("no room")

    for taken in (
        lambda: swept(world),
        lambda: world.again(D1),
        lambda: by_id.migrate_ids(world.settings, ["x"]),
    ):
        world.clear()
        world.put(document("x", "C", at(D1)), document("y", "C", at(D2)))
        mark_alone()
        proof = verify.verify(world.settings, verify.Scope())
        assert [(d.subject, d.place, d.what) for d in proof.differences] == [("C", "operacoes", "missing")]
        taken()
        assert (world.contracts(), world.quarantined(), gone(world)) == ({"C": "x"}, {}, set())
        assert not verify.verify(world.settings, verify.Scope()).total


def test_a_date_that_the_circuit_breaker_kept_out_does_not_come_in_by_the_sweep(world: World) -> None:
    world.put(*(rejected(document(f"r{n}", f"R{n}", at(D1))) for n in range(51)))
    world.put(document("good", "GOOD", at(D1)), document("other", "OTHER", at(D2)))
    with pytest.raises(CircuitBroken):
        world.migrate(D1)
    with pytest.raises(CircuitBroken, match=f"1 documents wait for {D1}"):
        sweep.sweep(world.settings)
    assert world.contracts() == {"OTHER": "other"}
    assert (last_row(world)["em_aberto"], last_row(world)["motivo"]) == (1, "disjuntor")
    off = World(replace(world.settings, max_rejected_share=1))
    assert swept(off) == {"carregados": 1}


# --- what is gone is marked ---------------------------------------------------------------------------


def test_a_contract_that_is_gone_is_marked_and_keeps_its_values(world: World) -> None:
    world.put(document("a", "A", at(D1)), document("b", "B", at(D1), client="c2"))
    world.migrate(D1)
    before, kept = world.row_versions(), world.query("SELECT * FROM operacoes WHERE mongo_id = 'a'")
    remove(world, "a")
    assert swept(world) == {"sumidos": 1, "marcados_excluidos": 1}
    assert gone(world) == {"a"}
    after = world.query("SELECT * FROM operacoes WHERE mongo_id = 'a'")
    assert [x for x in after[0] if x not in kept[0]] == [
        world.one("SELECT excluido_em FROM operacoes WHERE mongo_id = 'a'")
    ]
    ours = world.row_versions()
    assert {name for name in before if before[name] != ours[name]} == {"operacoes"}
    marked = world.query("SELECT mongo_id, excluido_em FROM operacoes ORDER BY 1")
    assert swept(world) == {}, "once"
    assert world.query("SELECT mongo_id, excluido_em FROM operacoes ORDER BY 1") == marked


@pytest.mark.parametrize(
    ("moment", "told"),
    [
        (at(D1), {"reaparecidos": 1}),
        (at(D3), {"carregados": 1}),
        (at(D1, 4), {"reaparecidos": 1}),
    ],
    ids=["the same", "newer", "older, as after a restore"],
)
def test_a_contract_that_is_back_loses_its_mark(world: World, moment: datetime, told: dict[str, int]) -> None:
    world.put(document("a", "A", at(D1)), document("b", "B", at(D1)))
    world.migrate(D1)
    remove(world, "a")
    swept(world)
    assert gone(world) == {"a"}
    world.put(document("a", "A", moment))
    assert swept(world) == told
    assert gone(world) == set()
    assert world.one("SELECT atualizado_em FROM operacoes WHERE mongo_id = 'a'") == max(moment, at(D1))


def test_a_run_of_its_date_takes_the_mark_as_well(world: World) -> None:
    world.put(document("a", "A", at(D1)), document("b", "B", at(D1)))
    world.migrate(D1)
    remove(world, "a")
    swept(world)
    world.put(document("a", "A", at(D1)))
    world.again(D1)
    assert gone(world) == set()


# --- and what only seems to be gone is not ------------------------------------------------------------


class Copies:
    """One contract, and more rows like it on both sides, as far as a sweep looks at those."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
        world.put(document("k0", "K0", at(D1)))
        world.migrate(D1)
        remove(world, "k0")
        world.query(
            "INSERT INTO operacoes (ccb_code, mongo_id, client_id, vencimento_primeira_parcela, valor_bruto,"
            " valor_liquido, atualizado_em)"
            " SELECT 'K' || n, 'k' || n, client_id, vencimento_primeira_parcela, 1, 1, atualizado_em"
            " FROM operacoes, generate_series(1, %s) n",
            number - 1,
        )
        self.there = {f"k{n}" for n in range(number)}
        whole = MongoSource.versions
        monkeypatch.setattr(MongoSource, "versions", lambda source: [*self.stubs(), *whole(source)])
        monkeypatch.setattr(MongoSource, "count", lambda source: len(self.there))

    def stubs(self) -> list[bytes]:
        return [bson.encode({"_id": name, "updatedAt": at(D1)}) for name in self.there]


@pytest.mark.parametrize(
    ("contracts", "vanished", "refused"),
    [(30, 20, False), (30, 21, True), (4200, 21, False), (4200, 22, True)],
)
def test_more_than_twenty_and_more_than_one_in_two_hundred_have_to_be_confirmed(
    world: World, monkeypatch: pytest.MonkeyPatch, contracts: int, vanished: int, refused: bool
) -> None:
    copies = Copies(world, monkeypatch, contracts)
    copies.there -= {f"k{n}" for n in range(vanished)}
    if refused:
        with pytest.raises(SweepRefused, match=f"{vanished} of {contracts:,} contracts .* --confirm"):
            sweep.sweep(world.settings)
        assert gone(world) == set()
        row = last_row(world)
        assert (row["ok"], row["motivo"]) == (False, "muitos_sumidos")
        assert (row["sumidos"], row["marcados_excluidos"]) == (vanished, 0)
    assert swept(world, confirmed=refused) == {"sumidos": vanished, "marcados_excluidos": vanished}
    assert gone(world) == {f"k{n}" for n in range(vanished)}


def test_what_is_missing_is_loaded_although_too_much_is_gone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = Copies(world, monkeypatch, 30)
    copies.there -= {f"k{n}" for n in range(25)}
    world.put(document("new", "NEW", at(D1)))
    with pytest.raises(SweepRefused):
        sweep.sweep(world.settings)
    assert world.contracts()["NEW"] == "new"
    assert last_row(world)["carregados"] == 1


def test_a_small_flood_is_a_flood_and_does_not_come_in_by_the_sweep_either(world: World) -> None:
    world.put(*(rejected(document(f"r{n}", f"R{n}", at(D1, 9, n))) for n in range(6)))
    world.put(*(document(f"g{n}", f"G{n}", at(D1, 10, n), client=f"g{n}") for n in range(4)))
    with pytest.raises(CircuitBroken, match=r"6 of 10 documents were rejected .*, none was loaded"):
        pipeline.extract(world.settings, D1)
    with pytest.raises(CircuitBroken, match=f"4 documents wait for {D1}"):
        sweep.sweep(world.settings)
    assert world.contracts() == world.markers(D1) == {}
    world.put(document("g4", "G4", at(D1, 11), client="g4"), document("g5", "G5", at(D1, 11), client="g5"))
    sweep.sweep(world.settings)  # half of twelve is no more than half
    assert len(world.contracts()) == 6


@pytest.mark.parametrize("kind", ["contract", "rejection"])
def test_an_empty_source_is_never_believed(world: World, kind: str) -> None:
    world.put(document("a", "A", at(D1)) if kind == "contract" else rejected(document("a", "A", at(D1))))
    world.migrate(D1)
    before = world.tables()
    world.empty_source()
    for confirmed in (False, True):
        with pytest.raises(SweepRefused, match="contratos holds no document: nothing was marked"):
            sweep.sweep(world.settings, confirmed=confirmed)
        assert last_row(world)["motivo"] == "origem_vazia"
    assert world.tables() == before
    assert gone(world) == set()


def test_nor_beside_tables_that_are_empty_as_well(world: World) -> None:
    with pytest.raises(
        SweepRefused, match=r"^there is no \w+\.contratos; there are: none: nothing was marked"
    ):
        sweep.sweep(world.settings)
    assert last_row(world)["motivo"] == "origem_vazia"


def test_fewer_documents_than_mongodb_counts_are_no_reading(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put(document("a", "A", at(D1)), document("b", "B", at(D1)), rejected(document("r", "R", at(D1))))
    world.migrate(D1)
    before = world.tables()
    whole = MongoSource.versions
    monkeypatch.setattr(MongoSource, "versions", lambda self: list(whole(self))[:1])
    # Even if the documents that weren't read couldn't be looked up either.
    monkeypatch.setattr(MongoSource, "still_there", lambda self, ids: set())
    monkeypatch.setattr(MongoSource, "by_ids", lambda self, ids: iter(()))
    with pytest.raises(SweepRefused, match="1 documents were read where MongoDB counts 3"):
        sweep.sweep(world.settings, confirmed=True)
    assert world.tables() == before
    assert gone(world) == set()
    assert last_row(world)["motivo"] == "leitura_incompleta"


def meanwhile(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], None]) -> None:
    """Lets something happen when the source has been read, and before anything is done about it."""
    read = missing.note

    def note(*args: Any, **kwargs: Any) -> int:
        found = read(*args, **kwargs)
        monkeypatch.setattr(missing, "note", read)
        happens()
        return found

    monkeypatch.setattr(missing, "note", note)


def test_documents_deleted_while_the_others_are_read_do_not_make_the_reading_incomplete(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put(document("a", "A", at(D1)), document("b", "B", at(D1)))
    world.migrate(D1)
    whole = MongoSource.versions

    def versions(self: MongoSource) -> Iterator[bytes]:
        remove(world, "b")
        return whole(self)

    monkeypatch.setattr(MongoSource, "versions", versions)
    assert swept(world) == {"sumidos": 1, "marcados_excluidos": 1}


def test_what_is_back_by_the_time_that_it_would_be_marked_is_not_marked(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put(document("a", "A", at(D1)), document("b", "B", at(D1)))
    world.migrate(D1)
    remove(world, "a", "b")
    world.put(document("other", "OTHER", at(D1)))
    meanwhile(monkeypatch, lambda: world.put(document("a", "A", at(D1))))
    assert swept(world) == {"carregados": 1, "sumidos": 2, "marcados_excluidos": 1}
    assert gone(world) == {"b"}


def test_what_was_loaded_while_the_sweep_ran_is_never_marked(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even if a look at the source doesn't find it: a secondary may be behind."""
    world.put(document("a", "A", at(D1)))
    world.migrate(D1)

    def load() -> None:
        world.put(document("new", "NEW", at(D2)))
        world.migrate(D2)
        remove(world, "new")

    meanwhile(monkeypatch, load)
    assert swept(world) == {}
    assert gone(world) == set()
    monkeypatch.undo()
    assert swept(world) == {"sumidos": 1, "marcados_excluidos": 1}


def test_what_is_deleted_while_the_sweep_runs_is_not_left_open(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put(document("a", "A", at(D1)), document("b", "B", at(D1)))
    meanwhile(monkeypatch, lambda: remove(world, "a"))
    assert swept(world) == {"carregados": 1}
    assert world.contracts() == {"B": "b"}


@contextmanager
def failing(uri: str, mode: Any, code: int) -> Iterator[None]:
    """``getMore`` fails on the server."""
    with pymongo.MongoClient[Any](uri) as client:
        data = {"failCommands": ["getMore"], "errorCode": code}
        client.admin.command({"configureFailPoint": "failCommand", "mode": mode, "data": data})
        try:
            yield
        finally:
            client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})


def test_a_reading_that_breaks_off_marks_nothing_and_loads_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mongo_source, "BATCH_VERSIONS", 2)
    world.put(*(document(f"d{n}", f"D{n}", at(D1)) for n in range(7)))
    world.migrate(D1)
    world.put(document("d7", "D7", at(D1)))
    before = world.tables()
    with failing(world.settings.mongo_uri, {"skip": 1}, 2), pytest.raises(SourceError):
        sweep.sweep(world.settings, confirmed=True)
    assert world.tables() == before
    assert gone(world) == set()
    row = last_row(world)
    assert (row["ok"], row["motivo"], row["marcados_excluidos"]) == (False, "origem_ilegivel", 0)


def test_a_cursor_that_is_lost_once_is_read_again_from_the_beginning(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mongo_source, "BATCH_VERSIONS", 2)
    monkeypatch.setattr("ccb_luigi.process.retry.LONGEST_WAIT", 0.01)
    world.put(*(document(f"d{n}", f"D{n}", at(D1)) for n in range(7)))
    world.migrate(D1)
    remove(world, "d6")
    with failing(world.settings.mongo_uri, {"times": 1}, 43):
        assert swept(world) == {"sumidos": 1, "marcados_excluidos": 1}
    assert world.one("SELECT count(*) FROM controle.varreduras") == 1
    assert last_row(world)["lidos_origem"] == 6


def test_a_dump_is_no_source_of_a_sweep(world: World, tmp_path: Path) -> None:
    dump = tmp_path / "contratos.bson"
    dump.write_bytes(bson.encode(document("a", "A", at(D1))))
    with pytest.raises(ConfigurationError, match="dump"):
        sweep.sweep(replace(world.settings, source=str(dump)))
    assert world.contracts() == {}


# --- side by side -------------------------------------------------------------------------------------


def test_two_sweeps_at_once_run_one_after_the_other(world: World) -> None:
    world.put(*(document(f"d{n}", f"D{n}", at(D1), client=f"c{n}") for n in range(9)))
    world.put(rejected(document("r", "R", at(D1))))
    assert at_once(*[lambda: sweep.sweep(world.settings)] * 3) == []
    assert len(world.contracts()) == 9
    assert tries(world) == {"r": 1}
    times = world.query("SELECT iniciada_em, terminada_em FROM controle.varreduras ORDER BY 1")
    assert all(ended <= begun for (_, ended), (begun, _) in pairwise(times))
    assert sorted(world.column("SELECT carregados FROM controle.varreduras")) == [0, 0, 9]


def test_a_sweep_beside_dates_ends_as_one_after_the_other(world: World) -> None:
    def prepare() -> None:
        world.clear()
        world.empty_source()
        world.put(*(document(f"d{n:02}", f"D{n}", at(D1, 4, n), client=f"c{n % 5}") for n in range(20)))
        world.migrate(D1)
        world.put(*(document(f"d{n:02}", f"D{n + 1}", at(D2, 5, n), client=f"c{n % 3}") for n in range(12)))
        world.put(*(document(f"e{n:02}", f"E{n}", at(D3, 5, n), client=f"c{n % 7}") for n in range(9)))
        remove(world, "d18", "d19")

    prepare()
    world.migrate(D2, D3)
    swept(world)
    expected, marked = world.contracts(), gone(world)
    prepare()
    assert at_once(lambda: sweep.sweep(world.settings), lambda: world.migrate(D2, D3)) == []
    assert world.contracts() == expected
    assert gone(world) == marked == {"d18", "d19"}


def test_memory_is_flat_whatever_the_number_of_documents(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids come and go in blocks: what a sweep holds at a time doesn't grow with what it compares."""

    def peak(number: int) -> int:
        stubs = (bson.encode({"_id": f"{n:060}", "updatedAt": at(D1)}) for n in range(number))
        judge = Judge(ZoneInfo("America/Sao_Paulo"))

        def work(connection: Any) -> int:
            read = missing.note(connection, judge, stubs, erased=None)
            with source.live(world.settings) as origin:
                return read + sum(map(len, missing.unsettled(connection, origin, judge)))

        tracemalloc.start()
        try:
            assert postgres.of_process(world.settings).run(work) == 2 * number
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    monkeypatch.setattr(missing, "BLOCK", 500)
    monkeypatch.setattr(missing, "GROUP", 100)
    peak(10)  # what is made once
    assert peak(8 * missing.BLOCK) < 2 * peak(missing.BLOCK)


# --- the overlap --------------------------------------------------------------------------------------


def before_midnight(minutes: int) -> datetime:
    """A moment of D1, so many minutes before D2 begins in São Paulo."""
    return at(D2, 3) - timedelta(minutes=minutes)


def test_the_next_date_loads_what_was_committed_late_within_the_overlap(world: World, rows: Any) -> None:
    world.put(document("a", "A", before_midnight(30)), document("old", "OLD", before_midnight(20)))
    world.migrate(D1)
    world.put(
        document("late", "LATE", before_midnight(59)),
        document("old", "OLD", before_midnight(1), rows=5),
        rejected(document("bad", "BAD", before_midnight(2))),
        document("too late", "TOO LATE", before_midnight(61)),
        document("b", "B", at(D2)),
    )
    world.migrate(D2)
    assert world.contracts() == {"A": "a", "OLD": "old", "LATE": "late", "B": "b"}
    assert world.numbers("OLD") == [1, 2, 3, 4, 5]
    assert world.query("SELECT mongo_id, particao FROM controle.quarentena") == [("bad", D1)]
    proofs = {row["particao"]: row for row in rows("controle.reconciliacoes")}
    assert [(proofs[day]["lidos"], proofs[day]["carregados"]) for day in (D1, D2)] == [(2, 2), (1, 1)]
    assert world.one("SELECT linhas FROM table_updates WHERE update_id = %s", f"contratos:{D2}") == 1
    assert swept(world) == {"carregados": 1}, "what was too late for the overlap"


def test_an_overlap_of_no_change_migrates_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.put(
        document("a", "A", before_midnight(30)),
        document("b", "A", before_midnight(20)),
        rejected(document("r", "R", before_midnight(10))),
    )
    world.migrate(D1)
    before = world.row_versions(), tries(world)
    monkeypatch.setattr(by_id, "migrate_ids", None)
    world.migrate(D2)
    assert (world.row_versions(), tries(world)) == before


def test_the_overlap_is_a_setting_and_ends_where_dates_are_not_done(world: World) -> None:
    world.put(document("other", "OTHER", at(D4 + timedelta(days=9))))  # of an empty source nothing is marked
    for day in (D1 - timedelta(days=1), D1, D2, D3):
        world.migrate(day)
    world.forget(D1 - timedelta(days=1), "parcelas")
    end = at(D4, 3)
    world.put(
        *(document(str(n), str(n), end - timedelta(hours=n) + timedelta(minutes=1)) for n in (1, 25, 49)),
        document("not done", "NOT DONE", end - timedelta(hours=73)),
    )
    for hours, loaded in [(0, set()), (1, {"1"}), (25.5, {"1", "25"}), (168, {"1", "25", "49"})]:
        World(replace(world.settings, overlap_hours=hours)).again(D4)
        assert set(world.contracts()) == loaded, hours


def test_a_date_before_the_next_one_is_done_is_not_read_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put(document("a", "A", before_midnight(30)))
    monkeypatch.setattr(by_id, "migrate_ids", None)
    world.migrate(D2)
    assert world.contracts() == {}


# --- all of it at random ------------------------------------------------------------------------------


@pytest.fixture(params=range(2))
def chance(request: pytest.FixtureRequest) -> random.Random:
    return random.Random(f"sweep {request.param}")


def test_any_history_ends_as_the_source_is(world: World, chance: random.Random) -> None:
    """Kept in plain Python: the newest version of each document that is or was there, by its own clock.

    Clocks go wrong by days in both directions, but no document's time goes back. Codes don't move.
    """
    names: list[Any] = ["Z", "a", "B", "é", "_", HEX[:23] + "e", ObjectId(HEX), "9", "10", ObjectId()]
    there: dict[Any, Document] = {}
    loaded: dict[str, Document] = {}
    bad: dict[str, Document] = {}
    clock: dict[Any, datetime] = {}

    def change() -> None:
        name = chance.choice(names)
        if name in there and chance.random() < 0.25:
            remove(world, name)
            del there[name]
            return
        earliest = clock.get(name, at(D1)) + timedelta(seconds=1)
        moment = max(earliest, at(chance.choice(DAYS), chance.randint(3, 23), chance.randint(0, 59)))
        clock[name] = moment
        shape = chance.choice([moment, moment, moment.isoformat(), Int64(moment.timestamp() * 1000), None])
        if shape is None:
            new = document(name, f"C {name}", moment, updatedAt=None, createdAt=moment.isoformat())
        else:
            new = document(name, f"C {name}", moment, updatedAt=shape)
        new["operation"]["ValorLiquido"] = f"{chance.randint(1, 999)}.00"
        if chance.random() < 0.2:
            new = chance.choice([rejected(new), new | {"updatedAt": "ontem"}])
        there[name] = new
        world.put(new)

    def is_bad(version: Document) -> bool:
        return "taxId" not in version or version["updatedAt"] == "ontem"

    for _ in range(4):
        for _ in range(chance.randint(2, 7)):
            change()
        for day in chance.sample(DAYS, 2):
            world.again(day)
        if not there:
            continue
        sweep.sweep(world.settings)
        bad = {str(name): version for name, version in there.items() if is_bad(version)}
        loaded |= {str(name): version for name, version in there.items() if not is_bad(version)}
        # A run may have loaded a version that is gone again; all that ever were good stay, marked.
        known = {
            row[0]: row[1:]
            for row in world.query(
                "SELECT mongo_id, status, valor_liquido::text, excluido_em IS NOT NULL FROM operacoes"
            )
        }
        present = {str(name) for name in there}
        for name in present - set(bad):
            version = loaded[name]
            assert known[name] == (version["status"], version["operation"]["ValorLiquido"], False)
        assert {name for name, row in known.items() if row[2]} == set(known) - present
        assert set(loaded) <= set(known)
        assert set(world.quarantined()) == set(bad)
        before = world.row_versions(), tries(world)
        sweep.sweep(world.settings)
        assert (world.row_versions(), tries(world)) == before
    assert world.column("SELECT bool_and(ok) FROM controle.varreduras") == [True]
