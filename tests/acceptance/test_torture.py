"""Thirty kills of the real thing, and every table compared after each. ``make torture`` does a thousand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TORTURE = Path(__file__).parents[1] / "torture.py"
SEED = 20261123
"""The same thirty rounds in every CI; by hand each run takes a seed of its own."""


# Two minutes on a quiet machine; a busy one may take what it needs.
@pytest.mark.timeout(900)
def test_thirty_kills_of_processes_and_servers_lose_nothing_and_load_nothing_twice() -> None:
    done = subprocess.run(
        [sys.executable, TORTURE, "--rounds", "30", "--small", "--seed", str(SEED), "-v"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, [TORTURE.parents[1], TORTURE.parent]))},
        capture_output=True,
        text=True,
        timeout=840,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rows lost 0, rows twice or too much 0, failed rounds 0" in done.stdout
    kills = re.search(r"^(\d+) kills in .*, (\d+) comparisons", done.stdout, re.MULTILINE)
    assert kills, done.stdout
    assert int(kills[1]) >= 30
    assert int(kills[2]) == 30
