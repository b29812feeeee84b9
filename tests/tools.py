"""The real tools, from Debian's packages, that some tests ask."""

from __future__ import annotations

import shutil

import pytest


def needs(*tools: str) -> pytest.MarkDecorator:
    """Skips where a tool is missing: ``tests/install-tools`` installs them all, and CI accepts no skip."""
    missing = [tool for tool in tools if shutil.which(tool) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")
