"""What the demo says at its end."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from rich.text import Text

from ccb_luigi.demo.show import where_next

DAY = date(2026, 3, 2)


def said(directory: Path) -> str:
    return Text.from_markup(where_next(directory, DAY)).plain


def test_the_demo_s_last_box_names_the_directory_that_it_was_given() -> None:
    usual = said(Path(".demo"))
    assert usual.startswith("The data stay in .demo/;")
    assert "ln -s" not in usual
    other = said(Path("/srv/a[red]b"))
    assert other.startswith("The data stay in /srv/a[red]b/;")
    assert "ln -s /srv/a[red]b .demo " in other
    assert f"rerun --date {DAY}" in other
