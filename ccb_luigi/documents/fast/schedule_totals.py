"""What schedules amount to: many contracts' rows added up, and held against the rules, as whole columns."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ccb_luigi.documents.fast.raw_columns import Positions
from ccb_luigi.documents.findings import CHARGES, FEWEST_LEVEL, ROW_AMOUNTS
from ccb_luigi.documents.schedule import Totals

Numbers = NDArray[np.int64]

_PARTS = ("ValorDaAmortizacao", "ValorDoJuros", "ValorDaPrestacao")
_JUDGED = {"ValorDaAmortizacao", "ValorDoSaldoAnterior", "ValorDoSaldoAtual"}
"""Without one of these a row isn't held against the rules."""


class Table(NamedTuple):
    """The rows of several schedules, one schedule after the other, as columns.

    ``columns``: name → whole numbers; of amounts the cents, of days year, month and day as one number.
    ``begins``: where each schedule begins; none is empty. ``missing``: name → which rows have no value there,
    but a zero in ``columns``; only of columns where some have none.
    """

    columns: dict[str, Numbers]
    begins: Positions
    missing: dict[str, NDArray[np.bool_]]


def totals(table: Table) -> list[Totals]:
    """The schedules of many contracts: the rules of ``findings`` on a schedule, on whole columns at once."""
    columns, begins = table.columns, table.begins  # begins[k]: the first row of schedule k
    number, day = columns["NumeroDaParcela"], columns["DataDeVencimento"]
    before, after = columns["ValorDoSaldoAnterior"], columns["ValorDoSaldoAtual"]
    principal, interest, payment = (columns[name] for name in _PARTS)
    charges = sum(columns[name] for name in CHARGES)
    first = np.zeros(len(number), bool)  # which rows begin a schedule
    first[begins] = True
    is_due = number >= 1  # number 0 is the grace period's row
    holds = after == before + interest + charges - payment
    holds &= ~is_due | (payment == principal + interest + charges)
    # Row k + 1 goes on where row k ended, unless it begins another schedule.
    follows = (before[1:] == after[:-1]) & (number[1:] == number[:-1] + 1) & (day[1:] > day[:-1])
    holds[1:] &= first[1:] | follows
    for name in ROW_AMOUNTS:
        holds &= columns[name] >= 0
    holds[begins] &= number[begins] <= 1
    ends = np.append(begins[1:], len(number)) - 1  # the last row of each schedule
    holds[ends] &= (after[ends] == 0) & is_due[ends]
    for name in _JUDGED & table.missing.keys():  # a charge or interest that is missing counts as zero
        holds &= ~table.missing[name]
    # The first row, or the one after the grace period's (the last one, where there is no other).
    first_due = np.minimum(begins + ~is_due[begins], ends)
    due = np.add.reduceat(is_due.astype(np.int64), begins)
    fixed = payment - charges
    unlike = is_due & (fixed != np.repeat(fixed[first_due], ends - begins + 1))
    unlike[ends] = False  # what rounding leaves over may go to the last instalment
    is_level = ~np.logical_or.reduceat(unlike, begins) & (due >= FEWEST_LEVEL) & (principal[first_due] > 0)
    facts = (
        np.logical_and.reduceat(holds, begins),
        due,
        before[begins],
        *(np.add.reduceat(amounts, begins) for amounts in (principal, interest, payment)),
        day[first_due],
        day[ends],
        before[first_due],
        np.where(is_level, fixed[first_due], 0),
    )
    return [*map(Totals, *(fact.tolist() for fact in facts))]
