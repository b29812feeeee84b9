"""Plans: what is in which shard, each exactly once, and in the end the same tables as date by date."""

from __future__ import annotations

import gzip
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import arena
import bson
import oracle
import pytest
from bson import Int64, ObjectId
from oracle import DAY_ZERO, Version
from sqlalchemy import event
from world import D1, D2, D3, D4, STEPS, World, at, at_once, document, of_dump, rejected

from ccb_luigi.database import postgres
from ccb_luigi.documents.rawbson import decode
from ccb_luigi.documents.shard import owns
from ccb_luigi.errors import CircuitBroken, NotReconciled, PartitionFailed, SourceError
from ccb_luigi.load import backfill, backfill_plan, markers, reconcile, status
from ccb_luigi.load.backfill_plan import Plan
from ccb_luigi.load.batch import Batch
from ccb_luigi.orchestration import backfill_tasks, runner
from ccb_luigi.settings import Settings
from ccb_luigi.sources import source, split_points
from ccb_luigi.sources.queries import EVERYTHING

BEFORE_ALL = date(1969, 12, 31)
"""The beginning of 1970 in UTC, as a date of São Paulo."""
DAYS = [DAY_ZERO + timedelta(days=n) for n in range(1, 5)]


def asking(settings: Settings, work: Callable[..., Any]) -> Any:
    return postgres.of_process(settings).run(work)


def shards_of(settings: Settings, found: Plan) -> list[int]:
    return asking(settings, lambda connection: backfill_plan.missing(connection, found.id))


def made(settings: Settings, since: date | None, until: date) -> Plan:
    found = backfill_plan.ensure(settings, since, until)
    assert found is not None
    return found


def carried_out(settings: Settings, since: date | None, until: date) -> Plan:
    """The plan of the range, all of it."""
    found = made(settings, since, until)
    for number in shards_of(settings, found):
        backfill.migrate_shard(settings, found.id, number)
    backfill.close(settings, found.id)
    return found


@pytest.fixture
def small(settings: Settings) -> Settings:
    """Shards of few documents."""
    return replace(settings, shard_documents=7, processes=1)


def state_of(seed: int, documents: int = 90, *, rivals: bool = True) -> oracle.State:
    found = oracle.Source(random.Random(seed), DAYS)
    found.change(documents, rivals=rivals)
    return found.state


def read_by_a_plan(state: oracle.State, days: list[date] = DAYS) -> dict[date, list[Version]]:
    """Per date what is counted there; what has no time with the last one."""
    read: dict[date, list[Version]] = {day: [] for day in days}
    for version in state.values():
        day = days[-1] if version.fault in oracle.TIMELESS else version.day
        if day in read:
            read[day].append(version)
    return read


@contextmanager
def dumped(state: oracle.State, path: Path, settings: Settings) -> Iterator[Settings]:
    raw = b"".join(bson.encode(version.document()) for version in state.values())
    path.write_bytes(gzip.compress(raw, 1) if path.suffix == ".gz" else raw)
    yield replace(settings, **of_dump(path, DAYS[-1]))


@pytest.mark.parametrize(
    ("kind", "seed"), [("server", 0), ("server", 1), ("server", 2), ("dump", 0), ("dump.gz", 1)]
)
def test_a_plan_ends_in_the_tables_that_the_oracle_expects(
    world: World, small: Settings, kind: str, seed: int, tmp_path: Path
) -> None:
    state = state_of(seed)
    settings = small
    if kind == "server":
        world.put(*(version.document() for version in state.values()))
    else:
        suffix = ".bson.gz" if kind.endswith("gz") else ".bson"
        with dumped(state, tmp_path / f"contratos{suffix}", small) as settings:
            pass
    found = carried_out(settings, DAYS[0], DAYS[-1])
    assert found.fatias > 3
    wanted = oracle.expected([], read_by_a_plan(state))
    assert oracle.differences(arena.read(settings.postgres_url), wanted) == []


