"""What reads well but does not add up (contract §3.8): each finding by a document that causes it alone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import bson
import pytest
from contracts import MISSING, SCHEDULE, Document, changed, contract, parcela, schedule
from hypothesis import given, settings
from hypothesis import strategies as st

from ccb_luigi.codes import FINDINGS, Strictness
from ccb_luigi.documents.judge import Accepted, Judge
from ccb_luigi.documents.sanity import instalment

JUDGE = Judge(ZoneInfo("America/Sao_Paulo"))
PJ = {"type": "PJ", "taxId": "12ABC34501DE35"}


def found_in(document: Document) -> list[tuple[str, str]]:
    judged = JUDGE.judge(bson.encode(document))
    assert isinstance(judged, Accepted), "a finding rejects nothing"
    return judged.findings


def row(number: int, field: str) -> str:
    return f"{SCHEDULE}.{number}.{field}"


def test_a_contract_that_adds_up_has_no_finding() -> None:
    assert found_in(contract()) == []


STATED_TOTALS = (
    "operation.TotalDeAmortizacao",
    "operation.TotalDeJuros",
    "operation.TotalDoValorDasParcelas",
)

TOTALS = ("TotalDeAmortizacao", "TotalDeJuros", "TotalDoValorDasParcelas")

CAUSES: dict[str, tuple[Document, set[str]]] = {
    "sem_data": ({"updatedAt": None, "createdAt": MISSING, "emitedAt": ""}, {"updatedAt"}),
    "arredondado": ({"averageMonthlyIncome": 9800.0000001}, {"averageMonthlyIncome"}),
    "conta_incompleta": ({"bankData": {"bankNumber": "756", "branchNumber": 1}}, {"bankData.0"}),
    "cep_invalido": ({"address.zipCode": "3999-000"}, {"address.0.zipCode"}),
    "cpf_digito": ({"taxId": "39825979195"}, {"taxId"}),
    "cnpj_digito": ({"type": "PJ", "taxId": "12ABC34501DE36"}, {"taxId"}),
    "tipo_documento": ({"type": "PJ"}, {"type"}),
    "uf_desconhecida": ({"address.state": "XX"}, {"address.0.state"}),
    # One balance moved where it is stated twice: the chain holds, the lines on both sides don't.
    "saldo_da_linha": (
        {row(3, "ValorDoSaldoAtual"): "14632.95", row(4, "ValorDoSaldoAnterior"): "14632.95"},
        {row(3, "ValorDoSaldoAtual"), row(4, "ValorDoSaldoAtual")},
    ),
    # Both balances of one row moved: the line holds, the chain breaks before and after it.
    "saldo_encadeado": (
        {row(5, "ValorDoSaldoAnterior"): "13159.32", row(5, "ValorDoSaldoAtual"): "11649.75"},
        {row(5, "ValorDoSaldoAnterior"), row(6, "ValorDoSaldoAnterior")},
    ),
    # A cent of amortização moved from one row to the next: the total holds.
    "prestacao": (
        {row(1, "ValorDaAmortizacao"): "1370.87", row(2, "ValorDaAmortizacao"): "1404.29"},
        {row(1, "ValorDaPrestacao"), row(2, "ValorDaPrestacao")},
    ),
    "saldo_final": (
        {
            row(12, "ValorDaPrestacao"): "1830.52",
            row(12, "ValorDaAmortizacao"): "1786.89",
            row(12, "ValorDoSaldoAtual"): "0.01",
            "operation.TotalDoValorDasParcelas": "21966.35",
            "operation.TotalDeAmortizacao": "18846.64",
        },
        {row(12, "ValorDoSaldoAtual")},
    ),
    "total_amortizacao": ({"operation.TotalDeAmortizacao": "18846.66"}, {"operation.TotalDeAmortizacao"}),
    "total_juros": ({"operation.TotalDeJuros": "3119.71"}, {"operation.TotalDeJuros"}),  # without row 0
    "total_parcelas": (
        {"operation.TotalDoValorDasParcelas": "21966.37"},
        {"operation.TotalDoValorDasParcelas"},
    ),
    "valor_bruto": ({"operation.ValorDoIOF": "412.55"}, {"operation.ValorBruto"}),
    "numero_parcelas": ({"operation.NumeroDeParcelas": 13}, {"operation.NumeroDeParcelas"}),  # with row 0
    "primeiro_vencimento": (
        {"operation.DataDeVencimentoInicial": "2024-04-10"},  # the day of row 0
        {"operation.DataDeVencimentoInicial"},
    ),
    "ultimo_vencimento": (
        {"operation.DataDeVencimentoFinal": "2025-04-11"},
        {"operation.DataDeVencimentoFinal"},
    ),
    "taxa_anual": ({"operation.TaxaDeJurosAnual": "29.27"}, {"operation.TaxaDeJurosAnual"}),  # twelve times
    "cet_anual": ({"operation.CET_ANUAL": "39.64"}, {"operation.CET_ANUAL"}),
    "cet_soma": ({"operation.detalhamentoDaCET.PorcentagemDeTarifas": "0.03"}, {"operation.CET"}),
    # Two middle rows of which each has the other's day: the first and the last day are as stated.
    "vencimentos_fora_de_ordem": (
        {row(4, "DataDeVencimento"): "2024-09-10", row(5, "DataDeVencimento"): "2024-08-10"},
        {row(5, "DataDeVencimento")},
    ),
    "sem_cronograma": (
        {
            SCHEDULE: [],
            **{f"operation.{total}": "0" for total in TOTALS},
            "operation.NumeroDeParcelas": 0,
            "operation.DataDeVencimentoInicial": None,
        },
        {SCHEDULE},
    ),
    "valor_negativo": ({"averageMonthlyIncome": "-0.01"}, {"averageMonthlyIncome"}),
    "valor_zero": (
        {"operation.ValorLiquido": "0", "operation.FinanIOF": False},
        {"operation.ValorLiquido"},
    ),
    "liquido_maior_que_bruto": (
        {"operation.ValorLiquido": "18412.55", "operation.FinanIOF": False},
        {"operation.ValorLiquido"},
    ),
    "liberacao_depois_do_vencimento": (
        {"operation.DataDeLiberacao": "2024-05-11"},
        {"operation.DataDeLiberacao"},
    ),
    "emissao_depois_da_liberacao": (
        # The evening of the 30th day in Sao Paulo would be right; by its midnight it is the 31st.
        {"operation.DataDeLiberacao": "2024-03-12", "emitedAt": datetime(2024, 4, 12, 3, 0, tzinfo=UTC)},
        {"emitedAt"},
    ),
    "cet_menor_que_juros": (
        {"operation.TaxaDeJurosAnual": "33.50", "operation.CET": None, "operation.CET_ANUAL": "33.48"},
        {"operation.CET_ANUAL"},
    ),
    "cet_ausente": (
        {"operation.CET": None, "operation.CET_ANUAL": {"@i:nil": "true"}},
        {"operation.CET_ANUAL"},
    ),
    "prestacao_price": (
        {"operation.TaxaDeJuros": "2.4400", "operation.TaxaDeJurosAnual": "33.55"},
        {row(1, "ValorDaPrestacao")},
    ),
}


def test_every_finding_has_a_document_here() -> None:
    assert CAUSES.keys() == FINDINGS.keys()


@pytest.mark.parametrize("code", CAUSES)
def test_a_cause_has_its_finding_and_no_other(code: str) -> None:
    changes, paths = CAUSES[code]
    found = found_in(contract(**changes))
    assert {name for name, _ in found} == {code}
    assert {path for _, path in found} == paths
    assert len(found) == len(set(found))


@pytest.mark.parametrize("code", CAUSES)
def test_a_finding_that_is_promoted_rejects(code: str) -> None:
    changes, paths = CAUSES[code]
    strict = Judge(JUDGE.zone, Strictness(frozenset({code})))
    judged = strict.judge(bson.encode(contract(**changes)))
    assert not isinstance(judged, Accepted)
    assert judged.codes == [code]
    assert judged.messages.keys() == paths
    assert isinstance(strict.judge(bson.encode(contract())), Accepted)


@pytest.mark.parametrize(
    "changes",
    [
        {"operation.FinanIOF": False, "operation.ValorLiquido": "1"},
        {"operation.FinanIOF": None, "operation.ValorLiquido": "1"},
        # valor_bruto = líquido + IOF + seguro + CAD: each part counts.
        {"operation.ValorDoIOF": "400.54", "operation.ValorDoSeguro": "10", "operation.ValorDaCAD": "2"},
        {"operation.ValorDoIOF": None, "operation.ValorLiquido": "18412.54"},
        {"operation.TaxaDeJurosAnual": "33.62"},  # ((1 + 2.4390%)^12 - 1) is 33.5315...%, and 0.10 is allowed
        {"operation.TaxaDeJurosAnual": "33.44"},
        {"operation.CET": "2.78", "operation.CET_ANUAL": "38.96"},  # the parts are 2.76, and 0.02 is allowed
        {"operation.TaxaDeJuros": None},
        {"operation.CET_ANUAL": None},
        {"operation.detalhamentoDaCET": None},
        {"operation.NumeroDeParcelas": None},
        {"operation.TotalDeJuros": None},
        {"operation.DataDeVencimentoInicial": "0001-01-01T00:00:00"},
        {"taxId": "398.259.791-94"},
        {**PJ},
        {"state": "mg"},
        {"address.state": None},
        {SCHEDULE: list(reversed(schedule()))},
        {SCHEDULE: [None, *schedule(), None]},
        # Charges belong to the line and to the payment alike.
        {
            row(1, "ValorDoSeguro"): "1.00",
            row(1, "ValorDaCorrecao"): "2.00",
            row(1, "ValorTaxaBancaria"): "3.00",
            row(1, "ValorDaPrestacao"): "1836.53",
            "operation.TotalDoValorDasParcelas": "21972.36",
        },
        {row(1, "ValorDoJurosCapitalizados"): "434.11"},
    ],
    ids=lambda changes: ",".join(changes)[:60],
)
def test_what_adds_up_or_can_not_be_judged_has_no_finding(changes: Document) -> None:
    assert found_in(contract(**changes)) == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"operation.TaxaDeJurosAnual": "33.64"}, "taxa_anual"),
        ({"operation.TaxaDeJurosAnual": "33.43"}, "taxa_anual"),
        ({"operation.CET": "2.79", "operation.CET_ANUAL": "39.12"}, "cet_soma"),
        ({"operation.CET": "2.73", "operation.CET_ANUAL": "38.16"}, "cet_soma"),
        ({"taxId": "11111111111"}, "cpf_digito"),
        ({"taxId": "00000000000000", "type": "PJ"}, "cnpj_digito"),
        ({**PJ, "type": "PF"}, "tipo_documento"),
        ({"state": "EX"}, "uf_desconhecida"),
        ({"identity.issuerState": "MGX"}, "uf_desconhecida"),
        ({row(0, "ValorDaCorrecao"): "1"}, "saldo_da_linha"),
        ({"operation.TaxaDeJuros": "1" + "0" * 500}, "taxa_anual"),
        ({"operation.ValorDaCAD": 1e-9}, "arredondado"),
        ({"operation.ValorDaCAD": {"$numberDouble": "0.0000000001"}}, "arredondado"),
        ({row(7, "ValorDoSeguro"): 1e-9}, "arredondado"),
    ],
    ids=repr,
)
def test_what_does_not_add_up_is_found_wherever_it_is(changes: Document, code: str) -> None:
    assert {name for name, _ in found_in(contract(**changes))} == {code}


def test_findings_are_told_at_the_index_of_the_source() -> None:
    document = contract([None, *schedule()])
    changed(document, f"{SCHEDULE}.3.ValorDaCorrecao", "1")
    assert found_in(document)[0] == ("saldo_da_linha", f"{SCHEDULE}.3.ValorDoSaldoAtual")


AMOUNTS = (
    "ValorDaAmortizacao",
    "ValorDaCorrecao",
    "ValorDoJuros",
    "ValorDoSeguro",
    "ValorTaxaBancaria",
    "ValorDaPrestacao",
    "ValorDoSaldoAnterior",
    "ValorDoSaldoAtual",
)
"""All but ValorDoJurosCapitalizados, which no rule names."""


def in_cents(amount: str) -> int:
    whole, _, part = amount.partition(".")
    return (-1 if amount.startswith("-") else 1) * (abs(int(whole)) * 100 + int(part.ljust(2, "0") or 0))


def as_amount(cents: int) -> str:
    return f"{'-' * (cents < 0)}{abs(cents) // 100}.{abs(cents) % 100:02d}"


@pytest.mark.parametrize("field", AMOUNTS)
@pytest.mark.parametrize("by", [-1, 1])
def test_one_cent_more_or_less_anywhere_in_the_schedule_is_found(field: str, by: int) -> None:
    for number in range(13):
        document = contract()
        held = document["operation"]["parcelas"]["PrevisaoDeParcela"][number]
        held[field] = as_amount(in_cents(held[field]) + by)
        assert found_in(document), (number, field)


@pytest.mark.parametrize("number", range(13))
def test_a_row_that_is_not_there_is_found(number: int) -> None:
    rows = schedule()
    del rows[number]
    assert found_in(contract(rows))


def by_hand(document: Document) -> set[str]:
    """The codes of the schedule's rules, in whole cents, from the words of the contract."""
    operation = document["operation"]
    rows = sorted(operation["parcelas"]["PrevisaoDeParcela"], key=lambda r: int(r["NumeroDaParcela"]))
    cents = [{name: in_cents(r[name]) for name in AMOUNTS} for r in rows]
    codes = set()
    due = [r for r in rows if r["NumeroDaParcela"] != "0"]
    if len(due) != operation["NumeroDeParcelas"]:
        codes.add("numero_parcelas")
    balance = in_cents(operation["ValorBruto"])
    for r, c in zip(rows, cents, strict=True):
        charges = c["ValorDaCorrecao"] + c["ValorDoSeguro"] + c["ValorTaxaBancaria"]
        gained = c["ValorDoJuros"] + charges - c["ValorDaPrestacao"]
        if c["ValorDoSaldoAtual"] != c["ValorDoSaldoAnterior"] + gained:
            codes.add("saldo_da_linha")
        if c["ValorDoSaldoAnterior"] != balance:
            codes.add("saldo_encadeado")
        balance = c["ValorDoSaldoAtual"]
        paid = c["ValorDaAmortizacao"] + c["ValorDoJuros"] + charges
        if r["NumeroDaParcela"] != "0" and c["ValorDaPrestacao"] != paid:
            codes.add("prestacao")
    if rows and balance:
        codes.add("saldo_final")
    for code, total, name in (
        ("total_amortizacao", "TotalDeAmortizacao", "ValorDaAmortizacao"),
        ("total_juros", "TotalDeJuros", "ValorDoJuros"),
        ("total_parcelas", "TotalDoValorDasParcelas", "ValorDaPrestacao"),
    ):
        if in_cents(operation[total]) != sum(c[name] for c in cents):
            codes.add(code)
    if not rows and (operation["NumeroDeParcelas"] or any(in_cents(operation[total]) for total in TOTALS)):
        codes.add("sem_cronograma")
    days = [r["DataDeVencimento"][:10] for r in rows]
    if any(after <= before for before, after in pairwise(days)):
        codes.add("vencimentos_fora_de_ordem")
    if any(amount < 0 for c in cents for amount in c.values()):
        codes.add("valor_negativo")
    if due and due[0]["DataDeVencimento"][:10] != operation["DataDeVencimentoInicial"]:
        codes.add("primeiro_vencimento")
    if due and due[-1]["DataDeVencimento"][:10] != operation["DataDeVencimentoFinal"]:
        codes.add("ultimo_vencimento")
    return codes


