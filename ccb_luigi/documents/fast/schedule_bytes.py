"""Finds lists whose items are all alike (``TextSchedule``), and reads these for many documents at once.

The forms of the texts are checked as bytes, a field of all items at a time, where decoding and checking value
by value would take ten times as long. They become numbers on the way, for whoever adds them up.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ccb_luigi.documents.fast.raw_columns import DOCUMENT, NULL_TEXT, STRING, Block, Positions, Values
from ccb_luigi.documents.schedule import TextSchedule

Rules = Mapping[str, Any]
Numbers = NDArray[np.int64]
Bytes = NDArray[np.uint8]

LONGEST = 1200
"""Rows: a century of months."""

_ITEM_RULES = frozenset({"type", "coerce", "nullable", "schema"})
_FIELD_RULES = frozenset({"type", "coerce", "nullable", "required", "min"})
_INDEXES = [str(index).encode() for index in range(LONGEST)]
_TAB, _NEWLINE, _MINUS, _DASH, _ZERO = b"\t\n--0"
_DOT = (ord(".") - _ZERO) % 256
_MIDNIGHT = b"T00:00:00"
_DAY = len("YYYY-MM-DD")
_DAYS_OF_MONTH = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, *[0] * 87])


class Table(NamedTuple):
    """The items of several lists, one list after the other, as columns.

    ``columns``: name → whole numbers; of amounts the cents, of days year, month and day as one number.
    ``begins``: where each list begins; none is empty. ``missing``: name → which items have no value there,
    but a zero in ``columns``; only of columns where some have none.
    """

    columns: dict[str, Numbers]
    begins: Positions
    missing: dict[str, NDArray[np.bool_]]


Know = Callable[[Table], Sequence[Any]]
"""What is to be known of each list."""


Read = Callable[[Block, Values, Sequence[bytes]], list[TextSchedule | None]]
"""From arrays (at most one of a document), whose items have their keys in this order, to what they are."""


def reader(rules: Rules, read_item: Callable[[Any], Any], know: Know) -> Read | None:
    """A function from arrays to their ``TextSchedule``, ``None`` for one that has an item of another form.

    ``rules``: those of one item. ``None`` instead of a function: they can't be checked by form alone.
    """
    fields: Rules = rules.get("schema", {})
    forms = [form for field in fields.values() if (form := _form(field))]
    as_documents = rules.get("coerce") == "document" and rules.keys() <= _ITEM_RULES
    if not as_documents or not fields or len(forms) < len(fields):
        return None
    names = [*fields]
    optional = [field.get("nullable", False) and not field.get("required") for field in fields.values()]
    shapes = [*zip(names, forms, optional, strict=True)]
    counts = [name for name, form, may_lack in shapes if form is _integers and not may_lack]

    def read(block: Block, arrays: Values, order: Sequence[bytes]) -> list[TextSchedule | None]:
        ours = copy.copy(block)
        ours.sure = block.sure.copy()  # what we doubt is only that items are alike
        items = _items(ours, arrays)
        texts = {key: ours.filled(items, at, found) for key, at, found in ours.elements(items, order)}
        if not len(items.who):
            return [None] * len(arrays.who)
        spans: list[tuple[Positions, Positions]] = []
        table = Table({}, np.flatnonzero(np.diff(items.who, prepend=-1)), {})
        for name, form, may_lack in shapes:
            found = texts.get(name.encode())
            cells = _cells(ours, ours.absent(items) if found is None else found, form, may_lack)
            table.columns[name] = cells.numbers
            if cells.missing is not None:
                table.missing[name] = cells.missing
            spans.append((cells.starts, cells.ends))
        lists = zip(_texts(ours, spans, table), _rising(table, counts), know(table), strict=True)
        known = dict(zip(items.who[table.begins].tolist(), lists, strict=True))
        sure = ours.sure[arrays.who].tolist()
        return [
            TextSchedule(text, names, read_item, rising, what) if certain and text else None
            for certain, (text, rising, what) in zip(
                sure, (known.get(who, _NOTHING) for who in arrays.who.tolist()), strict=True
            )
        ]

    return read


_NOTHING = ("", frozenset[str](), None)


class _Cells(NamedTuple):
    """One field of all items: its numbers, which items have none (``None``: all have one), and its texts."""

    numbers: Numbers
    missing: NDArray[np.bool_] | None
    starts: Positions
    ends: Positions


def _cells(block: Block, found: Values, form: Form, may_lack: bool) -> _Cells:
    """Values of no plain form leave their document in doubt, unless they are null where that may be."""
    starts, ends = found.starts + 4, found.ends - 1
    good = (found.kinds == STRING) & (block.bytes[ends] == 0)
    numbers, fits, ends = form(block, starts, ends)
    odd = np.flatnonzero(~(good & fits))
    if not len(odd):
        return _Cells(numbers, None, starts, ends)
    null = block.null(found.where(odd)) if may_lack else np.zeros(len(odd), bool)
    block.doubt(found.who[odd[~null]])
    empty = odd[null]
    missing = np.zeros(len(numbers), bool)
    missing[empty] = True
    numbers[empty] = 0
    starts[empty], ends[empty] = block.null_text, block.null_text + len(NULL_TEXT)
    return _Cells(numbers, missing, starts, ends)


def _rising(table: Table, names: Sequence[str]) -> list[frozenset[str]]:
    """Per list those of the columns whose numbers rise from each item to the next."""
    rising = [[""] * len(table.begins)]
    for name in names:
        rises = np.diff(table.columns[name], prepend=0) > 0
        rises[table.begins] = True
        rising.append([name if it else "" for it in np.logical_and.reduceat(rises, table.begins).tolist()])
    return [*map(frozenset, zip(*rising, strict=True))]


def _items(block: Block, arrays: Values) -> Values:
    """All items of the arrays, in the documents' order; whoever has others than documents is in doubt."""
    found = [items for _, _, items in block.elements(arrays, _INDEXES, gaps=False)]
    if not found:
        return arrays.where(slice(0))
    items = type(arrays)(*map(np.concatenate, zip(*found, strict=True)))
    block.doubt(items.who[items.kinds != DOCUMENT])
    return items.where(np.lexsort((items.starts, items.who)))


