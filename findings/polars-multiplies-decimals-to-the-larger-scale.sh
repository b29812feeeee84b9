#!/usr/bin/env bash
# Polars 2.1.0: an amount times a factor has as many places as the longer of the two; the rest is gone, without a word.
#
# Guess: the product of two decimals is exact, as in PostgreSQL, DuckDB, PyArrow and Python: scales add up (2 + 2 = 4),
# and what doesn't fit raises.
# Seen: 10.05 * 0.50 is 5.02 (exact: 5.0250), 0.05 * 0.50 is 0.02: two places stay, half goes to the even digit. So the
# sum of products differs from the same query in the database by cents, in either direction. Written with four places,
# the same factor gives the exact product: what a column's type says of its factor decides about the money.
set -euo pipefail
there=$(mktemp -d)
trap 'rm -rf "$there"' EXIT
python3 -m venv "$there/venv"
"$there/venv/bin/pip" install -q --disable-pip-version-check polars==2.1.0 duckdb==2.0.1 pyarrow==26.0.1
cat >"$there/multiply.py" <<'PY'
import platform
from decimal import Decimal
from importlib.metadata import version

import duckdb
import polars
import pyarrow
import pyarrow.compute

AMOUNTS, FACTOR = [Decimal(text) for text in ("10.05", "0.05", "0.09", "18412.45")], Decimal("0.50")
exact = [amount * FACTOR for amount in AMOUNTS]


def by_polars(factor):
    amounts = polars.Series(AMOUNTS, dtype=polars.Decimal(18, 2))
    return (amounts * polars.Series([factor] * len(AMOUNTS), dtype=polars.Decimal(18, -factor.as_tuple().exponent))).to_list()


def by_duckdb(factor):
    asked = ", ".join(f"{amount}::DECIMAL(18, 2) * {factor}::DECIMAL(18, 2)" for amount in AMOUNTS)
    return [*duckdb.sql(f"SELECT {asked}").fetchall()[0]]


def by_pyarrow(factor):
    two = pyarrow.decimal128(18, 2)
    factors = pyarrow.array([factor] * len(AMOUNTS), two)
    return pyarrow.compute.multiply(pyarrow.array(AMOUNTS, two), factors).to_pylist()


print("polars", version("polars"), "on Python", platform.python_version())
seen = by_polars(FACTOR)
four = by_polars(Decimal("0.5000"))
print("  exact   ", *exact, " sum", sum(exact))
print("  polars  ", *seen, " sum", sum(seen))
print("  with four places in the factor", *four)
print("  duckdb  ", *by_duckdb(FACTOR))
print("  pyarrow ", *by_pyarrow(FACTOR))
assert by_duckdb(FACTOR) == by_pyarrow(FACTOR) == four == exact
assert seen == [Decimal("5.02"), Decimal("0.02"), Decimal("0.04"), Decimal("9206.22")]
PY
"$there/venv/bin/python" "$there/multiply.py"
