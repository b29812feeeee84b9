"""Text goes through COPY and comes out as it went in, in every column that holds text."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from contracts import Document, changed, contract, parcela
from sqlalchemy import Text
from test_columns import TEXTS
from world import World

from ccb_luigi import tables

DAY = date(2024, 5, 3)
Rows = Callable[..., list[dict[str, Any]]]

KEYS = {
    "clientes.client_id": "clientId",
    "clientes.mongo_id": "_id",
    "identidades.client_id": "clientId",
    "enderecos.client_id": "clientId",
    "contatos.client_id": "clientId",
    "dados_bancarios.client_id": "clientId",
    "operacoes.ccb_code": "ccbCode",
    "operacoes.mongo_id": "_id",
    "operacoes.client_id": "clientId",
    "parcelas.ccb_code": "ccbCode",
    "detalhamento_cet.ccb_code": "ccbCode",
}
SHORT = {
    "contatos.valor": "contacts.email",
    "dados_bancarios.banco": "bankData.bankNumber",
    "dados_bancarios.agencia": "bankData.branchNumber",
    "dados_bancarios.conta": "bankData.accountNumber",
}
FREE = {column: path for column, path in TEXTS.items() if column not in SHORT}
# Their values come from a closed list, or are digits and capitals.
CLOSED = {
    *("clientes.tipo_pessoa", "clientes.cpf_cnpj", "identidades.tipo"),
    *("enderecos.tipo", "enderecos.cep", "contatos.tipo"),
}

MISLEADING = [
    "a\tb",
    "a\nb",
    "a\r\nb",
    "a\rb",
    "\\N",
    "\\.",
    "a\n\\.\nb",
    "a\\",
    "\\",
    "\\\\",
    "\\\\N",
    "a\\tb",
    "a\\\tb",
    "\\x41\\101\\b",
    "None",
    "NULL",
    "\\N\t\\N",
    "true",
    "2024-05-03",
    'um "dois" três',
    "d'Ávila; DROP TABLE clientes; --",
    "''",
    '""',
    "{a,b}",
    '{"a": 1}',
    "%s %(name)s {0} :lote $1",
    "a,b;c|d",
    "a\u2028b\u2029c\u0085d",
    "a\vb\fc\x1cd\x1ee",
    "\x01\x02\x7f",
    "a\bb",
    "\u200bzero width\u200b",
    "e\u0301 é",  # not normalised
    "ß ẞ İ ı ﬀ",
    "\u202eda direita",
    "\ufeffbom",
    "\ufffe\uffff",
    "👩‍🌾 🇧🇷 \U0010ffff",
    "São João d’Aliança",
]

QUOTED = {"true": '"true"'}
"""Of an ``_id`` the texts that are another value's name."""

SURROUNDED = [
    "  com espaços  ",
    "\tcom tabulação\n",
    "\r\ncom linha\r\n",
    "\u00a0com espaço duro\u00a0",
    "  dentro  \t  fica  ",
    " \\N ",
]


def filled(paths: dict[str, str], text: str, number: int) -> Document:
    """A document with ``text`` at all paths, and keys of its own where they are not among them."""
    names = {"_id": f"m{number}", "clientId": f"c{number}", "ccbCode": f"k{number}"}
    document = contract([parcela(1, "2024-05-10", "100", "0", "100", "100", "0")], **names)
    document["contacts"] = {"email": f"{number}@example.com"}
    for path in paths.values():
        changed(document, path, text)
    return document


def assert_everywhere(rows: Rows, paths: dict[str, str], texts: list[str]) -> None:
    for table in {column.split(".")[0] for column in paths}:
        found = [row for row in rows(table) if row.get("tipo") not in ("CPF", "CNPJ")]
        for column in paths:
            if column.startswith(f"{table}."):
                expected = [QUOTED.get(text, text) for text in texts] if "mongo_id" in column else texts
                assert sorted(row[column.split(".")[1]] for row in found) == sorted(expected), column


def migrate(world: World, *documents: Document) -> None:
    world.put(*documents)
    world.migrate(DAY)
    assert world.quarantined() == {}


def test_each_text_column_of_the_eight_tables_is_filled_by_a_test_in_this_file() -> None:
    assert KEYS.keys() | SHORT.keys() | FREE.keys() | CLOSED == {
        f"{table.name}.{column.name}"
        for table in tables.LOADED
        for column in table.columns
        if isinstance(column.type, Text)
    }


@pytest.mark.parametrize("paths", [KEYS, SHORT, FREE], ids=["keys", "short", "free"])
def test_what_copy_could_misread_comes_out_as_it_went_in(
    world: World, rows: Rows, paths: dict[str, str]
) -> None:
    migrate(world, *(filled(paths, text, number) for number, text in enumerate(MISLEADING)))
    assert_everywhere(rows, paths, MISLEADING)


@pytest.mark.parametrize("paths", [SHORT, FREE], ids=["short", "free"])
def test_white_space_around_text_goes_and_inside_it_stays(
    world: World, rows: Rows, paths: dict[str, str]
) -> None:
    migrate(world, *(filled(paths, text, number) for number, text in enumerate(SURROUNDED)))
    bare = [
        "com espaços",
        "com tabulação",
        "com linha",
        "com espaço duro",
        "dentro  \t  fica",
        "\\N",
    ]
    assert_everywhere(rows, paths, bare)


