"""Reads schedules from their bytes, those of many documents at once, into ``TextSchedule``.

The forms of the texts are checked as bytes, a field of all rows at a time, where decoding and checking value
by value would take ten times as long. They become numbers on the way, for whoever adds them up.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ccb_luigi.documents.compiled import Rules, known_kind
from ccb_luigi.documents.fast.raw_columns import NULL_TEXT, Block, Positions, Values
from ccb_luigi.documents.fast.schedule_totals import Numbers, Table, totals
from ccb_luigi.documents.kinds import AMOUNT, DAY, WHOLE
from ccb_luigi.documents.rawbson import DOCUMENT, STRING
from ccb_luigi.documents.rows import PARCELA_FIELDS
from ccb_luigi.documents.schedule import TextSchedule

Bytes = NDArray[np.uint8]

LONGEST = 1200
"""Rows: a century of months."""

_NUMBER = "NumeroDaParcela"
_ROW_RULES = frozenset({"type", "coerce", "nullable", "schema"})
_FIELD_RULES = frozenset({"type", "coerce", "nullable", "required", "min"})
_INDEXES = [str(index).encode() for index in range(LONGEST)]
_TAB, _NEWLINE, _MINUS, _DASH, _ZERO = b"\t\n--0"
_DOT = (ord(".") - _ZERO) % 256
_MIDNIGHT = b"T00:00:00"
_DAY = len("YYYY-MM-DD")
_DAYS_OF_MONTH = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, *[0] * 87])

Read = Callable[[Block, Values, Sequence[bytes]], list[TextSchedule | None]]
"""From arrays (at most one of a document), whose rows have their keys in this order, to schedules."""


def reader(rules: Rules, read_row: Callable[[Any], Any]) -> Read | None:
    """A function from arrays to their schedules, ``None`` for one that has a row of another form.

    ``rules``: those of one row. ``None`` instead of a function: they can't be checked by form alone.
    """
    fields: Rules = rules.get("schema", {})
    forms = {name: form for name, field in fields.items() if (form := _form(field))}
    kind = known_kind(rules)
    as_documents = kind is not None and kind.type == "dict" and rules.keys() <= _ROW_RULES
    if not as_documents or len(forms) < len(fields) or {*fields} != {*PARCELA_FIELDS}:
        return None
    optional = {name for name, field in fields.items() if field.get("nullable") and not field.get("required")}
    shapes = [(name, forms[name], name in optional) for name in PARCELA_FIELDS]

    def read(block: Block, arrays: Values, order: Sequence[bytes]) -> list[TextSchedule | None]:
        ours = copy.copy(block)
        ours.certain = block.certain.copy()  # an uncertain row falls back to another reader of rows alone
        rows = _rows(ours, arrays)
        texts = {key: ours.filled(rows, at, found) for key, at, found in ours.elements(rows, order)}
        if not len(rows.docs):
            return [None] * len(arrays.docs)
        spans: list[tuple[Positions, Positions]] = []
        table = Table({}, np.flatnonzero(np.diff(rows.docs, prepend=-1)), {})
        for name, form, may_lack in shapes:
            found = texts.get(name.encode())
            values = ours.absent(rows) if found is None else found
            table.columns[name], missing, starts, ends = _cells(ours, values, form, may_lack)
            if missing is not None:
                table.missing[name] = missing
            spans.append((starts, ends))
        _fall_back_unless_rising(ours, rows, table)
        schedules = zip(_texts(ours, spans, table), totals(table), strict=True)
        of_doc = dict(zip(rows.docs[table.begins].tolist(), schedules, strict=True))
        certain = ours.certain[arrays.docs].tolist()
        return [
            TextSchedule(found[0], read_row, found[1]) if sure and found else None
            for sure, found in zip(certain, map(of_doc.get, arrays.docs.tolist()), strict=True)
        ]

    return read


def _cells(
    block: Block, found: Values, form: Form, may_lack: bool
) -> tuple[Numbers, NDArray[np.bool_] | None, Positions, Positions]:
    """One field of all rows: its numbers, which rows have none (``None``: all have one), and its texts.

    Documents with a value of no plain form fall back, unless it is null where that may be.
    """
    starts, ends = found.starts + 4, found.ends - 1  # behind the text's length, before its NUL
    good = (found.kinds == STRING) & (block.bytes[ends] == 0)
    numbers, fits, ends = form(block, starts, ends)
    odd = np.flatnonzero(~(good & fits))
    if not len(odd):
        return numbers, None, starts, ends
    null = block.null(found.where(odd)) if may_lack else np.zeros(len(odd), bool)
    block.fall_back(found.docs[odd[~null]])
    empty = odd[null]
    missing = np.zeros(len(numbers), bool)
    missing[empty] = True
    numbers[empty] = 0
    starts[empty], ends[empty] = block.null_text, block.null_text + len(NULL_TEXT)
    return numbers, missing, starts, ends


def _fall_back_unless_rising(block: Block, rows: Values, table: Table) -> None:
    """Where the rows' numbers rise none occurs twice; elsewhere they are looked at one by one."""
    rises = np.diff(table.columns[_NUMBER], prepend=0) > 0
    rises[table.begins] = True
    block.fall_back(rows.docs[~rises])


