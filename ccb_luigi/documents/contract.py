"""The contract with the source: one Cerberus schema, and nobody else, says what a valid document is.

``Contract.judge`` takes a decoded document and answers with the normalised document, or raises
``Rejected`` with every reason, per field path, without values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from bson import ObjectId
from cerberus import TypeDefinition, Validator, errors

from ccb_luigi.codes import REJECTIONS, message
from ccb_luigi.documents import times, wording
from ccb_luigi.documents.compiled import Compiler, Rules
from ccb_luigi.documents.kinds import KINDS
from ccb_luigi.documents.rawbson import Document


def _null(kind: str, coerce: str | None = None, **rules: Any) -> Rules:
    return {"type": kind, "coerce": coerce or kind, "nullable": True, **rules}


def _required(rules: Rules, **more: Any) -> Rules:
    return {**rules, "nullable": False, "required": True, **more}


def _object(schema: Rules) -> Rules:
    return _null("dict", "document", schema=schema)


def _one_or_many(item: Rules) -> Rules:
    """A list, or the only item of one. Null items stay in place, so that error paths tell the index."""
    return _null("list", "items", schema=item)


TEXT = _null("string", "text")
# Lengths keep every key, alone and together, below the 2,704 bytes that a B-tree entry can take.
KEY = _null("string", "key", maxlength=255)
ACCOUNT = _null("string", "text", maxlength=60)
CONTACT = _null("string", "text", maxlength=320)
MONEY = _null("decimal", "money")
RATE = _null("decimal", "rate")
INTEGER = _null("integer")
BOOLEAN = _null("boolean")
DATE = _null("date")
MOMENT = _null("datetime", "moment")

PARCELA: Rules = {
    "NumeroDaParcela": _required(INTEGER, min=0),
    "DataDeVencimento": _required(DATE),
    "ValorDaAmortizacao": MONEY,
    "ValorDaCorrecao": MONEY,
    "ValorDoJuros": MONEY,
    "ValorDoSeguro": MONEY,
    "ValorTaxaBancaria": MONEY,
    "ValorDaPrestacao": MONEY,
    "ValorDoSaldoAnterior": MONEY,
    "ValorDoJurosCapitalizados": MONEY,
    "ValorDoSaldoAtual": MONEY,
}

OPERATION: Rules = {
    "VencimentoPrimeiraParcela": _required(DATE),
    "Carencia": INTEGER,
    "FinanIOF": BOOLEAN,
    "Conta": TEXT,
    "ValorBruto": _required(MONEY),
    "ValorDoSeguro": MONEY,
    "ValorDaCAD": MONEY,
    "ValorDoIOF": MONEY,
    "ValorLiquido": _required(MONEY),
    "TaxaDeJuros": RATE,
    "TaxaDeJurosAnual": RATE,
    "CET": RATE,
    "CET_ANUAL": RATE,
    "DataDeLiberacao": DATE,
    "DataDeVencimentoInicial": DATE,
    "DataDeVencimentoFinal": DATE,
    "NumeroDeParcelas": INTEGER,
    "parcelas": _object(
        {
            "PrevisaoDeParcela": {
                **_one_or_many(_object(PARCELA)),
                "check_with": "distinct_numbers",
            }
        }
    ),
    "TotalDeAmortizacao": MONEY,
    "TotalDaTaxaDeServico": MONEY,
    "TotalDoSeguro": MONEY,
    "TotalDaTaxaDeCorrecao": MONEY,
    "TotalDeJuros": MONEY,
    "TotalDoValorDasParcelas": MONEY,
    "detalhamentoDaCET": _object(
        {
            "PorcentagemDeJuros": RATE,
            "PorcentagemDeImpostos": RATE,
            "PorcentagemDeTarifas": RATE,
            "PorcentagemDeServicos": RATE,
        }
    ),
}

SCHEMA: Rules = {
    "_id": {"type": "string", "coerce": "mongo_id", "required": True, "maxlength": 255},
    "clientId": _required(KEY),
    "name": _required(TEXT),
    "taxId": _required(_null("string", "tax_id")),
    "type": _required(_null("string", "person_type")),
    "birthDate": DATE,
    "maritalStatus": TEXT,
    "identity": _one_or_many(_object({"number": TEXT, "issuer": TEXT, "issuerState": TEXT})),
    "birthPlace": TEXT,
    "address": _one_or_many(
        _object(
            {
                "type": TEXT,
                "zipCode": _null("string", "zip_code"),
                "state": TEXT,
                "city": TEXT,
                "address": TEXT,
                "neighbourhood": TEXT,
                "number": TEXT,
                "complement": TEXT,
            }
        )
    ),
    "pep": BOOLEAN,
    "structure": TEXT,
    "state": TEXT,
    "motherName": TEXT,
    "gender": TEXT,
    "contacts": _object({"email": _one_or_many(CONTACT), "phone": _one_or_many(CONTACT)}),
    "averageMonthlyIncome": MONEY,
    "bankData": _one_or_many(
        _object({"bankNumber": ACCOUNT, "branchNumber": ACCOUNT, "accountNumber": ACCOUNT})
    ),
    "operation": _required(_object(OPERATION)),
    "status": TEXT,
    "ccbCode": _required(KEY),
    "updatedAt": MOMENT,
    "createdAt": MOMENT,
    "emitedAt": MOMENT,
}


class Rejected(Exception):
    """A document that can't be loaded; ``reasons`` maps each field path to its codes.

    ``said``: path → a better sentence for its code than the code's own.
    """

    def __init__(self, reasons: dict[str, list[str]], said: Mapping[str, str] | None = None) -> None:
        super().__init__(", ".join(f"{path}: {code}" for path, code in _flat(reasons)))
        self.reasons = reasons
        self._said = said or {}

    @property
    def codes(self) -> list[str]:
        """Every code once, sorted."""
        return sorted({code for _, code in _flat(self.reasons)})

    @property
    def messages(self) -> dict[str, list[str]]:
        """Field path → sentences, as the quarantine keeps them."""
        return {
            path: [self._said.get(path) or message(code) for code in codes]
            for path, codes in self.reasons.items()
        }


def _flat(reasons: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
    return ((path, code) for path, codes in reasons.items() for code in codes)


class Contract:
    """The schema, ready to check documents; one per process, since making its parts costs milliseconds."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone

    @cached_property
    def compiled(self) -> Callable[[Document], Document | None]:
        """The contract without Cerberus: a document's normal form, or ``None`` for *unsure*."""
        return self.compiler.contract(SCHEMA)

    @cached_property
    def compiler(self) -> Compiler:
        """What makes readers of the contract's fields; whoever uses the same one shares its memories."""
        return Compiler(self.zone)

    @cached_property
    def _validator(self) -> Any:
        return _Validator(SCHEMA, allow_unknown=True, zone=self.zone)

    def judge(self, document: Document) -> Document:
        """The document with every known field in its normal form (see ``values``, ``times``).

        Raises:
            Rejected: the document breaks a rule of contract §3.7.
        """
        if not self._validator.validate(document):
            raise _rejected(self._validator._errors, document)
        normalised: Document = self._validator.document
        return normalised

    def effective_time(self, document: Document) -> datetime | None:
        """When this version was written, in UTC (contract §3.1), or ``None`` when nothing tells.

        Raises:
            Unreadable: the first of the fields that is there can't be read.
        """
        for field in ("updatedAt", "createdAt", "emitedAt"):
            if (moment := times.moment(document.get(field), self.zone)) is not None:
                return moment
        own = document.get("_id")
        return own.generation_time if isinstance(own, ObjectId) else None


