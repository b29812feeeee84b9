"""The kinds of values that the contract knows, a row each; every road through a document derives from them.

A field's ``coerce`` names its kind. Cerberus' coercions, the compiled contract, the reader of columns and the
reader of schedules' bytes all take from here what a value of a kind is: a new kind is one row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from ccb_luigi.documents import times, values

Reader = Callable[[Any], Any]
"""From a raw value to its normal form, ``None`` for null; raises ``Unreadable``."""


class Usual(NamedTuple):
    """The form that nearly all values ``v`` of a kind have, as Python: ``found`` is their normal form then.

    Code, since it is written in place into what reads whole columns: a call for each value would cost as much
    as reading it.
    """

    condition: str
    found: str


@dataclass(frozen=True)
class Kind:
    """What a value is.

    ``type``: Cerberus' name of the normal form's type. ``read``: from whatever the source may hold; if
    ``in_zone`` it is told the zone of local times as well, if ``beside`` what the field of this name holds.
    ``usual``: a short cut that says the same. ``remembered``: its texts repeat, so what they mean is kept.
    ``certain``: of (value, normal form), whether they can be taken without Cerberus (``None``: always).
    ``form``: the name of its plainest text, of ``FORMS``, which PostgreSQL reads just as it is.
    ``accepted``: what may come, in words for whoever mends a field at the source.
    """

    type: str
    read: Callable[..., Any]
    accepted: str
    usual: Usual | None = None
    remembered: bool = False
    certain: Callable[[Any, Any], bool] | None = None
    form: str | None = None
    in_zone: bool = False
    beside: str | None = None

    def reader(self, zone: ZoneInfo, document: Mapping[str, Any]) -> Reader:
        """What reads a value in this zone, and in this document."""
        if self.in_zone:
            return partial(self.read, zone=zone)
        return self.read if self.beside is None else partial(self.read, document.get(self.beside))


WHOLE, AMOUNT, DAY = FORMS = ("whole", "amount", "day")
r"""``0|[1-9][0-9]{0,8}``, ``-?[0-9]{1,13}(\.[0-9]{1,2})?``, ``YYYY-MM-DD`` with at most a midnight behind."""


_TEXT = Usual("type(v) is str and (s := v.strip()) and '\\0' not in s", "s")

KINDS = {
    "text": Kind("string", values.text, "text, or a whole number", _TEXT),
    "key": Kind("string", values.key, "text, a whole number or an ObjectId", _TEXT),
    "mongo_id": Kind(
        "string",
        values.mongo_id,
        "text, or an ObjectId",
        # Hardly one begins with any of these: of such `identity` knows which are told in quotes.
        Usual("type(v) is str and '\\0' not in v and v[:1] not in '{[\"ntfs'", "v"),
    ),
    "person_type": Kind(
        "string", values.person_type, "PF or PJ", Usual("type(v) is str and v in ('PF', 'PJ')", "v")
    ),
    "tax_id": Kind(
        "string",
        lambda person, value: values.tax_id(value, person),
        "the 11 digits of a CPF or the 14 characters of a CNPJ, as text or a whole number",
        beside="type",
        # How many digits an int had depends on the field beside it.
        certain=lambda value, found: type(value) is str,
    ),
    "zip_code": Kind("string", values.zip_code, "text, or a whole number"),
    "money": Kind(
        "decimal",
        values.money,
        'a number, or text such as "1234.56" or "1.234,56"',
        remembered=True,
        certain=lambda value, found: type(found) is not values.Rounded,  # which is a finding
        form=AMOUNT,
    ),
    "rate": Kind("decimal", values.rate, 'a number, or text such as "1.25" or "1,25"', remembered=True),
    "integer": Kind(
        "integer", values.integer, 'a whole number, or text such as "12"', remembered=True, form=WHOLE
    ),
    "boolean": Kind(
        "boolean",
        values.boolean,
        'true or false, 1 or 0, or text: "true", "false", "S", "N", "1", "0"',
        Usual("type(v) is bool", "v"),
    ),
    "date": Kind(
        "date",
        times.calendar_date,
        'a BSON date, or text such as "2026-11-22" or "22/11/2026"',
        in_zone=True,
        remembered=True,
        form=DAY,
    ),
    "moment": Kind(
        "datetime",
        times.moment,
        'a BSON date, or text such as "2026-11-22T14:30:00-03:00" or "22/11/2026 14:30"',
        # Between these years every zone has a day for it.
        Usual("type(v) is datetime and v.tzinfo is UTC and 1 < v.year < 9999", "v"),
        in_zone=True,
    ),
    "document": Kind("dict", values.document, "an object"),
    "items": Kind("list", values.items, "an array, or its only item"),
}