def _texts(block: Block, spans: list[tuple[Positions, Positions]], table: Table) -> list[str]:
    """Per list the texts of all its items, parted by tabs and newlines."""
    starts = np.stack([start for start, _ in spans], axis=1).ravel()
    ends = np.stack([end for _, end in spans], axis=1).ravel()
    sizes = np.maximum(ends - starts, 0) + 1  # and a byte for what parts them
    after = sizes.cumsum()
    taken = np.repeat(starts - (after - sizes), sizes) + np.arange(after[-1])
    text = block.bytes[np.minimum(taken, len(block.bytes) - 1)]
    text[after - 1] = _TAB
    lines = after[len(spans) - 1 :: len(spans)]
    text[lines - 1] = _NEWLINE
    ends_of_lists = lines[np.append(table.begins[1:], len(lines)) - 1]
    joined, begins = text.tobytes().decode("latin-1"), np.append(0, ends_of_lists[:-1])
    return [
        joined[begin:end] for begin, end in zip(begins.tolist(), (ends_of_lists - 1).tolist(), strict=True)
    ]


Form = Callable[[Block, Positions, Positions], tuple[Numbers, NDArray[np.bool_], Positions]]
"""From texts (start, end) to numbers, whether each is of the form, and where what is kept of it ends."""


def _form(field: Rules) -> Form | None:
    """The plainest form of a field's values (see ``values``), which PostgreSQL reads as well.

    Others aren't wrong: they are read one by one. ``None``: there is no such form, or it isn't enough.
    """
    if not field.keys() <= _FIELD_RULES or field.get("min", 0) > 0:
        return None
    return _FORMS.get((str(field.get("coerce")), str(field.get("type"))))


