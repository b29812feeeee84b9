"""Files that others read while they are written anew."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from ccb_luigi.errors import CcbError


def write_whole(path: Path, content: bytes, *, mode: int | None = None) -> None:
    """Replaces the file as a whole, or not at all. ``mode``: its rights, whatever the umask.

    Raises:
        CcbError: it can't be written there; what was there stays.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")  # not *.prom, which node_exporter would read
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise CcbError(f"{path} can't be written: {error.strerror}") from None
