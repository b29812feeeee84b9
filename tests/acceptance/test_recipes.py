"""A column, a finding, a field of a row and a kind of value take the files of their recipe, and no other."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import bson
import psycopg2
import pytest
import recipes
from recipes import COLUMN, FIELD_OF_A_ROW, FINDING, KIND, Recipe
from world import D1, at, document

from ccb_luigi.demo.servers import Postgres

ABSENT = object()
OF_EACH = 20
"""Documents of each kind: many enough to be read together."""


@pytest.fixture
def empty(postgres_server: Postgres) -> Iterator[tuple[str, str]]:
    """Two databases without tables."""
    names = [f"recipe_{uuid4().hex}" for _ in range(2)]
    connection = psycopg2.connect(postgres_server.url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        for name in names:
            cursor.execute(f"CREATE DATABASE {name}")
        yield postgres_server.url_of(names[0]), postgres_server.url_of(names[1])
        for name in names:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
    connection.close()


def came_of(
    recipe: Recipe, place: Path, empty: tuple[str, str], documents: list[Any], statement: str
) -> dict[str, Any]:
    """What a copy of the tree makes of documents after the recipe: roads, and rows; all of it is proven.

    There the recipe's tests pass, and the migrations make the tables. No files but the recipe's differ.
    """
    tree = recipes.copy(place / "tree")
    before = recipes.contents(tree)
    recipe.perform(tree)
    dump = place / "documents.bson"
    dump.write_bytes(b"".join(map(bson.encode, documents)))
    tests = [name for name in recipe.files if Path(name).name.startswith("test_")]
    done = subprocess.run(
        [sys.executable, "-B", "tests/cooked.py", *empty, dump, statement, *tests, recipes.OF_WORDS],
        cwd=tree,
        env={"PYTHONPATH": str(tree), "CI": "1", "LUIGI_CONFIG_PATH": str(tree / "luigi.cfg")},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-5000:]
    after = recipes.contents(tree)
    assert {name for name in before | after if before.get(name) != after.get(name)} == recipe.files
    found: dict[str, Any] = json.loads(done.stdout)
    assert (found["contracts"], found["differences"]) == (len(documents), [])
    return found


def numbered(number: int) -> Any:
    """A good document."""
    return document(f"d{number}", f"D{number:03}", at(D1), client=f"d{number}")


def test_a_column_takes_contract_tables_words_a_migration_and_its_test(
    tmp_path: Path, empty: tuple[str, str]
) -> None:
    kinds = [ABSENT, None, "", "1.2500", "0"]
    documents = [numbered(number) for number in range(len(kinds) * OF_EACH)]
    for number, each in enumerate(documents):
        if (value := kinds[number % len(kinds)]) is not ABSENT:
            each["operation"]["TaxaDeMora"] = value
    found = came_of(
        *(COLUMN, tmp_path, empty, documents),
        "SELECT taxa_mora::text, extras::text FROM operacoes ORDER BY ccb_code",
    )
    assert found["rows"] == [[stored, "{}"] for stored in (None, None, None, "1.2500", "0")] * OF_EACH
    assert found["roads"] == {"together": len(documents)}


def test_a_finding_takes_codes_its_rule_a_document_that_has_it_and_its_test(
    tmp_path: Path, empty: tuple[str, str]
) -> None:
    documents = [numbered(number) for number in range(3 * OF_EACH)]
    for number, each in enumerate(documents):
        each["operation"]["Carencia"] = (0, "1", "-1")[number % 3]
    found = came_of(
        *(FINDING, tmp_path, empty, documents),
        "SELECT codigo, campo, significado, count(*), count(DISTINCT ccb_code)"
        " FROM controle.qualidade JOIN controle.codigos USING (codigo) GROUP BY 1, 2, 3",
    )
    told = ["carencia_negativa", "operation.Carencia", "Carencia é menor que zero", OF_EACH, OF_EACH]
    assert found["rows"] == [told]
    assert found["roads"] == {"together": len(documents)}


def test_an_optional_amount_of_a_row_keeps_the_fast_road_for_documents_with_and_without_it(
    tmp_path: Path, empty: tuple[str, str]
) -> None:
    kinds = [ABSENT, None, "12.30", "0"]
    documents = [numbered(number) for number in range(len(kinds) * OF_EACH)]
    for number, each in enumerate(documents):
        if (value := kinds[number % len(kinds)]) is not ABSENT:
            for row in each["operation"]["parcelas"]["PrevisaoDeParcela"]:
                row["ValorDaMulta"] = value
    found = came_of(
        *(FIELD_OF_A_ROW, tmp_path, empty, documents),
        "SELECT numero_parcela, valor_amortizacao::text, valor_saldo_atual::text, valor_multa::text"
        " FROM parcelas ORDER BY ccb_code, numero_parcela",
    )
    assert found["rows"] == [
        [number, "100.00", f"{300 - 100 * number}.00", stored]
        for stored in (None, None, "12.30", "0.00")
        for number in (1, 2, 3)
    ] * OF_EACH  # fmt: skip
    assert found["roads"] == {"together": len(documents)}


def test_a_kind_of_value_takes_its_row_its_reader_and_a_field_that_is_of_it(
    tmp_path: Path, empty: tuple[str, str]
) -> None:
    kinds = [ABSENT, None, "BRL", " usd"]
    documents = [numbered(number) for number in range(len(kinds) * OF_EACH)]
    for number, each in enumerate(documents):
        if (value := kinds[number % len(kinds)]) is not ABSENT:
            each["operation"]["Moeda"] = value
    found = came_of(
        *(KIND, tmp_path, empty, documents), "SELECT moeda, extras::text FROM operacoes ORDER BY ccb_code"
    )
    assert found["rows"] == [[stored, "{}"] for stored in (None, None, "BRL", "USD")] * OF_EACH
    assert found["roads"] == {"together": len(documents)}
