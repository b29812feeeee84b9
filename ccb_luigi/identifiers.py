"""CPF, CNPJ and federation units: what can be told from the text alone.

CPF: two check digits, each (sum of digit x weight x 10) mod 11 mod 10, weights 10..2 and 11..2.
CNPJ: alphanumeric since July 2026 (IN RFB 2.229/2024): a character counts ``ord(c) - 48``; weights
5,4,3,2,9,...,2 and 6,5,4,3,2,9,...,2; r = sum mod 11; the digit is 0 if r < 2, else 11 - r.
"""

from __future__ import annotations

import re

UFS = frozenset(
    [
        "AC",
        "AL",
        "AP",
        "AM",
        "BA",
        "CE",
        "DF",
        "ES",
        "GO",
        "MA",
        "MT",
        "MS",
        "MG",
        "PA",
        "PB",
        "PR",
        "PE",
        "PI",
        "RJ",
        "RN",
        "RS",
        "RO",
        "RR",
        "SC",
        "SP",
        "SE",
        "TO",
    ]
)
"""The 26 states and the federal district."""

_CPF = re.compile(r"[0-9]{11}").fullmatch
_CNPJ = re.compile(r"[0-9A-Z]{12}[0-9]{2}").fullmatch
_CNPJ_WEIGHTS = (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)


def cpf_digits(base9: str) -> str:
    """The two check digits of the first nine."""
    digits = [int(digit) for digit in base9]
    for first in (10, 11):
        weighted = sum(digit * weight for digit, weight in zip(digits, range(first, 1, -1), strict=True))
        digits.append(weighted * 10 % 11 % 10)
    return f"{digits[9]}{digits[10]}"


def cnpj_digits(base12: str) -> str:
    """The two check digits of the first twelve characters."""
    values = [ord(character) - 48 for character in base12]
    for weights in (_CNPJ_WEIGHTS[1:], _CNPJ_WEIGHTS):
        rest = sum(value * weight for value, weight in zip(values, weights, strict=True)) % 11
        values.append(0 if rest < 2 else 11 - rest)
    return f"{values[12]}{values[13]}"


def valid_cpf(text: str) -> bool:
    """Eleven digits, not all alike, whose check digits hold."""
    return bool(_CPF(text)) and len(set(text)) > 1 and text[9:] == cpf_digits(text[:9])


def valid_cnpj(text: str) -> bool:
    """Fourteen upper-case characters whose check digits hold."""
    return bool(_CNPJ(text)) and len(set(text)) > 1 and text[12:] == cnpj_digits(text[:12])
