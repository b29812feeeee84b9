"""The facts of the morning page, asked of a database that real migrations filled."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from world import D1, D2, D3, World, at, document, operation, rejected, unfounded

from ccb_luigi.database import postgres
from ccb_luigi.errors import SchemaOutdated, TargetError
from ccb_luigi.load import markers, pipeline, status
from ccb_luigi.proof.sweep import sweep
from ccb_luigi.report import morning, page, verdict
from ccb_luigi.report.facts import CodeCount, Facts, gather, of_status
from ccb_luigi.report.verdict import Point
from ccb_luigi.settings import Settings


@pytest.fixture
def lived(world: World) -> World:
    """Two dates: three contracts, one of which changes; two rejections, of which one is mended; a finding.

    D1: a (3 × 100.00), b (2 × 100.00, wrongly counted), c and d rejected. D2: a again (1 × 100.00), d mended
    (4 × 100.00). D3 is only extracted.
    """
    world.put(
        document("a", "A", at(D1)),
        unfounded(document("b", "B", at(D1), client="c2", rows=2)),
        rejected(document("c", "C", at(D1), client="c3")),
        rejected(document("d", "D", at(D1), client="c4")),
    )
    world.migrate(D1)
    world.put(
        document("a", "A", at(D2), rows=1),
        document("d", "D", at(D2), client="c4", rows=4),
    )
    world.migrate(D2)
    world.put(document("e", "E", at(D3), client="c5"))
    pipeline.extract(world.settings, D3)
    return world


def read(world: World, day: date, count: int = 5) -> Facts:
    return morning.read(world.settings, day, count)


def test_the_facts_are_what_happened(lived: World) -> None:
    known = read(lived, D3)
    assert (known.day, known.started, known.nightly_days) == (D3, D1, 7)
    assert [day.day for day in known.days] == [D3 - timedelta(days=n) for n in reversed(range(7))]
    first, second, third = known.days[-3:]
    assert first.rows == {
        "contratos": 4,
        "clientes": 2,
        "identidades": 4,
        "enderecos": 2,
        "contatos": 6,
        "dados_bancarios": 2,
        "operacoes": 2,
        "parcelas": 5,
        "detalhamento_cet": 2,
        "reconciliacoes": 4,
    }
    assert (second.rows["contratos"], second.rows["parcelas"], second.proven) == (2, 5, True)
    assert third.rows == {"contratos": 1}
    assert (first.quarantined, second.quarantined, third.quarantined) == (1, 0, 0)

    proof = known.proofs[D1]
    assert (proof.lidos, proof.carregados, proof.quarentena) == (4, 2, 2)
    assert proof.soma_valor_bruto_origem == proof.soma_valor_bruto_destino == Decimal("500.00")
    assert known.proofs[D2].soma_prestacoes_origem == Decimal("500.00")
    assert known.proofs.keys() == {D1, D2}

    assert known.rejections == (CodeCount("ausente", 1, 0),)
    assert [entry.mongo_id for entry in known.open_rejections] == ["c"]
    assert {count.code: (count.total, count.of_day) for count in known.findings} == {
        "numero_parcelas": (1, 0)
    }
    assert known.flagged == {D1: 1}
    assert known.seconds.keys() == {
        *((day, step) for day in (D1, D2) for step in markers.STEPS),
        (D3, "contratos"),
    }
    assert all(seconds >= 0 for seconds in known.seconds.values())


def test_what_the_tables_hold_is_told_whoever_loaded_it(lived: World) -> None:
    tables = ("clientes", "identidades", "enderecos", "contatos", "dados_bancarios", "operacoes", "parcelas")
    counted = {name: lived.one(f"SELECT count(*) FROM {name}") for name in (*tables, "detalhamento_cet")}
    assert counted["parcelas"] == 7
    assert {name: each.rows for name, each in read(lived, D3).in_tables.items()} == counted
    assert not any(each.about for each in read(lived, D3).in_tables.values())


def test_a_large_table_is_not_counted_but_estimated(lived: World, monkeypatch: pytest.MonkeyPatch) -> None:
    lived.query("ANALYZE parcelas")
    monkeypatch.setattr(status, "MOST_COUNTED", 6)
    found = read(lived, D3).in_tables
    assert found["parcelas"] == status.InTable(7, about=True)
    lived.query(
        "UPDATE controle.quarentena SET resolvido_em = now() - interval '25 hours' WHERE mongo_id = 'd'"
    )
    assert read(lived, D3).closed == 0


def test_the_last_sweep_and_the_rejections_that_were_closed_are_told(lived: World) -> None:
    assert (read(lived, D3).sweep, read(lived, D3).closed) == (None, 1)
    sweep(lived.settings)
    known = read(lived, D3).sweep
    assert known is not None
    # d was rejected and is mended, c still is rejected, e is of the date that is only extracted
    assert (known.ok, known.lidos_origem, known.contratos_destino, known.carregados) == (True, 5, 3, 1)


def test_what_status_judges_is_what_the_page_judges(lived: World) -> None:
    def judged(connection: Any) -> list[Point]:
        days = status.last_days(connection, lived.settings, D3, 7)
        return verdict.judge(of_status(connection, lived.settings, days))

    assert postgres.of_process(lived.settings).run(judged) == verdict.judge(read(lived, D3))
    dates = postgres.of_process(lived.settings).run(status.proven_dates)
    assert dates == status.Proven(2, D1, D2)


def test_counts_of_the_date_are_those_of_the_date(lived: World) -> None:
    known = read(lived, D1)
    assert known.rejections == (CodeCount("ausente", 1, 1),)
    assert known.findings == (CodeCount("numero_parcelas", 1, 1),)
    assert known.days[-1].day == D1


def test_a_date_that_was_only_extracted_is_missing(lived: World) -> None:
    points = verdict.judge(read(lived, D3))
    assert [(point.key, point.command) for point in points] == [
        ("partly", f"ccb-luigi run --date {D3}"),
        ("also_rejected", "ccb-luigi quarantine list"),
    ]


def test_a_proof_that_failed_is_the_headline_with_both_sides(world: World) -> None:
    world.put(document("a", "A", at(D1)))
    world.migrate(D1)
    world.query("UPDATE parcelas SET valor_prestacao = 99.99 WHERE numero_parcela = 2")
    world.query(
        "DELETE FROM table_updates WHERE update_id IN (%s, %s)", f"contratos:{D1}", f"reconciliacoes:{D1}"
    )
    pipeline.extract(world.settings, D1)
    world.query("UPDATE parcelas SET valor_prestacao = 99.99 WHERE numero_parcela = 2")
    with pytest.raises(Exception, match="differ"):
        pipeline.reconcile_day(world.settings, D1)
    known = read(world, D1)
    assert verdict.judge(known)[0].key == "differs"
    html = page.render(known)
    assert "-0,01" in html
    assert "299.99" in html


def test_the_page_holds_no_personal_data(lived: World) -> None:
    html = page.render(read(lived, D3))
    for canary in ("Nome ", "39825979194", "RG ", "Cidade ", "example.com", "Conta ", "39999"):
        assert canary not in html.replace("<th>RG, CPF</th>", ""), canary
    assert ">c</td>" in html, "the id of the rejected document is there"


def test_an_empty_database_is_told_as_such(world: World) -> None:
    known = read(world, D1)
    assert known.started is None
    assert verdict.judge(known)[0].key == "empty"
    assert "ccb-luigi run --full" in page.render(known).replace("<wbr>", "")


def test_documents_without_a_date_do_not_make_the_history_begin_in_1970(world: World) -> None:
    odd = document("a", "A", at(D1))
    world.put({**odd, "updatedAt": None, "createdAt": None})
    world.migrate(date(1970, 1, 1))
    assert read(world, D1).started is None
    world.put(document("b", "B", at(D2), client="c2"))
    world.migrate(D2)
    assert read(world, D3).started == D2


def test_the_facts_are_read_in_a_snapshot_that_can_not_write(world: World) -> None:
    def work(connection: Any) -> None:
        gather(connection, world.settings, D1, 1)
        connection.exec_driver_sql("DELETE FROM table_updates")

    # A standby is read-only as well, until its promotion: it would be tried again.
    once = replace(world.settings, retry_seconds=0)
    with pytest.raises(TargetError, match="read only"):
        postgres.of_process(once).run(work)


def test_tables_of_another_version_are_told_in_one_line(world: World) -> None:
    world.query("UPDATE controle.alembic_version SET version_num = '0000'")
    with pytest.raises(SchemaOutdated, match="db upgrade"):
        read(world, D1)


def test_times_are_those_of_the_partitions_zone(world: World) -> None:
    tokyo = Settings(postgres_url=world.settings.postgres_url, timezone="Asia/Tokyo")
    moment = morning.read(tokyo, D1).read_at
    assert moment is not None
    assert moment.utcoffset() == timedelta(hours=9)


def test_a_contract_counts_once_however_many_fields_of_it_are_wrong(world: World) -> None:
    broken = operation(3)
    for row in broken["parcelas"]["PrevisaoDeParcela"]:
        row["ValorDoSaldoAtual"] = "7.00"
    world.put({**document("a", "A", at(D1)), "operation": broken})
    world.migrate(D1)
    assert world.one("SELECT count(*) FROM controle.qualidade WHERE codigo = 'saldo_da_linha'") == 3
    counts = {count.code: count.total for count in read(world, D1).findings}
    assert counts["saldo_da_linha"] == 1
