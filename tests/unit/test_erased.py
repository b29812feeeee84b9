"""What is kept of an erased client, and how it is known again."""

from __future__ import annotations

import pickle
from dataclasses import replace
from datetime import date
from typing import Any

import bson
import pytest
from bson import ObjectId
from contracts import MISSING, contract

from ccb_luigi import settings
from ccb_luigi.codes import Strictness
from ccb_luigi.documents.block import BatchSpec, render
from ccb_luigi.documents.erased import Erased, clients_of, digest, tombstone
from ccb_luigi.documents.judge import Judge
from ccb_luigi.errors import ConfigurationError
from ccb_luigi.settings import Settings

SECRET = b"a key of this test alone"
ZONE = Settings().zone
CLIENT = "nW8sJdK3uTfXo1Rz5GqHy7MbEaL"
DOCUMENT = "Zt4mQx81Lr0VbnCyA2pe"
DAY = date(2024, 5, 3)


def erased(client: str = CLIENT, *documents: str) -> Erased:
    row: Any = tombstone(SECRET, client, set(documents))
    return Erased(SECRET, frozenset([row["chave"], *row["documentos"]]))


def judged(**changes: Any) -> Any:
    return Judge(ZONE).judge(bson.encode(contract(**changes)))


def broken(**changes: Any) -> bytes:
    """A document whose last byte isn't the end of one."""
    return bson.encode(contract(**changes))[:-1] + b"\x01"


def test_a_hash_needs_the_key_and_says_nothing_without_it() -> None:
    row: Any = tombstone(SECRET, CLIENT, {DOCUMENT})
    assert CLIENT not in repr(row)
    assert DOCUMENT not in repr(row)
    assert row["chave"] != tombstone(b"another key of the test", CLIENT, set())["chave"]
    # As RFC 2104 and FIPS 180-4 have it, worked out with openssl.
    assert digest(b"key", "cliente", "c1") == (
        "dbec0bdff68e168c3abbdd3eef686b06d6f1aa5eb5430b4c6045e8048b98bd2d"
    )


def test_a_client_and_a_document_of_the_same_name_are_two_things() -> None:
    found = erased("same")
    assert found.holds("same")
    assert not found.drops_raw(b"", "same")


def test_a_good_document_of_the_client_is_dropped_whatever_its_id() -> None:
    assert erased().drops(judged())
    assert erased().drops(judged(clientId=f"  {CLIENT} "))
    assert not erased().drops(judged(clientId="another"))
    assert not erased("another", DOCUMENT).drops(judged()), "the document has changed hands"


@pytest.mark.parametrize("changes", [{"taxId": MISSING}, {"operation.ValorBruto": "NaN"}, {"type": 7}])
def test_a_rejected_document_of_the_client_is_dropped(changes: dict[str, Any]) -> None:
    assert erased().drops(judged(**changes))
    assert not erased("another", DOCUMENT).drops(judged(**changes))


@pytest.mark.parametrize("client_id", [MISSING, None, "", {"a": 1}, [CLIENT], "a\0b"])
def test_a_document_that_names_no_client_is_known_by_its_id(client_id: Any) -> None:
    refused = judged(clientId=client_id)
    assert erased(CLIENT, DOCUMENT).drops(refused)
    assert not erased(CLIENT).drops(refused)


def test_a_broken_document_is_known_by_the_client_that_its_bytes_name() -> None:
    judge = Judge(ZONE)
    assert erased().drops(judge.judge(broken()))
    assert erased().drops(judge.judge(broken(clientId=f" {CLIENT}\n")))
    assert not erased("another", DOCUMENT).drops(judge.judge(broken()))
    truncated = bson.encode(contract())[:36]  # within the field after _id
    assert clients_of(truncated) == set()
    assert erased(CLIENT, DOCUMENT).drops(judge.judge(truncated))
    assert not erased(CLIENT).drops(judge.judge(truncated))


@pytest.mark.parametrize("raw", [b"", b"\x02clientId\0", b"\x02clientId\0\xff\xff\xff\xff", b"\xff" * 40])
def test_any_bytes_can_be_asked(raw: bytes) -> None:
    assert clients_of(raw) == set()


def test_an_object_id_is_a_client_as_the_tables_have_it() -> None:
    oid = ObjectId()
    assert clients_of(bson.encode({"clientId": oid})) == {str(oid)}


def test_a_block_counts_them_and_keeps_nothing_of_them() -> None:
    documents = [
        bson.encode(contract()),
        bson.encode(contract(taxId=MISSING)),
        broken(),
        bson.encode(contract(clientId="another", _id="x", ccbCode="B")),
        bson.encode(contract(clientId="another", _id="y", taxId=MISSING)),
    ]
    task = BatchSpec(1, DAY, ZONE, Strictness())
    everything = render(task, 0, documents)
    assert (everything.read, len(everything.refused), len(everything.timeless)) == (5, 2, 1)
    assert everything.erased == 0
    found = render(replace(task, erased=erased()), 0, documents)
    assert (found.read, len(found.refused), len(found.timeless), found.erased) == (2, 1, 0, 3)
    kept = b"".join(found.lines.values()) + b"".join(refused.raw for _, refused in found.refused)
    assert CLIENT.encode() not in kept


def test_documents_of_other_dates_are_not_counted() -> None:
    task = BatchSpec(1, date(2024, 5, 4), ZONE, Strictness(), erased())
    assert render(task, 0, [bson.encode(contract())]).erased == 0


def test_it_goes_to_another_process_and_never_shows_the_key() -> None:
    found = erased()
    assert pickle.loads(pickle.dumps(found)) == found
    assert "key of this test" not in repr(found)
    assert "key of this test" not in repr(Settings(forget_key=SECRET.decode()))


def test_a_short_key_is_refused_without_being_shown() -> None:
    assert settings.load({"CCB_FORGET_KEY": "x" * 16}).forget_key == "x" * 16
    with pytest.raises(ConfigurationError, match="CCB_FORGET_KEY needs at least 16") as raised:
        settings.load({"CCB_FORGET_KEY": "fifteen-letters"})
    assert "fifteen" not in str(raised.value)
