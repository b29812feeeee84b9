"""Erasing a client: nothing of them is left, everything of others is, and no run brings them back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import psycopg2
import psycopg2.errors
import pytest
from world import D1, D2, D3, EIGHT, STEPS, World, at, at_once, document, rejected, unfounded

from ccb_luigi.database import postgres
from ccb_luigi.errors import Busy, ConfigurationError
from ccb_luigi.load import by_id, pipeline, quarantine
from ccb_luigi.proof import erasure, sweep
from ccb_luigi.settings import Settings
from ccb_luigi.tables import LOADED

KEY = "a key of these tests alone"
GONE, STAYS = "cliente-que-sai", "c1"
EVERYWHERE = (
    *EIGHT,
    *("table_updates", "controle.quarentena", "controle.qualidade", "controle.reconciliacoes"),
    *("controle.versoes", "controle.varreduras"),
    *("controle.esquecimentos", "staging.contratos", *(f"staging.{name}" for name in EIGHT)),
)
Rows = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, forget_key=KEY)


def of_gone(mongo_id: str, code: str, day: date = D1, **changes: Any) -> dict[str, Any]:
    return document(mongo_id, code, at(day), client=GONE, **changes)


def fill(world: World) -> None:
    """Two clients, with every kind of row."""
    world.put(
        unfounded(of_gone("g1", "G1")),
        of_gone("g2", "G2"),
        rejected(of_gone("g3", "G3")),
        of_gone("g4", "S1"),  # loses its code to s1
        unfounded(document("s1", "S1", at(D1, 13))),
        rejected(document("s2", "S2", at(D1))),
    )
    world.migrate(D1)


def everything(world: World) -> str:
    """All text of all tables, the raw documents decoded as far as they are text."""
    found = world.column(" UNION ALL ".join(f"SELECT t::text FROM {table} t" for table in EVERYWHERE))
    found += [
        bytes(raw).decode(errors="replace")
        for raw in world.column("SELECT documento FROM controle.quarentena WHERE documento IS NOT NULL")
    ]
    return "\n".join(found)


def counts(world: World) -> dict[str, int]:
    return dict(
        world.query(" UNION ALL ".join(f"SELECT '{table}', count(*) FROM {table}" for table in EVERYWHERE))
    )


# --- what is removed --------------------------------------------------------------------------------


def test_nothing_of_the_client_is_left_and_everything_of_others_is(world: World) -> None:
    fill(world)
    # Closed rejections hold documents as well; some name no client, some are broken, some have no bytes.
    world.query(
        "INSERT INTO controle.quarentena (mongo_id, codigos, erros, documento, resolvido_em)"
        " SELECT mongo_id, codigos, erros, documento, now() FROM controle.quarentena WHERE mongo_id = 'g3'"
    )
    broken = b"\x50\0\0\0\x02clientId\0" + (len(GONE) + 1).to_bytes(4, "little") + GONE.encode() + b"\0\x07"
    for mongo_id, raw in [
        ("g1", None),
        ("g2", b"not BSON at all, but of Nome g2"),
        ("elsewhere", broken),
        ("s1", b"not BSON either, but of Nome s1"),
    ]:
        world.query(
            "INSERT INTO controle.quarentena (mongo_id, codigos, erros, documento)"
            " VALUES (%s, '{}', '{}', %s)",
            mongo_id,
            raw,
        )
    own = {f"g{n} 02-12" for n in (1, 2, 3, 4)} | {GONE}
    assert [name for name in own if name not in everything(world)] == []
    before = world.tables()
    done = erasure.erase(world.settings, GONE)
    left = everything(world)
    assert [name for name in own if name in left] == []
    assert done.found.rows == {
        "clientes": 1,
        "identidades": 2,
        "enderecos": 1,
        "contatos": 3,
        "dados_bancarios": 1,
        "operacoes": 2,
        "parcelas": 6,
        "detalhamento_cet": 2,
        "controle.qualidade": 1,
        "controle.quarentena": 6,
    }
    after = world.tables()
    for table in EIGHT:
        assert after[table] == [row for row in before[table] if GONE not in row and '"G' not in row]
        assert after[table]
    assert sorted(world.quarantined()) == ["s1", "s2"]
    assert set(world.markers(D1)) == set(STEPS)


def test_a_preview_counts_the_same_and_changes_nothing(world: World) -> None:
    fill(world)
    before, rows = world.row_versions(), counts(world)
    found = erasure.preview(world.settings, GONE)
    assert (world.row_versions(), counts(world)) == (before, rows)
    assert erasure.erase(world.settings, GONE).found.rows == found.rows


def test_the_audit_line_tells_who_when_and_how_many_but_not_whom(world: World, rows: Rows) -> None:
    fill(world)
    started = world.one("SELECT now()")
    erasure.erase(world.settings, GONE)
    (line,) = rows("controle.esquecimentos")
    assert line["por"] == world.one("SELECT session_user")
    assert started <= line["esquecido_em"] <= world.one("SELECT now()")
    assert line["contagens"]["operacoes"] == 2
    assert len(line["documentos"]) == 4
    shown = str(line)
    for secret in (GONE, KEY, "g1", "Nome", "G1"):
        assert secret not in shown


def test_an_erasure_is_one_transaction(world: World) -> None:
    fill(world)
    before = everything(world)
    world.query("ALTER TABLE controle.esquecimentos ADD CONSTRAINT nobody CHECK (por = 'x')")
    with pytest.raises(Exception, match="nobody"):
        erasure.erase(world.settings, GONE)
    assert everything(world) == before


def test_erasing_twice_or_somebody_unknown_is_harmless(world: World, rows: Rows) -> None:
    fill(world)
    erasure.erase(world.settings, GONE)
    before = everything(world)
    again = erasure.erase(world.settings, GONE)
    assert again.before
    assert again.found.nothing
    assert everything(world) == before
    unknown = erasure.erase(world.settings, "nobody")
    assert unknown.found.nothing
    assert not unknown.before
    assert len(rows("controle.esquecimentos")) == 2


# --- no run brings the client back ---------------------------------------------------------------------


def assert_away(world: World) -> None:
    left = everything(world)
    for name in (GONE, *(f"Nome g{n}" for n in range(1, 6))):
        assert name not in left


def test_no_run_brings_the_client_back_and_each_proof_is_exact(world: World) -> None:
    fill(world)
    erasure.erase(world.settings, GONE)
    others = world.tables()
    world.again(D1)
    assert_away(world)
    assert world.tables() == others
    assert world.query("SELECT particao, lidos, carregados, sem_mudanca, obsoletos, quarentena, ok"
                       " FROM controle.reconciliacoes") == [(D1, 2, 0, 1, 0, 1, True)]  # fmt: skip
    # Among them a new contract, new versions, and every way into the quarantine.
    world.put(
        of_gone("g1", "G1", D2),
        rejected(of_gone("g2", "G2", D2)),
        of_gone("g5", "G5", D2),
        {**of_gone("g3", "G3", D2), "clientId": None},
        {**of_gone("g4", "S1", D2, name="Nome g4"), "updatedAt": at(D2, 20)},
        document("s3", "S3", at(D2)),
    )
    world.migrate(D2)
    assert_away(world)
    assert sorted(world.contracts()) == ["S1", "S3"]
    assert world.contracts()["S1"] == "s1", "an erased client's document takes no code"
    assert sorted(world.quarantined()) == ["s2"]
    assert world.one("SELECT lidos FROM controle.reconciliacoes WHERE particao = %s", D2) == 1
    assert world.one("SELECT contagens FROM table_updates WHERE update_id = %s", f"contratos:{D2}")[
        "esquecidos"
    ] == 5  # fmt: skip
    read, _ = by_id.migrate_ids(world.settings, ["g1", "g2", "g3", "g5", "s3"])
    assert (read.lidos, read.esquecidos) == (1, 4)
    assert_away(world)


def test_a_sweep_neither_brings_the_client_back_nor_complains(world: World) -> None:
    fill(world)
    erasure.erase(world.settings, GONE)
    world.put(
        of_gone("g9", "G9", D2),
        rejected(of_gone("g8", "G8", D2)),
        {**of_gone("g3", "G3", D2), "clientId": None},
        document("s9", "S9", at(D2)),
    )
    swept = sweep.sweep(world.settings)
    assert (swept.lidos_origem, swept.carregados, swept.em_aberto) == (9, 1, 0)
    assert sorted(world.contracts()) == ["S1", "S9"]
    assert_away(world)


def test_several_processes_drop_them_as_well(world: World) -> None:
    erasure.erase(world.settings, GONE)
    with world.collection() as collection:
        collection.insert_many([of_gone(f"g{n}", f"G{n}", rows=1) for n in range(1200)])
        collection.insert_many([document(f"s{n}", f"S{n}", at(D1), rows=1) for n in range(900)])
    pipeline.extract(replace(world.settings, processes=2), D1)
    assert world.column("SELECT DISTINCT client_id FROM staging.contratos") == [STAYS]
    found = world.one("SELECT contagens FROM table_updates")
    assert (found["lidos"], found["esquecidos"]) == (900, 1200)


def test_a_contract_that_was_handed_on_to_an_erased_client_leaves_no_bytes_in_the_quarantine(
    world: World,
) -> None:
    """Its old version loses its code to a newer document, whereupon its bytes are read again."""
    world.put(document("h", "H", at(D1)))
    world.migrate(D1)
    erasure.erase(world.settings, GONE)
    world.put(document("n", "H", at(D2)), of_gone("h", "H2", D3, name="Nome g1"))
    world.migrate(D2)
    assert world.contracts() == {"H": "n"}
    assert_away(world)
    assert world.quarantined() == {}


def test_what_is_under_way_is_read_again(world: World) -> None:
    world.put(of_gone("g1", "G1"), document("s1", "S1", at(D1)), document("s2", "S2", at(D2)))
    pipeline.extract(world.settings, D1)
    pipeline.extract(world.settings, D2)
    pipeline.load_table(world.settings, LOADED[0], D1)
    done = erasure.erase(world.settings, GONE)
    assert done.found.days == [D1]
    assert_away(world)
    assert world.markers(D1) == {}
    assert set(world.markers(D2)) == {"contratos"}
    world.migrate(D1, D2)
    assert_away(world)
    assert world.contracts() == {"S1": "s1", "S2": "s2"}
    assert world.column("SELECT ok FROM controle.reconciliacoes") == [True, True]


def test_a_run_at_the_same_time_never_wins(world: World) -> None:
    fill(world)
    for _ in range(2):
        world.forget(D1)
        failures = at_once(
            lambda: world.migrate(D1),
            lambda: erasure.erase(world.settings, GONE) and None,
        )
        # The date's markers may be gone in the middle of it: then it tells how to read it again.
        assert all("StagingIncomplete" in failure for failure in failures)
        world.migrate(D1)
        assert_away(world)
        assert world.contracts() == {"S1": "s1"}


def test_the_code_of_an_erased_contract_is_free_for_whoever_waits_for_it(world: World) -> None:
    world.put(document("w", "G1", at(D1)), of_gone("g1", "G1", D2))
    world.migrate(D1, D2)
    assert world.quarantined() == {"w": ["ccb_duplicado"]}
    assert erasure.erase(world.settings, GONE).freed == ["w"]
    by_id.migrate_ids(world.settings, ["w"])
    assert world.contracts() == {"G1": "w"}
    assert world.quarantined() == {}


def test_no_marker_names_an_erased_clients_document(world: World) -> None:
    world.put(document("s", "X", at(D1, 14)), of_gone("g1", "X"))
    world.migrate(D1)
    world.put(document("s", "Y", at(D2)))  # X is free, and g1 waits for it
    pipeline.extract(world.settings, D2)
    world.load(D2)
    freed = "SELECT contagens -> 'liberados' FROM table_updates WHERE update_id = %s"
    assert world.one(freed, f"operacoes:{D2}") == ["g1"]
    erasure.erase(world.settings, GONE)
    assert world.one(freed, f"operacoes:{D2}") == []
    world.migrate(D2)
    assert_away(world)


# --- the key ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["", "another key, of nobody"])
def test_without_the_key_or_with_another_one_nothing_runs(world: World, key: str) -> None:
    fill(world)
    erasure.erase(world.settings, GONE)
    other = World(replace(world.settings, forget_key=key))
    other.forget(D1)
    before = everything(world)
    for work in (
        lambda: other.migrate(D1),
        lambda: by_id.migrate_ids(other.settings, ["g1"]),
        lambda: erasure.erase(other.settings, STAYS),
        lambda: erasure.preview(other.settings, STAYS),
    ):
        with pytest.raises(ConfigurationError, match="CCB_FORGET_KEY") as caught:
            work()
        assert "\n" not in str(caught.value)
        assert KEY not in str(caught.value)
    assert everything(world) == before
    world.migrate(D1)
    assert_away(world)


def test_without_erased_clients_no_key_is_needed_but_to_erase_one(world: World) -> None:
    keyless = World(replace(world.settings, forget_key=""))
    fill(keyless)
    with pytest.raises(ConfigurationError, match="CCB_FORGET_KEY is not set"):
        erasure.preview(keyless.settings, GONE)
    with pytest.raises(ConfigurationError, match="CCB_FORGET_KEY is not set"):
        erasure.erase(keyless.settings, GONE)
    assert len(keyless.contracts()) == 3


def test_it_waits_for_a_run_and_gives_up_in_one_line(world: World) -> None:
    fill(world)
    before = everything(world)
    impatient = replace(world.settings, lock_seconds=0.2)
    said: list[str] = []
    with psycopg2.connect(world.settings.postgres_url, application_name="a night run") as running:
        running.cursor().execute(
            "SELECT pg_advisory_xact_lock_shared(hashtextextended('ccb_luigi:schema', 0))"
        )
        with pytest.raises(Busy, match=r"nothing was changed.*a night run") as caught:
            erasure.erase(impatient, GONE, said.append)
    running.close()
    assert "\n" not in str(caught.value)
    assert len(said) == 1
    assert "a night run" in said[0]
    assert everything(world) == before


# --- retention ----------------------------------------------------------------------------------------


def test_a_purge_takes_closed_rejections_of_that_age_and_no_open_one(world: World) -> None:
    for mongo_id, closed in [("open", None), ("old", 181), ("young", 179), ("today", 0)]:
        world.query(
            "INSERT INTO controle.quarentena"
            " (mongo_id, codigos, erros, documento, primeira_vez, resolvido_em)"
            " VALUES (%s, '{}', '{}', 'x', now() - interval '3 years', now() - make_interval(days => %s))",
            mongo_id,
            closed,
        )
    target = postgres.of_process(world.settings)
    assert target.run(lambda connection: quarantine.purge(connection, 180)) == 1
    left = set(world.column("SELECT mongo_id FROM controle.quarentena"))
    assert left == {"open", "young", "today"}