def test_a_plan_from_the_first_document_on_is_the_same_as_date_by_date(world: World, small: Settings) -> None:
    state = state_of(4, rivals=False)  # which of two is counted as the loser depends on the order
    world.put(*(version.document() for version in state.values()))
    world.put(
        document("e1", "E1", at(D1), updatedAt=None, createdAt=None),
        document("e2", "E2", at(D1), updatedAt=None, createdAt="2019-07-01T12:00:00+00:00"),
        document("e3", "E3", at(D4) + timedelta(days=1)),
    )
    carried_out(small, None, DAYS[-1])
    tables, proofs = world.tables(), proofs_of(world)
    rows = world.query("SELECT update_id, linhas FROM table_updates WHERE particao IS NOT NULL ORDER BY 1")
    assert {BEFORE_ALL, date(2019, 7, 1), *DAYS} == proofs.keys()
    assert "e3" not in world.contracts().values()
    world.clear()
    world.query("TRUNCATE controle.versoes")
    unreadable = [version.mongo_id for version in state.values() if version.fault in oracle.TIMELESS]
    with world.collection() as collection:  # date by date they count on every date
        kept = list(collection.find({"_id": {"$in": unreadable}}))
        collection.delete_many({"_id": {"$in": unreadable}})
    days = [BEFORE_ALL, date(2019, 7, 1), *DAYS]
    world.migrate(*days[:-1])
    world.put(*kept)
    world.migrate(days[-1])
    assert world.tables() == tables
    assert proofs_of(world) == proofs
    assert world.query("SELECT update_id, linhas FROM table_updates ORDER BY 1") == rows


def proofs_of(world: World) -> dict[date, tuple[Any, ...]]:
    names = "particao, lidos, carregados, sem_mudanca, obsoletos, quarentena, soma_valor_bruto_origem,"
    names += " soma_valor_bruto_destino, soma_prestacoes_origem, soma_prestacoes_destino, ok"
    return {row[0]: row[1:] for row in world.query(f"SELECT {names} FROM controle.reconciliacoes")}


ODD: list[Any] = [
    None,
    "2026-03-03T12:00:00Z",
    "ontem",
    Int64(1772539200000),
    17,
    2.5,
    {"$date": "2026-03-03T12:00:00Z"},
    [],
    [at(D1), at(D2)],
    [at(D2), "x"],
    ["x", 1],
    ObjectId(),
    True,
    datetime(1, 1, 1),
]


def test_every_document_is_in_exactly_one_shard_of_a_collection(world: World, small: Settings) -> None:
    """Also where all have one moment, where ids have all types, and where the time is none."""
    hot = at(D2, 15)
    ids = [*(f"s{n}" for n in range(30)), *(ObjectId() for _ in range(20)), *range(20), 2.5, Int64(1 << 40)]
    documents = [{"_id": mongo_id, "updatedAt": hot} for mongo_id in ids]
    documents += [{"_id": f"d{n}", "updatedAt": at(D1) + timedelta(seconds=n % 9)} for n in range(40)]
    documents += [{"_id": {"of": n}, "updatedAt": hot} for n in range(3)]
    documents += [{"_id": f"o{n}", "updatedAt": value} for n, value in enumerate(3 * ODD)]
    documents += [{"_id": 100 + n, "updatedAt": value} for n, value in enumerate(ODD)]
    documents += [{"_id": "missing"}, {"_id": ObjectId()}]
    with world.collection() as collection:
        collection.create_index("updatedAt")
        collection.insert_many(documents)
    covered = backfill_plan.Covered(None, D4)
    found: Counter[bytes] = Counter()
    with source.opened(small) as origin:
        shards = list(origin.cut([EVERYTHING], small.shard_documents))
        for shard in shards:
            for raw in origin.shard(shard):
                read = decode(raw)
                if owns(shard, read.get("updatedAt"), covered, small.zone):
                    found[bson.encode({"_id": read["_id"]})] += 1
    assert found == Counter(bson.encode({"_id": each["_id"]}) for each in documents)
    assert max(shard.documents for shard in shards) <= 3 * small.shard_documents
    assert sum(shard.first is not None or shard.last is not None for shard in shards) > 6


