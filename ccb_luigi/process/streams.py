"""Where the program speaks: a pipe whose reader left, a disk that is full, a terminal without our letters.

None of them is the failure of what the program does: it goes on to its end. A reader that left wanted no
more; words that a disk refused are lost, and the exit status says so.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from typing import TYPE_CHECKING, TextIO, cast

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

UNSAID = 23
"""The exit status of a command that did its work and couldn't say so."""

_NOBODY_THERE = {errno.EPIPE, errno.EIO, errno.ECONNRESET, errno.EBADF}
"""A pipe or a socket that was closed, a terminal that is gone."""


class _Enduring(io.FileIO):
    """A descriptor; once it refuses, what is written goes nowhere. ``refused``: why, if that matters."""

    refused: OSError | None = None

    def write(self, data: ReadableBuffer, /) -> int:
        """All of it, or as much as the descriptor takes."""
        while True:
            try:
                written = cast("int | None", super().write(data))
            except OSError as error:
                if error.errno not in _NOBODY_THERE:
                    self.refused = error
                self._go_nowhere()
                continue
            if written is not None:
                return written
            select.select([], [self.fileno()], [])  # somebody has made it one that doesn't wait

    def _go_nowhere(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


class _Words(io.TextIOWrapper):
    """Text, what the encoding lacks spelled out as ``\\xe3``."""

    def __init__(self, like: TextIO, raw: _Enduring) -> None:
        super().__init__(
            io.BufferedWriter(raw),
            encoding=like.encoding,
            errors="backslashreplace",
            line_buffering=getattr(like, "line_buffering", False),
            write_through=getattr(like, "write_through", False),
        )

    def __getattribute__(self, name: str) -> object:
        """Without ``buffer`` where the encoding is ASCII: click would write UTF-8 into it."""
        if name == "buffer" and self.encoding.lower() in ("ascii", "us-ascii", "ansi_x3.4-1968"):
            raise AttributeError(name)
        return super().__getattribute__(name)


_enduring: list[_Enduring] = []


def endure() -> None:
    """From here on nothing that is written to stdout or stderr raises; a closed one leads nowhere."""
    for descriptor in range(3):  # else the next connection would get its number, and our words
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        stream: TextIO | None = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
            continue
        stream.flush()
        raw = _Enduring(stream.fileno(), "wb", closefd=False)
        _enduring.append(raw)
        setattr(sys, name, _Words(stream, raw))


def speaks_utf8() -> bool:
    """Whether stdout takes every letter, as a document for other programs needs it."""
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def printable(text: str) -> str:
    """Text from outside, its unprintable characters spelled out: none moves a cursor or turns the writing."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def refused() -> OSError | None:
    """Why words were lost, if some were. All that was written is out now."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return next((raw.refused for raw in _enduring if raw.refused), None)