def test_the_rules_by_hand_agree_that_the_example_holds() -> None:
    assert by_hand(contract()) == set()


@st.composite
def small_contracts(draw: Any) -> Document:
    """Two or three rows, true or with some amounts moved by a cent, some rows gone, some dates changed."""
    grace = draw(st.booleans())
    rows = [
        parcela(1, "2024-05-10", "100.00", "2.00", "102.00", "200.00", "100.00"),
        parcela(2, "2024-06-10", "100.00", "1.00", "101.00", "100.00", "0.00"),
    ]
    if grace:
        rows.insert(0, parcela(0, "2024-04-10", "0.00", "5.00", "0.00", "195.00", "200.00"))
    document = contract(
        rows,
        **{
            "operation.FinanIOF": False,
            "operation.ValorLiquido": "190.00",
            "operation.ValorBruto": "195.00" if grace else "200.00",
            "operation.NumeroDeParcelas": 2,
            "operation.DataDeVencimentoInicial": "2024-05-10",
            "operation.DataDeVencimentoFinal": "2024-06-10",
            "operation.TotalDeAmortizacao": "200.00",
            "operation.TotalDeJuros": "8.00" if grace else "3.00",
            "operation.TotalDoValorDasParcelas": "203.00",
        },
    )
    operation = document["operation"]
    moves = draw(
        st.lists(
            st.tuples(st.integers(0, len(rows) - 1), st.sampled_from(AMOUNTS), st.sampled_from([-1, 1])),
            max_size=4,
        )
    )
    for number, field, by in moves:
        held = operation["parcelas"]["PrevisaoDeParcela"][number]
        held[field] = as_amount(in_cents(held[field]) + by)
    for total in ("TotalDeAmortizacao", "TotalDeJuros", "TotalDoValorDasParcelas", "ValorBruto"):
        operation[total] = as_amount(in_cents(operation[total]) + draw(st.sampled_from([0, 0, 0, 1])))
    if draw(st.sampled_from([False] * 4 + [True])):
        del operation["parcelas"]["PrevisaoDeParcela"][draw(st.integers(0, len(rows) - 1))]
    if draw(st.sampled_from([False] * 4 + [True])):
        operation["parcelas"]["PrevisaoDeParcela"].reverse()
    if draw(st.sampled_from([False] * 4 + [True])):
        operation["DataDeVencimentoFinal"] = "2024-07-10"
    return document


