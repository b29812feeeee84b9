"""What errors say of a server that doesn't answer, and where one reads on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ccb_luigi.errors import SourceError, unreachable, words_of
from ccb_luigi.settings import Settings


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ('connection to server at "h", port 1 failed: Connection refused', "nothing listens at its address"),
        ("h:1: [Errno 111] Connection refused (configured timeouts: connectTimeoutMS: 2.0ms)", "refused"),
        ("h:1: timed out (configured timeouts: connectTimeoutMS: 2.0ms)", "no answer in time"),
        ('connection to server at "h", port 1 failed: timeout expired', "no answer in time"),
        ('connection to server at "h", port 1 failed: No route to host', "no way leads to its address"),
        ("FATAL:  the database system is starting up", "it is starting, or stopping"),
        ("FATAL:  could not write init file: No space left on device", "the server's disk is full"),
    ],
)
def test_why_a_server_can_not_be_reached_is_told_in_words_of_ours(said: str, why: str) -> None:
    found = unreachable("PostgreSQL", said)
    assert found.startswith("PostgreSQL can't be reached: ")
    assert why in found


def test_what_the_driver_says_is_never_repeated() -> None:
    assert (
        unreachable("MongoDB", "Ana Canária: closed") == "MongoDB can't be reached, or the connection broke"
    )


def test_the_runbook_is_a_whole_path_where_it_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Settings().runbook(13) == "docs/runbook.md#exit-code-13"
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "runbook.md").touch()
    assert Settings().runbook(13) == f"{tmp_path}/docs/runbook.md#exit-code-13"
    wiki = Settings(runbook_url="https://wiki.example.com/runbook")
    assert wiki.runbook(13) == "https://wiki.example.com/runbook#exit-code-13"
    assert wiki.runbook(99) == wiki.runbook(None) == "https://wiki.example.com/runbook"


def test_an_error_in_one_line_is_ours_as_it_is_and_of_any_other_only_kind_and_place() -> None:
    found = []
    for error in (SourceError("the dump ends in the middle"), ValueError("TOPSECRET")):
        try:
            raise error
        except (SourceError, ValueError) as caught:
            found.append(words_of(caught))
    ours, other = found
    assert ours == "the dump ends in the middle"
    assert re.fullmatch(r"unexpected ValueError in test_\w+, line \d+", other)
