"""Every form of every value (contract §1) in every column of the eight tables (contract §2).

Paths and expected values are written by hand: nothing here asks the package what should be in a column.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from bson import Decimal128, Int64, ObjectId
from contracts import MISSING, Document, changed, contract, field_paths, parcela
from world import EIGHT, World

from ccb_luigi import tables

DAY = date(2024, 5, 3)
WRITTEN = datetime(2024, 5, 3, 19, 28, 10, 454_000, tzinfo=UTC)
Rows = Callable[..., list[dict[str, Any]]]

NULLS = [None, "", "  \t ", {"@i:nil": "true"}, {"@xsi:nil": "true"}, MISSING]

# Column → where it comes from, by kind; a row of the schedule and one of each list stand for all.

_ROW = "operation.parcelas.PrevisaoDeParcela.0"

MONEY = {
    "clientes.renda_media_mensal": "averageMonthlyIncome",
    "operacoes.valor_bruto": "operation.ValorBruto",
    "operacoes.valor_seguro": "operation.ValorDoSeguro",
    "operacoes.valor_cad": "operation.ValorDaCAD",
    "operacoes.valor_iof": "operation.ValorDoIOF",
    "operacoes.valor_liquido": "operation.ValorLiquido",
    "operacoes.total_amortizacao": "operation.TotalDeAmortizacao",
    "operacoes.total_taxa_servico": "operation.TotalDaTaxaDeServico",
    "operacoes.total_seguro": "operation.TotalDoSeguro",
    "operacoes.total_taxa_correcao": "operation.TotalDaTaxaDeCorrecao",
    "operacoes.total_juros": "operation.TotalDeJuros",
    "operacoes.total_valor_parcelas": "operation.TotalDoValorDasParcelas",
    "parcelas.valor_amortizacao": f"{_ROW}.ValorDaAmortizacao",
    "parcelas.valor_correcao": f"{_ROW}.ValorDaCorrecao",
    "parcelas.valor_juros": f"{_ROW}.ValorDoJuros",
    "parcelas.valor_seguro": f"{_ROW}.ValorDoSeguro",
    "parcelas.valor_taxa_bancaria": f"{_ROW}.ValorTaxaBancaria",
    "parcelas.valor_prestacao": f"{_ROW}.ValorDaPrestacao",
    "parcelas.valor_saldo_anterior": f"{_ROW}.ValorDoSaldoAnterior",
    "parcelas.valor_juros_capitalizados": f"{_ROW}.ValorDoJurosCapitalizados",
    "parcelas.valor_saldo_atual": f"{_ROW}.ValorDoSaldoAtual",
}
RATES = {
    "operacoes.taxa_juros": "operation.TaxaDeJuros",
    "operacoes.taxa_juros_anual": "operation.TaxaDeJurosAnual",
    "operacoes.cet": "operation.CET",
    "operacoes.cet_anual": "operation.CET_ANUAL",
    "detalhamento_cet.porcentagem_juros": "operation.detalhamentoDaCET.PorcentagemDeJuros",
    "detalhamento_cet.porcentagem_impostos": "operation.detalhamentoDaCET.PorcentagemDeImpostos",
    "detalhamento_cet.porcentagem_tarifas": "operation.detalhamentoDaCET.PorcentagemDeTarifas",
    "detalhamento_cet.porcentagem_servicos": "operation.detalhamentoDaCET.PorcentagemDeServicos",
}
DATES = {
    "clientes.data_nascimento": "birthDate",
    "operacoes.vencimento_primeira_parcela": "operation.VencimentoPrimeiraParcela",
    "operacoes.data_liberacao": "operation.DataDeLiberacao",
    "operacoes.data_vencimento_inicial": "operation.DataDeVencimentoInicial",
    "operacoes.data_vencimento_final": "operation.DataDeVencimentoFinal",
    "parcelas.data_vencimento": f"{_ROW}.DataDeVencimento",
}
MOMENTS = {"operacoes.criado_em": "createdAt", "operacoes.emitido_em": "emitedAt"}
INTEGERS = {
    "operacoes.carencia": "operation.Carencia",
    "operacoes.numero_parcelas": "operation.NumeroDeParcelas",
    "parcelas.numero_parcela": f"{_ROW}.NumeroDaParcela",
}
BOOLEANS = {"clientes.pep": "pep", "operacoes.finan_iof": "operation.FinanIOF"}
TEXTS = {
    "clientes.nome": "name",
    "clientes.estado_civil": "maritalStatus",
    "clientes.naturalidade": "birthPlace",
    "clientes.genero": "gender",
    "clientes.nome_mae": "motherName",
    "clientes.uf": "state",
    "clientes.estrutura": "structure",
    "identidades.numero": "identity.number",
    "identidades.orgao_emissor": "identity.issuer",
    "identidades.uf_emissor": "identity.issuerState",
    "enderecos.uf": "address.state",
    "enderecos.cidade": "address.city",
    "enderecos.logradouro": "address.address",
    "enderecos.bairro": "address.neighbourhood",
    "enderecos.numero": "address.number",
    "enderecos.complemento": "address.complement",
    "dados_bancarios.banco": "bankData.bankNumber",
    "dados_bancarios.agencia": "bankData.branchNumber",
    "dados_bancarios.conta": "bankData.accountNumber",
    "operacoes.status": "status",
    "operacoes.conta": "operation.Conta",
}
OTHERS = {
    *("clientes.client_id", "clientes.tipo_pessoa", "clientes.cpf_cnpj"),
    *("clientes.mongo_id", "clientes.atualizado_em"),
    *("identidades.client_id", "identidades.tipo"),
    *("enderecos.client_id", "enderecos.tipo", "enderecos.cep"),
    *("contatos.client_id", "contatos.tipo", "contatos.valor", "dados_bancarios.client_id"),
    *("operacoes.ccb_code", "operacoes.mongo_id", "operacoes.client_id"),
    *("operacoes.atualizado_em", "operacoes.excluido_em", "operacoes.extras"),
    *("parcelas.ccb_code", "detalhamento_cet.ccb_code"),
}
"""Columns with tests of their own, and in the whole rows at the end."""

REQUIRED = {
    "operacoes.valor_bruto",
    "operacoes.valor_liquido",
    "operacoes.vencimento_primeira_parcela",
    "parcelas.data_vencimento",
    "parcelas.numero_parcela",
    "clientes.nome",
    "identidades.numero",  # without a number there is no row, and so with these four
    "dados_bancarios.banco",
    "dados_bancarios.agencia",
    "dados_bancarios.conta",
}


def nth(number: int, **changes: Any) -> Document:
    """A document of its own client, with one row in each table but ``contatos``."""
    names = {"_id": f"m{number}", "clientId": f"c{number}", "ccbCode": f"k{number}"}
    row = parcela(1, "2024-05-10", "100", "0", "100", "100", "0")
    document = contract([row], **{"address.complement": "Fundos", **names})
    there = {*field_paths(document)}
    for path, value in changes.items():
        if value is not MISSING or path in there:
            changed(document, path, value)
    return document


def put_and_migrate(world: World, *documents: Document) -> None:
    world.put(*documents)
    world.migrate(DAY)
    assert world.quarantined() == {}


def found_in(rows: Rows, columns: dict[str, str]) -> dict[int, dict[str, Any]]:
    """Number of the document → column → value."""
    found: dict[int, dict[str, Any]] = {}
    for table in {column.split(".")[0] for column in columns}:
        for row in rows(table):
            if row.get("tipo") in ("CPF", "CNPJ"):
                continue
            number = int((row.get("client_id") or row["ccb_code"])[1:])
            values = found.setdefault(number, {})
            for name, value in row.items():
                assert f"{table}.{name}" not in values, "two rows where one was expected"
                values[f"{table}.{name}"] = value
    return found


def check(
    world: World, rows: Rows, columns: dict[str, str], forms: list[tuple[Any, Any]], **changes: Any
) -> None:
    """Puts each form into each of the columns, one document per form."""
    documents = [
        nth(number, **changes, **dict.fromkeys(columns.values(), value))
        for number, (value, _) in enumerate(forms)
    ]
    put_and_migrate(world, *documents)
    found = found_in(rows, columns)
    for number, (value, expected) in enumerate(forms):
        for column in columns:
            got = found[number][column]
            assert (type(got), str(got)) == (type(expected), str(expected)), (column, value)


def test_each_column_of_the_eight_tables_is_compared_somewhere_in_this_file() -> None:
    kinds = [MONEY, RATES, DATES, MOMENTS, INTEGERS, BOOLEANS, TEXTS, OTHERS]
    covered = Counter(column for kind in kinds for column in kind)
    assert max(covered.values()) == 1
    assert set(covered) == {
        f"{table.name}.{column.name}"
        for table in tables.LOADED
        for column in table.columns
        if column.name != "carregado_em"
    }


def test_an_amount_is_exact_in_whatever_form_it_came(world: World, rows: Rows) -> None:
    forms = [
        ("1579.85", "1579.85"),
        ("15000.0", "15000.00"),
        ("0", "0.00"),
        ("-12.50", "-12.50"),
        (" 7.1 ", "7.10"),
        ("1234.5600", "1234.56"),
        ("9999999999999.99", "9999999999999.99"),
        ("-9999999999999.99", "-9999999999999.99"),
        ("1.234,56", "1234.56"),
        ("12.345.678,9", "12345678.90"),
        ("0,5", "0.50"),
        ("1234,56", "1234.56"),
        ("-1.234,56", "-1234.56"),
        (0, "0.00"),
        (1234, "1234.00"),
        (Int64(9_999_999_999_999), "9999999999999.00"),
        (1579.85, "1579.85"),
        (0.1 + 0.2, "0.30"),
        (4.35 * 100, "435.00"),
        (-0.0, "0.00"),
        (Decimal128("1579.85"), "1579.85"),
        (Decimal128("1.5E+3"), "1500.00"),
        (Decimal128("3.7000"), "3.70"),
        ({"$numberDecimal": "1579.85"}, "1579.85"),
        ({"$numberInt": "12"}, "12.00"),
        ({"$numberLong": "5000000000"}, "5000000000.00"),
        ({"$numberDouble": "12.25"}, "12.25"),
    ]
    check(world, rows, MONEY, [(value, Decimal(expected)) for value, expected in forms])


def test_a_rate_keeps_exactly_the_digits_that_came(world: World, rows: Rows) -> None:
    forms = [
        ("2.4390", "2.4390"),
        ("0.00", "0.00"),
        ("1.234", "1.234"),
        ("0.12345678901234567890123456789", "0.12345678901234567890123456789"),
        ("33,530", "33.530"),
        ("1.234,5", "1234.5"),
        ("-0.5", "-0.5"),
        (0, "0"),
        (12, "12"),
        (Int64(5_000_000_000), "5000000000"),
        (2.439, "2.439"),
        (Decimal128("2.4390"), "2.4390"),
        ({"$numberDecimal": "38.640"}, "38.640"),
        ({"$numberInt": "3"}, "3"),
        ({"$numberDouble": "2.5"}, "2.5"),
    ]
    check(world, rows, RATES, [(value, Decimal(expected)) for value, expected in forms])


def test_a_date_is_the_day_that_was_meant(world: World, rows: Rows) -> None:
    tenth = date(2026, 5, 10)
    forms = [
        ("2026-05-10", tenth),
        ("2026-05-10T00:00:00", tenth),
        ("2026-05-10T00:00:00.000", tenth),
        ("10/05/2026", tenth),
        ("2026-05-10T00:00:00-03:00", tenth),
        (datetime(2026, 5, 10, tzinfo=UTC), tenth),
        (datetime(2026, 5, 10, 3, tzinfo=UTC), tenth),  # midnight of São Paulo
        (datetime(2026, 5, 11, 2, 59, 59, tzinfo=UTC), tenth),
        ({"$date": "2026-05-10T00:00:00Z"}, tenth),
        ({"$date": "2026-05-10T03:00:00.000Z"}, tenth),
        ({"$date": 1778371200000}, tenth),
        ({"$date": {"$numberLong": "1778382000000"}}, tenth),
        ("2024-02-29", date(2024, 2, 29)),
        ("1931-12-31", date(1931, 12, 31)),
        ("31/12/1931", date(1931, 12, 31)),
        ("2018-11-04", date(2018, 11, 4)),  # has no midnight in São Paulo
        ("2018-11-04T00:00:00", date(2018, 11, 4)),
        (datetime(2018, 11, 4, tzinfo=UTC), date(2018, 11, 4)),
        ("9999-12-31", date(9999, 12, 31)),
    ]
    check(world, rows, DATES, forms)


def test_a_moment_is_the_same_instant_in_whatever_form_it_came(world: World, rows: Rows) -> None:
    def utc(*parts: int) -> datetime:
        return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]

    noon = utc(2026, 5, 10, 12, 20, 19, 93_000)
    forms = [
        (noon, noon),
        ("2026-05-10T12:20:19.093830+00:00", utc(2026, 5, 10, 12, 20, 19, 93_830)),
        ("2026-05-10T09:20:19.093-03:00", noon),
        ("2026-05-10T17:50:19.093+05:30", noon),
        ("2026-05-10T12:20:19.093Z", noon),
        ("2026-05-10T09:20:19.0930000", noon),  # no offset: São Paulo
        (1778415619093, noon),
        (Int64(1778415619093), noon),
        (1778415619093.0, noon),
        ({"$date": "2026-05-10T12:20:19.093Z"}, noon),
        ({"$date": 1778415619093}, noon),
        ({"$date": {"$numberLong": "1778415619093"}}, noon),
        ("2026-05-10", utc(2026, 5, 10, 3)),
        ("10/05/2026", utc(2026, 5, 10, 3)),
        (-100_000_000_000, utc(1966, 10, 31, 14, 13, 20)),  # nearer to zero a number may be something else
        (100_000_000_000, utc(1973, 3, 3, 9, 46, 40)),
    ]
    check(world, rows, MOMENTS, forms)


def test_a_truth_value_is_read_in_all_its_spellings(world: World, rows: Rows) -> None:
    yes = [True, "True", "true", "S", "1", 1, Int64(1), " TRUE ", "s"]
    no = [False, "False", "false", "N", "0", 0, Int64(0), "n"]
    check(world, rows, BOOLEANS, [(value, True) for value in yes] + [(value, False) for value in no])


def test_a_count_is_a_whole_number_in_whatever_form_it_came(world: World, rows: Rows) -> None:
    forms = ["12", 12, Int64(12), 12.0, Decimal128("12"), {"$numberInt": "12"}, {"$numberLong": "12"}, " 12 "]
    limits = [("2147483647", 2147483647), (0, 0), ("0", 0)]
    check(world, rows, INTEGERS, [*((value, 12) for value in forms), *limits])


def test_text_is_trimmed_and_a_number_is_written_as_its_digits(world: World, rows: Rows) -> None:
    forms = [
        ("Araçuaí", "Araçuaí"),
        ("  dois  nomes\t\n", "dois  nomes"),
        ("\u00a0\u2003x\u2028", "x"),
        ("0001", "0001"),
        (110000000, "110000000"),
        (0, "0"),
        (Int64(9007199254740993), "9007199254740993"),
        ({"$numberLong": "9007199254740993"}, "9007199254740993"),
        ({"$numberInt": "4103"}, "4103"),
    ]
    check(world, rows, TEXTS, forms)


def test_each_way_to_say_nothing_is_null(world: World, rows: Rows) -> None:
    every = MONEY | RATES | DATES | MOMENTS | INTEGERS | BOOLEANS | TEXTS
    optional = {column: path for column, path in every.items() if column not in REQUIRED}
    # One value of the CET stays, so that its row does.
    optional.pop("detalhamento_cet.porcentagem_juros", None)
    check(world, rows, optional, [(null, None) for null in NULLS])


def test_the_first_day_of_year_one_is_null(world: World, rows: Rows) -> None:
    optional = {column: path for column, path in DATES.items() if column not in REQUIRED} | MOMENTS
    forms = [
        "0001-01-01",
        "0001-01-01T00:00:00",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:00",
        "01/01/0001",
        datetime(1, 1, 1, tzinfo=UTC),
        {"$date": "0001-01-01T00:00:00Z"},
    ]
    check(world, rows, optional, [(form, None) for form in forms])


# --- clients and what belongs to them ---------------------------------------------------------------


def test_a_tax_id_is_bare_and_upper_case_and_gets_lost_zeros_back(world: World, rows: Rows) -> None:
    forms: list[tuple[Any, Any, str, str, str]] = [
        ("PF", "39825979194", "PF", "39825979194", "CPF"),
        ("pf", " 398.259.791-94 ", "PF", "39825979194", "CPF"),
        ("PF", 191, "PF", "00000000191", "CPF"),
        ("PF", Int64(39825979194), "PF", "39825979194", "CPF"),
        ("PF", "39825979195", "PF", "39825979195", "CPF"),  # a wrong check digit is a finding
        ("PJ", "12.ABC.345/01DE-35", "PJ", "12ABC34501DE35", "CNPJ"),
        (" pj ", "12abc34501de35", "PJ", "12ABC34501DE35", "CNPJ"),
        ("PJ", 191, "PJ", "00000000000191", "CNPJ"),
        ("PJ", Int64(11222333000181), "PJ", "11222333000181", "CNPJ"),
        ("PJ", {"$numberLong": "11222333000181"}, "PJ", "11222333000181", "CNPJ"),
        ("PJ", "39825979194", "PJ", "39825979194", "CPF"),  # the shape counts, not the type
    ]
    put_and_migrate(world, *(nth(n, type=form[0], taxId=form[1]) for n, form in enumerate(forms)))
    for number, (_, value, person, expected, kind) in enumerate(forms):
        (client,) = rows("clientes", client_id=f"c{number}")
        assert (client["tipo_pessoa"], client["cpf_cnpj"]) == (person, expected), value
        (identity,) = (r for r in rows("identidades", client_id=f"c{number}") if r["tipo"] != "RG")
        assert identity == {
            "client_id": f"c{number}",
            "tipo": kind,
            "numero": expected,
            "orgao_emissor": None,
            "uf_emissor": None,
        }


def test_a_cep_is_eight_digits_or_null(world: World, rows: Rows) -> None:
    forms = [
        ("39999-000", "39999000"),
        ("39.999-000", "39999000"),
        (" 39999000 ", "39999000"),
        (1310100, "01310100"),
        (Int64(39999000), "39999000"),
        ("1310-100", None),  # seven digits: which one is missing?
        ("ABCDE-000", None),
        *((null, None) for null in NULLS),
    ]
    put_and_migrate(world, *(nth(n, **{"address.zipCode": value}) for n, (value, _) in enumerate(forms)))
    found = {row["client_id"]: row["cep"] for row in rows("enderecos")}
    assert found == {f"c{number}": expected for number, (_, expected) in enumerate(forms)}


def test_an_object_stands_for_a_list_of_one_and_null_items_are_skipped(world: World, rows: Rows) -> None:
    identity = {"number": "1", "issuer": "SSP", "issuerState": "MG"}
    address = {"city": "Diamantina"}
    bank = {"bankNumber": "756", "branchNumber": 1, "accountNumber": 2}
    nil = {"@i:nil": "true"}

    def many(item: Any) -> list[Any]:
        return [item, [item], [None, item], [nil, item, None], [item, nil]]

    # fmt: off
    documents = [
        nth(n, identity=i, address=a, bankData=b, contacts={"email": e, "phone": e},
            **{"operation.parcelas.PrevisaoDeParcela": s})
        for n, (i, a, b, e, s) in enumerate(zip(
            many(identity), many(address), many(bank), many("a@b.c"),
            many(parcela(1, "2024-05-10", "100", "0", "100", "100", "0")), strict=True))
    ]
    # fmt: on
    put_and_migrate(world, *documents)
    everyone = ["c0", "c1", "c2", "c3", "c4"]
    assert [r["client_id"] for r in rows("identidades") if r["tipo"] == "RG"] == everyone
    for table, count in (("enderecos", 1), ("dados_bancarios", 1), ("contatos", 2)):
        assert Counter(row["client_id"] for row in rows(table)) == dict.fromkeys(everyone, count)
    assert [row["ccb_code"] for row in rows("parcelas")] == ["k0", "k1", "k2", "k3", "k4"]


def test_lists_and_objects_that_say_nothing_have_no_rows(world: World, rows: Rows) -> None:
    paths = ["identity", "address", "bankData", "contacts.email", "contacts.phone"]
    paths.append("operation.parcelas.PrevisaoDeParcela")
    lists: list[Any] = [[], [None], [{"@i:nil": "true"}, ""]]  # the parts of the CET are no list
    objects = {"operation.detalhamentoDaCET"}
    documents = [nth(n, **dict.fromkeys([*paths, *objects], null)) for n, null in enumerate(NULLS)]
    documents += [nth(n, **dict.fromkeys(paths, null)) for n, null in enumerate(lists, len(NULLS))]
    put_and_migrate(world, *documents)
    assert [row["tipo"] for row in rows("identidades")] == ["CPF"] * len(documents)
    for table in ("enderecos", "contatos", "dados_bancarios", "parcelas"):
        assert rows(table) == [], table
    with_parts = {row["ccb_code"] for row in rows("detalhamento_cet")}
    assert with_parts == {f"k{n}" for n in range(len(NULLS), len(documents))}


def test_objects_around_lists_may_say_nothing_as_well(world: World, rows: Rows) -> None:
    empty = [nth(n, contacts=null, **{"operation.parcelas": null}) for n, null in enumerate(NULLS)]
    put_and_migrate(world, *empty)
    assert (rows("contatos"), rows("parcelas")) == ([], [])
    assert len(rows("operacoes")) == len(NULLS)


def test_an_address_is_of_the_kind_that_it_says_or_that_goes_with_the_person(
    world: World, rows: Rows
) -> None:
    def at(city: str, kind: Any = None) -> Document:
        return {"city": city, **({} if kind is None else {"type": kind})}

    put_and_migrate(
        world,
        nth(0, address=[at("casa"), at("segunda casa"), at("loja", "comercial")]),
        nth(1, type="PJ", taxId="12ABC34501DE35", address=[at("casa", "residencial"), at("loja")]),
        nth(2, address=at("loja", "COMERCIAL")),
    )
    assert [(row["client_id"], row["tipo"], row["cidade"]) for row in rows("enderecos")] == [
        ("c0", "comercial", "loja"),
        ("c0", "residencial", "casa"),
        ("c1", "comercial", "loja"),
        ("c1", "residencial", "casa"),
        ("c2", "comercial", "loja"),
    ]


# --- whole documents --------------------------------------------------------------------------------

PERSON = contract(
    schedule=[
        parcela(0, "2024-04-10", "0", "434.11", "0", "18412.54", "18846.65"),
        parcela(1, "2024-05-10", "1370.86", "459.67", "1830.53", "18846.65", "17475.79", Pago=True),
        parcela(2, "2024-06-10", "17475.79", "1.01", "17476.80", "17475.79", "0", ValorDoSeguro="0.01"),
    ]
)

COMPANY = {
    "_id": ObjectId("65f04a2b9d1c8e0012ab34cd"),
    "clientId": ObjectId("65f04a2b9d1c8e0012ab34ce"),
    "name": "  Laticínios Dona Zélia Ltda ",
    "taxId": "12.abc.345/01de-35",
    "type": "PJ",
    "birthDate": "15/08/1998",
    "maritalStatus": {"@i:nil": "true"},
    "identity": [
        None,
        {"number": "7654321", "issuer": "SSP", "issuerState": "SP"},
        {"number": "999", "issuer": "DETRAN"},
    ],
    "birthPlace": "",
    "address": [
        {
            "zipCode": 1310100,
            "state": "SP",
            "city": "São Paulo",
            "address": "Avenida Paulista",
            "neighbourhood": "Bela Vista",
            "number": 1000,
            "complement": "Sala 5",
            "geo": {"lat": -23.5, "lng": Int64(5_000_000_000)},
        },
        {"type": "residencial", "zipCode": "39.999-000", "city": "Diamantina"},
        {"type": "comercial", "city": "Segunda"},
    ],
    "pep": "S",
    "structure": {"@xsi:nil": "true"},
    "state": "SP",
    "gender": "   ",
    "contacts": {
        "email": ["fiscal@example.com", None, " dona@example.com ", "fiscal@example.com"],
        "phone": ["(11) 90000-0000", ""],
    },
    "averageMonthlyIncome": "1.234.567,89",
    "bankData": [
        {"bankNumber": 1, "branchNumber": "0001-2", "accountNumber": Int64(12345678901)},
        None,
        {"bankNumber": "341", "branchNumber": None, "accountNumber": "5"},
    ],
    "guarantors": [{"name": "X", "since": datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)}],
    "operation": {
        "VencimentoPrimeiraParcela": "10/06/2024",
        "Carencia": "1",
        "FinanIOF": "N",
        "Conta": 110000000,
        "ValorBruto": "100.000,00",
        "ValorDoSeguro": "0,5",
        "ValorDaCAD": Decimal128("150.10"),
        "ValorDoIOF": 1.25,
        "ValorLiquido": Int64(100000),
        "TaxaDeJuros": Decimal128("1.990"),
        "TaxaDeJurosAnual": "26,67",
        "CET": 2.5,
        "CET_ANUAL": 34,
        "DataDeLiberacao": datetime(2024, 3, 12, tzinfo=UTC),
        "DataDeVencimentoInicial": "10/06/2024",
        "DataDeVencimentoFinal": "2024-06-10T00:00:00",
        "NumeroDeParcelas": 1.0,
        "parcelas": {
            "PrevisaoDeParcela": {
                "NumeroDaParcela": 1,
                "DataDeVencimento": datetime(2024, 6, 10, tzinfo=UTC),
                "ValorDaAmortizacao": "100.000,00",
                "ValorDaCorrecao": 0.1,
                "ValorDoJuros": Decimal128("1990.00"),
                "ValorDoSeguro": "0,5",
                "ValorTaxaBancaria": 3,
                "ValorDaPrestacao": "101.993,60",
                "ValorDoSaldoAnterior": 100000.0,
                "ValorDoJurosCapitalizados": "-0.01",
                "ValorDoSaldoAtual": "0",
            }
        },
        "TotalDeAmortizacao": "100000.0",
        "TotalDaTaxaDeServico": "3",
        "TotalDoSeguro": "0.50",
        "TotalDaTaxaDeCorrecao": 0.1,
        "TotalDeJuros": 1990,
        "TotalDoValorDasParcelas": 101993.6,
        "detalhamentoDaCET": {
            "PorcentagemDeJuros": "1,990",
            "PorcentagemDeImpostos": "0.10",
            "PorcentagemDeTarifas": 0,
            "PorcentagemDeServicos": Decimal128("0.41"),
        },
        "Nova.Chave": {"a": [1, None, "x"]},
    },
    "sendVortx": False,
    "status": "Enviada",
    "updatedAt": datetime(2024, 5, 3, 12, tzinfo=UTC),
    "createdAt": "2024-03-12T09:20:19.093-03:00",
    "ccbCode": "B-7",
    "emitedAt": "12/03/2024",
}

BARE: Document = {
    "_id": "bare",
    "clientId": "c-bare",
    "name": "Zé",
    "taxId": 191,
    "type": "PF",
    "operation": {"VencimentoPrimeiraParcela": "2024-06-10", "ValorBruto": "0", "ValorLiquido": 0},
    "updatedAt": datetime(2024, 5, 3, 13, tzinfo=UTC),
    "ccbCode": "BARE",
}

# As somebody's script inserts the text of an export: extended JSON, taken literally.
LITERAL: Document = {
    "_id": "literal",
    "clientId": {"$oid": "65f04a2b9d1c8e0012ab34cf"},
    "name": "Ana",
    "taxId": {"$numberLong": "39825979194"},
    "type": "PF",
    "birthDate": {"$date": "1990-02-01T00:00:00Z"},
    "pep": {"$numberInt": "0"},
    "averageMonthlyIncome": {"$numberDecimal": "9800.5"},
    "bankData": {
        "bankNumber": "756",
        "branchNumber": {"$numberInt": "4103"},
        "accountNumber": {"$numberLong": "8079"},
    },
    "operation": {
        "VencimentoPrimeiraParcela": {"$date": {"$numberLong": "1717977600000"}},
        "Carencia": {"$numberInt": "0"},
        "FinanIOF": {"$numberInt": "1"},
        "Conta": {"$numberInt": "110000000"},
        "ValorBruto": {"$numberDecimal": "100.00"},
        "ValorLiquido": {"$numberDouble": "100.0"},
        "TaxaDeJuros": {"$numberDecimal": "0.00"},
        "NumeroDeParcelas": {"$numberInt": "1"},
        "parcelas": {
            "PrevisaoDeParcela": [
                {
                    "NumeroDaParcela": {"$numberInt": "1"},
                    "DataDeVencimento": {"$date": 1717977600000},
                    "ValorDaPrestacao": {"$numberInt": "100"},
                }
            ]
        },
        "detalhamentoDaCET": {"PorcentagemDeServicos": {"$numberDouble": "0.5"}},
    },
    "updatedAt": {"$date": {"$numberLong": "1714752000000"}},
    "createdAt": {"$date": "2024-03-12T12:20:19.093Z"},
    "emitedAt": {"$date": 1710246019093},
    "ccbCode": {"$numberInt": "77"},
    "bank": ObjectId("65f04a2b9d1c8e0012ab34c0"),
}


def d(text: str) -> Decimal:
    return Decimal(text)


def moment(*parts: int) -> datetime:
    return datetime(2024, *parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


def address(client: str, kind: str, *rest: str | None) -> dict[str, Any]:
    names = ["client_id", "tipo", "cep", "uf", "cidade", "logradouro", "bairro", "numero", "complemento"]
    return dict(zip(names, [client, kind, *rest], strict=True))


def identity(client: str, kind: str, number: str, *issued: str) -> dict[str, Any]:
    issuer, state = issued or (None, None)
    names = ["client_id", "tipo", "numero", "orgao_emissor", "uf_emissor"]
    return dict(zip(names, [client, kind, number, issuer, state], strict=True))


def contact(client: str, kind: str, value: str) -> dict[str, Any]:
    return {"client_id": client, "tipo": kind, "valor": value}


def account(client: str, bank: str, branch: str, number: str) -> dict[str, Any]:
    return {"client_id": client, "banco": bank, "agencia": branch, "conta": number}


def installment(code: str, number: int, due: date, *amounts: str | None) -> dict[str, Any]:
    names = [
        *("valor_amortizacao", "valor_correcao", "valor_juros", "valor_seguro", "valor_taxa_bancaria"),
        *("valor_prestacao", "valor_saldo_anterior", "valor_juros_capitalizados", "valor_saldo_atual"),
    ]
    values = [None if amount is None else d(amount) for amount in amounts]
    return {
        "ccb_code": code,
        "numero_parcela": number,
        "data_vencimento": due,
        **dict(zip(names, values, strict=True)),
    }


BENTO = "nW8sJdK3uTfXo1Rz5GqHy7MbEaL"
ZELIA = "65f04a2b9d1c8e0012ab34ce"
ANA = "65f04a2b9d1c8e0012ab34cf"

# All other columns are null.
EXPECTED: dict[str, list[dict[str, Any]]] = {
    "clientes": [
        {
            "client_id": ZELIA,
            "nome": "Laticínios Dona Zélia Ltda",
            "tipo_pessoa": "PJ",
            "cpf_cnpj": "12ABC34501DE35",
            "data_nascimento": date(1998, 8, 15),
            "pep": True,
            "uf": "SP",
            "renda_media_mensal": d("1234567.89"),
            "mongo_id": "65f04a2b9d1c8e0012ab34cd",
            "atualizado_em": moment(5, 3, 12),
        },
        {
            "client_id": ANA,
            "nome": "Ana",
            "tipo_pessoa": "PF",
            "cpf_cnpj": "39825979194",
            "data_nascimento": date(1990, 2, 1),
            "pep": False,
            "renda_media_mensal": d("9800.50"),
            "mongo_id": "literal",
            "atualizado_em": moment(5, 3, 16),
        },
        {
            "client_id": "c-bare",
            "nome": "Zé",
            "tipo_pessoa": "PF",
            "cpf_cnpj": "00000000191",
            "mongo_id": "bare",
            "atualizado_em": moment(5, 3, 13),
        },
        {
            "client_id": BENTO,
            "nome": "BENTO ARAÚJO GUIMARÃES",
            "tipo_pessoa": "PF",
            "cpf_cnpj": "39825979194",
            "data_nascimento": date(1979, 5, 21),
            "estado_civil": "casado",
            "naturalidade": "Santa Rita do Exemplo",
            "genero": "masculino",
            "nome_mae": "Clara Araújo",
            "pep": False,
            "uf": "MG",
            "estrutura": "FIDC - Modelo",
            "renda_media_mensal": d("9800.00"),
            "mongo_id": "Zt4mQx81Lr0VbnCyA2pe",
            "atualizado_em": WRITTEN,
        },
    ],
    "identidades": [
        identity(ZELIA, "CNPJ", "12ABC34501DE35"),
        identity(ZELIA, "RG", "7654321", "SSP", "SP"),
        identity(ANA, "CPF", "39825979194"),
        identity("c-bare", "CPF", "00000000191"),
        identity(BENTO, "CPF", "39825979194"),
        identity(BENTO, "RG", "12.345.678", "SSP", "MG"),
    ],
    "enderecos": [
        address(
            ZELIA,
            *("comercial", "01310100", "SP", "São Paulo"),
            *("Avenida Paulista", "Bela Vista", "1000", "Sala 5"),
        ),
        address(ZELIA, "residencial", "39999000", None, "Diamantina", None, None, None, None),
        address(
            BENTO,
            *("residencial", "39999000", "MG", "Santa Rita do Exemplo"),
            *("CÓRREGO DA BOA VISTA", "Rural", "0", None),
        ),
    ],
    "contatos": [
        contact(ZELIA, "email", "dona@example.com"),
        contact(ZELIA, "email", "fiscal@example.com"),
        contact(ZELIA, "telefone", "(11) 90000-0000"),
        contact(BENTO, "email", "bento@example.com"),
        contact(BENTO, "telefone", "(11) 90000-0000"),
    ],
    "dados_bancarios": [
        account(ZELIA, "1", "0001-2", "12345678901"),
        account(ANA, "756", "4103", "8079"),
        account(BENTO, "756", "4103", "8079"),
    ],
    "operacoes": [
        {
            "ccb_code": "77",
            "mongo_id": "literal",
            "client_id": ANA,
            "vencimento_primeira_parcela": date(2024, 6, 10),
            "carencia": 0,
            "finan_iof": True,
            "conta": "110000000",
            "valor_bruto": d("100.00"),
            "valor_liquido": d("100.00"),
            "taxa_juros": d("0.00"),
            "numero_parcelas": 1,
            "criado_em": moment(3, 12, 12, 20, 19, 93_000),
            "emitido_em": moment(3, 12, 12, 20, 19, 93_000),
            "atualizado_em": moment(5, 3, 16),
            "extras": {"bank": {"$oid": "65f04a2b9d1c8e0012ab34c0"}},
        },
        {
            "ccb_code": "A0912345-000",
            "mongo_id": "Zt4mQx81Lr0VbnCyA2pe",
            "client_id": BENTO,
            "status": "Enviada",
            "vencimento_primeira_parcela": date(2024, 5, 10),
            "finan_iof": True,
            "conta": "110000000",
            "valor_bruto": d("18412.54"),
            "valor_seguro": d("0.00"),
            "valor_cad": d("0.00"),
            "valor_iof": d("412.54"),
            "valor_liquido": d("18000.00"),
            "taxa_juros": d("2.4390"),
            "taxa_juros_anual": d("33.53"),
            "cet": d("2.76"),
            "cet_anual": d("38.64"),
            "data_liberacao": date(2024, 3, 12),
            "data_vencimento_inicial": date(2024, 5, 10),
            "data_vencimento_final": date(2025, 4, 10),
            "numero_parcelas": 12,
            "total_amortizacao": d("18846.65"),
            "total_taxa_servico": d("0.00"),
            "total_seguro": d("0.00"),
            "total_taxa_correcao": d("0.00"),
            "total_juros": d("3553.82"),
            "total_valor_parcelas": d("21966.36"),
            "criado_em": moment(3, 12, 12, 20, 19, 93_830),
            "emitido_em": moment(3, 12, 12, 28, 25, 832_000),
            "atualizado_em": WRITTEN,
            "extras": {
                "guarantors": None,
                "bank": None,
                "sendVortx": "True",
                "operation.parcelas.PrevisaoDeParcela.1.Pago": True,
            },
        },
        {
            "ccb_code": "B-7",
            "mongo_id": "65f04a2b9d1c8e0012ab34cd",
            "client_id": ZELIA,
            "status": "Enviada",
            "vencimento_primeira_parcela": date(2024, 6, 10),
            "carencia": 1,
            "finan_iof": False,
            "conta": "110000000",
            "valor_bruto": d("100000.00"),
            "valor_seguro": d("0.50"),
            "valor_cad": d("150.10"),
            "valor_iof": d("1.25"),
            "valor_liquido": d("100000.00"),
            "taxa_juros": d("1.990"),
            "taxa_juros_anual": d("26.67"),
            "cet": d("2.5"),
            "cet_anual": d("34"),
            "data_liberacao": date(2024, 3, 12),
            "data_vencimento_inicial": date(2024, 6, 10),
            "data_vencimento_final": date(2024, 6, 10),
            "numero_parcelas": 1,
            "total_amortizacao": d("100000.00"),
            "total_taxa_servico": d("3.00"),
            "total_seguro": d("0.50"),
            "total_taxa_correcao": d("0.10"),
            "total_juros": d("1990.00"),
            "total_valor_parcelas": d("101993.60"),
            "criado_em": moment(3, 12, 12, 20, 19, 93_000),
            "emitido_em": moment(3, 12, 3),
            "atualizado_em": moment(5, 3, 12),
            "extras": {
                "guarantors": [{"name": "X", "since": {"$date": "2020-01-02T03:04:05Z"}}],
                "sendVortx": False,
                "address.0.geo": {"lat": -23.5, "lng": 5000000000},
                "operation.Nova\\.Chave": {"a": [1, None, "x"]},
                # What has a column but no row.
                "identity.2": {"number": "999", "issuer": "DETRAN"},
                "address.2": {"type": "comercial", "city": "Segunda"},
                "bankData.2": {"bankNumber": "341", "branchNumber": None, "accountNumber": "5"},
            },
        },
        {
            "ccb_code": "BARE",
            "mongo_id": "bare",
            "client_id": "c-bare",
            "vencimento_primeira_parcela": date(2024, 6, 10),
            "valor_bruto": d("0.00"),
            "valor_liquido": d("0.00"),
            "atualizado_em": moment(5, 3, 13),
            "extras": {},
        },
    ],
    "parcelas": [
        installment("77", 1, date(2024, 6, 10), *[None] * 5, "100.00", None, None, None),
        installment(
            "A0912345-000",
            *(0, date(2024, 4, 10), "0.00", "0.00", "434.11", "0.00", "0.00"),
            *("0.00", "18412.54", "0.00", "18846.65"),
        ),
        installment(
            "A0912345-000",
            *(1, date(2024, 5, 10), "1370.86", "0.00", "459.67", "0.00", "0.00"),
            *("1830.53", "18846.65", "0.00", "17475.79"),
        ),
        installment(
            "A0912345-000",
            *(2, date(2024, 6, 10), "17475.79", "0.00", "1.01", "0.01", "0.00"),
            *("17476.80", "17475.79", "0.00", "0.00"),
        ),
        installment(
            "B-7",
            *(1, date(2024, 6, 10), "100000.00", "0.10", "1990.00", "0.50", "3.00"),
            *("101993.60", "100000.00", "-0.01", "0.00"),
        ),
    ],
    "detalhamento_cet": [
        {
            "ccb_code": "77",
            "porcentagem_servicos": d("0.5"),
        },
        {
            "ccb_code": "A0912345-000",
            "porcentagem_juros": d("2.44"),
            "porcentagem_impostos": d("0.32"),
            "porcentagem_tarifas": d("0.00"),
            "porcentagem_servicos": d("0.00"),
        },
        {
            "ccb_code": "B-7",
            "porcentagem_juros": d("1.990"),
            "porcentagem_impostos": d("0.10"),
            "porcentagem_tarifas": d("0"),
            "porcentagem_servicos": d("0.41"),
        },
    ],
}


def exact(row: dict[str, Any]) -> dict[str, Any]:
    """What isn't null, with the digits of the numbers: Decimal("0") would equal Decimal("0.00")."""
    return {
        name: str(value) if isinstance(value, Decimal) else value
        for name, value in row.items()
        if value is not None
    }


def by_key(row: dict[str, Any]) -> list[str]:
    names = ("client_id", "ccb_code", "tipo", "valor", "banco", "numero_parcela")
    return [str(row.get(name)) for name in names]


def test_whole_documents_become_whole_rows(world: World, rows: Rows) -> None:
    assert tuple(EXPECTED) == EIGHT
    before = datetime.now(UTC)
    put_and_migrate(world, PERSON, COMPANY, BARE, LITERAL)
    after = datetime.now(UTC)
    for table, expected in EXPECTED.items():
        found = rows(table)
        for row in found:
            if "carregado_em" in row:
                assert before <= row.pop("carregado_em") <= after
        assert [exact(row) for row in sorted(found, key=by_key)] == [
            exact(row) for row in sorted(expected, key=by_key)
        ], table