def test_a_large_collection_is_cut_by_a_sample_into_shards_of_about_equal_size(
    world: World, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(split_points, "SAMPLED_FROM", 1_000)
    pick = random.Random(5)
    ours = {f"d{n}": at(D1) + timedelta(days=2) * pick.random() for n in range(5_000)}
    with world.collection() as collection:
        collection.create_index("updatedAt")
        collection.insert_many({"_id": mongo_id, "updatedAt": moment} for mongo_id, moment in ours.items())
        collection.insert_many({"_id": f"later{n}", "updatedAt": at(D4)} for n in range(1_000))
    interval = (at(D1), at(D1) + timedelta(days=2))
    with source.opened(settings) as origin:
        shards, again = (list(origin.cut([interval], 500)) for _ in range(2))
        read = [[decode(raw)["_id"] for raw in origin.shard(shard)] for shard in shards]
    assert shards != again, "another sample cuts elsewhere"
    assert Counter(mongo_id for ids in read for mongo_id in ids) == Counter(ours.keys())
    assert len(shards) == 10
    assert max(map(len, read)) < 1_000, "of 200 documents drawn about 20 fall into each"


def test_dates_that_are_complete_are_left_out_and_stay_as_they_are(world: World, small: Settings) -> None:
    world.put(*(document(f"d{n}", f"C{n}", at(day)) for n, day in enumerate((D1, D2, D3))))
    world.migrate(D2)
    marked = world.markers(D2)
    world.put(document("late", "L", at(D2)))
    found = carried_out(small, D1, D3)
    assert found.feitas == [D2]
    assert world.contracts() == {"C0": "d0", "C1": "d1", "C2": "d2"}
    assert world.markers(D2) == marked
    assert set(world.markers(D1)) == set(world.markers(D3)) == set(STEPS)


def test_each_date_of_a_plan_tells_how_its_documents_were_read(world: World, small: Settings) -> None:
    world.put(*(document(f"d{n}", f"C{n}", at((D1, D2, D2)[n % 3])) for n in range(20)))
    world.put(rejected(document("z", "Z", at(D1))))
    carried_out(small, D1, D3)
    days = asking(small, lambda connection: status.last_days(connection, small, D3, 3))
    assert [day.roads for day in days] == [{"together": 7, "cerberus": 1}, {"together": 13}, {}]


def test_a_date_that_was_left_half_way_is_whole_afterwards(world: World, small: Settings) -> None:
    from ccb_luigi.load import pipeline

    world.put(document("a", "A", at(D1)))
    pipeline.extract(small, D1)
    world.load(D1, "clientes", "identidades")
    carried_out(small, D1, D2)
    assert set(world.markers(D1)) == set(world.markers(D2)) == set(STEPS)
    assert world.contracts() == {"A": "a"}
    assert world.one("SELECT count(*) FROM staging.contratos") == 0
    assert proofs_of(world).keys() == {D1, D2}


def test_asked_for_again_it_is_the_same_plan_until_it_has_ended(world: World, small: Settings) -> None:
    world.put(*(document(f"d{n}", f"C{n}", at(D1, 12, n)) for n in range(20)))
    first = made(small, D1, D2)
    assert made(small, D1, D2) == first
    assert made(small, D1, D3) == first  # a day later "up to yesterday" is one date more
    assert made(small, None, D2).id != first.id
    numbers = shards_of(small, first)
    backfill.migrate_shard(small, first.id, numbers[0])
    assert shards_of(small, first) == numbers[1:]
    carried_out(small, D1, D2)
    assert backfill_plan.ensure(small, D1, D2) is None
    assert world.one("SELECT count(*) FROM operacoes") == 20


def test_no_date_is_marked_before_all_shards_are_done(world: World, small: Settings) -> None:
    world.put(*(document(f"d{n}", f"C{n}", at(D1, 12, n)) for n in range(20)))
    found = made(small, D1, D1)
    backfill.migrate_shard(small, found.id, 1)
    with pytest.raises(PartitionFailed, match=f"plan {found.id}: {found.fatias - 1} of its shards"):
        backfill.close(small, found.id)
    assert world.markers(D1) == {}


def test_few_documents_need_no_plan(world: World, small: Settings) -> None:
    world.put(*(document(f"d{n}", f"C{n}", at(D1, 12, n)) for n in range(8)))
    assert backfill_plan.ensure(small, D1, D2, larger_than=8) is None
    assert backfill_plan.ensure(small, D1, D2, larger_than=7) is not None


def test_what_luigid_gives_to_nobody_here_is_done_without_it(
    world: World, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another host's worker may have it for longer than luigid is asked, or it failed there too often."""
    world.put(*(document(f"d{n}", f"D{n}", at(D1), client=f"c{n}") for n in range(20)))
    here = replace(small, scheduler_url="http://127.0.0.1:8082")
    monkeypatch.setattr(backfill_tasks.settings_module, "load", lambda: here)
    monkeypatch.setattr(runner, "_build", lambda *_: True)
    found = made(here, None, D1)
    outcome = runner.run_plan(here, found, workers=1)
    assert outcome.complete
    assert outcome.exit_code == 0
    assert not outcome.failures
    assert shards_of(here, found) == []
    assert len(world.contracts()) == 20


def test_all_runners_at_once_make_one_plan_and_do_each_shard_once(world: World, small: Settings) -> None:
    state = state_of(5)
    world.put(*(version.document() for version in state.values()))

    def work() -> None:
        carried_out(small, DAYS[0], DAYS[-1])

    assert at_once(work, work, work) == []
    assert world.one("SELECT count(*) FROM controle.planos") == 1
    wanted = oracle.expected([], read_by_a_plan(state))
    assert oracle.differences(arena.read(small.postgres_url), wanted) == []


def test_a_shard_is_all_or_nothing_and_is_done_again(
    world: World, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put(*(document(f"d{n}", f"C{n}", at(D1, 12, n)) for n in range(20)))
    found = made(small, D1, D1)

    def breaks(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(markers, "put", breaks)
    with pytest.raises(KeyboardInterrupt):
        backfill.migrate_shard(small, found.id, 1)
    assert all(world.one(f"SELECT count(*) FROM {name}") == 0 for name in ("clientes", "parcelas"))
    monkeypatch.undo()
    done = backfill.migrate_shard(small, found.id, 1)
    assert done
    assert done.result.lidos == world.one("SELECT count(*) FROM operacoes") > 0
    assert backfill.migrate_shard(small, found.id, 1) is None


def test_a_shard_that_ends_before_its_commit_leaves_neither_rows_nor_marker(
    world: World, small: Settings
) -> None:
    world.put(*(document(f"d{n}", f"C{n}", at(D1, 12, n)) for n in range(20)))
    found = made(small, D1, D1)
    numbers = shards_of(small, found)

    def breaks(_: Any) -> None:
        raise KeyboardInterrupt

    engine = postgres.of_process(small).engine
    event.listen(engine, "commit", breaks)
    try:
        with pytest.raises(KeyboardInterrupt):
            backfill.migrate_shard(small, found.id, 1)
    finally:
        event.remove(engine, "commit", breaks)
    assert world.contracts() == {}
    assert shards_of(small, found) == numbers
    carried_out(small, D1, D1)
    assert len(world.contracts()) == 20


@pytest.mark.parametrize("damage", ["valor_bruto = valor_bruto + 0.01", None])
def test_a_shard_whose_target_differs_by_a_cent_keeps_nothing(
    world: World, small: Settings, damage: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put(*(document(f"d{n}", f"C{n}", at(D1, 12, n)) for n in range(3)))
    found = made(small, D1, D1)
    prove = reconcile.reconcile

    def damaged(batch: Batch, *values: Any) -> Any:
        what = f"UPDATE operacoes SET {damage}" if damage else "DELETE FROM operacoes"
        batch.run(f"{what} WHERE ccb_code = 'C1'")
        return prove(batch, *values)

    monkeypatch.setattr(reconcile, "reconcile", damaged)
    with pytest.raises(NotReconciled, match=f"shard 1 of plan {found.id}: source and target differ"):
        backfill.migrate_shard(small, found.id, 1)
    monkeypatch.undo()
    assert world.contracts() == {}
    assert shards_of(small, found) == [1]
    carried_out(small, D1, D1)
    assert len(world.contracts()) == 3


def test_dates_of_a_plan_are_marked_with_their_proofs_or_not_at_all(
    world: World, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put(document("a", "A", at(D1)))
    found = made(small, D1, D2)
    for number in shards_of(small, found):
        backfill.migrate_shard(small, found.id, number)
    put = reconcile.put

    def put_and_break(*values: Any) -> None:
        put(*values)
        raise KeyboardInterrupt

    monkeypatch.setattr(reconcile, "put", put_and_break)
    with pytest.raises(KeyboardInterrupt):
        backfill.close(small, found.id)
    monkeypatch.undo()
    assert world.markers(D1) == world.markers(D2) == {}
    assert proofs_of(world) == {}
    assert backfill.close(small, found.id) == [D1, D2]
    assert proofs_of(world).keys() == {D1, D2}


def test_too_many_rejected_documents_of_a_date_stop_its_shard_and_stay_in_quarantine(
    world: World, settings: Settings
) -> None:
    world.put(*(rejected(document(f"b{n}", f"B{n}", at(D1))) for n in range(51)))
    world.put(document("a", "A", at(D2)))
    found = made(settings, D1, D2)
    with pytest.raises(CircuitBroken, match=f"51 of 51 documents of {D1} were rejected"):
        backfill.migrate_shard(settings, found.id, 1)
    assert len(world.quarantined()) == 51
    assert world.contracts() == {}
    all_are_right = replace(settings, max_rejected_share=1)
    backfill.migrate_shard(all_are_right, found.id, 1)
    backfill.close(all_are_right, found.id)
    assert world.contracts() == {"A": "a"}


def test_a_date_whose_shards_pass_one_by_one_is_judged_as_a_whole(world: World, settings: Settings) -> None:
    world.put(*(rejected(document(f"b{n}", f"B{n}", at(D1, 12, n % 60))) for n in range(60)))
    world.put(document("a", "A", at(D2)))
    several = replace(settings, shard_documents=20)
    found = made(several, D1, D2)
    for number in shards_of(several, found):
        backfill.migrate_shard(several, found.id, number)
    with pytest.raises(CircuitBroken, match=f"60 of 60 documents of {D1} were rejected"):
        backfill.close(several, found.id)
    assert world.markers(D1) == {}
    assert set(world.markers(D2)) == set(STEPS)


def test_another_dump_is_not_taken_for_the_one_that_was_planned(small: Settings, tmp_path: Path) -> None:
    path = tmp_path / "contratos.bson"
    with dumped(state_of(6, 30), path, small) as settings:
        found = made(settings, None, DAYS[-1])
        path.write_bytes(path.read_bytes()[::-1])
        with pytest.raises(SourceError, match="another one than the plan"):
            backfill.migrate_shard(settings, found.id, 1)


def test_a_dump_that_was_migrated_whole_is_known_without_reading_it(small: Settings, tmp_path: Path) -> None:
    with dumped(state_of(7, 30), tmp_path / "contratos.bson", small) as settings:
        assert backfill_plan.ended(settings, None, DAYS[-1]) is None
        carried_out(settings, None, DAYS[-1])
        days = backfill_plan.ended(settings, None, DAYS[-1])
        assert days
        World(settings).forget(days[0])
        assert backfill_plan.ended(settings, None, DAYS[-1]) is None
        carried_out(settings, None, DAYS[-1])
        assert backfill_plan.ended(settings, None, DAYS[-1]) == days[:1]


def test_no_shard_leaves_anything_in_the_staging_that_all_share(world: World, small: Settings) -> None:
    world.put(*(document(f"d{n}", f"C{n}", at(D1, 12, n)) for n in range(10)))
    untouched = "SELECT row(pg_relation_filenode('staging.parcelas'), pg_relation_size('staging.parcelas'))"
    before = world.one(untouched)  # a TRUNCATE gives the table another file
    carried_out(small, D1, D1)
    assert world.one(untouched) == before
    assert world.one("SELECT count(*) FROM operacoes") == 10
