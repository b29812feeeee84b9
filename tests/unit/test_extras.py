"""No field is lost: what the contract doesn't know is found, wherever it is, under its path."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from contracts import MISSING, SCHEDULE, contract

from ccb_luigi.documents.contract import Contract
from ccb_luigi.documents.extras import extras

CHECKER = Contract(ZoneInfo("America/Sao_Paulo"))


def test_the_fields_without_a_column_are_the_extras() -> None:
    assert dict(extras(contract())) == {"guarantors": None, "bank": None, "sendVortx": "True"}


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("nova", "nova"),
        ("operation.Nova", "operation.Nova"),
        ("operation.parcelas.Nova", "operation.parcelas.Nova"),
        ("operation.detalhamentoDaCET.Nova", "operation.detalhamentoDaCET.Nova"),
        (f"{SCHEDULE}.3.Nova", f"{SCHEDULE}.3.Nova"),
        ("contacts.fax", "contacts.fax"),
        ("identity.nova", "identity.0.nova"),
        ("address.nova", "address.0.nova"),
        ("bankData.nova", "bankData.0.nova"),
    ],
)
def test_a_field_that_nobody_has_seen_yet_is_found_under_its_path(path: str, told: str) -> None:
    value = {"deep": [1, {"deeper": "x"}]}
    found = dict(extras(contract(**{path: value})))
    assert found == {"guarantors": None, "bank": None, "sendVortx": "True", told: value}
    CHECKER.judge(contract(**{path: value}))


def test_the_index_of_an_extra_is_that_of_the_source_even_after_null_items() -> None:
    listed = [None, {"number": "1"}, {"@i:nil": "true"}, {"number": "2", "nova": 1}]
    assert dict(extras(contract(identity=listed)))["identity.3.nova"] == 1


def test_no_two_fields_share_a_path_whatever_their_names() -> None:
    document = contract(guarantors=MISSING, bank=MISSING, sendVortx=MISSING)
    document["operation"]["b"] = 1
    document["operation.b"] = 2
    document["operation\\"] = 3
    document["operation\\.b"] = 4
    document["operation"]["c.d"] = 5
    document[""] = 6
    found = list(extras(document).items())
    assert len({path for path, _ in found}) == len(found)
    assert sorted(value for _, value in found) == [1, 2, 3, 4, 5, 6]
    assert dict(found)["operation.b"] == 1
