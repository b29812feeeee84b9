"""The kinds of values that the contract knows, a row each; every road through a document derives from them.

A field's ``coerce`` names its kind. Cerberus' coercions, the compiled contract, the reader of columns and the
reader of schedules' bytes all take from here what a value of a kind is: a new kind is one row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from ccb_luigi.documents import times, values

Read = Callable[[Any, ZoneInfo, Mapping[str, Any]], Any]
"""(value, zone of local times, fields beside it) → normal form, ``None`` for null; raises ``Unreadable``."""


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

    ``type``: Cerberus' name of the normal form's type. ``read``: from whatever the source may hold.
    ``usual``: a short cut that says the same. ``remembered``: its texts repeat, so what they mean is kept.
    ``certain``: of (value, normal form), whether they can be taken without Cerberus (``None``: always).
    ``form``: the name of its plainest text, of ``FORMS``, which PostgreSQL reads just as it is.
    """

    type: str
    read: Read
    usual: Usual | None = None
    remembered: bool = False
    certain: Callable[[Any, Any], bool] | None = None
    form: str | None = None


WHOLE, AMOUNT, DAY = FORMS = ("whole", "amount", "day")
r"""``0|[1-9][0-9]{0,8}``, ``-?[0-9]{1,13}(\.[0-9]{1,2})?``, ``YYYY-MM-DD`` with at most a midnight behind."""


def _plain(read: Callable[[Any], Any]) -> Read:
    """A reader that needs the value alone."""
    return lambda value, zone, beside: read(value)


_TEXT = Usual("type(v) is str and (s := v.strip()) and '\\0' not in s", "s")

KINDS = {
    "text": Kind("string", _plain(values.text), _TEXT),
    "key": Kind("string", _plain(values.key), _TEXT),
    "mongo_id": Kind(
        "string",
        _plain(values.mongo_id),
        # Hardly one begins with any of these: of such `identity` knows which are told in quotes.
        Usual("type(v) is str and '\\0' not in v and v[:1] not in '{[\"ntfs'", "v"),
    ),
    "person_type": Kind(
        "string", _plain(values.person_type), Usual("type(v) is str and v in ('PF', 'PJ')", "v")
    ),
    "tax_id": Kind(
        "string",
        lambda value, zone, beside: values.tax_id(value, beside.get("type")),
        # How many digits an int had depends on the field beside it.
        certain=lambda value, found: type(value) is str,
    ),
    "zip_code": Kind("string", _plain(values.zip_code)),
    "money": Kind(
        "decimal",
        _plain(values.money),
        remembered=True,
        certain=lambda value, found: type(found) is not values.Rounded,  # which is a finding
        form=AMOUNT,
    ),
    "rate": Kind("decimal", _plain(values.rate), remembered=True),
    "integer": Kind("integer", _plain(values.integer), remembered=True, form=WHOLE),
    "boolean": Kind("boolean", _plain(values.boolean), Usual("type(v) is bool", "v")),
    "date": Kind(
        "date",
        lambda value, zone, beside: times.calendar_date(value, zone),
        remembered=True,
        form=DAY,
    ),
    "moment": Kind(
        "datetime",
        lambda value, zone, beside: times.moment(value, zone),
        # Between these years every zone has a day for it.
        Usual("type(v) is datetime and v.tzinfo is UTC and 1 < v.year < 9999", "v"),
    ),
    "document": Kind("dict", _plain(values.document)),
    "items": Kind("list", _plain(values.items)),
}
