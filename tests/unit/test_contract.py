"""What a valid document is, how it is normalised, and how every fault is told (contract §1, §3.7)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from bson import Decimal128, Int64, ObjectId
from contracts import MISSING, SCHEDULE, Document, changed, contract, field_paths, parcela, schedule

from ccb_luigi.codes import REJECTIONS
from ccb_luigi.documents.contract import Contract, Rejected

SAO_PAULO = ZoneInfo("America/Sao_Paulo")
CHECKER = Contract(SAO_PAULO)
CANARY = "ZZCANARYZZ"

MONTH_OF_GRACE = {
    "NumeroDaParcela": 0,
    "DataDeVencimento": date(2024, 4, 10),
    "ValorDaAmortizacao": Decimal("0.00"),
    "ValorDaCorrecao": Decimal("0.00"),
    "ValorDoJuros": Decimal("434.11"),
    "ValorDoSeguro": Decimal("0.00"),
    "ValorTaxaBancaria": Decimal("0.00"),
    "ValorDaPrestacao": Decimal("0.00"),
    "ValorDoSaldoAnterior": Decimal("18412.54"),
    "ValorDoJurosCapitalizados": Decimal("0.00"),
    "ValorDoSaldoAtual": Decimal("18846.65"),
}
NORMAL = {
    "_id": "Zt4mQx81Lr0VbnCyA2pe",
    "clientId": "nW8sJdK3uTfXo1Rz5GqHy7MbEaL",
    "name": "BENTO ARAÚJO GUIMARÃES",
    "taxId": "39825979194",
    "type": "PF",
    "birthDate": date(1979, 5, 21),
    "maritalStatus": "casado",
    "identity": [{"number": "12.345.678", "issuer": "SSP", "issuerState": "MG"}],
    "birthPlace": "Santa Rita do Exemplo",
    "address": [
        {
            "zipCode": "39999000",
            "state": "MG",
            "city": "Santa Rita do Exemplo",
            "address": "CÓRREGO DA BOA VISTA",
            "neighbourhood": "Rural",
            "number": "0",
        }
    ],
    "pep": False,
    "structure": "FIDC - Modelo",
    "state": "MG",
    "motherName": "Clara Araújo",
    "gender": "masculino",
    "contacts": {"email": ["bento@example.com"], "phone": ["(11) 90000-0000"]},
    "averageMonthlyIncome": Decimal("9800.00"),
    "bankData": [{"bankNumber": "756", "branchNumber": "4103", "accountNumber": "8079"}],
    "status": "Enviada",
    "ccbCode": "A0912345-000",
    "updatedAt": datetime(2024, 5, 3, 19, 28, 10, 454_000, tzinfo=UTC),
    "createdAt": datetime(2024, 3, 12, 12, 20, 19, 93_830, tzinfo=UTC),
    "emitedAt": datetime(2024, 3, 12, 12, 28, 25, 832_000, tzinfo=UTC),
}
NORMAL_OPERATION = {
    "VencimentoPrimeiraParcela": date(2024, 5, 10),
    "FinanIOF": True,
    "Conta": "110000000",
    "ValorBruto": Decimal("18412.54"),
    "ValorDoSeguro": Decimal("0.00"),
    "ValorDaCAD": Decimal("0.00"),
    "ValorDoIOF": Decimal("412.54"),
    "ValorLiquido": Decimal("18000.00"),
    "TaxaDeJuros": Decimal("2.4390"),
    "TaxaDeJurosAnual": Decimal("33.53"),
    "CET": Decimal("2.76"),
    "CET_ANUAL": Decimal("38.64"),
    "DataDeLiberacao": date(2024, 3, 12),
    "DataDeVencimentoInicial": date(2024, 5, 10),
    "DataDeVencimentoFinal": date(2025, 4, 10),
    "NumeroDeParcelas": 12,
    "TotalDeAmortizacao": Decimal("18846.65"),
    "TotalDaTaxaDeServico": Decimal("0.00"),
    "TotalDoSeguro": Decimal("0.00"),
    "TotalDaTaxaDeCorrecao": Decimal("0.00"),
    "TotalDeJuros": Decimal("3553.82"),
    "TotalDoValorDasParcelas": Decimal("21966.36"),
    "detalhamentoDaCET": {
        "PorcentagemDeJuros": Decimal("2.44"),
        "PorcentagemDeImpostos": Decimal("0.32"),
        "PorcentagemDeTarifas": Decimal("0.00"),
        "PorcentagemDeServicos": Decimal("0.00"),
    },
}


def known(value: Any) -> Any:
    """What a normalised document says: a field that is null and one that isn't there say the same."""
    if isinstance(value, dict):
        return {name: known(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [known(item) for item in value]
    return (type(value), str(value)) if isinstance(value, Decimal) else value


def pick(document: Document, names: Document) -> Document:
    return known({name: value for name, value in document.items() if name in names})


def agree(fast: Any, judged: Any) -> bool:
    """Whether two normalised documents say the same of every field that the schema knows."""
    if isinstance(fast, dict) and isinstance(judged, dict):
        return all(agree(value, judged.get(name)) for name, value in fast.items())
    if isinstance(fast, list) and isinstance(judged, list):
        return len(fast) == len(judged) and all(map(agree, fast, judged))
    return known(fast) == known(judged)


def checked(document: Document) -> Document:
    """The normalised document. Both ways through the contract are taken, and must agree."""
    fast = CHECKER.compiled(document)
    judged = CHECKER.judge(document)
    assert fast is None or agree(fast, judged)
    return judged if fast is None else fast


def faults(document: Document) -> dict[str, list[str]]:
    """Path → codes of a document that must be rejected, whichever way it is taken."""
    assert CHECKER.compiled(document) is None
    with pytest.raises(Rejected) as raised:
        CHECKER.judge(document)
    assert set(raised.value.codes) <= REJECTIONS.keys()
    return raised.value.reasons


# --- what is valid ----------------------------------------------------------------------------------


def test_the_example_normalises_to_these_values() -> None:
    found = checked(contract())
    assert pick(found, NORMAL) == known(NORMAL)
    assert pick(found["operation"], NORMAL_OPERATION) == known(NORMAL_OPERATION)
    assert found["operation"].get("Carencia") is None
    rows = found["operation"]["parcelas"]["PrevisaoDeParcela"]
    assert known(rows[0]) == known(MONTH_OF_GRACE)
    assert [row["NumeroDaParcela"] for row in rows] == list(range(13))
    assert rows[12]["ValorDoJuros"] == Decimal("43.63")


def test_checking_leaves_the_document_as_it_was() -> None:
    document = contract()
    CHECKER.compiled(document)
    CHECKER.judge(document)
    assert document == contract()


def test_only_the_fields_that_a_contract_can_not_be_without_are_needed() -> None:
    bare = {
        "_id": ObjectId("65f04e2c9d1e8a0001a1b2c3"),
        "clientId": 17,
        "name": "x",
        "taxId": 39825979194,
        "type": "pf",
        "ccbCode": "c",
        "operation": {"VencimentoPrimeiraParcela": "10/05/2024", "ValorBruto": 1, "ValorLiquido": 1.0},
    }
    found = checked(bare)
    assert known(found) == known(
        {
            "_id": "65f04e2c9d1e8a0001a1b2c3",
            "clientId": "17",
            "name": "x",
            "taxId": "39825979194",
            "type": "PF",
            "ccbCode": "c",
            "operation": {
                "VencimentoPrimeiraParcela": date(2024, 5, 10),
                "ValorBruto": Decimal("1.00"),
                "ValorLiquido": Decimal("1.00"),
            },
        }
    )


REQUIRED = [
    "clientId",
    "name",
    "type",
    "taxId",
    "ccbCode",
    "operation",
    "operation.ValorBruto",
    "operation.ValorLiquido",
    "operation.VencimentoPrimeiraParcela",
]
OF_A_ROW = [f"{SCHEDULE}.2.NumeroDaParcela", f"{SCHEDULE}.2.DataDeVencimento"]
WAYS = {
    "missing": MISSING,
    "null": None,
    "empty": "",
    "blank": " \t",
    "nil": {"@i:nil": "true"},
    "xsi nil": {"@xsi:nil": "true"},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("path", [*REQUIRED, *OF_A_ROW])
def test_a_required_field_that_is_absent_in_any_way_is_ausente_at_its_path(path: str, way: str) -> None:
    assert faults(contract(**{path: WAYS[way]})) == {path: ["ausente"]}


@pytest.mark.parametrize("way", WAYS)
def test_every_other_field_may_be_absent_in_any_way(way: str) -> None:
    needed = ("_id", *REQUIRED)
    inner = [
        path
        for path in field_paths(contract())
        if path not in needed and path.split(".")[-1] not in ("NumeroDaParcela", "DataDeVencimento")
        if not path.split(".")[-1].isdigit() and (not path.startswith(SCHEDULE) or f"{SCHEDULE}.1." in path)
    ]
    containers = [path for path in inner if any(other.startswith(f"{path}.") for other in inner)]
    for path in containers:
        checked(contract(**{path: WAYS[way]}))
    checked(contract(**{path: WAYS[way] for path in inner if path not in containers}))


def test_a_first_due_date_that_is_dot_nets_null_is_absent() -> None:
    path = "operation.VencimentoPrimeiraParcela"
    assert faults(contract(**{path: "0001-01-01T00:00:00"})) == {path: ["ausente"]}


def test_a_document_without_an_id_is_refused() -> None:
    assert set(faults(contract(_id=MISSING))) == {"_id"}


# --- forms ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["identity", "address", "bankData", SCHEDULE])
def test_an_only_item_means_the_same_bare_as_in_a_list(path: str) -> None:
    item: Any = parcela(1, "2024-05-10", "1", "0", "1", "1", "0") if path == SCHEDULE else contract()[path]
    bare, listed = checked(contract(**{path: item})), checked(contract(**{path: [item]}))
    assert known(bare) == known(listed)
    outer = bare["operation"]["parcelas"] if path == SCHEDULE else bare
    assert len(outer[path.split(".")[-1]]) == 1


@pytest.mark.parametrize("path", ["contacts.email", "contacts.phone"])
def test_an_only_contact_means_the_same_bare_as_in_a_list(path: str) -> None:
    bare, listed = checked(contract(**{path: " x "})), checked(contract(**{path: ["x"]}))
    assert known(bare) == known(listed)
    assert bare["contacts"][path.split(".")[1]] == ["x"]


@pytest.mark.parametrize("null", [None, "", {"@i:nil": "true"}], ids=repr)
@pytest.mark.parametrize("path", ["identity", "address", "bankData", "contacts.email", SCHEDULE])
def test_null_items_of_a_list_hold_nothing(path: str, null: Any) -> None:
    real = (
        schedule()
        if path == SCHEDULE
        else [contract()["contacts"]["email"]]
        if "." in path
        else [contract()[path]]
    )
    found: Any = checked(contract(**{path: [null, *real, null]}))
    for step in path.split("."):
        found = found[step]
    assert len([item for item in found if item is not None]) == len(real)


@pytest.mark.parametrize(
    "path", ["identity", "address", "bankData", "contacts", "operation.parcelas", SCHEDULE]
)
def test_an_empty_object_or_list_is_valid(path: str) -> None:
    checked(contract(**{path: {} if path != SCHEDULE else []}))


def test_the_index_of_a_fault_is_that_of_the_source_even_after_null_items() -> None:
    rows = [None, *schedule()]
    rows[3] = {**rows[3], "ValorDoJuros": "x"}
    assert faults(contract(rows)) == {f"{SCHEDULE}.3.ValorDoJuros": ["numero_invalido"]}


def test_a_fault_of_an_only_row_is_told_at_index_zero() -> None:
    row = parcela(1, "2024-05-10", "1", "0", "x", "1", "0")
    assert faults(contract(row)) == {f"{SCHEDULE}.0.ValorDaPrestacao": ["numero_invalido"]}


# --- rejections -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("_id", 5, "id_invalido"),
        ("_id", "a\0", "nul"),
        ("_id", "x" * 256, "texto_longo"),
        ("clientId", "x" * 256, "texto_longo"),
        ("clientId", 1.5, "tipo_invalido"),
        ("ccbCode", "x" * 256, "texto_longo"),
        ("ccbCode", ["x"], "tipo_invalido"),
        ("name", "a\0b", "nul"),
        ("name", {"first": "x"}, "tipo_invalido"),
        ("name", True, "tipo_invalido"),
        ("type", "XX", "tipo_pessoa_invalido"),
        ("taxId", "123", "cpf_cnpj_invalido"),
        ("taxId", "12ABC34501DEXX", "cpf_cnpj_invalido"),
        ("birthDate", "1979-02-30", "data_invalida"),
        ("birthDate", True, "tipo_invalido"),
        ("pep", "talvez", "booleano_invalido"),
        ("averageMonthlyIncome", "1.234", "valor_ambiguo"),
        ("averageMonthlyIncome", float("nan"), "nao_finito"),
        ("identity", "12.345.678", "tipo_invalido"),
        ("address", 5, "tipo_invalido"),
        ("bankData", True, "tipo_invalido"),
        ("contacts", "x@example.com", "tipo_invalido"),
        ("operation", "x", "tipo_invalido"),
        ("operation", [], "tipo_invalido"),
        ("operation.parcelas", [], "tipo_invalido"),
        ("operation.detalhamentoDaCET", "x", "tipo_invalido"),
        ("operation.ValorBruto", "10.001", "valor_ambiguo"),
        ("operation.ValorBruto", "10.0001", "fracao_de_centavo"),
        ("operation.ValorBruto", "1" + "0" * 13, "valor_excede"),
        ("operation.ValorLiquido", Decimal128("NaN"), "nao_finito"),
        ("operation.TaxaDeJuros", "Infinity", "nao_finito"),
        ("operation.NumeroDeParcelas", 12.5, "numero_invalido"),
        ("operation.NumeroDeParcelas", 2**31, "valor_excede"),
        ("operation.FinanIOF", 2, "booleano_invalido"),
        ("operation.DataDeLiberacao", "ontem", "data_invalida"),
        ("operation.detalhamentoDaCET.PorcentagemDeJuros", "2,4%", "numero_invalido"),
        ("identity.number", "1\0", "nul"),
        ("address.type", "\0", "nul"),
        ("address.zipCode", [], "tipo_invalido"),
        ("contacts.email", "x" * 321, "texto_longo"),
        ("bankData.accountNumber", "9" * 61, "texto_longo"),
        ("bankData.bankNumber", 7.5, "tipo_invalido"),
        ("updatedAt", "ontem", "data_invalida"),
        ("createdAt", "ontem", "data_invalida"),
        ("emitedAt", {"$date": "x"}, "data_invalida"),
        ("updatedAt", True, "tipo_invalido"),
        (f"{SCHEDULE}.4.ValorDoJuros", "1.234", "valor_ambiguo"),
        (f"{SCHEDULE}.4.DataDeVencimento", "2024-13-10", "data_invalida"),
        (f"{SCHEDULE}.4.NumeroDaParcela", "-1", "parcela_negativa"),
        (f"{SCHEDULE}.4.NumeroDaParcela", "um", "numero_invalido"),
        (f"{SCHEDULE}.4", "x", "tipo_invalido"),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_a_fault_is_told_by_its_code_at_its_path(path: str, value: Any, code: str) -> None:
    listed = ("identity", "address", "bankData")
    told = path
    if path in listed or path == "contacts.email":
        told = f"{path}.0"  # an only item counts as the first of a list
    elif path.split(".")[0] in listed:
        told = path.replace(".", ".0.", 1)
    assert faults(contract(**{path: value})) == {told: [code]}


def test_every_fault_of_a_document_is_told_under_its_own_path() -> None:
    document = contract(
        name=None,
        taxId="12",
        pep="?",
        updatedAt="?",
        **{
            "operation.ValorBruto": "1.234",
            "operation.CET": "?",
            f"{SCHEDULE}.0.ValorDoJuros": "0,001",
            f"{SCHEDULE}.12.NumeroDaParcela": "-12",
            f"{SCHEDULE}.7.DataDeVencimento": MISSING,
            "contacts.phone": ["1", "2\0"],
        },
    )
    assert faults(document) == {
        "name": ["ausente"],
        "taxId": ["cpf_cnpj_invalido"],
        "pep": ["booleano_invalido"],
        "updatedAt": ["data_invalida"],
        "operation.ValorBruto": ["valor_ambiguo"],
        "operation.CET": ["numero_invalido"],
        f"{SCHEDULE}.0.ValorDoJuros": ["fracao_de_centavo"],
        f"{SCHEDULE}.12.NumeroDaParcela": ["parcela_negativa"],
        f"{SCHEDULE}.7.DataDeVencimento": ["ausente"],
        "contacts.phone.1": ["nul"],
    }


@pytest.mark.parametrize("again", ["3", 3, Int64(3), "03", 3.0, "3,0", Decimal128("3")], ids=repr)
def test_a_number_that_occurs_twice_is_refused_whatever_its_form(again: Any) -> None:
    assert faults(contract(**{f"{SCHEDULE}.4.NumeroDaParcela": again})) == {SCHEDULE: ["parcela_repetida"]}


def test_grace_rows_can_not_occur_twice_either() -> None:
    assert faults(contract([*schedule(), schedule()[0]])) == {SCHEDULE: ["parcela_repetida"]}


@pytest.mark.parametrize("number", [-1, "-1", Int64(-(2**31)), "-1,0"], ids=repr)
def test_a_negative_number_is_refused(number: Any) -> None:
    path = f"{SCHEDULE}.4.NumeroDaParcela"
    assert faults(contract(**{path: number})) == {path: ["parcela_negativa"]}


def test_the_longest_keys_that_fit_are_valid() -> None:
    checked(
        contract(
            _id="i" * 255,
            clientId="c" * 255,
            ccbCode="b" * 255,
            **{"contacts.email": "e" * 320, "bankData.accountNumber": "9" * 60},
        )
    )


@pytest.mark.parametrize(
    "value",
    [f"{CANARY}\0", {CANARY: CANARY}, [[CANARY]], CANARY * 100],
    ids=["nul", "object", "lists", "long"],
)
def test_no_error_ever_quotes_what_a_field_held(value: Any) -> None:
    whole, containers = contract(), []
    for path, held in [(path, held_at(whole, path)) for path in field_paths(whole)]:
        if isinstance(held, (dict, list)):
            containers.append(contract(**{path: value}))
        else:
            changed(whole, path, value)
    told = []
    for document in (whole, *containers[:8]):
        try:
            CHECKER.compiled(document)
            CHECKER.judge(document)
        except Rejected as error:
            told.append(
                f"{error} {error!r} {error.reasons} {error.codes} {error.messages} {error.__cause__!r}"
            )
    assert told
    assert CANARY not in "".join(told)


def held_at(document: Any, path: str) -> Any:
    for step in path.split("."):
        document = document[int(step)] if isinstance(document, list) else document[step]
    return document


def test_the_messages_are_the_codes_with_their_sentences_per_path() -> None:
    with pytest.raises(Rejected) as raised:
        CHECKER.judge(contract(name=None, **{"operation.CET": "?"}))
    assert raised.value.messages == {
        "name": ["ausente: a required field is missing or null (it is null)"],
        "operation.CET": [
            "numero_invalido: the value can't be read as a number"
            ' (it came as string; accepted: a number, or text such as "1.25" or "1,25")'
        ],
    }
    assert raised.value.codes == ["ausente", "numero_invalido"]


# --- the effective time -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, datetime(2024, 5, 3, 19, 28, 10, 454_000, tzinfo=UTC)),
        ({"updatedAt": None}, datetime(2024, 3, 12, 12, 20, 19, 93_830, tzinfo=UTC)),
        (
            {"updatedAt": "", "createdAt": {"@i:nil": "true"}},
            datetime(2024, 3, 12, 12, 28, 25, 832_000, tzinfo=UTC),
        ),
        ({"updatedAt": "0001-01-01T00:00:00"}, datetime(2024, 3, 12, 12, 20, 19, 93_830, tzinfo=UTC)),
        (
            {
                "updatedAt": MISSING,
                "createdAt": MISSING,
                "emitedAt": None,
                "_id": ObjectId.from_datetime(datetime(2024, 2, 1, 12, tzinfo=UTC)),
            },
            datetime(2024, 2, 1, 12, tzinfo=UTC),
        ),
        ({"updatedAt": MISSING, "createdAt": MISSING, "emitedAt": MISSING}, None),
    ],
    ids=["updated", "created", "emitted", "dot net null", "object id", "nothing"],
)
def test_the_effective_time_is_the_first_that_is_there(changes: Document, expected: datetime | None) -> None:
    assert CHECKER.effective_time(contract(**changes)) == expected


def test_an_unknown_field_never_rejects() -> None:
    odd = (None, "a", 5, b"\0", float("nan"), Decimal128("NaN"), ObjectId(), [[[]]], {"$date": "x"})
    checked(contract(**{f"nova{number}": value for number, value in enumerate(odd)}))