def _digits(block: Block, starts: Positions, ends: Positions, width: int) -> Bytes:
    """The texts as columns of bytes less "0", the last in the last row; before a text zeros."""
    chars = block.at(f"S{width}", np.maximum(ends - width, 0)).view(np.uint8).reshape(-1, width)
    digits = np.ascontiguousarray(chars.T) - np.uint8(_ZERO)
    digits[np.arange(width)[:, None] < width - (ends - starts)] = 0
    return digits


def _value(digits: Bytes) -> Numbers:
    """Rows of digits as whole numbers."""
    value = np.zeros(digits.shape[1], np.int64)
    for row in digits:
        value *= 10
        value += row
    return value


def _integers(
    block: Block, starts: Positions, ends: Positions
) -> tuple[Numbers, NDArray[np.bool_], Positions]:
    """``0|[1-9][0-9]{0,8}``: equal numbers are equal texts."""
    size = ends - starts
    digits = _digits(block, starts, ends, 9)
    good = (size >= 1) & (size <= 9) & (digits <= 9).all(axis=0)
    good &= (block.bytes[starts] != _ZERO) | (size == 1)
    return _value(digits), good, ends


def _cents(block: Block, starts: Positions, ends: Positions) -> tuple[Numbers, NDArray[np.bool_], Positions]:
    r"""``-?[0-9]{1,13}(\.[0-9]{1,2})?``, in cents."""
    size = ends - starts
    width = int(np.clip(size.max(), 3, 17))
    digits = _digits(block, starts, ends, width)
    minus = np.flatnonzero((block.bytes[starts] == _MINUS) & (size >= 1) & (size <= width))
    digits[(width - size)[minus], minus] = 0
    two = digits[-3] == _DOT
    one = ~two & (digits[-2] == _DOT)
    whole = size - 3 * two - 2 * one
    whole[minus] -= 1
    digits[-3, two] = 0
    digits[-2, one] = 0
    good = (whole >= 1) & (whole <= 13) & (size <= width) & (digits <= 9).all(axis=0)
    last, last_but_one = digits[-1].astype(np.int64), digits[-2].astype(np.int64)
    hundreds = _value(digits[:-3])
    tens = hundreds * 10 + digits[-3]
    value = np.where(
        two,
        hundreds * 100 + last_but_one * 10 + last,
        np.where(one, tens * 100 + last * 10, (tens * 100 + last_but_one * 10 + last) * 100),
    )
    value[minus] *= -1
    return value, good, ends


def _days(block: Block, starts: Positions, ends: Positions) -> tuple[Numbers, NDArray[np.bool_], Positions]:
    """``YYYY-MM-DD``, at most with a midnight behind it; of a century's 29 February others must judge."""
    size, end = ends - starts, starts + _DAY
    digits = _digits(block, starts, end, _DAY)
    good = (size == _DAY) | (
        (size == _DAY + len(_MIDNIGHT)) & (block.at(f"S{len(_MIDNIGHT)}", end) == _MIDNIGHT)
    )
    dashes = digits[[4, 7]]
    good &= (dashes == (_DASH - _ZERO) % 256).all(axis=0)
    digits[[4, 7]] = 0
    good &= (digits <= 9).all(axis=0)
    year, month, day = _value(digits[:4]), _value(digits[5:7]), _value(digits[8:])
    leap = (month == 2) & (day == 29) & (year % 4 == 0) & (year % 100 != 0)
    good &= (year >= 10) & (day >= 1) & ((day <= _DAYS_OF_MONTH[month % 100]) | leap)
    return year * 10_000 + month * 100 + day, good, end


_FORMS: dict[tuple[str, str], Form] = {
    ("integer", "integer"): _integers,
    ("money", "decimal"): _cents,
    ("date", "date"): _days,
}
