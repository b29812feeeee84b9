"""Tries a tree that a recipe changed: `make docs`, the recipe's tests, the tables, a dump; tells in JSON.

Runs in a process of its own, in the copy: `python tests/cooked.py URL URL DUMP STATEMENT TEST...`. The two
databases are empty: one gets the migrations and the documents, the other what the code says of the tables.
"""

from __future__ import annotations

import json
import runpy
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE), str(HERE / "db")]

import pytest  # noqa: E402
import test_roles  # noqa: E402
import test_schema  # noqa: E402
from world import D1, EIGHT, World, of_dump  # noqa: E402

import ccb_luigi  # noqa: E402
from ccb_luigi.database import schema  # noqa: E402
from ccb_luigi.documents import block  # noqa: E402
from ccb_luigi.proof.verify import Scope, verify  # noqa: E402
from ccb_luigi.settings import Settings  # noqa: E402


def main(url: str, described: str, dump: str, statement: str, *tests: str) -> dict[str, Any]:
    assert Path(ccb_luigi.__file__).parents[1] == HERE.parent
    runpy.run_path(str(HERE.parent / "docs" / "make_dictionary.py"), run_name="__main__")
    with redirect_stdout(sys.stderr):
        assert pytest.main(["-q", "-n", "0", "-p", "no:cacheprovider", *tests]) == 0
    settings = Settings(postgres_url=url, processes=1, **of_dump(Path(dump), D1))
    schema.upgrade(settings)
    check_tables(url, described)
    block.SIDE_BY_SIDE = 1
    world = World(settings)
    world.migrate(D1)
    for name in EIGHT:
        test_roles.test_every_column_is_either_shown_to_an_analyst_or_withheld_on_purpose(world, name)
    proof = verify(settings, Scope(day=D1))
    (roads,) = world.column("SELECT contagens->'roads' FROM table_updates WHERE target_table = 'contratos'")
    return {
        "roads": roads,
        "contracts": proof.contracts,
        "differences": [*map(str, proof.differences)],
        "rows": world.query(statement),
    }


def check_tables(url: str, described: str) -> None:
    """The migrations have made what the code says."""
    test_schema.test_autogenerate_finds_nothing_that_the_migrations_did_not_make(url)
    for what in test_schema.CATALOGUE:
        test_schema.test_migrations_make_exactly_the_tables_that_the_code_describes(url, described, what)
        test_schema.query(described, "DROP SCHEMA public, controle, staging CASCADE; CREATE SCHEMA public")


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(*sys.argv[1:])))