_CODE_OF_RULE = {
    "required": "ausente",
    "nullable": "ausente",
    "maxlength": "texto_longo",
    "min": "parcela_negativa",
}


def _rejected(found: Iterable[Any], document: Document) -> Rejected:
    """Cerberus' error tree as path → code; what follows from a failed coercion isn't repeated."""
    by_path: dict[str, list[str]] = {}
    said: dict[str, str] = {}
    for error in sorted(_leaves(found), key=lambda e: e.code != errors.COERCION_FAILED.code):
        path = ".".join(str(step) for step in error.document_path)
        codes = by_path.setdefault(path, [])
        coerced = error.code == errors.COERCION_FAILED.code
        if coerced:
            codes[:] = [error.info[0] if error.info[0] in REJECTIONS else "tipo_invalido"]
        elif not codes:
            custom = error.code == errors.CUSTOM.code
            codes.append(error.info[0] if custom else _CODE_OF_RULE.get(error.rule, "tipo_invalido"))
        else:
            continue
        wanted = error.constraint if coerced or error.rule in ("type", "maxlength") else None
        said[path] = wording.sentence(codes[0], document, error.document_path, wanted)
    return Rejected(by_path, said)


def _leaves(found: Iterable[Any]) -> Iterator[Any]:
    for error in found:
        if error.is_group_error:
            yield from _leaves(error.child_errors)
        else:
            yield error


def _coercion(name: str) -> Callable[[Any, Any], Any]:
    return lambda self, value: KINDS[name].reader(self._config["zone"], self.document)(value)


# Which coercions there are Cerberus asks a class once, when it is made.
_WithKinds: Any = type(
    "_WithKinds", (Validator,), {f"_normalize_coerce_{name}": _coercion(name) for name in KINDS}
)


class _Validator(_WithKinds):  # type: ignore[misc]  # Cerberus ships no types
    """Cerberus, with the ``kinds`` as coercions."""

    types_mapping = {
        **Validator.types_mapping,
        "decimal": TypeDefinition("decimal", (Decimal,), ()),
        "date": TypeDefinition("date", (date,), (datetime,)),
    }

    def _check_with_distinct_numbers(self, field: str, rows: Any) -> None:
        numbers = [row.get("NumeroDaParcela") for row in rows or () if isinstance(row, dict)]
        whole = [number for number in numbers if isinstance(number, int)]
        if len(whole) != len(set(whole)):
            self._error(field, "parcela_repetida")
