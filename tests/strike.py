"""A signal at the n-th thing that a program does, and not at a time of the clock.

Python imports ``sitecustomize`` before the program's first line. What is counted are the calls of functions,
Python's and C's, from the moment on at which the program has taken the signals over.
"""

from __future__ import annotations

import os
from pathlib import Path

_SITECUSTOMIZE = """
import _signal, atexit, os, sys

number, nth = int(os.environ.pop("STRIKE_NUMBER")), int(os.environ.pop("STRIKE_NTH"))
counted, process = 0, os.getpid()

def heard():
    return callable(_signal.getsignal(_signal.SIGTERM))

def strike():
    global nth
    if nth and os.getpid() == process:
        nth = 0
        os.kill(process, number)

def count(frame, event, argument):
    global counted
    if event in ("call", "c_call") and (counted or heard()):
        counted += 1
        if counted == nth:
            sys.setprofile(None)
            strike()

def end():
    sys.setprofile(None)
    with open(os.environ["STRIKE_COUNTED"], "w") as file:
        file.write(str(counted))
    if nth < 0:
        strike()

atexit.register(end)  # the first that is registered is the last that is called
if nth >= 0:
    sys.setprofile(count)
"""

NEVER, AT_THE_END = 0, -1


def strike(directory: Path, number: int, nth: int, inherited: str = "") -> dict[str, str]:
    """The environment in which a program gets signal ``number`` at its ``nth`` call."""
    (directory / "sitecustomize.py").write_text(_SITECUSTOMIZE, encoding="utf-8")
    return {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(directory), inherited])),
        "STRIKE_NUMBER": str(int(number)),
        "STRIKE_NTH": str(nth),
        "STRIKE_COUNTED": str(directory / "counted"),
    }


def counted(directory: Path) -> int:
    """How many calls the last program in this directory made, if it came to its end."""
    return int((directory / "counted").read_text(encoding="utf-8"))
