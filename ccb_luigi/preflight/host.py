"""This machine: its Python, and the directories that a night writes into."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

from ccb_luigi import NEWEST, OLDEST
from ccb_luigi.preflight.lines import Line, green, yellow
from ccb_luigi.settings import Settings

LEAST_ROOM = 1 << 30
"""Bytes: pages and metrics are small, but a full disk ends more than them."""


def python(_: Settings) -> Line:
    """One that this program has been tried with; any other it refuses by itself."""
    oldest, newest = (f"{major}.{minor}" for major, minor in (OLDEST, NEWEST))
    return green(f"{platform.python_version()}, of {oldest} to {newest} that were tried")


def directory(path: str, name: str, what: str) -> Line:
    """A directory that is there, or can be made; it is only looked at."""
    if not path:
        return green("none set")
    place = Path(path).absolute()
    there = next(each for each in (place, *place.parents) if each.exists())
    if not there.is_dir():
        return yellow(f"{there} is no directory", f"{name}: {what} can't be written")
    if not os.access(there, os.W_OK | os.X_OK):
        return yellow(f"{there} may not be written by this user", f"{name}: {what} can't be written")
    free = shutil.disk_usage(there).free
    if free < LEAST_ROOM:
        return yellow(f"{free / (1 << 20):,.0f} MB free at {there}", "make room")
    return green(f"{place} can be written" if there == place else f"{place} can be made")
