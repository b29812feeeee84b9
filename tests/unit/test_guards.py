"""The list of mutations goes with the program and its tests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from guards import MUTATIONS, Mutation

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.guard)
def test_a_guard_is_where_the_list_says_and_so_are_the_tests_that_are_to_notice(mutation: Mutation) -> None:
    code = (TESTS.parent / mutation.file).read_text(encoding="utf-8")
    assert code.count(mutation.old) == mutation.places
    compile(code.replace(mutation.old, mutation.new), mutation.file, "exec")
    for test in mutation.tests:
        file, _, name = test.partition("::")
        assert re.search(rf"^def {name or 'test_'}", (TESTS / file).read_text(encoding="utf-8"), re.MULTILINE)


def test_each_guard_has_a_name_of_its_own() -> None:
    assert len({mutation.guard for mutation in MUTATIONS}) == len(MUTATIONS)
