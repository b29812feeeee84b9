"""A contract's schedule (PrevisaoDeParcela), whichever way its rows were read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import cached_property
from typing import Any, NamedTuple

from ccb_luigi.documents import copytext
from ccb_luigi.documents.rawbson import Document
from ccb_luigi.documents.rows import PARCELA_FIELDS, parcelas


class Totals(NamedTuple):
    """What a schedule's rows amount to; amounts in cents, days as the number YYYYMMDD.

    ``holds``: the rows are in order, and every rule that looks at rows alone holds on all of them.
    ``opening``: the balance before the first instalment; ``level``: what each instalment but the last pays
    without charges, where that is one amount to be judged by the Price table, else 0.
    """

    holds: bool
    due: int
    before: int
    principal: int
    interest: int
    payment: int
    first_due: int
    last_due: int
    opening: int
    level: int


ZERO = Decimal("0.00")


class Schedule:
    """Valid rows of a schedule.

    ``items``: their normal forms in the document's order, null items as ``None``. ``totals``: what they
    amount to, if that is known already. ``len``: rows, without null items.
    """

    totals: Totals | None = None

    def __init__(self, items: Sequence[Document | None]) -> None:
        self.items = items

    def indexed(self) -> list[tuple[int, Document]]:
        """(index, row) without null items, which count for the index: it is the source's own."""
        return [(index, row) for index, row in enumerate(self.items) if row is not None]

    def payments(self) -> Decimal:
        """The sum of all instalments, in reais."""
        return sum((row.get("ValorDaPrestacao") or ZERO for _, row in self.indexed()), ZERO)

    def lines(self, prefix: str) -> Iterator[str]:
        """Lines for COPY into parcelas, without newlines; ``prefix``: what each begins with."""
        rows = parcelas(row for _, row in self.indexed())
        return (prefix + line for line in copytext.lines(rows))

    def __len__(self) -> int:
        return len(self.items) - sum(item is None for item in self.items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schedule) and [*self.items] == [*other.items]

    __hash__ = None  # type: ignore[assignment]  # as a list


class TextSchedule(Schedule):
    """Rows that have stayed text, since all of it is of a plain form: what COPY takes, as it stands.

    Two thirds of a contract are its schedule: a dozen rows of eleven short texts. Values are made of them
    only where somebody asks for these. ``text``: a line per row, without the last newline; its cells, in the
    order of the columns, parted by tabs. ``read``: from a row's texts, by the names of its fields, to its
    normal form.
    """

    totals: Totals

    def __init__(self, text: str, read: Callable[[Any], Any], totals: Totals) -> None:
        self.text = text
        self.totals = totals
        self._read = read

    @cached_property
    def items(self) -> list[Document | None]:  # type: ignore[override]
        """The normal forms of the rows; made when somebody first looks at one."""
        names, null = PARCELA_FIELDS, copytext.NULL
        rows = (zip(names, line.split("\t"), strict=True) for line in self.text.split("\n"))
        return [self._read({name: None if cell == null else cell for name, cell in row}) for row in rows]

    def payments(self) -> Decimal:
        """As of any schedule."""
        return Decimal(self.totals.payment).scaleb(-2)

    def lines(self, prefix: str) -> Iterator[str]:
        """As of any schedule."""
        yield prefix + self.text.replace("\n", "\n" + prefix)

    def __len__(self) -> int:
        return self.text.count("\n") + 1


def schedule_of(document: Document) -> Schedule:
    """The schedule of a normalised document, whose rows were read value by value."""
    container = document["operation"].get("parcelas")
    return Schedule((container and container.get("PrevisaoDeParcela")) or ())
