"""Nightly migration of CCBs from MongoDB into eight PostgreSQL tables."""

import sys

__version__ = "0.1.0"

OLDEST, NEWEST = (3, 11), (3, 15)
"""The Pythons that this program has been tried with."""


def _refuse_untried_python() -> None:
    """Ends the process with one line and the status of a wrong setting, before anything else is imported.

    uv ignores the upper bound of ``requires-python``, pip has to be told to ignore Luigi's: the program
    would start, and on a Python that nobody has tried its exit status may be a lie.
    """
    running = sys.version_info[:2]
    if not OLDEST <= running <= NEWEST:
        oldest, newest, this = (f"{major}.{minor}" for major, minor in (OLDEST, NEWEST, running))
        sys.stderr.write(
            f"ccb-luigi: Python {this} has not been tried with this program; {oldest} to {newest} have\n"
        )
        sys.exit(15)


_refuse_untried_python()
