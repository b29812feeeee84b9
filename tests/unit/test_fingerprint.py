"""A fingerprint stands for the bytes and for everything that decides what they mean."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable
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
                names += [f"{name}/__init__" for name in names]  # to enter a room may bring others
                todo += [name for name in names if (PACKAGE / f"{name}.py").exists()]
    return {name for name in found if not name.endswith("__init__")}


def test_all_code_that_makes_rows_is_part_of_the_key() -> None:
    said = {path.removesuffix(".py") for path in fingerprint.modules() if not path.endswith("__init__.py")}
    assert said == reached_from("documents/block") - {"dictionary"}, "which is comments alone"


def test_of_the_documents_room_only_what_makes_no_rows_is_left_out() -> None:
    room = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.joinpath("documents").rglob("*.py")}
    assert room - set(fingerprint.modules()) == {"documents/erased.py"}


def test_the_settings_that_decide_are_part_of_the_key() -> None:
    keys = {
        fingerprint.key(SAO_PAULO, Strictness()),
        fingerprint.key(ZoneInfo("America/Manaus"), Strictness()),
        fingerprint.key(SAO_PAULO, Strictness(frozenset({"saldo_final"}))),
        fingerprint.key(SAO_PAULO, Strictness(emission_days=31)),
    }
    assert len(keys) == 4


CODE = '''"""What it is for."""

LIMIT = 3
"""So many."""


class Box:
    """Holds something."""

    size: int = LIMIT

    def holds(self, one: int, *, strict: bool = False) -> bool:
        """Whether it does."""
        try:
            return one in {"a", "b", 1} and (one, 2.5) > (self.size, 0)
        except TypeError:
            return strict  # who knows


many = [lambda: "x", *(b for b in (1, 2) if b)]
'''
PLACE = "documents/fast/one.py"


@pytest.fixture
def meaning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., bytes]:
    """``meaning(code)``: the hash of a small package in which one module has that code."""
    monkeypatch.setattr(fingerprint, "PACKAGE", tmp_path)
    (tmp_path / PLACE).parent.mkdir(parents=True)
    for name in ("codes.py", "tables.py", "documents/fingerprint.py"):
        (tmp_path / name).write_text(f"from {name[:5]} import one\n", encoding="utf-8")

    def find(code: str = CODE) -> bytes:
        (tmp_path / PLACE).write_text(code, encoding="utf-8")
        return fingerprint._meaning()

    return find


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("What it is for", "What it's for"),
        ("Holds something", "Holds\n    everything"),
        ("Whether it does", "Whether"),
        ("So many", "So few"),
        ("  # who knows", ""),
        ("LIMIT = 3", "# Above.\n\n\nLIMIT = (3)"),
        ("def holds(self, one: int, *,", "def holds(\n        self, one: int, *,"),
    ],
)
def test_words_about_the_code_and_where_it_stands_are_not_part_of_the_key(
    meaning: Callable[..., bytes], old: str, new: str
) -> None:
    assert CODE.count(old) == 1
    before = meaning()
    assert meaning(CODE.replace(old, new)) == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LIMIT = 3", "LIMIT = 4"),
        ("LIMIT = 3", "LIMIT = 3.0"),
        ("LIMIT = 3", "LIMIT = 3\nMORE = 3"),
        ("LIMIT = 3", 'LIMIT = "3"'),
        ("strict: bool = False", "strict: bool = True"),
        ("*, strict", "strict"),
        ('"b", 1}', '"b", 2}'),
        ('"b", 1}', '"b"}'),
        ("2.5", "-2.5"),
        (" > ", " >= "),
        ("self.size", "self.sizes"),
        ("TypeError", "ValueError"),
        ("return strict", "return not strict"),
        ('lambda: "x"', 'lambda: b"x"'),
        ("if b)", "if not b)"),
        ("(1, 2)", "(2, 1)"),
    ],
)
def test_whatever_the_code_does_is_part_of_the_key(meaning: Callable[..., bytes], old: str, new: str) -> None:
    assert CODE.count(old) == 1
    before = meaning()
    assert meaning(CODE.replace(old, new)) != before
    assert meaning() == before


def test_each_module_is_part_of_the_key_by_its_name_too(
    meaning: Callable[..., bytes], tmp_path: Path
) -> None:
    found = {meaning()}
    for place in ("codes.py", "tables.py", "documents/fingerprint.py", "documents/new.py"):
        with (tmp_path / place).open("a", encoding="utf-8") as file:
            file.write("x = 1\n")
        found.add(meaning())
    (tmp_path / "documents/new.py").rename(tmp_path / "documents/newer.py")
    found.add(meaning())
    assert len(found) == 6
    (tmp_path / "documents/erased.py").write_text("x = 1\n", encoding="utf-8")
    assert meaning() in found, "it makes no rows"


def test_the_key_is_the_same_in_every_process() -> None:
    """Python orders the members of a set differently in each."""
    program = (
        "from ccb_luigi.documents import fingerprint as f\n"
        "f.cache_from_source = lambda *_, **__: '/nowhere/at/all'\n"
        "print(f._meaning().hex())"
    )
    found = {
        subprocess.run(
            [sys.executable, *options, "-c", program],
            env={
                "PYTHONHASHSEED": seed,
                "PYTHONPATH": str(PACKAGE.parent),
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout
        for seed, options in (("1", []), ("2", []), ("3", ["-OO"]))
    }
    assert len(found) == 1


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the small package's hash is kept; not yet."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)
    found = tmp_path / "documents" / "__pycache__"
    found.mkdir(parents=True)
    return found / f"fingerprint.{sys.implementation.cache_tag}.opt-rules.pyc"


def never(*_: object, **__: object) -> None:
    raise AssertionError("compiled again")


def test_the_same_code_is_compiled_once_and_other_code_anew(
    meaning: Callable[..., bytes], kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = meaning()
    assert kept.stat().st_size == 64
    with monkeypatch.context() as patch:
        patch.setattr(fingerprint, "compile", never, raising=False)
        assert meaning() == before
        with pytest.raises(AssertionError, match="compiled again"):
            meaning(CODE + "#")
    assert meaning(CODE.replace("3", "4")) != before
    assert meaning() == before


@pytest.mark.parametrize("half", [b"", b"x" * 64, slice(32), slice(63)])
def test_a_kept_hash_that_is_not_whole_or_of_other_code_counts_for_nothing(
    meaning: Callable[..., bytes], kept: Path, half: bytes | slice
) -> None:
    before = meaning()
    whole = kept.read_bytes()
    kept.write_bytes(half if isinstance(half, bytes) else whole[half])
    assert meaning() == before
    assert kept.read_bytes() == whole


def test_nothing_is_kept_where_python_keeps_no_bytecode(
    meaning: Callable[..., bytes], kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "dont_write_bytecode", True)
        before = meaning()
    assert not kept.exists()
    kept.parent.rmdir()
    assert meaning() == before


def test_any_byte_and_any_rule_changes_the_fingerprint() -> None:
    marks = {fingerprint.of(raw, key) for raw in (b"a", b"b", b"ab") for key in (b"1", b"2")}
    assert len(marks) == 6
    assert all(len(mark) == 32 for mark in marks)
