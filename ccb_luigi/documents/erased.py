"""Clients that were erased: how a run knows them again without their ids being kept.

``controle.esquecimentos`` holds keyed hashes (HMAC-SHA256, the key is ``CCB_FORGET_KEY``) of the client's id
and of the ``_id`` of each of their documents. Ids could be tried out against plain hashes.
"""

from __future__ import annotations

import hmac
from contextlib import suppress
from dataclasses import dataclass, field

from bson.errors import InvalidBSON

from ccb_luigi.documents.judge import Accepted, Refused
from ccb_luigi.documents.rawbson import decode
from ccb_luigi.documents.values import Unreadable, key

_CLIENT, _DOCUMENT, _VERIFIER = "cliente", "documento", "verificador"


@dataclass(frozen=True, slots=True)
class Erased:
    """The erased clients, as far as a run must know them. Can be sent to another process."""

    key: bytes = field(repr=False)
    hashes: frozenset[str] = field(repr=False)

    def holds(self, client_id: str) -> bool:
        """Whether the client, by the id as in the tables, was erased."""
        return digest(self.key, _CLIENT, client_id) in self.hashes

    def drops(self, judged: Accepted | Refused) -> bool:
        """Whether the document is an erased client's: nothing of it may be kept, nor its rejection.

        Its ``_id`` counts only where it doesn't tell its client.
        """
        if isinstance(judged, Accepted):
            return self.holds(judged.client_id)
        return self.drops_raw(judged.raw, judged.mongo_id)

    def drops_raw(self, raw: bytes, mongo_id: str) -> bool:
        """The same of raw bytes that hold the client's id, if it is told at all."""
        if clients := clients_of(raw):
            return any(map(self.holds, clients))
        return digest(self.key, _DOCUMENT, mongo_id) in self.hashes


def digest(secret: bytes, kind: str, name: str) -> str:
    """The keyed hash of an id, in hex."""
    return hmac.digest(secret, f"{kind}\0{name}".encode(), "sha256").hex()


def tombstone(secret: bytes, client_id: str, mongo_ids: set[str]) -> dict[str, object]:
    """What is kept of a client in place of the data: columns of ``controle.esquecimentos``."""
    return {
        "chave": digest(secret, _CLIENT, client_id),
        "documentos": sorted(digest(secret, _DOCUMENT, name) for name in mongo_ids),
        "verificador": verifier(secret),
    }


def verifier(secret: bytes) -> str:
    """Tells one key from another, and nothing else about it."""
    return digest(secret, _VERIFIER, "")


def clients_of(raw: bytes) -> set[str]:
    """The client that a document names, if it can be told; of a broken one all that may be it."""
    try:
        values = [decode(raw).get("clientId")]
    except InvalidBSON:
        values = _texts_of_broken(raw)
    found = set()
    for value in values:
        with suppress(Unreadable):
            found.add(key(value))
    return {name for name in found if name is not None}


_FIELD = b"\x02clientId\0"
"""How a text of this name begins in BSON; four bytes of length follow."""


def _texts_of_broken(raw: bytes) -> list[object]:
    found: list[object] = []
    for rest in raw.split(_FIELD)[1:]:
        length = int.from_bytes(rest[:4], "little")
        with suppress(UnicodeDecodeError):
            found.append(rest[4 : 3 + length].decode())
    return found
