"""Lists whose items are all alike: text of a plain form in every field, which can stay text.

Two thirds of a contract are its schedule: a dozen rows of eleven short texts. Joined by tabs and newlines the
texts are, as they stand, what COPY takes; values are made of them only where somebody asks for these. A cell
that is null or missing is COPY's null.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from ccb_luigi.documents.copytext import NULL


class TextSchedule(Sequence[Any]):
    """Valid items of a list: all of them as text, and their normal forms, made when somebody looks at one.

    ``text``: a line per item, without the last newline; its fields, in the schema's order, parted by tabs.
    ``rising``: fields whose numbers rise from each item to the next; ``known``: what else its reader found.
    Ask for it by ``type(x) is TextSchedule``: an abstract class answers ``isinstance`` slowly.
    """

    def __init__(
        self,
        text: str,
        names: Sequence[str],
        read: Callable[[Any], Any],
        rising: frozenset[str] = frozenset(),
        known: Any = None,
    ) -> None:
        self.text = text
        self.rising = rising
        self.known = known
        self._names = names
        self._read = read

    @cached_property
    def _rows(self) -> list[list[str | None]]:
        cells = (line.split("\t") for line in self.text.split("\n"))
        return [[None if cell == NULL else cell for cell in row] for row in cells]

    def __len__(self) -> int:
        return self.text.count("\n") + 1

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return self._read(dict(zip(self._names, self._rows[index], strict=True)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and [*self] == [*other]

    __hash__ = None  # type: ignore[assignment]  # as a list

    def map(self, read: Callable[[Any], Any]) -> TextSchedule:
        """The same text with another meaning: what ``read`` makes of each normal form."""
        return TextSchedule(
            self.text, self._names, lambda item: read(self._read(item)), self.rising, self.known
        )
