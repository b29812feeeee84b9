"""Files that others read while they are written anew."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ccb_luigi.errors import CcbError
from ccb_luigi.process.files import write_whole


def test_a_file_is_replaced_as_a_whole_and_leaves_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "new" / "page.html"
    write_whole(path, b"one")
    with path.open("rb") as reader:
        write_whole(path, "two é".encode())
        assert reader.read() == b"one", "who reads it goes on reading it whole"
    assert path.read_text(encoding="utf-8") == "two é"
    assert [file.name for file in path.parent.iterdir()] == ["page.html"]


def test_a_file_that_can_not_be_written_is_one_line_and_the_old_one_stays(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CcbError, match="can't be written") as raised:
        write_whole(tmp_path / "file" / "page.html", b"")
    assert "\n" not in str(raised.value)
    path = tmp_path / "page.html"
    path.mkdir()
    (path / "kept").write_text("")
    with pytest.raises(CcbError, match="can't be written"):
        write_whole(path, b"")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "page.html"]


@pytest.mark.parametrize(("mode", "found"), [(None, 0o600), (0o644, 0o644)])
def test_the_umask_decides_who_may_read_it_unless_told_otherwise(
    tmp_path: Path, mode: int | None, found: int
) -> None:
    before = os.umask(0o077)
    try:
        write_whole(tmp_path / "a", b"", mode=mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == found
