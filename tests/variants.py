"""The same contract in the other forms that the source has for its values (contract §1).

``VARIANTS`` holds a change in place per form. All take a document as ``synth.contracts`` makes it; where
a form can't apply (an only row as an object, when there are twelve) they leave it as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from bson import Decimal128, Int64

Document = dict[str, Any]
Change = Callable[[Document], None]
Form = Callable[[Any], Any]
Slots = Callable[[Document], Iterator[tuple[Document, str]]]
"""The fields of one kind in a document: who holds each of them, under which name."""

_MISSING = object()


def disguise(document: Document, kind: str) -> Document:
    """A copy that says the same in another form."""
    copy = deepcopy(document)
    VARIANTS[kind](copy)
    return copy


def _each(slots: Slots, form: Form) -> Change:
    def change(document: Document) -> None:
        for holder, name in list(slots(document)):
            new = form(holder[name])
            if new is _MISSING:
                del holder[name]
            else:
                holder[name] = new

    return change


# Which fields hold what


def _rows(document: Document) -> list[Document]:
    rows: list[Document] = document["operation"]["parcelas"]["PrevisaoDeParcela"]
    return rows


def _amounts(document: Document) -> Iterator[tuple[Document, str]]:
    for holder in (document["operation"], *_rows(document)):
        yield from ((holder, name) for name in holder if name.startswith(("Valor", "Total")))


def _rates(document: Document) -> Iterator[tuple[Document, str]]:
    operation = document["operation"]
    yield from ((operation, name) for name in operation if name.startswith(("Taxa", "CET")))
    breakdown = operation["detalhamentoDaCET"]
    yield from ((breakdown, name) for name in breakdown)


def _numbers(document: Document) -> Iterator[tuple[Document, str]]:
    yield from _amounts(document)
    yield from _rates(document)


def _dates(document: Document) -> Iterator[tuple[Document, str]]:
    operation = document["operation"]
    yield operation, "VencimentoPrimeiraParcela"
    yield from ((operation, name) for name in operation if name.startswith("Data"))
    yield from ((row, "DataDeVencimento") for row in _rows(document))
    if document["birthDate"] is not None:
        yield document, "birthDate"


def _booleans(document: Document) -> Iterator[tuple[Document, str]]:
    yield document, "pep"
    yield document["operation"], "FinanIOF"


def _moments(document: Document) -> Iterator[tuple[Document, str]]:
    yield document, "updatedAt"
    yield document, "emitedAt"


def _nulls(document: Document) -> Iterator[tuple[Document, str]]:
    """Null fields that have a column; the others are kept as they are, in whatever form."""
    for name in ("birthDate", "maritalStatus", "birthPlace", "motherName", "gender"):
        if document[name] is None:
            yield document, name
    if document["operation"]["Carencia"] is None:
        yield document["operation"], "Carencia"


def _texts(document: Document) -> Iterator[tuple[Document, str]]:
    for name in ("clientId", "name", "taxId", "type", "state", "structure", "status", "ccbCode"):
        yield document, name
    yield document["operation"], "Conta"


def _lists(document: Document) -> Iterator[tuple[Document, str]]:
    """Fields that are an only item or a list of them."""
    yield from ((document, name) for name in ("identity", "address", "bankData") if name in document)
    yield from ((document["contacts"], name) for name in ("email", "phone"))


def _zip_codes(document: Document) -> Iterator[tuple[Document, str]]:
    yield from ((address, "zipCode") for address in _listed(document["address"]))


def _accounts(document: Document) -> Iterator[tuple[Document, str]]:
    for account in _listed(document["bankData"]):
        yield from ((account, name) for name in account)


def _row_numbers(document: Document) -> Iterator[tuple[Document, str]]:
    yield from ((row, "NumeroDaParcela") for row in _rows(document))


def _one(*path: str) -> Slots:
    def slots(document: Document) -> Iterator[tuple[Document, str]]:
        holder = document
        for step in path[:-1]:
            holder = holder[step]
        yield holder, path[-1]

    return slots


# The forms


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _unlisted(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _brazilian(text: str) -> str:
    """``1.234,56``, with as many decimals as there were."""
    whole, _, decimals = text.partition(".")
    grouped = f"{int(whole):,}".replace(",", ".")
    return f"{grouped},{decimals or '00'}"


def _whole(form: Form) -> Form:
    """``form`` of the integer, where the text is that of an integer."""

    def only_whole(text: str) -> Any:
        value = Decimal(text)
        return form(int(value)) if value == value.to_integral_value() and abs(value) < 2**31 else text

    return only_whole


def _digits(form: Form) -> Form:
    """``form`` of text that is all digits."""
    return lambda value: form(int(value)) if isinstance(value, str) and value.isdigit() else value


def _punctuated(tax_id: str) -> str:
    if len(tax_id) == 11:
        return f"{tax_id[:3]}.{tax_id[3:6]}.{tax_id[6:9]}-{tax_id[9:]}"
    return f"{tax_id[:2]}.{tax_id[2:5]}.{tax_id[5:8]}/{tax_id[8:12]}-{tax_id[12:]}"


def _brazilian_date(text: str) -> str:
    return f"{text[8:10]}/{text[5:7]}/{text[:4]}"


def _bson_date(text: str) -> datetime:
    return datetime.fromisoformat(text[:10]).replace(tzinfo=UTC)


def _at_zero(offset: str) -> Form:
    """A day as the midnight of Greenwich that drivers and JavaScript make of it."""
    return lambda text: f"{text[:10]}T00:00:00{offset}"


def _epoch_ms_of_day(text: str) -> Any:
    """A bare number, where it can be nothing else."""
    found = _epoch_ms(_bson_date(text))
    return found if abs(found) >= 10**11 else text


def _zulu(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _with_offset(moment: datetime) -> str:
    return moment.astimezone(timezone(timedelta(hours=-3))).isoformat(timespec="milliseconds")


def _epoch_ms(moment: datetime) -> Int64:
    return Int64((moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1))


def _words(true: Any, false: Any) -> Form:
    return lambda value: true if value else false


def _tagged(tag: str, form: Form = str) -> Form:
    return lambda value: {tag: form(value)}


VARIANTS: dict[str, Change] = {
    "brazilian_numbers": _each(_numbers, _brazilian),
    "brazilian_numbers_without_thousands": _each(_numbers, lambda text: _brazilian(text).replace(".", "")),
    "decimal128": _each(_numbers, Decimal128),
    "number_decimal": _each(_numbers, _tagged("$numberDecimal")),
    "double_amounts": _each(_amounts, float),
    "int_amounts": _each(_amounts, _whole(int)),
    "int64_amounts": _each(_amounts, _whole(Int64)),
    "number_long_amounts": _each(_amounts, _whole(_tagged("$numberLong"))),
    "two_decimals_always": _each(_amounts, lambda text: f"{Decimal(text):.2f}"),
    "text_income": _each(_one("averageMonthlyIncome"), lambda income: f"{income}.0"),
    "int_row_numbers": _each(_row_numbers, int),
    "text_count": _each(_one("operation", "NumeroDeParcelas"), str),
    "int64_count": _each(_one("operation", "NumeroDeParcelas"), Int64),
    "double_count": _each(_one("operation", "NumeroDeParcelas"), float),
    "number_int_count": _each(_one("operation", "NumeroDeParcelas"), _tagged("$numberInt")),
    "only_row_as_object": _each(_one("operation", "parcelas", "PrevisaoDeParcela"), _unlisted),
    "only_items_as_lists": _each(_lists, _listed),
    "lists_of_one_as_items": _each(_lists, _unlisted),
    "null_items": _each(_lists, lambda value: [None, *_listed(value), None]),
    "blank_nulls": _each(_nulls, lambda _: ""),
    "i_nil": _each(_nulls, lambda _: {"@i:nil": "true"}),
    "xsi_nil": _each(_nulls, lambda _: {"@xsi:nil": "true"}),
    "missing_nulls": _each(_nulls, lambda _: _MISSING),
    "dates_alone": _each(_dates, lambda text: text[:10]),
    "dates_at_midnight": _each(_dates, lambda text: f"{text[:10]}T00:00:00"),
    "brazilian_dates": _each(_dates, _brazilian_date),
    "bson_dates": _each(_dates, _bson_date),
    "json_dates": _each(_dates, _at_zero(".000Z")),
    "dates_at_offset_zero": _each(_dates, _at_zero("+00:00")),
    "brazilian_dates_at_midnight": _each(_dates, lambda text: f"{_brazilian_date(text)} 00:00:00"),
    "literal_dates": _each(_dates, lambda text: {"$date": _at_zero("Z")(text)}),
    "literal_dates_of_number_long": _each(
        _dates, lambda text: {"$date": {"$numberLong": str(_epoch_ms(_bson_date(text)))}}
    ),
    "epoch_dates": _each(_dates, _epoch_ms_of_day),
    "dotnet_null_birth_date": _each(_one("birthDate"), lambda day: day or "0001-01-01T00:00:00"),
    "text_moments": _each(_moments, _zulu),
    "text_moments_with_offset": _each(_moments, _with_offset),
    "epoch_moments": _each(_moments, _epoch_ms),
    "date_documents": _each(_moments, _tagged("$date", _zulu)),
    "date_documents_of_ints": _each(_moments, _tagged("$date", _epoch_ms)),
    "date_documents_of_number_long": _each(
        _moments, lambda moment: {"$date": {"$numberLong": str(_epoch_ms(moment))}}
    ),
    "title_booleans": _each(_booleans, str),
    "lower_booleans": _each(_booleans, _words("true", "false")),
    "letter_booleans": _each(_booleans, _words("S", "N")),
    "digit_booleans": _each(_booleans, _words("1", "0")),
    "int_booleans": _each(_booleans, int),
    "punctuated_tax_id": _each(_one("taxId"), _punctuated),
    "lower_case_tax_id": _each(_one("taxId"), str.lower),
    "int_tax_id": _each(_one("taxId"), _digits(Int64)),
    "bare_zip_codes": _each(_zip_codes, lambda text: text.replace("-", "")),
    "int_zip_codes": _each(_zip_codes, lambda text: int(text.replace("-", ""))),
    "text_accounts": _each(_accounts, str),
    "spaces_around": _each(_texts, lambda text: f" {text}\t\n"),
}
"""Kind → a change in place that leaves the meaning as it is."""
