"""What the tables must hold for a document: the plain road, which shares no short cut with the load.

Cerberus alone judges, rows are put together here once more from ``tables`` and the contract's words,
values stay Python values. Only readers of single values, the walk over unknown fields and the findings
are the load's own. It takes milliseconds where the load takes a fraction of one, and that is the point:
what both agree on is right, or wrong in two different ways at once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from bson import json_util
from bson.errors import InvalidBSON
from sqlalchemy import Table

from ccb_luigi import tables
from ccb_luigi.codes import USUAL, Strictness
from ccb_luigi.documents import rawbson, values
from ccb_luigi.documents.contract import Contract, Rejected
from ccb_luigi.documents.extras import extras
from ccb_luigi.documents.findings import findings, rounded
from ccb_luigi.documents.identity import name_of
from ccb_luigi.documents.rawbson import Document, decode
from ccb_luigi.documents.schedule import schedule_of
from ccb_luigi.documents.times import EPOCH
from ccb_luigi.documents.values import Unreadable

Row = dict[str, Any]
"""Column → value, without what the load adds by itself (``carregado_em``, ``excluido_em``)."""

OPEN_KEYS = {"parcelas": "numero_parcela", "identidades": "tipo", "enderecos": "tipo"}
"""The keys inside one owner that may be told: no data of a person is in them."""


@dataclass(frozen=True, slots=True)
class Expected:
    """One document of the source, as the target should know it.

    ``accepted`` is false for what belongs to the quarantine: nothing is said about tables then.
    ``moment`` is its effective time, ``None`` where it can't be read, and ``day`` the date of it.
    """

    mongo_id: str
    sha256: str
    moment: datetime | None
    day: date | None
    accepted: bool = False
    ccb_code: str = ""
    client_id: str = ""
    rows: dict[str, list[Row]] = field(default_factory=dict)
    findings: frozenset[tuple[str, str]] = frozenset()


@lru_cache(maxsize=4)
def _contract(zone: ZoneInfo) -> Contract:
    return Contract(zone)


def expected(raw: bytes, zone: ZoneInfo, strictness: Strictness = USUAL) -> Expected:
    """Judges one raw document; ``strictness``: what the settings say of findings."""
    contract = _contract(zone)
    sha256 = hashlib.sha256(raw).hexdigest()
    moment, day = None, None
    try:
        document = decode(raw)
        if rawbson.occurs_twice(raw, b"updatedAt"):
            raise Unreadable("chave_repetida")
        moment = contract.effective_time(document) or EPOCH
        day = moment.astimezone(zone).date()
        if rawbson.repeated_key(raw, document) is None:
            return _accepted(document, contract, strictness, sha256, moment, day)
    except (InvalidBSON, Unreadable, Rejected, RecursionError):
        pass
    return Expected(name_of(raw), sha256, moment, day)


def _accepted(
    raw: Document,
    contract: Contract,
    strictness: Strictness,
    sha256: str,
    moment: datetime,
    day: date,
) -> Expected:
    document = contract.judge(raw)
    rows, unplaced = _rows(document)
    own = {"client_id": document["clientId"], "mongo_id": document["_id"], "atualizado_em": moment}
    rows["clientes"][0].update(own)
    rows["operacoes"][0].update(own, extras=_extras(raw, [path for path, _ in unplaced]))
    found = {
        *findings(document, schedule_of(document), contract.zone, strictness),
        *rounded(document),
        *((code, path) for path, code in unplaced if code),
    }
    if contract.effective_time(raw) is None:
        found.add(("sem_data", "updatedAt"))
    promoted = strictness.promoted
    if any(code in promoted for code, _ in found):
        raise Rejected({path: [code] for code, path in found if code in promoted})
    return Expected(
        mongo_id=document["_id"],
        sha256=sha256,
        moment=moment,
        day=day,
        accepted=True,
        ccb_code=document["ccbCode"],
        client_id=document["clientId"],
        rows=rows,
        findings=frozenset(found),
    )


Unplaced = list[tuple[str, str | None]]
"""(path, finding or ``None``) of known fields that find no place in their table and stay in ``extras``."""


def _rows(document: Document) -> tuple[dict[str, list[Row]], Unplaced]:
    operation = document["operation"]
    client, contract = {"client_id": document["clientId"]}, {"ccb_code": document["ccbCode"]}
    unplaced: Unplaced = []
    schedule = (operation.get("parcelas") or {}).get("PrevisaoDeParcela")
    rows = {
        "clientes": [_row(tables.clientes, document, cpf_cnpj=document["taxId"])],
        "identidades": [{**client, **row} for row in _identities(document, unplaced)],
        "enderecos": [{**client, **row} for row in _addresses(document, unplaced)],
        "contatos": [
            _row(tables.contatos, {}, **client, tipo=kind, valor=value) for kind, value in _contacts(document)
        ],
        "dados_bancarios": [{**client, **row} for row in _accounts(document, unplaced)],
        "operacoes": [_row(tables.operacoes, document)],
        "parcelas": [_row(tables.parcelas, item, **contract) for _, item in _items(schedule)],
        "detalhamento_cet": [],
    }
    cet = _row(tables.detalhamento_cet, operation.get("detalhamentoDaCET") or {})
    if any(share is not None for share in cet.values()):
        rows["detalhamento_cet"].append({**contract, **cet})
    return rows, unplaced


def _row(table: Table, item: Document, **more: Any) -> Row:
    """The columns that say which path they come from, and ``more``."""
    return {c.name: _at(item, c.info["path"]) for c in table.columns if "path" in c.info} | more


def _at(item: Document, path: str) -> Any:
    found: Any = item
    for step in path.split("."):
        found = found.get(step)
    return found


def _items(listed: list[Any] | None) -> Iterator[tuple[int, Any]]:
    """(index, item), null items left out."""
    return ((index, item) for index, item in enumerate(listed or ()) if item is not None)


def _identities(document: Document, unplaced: Unplaced) -> list[Row]:
    """The CPF or CNPJ, and the first RG that has a number."""
    number = document["taxId"]
    kind = "CPF" if len(number) == 11 else "CNPJ"
    found = [_row(tables.identidades, {}, tipo=kind, numero=number)]
    for index, item in _items(document.get("identity")):
        row = _row(tables.identidades, item, tipo="RG")
        if row["numero"] is not None and len(found) == 1:
            found.append(row)
        elif any(value is not None for name, value in row.items() if name != "tipo"):
            unplaced.append((f"identity.{index}", None))
    return found


_KINDS = {
    "residencial": ("residencial", "residential"),
    "comercial": ("comercial", "commercial"),
}


def _addresses(document: Document, unplaced: Unplaced) -> list[Row]:
    """The first of each kind. What a kind or a CEP can't be read from is kept in ``extras``."""
    usual = "residencial" if document["type"] == "PF" else "comercial"
    found: dict[str, Row] = {}
    for index, item in _items(document.get("address")):
        row = _row(tables.enderecos, item)
        if all(value is None for value in row.values()):
            continue
        said = item.get("type")
        known = [kind for kind, words in _KINDS.items() if said and said.lower() in words]
        row["tipo"] = known[0] if known else usual
        if row["tipo"] in found:
            unplaced.append((f"address.{index}", None))
            continue
        if said and not known:
            unplaced.append((f"address.{index}.type", None))
        if row["cep"] is not None and not values.is_zip_code(row["cep"]):
            unplaced.append((f"address.{index}.zipCode", "cep_invalido"))
            row["cep"] = None
        found[row["tipo"]] = row
    return [*found.values()]


