"""The forms in which one value can arrive (contract §1), each read into its one normal form.

Every reader takes a decoded BSON value and returns the normal form, ``None`` for any of the ways to
say null, or raises ``Unreadable`` with a rejection code. None of them ever puts the value into the error.

Normal forms: text ``str`` (trimmed, not empty), money and rates ``Decimal`` (exactly the digits that
came), counts ``int``, truth ``bool``. (Days and moments: ``times``.)
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Any

from bson import Code, Decimal128, ObjectId

from ccb_luigi.documents.identity import of_text

CENT = Decimal("0.01")
MONEY_LIMIT = Decimal(10) ** 13  # numeric(15,2)
ROUNDING_TOLERANCE = Decimal("1e-6")  # contract §3.7: how far a double may lie from whole cents
INT4 = range(-(2**31), 2**31)

_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?").fullmatch
_PLAIN_MONEY = re.compile(r"[0-9]{1,13}(?:\.[0-9]{1,2})?").fullmatch
_PLAIN_RATE = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?").fullmatch
_BRAZILIAN = re.compile(r"[+-]?(?:[0-9]+|[0-9]{1,3}(?:\.[0-9]{3})+),[0-9]+").fullmatch
_AMBIGUOUS = re.compile(r"[+-]?[0-9]+\.[0-9]{3}").fullmatch
_EXPONENT = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,4})?").fullmatch
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}").fullmatch
_NOT_FINITE = re.compile(r"[+-]?(?:s?nan|inf(?:inity)?)", re.IGNORECASE).fullmatch
_TAX_PUNCTUATION = re.compile(r"[.\-/\s]")
_CPF_OR_CNPJ = re.compile(r"[0-9]{11}|[0-9A-Z]{12}[0-9]{2}").fullmatch
_ZIP_PUNCTUATION = re.compile(r"[.\-\s]")
_ZIP_CODE = re.compile(r"[0-9]{8}").fullmatch
_TRUE = frozenset({"true", "s", "1"})
_FALSE = frozenset({"false", "n", "0"})


class Unreadable(ValueError):
    """The value can't be read as what its field holds; ``str(error)`` is the rejection code."""


class Rounded(Decimal):
    """An amount that was a double next to whole cents and was rounded to them (finding ``arredondado``)."""


def is_null(value: Any) -> bool:
    """Whether ``value`` is one of the source's ways to say null."""
    if value is None:
        return True
    if isinstance(value, str):
        return not value or value.isspace()
    if not isinstance(value, dict) or ("@i:nil" not in value and "@xsi:nil" not in value):
        return False
    nil = value.get("@i:nil", value.get("@xsi:nil"))
    return nil in ("true", "1", True) and all(key.startswith("@") for key in value)


