"""What a check says: a colour, what was found, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """From nothing to do to what fails the night. Grey is never taken for green."""

    GREEN = "green"
    GREY = "grey"
    """Not known: it could not be asked."""
    YELLOW = "yellow"
    """The night goes on, but not as it should."""
    RED = "red"
    """The night would fail, or be a lie."""


@dataclass(frozen=True, slots=True)
class Line:
    """One finding; ``do``: what to do, in words or as the very command."""

    level: Level
    said: str
    do: str = ""
    needs: str = ""
    """The check that kept this one from being asked."""


def green(said: str) -> Line:
    """As it should be."""
    return Line(Level.GREEN, said)


def grey(said: str, do: str = "") -> Line:
    """It could not be asked."""
    return Line(Level.GREY, f"not known: {said}", do)


def yellow(said: str, do: str) -> Line:
    """The night goes on without it."""
    return Line(Level.YELLOW, said, do)


def red(said: str, do: str) -> Line:
    """The night doesn't."""
    return Line(Level.RED, said, do)


def some(names: Sequence[str], most: int = 5) -> str:
    """A few of the names, and how many more there are."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def worst(lines: Iterable[Line]) -> Level:
    """The level of all of them together."""
    order = list(Level)
    return max((line.level for line in lines), key=order.index, default=Level.GREEN)