def _contacts(document: Document) -> list[tuple[str, str]]:
    contacts = document.get("contacts") or {}
    kinds = (("email", "email"), ("telefone", "phone"))
    every = [(kind, value) for kind, name in kinds for _, value in _items(contacts.get(name))]
    return list(dict.fromkeys(every))


def _accounts(document: Document, unplaced: Unplaced) -> list[Row]:
    found: list[Row] = []
    for index, item in _items(document.get("bankData")):
        row = _row(tables.dados_bancarios, item)
        if any(row.get(column.name, "") is None for column in tables.dados_bancarios.primary_key):
            if any(value is not None for value in row.values()):
                unplaced.append((f"bankData.{index}", "conta_incompleta"))
        elif row not in found:
            found.append(row)
    return found


def _extras(raw: Document, unplaced: list[str]) -> Any:
    """What has no column, as ``jsonb`` would give it back, its numbers exact.

    Raises:
        Rejected: a NUL is in it, which ``jsonb`` can't hold.
    """
    found = extras(raw)
    for path in unplaced:
        name, index, *inner = path.split(".")
        value = raw[name] if isinstance(raw[name], list) else [raw[name]]
        found[path] = value[int(index)][inner[0]] if inner else value[int(index)]
    text = json_util.dumps(found, json_options=json_util.RELAXED_JSON_OPTIONS)
    plain = exact_json(text)
    if _has_nul(plain):
        raise Rejected({"extras": ["nul"]})
    return plain


def exact_json(text: str) -> Any:
    """JSON without floats: a number with a point or an exponent is a ``Decimal``."""
    return json.loads(text, parse_float=Decimal)


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_nul(part) for part in (*value, *value.values()))
    return isinstance(value, list) and any(map(_has_nul, value))
