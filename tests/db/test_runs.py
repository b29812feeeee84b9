"""What a run leaves in ``controle.execucoes``, and what the metrics say of the tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from world import D1, D2, D3, World, at, document, rejected

from ccb_luigi import tables
from ccb_luigi.database import postgres
from ccb_luigi.documents.valid import ROADS
from ccb_luigi.errors import CircuitBroken
from ccb_luigi.load import pipeline
from ccb_luigi.process.events import Event
from ccb_luigi.proof import sweep
from ccb_luigi.telemetry import metrics, runs, standing
from ccb_luigi.telemetry.runs import History, Recorder, Run


def ask(world: World, work: Any) -> Any:
    return postgres.of_process(world.settings).run(work)


def standing_of(world: World, day: date) -> standing.Standing:
    found: standing.Standing = ask(
        world, lambda c: standing.gather(c, replace(world.settings, nightly_days=2), day)
    )
    return found


def of(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(f"ccb_luigi_{name}", labels)


def migrated(world: World, *days: date) -> Run:
    """The dates' migration as the recorder sees it."""
    recorder = Recorder("run", days)
    for day in days:
        recorder.handle(Event("started", "contratos", day))
        counts = pipeline.extract(
            world.settings, day, lambda n, _, d=day: recorder.handle(Event("progress", "contratos", d, n))
        )
        recorder.handle(Event("done", "contratos", day, counts.lidos if counts else 0))
        for table in tables.LOADED:
            recorder.handle(Event("started", table.name, day))
            pipeline.load_table(world.settings, table, day)
            recorder.handle(Event("done", table.name, day, 1))
        recorder.handle(Event("started", "reconciliacoes", day))
        pipeline.reconcile_day(world.settings, day)
        recorder.handle(Event("done", "reconciliacoes", day, 1))
    recorder.run.complete = len(days)
    return recorder.end(0)


def test_a_run_leaves_one_row_that_tells_when_how_and_how_much(world: World) -> None:
    world.put(document("a", "A", at(D1)), document("b", "B", at(D1), client="c2"))
    run = migrated(world, D1)
    run.seconds = 90.0
    ask(world, lambda c: runs.put(c, run))
    ((row, took, ago),) = world.query(
        "SELECT to_jsonb(e), terminada_em - iniciada_em, clock_timestamp() - terminada_em"
        " FROM controle.execucoes e"
    )
    assert row["execucao"] == run.run_id
    assert (row["comando"], row["codigo_saida"], row["documentos"]) == ("run", 0, 2)
    assert (row["datas_pedidas"], row["datas_completas"]) == (1, 1)
    assert set(row["segundos_por_etapa"]) == {"contratos", "reconciliacoes", *tables.BY_NAME}
    assert row["memoria_bytes"] > 10_000_000
    assert row["segundos_cpu"] > 0
    assert timedelta(seconds=89.9) < took < timedelta(seconds=90.1)
    assert ago < timedelta(minutes=5)


def test_the_history_is_the_commands_own_successes(world: World) -> None:
    def noted(command: str, code: int, seconds: float) -> Run:
        run = Recorder(command).run
        run.exit_code, run.seconds = code, seconds
        ask(world, lambda c: runs.put(c, run))
        return run

    def known(run: Run) -> History:
        found: History = ask(world, lambda c: runs.history(c, run))
        return found

    run = noted("nightly", 13, 1.0)
    assert known(run) == History()
    noted("nightly", 0, 10.0)
    noted("nightly", 0, 20.0)
    noted("run", 0, 1000.0)
    assert known(run).usual_seconds is None, "two runs make no habit"
    newest = noted("nightly", 0, 60.0)
    assert known(run).usual_seconds == pytest.approx(20.0, abs=0.1)
    assert known(newest).usual_seconds is None, "a run is no measure of itself"
    last = known(run).last_success
    assert last is not None
    assert last == world.one("SELECT max(terminada_em) FROM controle.execucoes WHERE comando = 'nightly'")


