"""The usual way: what a good team writes in an afternoon, with the same schema and the same tables.

PyMongo hands out documents, plain Cerberus judges and normalises each, rows are dictionaries, and
SQLAlchemy Core upserts them by the thousand, all in one transaction. No staging, no proof, no removal of
children that are gone. A program of its own (`python -m benchmarks.usual`), so that it is measured as
`ccb-luigi` is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import pymongo
from sqlalchemy import Connection, Table, create_engine
from sqlalchemy.dialects.postgresql import insert

from benchmarks.documents import DAY
from ccb_luigi import settings, tables
from ccb_luigi.documents.contract import Contract
from ccb_luigi.documents.extras import extras
from ccb_luigi.documents.rawbson import CODEC, Document

BATCH = 1000
Row = dict[str, Any]


def main() -> None:
    """Reads the settings as `ccb-luigi` does, and loads the date."""
    found = settings.load()
    contract = Contract(found.zone)
    start, end = found.bounds(DAY)
    engine = create_engine(found.postgres_url.replace("postgresql://", "postgresql+psycopg2://"))
    with pymongo.MongoClient[Any](found.mongo_uri) as client, engine.begin() as connection:
        collection = client[found.mongo_database].get_collection(found.mongo_collection, CODEC)
        query = {"updatedAt": {"$gte": start, "$lt": end}}
        # In the order of time: of several documents for one client the newest is written last.
        documents = iter(collection.find(query, batch_size=BATCH).sort("updatedAt", 1))
        while batch := list(islice(documents, BATCH)):
            _load(connection, contract, batch)


def _load(connection: Connection, contract: Contract, batch: list[Document]) -> None:
    rows: dict[Table, dict[tuple[Any, ...], Row]] = {table: {} for table in tables.LOADED}
    for raw in batch:
        for table, row in _rows(contract.judge(raw), raw):
            # One statement can't touch a row twice.
            rows[table][tuple(row[column.name] for column in table.primary_key)] = row
    for table, by_key in rows.items():
        if by_key:
            connection.execute(_upsert(table, next(iter(by_key.values()))), list(by_key.values()))


def _upsert(table: Table, row: Row) -> Any:
    statement = insert(table)
    key = [column.name for column in table.primary_key]
    rest = {name: statement.excluded[name] for name in row if name not in key}
    if not rest:
        return statement.on_conflict_do_nothing(index_elements=key)
    return statement.on_conflict_do_update(index_elements=key, set_=rest)


def _rows(document: Document, raw: Document) -> Iterator[tuple[Table, Row]]:
    operation = document["operation"]
    client = {"client_id": document["clientId"]}
    contract = {"ccb_code": document["ccbCode"]}
    version = {"mongo_id": document["_id"], "atualizado_em": document["updatedAt"]}
    yield tables.clientes, {**_fields(tables.clientes, document), "cpf_cnpj": document["taxId"], **version}
    yield from _children_of_client(document, client)
    flat = {**document, **{f"operation.{name}": value for name, value in operation.items()}}
    more = {**client, **version, "extras": extras(raw)}
    yield tables.operacoes, {**_fields(tables.operacoes, flat), **more}
    for row in _items((operation.get("parcelas") or {}).get("PrevisaoDeParcela")):
        yield tables.parcelas, {**contract, **_fields(tables.parcelas, row)}
    if cet := operation.get("detalhamentoDaCET"):
        yield tables.detalhamento_cet, {**contract, **_fields(tables.detalhamento_cet, cet)}


def _children_of_client(document: Document, client: Row) -> Iterator[tuple[Table, Row]]:
    tax_id = document["taxId"]
    own = {"tipo": "CPF" if len(tax_id) == 11 else "CNPJ", "numero": tax_id}
    yield tables.identidades, {**client, **own, "orgao_emissor": None, "uf_emissor": None}
    for item in _items(document.get("identity")):
        if item.get("number"):
            yield tables.identidades, {**client, "tipo": "RG", **_fields(tables.identidades, item)}
    usual = "residencial" if document["type"] == "PF" else "comercial"
    for item in _items(document.get("address")):
        kind = (item.get("type") or usual).lower()
        yield tables.enderecos, {**client, "tipo": kind, **_fields(tables.enderecos, item)}
    contacts = document.get("contacts") or {}
    for kind, name in (("email", "email"), ("telefone", "phone")):
        for value in _items(contacts.get(name)):
            yield tables.contatos, {**client, "tipo": kind, "valor": value}
    for item in _items(document.get("bankData")):
        yield tables.dados_bancarios, {**client, **_fields(tables.dados_bancarios, item)}


def _fields(table: Table, item: Document) -> Row:
    return {c.name: item.get(c.info["path"]) for c in table.columns if "path" in c.info}


def _items(listed: Iterable[Any] | None) -> list[Any]:
    return [item for item in listed or () if item is not None]


if __name__ == "__main__":
    main()
