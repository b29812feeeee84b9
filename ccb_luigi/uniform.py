"""Lists whose items are all alike: text in every field. They are checked as one text, not value by value.

Two thirds of a contract are its schedule: a dozen rows of eleven short texts. Joined by tabs and newlines
they are matched by one regular expression (7 microseconds instead of 110), and that text is, as it
stands, what COPY takes. Amounts become ``Decimal`` only where somebody asks for them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from itertools import chain
from operator import itemgetter
from typing import Any

Rules = Mapping[str, Any]

# (coercion, type) → the plainest of its forms (see `values`), which PostgreSQL reads as well. Others
# aren't wrong: they are read one by one. Possessive quantifiers: nothing here is ever tried another way.
_FORMS = {
    ("integer", "integer"): "[0-9]{1,9}+",
    ("money", "decimal"): r"-?[0-9]{1,13}+(?:\.[0-9]{1,2}+)?+",
    ("date", "date"): "[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T00:00:00)?+",
}
_MIDNIGHT = "T00:00:00"
_ITEM_RULES = frozenset({"type", "coerce", "nullable", "schema"})
_FIELD_RULES = frozenset({"type", "coerce", "nullable", "required", "min"})


class Uniform(Sequence[Any]):
    """Valid items of a list: their normal forms, made when somebody looks at one, and all of them as text.

    ``text``: a line per item, without the last newline; its fields, in the schema's order, parted by tabs.
    Ask for it by ``type(x) is Uniform``: an abstract class answers ``isinstance`` slowly.
    """

    __slots__ = ("_amounts", "_columns", "_items", "_read", "text")

    def __init__(
        self,
        items: list[Any],
        text: str,
        columns: dict[str, tuple[str, ...]],
        read: Callable[[Any], Any],
    ) -> None:
        self.text = text
        self._items = items
        self._columns = columns
        self._read = read
        self._amounts: dict[str, list[Decimal]] = {}

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: Any) -> Any:
        found = self._items[index]
        return [*map(self._read, found)] if isinstance(index, slice) else self._read(found)

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
        return Uniform(self._items, self.text, self._columns, lambda item: read(self._read(item)))


def reader(
    rules: Rules, read_item: Callable[[Any], Any], read_date: Callable[[str], Any]
) -> Callable[[list[Any]], Uniform | None] | None:
    """A function from a list to its ``Uniform``, or to ``None`` if some item is of another form.

    ``rules``: those of one item. ``None`` instead of a function: they can't be checked by form alone.
    """
    fields = rules.get("schema", {})
    forms = [_form(field) for field in fields.values()]
    if rules.get("coerce") != "document" or not rules.keys() <= _ITEM_RULES or len(forms) < 2:
        return None
    if None in forms:
        return None
    texts = itemgetter(*fields)
    names = tuple(fields)
    dates = [name for name, field in fields.items() if field["coerce"] == "date"]
    line = r"\t".join(map(str, forms))
    matches = re.compile(f"{line}(?:\n{line})*+").fullmatch

    def read(items: list[Any]) -> Uniform | None:
        try:
            cells = [*map(texts, items)]
            text = "\n".join(map("\t".join, cells))
        except (KeyError, TypeError):  # something is missing, or isn't text
            return None
        # JavaScript is a kind of text to PyMongo, and would pass for it up to here.
        if not matches(text) or {*map(type, chain.from_iterable(cells))} != {str}:
            return None
        columns = dict(zip(names, zip(*cells, strict=True), strict=True))
        for name in dates:  # February has no 30th, and year 1 means null
            if None in map(read_date, columns[name]):
                return None
        return Uniform(items, text.replace(_MIDNIGHT, ""), columns, read_item)

    return read


def _form(field: Rules) -> str | None:
    """What the field's text must look like to be valid; ``None`` if the looks aren't enough."""
    if not field.keys() <= _FIELD_RULES or field.get("min", 0) > 0:
        return None
    return _FORMS.get((str(field.get("coerce")), str(field.get("type"))))
