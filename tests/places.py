"""Where the tests' servers keep their files: in memory, where there is room."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM = 4 << 30
"""Free bytes from which on the memory is used; a process of pytest leaves a tenth of that there at most."""


def for_servers() -> Path:
    """A new directory. Not pytest's own: PostgreSQL as `nobody` can't enter it."""
    directory = Path(tempfile.mkdtemp(prefix="ccb-luigi-", dir=MEMORY if _is_roomy() else None))
    directory.chmod(0o711)
    return directory


def _is_roomy() -> bool:
    """A container's often has 64 MB, or lets no program run; PostgreSQL's may be copied beside its data."""
    if not os.access(MEMORY, os.W_OK):
        return False
    return not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC and shutil.disk_usage(MEMORY).free > ROOM
