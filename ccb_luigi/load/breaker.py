"""The circuit breaker: from how many rejected documents on a date isn't loaded (contract §3.9)."""

from __future__ import annotations

MANY = 50
"""More rejected documents than these are a flood wherever they are more than the set share ..."""

OF_FEW = 10
"""... and of at least so many documents more than half of them: a small lender's flood is a flood."""

FEWEST = OF_FEW // 2 + 1
"""The smallest flood."""


def tripped(read: int, rejected: int, share: float) -> bool:
    """Whether so many rejected documents of those read are too many."""
    flood = rejected > MANY or (read >= OF_FEW and 2 * rejected > read)
    return share < 1 and flood and rejected > share * read


def tripped_in_part(read: int, rejected: int, share: float) -> bool:
    """The same for a part of a date: half of ten documents is no flood if hundreds follow."""
    return rejected > MANY and tripped(read, rejected, share)
