"""What the pages must hold: settings, commands, statuses, the sections that code cites, an example."""

from __future__ import annotations

import re
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import bson
import pytest
from bson import json_util
from contracts import field_paths

from ccb_luigi import cli, tables
from ccb_luigi.documents.judge import Accepted, Judge
from ccb_luigi.errors import STATUSES
from ccb_luigi.settings import Settings

REPOSITORY = Path(__file__).parents[2]
READMES = ("README.md", "README.pt-BR.md")
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


@pytest.mark.parametrize("readme", READMES)
def test_each_readme_has_every_command_setting_and_status_and_leads_to_the_contract(readme: str) -> None:
    text = (REPOSITORY / readme).read_text(encoding="utf-8")
    settings = [f"CCB_{each.name.upper()}" for each in fields(Settings)]
    assert [name for name in settings if not re.search(rf"`{name}`", text)] == []
    assert [name for name in cli.COMMANDS if not re.search(rf"`(ccb-luigi )?{name}\b", text)] == []
    assert [code for code in STATUSES if not re.search(rf"(?m)^\| {code} \|", text)] == []
    assert [name for name in ("contract.md", "contrato-exemplo.json") if f"docs/{name}" not in text] == []


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
