"""The source: each document is read by the date that it belongs to, whatever type its time has."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import bson
import pymongo
import pytest
from bson import Decimal128, Int64, MaxKey, MinKey, ObjectId, Timestamp
from bson.datetime_ms import DatetimeMS
from contracts import MISSING, contract
from world import World, of_dump

from ccb_luigi.codes import Strictness
from ccb_luigi.database import postgres
from ccb_luigi.documents.block import BatchSpec
from ccb_luigi.errors import CircuitBroken, SourceError
from ccb_luigi.load import by_id, closing
from ccb_luigi.load.batch import Batch
from ccb_luigi.load.staging import Extraction
from ccb_luigi.settings import Settings
from ccb_luigi.sources import mongo as mongo_source
from ccb_luigi.sources import queries, source

Rows = Callable[..., list[dict[str, Any]]]
Document = dict[str, Any]

BEFORE, DAY, AFTER = date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 4)
EPOCH, FAR, OLD = date(1970, 1, 1), date(9999, 6, 1), date(1969, 12, 30)
ZONE = ZoneInfo("America/Sao_Paulo")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


def ms(moment: datetime) -> int:
    return (moment - utc(1970, 1, 1)) // timedelta(milliseconds=1)


def dated(mongo_id: Any, updated: Any = MISSING, created: Any = MISSING, emitted: Any = MISSING) -> Document:
    """A contract of its own code, with these times and no other."""
    return contract(
        _id=mongo_id, ccbCode=f"ccb {mongo_id}", updatedAt=updated, createdAt=created, emitedAt=emitted
    )


def shapes(moment: datetime) -> dict[str, Any]:
    """The same instant (in whole seconds) in every readable form."""
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    return {
        "date": moment,
        "zulu": f"{text}Z",
        "offset": f"{text}.000000+00:00",
        "local": (moment - timedelta(hours=3)).strftime("%Y-%m-%dT%H:%M:%S"),
        "int64": Int64(ms(moment)),
        "double": float(ms(moment)),
        "decimal": Decimal128(str(ms(moment))),
        "$date string": {"$date": f"{text}Z"},
        "$date int": {"$date": ms(moment)},
        "$date $numberLong": {"$date": {"$numberLong": str(ms(moment))}},
        "timestamp": Timestamp(ms(moment) // 1000, 1),
    }


def readable() -> dict[date, list[Document]]:
    """Date → the documents that belong to it."""
    noon = utc(2026, 3, 3, 12)
    last, first = utc(2026, 3, 3, 2, 59, 59), utc(2026, 3, 3, 3)
    past = utc(2026, 3, 4, 3)
    local = "2026-03-03T12:00:00-03:00"
    found = {
        BEFORE: [dated(f"last second of before, {name}", value) for name, value in shapes(last).items()],
        DAY: [
            *(dated(f"first second, {name}", value) for name, value in shapes(first).items()),
            dated("last millisecond", past - timedelta(milliseconds=1)),
            dated("day", "2026-03-03"),
            dated("brazilian day", "03/03/2026"),
            dated("null, created", None, noon),
            dated("missing, created", MISSING, local),
            dated("empty, created", "", {"$date": "2026-03-03T15:00:00Z"}),
            dated("nil, created", {"@i:nil": "true"}, ms(noon)),
            dated("year one, created", "0001-01-01T00:00:00", noon),
            dated("null, null, emitted", None, None, noon),
            dated("missing, missing, emitted", MISSING, MISSING, local),
            dated("missing, null, emitted", MISSING, {"@xsi:nil": "true"}, Int64(ms(noon))),
            dated(ObjectId.from_datetime(noon)),
            dated(ObjectId.from_datetime(noon + timedelta(minutes=1)), None, "", None),
            dated("updated counts", noon, utc(2026, 3, 2, 12), utc(2026, 3, 4, 12)),
            dated("updated text counts", noon.isoformat(), utc(2026, 3, 2, 12), utc(2026, 3, 4, 12)),
            dated("created counts", None, noon, utc(2026, 3, 4, 12)),
            dated(ObjectId.from_datetime(past), noon),
        ],
        AFTER: [dated(f"first second of after, {name}", value) for name, value in shapes(past).items()],
        EPOCH: [
            dated("nothing at all"),
            dated("all null", None, None, ""),
            dated("literal zero and three hours", {"$date": 10_800_000}),
        ],
        EPOCH - timedelta(days=1): [
            dated("literal zero", {"$date": 0}),
            dated("last day before", utc(1970, 1, 1, 2, 59)),
        ],
        FAR: [dated("far", utc(9999, 6, 1, 12)), dated("far text", "9999-06-01T12:00:00Z")],
        OLD: [
            dated("old", utc(1969, 12, 30, 12)),
            dated("old literal", {"$date": ms(utc(1969, 12, 30, 12))}),
        ],
    }
    # "nothing at all" counts as 1970-01-01 UTC, which is still 1969 in São Paulo.
    found[EPOCH - timedelta(days=1)] += found[EPOCH][:2]
    del found[EPOCH][:2]
    return found


UNREADABLE = {
    "text": ("ontem", "data_invalida"),
    "impossible day": ("2026-02-30T12:00:00Z", "data_invalida"),
    "bool": (True, "tipo_invalido"),
    "empty list": ([], "tipo_invalido"),
    "list of text": (["2026-03-03"], "tipo_invalido"),
    "list of null": ([None], "tipo_invalido"),
    "object": ({"day": 3}, "tipo_invalido"),
    "empty object": ({}, "tipo_invalido"),
    "broken $date": ({"$date": "ontem"}, "data_invalida"),
    "bytes": (b"2026", "tipo_invalido"),
    "ObjectId": (ObjectId(), "tipo_invalido"),
    "regex": (bson.Regex("2026"), "tipo_invalido"),
    "MinKey": (MinKey(), "tipo_invalido"),
    "MaxKey": (MaxKey(), "tipo_invalido"),
    "NaN": (float("nan"), "data_invalida"),
    "half a millisecond": (1772539200000.5, "data_invalida"),
    "seconds": (1772539200, "data_ambigua"),
    "seconds in an int64": (Int64(1772539200), "data_ambigua"),
    "seconds in a double": (1772539200.0, "data_ambigua"),
    "seconds in a Decimal128": (Decimal128("1772539200"), "data_ambigua"),
    "a literal of seconds": ({"$numberLong": "1772539200"}, "data_ambigua"),
    "a written day": (20260303, "data_ambigua"),
    "zero": (0, "data_ambigua"),
    "too large": (Int64(2**62), "data_invalida"),
    "year 10000 as text": ("10000-01-01T00:00:00Z", "data_invalida"),
}
"""What can't be read as a moment, and its code."""


