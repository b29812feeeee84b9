"""CPF, CNPJ and federation units: what can be told from the text alone.

CPF: each check digit is (sum of digit x weight x 10) mod 11 mod 10, weights 10..2 and 11..2.
CNPJ: alphanumeric since July 2026 (IN RFB 2.229/2024): a character counts ``ord(c) - 48``; weights
5,4,3,2,9,...,2 and 6,5,4,3,2,9,...,2; r = sum mod 11; the digit is 0 if r < 2, else 11 - r.
"""

from __future__ import annotations

import re
from operator import mul

# fmt: off
UFS: frozenset[str] = frozenset([
    "AC", "AL", "AM", "AP", "BA", "CE", "DF", "ES", "GO", "MA", "MG", "MS", "MT", "PA",
    "PB", "PE", "PI", "PR", "RJ", "RN", "RO", "RR", "RS", "SC", "SE", "SP", "TO",
])
"""The 26 states and the federal district."""
# fmt: on

_CPF = re.compile(r"[0-9]{11}").fullmatch
_CNPJ = re.compile(r"[0-9A-Z]{12}[0-9]{2}").fullmatch
_CPF_WEIGHTS = ((10, 9, 8, 7, 6, 5, 4, 3, 2), (11, 10, 9, 8, 7, 6, 5, 4, 3, 2))
_CNPJ_WEIGHTS = ((5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2), (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2))


def cpf_digits(base9: str) -> str:
    """The two check digits of the first nine digits."""
    first = _cpf_digit(base9.encode(), _CPF_WEIGHTS[0])
    return f"{first}{_cpf_digit(f'{base9}{first}'.encode(), _CPF_WEIGHTS[1])}"


def _cpf_digit(digits: bytes, weights: tuple[int, ...]) -> int:
    """Weighs the characters' codes, of which each is 48 more than its digit."""
    weighed: int = sum(map(mul, digits, weights))
    return (weighed - 48 * sum(weights)) * 10 % 11 % 10


def cnpj_digits(base12: str) -> str:
    """The two check digits of the first twelve characters, digits or upper-case letters."""
    values = [ord(character) - 48 for character in base12]
    for weights in _CNPJ_WEIGHTS:
        rest = sum(value * weight for value, weight in zip(values, weights, strict=True)) % 11
        values.append(0 if rest < 2 else 11 - rest)
    return f"{values[12]}{values[13]}"


def valid_cpf(text: str) -> bool:
    """Eleven bare digits whose check digits hold; all alike would hold too, and is nobody's CPF."""
    return bool(_CPF(text)) and len(set(text)) > 1 and text[9:] == cpf_digits(text[:9])


def valid_cnpj(text: str) -> bool:
    """Fourteen bare upper-case characters whose check digits hold; all zeros is nobody's CNPJ."""
    return bool(_CNPJ(text)) and len(set(text)) > 1 and text[12:] == cnpj_digits(text[:12])
