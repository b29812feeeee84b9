"""Lists whose items are all alike: text in every field. They are read as one text, straight from the bytes.

Two thirds of a contract are its schedule: a dozen rows of eleven short texts. One regular expression checks
their bytes and takes them apart, where decoding and checking value by value would take ten times as long.
Joined by tabs and newlines the texts are, as they stand, what COPY takes; they become numbers only where
somebody asks for them.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

Rules = Mapping[str, Any]

# Every day but those around .NET's null and 29 February 2000, which looks aren't enough for.
_DAY = (
    "(?:[0-9]{4}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
    "|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
    "|[0-9]{2}(?:0[48]|[13579][26]|[2468][048])-02-29)"
)
# (coercion, type) → the plainest of its forms (see `values`), which PostgreSQL reads as well, and how long
# a text of that form may be. Others aren't wrong: they are read one by one. For speed `(?:x|)` stands for
# `(?:x)?`, and single characters are repeated possessively (no groups, by which Python 3.11.2, which is
# Debian 12's, took "1." for an amount).
_FORMS = {
    ("integer", "integer"): ("(?:0|[1-9][0-9]{0,8}+)", range(1, 10)),
    ("money", "decimal"): (r"(?:-|)[0-9]{1,13}+(?:\.[0-9]{1,2}+|)", range(1, 18)),
    ("date", "date"): (f"(?!000){_DAY}(?:T00:00:00|)", (19, 10)),
}
_MIDNIGHT = "T00:00:00"
_ITEM_RULES = frozenset({"type", "coerce", "nullable", "schema"})
_FIELD_RULES = frozenset({"type", "coerce", "nullable", "required", "min"})


class Uniform(Sequence[Any]):
    """Valid items of a list: their normal forms, made when somebody looks at one, and all of them as text.

    ``text``: a line per item, without the last newline; its fields, in the schema's order, parted by tabs.
    Ask for it by ``type(x) is Uniform``: an abstract class answers ``isinstance`` slowly.
    """

    __slots__ = ("_amounts", "_columns", "_read", "text")

    def __init__(self, text: str, columns: dict[str, tuple[str, ...]], read: Callable[[Any], Any]) -> None:
        self.text = text
        self._columns = columns
        self._read = read
        self._amounts: dict[str, list[Decimal]] = {}

    def __len__(self) -> int:
        return len(next(iter(self._columns.values())))

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return self._read({name: texts[index] for name, texts in self._columns.items()})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and [*self] == [*other]

    __hash__ = None  # type: ignore[assignment]  # as a list

    def column(self, name: str) -> tuple[str, ...]:
        """The texts of a field."""
        return self._columns[name]

    def amounts(self, name: str) -> list[Decimal]:
        """The values of a field that holds amounts."""
        if name not in self._amounts:
            self._amounts[name] = [*map(Decimal, self._columns[name])]
        return self._amounts[name]

    def map(self, read: Callable[[Any], Any]) -> Uniform:
        """The same text with another meaning: what ``read`` makes of each normal form."""
        return Uniform(self.text, self._columns, lambda item: read(self._read(item)))


def reader(rules: Rules, read_item: Callable[[Any], Any]) -> Callable[[bytes], Uniform | None] | None:
    """A function from the elements of a BSON array to its ``Uniform``, ``None`` if one is of another form.

    ``rules``: those of one item. ``None`` instead of a function: they can't be checked by form alone.
    """
    fields = rules.get("schema", {})
    forms = [_form(field) for field in fields.values()]
    if rules.get("coerce") != "document" or not rules.keys() <= _ITEM_RULES or None in forms:
        return None
    names = [name.encode().decode("latin-1") for name in fields]
    elements = "".join(f"\x02{re.escape(name)}\0{form}\0" for name, form in zip(names, forms, strict=True))
    find_all = re.compile(rf"\x03([0-9]++)\0(..)\0\0{elements}\0", re.DOTALL).findall
    # What an item has besides its texts: lengths, types, keys and ends. A line has tabs between the texts.
    around = 4 + sum(1 + len(name) + 1 + 4 + 1 for name in names) + 1 - (len(names) - 1)

    def read(array: bytes) -> Uniform | None:
        items = find_all(array.decode("latin-1"))  # a character per byte
        if not items:
            return None
        indexes, sizes, *columns = zip(*items, strict=True)
        lines = [*map("\t".join, zip(*columns, strict=True))]
        lengths = [around + len(line) for line in lines]
        if "".join(sizes).encode("latin-1") != struct.pack(f"<{len(lengths)}H", *lengths):
            return None
        if sum(lengths) + 2 * len(lengths) + len("".join(indexes)) + 1 != len(
            array
        ):  # something else is there
            return None
        text = "\n".join(lines).replace(_MIDNIGHT, "")
        return Uniform(text, dict(zip(fields, columns, strict=True)), read_item)

    return read


def _form(field: Rules) -> str | None:
    """What the bytes of a valid text look like, its length before it; ``None`` if looks aren't enough.

    The length counts the NUL at the end, and is one byte and three zeros here.
    """
    if not field.keys() <= _FIELD_RULES or field.get("min", 0) > 0:
        return None
    form, lengths = _FORMS.get((str(field.get("coerce")), str(field.get("type"))), ("", ()))
    sized = "|".join(rf"{re.escape(chr(length + 1))}\0\0\0(?=[^\0]{{{length}}}\0)" for length in lengths)
    return f"(?:{sized})({form})" if form else None