@settings(max_examples=200, deadline=None)
@given(small_contracts())
def test_the_findings_on_a_schedule_are_those_of_the_rules_by_hand(document: Document) -> None:
    assert {code for code, _ in found_in(document)} == by_hand(document)


# --- the Price table ----------------------------------------------------------------------------------


def price_by_fractions(balance: Decimal, rate: Decimal, count: int) -> Decimal:
    """In whole fractions, by summing the discounted payments: no formula shared with the code."""
    monthly = Fraction(rate) / 100
    present = sum((Fraction(1) / (1 + monthly) ** k for k in range(1, count + 1)), Fraction(0))
    cents = Fraction(balance) / present * 100
    return Decimal((2 * cents.numerator + cents.denominator) // (2 * cents.denominator)).scaleb(-2)


@settings(deadline=None)
@given(
    st.decimals("0.01", "10000000", places=2, allow_nan=False),
    st.decimals("0", "30", places=4, allow_nan=False),
    st.integers(1, 120),
)
def test_an_instalment_of_the_price_table_is_what_its_discounted_sum_says(
    balance: Decimal, rate: Decimal, count: int
) -> None:
    assert instalment(balance, rate, count) == price_by_fractions(balance, rate, count)


def test_the_example_s_instalment() -> None:
    assert instalment(Decimal("18846.65"), Decimal("2.4390"), 12) == Decimal("1830.53")


@pytest.mark.parametrize(
    "changes",
    [
        {"operation.TaxaDeJuros": None, "operation.TaxaDeJurosAnual": None},
        {"operation.TaxaDeJuros": "-1", "operation.TaxaDeJurosAnual": None},
        {"operation.TaxaDeJuros": "1001", "operation.TaxaDeJurosAnual": None},
        {"operation.TaxaDeJuros": f"2.4390{'0' * 20}"},
        # One row pays another amount: no level instalments, so nothing to compare.
        {
            row(2, "ValorDaPrestacao"): "1831.53",
            row(2, "ValorDoJuros"): "427.23",
            "operation.TotalDoValorDasParcelas": "21967.36",
            "operation.TotalDeJuros": "3554.82",
        },
    ],
    ids=["no rate", "below zero", "above what loans have", "more digits than rates have", "not level"],
)
def test_what_no_price_table_can_be_made_of_is_not_judged_by_one(changes: Document) -> None:
    assert "prestacao_price" not in {code for code, _ in found_in(contract(**changes))}


def test_a_loan_that_pays_interest_alone_until_its_end_is_no_price_table() -> None:
    rows = [
        parcela(1, "2024-05-10", "0", "2.00", "2.00", "100.00", "100.00"),
        parcela(2, "2024-06-10", "0", "2.00", "2.00", "100.00", "100.00"),
        parcela(3, "2024-07-10", "100.00", "2.00", "102.00", "100.00", "0"),
    ]
    changes = {"FinanIOF": False, "ValorLiquido": "99.00", "ValorBruto": "100.00", "NumeroDeParcelas": 3}
    totals = {"TotalDeAmortizacao": "100", "TotalDeJuros": "6", "TotalDoValorDasParcelas": "106"}
    last = {"DataDeVencimentoFinal": "2024-07-10"}
    whole = {f"operation.{name}": value for name, value in (changes | totals | last).items()}
    assert found_in(contract(rows, **whole)) == []


def test_a_level_schedule_with_insurance_on_every_row_is_judged_without_it() -> None:
    rows = schedule()
    for one in rows[1:]:
        one["ValorDoSeguro"], one["ValorDaPrestacao"] = "10.00", "1840.53"
    assert found_in(contract(rows, **{"operation.TotalDoValorDasParcelas": "22086.36"})) == []


@pytest.mark.parametrize("listed", [MISSING, None, [], [None], {"@i:nil": "true"}])
def test_a_schedule_under_another_name_is_no_schedule(listed: Any) -> None:
    document = contract()
    held = document["operation"]["parcelas"]
    held["Parcelas"] = held.pop("PrevisaoDeParcela")
    if listed is not MISSING:
        held["PrevisaoDeParcela"] = listed
    document["operation"]["NumeroDeParcelas"] = None
    assert set(found_in(document)) == {
        ("sem_cronograma", SCHEDULE),
        *((code, f"operation.{total}") for code, total in zip(TOTAL_CODES, TOTALS, strict=True)),
    }


TOTAL_CODES = ("total_amortizacao", "total_juros", "total_parcelas")


def test_a_contract_that_speaks_of_no_schedule_needs_none() -> None:
    none = dict.fromkeys(("NumeroDeParcelas", "DataDeVencimentoInicial", "DataDeVencimentoFinal", *TOTALS))
    document = contract(**{SCHEDULE: [], **{f"operation.{name}": value for name, value in none.items()}})
    assert found_in(document) == []


@pytest.mark.parametrize("days", [0, 30, 365])
def test_how_late_an_emission_may_be_is_a_setting(days: int) -> None:
    judge = Judge(JUDGE.zone, Strictness(emission_days=days))
    for late in (days, days + 1):
        emitted = (date(2024, 3, 12) + timedelta(days=late)).isoformat()
        changes = {"operation.DataDeLiberacao": "2024-03-12", "emitedAt": emitted}
        judged = judge.judge(bson.encode(contract(**changes)))
        assert isinstance(judged, Accepted)
        assert [code for code, _ in judged.findings] == ["emissao_depois_da_liberacao"] * (late > days)


@pytest.mark.parametrize(("rest", "is_found"), [("-0.03", False), ("-0.04", True)])
def test_a_cent_per_instalment_that_rounding_leaves_to_the_last_interest_is_no_negative_amount(
    rest: str, is_found: bool
) -> None:
    rows = [
        parcela(1, "2024-05-10", "33.33", "0", "33.33", "100.00", "66.67"),
        parcela(2, "2024-06-10", "33.33", "0", "33.33", "66.67", "33.34"),
        parcela(3, "2024-07-10", "33.34", rest, "33.31", "33.34", "0"),
    ]
    assert ("valor_negativo" in {code for code, _ in found_in(contract(rows))}) == is_found


def test_before_the_last_row_an_interest_below_zero_is_found() -> None:
    found = found_in(contract(**{row(11, "ValorDoJuros"): "-0.01"}))
    assert ("valor_negativo", row(11, "ValorDoJuros")) in found


def test_a_release_after_the_first_row_s_due_date_is_found_whatever_the_stated_first_day() -> None:
    changes = {"operation.DataDeLiberacao": "2024-05-11", "operation.VencimentoPrimeiraParcela": "2024-06-10"}
    assert found_in(contract(**changes)) == [("liberacao_depois_do_vencimento", "operation.DataDeLiberacao")]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((total, "1.00") for total in ("TotalDoSeguro", "TotalDaTaxaDeServico", "TotalDaTaxaDeCorrecao")),
        ("NumeroDeParcelas", 12),
    ],
)
def test_a_total_or_a_number_of_rows_speaks_of_a_schedule(name: str, value: Any) -> None:
    none = dict.fromkeys(("NumeroDeParcelas", "DataDeVencimentoInicial", "DataDeVencimentoFinal", *TOTALS))
    changes = {f"operation.{each}": said for each, said in (none | {name: value}).items()}
    also = [("numero_parcelas", f"operation.{name}")] * (name == "NumeroDeParcelas")
    assert found_in(contract(**{SCHEDULE: [], **changes})) == [*also, ("sem_cronograma", SCHEDULE)]
