"""A terminal of a given width, and what a person would see on it at the end."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

LINES = 50
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>()][0-9A-Za-z]?")


class Screen(NamedTuple):
    """What was written to a terminal, and the exit status."""

    raw: str
    status: int

    @property
    def lines(self) -> list[str]:
        """The lines that stay, without colours: what a progress bar drew and took back is not among them."""
        return _rendered(self.raw)

    @property
    def coloured(self) -> bool:
        """Whether anything has a colour; bold is none."""
        return re.search(r"\x1b\[(\d+;)*(3|9)\d[;m]", self.raw) is not None

    @property
    def text(self) -> str:
        """All that was ever written, without the commands to the terminal."""
        return CONTROL.sub("", self.raw)


def on_terminal(
    words: Sequence[object], columns: int, environment: Mapping[str, str], directory: Path
) -> Screen:
    """Runs a command whose three streams are a terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, columns, 0, 0))
    process = subprocess.Popen(
        [str(word) for word in words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=directory,
        env={**environment, "TERM": "xterm-256color"},
        start_new_session=True,
    )
    os.close(theirs)
    written = bytearray()
    while True:
        try:
            block = os.read(ours, 65536)
        except OSError:  # the last one has closed it
            break
        if not block:
            break
        written += block
    os.close(ours)
    return Screen(written.decode(), process.wait())


def _rendered(raw: str) -> list[str]:
    """What a terminal makes of it: enough of its language for what rich writes."""
    lines, row, column = [""], 0, 0
    position = 0
    while position < len(raw):
        found = CONTROL.match(raw, position)
        if found:
            position = found.end()
            code, number = found[0][-1], int(re.sub(r"\D", "", found[0]) or 1)
            if code == "A":
                row = max(0, row - number)
            elif code == "K":  # rich erases whole lines
                lines[row] = ""
            continue
        sign = raw[position]
        position += 1
        if sign == "\r":
            column = 0
        elif sign == "\n":
            row, column = row + 1, 0
            if row == len(lines):
                lines.append("")
        else:
            lines[row] = lines[row][:column].ljust(column) + sign + lines[row][column + 1 :]
            column += 1
    return [line.rstrip() for line in lines]
