"""The demo ends well, with SecantusDB and where Python has none: the same contracts, the same tables."""

from __future__ import annotations

import gzip
import io
import re
from collections.abc import Iterator
from pathlib import Path

import bson
import places
import pytest
from click.testing import CliRunner
from rich.console import Console
from world import D1, D2, at, document

from ccb_luigi.cli import main
from ccb_luigi.demo import show, store
from ccb_luigi.demo.servers import delete

CONTRACTS = 100


@pytest.fixture
def directory() -> Iterator[Path]:
    found = places.for_servers()
    yield found
    delete(found)


def said(directory: Path) -> str:
    told = io.StringIO()
    assert show.run(directory, CONTRACTS, Console(file=told, width=100)) == 0
    return told.getvalue()


def test_the_demo_from_a_dump_shows_what_the_one_with_mongodb_shows(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(show, "DAYS", 3)
    monkeypatch.setenv("CCB_WORKERS", "1")  # what has no time counts with the date that meets it first
    with_mongo = said(directory) if store.has_mongo() else None
    monkeypatch.setattr(store, "has_mongo", lambda: False)
    from_a_dump = said(directory)
    assert "come from a dump" in from_a_dump
    assert "not one row version differs" in from_a_dump
    assert re.search(r"contract \S+: (\d+) parcelas before, (\d+) now", from_a_dump)
    assert from_a_dump.count("equal") == 3
    if with_mongo:
        assert _results(from_a_dump.replace("the dump file", "MongoDB")) == _results(with_mongo)


def test_a_dump_of_one_s_own_is_shown_with_what_became_of_it_and_stays_where_it_is(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    documents = [bson.encode(document(f"{n}", f"C{n}", at(D1, hour=n), client="a")) for n in (3, 4, 5)]
    documents.append(bson.encode(document("late", "L", at(D2))))
    documents.append(bson.encode(document("odd", "O", at(D1)) | {"taxId": "no number"}))
    dump = tmp_path / "theirs.bson.gz"
    dump.write_bytes(gzip.compress(b"".join(documents)))
    ends = {}
    for words in (
        ["demo", "--directory", directory, "--source", "theirs.bson.gz"],
        ["quarantine", "show", "odd"],
        ["verify", "--full"],
    ):
        if words[0] != "demo" and not Path(".demo").exists():
            Path(".demo").symlink_to(directory)
        ends[words[0]] = CliRunner().invoke(main, [*map(str, words)], prog_name="ccb-luigi")
    for name, ended in ends.items():
        assert ended.exit_code == 0, (name, ended.output)
    told = ends["demo"].stdout
    assert re.search(r"(?m)^date .*\n2026-03-02 +4 +3 .* 1 ok", told)  # read, loaded, in quarantine
    assert re.search(r"2026-03-03 .* so far", told)
    assert "verify --full" in told
    assert "taxId" in ends["quarantine"].stdout
    assert "4 contracts and 2 clients compared" in ends["verify"].stdout
    assert bson.decode_all(gzip.decompress(dump.read_bytes())) == [*map(bson.decode, documents)]
    missing = CliRunner().invoke(main, ["demo", "--directory", str(directory), "--source", "none.bson"])
    assert missing.exit_code == 2
    assert CliRunner().invoke(main, ["status"]).exit_code == 0  # it deleted nothing


def _results(told: str) -> list[str]:
    """From the first step on, but for what the start of the servers says; rows of the quarantine in order."""
    return sorted(told[told.index("1. A schema") :].splitlines())
