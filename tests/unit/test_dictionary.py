"""The dictionary says something about everything that there is, and about nothing else."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from ccb_luigi import codes, dictionary
from ccb_luigi.codes import FINDINGS, REJECTIONS
from ccb_luigi.tables import metadata

DOCS = Path(__file__).parents[2] / "docs"


def test_every_table_and_column_is_described() -> None:
    silent = [
        f"{table.fullname}.{column.name}"
        for table in metadata.tables.values()
        for column in table.columns
        if not (table.comment and column.comment)
    ]
    assert silent == []


@pytest.mark.parametrize("name", dictionary.TABLES)
def test_the_dictionary_lists_a_tables_columns_in_their_order_and_no_others(name: str) -> None:
    listed = list(dictionary.TABLES[name][1])
    assert listed == [column.name for column in metadata.tables[name].columns if column.name in listed]
    staged = set(dictionary.BATCH) if name.startswith("staging.") else set()
    assert {column.name for column in metadata.tables[name].columns} == {*listed, *staged}


@pytest.mark.parametrize("code", [*REJECTIONS, *FINDINGS])
def test_every_code_has_a_meaning_and_something_to_do_in_both_languages(code: str) -> None:
    said = (REJECTIONS | FINDINGS)[code]
    assert all(words.strip() == words and words for words in said)
    assert not said.meaning.endswith(".")
    assert not said.significado.endswith(".")
    assert said.providencia.endswith(".")
    assert said.action.endswith(".")


def test_no_code_is_both_a_rejection_and_a_finding() -> None:
    assert not REJECTIONS.keys() & FINDINGS.keys()


@pytest.mark.parametrize("code", [*REJECTIONS, *FINDINGS, "none of ours"])
def test_what_the_quarantine_keeps_of_a_reason_gives_its_code_back(code: str) -> None:
    assert codes.code_of(codes.message(code)) == code


def test_a_reason_is_its_code_and_a_sentence_that_may_hold_anything_or_be_an_older_one() -> None:
    assert codes.message("nul") == "nul: the text holds a NUL character"
    assert codes.code_of("nul: as it was said: once") == "nul"


def test_the_data_dictionary_has_every_table_that_others_may_read() -> None:
    page = (DOCS / "data-dictionary.md").read_text(encoding="utf-8")
    silent = [t.fullname for t in metadata.tables.values() if f"\n### {t.fullname}\n" not in page]
    assert silent
    assert [name for name in silent if not name.startswith("staging.")] == []


def test_the_data_dictionary_in_docs_is_what_the_tables_say_today() -> None:
    """If not: `make docs`."""
    made = runpy.run_path(str(DOCS / "make_dictionary.py"))["page"]()
    assert (DOCS / "data-dictionary.md").read_text(encoding="utf-8") == made
