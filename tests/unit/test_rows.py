"""The rows of the eight tables against rows written by hand (contract §2), in the columns' order."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from bson import Decimal128, Int64, ObjectId
from contracts import MISSING, SCHEDULE, Document, contract, parcela, schedule

from ccb_luigi.documents.contract import Contract
from ccb_luigi.documents.extras import extras
from ccb_luigi.documents.rows import Rows, parcelas, rows_of
from ccb_luigi.documents.schedule import schedule_of

CHECKER = Contract(ZoneInfo("America/Sao_Paulo"))
PJ = {"type": "PJ", "taxId": "12.ABC.345/01DE-35"}


def checked(document: Document) -> Document:
    """The normalised document, by the first way through the contract that is sure of it."""
    return CHECKER.compiled(document) or CHECKER.judge(document)


def rows(**changes: Any) -> Rows:
    document = contract(**changes)
    return all_rows(checked(document), document)


def all_rows(normal: Document, raw: Document) -> Rows:
    found = rows_of(normal, extras(raw), lambda: raw)
    found.tables["parcelas"] = parcelas(row for _, row in schedule_of(normal).indexed())
    return found


def table(name: str, /, **changes: Any) -> list[tuple[Any, ...]]:
    """The rows of one table; both ways through the contract must give the same."""
    document = contract(**changes)
    found = all_rows(checked(document), document).tables[name]
    assert all_rows(CHECKER.judge(document), document).tables[name] == found
    return found


def extras_of(**changes: Any) -> Document:
    found: Document = json.loads(rows(**changes).tables["operacoes"][0][-1])
    return found


def test_there_are_rows_for_each_of_the_eight_tables() -> None:
    assert {name: len(found) for name, found in rows().tables.items()} == {
        "clientes": 1,
        "identidades": 2,
        "enderecos": 1,
        "contatos": 2,
        "dados_bancarios": 1,
        "operacoes": 1,
        "parcelas": 13,
        "detalhamento_cet": 1,
    }
    assert rows().left_out == []


# --- clientes, identidades --------------------------------------------------------------------------


def test_the_client_of_a_person() -> None:
    assert table("clientes") == [
        (
            "BENTO ARAÚJO GUIMARÃES",
            "PF",
            "39825979194",
            date(1979, 5, 21),
            "casado",
            "Santa Rita do Exemplo",
            "masculino",
            "Clara Araújo",
            False,
            "MG",
            "FIDC - Modelo",
            Decimal("9800.00"),
        )
    ]


def test_the_client_of_a_company_without_anything_that_it_may_lack() -> None:
    optional = [
        "birthDate",
        "maritalStatus",
        "birthPlace",
        "gender",
        "motherName",
        "pep",
        "state",
        "structure",
        "averageMonthlyIncome",
    ]
    nothing = (None,) * 9
    found = table("clientes", name="  ACME\n", **PJ, **dict.fromkeys(optional, MISSING))
    assert found == [("ACME", "PJ", "12ABC34501DE35", *nothing)]


def test_a_person_has_a_cpf_and_an_rg() -> None:
    assert table("identidades") == [
        ("CPF", "39825979194", None, None),
        ("RG", "12.345.678", "SSP", "MG"),
    ]


@pytest.mark.parametrize(
    "none", [MISSING, None, "", {}, [], [None], {"issuer": None, "number": " "}], ids=repr
)
def test_without_a_number_there_is_no_rg(none: Any) -> None:
    assert table("identidades", identity=none) == [("CPF", "39825979194", None, None)]


def test_a_company_has_a_cnpj() -> None:
    assert table("identidades", **PJ, identity=None) == [("CNPJ", "12ABC34501DE35", None, None)]


def test_the_kind_of_the_tax_id_follows_its_own_shape() -> None:
    assert table("identidades", type="PJ", identity=None) == [("CPF", "39825979194", None, None)]


def test_an_int_is_padded_by_the_type_of_the_person() -> None:
    assert table("identidades", taxId=191, identity=None) == [("CPF", "00000000191", None, None)]
    assert table("identidades", taxId=Int64(191), type="PJ", identity=None) == [
        ("CNPJ", "00000000000191", None, None)
    ]


def test_of_several_rgs_the_first_with_a_number_counts_and_the_others_are_extras() -> None:
    listed = [
        None,
        {"issuer": "DETRAN"},
        {"number": 123, "issuer": "SSP", "issuerState": "SP"},
        {"number": "456", "issuer": "SSP", "issuerState": "RJ"},
    ]
    assert table("identidades", identity=listed)[1:] == [("RG", "123", "SSP", "SP")]
    found = extras_of(identity=listed)
    assert found["identity.1"] == {"issuer": "DETRAN"}
    assert found["identity.3"] == {"number": "456", "issuer": "SSP", "issuerState": "RJ"}


# --- enderecos --------------------------------------------------------------------------------------

STREET = {"zipCode": "01001-000", "state": "SP", "city": "São Paulo", "address": "Praça da Sé", "number": 1}
STREET_ROW = ("01001000", "SP", "São Paulo", "Praça da Sé", None, "1", None)


def test_the_address_of_the_document() -> None:
    assert table("enderecos") == [
        (
            "residencial",
            "39999000",
            "MG",
            "Santa Rita do Exemplo",
            "CÓRREGO DA BOA VISTA",
            "Rural",
            "0",
            None,
        )
    ]


@pytest.mark.parametrize(
    ("person", "said", "kind"),
    [
        ({}, MISSING, "residencial"),
        (PJ, MISSING, "comercial"),
        ({}, "", "residencial"),
        (PJ, None, "comercial"),
        ({}, "comercial", "comercial"),
        ({}, "COMERCIAL", "comercial"),
        (PJ, "residencial", "residencial"),
        (PJ, " Residencial ", "residencial"),
        ({}, "cobrança", "residencial"),
        (PJ, "cobrança", "comercial"),
    ],
    ids=repr,
)
def test_an_address_is_of_the_kind_it_says_or_of_the_usual_one(
    person: Document, said: Any, kind: str
) -> None:
    item = STREET if said is MISSING else {**STREET, "type": said}
    assert table("enderecos", **person, address=item) == [(kind, *STREET_ROW)]


def test_a_kind_that_is_neither_is_kept_among_the_extras() -> None:
    assert extras_of(address={**STREET, "type": "cobrança"})["address.0.type"] == "cobrança"


def test_of_two_addresses_of_one_kind_the_first_counts_and_the_other_is_an_extra() -> None:
    second = {"zipCode": "20000-000", "city": "Rio"}
    listed = [None, STREET, second, {"type": "comercial", "city": "Santos", "complement": "sala 2"}]
    assert table("enderecos", address=listed) == [
        ("residencial", *STREET_ROW),
        ("comercial", None, None, "Santos", None, None, None, "sala 2"),
    ]
    assert extras_of(address=listed)["address.2"] == second


@pytest.mark.parametrize("nothing", [MISSING, None, {}, [], [None, {}], {"city": " "}], ids=repr)
def test_an_address_that_says_nothing_has_no_row(nothing: Any) -> None:
    assert table("enderecos", address=nothing) == []


def test_a_cep_that_came_as_an_int_has_its_zero_back() -> None:
    assert table("enderecos", address={"zipCode": 1001000}) == [("residencial", "01001000", *[None] * 6)]


def test_a_cep_without_eight_digits_is_left_out_with_a_finding_and_kept_among_the_extras() -> None:
    found = rows(address={**STREET, "zipCode": "0100-000"})
    assert found.tables["enderecos"] == [("residencial", None, *STREET_ROW[1:])]
    assert found.left_out == [("address.0.zipCode", "cep_invalido")]
    assert json.loads(found.tables["operacoes"][0][-1])["address.0.zipCode"] == "0100-000"


# --- contatos, dados_bancarios ----------------------------------------------------------------------


def test_contacts_are_a_row_each_whether_text_or_list_and_never_twice() -> None:
    assert table("contatos") == [("email", "bento@example.com"), ("telefone", "(11) 90000-0000")]
    found = table(
        "contatos",
        contacts={"email": ["a@x.br", None, " a@x.br ", "b@x.br", ""], "phone": ["1", 1, "a@x.br", "1 "]},
    )
    assert sorted(found) == [
        ("email", "a@x.br"),
        ("email", "b@x.br"),
        ("telefone", "1"),
        ("telefone", "a@x.br"),
    ]


@pytest.mark.parametrize("nothing", [MISSING, None, {}, {"email": None, "phone": []}, {"fax": "1"}], ids=repr)
def test_without_contacts_there_are_no_rows(nothing: Any) -> None:
    assert table("contatos", contacts=nothing) == []


@pytest.mark.parametrize(
    ("item", "row"),
    [
        ({"bankNumber": "756", "branchNumber": 4103, "accountNumber": 8079}, ("756", "4103", "8079")),
        (
            {"bankNumber": "001", "branchNumber": "0012-3", "accountNumber": "0045-X"},
            ("001", "0012-3", "0045-X"),
        ),
        ({"bankNumber": 1, "branchNumber": Int64(2), "accountNumber": 3.0}, ("1", "2", "3")),
        ({"bankNumber": 0, "branchNumber": 0, "accountNumber": 0}, ("0", "0", "0")),
    ],
    ids=repr,
)
def test_an_account_is_text_and_an_int_its_digits(item: Document, row: tuple[str, ...]) -> None:
    assert table("dados_bancarios", bankData=item) == [row]


def test_an_account_twice_is_one_row() -> None:
    one, other = (
        {"bankNumber": "1", "branchNumber": 2, "accountNumber": "3"},
        {
            "bankNumber": 1,
            "branchNumber": "2",
            "accountNumber": 3,
        },
    )
    assert table("dados_bancarios", bankData=[one, None, other]) == [("1", "2", "3")]


@pytest.mark.parametrize("lacking", ["bankNumber", "branchNumber", "accountNumber"])
def test_an_account_that_lacks_a_part_is_left_out_with_a_finding_and_kept_among_the_extras(
    lacking: str,
) -> None:
    whole = {"bankNumber": "1", "branchNumber": 2, "accountNumber": "3"}
    part = {**whole, lacking: ""}
    found = rows(bankData=[whole, part])
    assert found.tables["dados_bancarios"] == [("1", "2", "3")]
    assert found.left_out == [("bankData.1", "conta_incompleta")]
    assert json.loads(found.tables["operacoes"][0][-1])["bankData.1"] == part


def test_an_only_account_that_lacks_a_part_is_told_at_index_zero() -> None:
    found = rows(bankData={"bankNumber": 756})
    assert found.tables["dados_bancarios"] == []
    assert found.left_out == [("bankData.0", "conta_incompleta")]
    assert json.loads(found.tables["operacoes"][0][-1])["bankData.0"] == {"bankNumber": 756}


# --- operacoes, parcelas, detalhamento_cet ----------------------------------------------------------


def test_the_row_of_the_operation() -> None:
    ((*columns, extras),) = table("operacoes")
    assert columns == [
        "Enviada",
        date(2024, 5, 10),
        None,
        True,
        "110000000",
        Decimal("18412.54"),
        Decimal("0.00"),
        Decimal("0.00"),
        Decimal("412.54"),
        Decimal("18000.00"),
        Decimal("2.4390"),
        Decimal("33.53"),
        Decimal("2.76"),
        Decimal("38.64"),
        date(2024, 3, 12),
        date(2024, 5, 10),
        date(2025, 4, 10),
        12,
        Decimal("18846.65"),
        Decimal("0.00"),
        Decimal("0.00"),
        Decimal("0.00"),
        Decimal("3553.82"),
        Decimal("21966.36"),
        datetime(2024, 3, 12, 12, 20, 19, 93_830, tzinfo=UTC),
        datetime(2024, 3, 12, 12, 28, 25, 832_000, tzinfo=UTC),
    ]
    assert str(columns[10]) == "2.4390"
    assert json.loads(extras) == {"guarantors": None, "bank": None, "sendVortx": "True"}


def test_every_column_has_the_field_of_its_own() -> None:
    """Each amount a number of its own, so that no two columns can be mixed up."""
    amounts = [
        "ValorBruto",
        "ValorDoSeguro",
        "ValorDaCAD",
        "ValorDoIOF",
        "ValorLiquido",
        "TotalDeAmortizacao",
        "TotalDaTaxaDeServico",
        "TotalDoSeguro",
        "TotalDaTaxaDeCorrecao",
        "TotalDeJuros",
        "TotalDoValorDasParcelas",
    ]
    changes = {f"operation.{name}": str(number) for number, name in enumerate(amounts, 1)}
    row = table("operacoes", **changes)[0]
    assert [int(value) for value in (*row[5:10], *row[18:24])] == list(range(1, 12))


def test_a_bare_operation_has_nulls() -> None:
    bare = {"VencimentoPrimeiraParcela": "2024-05-10", "ValorBruto": "2", "ValorLiquido": "1"}
    found = rows(operation=bare, status=MISSING, createdAt=MISSING, emitedAt=MISSING).tables
    row = found["operacoes"][0]
    assert [value for value in row[:-1] if value is not None] == [
        date(2024, 5, 10),
        Decimal("2.00"),
        Decimal("1.00"),
    ]
    assert (row[1], row[5], row[9]) == (date(2024, 5, 10), Decimal("2.00"), Decimal("1.00"))
    assert found["parcelas"] == found["detalhamento_cet"] == []


def test_the_rows_of_the_schedule_with_the_grace_period() -> None:
    found = table("parcelas")
    zero = Decimal("0.00")
    assert found[0] == (
        0,
        date(2024, 4, 10),
        zero,
        zero,
        Decimal("434.11"),
        zero,
        zero,
        zero,
        Decimal("18412.54"),
        zero,
        Decimal("18846.65"),
    )
    assert found[12] == (
        12,
        date(2025, 4, 10),
        Decimal("1786.90"),
        zero,
        Decimal("43.63"),
        zero,
        zero,
        Decimal("1830.53"),
        Decimal("1786.90"),
        zero,
        zero,
    )
    assert [row[0] for row in found] == list(range(13))


def test_every_amount_of_a_row_has_a_column_of_its_own() -> None:
    fields = {
        "ValorDaAmortizacao": 2,
        "ValorDaCorrecao": 3,
        "ValorDoJuros": 4,
        "ValorDoSeguro": 5,
        "ValorTaxaBancaria": 6,
        "ValorDaPrestacao": 7,
        "ValorDoSaldoAnterior": 8,
        "ValorDoJurosCapitalizados": 9,
        "ValorDoSaldoAtual": 10,
    }
    row = {"NumeroDaParcela": 1, "DataDeVencimento": "2024-05-10", **fields}
    assert table("parcelas", schedule=row) == [(1, date(2024, 5, 10), *map(Decimal, range(2, 11)))]
    assert table("parcelas", schedule={"NumeroDaParcela": 1, "DataDeVencimento": "2024-05-10"}) == [
        (1, date(2024, 5, 10), *[None] * 9)
    ]


@pytest.mark.parametrize("empty", [[], None, "", [None], {"@i:nil": "true"}], ids=repr)
def test_without_a_schedule_there_are_no_parcelas(empty: Any) -> None:
    assert table("parcelas", **{SCHEDULE: empty}) == []


def test_an_only_row_that_is_an_object_is_a_parcela() -> None:
    assert [
        row[0] for row in table("parcelas", schedule=parcela(1, "2024-05-10", "1", "0", "1", "1", "0"))
    ] == [1]


def test_null_rows_of_the_schedule_are_skipped() -> None:
    assert len(table("parcelas", schedule=[None, *schedule(), {"@i:nil": "true"}])) == 13


def test_the_breakdown_of_the_cet() -> None:
    assert table("detalhamento_cet") == [(Decimal("2.44"), Decimal("0.32"), Decimal("0.00"), Decimal("0.00"))]
    one = {"PorcentagemDeTarifas": "1.50"}
    assert table("detalhamento_cet", **{"operation.detalhamentoDaCET": one}) == [
        (None, None, Decimal("1.50"), None)
    ]
    for nothing in (None, {}, {"@xsi:nil": "true"}, MISSING):
        assert table("detalhamento_cet", **{"operation.detalhamentoDaCET": nothing}) == []


# --- extras -----------------------------------------------------------------------------------------


def test_whatever_has_no_column_is_kept_as_extended_json_under_its_path() -> None:
    nested = {"at": datetime(2024, 5, 3, tzinfo=UTC), "by": [ObjectId("65f04e2c9d1e8a0001a1b2c3"), 1.5, None]}
    found = extras_of(
        guarantors=[{"name": "x"}],
        nova=nested,
        **{"operation.Taxa": Decimal128("1.10"), f"{SCHEDULE}.2.Nota": "é"},
    )
    assert found == {
        "guarantors": [{"name": "x"}],
        "bank": None,
        "sendVortx": "True",
        "nova": {
            "at": {"$date": "2024-05-03T00:00:00Z"},
            "by": [{"$oid": "65f04e2c9d1e8a0001a1b2c3"}, 1.5, None],
        },
        "operation.Taxa": {"$numberDecimal": "1.10"},
        f"{SCHEDULE}.2.Nota": "é",
    }


def test_what_json_has_no_number_for_is_still_json() -> None:
    text = rows(nova=[float("nan"), float("inf"), Decimal128("NaN"), b"\0\xff"]).tables["operacoes"][0][-1]

    def no_constant(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    assert json.loads(text, parse_constant=no_constant)["nova"][0] == {"$numberDouble": "NaN"}


def test_a_document_without_anything_new_has_an_empty_object() -> None:
    assert extras_of(guarantors=MISSING, bank=MISSING, sendVortx=MISSING) == {}
