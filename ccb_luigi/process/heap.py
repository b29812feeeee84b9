"""What becomes of freed memory: the next block of documents gets it, not the kernel."""

from __future__ import annotations

import ctypes

KEPT = 64 << 20
"""Bytes, per process: more than a block's arrays take."""

_M_TOP_PAD, _M_MMAP_THRESHOLD = -2, -3  # glibc's malloc.h


def keep_freed() -> None:
    """From here on, also in processes forked later, glibc keeps ``KEPT`` free bytes at the end of its heap.

    Else it gives them back after each block and asks for them anew, and the kernel fills each page with zeros
    first: a third of a run's page faults. Elsewhere (musl, macOS) nothing happens.
    """
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(_M_MMAP_THRESHOLD, KEPT // 2)  # what is larger isn't of the heap; glibc allows for no more
        mallopt(_M_TOP_PAD, KEPT)