def text(value: Any) -> str | None:
    """Trimmed text; a whole number is written as its digits. Raises ``tipo_invalido``, ``nul``."""
    if type(value) is str and "\0" not in value:  # nearly all are
        return value.strip() or None
    if isinstance(value, str):
        if isinstance(value, Code):
            raise Unreadable("tipo_invalido")
        stripped = value.strip()
        if "\0" in stripped:
            raise Unreadable("nul")
        return stripped or None
    if value is None or is_null(value):
        return None
    value = unwrapped(value)
    if isinstance(value, str):
        return text(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(int(value))
    raise Unreadable("tipo_invalido")


def key(value: Any) -> str | None:
    """Text that identifies something: as ``text``, and an ObjectId as its 24 hex digits."""
    value = unwrapped(value)
    return str(value) if isinstance(value, ObjectId) else text(value)


def mongo_id(value: Any) -> str | None:
    """``_id``: a string exactly as it is (it is an identity, so not trimmed), or an ObjectId as hex.

    In quotes, if it would be the name of another value: see ``identity``.
    """
    if isinstance(value, ObjectId):
        return str(value)
    if type(value) is str:
        if "\0" in value:
            raise Unreadable("nul")
        return of_text(value)
    raise Unreadable("id_invalido")


def person_type(value: Any) -> str | None:
    """``PF`` or ``PJ``. Raises ``tipo_pessoa_invalido``."""
    word = text(value)
    if word is None:
        return None
    if word.upper() not in ("PF", "PJ"):
        raise Unreadable("tipo_pessoa_invalido")
    return word.upper()


def tax_id(value: Any, person: Any) -> str | None:
    """A CPF or CNPJ by its shape alone; an int lost its leading zeros and gets them back.

    ``person`` is the document's ``type`` in any form: it says how many digits an int had.
    """
    found = text(value)
    if found is None:
        return None
    if not isinstance(value, str):
        found = found.zfill(14 if isinstance(person, str) and person.strip().upper() == "PJ" else 11)
    bare = _TAX_PUNCTUATION.sub("", found).upper()
    if not _CPF_OR_CNPJ(bare):
        raise Unreadable("cpf_cnpj_invalido")
    return bare


def zip_code(value: Any) -> str | None:
    """A CEP without punctuation; an int gets its leading zeros back. Its length isn't checked here."""
    found = text(value)
    if found is None:
        return None
    return _ZIP_PUNCTUATION.sub("", found if isinstance(value, str) else found.zfill(8))


def is_zip_code(value: str) -> bool:
    """Whether a normalised CEP has its eight digits."""
    return bool(_ZIP_CODE(value))


NO_DOCUMENT = object()
"""In the place of what should be a sub-document and isn't: it has no type that the schema knows."""


def document(value: Any) -> Any:
    """A sub-document as it is; ``NO_DOCUMENT`` for what is neither that nor null."""
    if is_null(value):
        return None
    # Cerberus would rebuild any other sequence (bytes are one) item by item, and stumble.
    return value if isinstance(value, dict) else NO_DOCUMENT


def items(value: Any) -> list[Any] | None:
    """A list as it is; one of the only item, where no list was written for it."""
    if is_null(value):
        return None
    return value if isinstance(value, list) else [value]


def money(value: Any) -> Decimal | None:
    """An amount in reais with at most two decimals that fits ``numeric(15,2)``."""
    if type(value) is str and _PLAIN_MONEY(value):  # nearly all are; what follows would say the same
        return Decimal(value) if value[-3:-2] == "." else Decimal(value).quantize(CENT)
    if is_null(value):
        return None
    value = unwrapped(value)
    if isinstance(value, str) and _AMBIGUOUS(value.strip()):
        raise Unreadable("valor_ambiguo")
    number = _number(value)
    if abs(number) >= MONEY_LIMIT:
        raise Unreadable("valor_excede")
    cents = number.quantize(CENT)
    if cents == number:
        return cents
    if isinstance(value, float) and abs(cents - number) <= ROUNDING_TOLERANCE:
        return Rounded(cents)
    raise Unreadable("fracao_de_centavo")


def rate(value: Any) -> Decimal | None:
    """A rate or percentage: exactly the digits that came, within what ``numeric`` can hold."""
    if type(value) is str and _PLAIN_RATE(value):  # nearly all are; what follows would say the same
        return Decimal(value)
    if is_null(value):
        return None
    number = _number(unwrapped(value))
    exponent = number.as_tuple().exponent
    if number.adjusted() >= 131072 or not isinstance(exponent, int) or exponent < -16383:
        raise Unreadable("valor_excede")
    return number


def integer(value: Any) -> int | None:
    """A whole number that fits ``integer``."""
    if type(value) is int and value in INT4:
        return value
    if is_null(value):
        return None
    number = _number(unwrapped(value))
    if abs(number) > 2**31:  # before int(): an exponent of thousands would take forever
        raise Unreadable("valor_excede")
    if number != number.to_integral_value():
        raise Unreadable("numero_invalido")
    if int(number) not in INT4:
        raise Unreadable("valor_excede")
    return int(number)


def boolean(value: Any) -> bool | None:
    """A truth value from the closed list of forms."""
    if isinstance(value, bool):
        return value
    if is_null(value):
        return None
    value = unwrapped(value)
    if isinstance(value, str):
        word = value.strip().lower()
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
    elif isinstance(value, (int, float)) and value in (0, 1):
        return bool(value)
    raise Unreadable("booleano_invalido")


def _number(value: Any) -> Decimal:
    """A finite number of any numeric BSON type or text form."""
    if isinstance(value, str):
        return _number_in(value.strip())
    if isinstance(value, bool):
        raise Unreadable("tipo_invalido")
    if isinstance(value, int):
        return Decimal(int(value))
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Unreadable("nao_finito")
        return Decimal(repr(float(value)))
    if isinstance(value, Decimal128):
        decimal = value.to_decimal()
        if not decimal.is_finite():
            raise Unreadable("nao_finito")
        return decimal
    raise Unreadable("tipo_invalido")


def _number_in(stripped: str) -> Decimal:
    if _NUMBER(stripped):
        return Decimal(stripped)
    if _BRAZILIAN(stripped):
        return Decimal(stripped.replace(".", "").replace(",", "."))
    raise Unreadable("nao_finito" if _NOT_FINITE(stripped) else "numero_invalido")


def unwrapped(value: Any) -> Any:
    """A sub-document of literally inserted extended JSON as the value that it stands for.

    JavaScript is a kind of ``str`` to PyMongo, but it isn't text: without its scope it may mean anything.
    """
    if isinstance(value, Code):
        raise Unreadable("tipo_invalido")
    if not isinstance(value, dict) or len(value) != 1:
        return value
    ((tag, inner),) = value.items()
    if tag in ("$numberInt", "$numberLong") and isinstance(inner, (str, int)):
        if isinstance(inner, int) or _INTEGER(inner):
            return int(inner)
    elif tag == "$numberDouble" and isinstance(inner, (str, int, float)):
        if not isinstance(inner, str) or _EXPONENT(inner) or _NOT_FINITE(inner):
            return float(inner)
    elif tag == "$numberDecimal" and isinstance(inner, str):
        if _EXPONENT(inner) or _NOT_FINITE(inner):
            try:
                return Decimal128(inner)
            except ArithmeticError:  # more digits than Decimal128 has: it was never one
                raise Unreadable("numero_invalido") from None
    elif tag == "$oid" and isinstance(inner, str) and ObjectId.is_valid(inner):
        return ObjectId(inner)
    return value