def test_the_metrics_of_a_run_count_what_became_of_its_documents(world: World) -> None:
    world.put(
        document("a", "A", at(D1)),
        document("b", "B", at(D1), client="c2", rows=5),
        rejected(document("z", "Z", at(D1))),
    )
    world.put(document("old", "OLD", at(D2)))
    world.migrate(D2)
    run = migrated(world, D1)
    run.seconds = 1.5
    found = ask(world, lambda c: standing.effects(c, run))
    registry = metrics.of_run(run, datetime(2026, 3, 3, tzinfo=UTC), found, History())

    def documents(outcome: str) -> float | None:
        return of(registry, "run_documents", command="run", outcome=outcome)

    assert [documents(o) for o in ("read", "loaded", "unchanged", "stale", "quarantined")] == [3, 2, 0, 0, 1]
    assert of(registry, "run_documents_per_second", command="run") == 2
    assert of(registry, "run_rejected_documents", command="run", code="ausente") == 1
    assert of(registry, "run_rejected_documents", command="run", code="nul") == 0
    roads = [of(registry, "run_documents_by_road", command="run", road=road) for road in ROADS]
    assert roads == [2, 0, 0, 1]  # the rejected one by Cerberus
    assert of(registry, "run_rows", command="run", table="parcelas", change="inserted") == 8
    assert of(registry, "run_rows", command="run", table="operacoes", change="inserted") == 2
    assert of(registry, "run_rows", command="run", table="operacoes", change="deleted") == 0
    assert of(registry, "run_last_success_timestamp_seconds", command="run") == 1772496000


def test_v_tells_how_the_documents_of_a_date_were_read(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.put(document("a", "A", at(D1)), rejected(document("z", "Z", at(D1))))
    with caplog.at_level("INFO", "ccb_luigi"):
        world.migrate(D1)
    told = "documents read: 1 together, 0 together but for their schedule, 0 alone, 1 by Cerberus"
    assert f"{D1}: {told}; 0 passed over as unchanged" in caplog.messages


def test_a_date_that_the_circuit_breaker_stopped_counts_with_what_was_read_and_rejected(world: World) -> None:
    world.put(*(rejected(document(f"z{n}", f"Z{n}", at(D1))) for n in range(51)), document("a", "A", at(D1)))
    with pytest.raises(CircuitBroken):
        migrated(world, D1)
    run = Run("run", [D1], read={D1: 52})
    found = ask(world, lambda c: standing.effects(c, run))
    assert (found.documents["read"], found.documents["quarantined"]) == (52, 51)
    assert found.documents["loaded"] == 0
    assert found.codes == {"ausente": 51}
    assert standing_of(world, D1).dates["breaker"] == 1


def test_dates_are_counted_by_the_morning_pages_states(world: World) -> None:
    states = dict.fromkeys(("missing", "early", "breaker", "differs", "lost", "gap", "complete"), 0)
    assert standing_of(world, D3).dates == states
    world.put(document("a", "A", at(D1)))
    world.migrate(D1)
    assert standing_of(world, D1).dates == {
        "missing": 0,
        "early": 0,
        "breaker": 0,
        "differs": 0,
        "lost": 0,
        "gap": 0,
        "complete": 1,
    }
    # D2 and D3 are the last two.
    assert standing_of(world, D3).dates == {
        "missing": 2,
        "early": 0,
        "breaker": 0,
        "differs": 0,
        "lost": 0,
        "gap": 0,
        "complete": 1,
    }
    world.query("UPDATE controle.reconciliacoes SET ok = false, lidos = lidos + 1,"
                " soma_valor_bruto_destino = soma_valor_bruto_destino + 1")  # fmt: skip
    found = standing_of(world, D1)
    assert found.dates["differs"] == 1
    assert found.differences == {"documents": 1, "valor_bruto": 1, "valor_prestacao": 0}


def test_the_newest_update_the_quarantine_and_the_last_sweep_are_told(world: World) -> None:
    empty = metrics.of_tables(standing_of(world, D1))
    assert of(empty, "newest_update_timestamp_seconds") is None
    assert of(empty, "sweep_ok") is None
    future = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    world.put(
        document("a", "A", at(D1, 13)),
        document("b", "B", at(D1, 14), client="c2"),
        document("f", "F", future, client="c3"),
        rejected(document("z", "Z", at(D2))),
        rejected(document("y", "Y", at(D1))),
    )
    world.migrate(D1)
    assert sweep.sweep(world.settings).carregados == 1
    registry = metrics.of_tables(standing_of(world, D1))
    assert of(registry, "newest_update_timestamp_seconds") == at(D1, 14).timestamp()
    assert of(registry, "quarantine_documents") == 2
    assert of(registry, "quarantine_documents_by_code", code="ausente") == 2
    assert of(registry, "sweep_ok") == 1
    assert of(registry, "sweep_documents", side="source") == 5
    assert of(registry, "sweep_contracts", result="loaded") == 1
    assert of(registry, "sweep_contracts", result="open") == 0
