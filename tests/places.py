"""Where the tests' servers keep their files: in memory, where there is room."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from ccb_luigi.demo.servers import delete

MEMORY = Path("/dev/shm")
ROOM = 4 << 30
"""Free bytes from which on the memory is used; a process of pytest leaves a tenth of that there at most."""

PREFIX = "ccb-luigi-tests-"
_ours: list[int] = []
"""Locked as long as this process lives, so that nobody takes its directories for left ones."""


def for_servers() -> Path:
    """A new directory. Not pytest's own: PostgreSQL as `nobody` can't enter it."""
    for each in MEMORY.glob(f"{PREFIX}*"):
        if _is_left(each):
            delete(each)
    directory = Path(tempfile.mkdtemp(prefix=PREFIX, dir=MEMORY if _is_roomy() else None))
    _ours.append(os.open(directory, os.O_RDONLY))
    fcntl.flock(_ours[-1], fcntl.LOCK_EX)
    directory.chmod(0o711)
    return directory


def _is_roomy() -> bool:
    """A container's often has 64 MB, or lets no program run; PostgreSQL's may be copied beside its data."""
    if not os.access(MEMORY, os.W_OK):
        return False
    return not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC and shutil.disk_usage(MEMORY).free > ROOM


def _is_left(directory: Path) -> bool:
    """Whether it is a killed session's: only in memory is it in the way. (A new one isn't locked yet.)"""
    with suppress(OSError):
        if time.time() - directory.stat().st_mtime < 60:
            return False
        handle = os.open(directory, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        finally:
            os.close(handle)
    return False
