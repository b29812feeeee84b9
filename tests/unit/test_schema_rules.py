"""Every rule of the Cerberus schema, written down a second time by hand: none changes unnoticed.

What the rules do is shown in test_contract.py; that they are all compiled, in test_compiled.py.
"""

from __future__ import annotations

from typing import Any

import pytest

from ccb_luigi.documents.contract import SCHEMA

TYPES = {"money": "decimal", "rate": "decimal", "moment": "datetime", "document": "dict", "items": "list"}
WORDS = {"key", "text", "mongo_id", "person_type", "tax_id", "zip_code"}

# Path → how it is read; "!" must be there and not null; then the other rules.
RULES = """
_id mongo_id ! maxlength=255
clientId key ! maxlength=255
name text !
taxId tax_id !
type person_type !
birthDate date
maritalStatus text
identity items
identity[] document
identity[].number text
identity[].issuer text
identity[].issuerState text
birthPlace text
address items
address[] document
address[].type text
address[].zipCode zip_code
address[].state text
address[].city text
address[].address text
address[].neighbourhood text
address[].number text
address[].complement text
pep boolean
structure text
state text
motherName text
gender text
contacts document
contacts.email items
contacts.email[] text maxlength=320
contacts.phone items
contacts.phone[] text maxlength=320
averageMonthlyIncome money
bankData items
bankData[] document
bankData[].bankNumber text maxlength=60
bankData[].branchNumber text maxlength=60
bankData[].accountNumber text maxlength=60
operation document !
operation.VencimentoPrimeiraParcela date !
operation.Carencia integer
operation.FinanIOF boolean
operation.Conta text
operation.ValorBruto money !
operation.ValorDoSeguro money
operation.ValorDaCAD money
operation.ValorDoIOF money
operation.ValorLiquido money !
operation.TaxaDeJuros rate
operation.TaxaDeJurosAnual rate
operation.CET rate
operation.CET_ANUAL rate
operation.DataDeLiberacao date
operation.DataDeVencimentoInicial date
operation.DataDeVencimentoFinal date
operation.NumeroDeParcelas integer
operation.parcelas document
operation.parcelas.PrevisaoDeParcela items check_with=distinct_numbers
operation.parcelas.PrevisaoDeParcela[] document
operation.parcelas.PrevisaoDeParcela[].NumeroDaParcela integer ! min=0
operation.parcelas.PrevisaoDeParcela[].DataDeVencimento date !
operation.parcelas.PrevisaoDeParcela[].ValorDaAmortizacao money
operation.parcelas.PrevisaoDeParcela[].ValorDaCorrecao money
operation.parcelas.PrevisaoDeParcela[].ValorDoJuros money
operation.parcelas.PrevisaoDeParcela[].ValorDoSeguro money
operation.parcelas.PrevisaoDeParcela[].ValorTaxaBancaria money
operation.parcelas.PrevisaoDeParcela[].ValorDaPrestacao money
operation.parcelas.PrevisaoDeParcela[].ValorDoSaldoAnterior money
operation.parcelas.PrevisaoDeParcela[].ValorDoJurosCapitalizados money
operation.parcelas.PrevisaoDeParcela[].ValorDoSaldoAtual money
operation.TotalDeAmortizacao money
operation.TotalDaTaxaDeServico money
operation.TotalDoSeguro money
operation.TotalDaTaxaDeCorrecao money
operation.TotalDeJuros money
operation.TotalDoValorDasParcelas money
operation.detalhamentoDaCET document
operation.detalhamentoDaCET.PorcentagemDeJuros rate
operation.detalhamentoDaCET.PorcentagemDeImpostos rate
operation.detalhamentoDaCET.PorcentagemDeTarifas rate
operation.detalhamentoDaCET.PorcentagemDeServicos rate
status text
ccbCode key ! maxlength=255
updatedAt moment
createdAt moment
emitedAt moment
"""


def written() -> dict[str, dict[str, str]]:
    found = {}
    for entry in RULES.split("\n")[1:-1]:
        path, coerce, *more = entry.split()
        rules = {"coerce": coerce, "type": "string" if coerce in WORDS else TYPES.get(coerce, coerce)}
        if "!" in more:
            rules |= {"required": "True", "nullable": "False"}
        else:
            rules["nullable"] = "True"
        rules |= dict(rule.split("=") for rule in more if "=" in rule)
        found[path] = rules
    del found["_id"]["nullable"]  # says nothing of it: not nullable is Cerberus' own default
    return found


def flat(schema: Any, prefix: str = "") -> dict[str, dict[str, str]]:
    found = {}
    for name, rules in schema.items():
        found |= _flat_field(rules, f"{prefix}{name}")
    return found


def _flat_field(rules: Any, path: str) -> dict[str, dict[str, str]]:
    found = {path: {rule: str(value) for rule, value in rules.items() if rule != "schema"}}
    if rules["type"] == "dict":
        found |= flat(rules["schema"], f"{path}.")
    elif rules["type"] == "list":
        found |= _flat_field(rules["schema"], f"{path}[]")
    return found


def test_the_schema_has_these_fields_and_no_others() -> None:
    assert flat(SCHEMA).keys() == written().keys()


@pytest.mark.parametrize("path", sorted(written()))
def test_a_field_has_these_rules_and_no_others(path: str) -> None:
    assert flat(SCHEMA)[path] == written()[path]
