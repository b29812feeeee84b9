"""The morning page, from the command line and from the timer's command."""

from __future__ import annotations

from pathlib import Path

from program import Program, yesterday
from world import D1, D2, at, document, rejected


def test_report_writes_the_dates_page_and_says_how_it_went(program: Program) -> None:
    program.world.put(document("a", "A", at(D1)), rejected(document("b<i>", "B", at(D1), client="c2")))
    program.world.migrate(D1)
    done = program.run("report", "--date", D1)
    name = f"ccb-{D1}.html"
    assert done.stdout.startswith("Of 2 Mar 2026: 2 read, 1 in the tables, 1 rejected; proven. One rejected")
    assert done.stdout.rstrip().endswith(name)
    html = (program.directory / name).read_text(encoding="utf-8")
    assert "Um documento rejeitado" in html
    assert "b&lt;i&gt;" in html
    assert "<i>" not in html
    assert not (program.directory / "ultimo.html").exists(), "that one is the night's"


def test_report_goes_where_it_is_told(program: Program) -> None:
    program.run("report", "--date", D2, "--out", "deep/page.html", "--lang", "en")
    html = (program.directory / "deep" / "page.html").read_text(encoding="utf-8")
    assert '<html lang="en">' in html
    assert "Nothing has been migrated yet." in html
    done = program.run("report", "--date", D2, "--out", "-", CCB_REPORT_DIR="unused")
    assert done.stdout.startswith("<!DOCTYPE html>")
    assert not (program.directory / "unused").exists()
    program.run("report", "--date", D2, CCB_REPORT_DIR="pages")
    assert [file.name for file in (program.directory / "pages").iterdir()] == [f"ccb-{D2}.html"]


def test_a_report_that_can_not_be_written_is_one_line(program: Program) -> None:
    (program.directory / "file").write_text("")
    done = program.run("report", "--out", "file/page.html", status=1)
    assert done.stderr.count("\n") == 1
    assert "file/page.html can't be written" in done.stderr


def test_nightly_leaves_the_page_and_the_same_as_the_latest(program: Program) -> None:
    day = yesterday()
    program.world.put(document("a", "A", at(day)))
    program.run("nightly", CCB_NIGHTLY_DAYS="1", CCB_REPORT_DIR="pages")
    pages = program.directory / "pages"
    assert sorted(file.name for file in pages.iterdir()) == [f"ccb-{day}.html", "ultimo.html"]
    assert "Tudo certo" in (pages / "ultimo.html").read_text(encoding="utf-8")


def test_a_night_that_fails_keeps_its_status_and_the_page_tells_the_reason(program: Program) -> None:
    program.run(
        "nightly",
        status=15,
        CCB_NIGHTLY_DAYS="1",
        CCB_REPORT_DIR="pages",
        CCB_SOURCE="missing.bson",
    )
    html = (program.directory / "pages" / "ultimo.html").read_text(encoding="utf-8")
    assert "Nada foi migrado ainda." in html
    assert "Uma configuração falta ou está errada. Corrigir a configuração" in html
    assert '<q lang="en">CCB_SOURCE' in html


def test_a_night_without_a_database_does_not_leave_the_last_good_page(program: Program) -> None:
    pages = program.directory / "pages"
    pages.mkdir()
    (pages / "ultimo.html").write_text("Tudo certo")
    program.run(
        "nightly",
        status=14,
        CCB_REPORT_DIR="pages",
        CCB_POSTGRES_URL="postgresql://127.0.0.1:1/x",
        CCB_RETRY_SECONDS="0.2",
    )
    html = (pages / "ultimo.html").read_text(encoding="utf-8")
    assert "A noite parou antes de terminar." in html
    assert "PostgreSQL can&#39;t be reached" in html


def test_a_page_that_can_not_be_written_does_not_fail_the_night(program: Program) -> None:
    Path(program.directory / "file").write_text("")
    program.world.put(document("a", "A", at(D1)))
    done = program.run("nightly", CCB_NIGHTLY_DAYS="1", CCB_REPORT_DIR="file/pages")
    assert "1 of 1 dates complete" in done.stdout
    lines = done.stderr.splitlines()
    assert lines
    assert all(line.startswith("ccb-luigi: the morning page was not written: ") for line in lines)