def ids(documents: list[Document]) -> list[str]:
    return sorted(str(document["_id"]) for document in documents)


def migrated(world: World, rows: Rows, day: date) -> tuple[list[str], int]:
    """Contracts that the date brought, and how many documents it read."""
    before = {row["mongo_id"] for row in rows("operacoes")}
    world.migrate(day)
    (proof,) = rows("controle.reconciliacoes", particao=day)
    return sorted({row["mongo_id"] for row in rows("operacoes")} - before), proof["lidos"]


@pytest.fixture
def at_the_end_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every date is over."""
    monkeypatch.setattr(closing, "over", lambda *_: True)


@pytest.mark.usefixtures("at_the_end_of_time")
def test_each_document_is_found_by_its_own_date_and_by_no_other(world: World, rows: Rows) -> None:
    expected = readable()
    every = [document for documents in expected.values() for document in documents]
    assert len(set(ids(every))) == len(every) == 59
    world.put(*every)
    for day, documents in expected.items():
        assert migrated(world, rows, day) == (ids(documents), len(documents)), day
    assert world.quarantined() == {}


def test_what_has_no_time_at_all_is_flagged_and_nothing_else_is(world: World, rows: Rows) -> None:
    world.put(dated("nothing"), dated("all null", None, "", {"@i:nil": "true"}), dated("zero", {"$date": 0}))
    world.migrate(EPOCH - timedelta(days=1))
    flagged = [row["mongo_id"] for row in rows("controle.qualidade") if row["codigo"] == "sem_data"]
    assert sorted(flagged) == ["all null", "nothing"]
    assert {row["atualizado_em"] for row in rows("operacoes")} == {utc(1970, 1, 1)}


def test_a_document_whose_time_can_not_be_read_is_found_by_any_run_and_counts_with_the_first(
    world: World, rows: Rows
) -> None:
    world = World(replace(world.settings, max_rejected_share=1))
    noon = utc(2026, 3, 3, 12)
    world.put(*(dated(name, value, noon) for name, (value, _) in UNREADABLE.items()), dated("good", noon))
    codes = {name: [code] for name, (_, code) in UNREADABLE.items()}
    odd = len(UNREADABLE)
    for day, brought, read in [(BEFORE, [], odd), (DAY, ["good"], 1), (AFTER, [], 0), (OLD, [], 0)]:
        assert migrated(world, rows, day) == (brought, read)
        entries = rows("controle.quarentena")
        assert {entry["mongo_id"]: entry["codigos"] for entry in entries} == codes
        told = {(entry["particao"], entry["tentativas"], *entry["erros"]) for entry in entries}
        assert told == {(BEFORE, 1, "updatedAt")}
    world.forget(BEFORE)
    assert migrated(world, rows, BEFORE) == ([], odd)
    assert {row["tentativas"] for row in rows("controle.quarentena")} == {2}


def test_a_changed_document_whose_time_can_not_be_read_is_kept_anew_and_counts_where_it_did(
    world: World, rows: Rows
) -> None:
    world.put(dated("odd", "ontem"), dated("good", utc(2026, 3, 3, 12)))
    assert migrated(world, rows, BEFORE)[1] == 1
    world.put(dated("odd", {"day": 3}))
    assert migrated(world, rows, DAY) == (["good"], 1)
    (row,) = rows("controle.quarentena")
    assert (row["particao"], row["codigos"], row["tentativas"]) == (BEFORE, ["tipo_invalido"], 2)
    assert bytes(row["documento"]) == world.raw("odd")
    world.query("UPDATE controle.quarentena SET erros = '{}', codigos = '{}'")  # other rules read it then
    assert migrated(world, rows, AFTER) == ([], 0)
    (row,) = rows("controle.quarentena")
    assert (row["particao"], row["codigos"], row["tentativas"]) == (BEFORE, ["tipo_invalido"], 3)


def test_a_flood_of_documents_whose_time_can_not_be_read_stops_the_date_that_meets_it_and_no_other(
    world: World, rows: Rows
) -> None:
    world.put(*(dated(f"odd {n}", "ontem") for n in range(12)), dated("good", utc(2026, 3, 3, 12)))
    for _ in range(2):
        with pytest.raises(CircuitBroken, match=f"{BEFORE}: 12 of 12 documents were rejected"):
            world.migrate(BEFORE)
    assert migrated(world, rows, DAY) == (["good"], 1)


def test_a_document_whose_time_can_not_be_read_keeps_its_date_when_it_is_tried_again(
    world: World, rows: Rows
) -> None:
    world.put(dated("odd", "ontem"))
    assert migrated(world, rows, DAY) == ([], 1)
    counts, _ = by_id.migrate_ids(world.settings, ["odd"])
    assert (counts.lidos, counts.quarentena) == (1, 1)
    (row,) = rows("controle.quarentena")
    assert (row["particao"], row["tentativas"]) == (DAY, 2)
    world.put(dated("odd", utc(2026, 3, 4, 12)))  # mended: it belongs to its date from now on
    assert migrated(world, rows, AFTER) == (["odd"], 1)
    assert world.quarantined() == {}


def test_the_first_day_of_year_one_is_null_also_as_a_date(world: World, rows: Rows) -> None:
    """.NET's DateTime.MinValue, in whatever zone it was taken for local time."""
    moments = [utc(1, 1, 1), utc(1, 1, 1, 3), utc(1, 1, 1, 23, 59, 59)]
    world.put(*(dated(f"never {moment}", moment, utc(2026, 3, 3, 12)) for moment in moments))
    assert migrated(world, rows, DAY) == (sorted(f"never {moment}" for moment in moments), len(moments))


