"""CPF, CNPJ and federation units: what can be told from the text alone.

Both numbers end with two check digits of one kind: each is 11 less r, or 0 where r is 0 or 1; r is the sum of
all characters before it, each times its weight, mod 11. A character counts ``ord(c) - 48``: a CNPJ may have
letters since July 2026 (IN RFB 2.229/2024).
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
# For the second digit; for the first all but the first of them.
_CPF_WEIGHTS = (11, 10, 9, 8, 7, 6, 5, 4, 3, 2)
_CNPJ_WEIGHTS = (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)


def cpf_digits(base9: str) -> str:
    """The two check digits of the first nine digits."""
    return _check_digits(base9, _CPF_WEIGHTS)


def cnpj_digits(base12: str) -> str:
    """The two check digits of the first twelve characters, digits or upper-case letters."""
    return _check_digits(base12, _CNPJ_WEIGHTS)


def _check_digits(base: str, weights: tuple[int, ...]) -> str:
    found = base
    for each in (weights[1:], weights):
        rest = (sum(map(mul, found.encode(), each)) - 48 * sum(each)) % 11
        found += "0" if rest < 2 else str(11 - rest)
    return found[-2:]


def valid_cpf(text: str) -> bool:
    """Eleven bare digits whose check digits hold; all alike would hold too, and is nobody's CPF."""
    return bool(_CPF(text)) and len(set(text)) > 1 and text[9:] == cpf_digits(text[:9])


def valid_cnpj(text: str) -> bool:
    """Fourteen bare upper-case characters whose check digits hold; all zeros is nobody's CNPJ."""
    return bool(_CNPJ(text)) and len(set(text)) > 1 and text[12:] == cnpj_digits(text[:12])
