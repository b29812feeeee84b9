"""Contracts for tests: one synthetic document whose arithmetic holds to the cent, changed as a test needs it.

The numbers were worked out apart from the package. Nothing here calls it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS
from hypothesis import strategies as st

Document = dict[str, Any]

SCHEDULE = "operation.parcelas.PrevisaoDeParcela"
"""The path of the list of parcelas."""


class Missing(Enum):
    """The change that takes a field away."""

    MISSING = "missing"


MISSING = Missing.MISSING

# number, due date, amortização, juros, prestação, saldo anterior, saldo atual
_ROWS = [
    (0, "2024-04-10", "0", "434.11", "0", "18412.54", "18846.65"),
    (1, "2024-05-10", "1370.86", "459.67", "1830.53", "18846.65", "17475.79"),
    (2, "2024-06-10", "1404.3", "426.23", "1830.53", "17475.79", "16071.49"),
    (3, "2024-07-10", "1438.55", "391.98", "1830.53", "16071.49", "14632.94"),
    (4, "2024-08-10", "1473.63", "356.9", "1830.53", "14632.94", "13159.31"),
    (5, "2024-09-10", "1509.57", "320.96", "1830.53", "13159.31", "11649.74"),
    (6, "2024-10-10", "1546.39", "284.14", "1830.53", "11649.74", "10103.35"),
    (7, "2024-11-10", "1584.11", "246.42", "1830.53", "10103.35", "8519.24"),
    (8, "2024-12-10", "1622.75", "207.78", "1830.53", "8519.24", "6896.49"),
    (9, "2025-01-10", "1662.32", "168.21", "1830.53", "6896.49", "5234.17"),
    (10, "2025-02-10", "1702.87", "127.66", "1830.53", "5234.17", "3531.3"),
    (11, "2025-03-10", "1744.4", "86.13", "1830.53", "3531.3", "1786.9"),
    (12, "2025-04-10", "1786.9", "43.63", "1830.53", "1786.9", "0"),
]


def parcela(
    number: int,
    due: str,
    principal: str,
    interest: str,
    payment: str,
    before: str,
    after: str,
    **changes: Any,
) -> Document:
    """One row of the schedule, as the source writes it."""
    return {
        "NumeroDaParcela": str(number),
        "DataDeVencimento": f"{due}T00:00:00",
        "ValorDaAmortizacao": principal,
        "ValorDaCorrecao": "0",
        "ValorDoJuros": interest,
        "ValorDoSeguro": "0",
        "ValorTaxaBancaria": "0",
        "ValorDaPrestacao": payment,
        "ValorDoSaldoAnterior": before,
        "ValorDoJurosCapitalizados": "0",
        "ValorDoSaldoAtual": after,
        **changes,
    }


def schedule() -> list[Document]:
    """The thirteen rows of the document: a month of grace, then twelve payments."""
    return [parcela(*row) for row in _ROWS]


def _operation() -> Document:
    return {
        "VencimentoPrimeiraParcela": "2024-05-10",
        "Carencia": None,
        "FinanIOF": True,
        "Conta": "110000000",
        "ValorBruto": "18412.54",
        "ValorDoSeguro": "0",
        "ValorDaCAD": "0",
        "ValorDoIOF": "412.54",
        "ValorLiquido": "18000.0",
        "TaxaDeJuros": "2.4390",
        "TaxaDeJurosAnual": "33.53",
        "CET": "2.76",
        "CET_ANUAL": "38.64",
        "DataDeLiberacao": "2024-03-12",
        "DataDeVencimentoInicial": "2024-05-10",
        "DataDeVencimentoFinal": "2025-04-10",
        "NumeroDeParcelas": 12,
        "parcelas": {"PrevisaoDeParcela": schedule()},
        "TotalDeAmortizacao": "18846.65",
        "TotalDaTaxaDeServico": "0",
        "TotalDoSeguro": "0",
        "TotalDaTaxaDeCorrecao": "0",
        "TotalDeJuros": "3553.82",
        "TotalDoValorDasParcelas": "21966.36",
        "detalhamentoDaCET": {
            "PorcentagemDeJuros": "2.44",
            "PorcentagemDeImpostos": "0.32",
            "PorcentagemDeTarifas": "0.00",
            "PorcentagemDeServicos": "0.00",
        },
    }


def _document() -> Document:
    return {
        "_id": "Zt4mQx81Lr0VbnCyA2pe",
        "clientId": "nW8sJdK3uTfXo1Rz5GqHy7MbEaL",
        "name": "BENTO ARAÚJO GUIMARÃES",
        "taxId": "39825979194",
        "type": "PF",
        "birthDate": "1979-05-21",
        "maritalStatus": "casado",
        "identity": {"number": "12.345.678", "issuer": "SSP", "issuerState": "MG"},
        "birthPlace": "Santa Rita do Exemplo",
        "address": {
            "zipCode": "39999-000",
            "state": "MG",
            "city": "Santa Rita do Exemplo",
            "address": "CÓRREGO DA BOA VISTA",
            "neighbourhood": "Rural",
            "number": "0",
        },
        "pep": False,
        "structure": "FIDC - Modelo",
        "state": "MG",
        "motherName": "Clara Araújo",
        "gender": "masculino",
        "contacts": {"email": "bento@example.com", "phone": "(11) 90000-0000"},
        "averageMonthlyIncome": 9800,
        "bankData": {"branchNumber": 4103, "accountNumber": 8079, "bankNumber": "756"},
        "guarantors": None,
        "operation": _operation(),
        "bank": None,
        "sendVortx": "True",
        "status": "Enviada",
        "updatedAt": datetime(2024, 5, 3, 19, 28, 10, 454_000, tzinfo=UTC),
        "createdAt": "2024-03-12T12:20:19.093830+00:00",
        "ccbCode": "A0912345-000",
        "emitedAt": datetime(2024, 3, 12, 12, 28, 25, 832_000, tzinfo=UTC),
    }


def contract(schedule: Any = None, **changes: Any) -> Document:
    """A complete valid document, ready for ``bson.encode``, with its own copies of everything.

    ``schedule`` stands in for the rows. Each change names a field, or by its dotted path a nested one
    (``**{"operation.ValorBruto": "1"}``; the index of a list counts as a name); ``MISSING`` takes it away.
    """
    document = _document()
    if schedule is not None:
        changed(document, SCHEDULE, schedule)
    for path, value in changes.items():
        changed(document, path, value)
    return document


def changed(document: Document, path: str, value: Any) -> Document:
    """``document`` with ``value`` at ``path``, changed in place."""
    *outer, last = path.split(".")
    place: Any = document
    for step in outer:
        place = place[int(step)] if isinstance(place, list) else place[step]
    name: Any = int(last) if isinstance(place, list) else last
    if value is MISSING:
        del place[name]
    else:
        place[name] = copy.deepcopy(value)
    return document


def changed_at_once(document: Document, changes: dict[str, Any]) -> Document:
    """``document`` with a value at each path, but where an earlier change took the place away."""
    for path, value in sorted(changes.items()):
        with suppress(KeyError, TypeError, IndexError, AttributeError, ValueError):
            changed(document, path, value)
    return document


def field_paths(document: Any, prefix: str = "") -> Iterator[str]:
    """The dotted path of every field and list item, the ones that hold others too."""
    steps = document.items() if isinstance(document, dict) else enumerate(document)
    for step, value in steps:
        path = f"{prefix}{step}"
        yield path
        if isinstance(value, (dict, list)):
            yield from field_paths(value, path + ".")


ODD_TEXTS = [
    "",
    " ",
    "\0",
    "a\0b",
    "\t\n\r\x0b\x1f\x7f\x85",
    "\\N",
    "\\u0000",
    "\\\\u0000",
    "0001-01-01T00:00:00",
    "9999-12-31T23:59:59",
    "2024-02-30",
    "2024-05-10T00:00:00+14:00",
    "31/12/9999",
    "1.234",
    "1.234,56",
    "0,5",
    "9999999999999.99",
    "10000000000000",
    "0.001",
    "1e400",
    "NaN",
    "-Infinity",
    "-1",
    "-0",
    "2147483648",
    "٣",
    "１２３",
    "²",
    "Ⅷ",
    "12ABC34501DE35",
    "PJ",
    "S",
    "\u200b",
    "\u2028",
    "😀" * 300,
    "x" * 4000,
    "9" * 5000,
]

_DECIMALS = [
    "NaN",
    "sNaN",
    "-NaN",
    "Infinity",
    "-Infinity",
    "0E-6176",
    "0E+6111",
    "1E-6176",
    "1E+6111",
    "9.999999999999999999999999999999999E+6144",
    "-1.000000000000000000000000000000001E+6144",
    "9999999999999.995",
    "0.30",
    "1E+3",
]
_INT64 = st.integers(-(2**63), 2**63 - 1)
_KEYS = st.sampled_from(
    [
        "a",
        "",
        "a.b",
        "\\",
        "@i:nil",
        "@xsi:nil",
        "@i:type",
        "$date",
        "$numberLong",
        "$numberInt",
        "$numberDouble",
        "$numberDecimal",
        "$oid",
        "$ref",
        "type",
        "number",
        "NumeroDaParcela",
        "ValorBruto",
    ]
)


def _scalars() -> st.SearchStrategy[Any]:
    integers = st.one_of(_INT64, st.sampled_from([0, 1, -1, 2**31, -(2**31) - 1, 2**63 - 1, -(2**63)]))
    moments = st.datetimes(timezones=st.just(UTC)).map(lambda m: m.replace(microsecond=0))
    texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
    return st.one_of(
        st.sampled_from([None, True, False, MinKey(), MaxKey()]),
        integers,
        integers.map(Int64),
        # Times of the years 1 and 9999, which fall out of Python's calendar with a step of some hours.
        st.integers(-62135683200000, -62135510400000),
        st.integers(253402214400000, 253402387200000),
        st.floats(),
        st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**9), max_value=10**9).map(
            lambda d: Decimal128(d)
        ),
        st.sampled_from(_DECIMALS).map(Decimal128),
        texts,
        st.sampled_from(ODD_TEXTS),
        st.decimals(allow_nan=False, allow_infinity=False).map(str),
        st.binary(max_size=20),
        st.tuples(st.binary(min_size=16, max_size=16), st.sampled_from([0, 3, 4, 5, 128])).map(
            lambda pair: Binary(*pair)
        ),
        st.binary(min_size=12, max_size=12).map(ObjectId),
        moments,
        _INT64.map(DatetimeMS),
        st.builds(Timestamp, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)),
        st.builds(Regex, st.sampled_from(["", "a(", ".*"]), st.integers(0, 127)),
        st.sampled_from([Code("f()"), Code("f()", {"a": 1}), DBRef("c", 1), DBRef("c", "x", "d")]),
    )


def _tagged(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(_KEYS, inner).map(lambda pair: {pair[0]: pair[1]})


def bson_values() -> st.SearchStrategy[Any]:
    """Anything that a field of a BSON document can hold."""
    scalars = _scalars()
    return st.recursive(
        st.one_of(scalars, _tagged(scalars)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(_KEYS, inner, max_size=3), _tagged(inner)
        ),
        max_leaves=6,
    )
