"""What the pages must hold: settings, commands, statuses, the sections that code cites, an example."""

from __future__ import annotations

import re
import shlex
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import bson
import click
import pytest
from bson import json_util
from contracts import field_paths

from ccb_luigi import cli, tables
from ccb_luigi.documents.judge import Accepted, Judge
from ccb_luigi.errors import STATUSES
from ccb_luigi.settings import Settings

REPOSITORY = Path(__file__).parents[2]
READMES = ("README.md", "README.pt-BR.md")
MOVED = ("daily-life", "settings", "exit-status")
"""Told apart from the README, in both languages."""
PAGES = [
    *(REPOSITORY / name for name in READMES),
    *sorted((REPOSITORY / "docs").glob("*.md")),
    REPOSITORY / "integrations" / "airflow" / "README.md",
]
PAGE = (REPOSITORY / "docs" / "contract.md").read_text(encoding="utf-8")
EXAMPLE = json_util.loads((REPOSITORY / "docs" / "contrato-exemplo.json").read_text(encoding="utf-8"))
SOURCES = [path for room in ("ccb_luigi", "tests") for path in sorted((REPOSITORY / room).rglob("*.py"))]


def sections() -> set[str]:
    """``1``, ``3``, ``3.1``: a chapter's number, and those of its rules."""
    found = set()
    for chapter, text in re.findall(r"(?ms)^## (\d+)\. (.*?)(?=^## |\Z)", PAGE):
        found |= {chapter, *(f"{chapter}.{rule}" for rule in re.findall(r"(?m)^(\d+)\. ", text))}
    return found


def test_every_section_that_is_cited_is_on_the_page() -> None:
    cited = {
        number
        for path in SOURCES
        if path != Path(__file__)
        for number in re.findall(r"§(\d+(?:\.\d+)?)", path.read_text(encoding="utf-8"))
    }
    assert {"1", "3.1", "3.10"} <= cited <= sections()


@pytest.mark.parametrize("language", ["", ".pt-BR"])
def test_each_language_has_every_command_setting_and_status_and_leads_to_the_contract(language: str) -> None:
    daily, settings, statuses = (text_of(REPOSITORY / "docs" / f"{name}{language}.md") for name in MOVED)
    readme = text_of(REPOSITORY / f"README{language}.md")
    names = [f"CCB_{each.name.upper()}" for each in fields(Settings) if each.metadata.get("setting", True)]
    assert [name for name in names if not re.search(rf"`{name}`", settings)] == []
    told = daily + readme
    assert [name for name in cli.COMMANDS if not re.search(rf"`([\w./]*ccb-luigi )?{name}\b", told)] == []
    assert [code for code in STATUSES if not re.search(rf"(?m)^\| \[?{code}\b", statuses)] == []
    pages = ("contract.md", "contrato-exemplo.json", *(f"{p}{language}.md" for p in MOVED))
    assert [name for name in pages if f"docs/{name}" not in readme] == []


def test_the_readme_is_short_before_its_reference_begins() -> None:
    for name, heading in zip(READMES, ("## Reference", "## Referência"), strict=True):
        before, found, _ = text_of(REPOSITORY / name).partition(f"\n{heading}\n")
        assert found
        assert len(before.split()) <= 1500, name


def test_both_languages_give_the_same_commands() -> None:
    """Comments aside."""
    theirs, ours = (
        [re.sub(r" +#.*", "", block) for block in blocks(text_of(REPOSITORY / name))] for name in READMES
    )
    assert len(ours) > 6
    assert theirs == ours


def blocks(text: str) -> list[str]:
    """What is to be pasted or typed, or is shown."""
    return re.findall(r"(?ms)^```\w+\n(.*?)^```$", text)


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


_SHOWN = r"(?m)(?:^ *(?:[$#] )?|&& |\bbin/)(?:[A-Z_]+=\S+ )*ccb-luigi ([^#\n]+)"


def commands(text: str) -> set[str]:
    """Every `ccb-luigi ...` that a page names, without comments and brackets; of `list/show` the first."""
    inline = re.findall(r"`(?:[A-Z_]+=\S+ )*(?:\S*/)?ccb-luigi ([^`]+)`", text)
    shown = [line for block in blocks(text) for line in re.findall(_SHOWN, block)]
    found = {" ".join(re.split(r"&&|[;|>\\]", line)[0].split()) for line in [*inline, *shown]}
    return {re.sub(r"[\[\]]", "", line).replace("list/show", "list") for line in found} - {"..."}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_command_of_the_pages_is_one_that_there_is(page: Path) -> None:
    for line in sorted(commands(text_of(page))):
        command: click.Command = cli.main
        words = shlex.split(line)
        if words[:1] == ["-v"]:
            words = words[1:]
        while isinstance(command, click.Group) and words:
            if words[0] in ("...", "--help", "--version"):
                break
            found = command.get_command(click.Context(command), words.pop(0))
            assert found, line
            command = found
            assert command.get_help(click.Context(command))
        options = {option for param in command.params for option in param.opts} | {"--help"}
        assert {word for word in words if word.startswith("-") and word != "-"} <= options, line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", text_of(page)) + re.findall(r'src="([^"]+)"', text_of(page))
    for link in links:
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in slugs(text_of(target)), link


def slugs(text: str) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"(?m)^#+ (.+)$", text)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_example_is_a_contract_without_a_finding() -> None:
    judged = Judge(ZoneInfo("America/Sao_Paulo")).judge(bson.encode(EXAMPLE))
    assert isinstance(judged, Accepted)
    assert judged.findings == []
    assert judged.soma_prestacoes == Decimal(EXAMPLE["operation"]["TotalDoValorDasParcelas"])


def test_the_example_has_every_field_that_has_a_column() -> None:
    """By its name: what stands in a list or an object is looked for in each."""
    there = {re.sub(r"\.\d+(?=\.|$)", "", f".{path}") for path in field_paths(EXAMPLE)}
    known = {column.info["path"] for table in tables.LOADED for column in table.columns if column.info}
    assert len(known) > 60
    assert [path for path in known if not any(each.endswith(f".{path}") for each in there)] == []
