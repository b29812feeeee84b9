"""Ids that nobody should choose, as a person at a terminal meets them: every command ends as always."""

from __future__ import annotations

import json
import unicodedata

import pytest
from click.testing import CliRunner
from program import Program, yesterday
from world import at, document, rejected

from ccb_luigi.cli import main

TEXTS = [
    '{"$oid": "x"}',
    '{"$numberInt": "7"}',
    "null",
    "a\x1b[2J\x07\r\nb",
    "\u202e[red]x[/]",
    "<script>alert(1)</script>",
    "x" * 255,
]


def harmless(said: str) -> bool:
    return not any(unicodedata.category(sign) in ("Cc", "Cf") for sign in said if sign != "\n")


def test_every_command_goes_on_whatever_the_ids_in_tables_and_quarantine_are(program: Program) -> None:
    day = yesterday()
    good = [document(f"g{n}", f"G{n}", at(day), client=f"g{n}") for n in range(20)]
    odd, bad = [], []
    for n, text in enumerate(TEXTS):
        odd.append(document(f"t{n}", f"T{n}", at(day), client=f"t{n}") | {"_id": text})
        bad.append(rejected(document(f"b{n}", f"B{n}", at(day))) | {"_id": f"{text[:250]}!"})
    number = document("seven", "SEVEN", at(day)) | {"_id": 7}  # called as one of the texts is
    with program.world.collection() as collection:
        collection.insert_many([*good, *odd, *bad, number])
    program.environment["CCB_FORGET_KEY"] = "a key of these tests alone"
    said = {}
    for words in (
        ("run", "--date", day, "--workers", 1),
        ("rerun", "--date", day),
        ("sweep",),
        ("nightly",),
        ("quarantine", "list"),
        ("quarantine", "retry"),
        ("verify", "--full"),
        ("verify", "--sample", 50),
        ("verify", "--date", day),
        ("status",),
        ("forget", "t0", "--yes"),
    ):
        done = program.run(*words)
        said[" ".join(map(str, words))] = done.stdout + done.stderr
    listed = json.loads(program.run("quarantine", "list", "--json").stdout)
    names = {each["mongo_id"] for each in listed}
    assert len(names) == len(bad) + 1
    for name in names:
        said[name] = program.here("quarantine", "show", name).stdout
    assert {what for what, text in said.items() if not harmless(text)} == set()
    page = program.run("report", "--date", day, "--out", "-").stdout
    assert "<script>alert" not in page
    assert len(program.world.contracts()) == len(good) + len(odd) - 1


@pytest.mark.parametrize("words", [("quarantine", "show"), ("quarantine", "retry"), ("forget",)])
def test_bytes_that_are_no_text_are_refused_as_an_id(words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(main, [*words, "a\udcff"])
    assert done.exit_code == 2
    assert "UTF-8" in done.output
