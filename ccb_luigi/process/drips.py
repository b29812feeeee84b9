"""Reading what a peer says within a total limit, however it spreads its bytes.

A socket's own limit begins anew with each byte that comes: who sends one now and then is never late.
"""

from __future__ import annotations

import io
import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class Drips(io.RawIOBase):
    """What comes from ``sock`` until ``until`` (of the monotonic clock); whoever reads later is told so."""

    def __init__(self, sock: socket.socket, until: float) -> None:
        super().__init__()
        self.until = until
        self._socket = sock
        self._file = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int | None:
        """What there is, at least a byte; nothing at the end.

        Raises:
            TimeoutError: the time is over.
        """
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._socket.settimeout(left)
        return self._file.readinto(buffer)

    def close(self) -> None:
        """Ends the reading; the socket ends with its last reader."""
        self._file.close()
        super().close()
