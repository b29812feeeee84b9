"""A Python that nobody has tried is refused by every entry, whatever the installer let through."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from ccb_luigi import NEWEST, OLDEST
from ccb_luigi.errors import ConfigurationError

ENTRIES = {
    "ccb-luigi": "sys.argv = ['ccb-luigi', 'status']; from ccb_luigi.cli import main; main()",
    "python -m ccb_luigi": "sys.argv = ['ccb-luigi', 'status']; import ccb_luigi.__main__",
    "luigi --module": (
        "luigi.cmdline.luigi_run("
        "['--module', 'ccb_luigi.tasks', 'MigrateCCB', '--date', '2026-11-22', '--local-scheduler'])"
    ),
}


@pytest.mark.parametrize("version", [(3, 10, 19), (3, 16, 0)], ids=["3.10", "3.16"])
@pytest.mark.parametrize("entry", ENTRIES)
def test_an_untried_python_is_refused_in_one_line(entry: str, version: tuple[int, int, int]) -> None:
    # Libraries that ask for the version when they are imported are imported before it is another.
    code = f"import sys, click, luigi.cmdline; sys.version_info = (*{version}, 'final', 0); {ENTRIES[entry]}"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ended.returncode == ConfigurationError.exit_code
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert line == (
        f"ccb-luigi: Python {version[0]}.{version[1]} has not been tried with this program; 3.11 to 3.15 have"
    )


def test_installers_are_told_the_same_bounds() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    after = f"{NEWEST[0]}.{NEWEST[1] + 1}"
    assert project["requires-python"] == f">={OLDEST[0]}.{OLDEST[1]},<{after}"
