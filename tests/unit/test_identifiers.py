"""Check digits, held against two libraries that know them too."""

from __future__ import annotations

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from stdnum.br import cnpj as stdnum_cnpj
from stdnum.br import cpf as stdnum_cpf
from validate_docbr import CNPJ, CPF

from ccb_luigi.documents.identifiers import UFS, cnpj_digits, cpf_digits, valid_cnpj, valid_cpf

digits = st.text(string.digits, min_size=9, max_size=9)
cnpj_bases = st.text(string.digits + string.ascii_uppercase, min_size=12, max_size=12)
numeric_cnpj_bases = st.text(string.digits, min_size=12, max_size=12)
check = st.text(string.digits, min_size=2, max_size=2)


def alike(text: str) -> bool:
    return len(set(text)) == 1


def test_the_published_alphanumeric_cnpj_is_valid() -> None:
    assert cnpj_digits("12ABC34501DE") == "35"
    assert valid_cnpj("12ABC34501DE35")


def test_there_are_27_federation_units() -> None:
    assert len(UFS) == 27
    assert {"SP", "DF", "TO"} <= UFS


@given(digits)
def test_a_cpf_with_its_check_digits_is_valid_here_and_in_both_libraries(base: str) -> None:
    cpf = base + cpf_digits(base)
    assert alike(cpf) or (valid_cpf(cpf) and stdnum_cpf.is_valid(cpf) and CPF().validate(cpf))


@given(digits, check)
@example("111111111", "11")
@example("000000000", "00")
def test_every_cpf_gets_the_same_verdict_as_from_both_libraries(base: str, end: str) -> None:
    cpf = base + end
    assert valid_cpf(cpf) is CPF().validate(cpf)
    assert valid_cpf(cpf) is (stdnum_cpf.is_valid(cpf) and not alike(cpf))  # it passes 111.111.111-11


@given(st.one_of(cnpj_bases, numeric_cnpj_bases))
def test_a_cnpj_with_its_check_digits_is_valid_here_and_in_both_libraries(base: str) -> None:
    cnpj = base + cnpj_digits(base)
    assert valid_cnpj(cnpj) is stdnum_cnpj.is_valid(cnpj) is CNPJ().validate(cnpj)
    assert valid_cnpj(cnpj) is not alike(cnpj)


@given(st.one_of(cnpj_bases, numeric_cnpj_bases), check)
@example("000000000000", "00")
@example("11111111111", "11")
def test_every_cnpj_gets_the_same_verdict_as_from_both_libraries(base: str, end: str) -> None:
    cnpj = base + end
    assert valid_cnpj(cnpj) is stdnum_cnpj.is_valid(cnpj) is CNPJ().validate(cnpj)


@given(digits.filter(lambda base: not alike(base)), cnpj_bases.filter(lambda base: not alike(base)))
def test_of_all_hundred_endings_exactly_one_is_valid(cpf: str, cnpj: str) -> None:
    assert [end for end in range(100) if valid_cpf(f"{cpf}{end:02d}")] == [int(cpf_digits(cpf))]
    assert [end for end in range(100) if valid_cnpj(f"{cnpj}{end:02d}")] == [int(cnpj_digits(cnpj))]


@pytest.mark.parametrize(
    "text",
    ["", "3982597919", "398.259.791-94", "３９８２５９７９１９４", "39825979194\n", "39825979194 "],
)
def test_only_eleven_bare_ascii_digits_can_be_a_cpf(text: str) -> None:
    assert valid_cpf("39825979194")
    assert not valid_cpf(text)


@pytest.mark.parametrize(
    "text",
    ["", "12abc34501de35", "12.ABC.345/01DE-35", "12ABC34501DE3", "12ABC34501DE35\n", "12ABC34501DEA5"],
)
def test_only_fourteen_bare_upper_case_characters_can_be_a_cnpj(text: str) -> None:
    assert not valid_cnpj(text)