def test_a_list_that_both_queries_match_is_read_once(world: World, rows: Rows) -> None:
    world.put(dated("odd", [utc(2026, 3, 3, 12), "2026-03-03"]), dated("good", utc(2026, 3, 3, 12)))
    for day in (BEFORE, DAY):
        assert migrated(world, rows, day)[1] == 1
    assert [row["tentativas"] for row in rows("controle.quarentena")] == [1]


def test_of_a_document_that_moves_while_it_is_read_the_later_reading_counts(
    world: World, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cursor walks along an index on the time: what gets a later one within the date is met again."""
    earlier, later = (dated("moves", utc(2026, 3, 3, hour)) for hour in (12, 13))
    world.put(later, dated("stays", utc(2026, 3, 3, 14)))
    read = mongo_source.MongoSource.documents

    def moving(self: mongo_source.MongoSource, *bounds: datetime) -> Iterator[bytes]:
        yield bson.encode(earlier)
        yield from read(self, *bounds)

    monkeypatch.setattr(mongo_source.MongoSource, "documents", moving)
    assert migrated(world, rows, DAY) == (["moves", "stays"], 2)
    (found,) = rows("operacoes", mongo_id="moves")
    assert found["atualizado_em"] == later["updatedAt"]


def test_a_list_of_dates_is_found_by_the_dates_in_it(world: World, rows: Rows) -> None:
    world.put(dated("odd", [utc(2026, 3, 3, 12), utc(2026, 3, 4, 13)]))
    for day, read in ((DAY, 1), (AFTER, 0)):
        assert migrated(world, rows, day) == ([], read)
        assert world.quarantined() == {"odd": ["tipo_invalido"]}


@pytest.mark.usefixtures("at_the_end_of_time")
def test_the_last_day_that_there_is_can_be_migrated(world: World, rows: Rows) -> None:
    """.NET's DateTime.MaxValue, which some systems write for "never"."""
    world.put(dated("never", utc(9999, 12, 31, 23, 59, 59, 999_000)), dated("noon", utc(9999, 12, 31, 12)))
    assert migrated(world, rows, date(9999, 12, 31)) == (["never", "noon"], 2)


def test_the_days_of_summer_time_have_23_and_25_hours(world: World, rows: Rows) -> None:
    long, short = date(2019, 2, 16), date(2018, 11, 4)
    expected = {
        short - timedelta(days=1): [dated("before short", utc(2018, 11, 4, 2, 59, 59))],
        short: [dated("short first", utc(2018, 11, 4, 3)), dated("short last", utc(2018, 11, 5, 1, 59, 59))],
        short + timedelta(days=1): [dated("after short", utc(2018, 11, 5, 2))],
        long: [dated("long first", utc(2019, 2, 16, 2)), dated("long last", utc(2019, 2, 17, 2, 59, 59))],
        long + timedelta(days=1): [dated("after long", utc(2019, 2, 17, 3))],
    }
    world.put(*(document for documents in expected.values() for document in documents))
    for day, documents in expected.items():
        assert migrated(world, rows, day) == (ids(documents), len(documents))


# --- plans ------------------------------------------------------------------------------------------


def stages(plan: Any) -> set[str]:
    """The names of all stages of a plan."""
    if isinstance(plan, list):
        return set().union(*map(stages, plan))
    if not isinstance(plan, dict):
        return set()
    own = {plan["stage"]} if "stage" in plan else set()
    return own.union(*map(stages, plan.values()))


@pytest.fixture
def plans(world: World) -> Any:
    """A function from a query to its explanation, over a collection with the index and all shapes."""
    every = [document for documents in readable().values() for document in documents]
    with world.collection() as collection:
        collection.insert_many(every)
        start = utc(2025, 1, 1)
        collection.insert_many([dated(f"filler {n}", start + timedelta(hours=n)) for n in range(500)])
        collection.create_index("updatedAt")
        yield lambda query: collection.find(query).explain()


def test_the_query_of_a_date_reads_the_index_and_no_other_document(settings: Settings, plans: Any) -> None:
    found = plans(queries.in_range(*settings.bounds(DAY)))
    assert stages(found["queryPlanner"]["winningPlan"]) == {"FETCH", "IXSCAN"}
    dates = [d for d in readable()[DAY] if type(d.get("updatedAt")) is datetime and d["updatedAt"].year > 1]
    executed = found["executionStats"]
    assert executed["nReturned"] == executed["totalDocsExamined"] == len(dates)


def test_the_bounds_of_a_date_are_its_local_midnights(settings: Settings) -> None:
    (bounds,) = queries.in_range(*settings.bounds(DAY)).values()
    assert bounds == {"$gte": utc(2026, 3, 3, 3), "$lt": utc(2026, 3, 4, 3)}


def test_each_part_of_the_query_for_odd_times_has_bounds_in_the_index(plans: Any) -> None:
    (parts,) = queries.ODD_DATES.values()
    by_type = [part for part in parts if isinstance(part["updatedAt"], dict) and "$type" in part["updatedAt"]]
    for part in parts:
        plan = plans(part)["queryPlanner"]["winningPlan"]
        print(json.dumps(plan, default=str))  # noqa: T201
        if part not in by_type:
            assert stages(plan) == {"FETCH", "IXSCAN"}
    # The embedded server never uses an index for $type. MongoDB does, one interval a type, but for arrays.
    assert len(by_type) == 1
    assert "array" not in by_type[0]["updatedAt"]["$type"]
    assert "date" not in by_type[0]["updatedAt"]["$type"]


# --- days and ids -----------------------------------------------------------------------------------


def days(settings: Settings, until: date) -> list[date]:
    with source.opened(settings) as origin:
        return list(origin.days(ZONE, until))


def test_each_day_with_documents_is_listed_once_in_order(world: World) -> None:
    world.put(
        *(dated(f"a{n}", utc(2026, 3, 4, 12, n)) for n in range(5)),
        dated("b", utc(2026, 3, 3, 3)),
        dated("c", utc(2026, 3, 3, 2, 59)),
        dated("d", utc(1969, 12, 30, 12)),
        dated("e", utc(2026, 3, 5, 2, 59, 59)),
        dated("too late", utc(2026, 3, 5, 3)),
        dated("text", "2026-01-02"),
        dated("null", None),
    )
    assert days(world.settings, AFTER) == [OLD, BEFORE, DAY, AFTER]
    assert days(world.settings, BEFORE) == [OLD, BEFORE]
    assert days(world.settings, date(1960, 1, 1)) == []


@pytest.mark.parametrize("moment", [utc(1, 1, 1), utc(1, 1, 2)])
def test_the_first_days_of_year_one_hide_no_other_day(world: World, moment: datetime) -> None:
    world.put(dated("never", moment, utc(2026, 1, 1)), dated("good", utc(2026, 3, 3, 12)))
    assert days(world.settings, AFTER)[-1] == DAY


def test_a_list_of_dates_hides_no_other_day(world: World) -> None:
    world.put(
        dated("first", utc(2026, 3, 2, 12)),
        dated("odd", [utc(2026, 3, 3, 11), utc(2026, 3, 3, 12)]),
        dated("same day", utc(2026, 3, 3, 12)),
        dated("last", utc(2026, 3, 4, 12)),
    )
    assert days(world.settings, AFTER) == [BEFORE, DAY, AFTER]


@pytest.mark.parametrize("answer", [utc(2026, 3, 1), utc(2027, 1, 1), "2026-03-03", None], ids=str)
def test_a_time_that_was_not_asked_for_ends_the_list_of_days_with_an_error(
    world: World, answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two ``updatedAt``, one of them found and the other one told: no day is left out, and none for ever."""
    world.put(dated("first", utc(2026, 3, 2, 12)))
    answers = iter([[{"moment": utc(2026, 3, 2, 12)}], [{"moment": answer}]])

    def aggregate(_: object, pipeline: list[dict[str, Any]]) -> list[dict[str, Any]]:
        assert pipeline[-1]["$project"]["_id"] == 0, "an _id may be bytes that nobody can decode"
        return next(answers)

    monkeypatch.setattr(pymongo.collection.Collection, "aggregate", aggregate)
    with pytest.raises(SourceError):
        days(world.settings, AFTER)


def test_days_of_an_empty_collection_are_none(settings: Settings) -> None:
    assert days(settings, DAY) == []


def test_documents_are_found_by_their_ids_of_either_type(world: World) -> None:
    one = ObjectId()
    world.put(dated("text"), dated(one), dated("65f04a2b9d1c8e0012ab34cd"), dated("other"))

    def found(*names: str) -> list[Any]:
        with source.opened(world.settings) as origin:
            return sorted((bson.decode(raw)["_id"] for raw in origin.by_ids(names)), key=str)

    assert found("text", "gone") == ["text"]
    assert found(str(one)) == [one]
    assert found("65f04a2b9d1c8e0012ab34cd") == ["65f04a2b9d1c8e0012ab34cd"]
    assert found() == []
    assert found("text", str(one)) == sorted(["text", one], key=str)


def test_many_ids_are_asked_for_in_several_queries(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mongo_source, "IDS_PER_QUERY", 100)
    with world.collection() as collection:
        collection.insert_many([{"_id": f"{n:05}"} for n in range(250)])
    with source.opened(world.settings) as origin:
        found = [bson.decode(raw)["_id"] for raw in origin.by_ids(f"{n:05}" for n in range(250))]
    assert sorted(found) == [f"{n:05}" for n in range(250)]


# --- bytes that are no document ---------------------------------------------------------------------


def resized(body: bytes) -> bytes:
    """A document of these elements."""
    return struct.pack("<i", len(body) + 5) + body + b"\0"


def broken() -> dict[str, bytes]:
    """Documents that can't be decoded, or not into Python's types."""
    moment = utc(2026, 3, 3, 12)
    good = bson.encode(dated("bad text", moment))
    cut = bson.encode(dated("cut", moment))
    year_10000 = dated("year 10000", moment)
    year_10000["birthDate"] = DatetimeMS(ms(utc(9999, 12, 31)) + 86_400_000)
    return {
        "bad text": good.replace("BENTO ARAÚJO".encode(), "BENTO ARAÚJO".encode("latin-1") + b"\xff"),
        "cut": resized(cut[4 : len(cut) // 2]),
        "year 10000": bson.encode(year_10000),
        "no such type": resized(b"\x02_id\0\x0d\0\0\0no such type\0\x99x\0"),
    }


def test_what_can_not_be_decoded_is_kept_to_the_byte_and_harms_no_neighbour(world: World, rows: Rows) -> None:
    moment = utc(2026, 3, 3, 12)
    bad = list(broken().values())
    documents = [bson.encode(dated("first", moment))]
    for n, raw in enumerate(bad):
        documents += [raw, bson.encode(dated(f"neighbour {n}", moment))]
    spec = BatchSpec(DAY.toordinal(), DAY, ZONE, Strictness())
    counts = postgres.of_process(world.settings).run(
        lambda connection: Extraction(Batch.of_date(connection, DAY), spec).run(documents)
    )
    assert (counts.lidos, counts.quarentena) == (len(documents), len(bad))
    staged = world.column("SELECT mongo_id FROM staging.contratos ORDER BY doc")
    assert staged == ["first", *(f"neighbour {n}" for n in range(len(bad)))]
    assert sorted(bytes(row["documento"]) for row in rows("controle.quarentena")) == sorted(bad)
    found = {bytes(row["documento"]): row for row in rows("controle.quarentena")}
    named = {name: found[raw] for name, raw in broken().items()}
    assert named["bad text"]["codigos"] == ["bson_invalido"]
    assert named["cut"]["codigos"] == ["bson_invalido"]
    assert named["no such type"]["codigos"] == ["bson_invalido"]
    assert named["year 10000"]["codigos"] == ["data_invalida"]
    assert named["bad text"]["mongo_id"] == "bad text"
    assert named["year 10000"]["mongo_id"] == "year 10000"
    assert {row["particao"] for row in named.values()} == {DAY}


def test_a_dump_with_broken_documents_is_migrated_but_for_them(
    world: World, rows: Rows, tmp_path: Path
) -> None:
    moment = utc(2026, 3, 3, 12)
    good = [bson.encode(dated(f"good {n}", moment)) for n in range(6)]
    bad = list(broken().values())
    dump = tmp_path / "contratos.bson"
    dump.write_bytes(b"".join([*good[:3], *bad, *good[3:]]))
    from_dump = World(replace(world.settings, **of_dump(dump, DAY)))
    from_dump.migrate(DAY)
    assert [row["mongo_id"] for row in rows("operacoes")] == [f"good {n}" for n in range(6)]
    assert sorted(bytes(row["documento"]) for row in rows("controle.quarentena")) == sorted(bad)
    (proof,) = rows("controle.reconciliacoes")
    assert (proof["lidos"], proof["carregados"], proof["quarentena"]) == (10, 6, 4)


def test_the_batches_of_the_server_are_split_into_documents() -> None:
    documents = [b"\x05\0\0\0\0", bson.encode({"a": 1}), *broken().values()]
    assert list(mongo_source.split(b"".join(documents))) == documents
    assert list(mongo_source.split(b"")) == []


def test_more_documents_than_a_batch_are_all_read_once(
    world: World, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mongo_source, "BATCH_DOCUMENTS", 30)
    monkeypatch.setattr(mongo_source, "BATCH_OF_FEW", 100)
    with world.collection() as collection:
        collection.insert_many(
            [dated(f"{n:05}", utc(2026, 3, 3, 12) if n % 2 else "2026-03-03T12:00:00Z") for n in range(230)]
        )
    world.migrate(DAY)
    assert world.column("SELECT mongo_id FROM operacoes ORDER BY 1") == [f"{n:05}" for n in range(230)]
    assert [row["lidos"] for row in rows("controle.reconciliacoes")] == [230]


def test_a_source_with_the_index_gives_the_same(world: World, rows: Rows) -> None:
    expected = readable()
    with world.collection() as collection:
        collection.insert_many(expected[DAY] + expected[AFTER])
        collection.create_index([("updatedAt", pymongo.ASCENDING)])
    assert migrated(world, rows, DAY) == (ids(expected[DAY]), len(expected[DAY]))


def test_a_retry_asks_for_either_type_of_id(world: World, rows: Rows) -> None:
    one = ObjectId()
    world.put(dated(one, utc(2026, 3, 3, 12)), dated("text", utc(2026, 3, 3, 12)))
    counts, gone = by_id.migrate_ids(world.settings, [str(one), "text", "gone"])
    assert (counts.lidos, gone) == (2, 0)
    assert {row["mongo_id"] for row in rows("operacoes")} == {str(one), "text"}