def _rows(block: Block, arrays: Values) -> Values:
    """All rows of the arrays, in the documents' order; where one is no document, its own falls back."""
    found = [rows for _, _, rows in block.elements(arrays, _INDEXES, gaps=False)]
    if not found:
        return arrays.where(slice(0))
    rows = Values(*map(np.concatenate, zip(*found, strict=True)))  # all first rows, all second rows ...
    block.fall_back(rows.docs[rows.kinds != DOCUMENT])
    return rows.where(np.lexsort((rows.starts, rows.docs)))


def _texts(block: Block, spans: list[tuple[Positions, Positions]], table: Table) -> list[str]:
    """Per schedule the texts of all its rows, parted by tabs and newlines."""
    starts = np.stack([start for start, _ in spans], axis=1).ravel()  # row by row, cell by cell
    ends = np.stack([end for _, end in spans], axis=1).ravel()
    sizes = np.maximum(ends - starts, 0) + 1  # and a byte for what parts them
    after = sizes.cumsum()  # where each cell ends in the text that is made
    # For each byte of that text, where it is taken from: a cell's bytes lie one behind the other in both, so
    # that within a cell the distance between the two places stays the same.
    taken = np.repeat(starts - (after - sizes), sizes) + np.arange(after[-1])
    text = block.bytes[np.minimum(taken, len(block.bytes) - 1)]
    text[after - 1] = _TAB
    lines = after[len(spans) - 1 :: len(spans)]  # where each row ends
    text[lines - 1] = _NEWLINE
    ends_of_lists = lines[np.append(table.begins[1:], len(lines)) - 1]  # where each schedule ends
    joined, begins = text.tobytes().decode("latin-1"), np.append(0, ends_of_lists[:-1])
    return [
        joined[begin:end] for begin, end in zip(begins.tolist(), (ends_of_lists - 1).tolist(), strict=True)
    ]


Form = Callable[[Block, Positions, Positions], tuple[Numbers, NDArray[np.bool_], Positions]]
"""From texts (start, end) to numbers, whether each is of the form, and where what is kept of it ends."""


def _form(field: Rules) -> Form | None:
    """What checks the plainest form of a field's values, which PostgreSQL reads as well (see ``kinds``).

    Others aren't wrong: they are read one by one. ``None``: there is no such form, or it isn't enough.
    """
    kind = known_kind(field)
    if kind is None or not field.keys() <= _FIELD_RULES or field.get("min", 0) > 0:
        return None
    return _FORMS.get(kind.form)


def _digits(block: Block, starts: Positions, ends: Positions, width: int) -> Bytes:
    """The texts as columns of bytes less "0", the last in the last row; before a text zeros."""
    # The last ``width`` bytes before each end, of which those before the start belong to something else.
    chars = block.at(f"S{width}", np.maximum(ends - width, 0)).view(np.uint8).reshape(-1, width)
    digits = np.ascontiguousarray(chars.T) - np.uint8(_ZERO)  # what is no digit becomes more than 9
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
    width = int(np.clip(size.max(), 3, 17))  # a sign, 13 digits, a point, 2 digits
    digits = _digits(block, starts, ends, width)
    minus = np.flatnonzero((block.bytes[starts] == _MINUS) & (size >= 1) & (size <= width))
    digits[(width - size)[minus], minus] = 0
    two = digits[-3] == _DOT  # texts with two decimals, with one, the others with none
    one = ~two & (digits[-2] == _DOT)
    whole = size - 3 * two - 2 * one
    whole[minus] -= 1
    digits[-3, two] = 0
    digits[-2, one] = 0
    good = (whole >= 1) & (whole <= 13) & (size <= width) & (digits <= 9).all(axis=0)
    last, last_but_one = digits[-1].astype(np.int64), digits[-2].astype(np.int64)
    hundreds = _value(digits[:-3])  # all digits but the last three places
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


_FORMS: dict[str | None, Form] = {WHOLE: _integers, AMOUNT: _cents, DAY: _days}
