"""What people see in a terminal, and what scripts get in its place."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from program import BIN, REPOSITORY, Program
from terminal import Screen, on_terminal
from world import D1, D2, EIGHT, at, document, rejected

OBJECT_ID = "6ab146293205a8ead9d59b06"  # most `_id` are as long
LONGEST_CODE = "tipo_pessoa_invalido"
DOCUMENTED = (REPOSITORY / "docs" / "terminal.md").read_text(encoding="utf-8")


@pytest.fixture
def program(program: Program) -> Program:
    """One date with a good contract, one without a taxId and one whose type is nothing known."""
    strange = document(OBJECT_ID, "C", at(D1)) | {"type": "XX"}
    program.world.put(document("a", "A", at(D1)), rejected(document("b", "B", at(D1))), strange)
    return program


@pytest.fixture
def see(program: Program) -> Callable[..., Screen]:
    """``see(80, "status")``: what a terminal of 80 columns shows."""

    def see(columns: int, *words: object, **environment: str) -> Screen:
        command = [BIN / "ccb-luigi", *words]
        return on_terminal(command, columns, program.environment | environment, program.directory)

    return see


def test_a_run_draws_a_bar_and_leaves_a_line_per_date(see: Callable[..., Screen]) -> None:
    seen = see(80, "run", "--since", D1, "--until", D2)
    assert seen.status == 0
    assert "0/20 steps" in seen.text
    assert "20/20 steps" in seen.text
    assert seen.coloured
    assert [line for line in seen.lines if line] == [
        f"{D1}  done  3 read, 1 loaded, 2 rejected; proven",
        f"{D2}  done  0 read, 0 loaded, 0 rejected; proven",
        f"2 of 2 dates complete: {D1} to {D2}",
        "rows new: clientes 1, identidades 2, enderecos 1, contatos 3, dados_bancarios 1,",
        "  operacoes 1, parcelas 3, detalhamento_cet 1",
    ]


def test_tables_fit_the_terminal_and_lose_nothing_that_counts(
    program: Program, see: Callable[..., Screen]
) -> None:
    program.world.migrate(D1)
    for width in (60, 80, 200):
        status = see(width, "status", "--until", D2, "--days", 2)
        assert status.coloured
        (verdict, rejected, head, first, second, held, *_) = status.lines
        assert verdict == "3 Mar 2026 has not been migrated."
        assert rejected == "2 rejected documents wait to be corrected at the source."
        assert head.split()[0] == "date"
        assert head.split()[-2:] == ["quar", "proof"]
        assert first.split()[:2] == [str(D1), "3"]
        assert first.split()[-2:] == ["2", "ok"]
        assert second.split()[-2:] == ["0", "-"]
        assert held.startswith("rows in the tables: clientes 1, " if width == 60 else "in tables "), held
        assert any(line.startswith("1 of 2 dates complete") for line in status.lines)
        told = [line for line in status.lines if line]
        commands = [f"run --date {D2}", "quarantine list"]
        assert told[-2:] == [f"what to do: ccb-luigi {each}" for each in commands]
        assert len(head.split()) == (5 if width == 60 else 12)

        listed = see(width, "quarantine", "list")
        (row,) = [line.split() for line in listed.lines if line.startswith(OBJECT_ID)]
        assert row[:3] == [OBJECT_ID, str(D1), LONGEST_CODE]
        assert any(line.strip().startswith("ausente: ") for line in listed.lines)

        for screen in (status, listed):
            tables = [line for line in screen.lines if not line.startswith("  ")]
            assert max(map(len, tables)) <= width
            assert "…" not in screen.raw
    shown = see(60, "quarantine", "show", OBJECT_ID)
    assert shown.lines[:2] == [f"_id    {OBJECT_ID}", f"date   {D1}"]
    assert ", tried once" in shown.lines[2]


def test_colours_are_for_terminals_alone(program: Program, see: Callable[..., Screen]) -> None:
    program.world.migrate(D1)
    on_screen = see(80, "status", "--until", D1)
    without = see(80, "status", "--until", D1, NO_COLOR="1")
    piped = program.run("status", "--until", D1).stdout
    assert on_screen.coloured
    assert not without.coloured
    assert "\x1b" not in piped
    assert without.lines == on_screen.lines
    assert "\n".join(without.lines) == "\n".join(line.rstrip() for line in piped.split("\n"))


def test_a_person_is_told_within_seconds_what_is_away_and_how_to_wait_longer(
    program: Program, see: Callable[..., Screen]
) -> None:
    del program.environment["CCB_RETRY_SECONDS"]
    for status, words, away in (
        (14, ("status",), {"CCB_POSTGRES_URL": "postgresql://127.0.0.1:1/x"}),
        (13, ("run", "--since", D1, "--until", D2), {"CCB_MONGO_URI": "mongodb://127.0.0.1:1/"}),
    ):
        seen = see(200, *words, **away)
        assert seen.status == status
        assert seen.text.count("can't be reached") == (2 if status == 14 else 1)
        assert [line for line in seen.lines if line][-1].endswith("; `--wait 60` tries for a minute")
    seen = see(200, "status", "--wait", "0.1", CCB_POSTGRES_URL="postgresql://127.0.0.1:1/x")
    assert "; trying again for 0.1 s" in seen.text
    assert "--wait" not in seen.text


# Of each document: where in it the fields are that it is documented with.
JSON: dict[tuple[str, ...], Callable[[Any], dict[str, Any]]] = {
    ("status", "--until", str(D1), "--days", "2"): lambda found: found[-1],
    ("quarantine", "list"): lambda found: found[0],
    ("quarantine", "show", OBJECT_ID): lambda found: found,
    ("verify", "--date", str(D1)): lambda found: found,
    ("sweep",): lambda found: found,
    ("report", "--date", str(D1)): lambda found: found,
}


def test_a_script_gets_one_json_document_with_documented_fields_and_nothing_else(program: Program) -> None:
    program.world.migrate(D1)
    found = {}
    for words, fields_of in JSON.items():
        done = program.run(*words, "--json")
        assert done.stderr == ""
        assert done.stdout.count("\n") == 1
        found[words[:2]] = document = json.loads(done.stdout)
        (documented,) = re.findall(rf"(?ms)^- `{said(words)} --json`: (.*?)\s\(", DOCUMENTED)
        names = re.findall(r"\w+", documented)
        assert list(fields_of(document)) == names, words
    (day,) = [day for day in found["status", "--until"] if day["day"] == str(D1)]
    assert day["rows"] == {"contratos": 3, "reconciliacoes": 3} | {
        table: program.world.one(f"SELECT count(*) FROM {table}") for table in EIGHT
    }
    of_code = json.loads(program.run("quarantine", "list", "--code", LONGEST_CODE, "--json").stdout)
    assert of_code == [found["quarantine", "show"]]
    shown = found["quarantine", "show"]
    assert (shown["mongo_id"], shown["codigos"], shown["tentativas"]) == (OBJECT_ID, [LONGEST_CODE], 1)
    assert datetime.fromisoformat(shown["primeira_vez"]).utcoffset() is not None
    assert (found["verify", "--date"]["ok"], found[("sweep",)]["ainda_em_quarentena"]) == (True, 2)
    report = found["report", "--date"]
    assert (report["level"], report["open_rejections"], report["dates"][-1]["missing"]) == (
        "attention",
        2,
        [],
    )


def said(words: tuple[str, ...]) -> str:
    """The command alone, as the documentation names it."""
    return " ".join(word for word in words[:2] if not word.startswith("-"))


def test_an_error_leaves_no_half_of_a_document(program: Program) -> None:
    done = program.run("quarantine", "show", "nobody", "--json", status=1)
    assert done.stdout == ""
    assert done.stderr == (
        "ccb-luigi: no open rejection of _id nobody: `ccb-luigi quarantine list` shows those there are\n"
    )


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("ccb-luigi re", ["report", "rerun"]),
        ("ccb-luigi rerun --t", ["--table", "--thorough"]),
        ("ccb-luigi rerun --table op", ["operacoes"]),
        ("ccb-luigi rerun --table ", list(EIGHT)),
        ("ccb-luigi quarantine list --code parcela", ["parcela_negativa", "parcela_repetida"]),
        ("ccb-luigi report --lang ", ["pt", "en"]),
        ("ccb-luigi run --date 20", []),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bash_completes_what_is_typed(typed: str, offered: list[str], tmp_path: Path) -> None:
    if "--date" in typed:  # not where tests are collected: a midnight may come before this one runs
        offered = [str(datetime.now().date() - timedelta(days=n)) for n in range(1, 32)]
    words = typed.split(" ")
    script = f"""
        source <(_CCB_LUIGI_COMPLETE=bash_source ccb-luigi)
        complete -p ccb-luigi | grep -q _ccb_luigi_completion || exit 1
        COMP_WORDS=({" ".join(repr(word) for word in words)}) COMP_CWORD={len(words) - 1}
        _ccb_luigi_completion ccb-luigi {words[-1]!r} {words[-2]!r}
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    environment = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert done.stdout.split() == offered
