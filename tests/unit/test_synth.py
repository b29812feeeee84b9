"""Synthetic contracts: the same for everyone, true to the source's shape, and adding up to the cent."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import bson
import pytest
from bson import ObjectId
from flagged import FLAGGED, flag
from variants import VARIANTS, disguise

from ccb_luigi import codes
from ccb_luigi.demo import synth
from ccb_luigi.demo.spoiled import SPOILED, spoil
from ccb_luigi.documents import identifiers
from ccb_luigi.documents.judge import Accepted, Judge, Refused

Document = dict[str, Any]

UNTIL = date(2026, 11, 22)
ZONE = ZoneInfo("America/Sao_Paulo")
ZERO = Decimal(0)
ROW = [
    "NumeroDaParcela",
    "DataDeVencimento",
    "ValorDaAmortizacao",
    "ValorDaCorrecao",
    "ValorDoJuros",
    "ValorDoSeguro",
    "ValorTaxaBancaria",
    "ValorDaPrestacao",
    "ValorDoSaldoAnterior",
    "ValorDoJurosCapitalizados",
    "ValorDoSaldoAtual",
]
OPERATION = [
    "VencimentoPrimeiraParcela",
    "Carencia",
    "FinanIOF",
    "Conta",
    "ValorBruto",
    "ValorDoSeguro",
    "ValorDaCAD",
    "ValorDoIOF",
    "ValorLiquido",
    "TaxaDeJuros",
    "TaxaDeJurosAnual",
    "CET",
    "CET_ANUAL",
    "DataDeLiberacao",
    "DataDeVencimentoInicial",
    "DataDeVencimentoFinal",
    "NumeroDeParcelas",
    "parcelas",
    "TotalDeAmortizacao",
    "TotalDaTaxaDeServico",
    "TotalDoSeguro",
    "TotalDaTaxaDeCorrecao",
    "TotalDeJuros",
    "TotalDoValorDasParcelas",
    "detalhamentoDaCET",
]
BREAKDOWN = ["PorcentagemDeJuros", "PorcentagemDeImpostos", "PorcentagemDeTarifas", "PorcentagemDeServicos"]
DOCUMENT = [
    "_id",
    "clientId",
    "name",
    "taxId",
    "type",
    "birthDate",
    "maritalStatus",
    "identity",
    "birthPlace",
    "address",
    "pep",
    "structure",
    "state",
    "motherName",
    "gender",
    "contacts",
    "averageMonthlyIncome",
    "bankData",
    "guarantors",
    "operation",
    "bank",
    "sendVortx",
    "status",
    "updatedAt",
    "createdAt",
    "ccbCode",
    "emitedAt",
]


def made(n: int, seed: int = 7, **options: Any) -> list[Document]:
    return list(synth.contracts(n, seed, until=UNTIL, **options))


def digest(documents: Iterator[Document]) -> str:
    return hashlib.sha256(b"".join(map(bson.encode, documents))).hexdigest()


def rows_of(document: Document) -> list[Document]:
    rows: list[Document] = document["operation"]["parcelas"]["PrevisaoDeParcela"]
    return rows


@pytest.fixture(scope="module")
def documents() -> list[Document]:
    return made(2000)


@pytest.fixture(scope="module")
def samples(documents: list[Document]) -> list[Document]:
    """A document of every kind that a change of form can meet."""
    kinds = [
        lambda d: d["type"] == "PF" and "identity" in d,
        lambda d: d["type"] == "PJ" and not d["taxId"].isdigit(),
        lambda d: d["type"] == "PJ" and d["taxId"].isdigit(),
        lambda d: d["taxId"].startswith("0"),
        lambda d: len(rows_of(d)) == 1,
        lambda d: rows_of(d)[0]["NumeroDaParcela"] == "0",
        lambda d: isinstance(d["address"], list),
        lambda d: isinstance(d["bankData"], list),
        lambda d: isinstance(d["contacts"]["email"], list),
        lambda d: isinstance(d["_id"], ObjectId),
        lambda d: d["operation"]["ValorDaCAD"] != "0",
        lambda d: d["guarantors"] is not None,
    ]
    return [next(filter(kind, documents)) for kind in kinds]


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge(ZONE)


# The same contracts for everyone


def test_the_same_seed_makes_the_same_documents_in_another_process(documents: list[Document]) -> None:
    program = (
        "import bson, hashlib; from datetime import date; from ccb_luigi.demo import synth;"
        "made = synth.contracts(300, 7, until=date(2026, 11, 22));"
        "print(hashlib.sha256(b''.join(map(bson.encode, made))).hexdigest())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "4711", "TZ": "Asia/Tokyo"}
    other = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert other.stdout.strip() == digest(islice(documents, 300))


def test_a_larger_number_begins_with_the_documents_of_a_smaller_one(documents: list[Document]) -> None:
    assert made(150) == documents[:150]


def test_another_seed_makes_other_documents_without_a_common_key(documents: list[Document]) -> None:
    other = made(2000, seed=8)
    for name in ("_id", "ccbCode", "clientId"):
        assert not {d[name] for d in documents} & {d[name] for d in other}


def test_changing_a_document_changes_no_later_one(documents: list[Document]) -> None:
    generator = synth.contracts(150, 7, until=UNTIL)
    seen = []
    for document in generator:
        seen.append(bson.encode(document))
        document["contacts"].clear()
        document["operation"].clear()
        document.clear()
    assert seen == [bson.encode(document) for document in documents[:150]]


def test_the_first_of_a_billion_documents_comes_at_once(documents: list[Document]) -> None:
    assert next(synth.contracts(10**9, 7, until=UNTIL)) == documents[0]


# The shape


def test_every_document_has_the_fields_of_the_source_in_their_order(documents: list[Document]) -> None:
    for document in documents:
        without_identity = [name for name in DOCUMENT if name != "identity"]
        assert list(document) == (DOCUMENT if "identity" in document else without_identity)
        assert list(document["operation"]) == OPERATION
        assert list(document["operation"]["detalhamentoDaCET"]) == BREAKDOWN
        assert all(list(row) == ROW for row in rows_of(document))


def test_amounts_rates_and_dates_have_the_text_forms_of_the_source(documents: list[Document]) -> None:
    amount = re.compile(r"(0|[1-9]\d*)(\.\d?[1-9])?").fullmatch
    two_decimals = re.compile(r"\d+\.\d\d").fullmatch
    for document in documents:
        operation = document["operation"]
        for name in OPERATION:
            if name == "ValorLiquido":
                assert re.fullmatch(r"\d+\.(0|\d?[1-9])", operation[name])
            elif name == "TaxaDeJuros":
                assert re.fullmatch(r"\d\.\d{4}", operation[name])
            elif name in ("TotalDoValorDasParcelas", "TaxaDeJurosAnual", "CET", "CET_ANUAL"):
                assert two_decimals(operation[name])
            elif name.startswith(("Valor", "Total")):
                assert amount(operation[name])
        assert all(two_decimals(part) for part in operation["detalhamentoDaCET"].values())
        for row in rows_of(document):
            assert all(amount(row[name]) for name in ROW if name.startswith("Valor"))
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT00:00:00", row["DataDeVencimento"])
            assert re.fullmatch(r"\d+", row["NumeroDaParcela"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", document["createdAt"])
        assert re.fullmatch(r"[A-Z]\d{7}-\d{3}", document["ccbCode"])


def test_a_document_survives_bson_unchanged_and_is_about_six_kilobytes(documents: list[Document]) -> None:
    encoded = [bson.encode(document) for document in documents]
    aware = bson.CodecOptions[Document](tz_aware=True, tzinfo=UTC)
    assert [bson.decode(raw, aware) for raw in encoded] == documents
    assert 5_500 < sum(map(len, encoded)) / len(encoded) < 6_700


# The numbers


def check_rows(operation: Document, rows: list[Document]) -> None:
    money = [{name: Decimal(row[name]) for name in ROW if name.startswith("Valor")} for row in rows]
    balance = Decimal(operation["ValorBruto"])
    for row, number in zip(money, (int(row["NumeroDaParcela"]) for row in rows), strict=True):
        charges = row["ValorDaCorrecao"] + row["ValorDoSeguro"] + row["ValorTaxaBancaria"]
        assert row["ValorDoSaldoAnterior"] == balance
        balance += row["ValorDoJuros"] + charges - row["ValorDaPrestacao"]
        assert row["ValorDoSaldoAtual"] == balance
        principal = row["ValorDaPrestacao"] - row["ValorDoJuros"] - charges
        assert row["ValorDaAmortizacao"] == (principal if number else 0)
        assert row["ValorDoJuros"] > 0
    assert balance == 0
    for total, column in (
        ("TotalDeAmortizacao", "ValorDaAmortizacao"),
        ("TotalDeJuros", "ValorDoJuros"),
        ("TotalDoValorDasParcelas", "ValorDaPrestacao"),
    ):
        assert Decimal(operation[total]) == sum(row[column] for row in money)


def compounded(monthly: str) -> Decimal:
    year = ((1 + Decimal(monthly) / 100) ** 12 - 1) * 100
    return year.quantize(Decimal("0.01"), ROUND_HALF_UP)


def test_everything_that_adds_up_on_real_contracts_adds_up_exactly(documents: list[Document]) -> None:
    for document in documents:
        operation, rows = document["operation"], rows_of(document)
        check_rows(operation, rows)
        parts = ("ValorLiquido", "ValorDoIOF", "ValorDoSeguro", "ValorDaCAD")
        assert operation["FinanIOF"] is True
        assert Decimal(operation["ValorBruto"]) == sum(Decimal(operation[part]) for part in parts)
        assert Decimal(operation["TaxaDeJurosAnual"]) == compounded(operation["TaxaDeJuros"])
        assert Decimal(operation["CET_ANUAL"]) == compounded(operation["CET"])
        breakdown = [Decimal(part) for part in operation["detalhamentoDaCET"].values()]
        assert Decimal(operation["CET"]) == sum(breakdown)
        assert min(breakdown) >= 0


def test_counts_and_due_dates_are_those_of_the_schedule(documents: list[Document]) -> None:
    for document in documents:
        operation, rows = document["operation"], rows_of(document)
        due = [row for row in rows if row["NumeroDaParcela"] != "0"]
        days = [date.fromisoformat(row["DataDeVencimento"][:10]) for row in rows]
        assert [row["NumeroDaParcela"] for row in due] == [str(n + 1) for n in range(len(due))]
        assert operation["NumeroDeParcelas"] == len(due)
        assert operation["DataDeVencimentoInicial"] == due[0]["DataDeVencimento"][:10]
        assert operation["DataDeVencimentoInicial"] == operation["VencimentoPrimeiraParcela"]
        assert operation["DataDeVencimentoFinal"] == due[-1]["DataDeVencimento"][:10]
        assert days == sorted(set(days))
        assert date.fromisoformat(operation["DataDeLiberacao"]) < days[0]


def test_every_cpf_and_cnpj_is_valid_and_every_state_exists(documents: list[Document]) -> None:
    for document in documents:
        valid = identifiers.valid_cpf if document["type"] == "PF" else identifiers.valid_cnpj
        assert valid(document["taxId"])
        assert document["state"] in identifiers.UFS


def test_the_pipeline_loads_every_document_without_a_finding(documents: list[Document], judge: Judge) -> None:
    for document in documents:
        judged = judge.judge(bson.encode(document))
        assert isinstance(judged, Accepted)
        assert judged.findings == []
    for document in documents[:40]:  # Cerberus takes its time
        assert judge.contract.judge(document)


# The mix


def test_the_mix_is_that_of_a_real_portfolio(documents: list[Document]) -> None:
    def share(holds: Any) -> float:
        return sum(map(bool, map(holds, documents))) / len(documents)

    contracts_of = Counter(document["clientId"] for document in documents)
    companies = [d["taxId"] for d in documents if d["type"] == "PJ"]
    assert 0.82 < share(lambda d: d["type"] == "PF") < 0.88
    assert 0.25 < sum(not tax_id.isdigit() for tax_id in companies) / len(companies) < 0.42
    assert 0.12 < share(lambda d: contracts_of[d["clientId"]] > 1) < 0.18
    assert 0.56 < share(lambda d: rows_of(d)[0]["NumeroDaParcela"] == "0") < 0.64
    assert 0.07 < share(lambda d: isinstance(d["_id"], ObjectId)) < 0.13
    assert 0.08 < share(lambda d: d["operation"]["ValorDoSeguro"] != "0") < 0.16
    assert 0.05 < share(lambda d: d["operation"]["ValorDaCAD"] != "0") < 0.11
    assert 13 < sum(len(rows_of(d)) for d in documents) / len(documents) < 14.2
    assert {d["operation"]["NumeroDeParcelas"] for d in documents} >= {1, 12, 48}
    for name in ("_id", "ccbCode"):
        assert len({d[name] for d in documents}) == len(documents)


def test_a_client_stays_the_same_but_may_move(documents: list[Document]) -> None:
    first: dict[str, Document] = {}
    changed: Counter[str] = Counter()
    for document in documents:
        known = first.setdefault(document["clientId"], document)
        for name in ("name", "taxId", "type", "birthDate", "state", "motherName", "bankData"):
            assert document[name] == known[name]
        changed.update(name for name in ("address", "contacts") if document[name] != known[name])
    assert min(changed["address"], changed["contacts"]) > 20


@pytest.mark.parametrize("zone", ["America/Sao_Paulo", "America/New_York", "UTC"])
@pytest.mark.parametrize("days", [1, 7, 10])
def test_updates_are_spread_evenly_over_the_local_days_and_keep_off_midnight(zone: str, days: int) -> None:
    found = list(synth.contracts(400, 3, until=date(2026, 11, 5), days=days, timezone=zone))
    local = [document["updatedAt"].astimezone(ZoneInfo(zone)) for document in found]
    per_day = Counter(moment.date() for moment in local)
    first = date(2026, 11, 5) - timedelta(days=days - 1)
    assert sorted(per_day) == [first + timedelta(days=n) for n in range(days)]
    assert max(per_day.values()) - min(per_day.values()) <= 4
    assert len({moment.hour for moment in local}) == 24
    for moment in local:
        assert timedelta(seconds=1) <= since_midnight(moment) <= timedelta(seconds=86_399)
        assert moment.microsecond % 1000 == 0


def since_midnight(moment: datetime) -> timedelta:
    return timedelta(
        hours=moment.hour, minutes=moment.minute, seconds=moment.second, microseconds=moment.microsecond
    )


def test_a_contract_is_created_then_emitted_then_updated(documents: list[Document]) -> None:
    for document in documents:
        created = datetime.fromisoformat(document["createdAt"])
        assert created < document["emitedAt"] < document["updatedAt"]
        assert document["operation"]["DataDeLiberacao"] == created.astimezone(ZONE).date().isoformat()
        if isinstance(document["_id"], ObjectId):
            assert document["_id"].generation_time == created.replace(microsecond=0)


# The other forms, and the bad ones


@pytest.mark.parametrize("kind", VARIANTS)
def test_a_disguised_document_is_loaded_as_the_same_rows(
    kind: str, samples: list[Document], judge: Judge
) -> None:
    differ = 0
    for document in samples:
        before = bson.encode(document)
        disguised = bson.encode(disguise(document, kind))
        assert bson.encode(document) == before
        assert judge.judge(disguised) == judge.judge(before)
        differ += disguised != before
    assert differ


@pytest.mark.parametrize("kind", SPOILED)
def test_a_spoiled_document_is_rejected_for_what_was_spoiled(
    kind: str, samples: list[Document], judge: Judge
) -> None:
    expected = SPOILED[kind]
    for document in samples:
        before = bson.encode(document)
        judged = judge.judge(bson.encode(spoil(document, kind)))
        assert bson.encode(document) == before
        assert isinstance(judged, Refused)
        assert [message.partition(":")[0] for message in judged.messages[expected.path]] == [expected.code]


@pytest.mark.parametrize("kind", FLAGGED)
def test_a_flagged_document_is_loaded_with_the_finding(
    kind: str, samples: list[Document], judge: Judge
) -> None:
    long_enough = 3 if kind in ("prestacao_price", "vencimentos_fora_de_ordem") else 1
    for document in samples:
        if document["operation"]["NumeroDeParcelas"] < long_enough:
            continue  # nothing in so few rows tells a Price table, or an order
        before = bson.encode(document)
        judged = judge.judge(bson.encode(flag(document, kind)))
        assert bson.encode(document) == before
        assert isinstance(judged, Accepted)
        assert kind in [code for code, _ in judged.findings]


def test_there_is_a_bad_document_for_every_code_that_one_document_can_get() -> None:
    assert set(FLAGGED) == set(codes.FINDINGS)
    assert {spoiled.code for spoiled in SPOILED.values()} == set(codes.REJECTIONS) - {
        "bson_invalido",  # no dictionary encodes to it
        "chave_repetida",  # nor to this
        "ccb_duplicado",  # takes two documents
        "id_repetido",  # likewise
        "aninhamento",  # no server stores it
    }


# Files and collections


@pytest.mark.parametrize("name", ["dump.bson", "dump.bson.gz"])
def test_a_dump_holds_the_documents_end_to_end_and_is_the_same_each_time(
    tmp_path: Path, name: str, documents: list[Document]
) -> None:
    path, again = tmp_path / name, tmp_path / f"again-{name}"
    assert synth.write_bson(synth.contracts(1100, 7, until=UNTIL), path) == 1100
    assert synth.write_bson(islice(documents, 1100), again) == 1100
    assert path.read_bytes() == again.read_bytes()
    content = gzip.decompress(path.read_bytes()) if name.endswith(".gz") else path.read_bytes()
    assert content == b"".join(map(bson.encode, documents[:1100]))


class Recorder:
    """Stands for a collection: keeps what it was asked to insert."""

    def __init__(self) -> None:
        self.batches: list[list[Document]] = []

    def insert_many(self, batch: list[Document], *, ordered: bool) -> None:
        assert not ordered
        self.batches.append(batch)


def test_documents_are_inserted_a_thousand_at_a_time() -> None:
    collection: Any = Recorder()
    assert synth.write_mongo(({"_id": n} for n in range(2100)), collection) == 2100
    assert [len(batch) for batch in collection.batches] == [1000, 1000, 100]
    assert synth.write_mongo(iter(()), collection) == 0