def test_white_space_around_keys_goes_but_the_documents_id_is_exact(world: World, rows: Rows) -> None:
    migrate(world, contract(_id=" m \n", clientId=" c\t", ccbCode="\nk "), contract(_id="m", ccbCode="other"))
    found = {(row["mongo_id"], row["client_id"], row["ccb_code"]) for row in rows("operacoes")}
    assert found == {(" m \n", "c", "k"), ("m", "nW8sJdK3uTfXo1Rz5GqHy7MbEaL", "other")}


def test_very_long_text_is_kept_whole(world: World, rows: Rows) -> None:
    long = "Rua das Açucenas \\ \t 😀 " * 20_000 + "fim"
    migrate(world, filled(FREE, long, 0))
    assert_everywhere(rows, FREE, [long])


def test_a_schedule_and_a_text_of_megabytes_in_one_document(world: World, rows: Rows) -> None:
    """More than one block of a COPY in one line."""
    long = "x\\" * 3_000_000
    migrate(world, contract(_id="large", status=long), contract(_id="small", ccbCode="2"))
    assert {row["mongo_id"]: row["status"] for row in rows("operacoes")} == {
        "large": long,
        "small": "Enviada",
    }


def test_extras_keep_any_text_in_their_keys_and_values(world: World, rows: Rows) -> None:
    documents = [
        contract(_id=f"m{n}", ccbCode=f"k{n}", guarantors=[text], bank={"x" + text: text})
        for n, text in enumerate([*MISLEADING, *SURROUNDED, "\\u0000", ""])
    ]
    migrate(world, *documents)
    for document, row in zip(
        documents, sorted(rows("operacoes"), key=lambda r: int(r["mongo_id"][1:])), strict=True
    ):
        assert row["extras"] == {
            "guarantors": document["guarantors"],
            "bank": document["bank"],
            "sendVortx": "True",
        }, json.dumps(document["bank"])


# --- lengths ----------------------------------------------------------------------------------------

LIMITS = {
    "_id": 255,
    "clientId": 255,
    "ccbCode": 255,
    "contacts.email": 320,
    "contacts.phone": 320,
    "bankData.bankNumber": 60,
    "bankData.branchNumber": 60,
    "bankData.accountNumber": 60,
}
"""README: a B-tree entry holds 2,704 bytes."""


def noise(length: int, seed: int) -> str:
    """Text of four bytes a character that can't be compressed: the worst that an index can get."""
    choose = random.Random(seed)
    return "".join(chr(choose.randrange(0x20000, 0x2A6D0)) for _ in range(length))


def test_keys_of_the_greatest_length_load_all_together(world: World, rows: Rows) -> None:
    texts = {path: noise(limit, seed) for seed, (path, limit) in enumerate(LIMITS.items())}
    # A finding, since its row has the contract's code in its key as well.
    migrate(world, contract(**texts, **{"operation.NumeroDeParcelas": 99, "state": "ZZ"}))
    (contract_row,) = rows("operacoes")
    assert (contract_row["mongo_id"], contract_row["ccb_code"], contract_row["client_id"]) == (
        texts["_id"],
        texts["ccbCode"],
        texts["clientId"],
    )
    assert [row["valor"] for row in rows("contatos")] == [texts["contacts.email"], texts["contacts.phone"]]
    (account,) = rows("dados_bancarios")
    assert [account[name] for name in ("banco", "agencia", "conta")] == [
        texts[f"bankData.{name}Number"] for name in ("bank", "branch", "account")
    ]
    assert {row["codigo"] for row in rows("controle.qualidade")} == {"numero_parcelas", "uf_desconhecida"}


def assert_rejected_beside_neighbours(world: World, rows: Rows, bad: dict[str, str], code: str) -> None:
    """Path → the text that is wrong there, each in a document of its own between two good ones."""
    good = [contract(_id=f"good {n}", ccbCode=f"good {n}") for n in range(len(bad) + 1)]
    documents = good[:1]
    for (path, text), neighbour in zip(bad.items(), good[1:], strict=True):
        documents += [contract(**{"_id": f"at {path}", "ccbCode": f"at {path}", path: text}), neighbour]
    world.put(*documents)
    World(replace(world.settings, max_rejected_share=1)).migrate(DAY)
    assert {row["mongo_id"] for row in rows("operacoes")} == {each["_id"] for each in good}
    entries = rows("controle.quarentena")
    assert {tuple(entry["codigos"]) for entry in entries} == {(code,)}
    places = [place for entry in entries for place in entry["erros"]]
    assert sorted(place.replace(".0", "") for place in places) == sorted(bad)


def test_a_key_one_character_longer_is_rejected_and_its_neighbour_loads(world: World, rows: Rows) -> None:
    longer = {path: noise(limit + 1, 0) for path, limit in LIMITS.items()}
    assert_rejected_beside_neighbours(world, rows, longer, "texto_longo")


def test_a_nul_in_any_text_that_has_a_column_is_rejected(world: World, rows: Rows) -> None:
    paths = {*KEYS.values(), *SHORT.values(), *FREE.values()}
    assert_rejected_beside_neighbours(world, rows, dict.fromkeys(sorted(paths), "a\0b"), "nul")
