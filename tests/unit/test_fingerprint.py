"""A fingerprint stands for the bytes and for everything that decides what they mean."""

from __future__ import annotations

import ast
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import ccb_luigi
from ccb_luigi.codes import Strictness
from ccb_luigi.documents import fingerprint

PACKAGE = Path(ccb_luigi.__file__).parent
SAO_PAULO = ZoneInfo("America/Sao_Paulo")


def reached_from(module: str) -> set[str]:
    """The modules of the package that importing ``module`` runs, itself included; as paths."""
    found: set[str] = set()
    todo = [module]
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found.add(name)
        nodes: list[ast.AST] = [ast.parse((PACKAGE / f"{name}.py").read_text(encoding="utf-8"))]
        while nodes:
            node = nodes.pop()
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                continue
            nodes += ast.iter_child_nodes(node)
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "ccb_luigi":
                inner = Path(*(node.module or "").split(".")[1:])
                names = [str(inner), *(str(inner / alias.name) for alias in node.names)]
                todo += [name for name in names if (PACKAGE / f"{name}.py").exists()]
    return found


def test_all_code_that_makes_rows_is_part_of_the_key() -> None:
    assert set(fingerprint.RULES) == reached_from("documents/block")


def test_of_the_documents_room_only_what_makes_no_rows_is_left_out() -> None:
    room = {f"documents/{path.stem}" for path in PACKAGE.joinpath("documents").glob("*.py")}
    assert room - set(fingerprint.RULES) == {"documents/__init__", "documents/erased"}


def test_the_settings_that_decide_are_part_of_the_key() -> None:
    keys = {
        fingerprint.key(SAO_PAULO, Strictness()),
        fingerprint.key(ZoneInfo("America/Manaus"), Strictness()),
        fingerprint.key(SAO_PAULO, Strictness(frozenset({"saldo_final"}))),
        fingerprint.key(SAO_PAULO, Strictness(emission_days=31)),
    }
    assert len(keys) == 4


def test_other_code_makes_other_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.joinpath("documents", "fast").mkdir(parents=True)
    for module in fingerprint.RULES:
        (tmp_path / f"{module}.py").write_bytes((PACKAGE / f"{module}.py").read_bytes())
    monkeypatch.setattr(fingerprint, "files", lambda _: tmp_path)
    made = fingerprint.key.__wrapped__
    before = made(SAO_PAULO, Strictness())
    assert before == fingerprint.key(SAO_PAULO, Strictness())
    for module in fingerprint.RULES:
        path = tmp_path / f"{module}.py"
        code = path.read_bytes()
        path.write_bytes(code + b"#")
        assert made(SAO_PAULO, Strictness()) != before, module
        path.write_bytes(code)


def test_any_byte_and_any_rule_changes_the_fingerprint() -> None:
    marks = {fingerprint.of(raw, key) for raw in (b"a", b"b", b"ab") for key in (b"1", b"2")}
    assert len(marks) == 6
    assert all(len(mark) == 32 for mark in marks)
