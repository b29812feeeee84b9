"""The tests' servers leave nothing in the memory for long, however their session ended."""

from __future__ import annotations

import os
from pathlib import Path

import places
import pytest


def test_what_a_killed_session_left_goes_and_what_a_living_one_uses_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "MEMORY", tmp_path)
    monkeypatch.setattr(places, "_is_roomy", lambda: True)
    left, new, others = (tmp_path / name for name in ("ccb-luigi-tests-x", "ccb-luigi-tests-y", "another"))
    ours = places.for_servers()
    for each in (left, new, others):
        each.mkdir()
        (each / "file").touch()
    for each in (ours, left, others):
        os.utime(each, (0, 0))
    more = places.for_servers()
    assert {*tmp_path.iterdir()} == {ours, more, new, others}
