"""The circuit breaker's rule, told once more in other words."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccb_luigi.load import breaker


@pytest.mark.parametrize(
    ("read", "rejected", "trips"),
    [
        (40, 40, True),
        (10, 6, True),
        (10, 5, False),  # half, not more
        (9, 9, False),  # too few to say
        (100, 50, False),
        (100, 51, True),
        (1019, 51, True),
        (1020, 51, False),  # the share itself
        (2000, 50, False),
        (0, 0, False),
    ],
)
def test_a_flood_is_more_than_fifty_or_more_than_half_of_ten_or_more(
    read: int, rejected: int, trips: bool
) -> None:
    assert breaker.tripped(read, rejected, 0.05) is trips
    assert not breaker.tripped(read, rejected, 1)


@given(st.data(), st.integers(0, 5000), st.sampled_from(["0", "0.05", "0.5", "0.9", "0.99", "1"]))
def test_it_trips_by_the_contracts_words(data: st.DataObject, read: int, share: str) -> None:
    rejected = data.draw(st.integers(0, read))
    part = Fraction(rejected, read) if read else Fraction(0)
    wanted = (
        share != "1" and part > Fraction(share) and (rejected > 50 or (read > 9 and part > Fraction(1, 2)))
    )
    if part != Fraction(share):  # where a float may lie on either side
        assert breaker.tripped(read, rejected, float(share)) is wanted
    assert breaker.tripped_in_part(read, rejected, float(share)) <= breaker.tripped(
        read, rejected, float(share)
    )
    if breaker.tripped(read, rejected, float(share)):
        assert rejected >= breaker.FEWEST
