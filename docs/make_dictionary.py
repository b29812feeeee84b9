"""Writes docs/data-dictionary.md from the tables' metadata; `make docs` runs it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Column, Table
from sqlalchemy.dialects import postgresql

from ccb_luigi import dictionary
from ccb_luigi.codes import FINDINGS, REJECTIONS, Code
from ccb_luigi.tables import LOADED, STAGING, metadata

PAGE = Path(__file__).with_name("data-dictionary.md")

# Where the items are whose fields `info["path"]` names, in tables that aren't made of the document's top.
ITEMS = {
    "identidades": "identity[].",
    "enderecos": "address[].",
    "dados_bancarios": "bankData[].",
    "parcelas": "operation.parcelas.PrevisaoDeParcela[].",
    "detalhamento_cet": "operation.detalhamentoDaCET.",
}
# What more than one field makes, or what isn't copied as it stands.
DERIVED = {
    "clientes.cpf_cnpj": "taxId",
    "identidades.numero": "identity[].number, taxId",
    "enderecos.tipo": "address[].type, type",
    "contatos.valor": "contacts.email, contacts.phone",
    "mongo_id": "_id",
    "atualizado_em": "updatedAt, createdAt, emitedAt, _id",
}
TYPES = {"TIMESTAMP WITH TIME ZONE": "timestamptz", 'TEXT COLLATE "C"': "text", "BYTEA": "bytea"}

HEAD = """\
# Dicionário de dados

Gerado por `make docs` a partir de [`tables.py`](../ccb_luigi/tables.py) e
[`dictionary.py`](../ccb_luigi/dictionary.py); os mesmos textos são os comentários no banco (`\\d+ parcelas`).
Os exemplos são inventados.

**Contratual** quer dizer: o que o contrato prevê. A origem tem cronogramas, não pagamentos; inadimplência e
dias de atraso não podem ser derivados destes dados.
"""


def page() -> str:
    """The whole page."""
    parts = [HEAD, "## As oito tabelas\n"]
    parts += [_table(table) for table in LOADED]
    parts.append("## Controle\n")
    parts += [_table(table) for table in metadata.tables.values() if table not in {*LOADED, *STAGING}]
    parts.append("O esquema `staging` é do próprio pipeline: ninguém mais o lê.\n")
    parts.append("## Visões e função\n")
    parts += [_view(name) for name in dictionary.VIEWS]
    parts += [f"### {name}\n\n{about}.\n" for name, about in dictionary.FUNCTIONS.items()]
    parts.append("## Códigos\n\nOs mesmos estão em `vw_codigos`.\n")
    parts += [_codes("Rejeições", REJECTIONS), _codes("Alertas", FINDINGS)]
    return "\n".join(parts)


def _table(table: Table) -> str:
    rows = (
        (
            f"**{column.name}**" if column.primary_key else column.name,
            _code(_source(table, column)),
            _type(column),
            "" if column.nullable else "não",
            column.comment or "",
            _code(_example(table, column)),
        )
        for column in table.columns
    )
    head = ("Coluna", "Campo no documento", "Tipo", "Nulo", "Significado", "Exemplo")
    return f"### {table.fullname}\n\n{table.comment}.\n\n{_grid(head, rows)}"


def _view(name: str) -> str:
    about, columns = dictionary.VIEWS[name]
    rows = ((column, meaning, _code(example)) for column, (meaning, example) in columns.items())
    return f"### {name}\n\n{about}.\n\n{_grid(('Coluna', 'Significado', 'Exemplo'), rows)}"


def _codes(title: str, codes: dict[str, Code]) -> str:
    rows = ((_code(code), said.significado, said.providencia) for code, said in codes.items())
    return f"### {title}\n\n{_grid(('Código', 'Significado', 'O que fazer'), rows)}"


def _grid(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def _source(table: Table, column: Column[object]) -> str:
    if table not in LOADED:
        return ""
    for key in column.foreign_keys:
        return _source(key.column.table, key.column)
    if derived := DERIVED.get(f"{table.name}.{column.name}") or DERIVED.get(column.name):
        return derived
    return ITEMS.get(table.name, "") + str(column.info["path"]) if "path" in column.info else ""


def _example(table: Table, column: Column[object]) -> str:
    return dictionary.TABLES[table.fullname][1][column.name][1]


def _type(column: Column[object]) -> str:
    name = column.type.compile(dialect=postgresql.dialect())
    return TYPES.get(name, name.lower().replace(", ", ",").replace(' collate "c"', ""))


def _code(words: str) -> str:
    return f"`{words}`" if words else ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
