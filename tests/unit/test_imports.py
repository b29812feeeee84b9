"""The order of the house: what may import what, and that importing does nothing else."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "ccb_luigi"
TESTS = PACKAGE.parent / "tests"

ROOMS = (
    *("ground", "migrations", "process", "documents", "sources", "database", "load", "proof"),
    *("orchestration", "report", "telemetry", "preflight", "demo", "commands", "top"),
)
"""A module imports only from its own room and from those before it."""

# Modules in no folder: what all others stand on, what stands on all others, and two that Luigi knows by name.
AT_TOP_LEVEL = {
    "ground": {"", "errors", "settings", "codes", "dictionary", "tables"},
    "orchestration": {"tasks", "counters"},
    "top": {"cli", "__main__", "luigi_line"},
}
PURE_SOURCES = {"sources.queries", "sources.split_points"}
MOST = 25
"""Modules and folders in one folder: past this, think again."""

OWNERS = {
    "luigi": {
        *("counters", "tasks", "luigi_line"),
        *(
            f"orchestration.{name}"
            for name in ("visible", "backfill_tasks", "targets", "worker", "luigid", "runner")
        ),
    },
    "pymongo": {"sources.mongo", "sources.mongo_errors"},
    "psycopg2": {
        *(f"database.{name}" for name in ("postgres", "connecting", "session", "refusals", "waiting")),
    },
    "cerberus": {"documents.contract"},
    "distributed": {"load.cluster"},
    "numpy": {
        *(
            f"documents.fast.{name}"
            for name in ("raw_columns", "schedule_bytes", "schedule_totals", "vectorised")
        ),
    },
}


def modules() -> list[str]:
    """Every module's name inside the package: ``values``, ``demo.synth``; the package itself is ''."""
    names = [path.relative_to(PACKAGE).with_suffix("") for path in sorted(PACKAGE.rglob("*.py"))]
    return [".".join(n.parts).removesuffix("__init__").rstrip(".") for n in names]


def path_of(module: str) -> Path:
    place = PACKAGE.joinpath(*module.split(".")) if module else PACKAGE
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


def imported(tree: ast.AST) -> Iterator[str]:
    """Absolute names of all modules (and of what may be one) that the statements in ``tree`` import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def imports(module: str, at_top: bool = False) -> frozenset[str]:
    """What ``module`` imports, anywhere or only where importing it does."""
    tree = ast.parse(path_of(module).read_text(encoding="utf-8"))
    if at_top:
        inside = [n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]
        for function in inside:
            function.body = []
    return frozenset(imported(tree))


def own(module: str, at_top: bool = False) -> set[str]:
    """The modules of the package that ``module`` imports."""
    names = {name.removeprefix("ccb_luigi").lstrip(".") for name in imports(module, at_top) if is_ours(name)}
    return {name if name in MODULES else name.rpartition(".")[0] for name in names} - {module}


def reached(module: str) -> set[str]:
    """The modules of the package that importing ``module`` imports, one through another."""
    found: set[str] = set()
    todo = [*own(module, at_top=True)]
    while todo:
        if (name := todo.pop()) not in found:
            found.add(name)
            todo += own(name, at_top=True)
    return found


def is_ours(name: str) -> bool:
    return name.split(".")[0] == "ccb_luigi"


def room(module: str) -> str:
    """The name of its folder, or of the room that it is of at the top level."""
    return next((name for name, those in AT_TOP_LEVEL.items() if module in those), module.split(".")[0])


MODULES = modules()
FOLDERS = [name for name in ROOMS if name not in ("ground", "top")]
PURE = [name for name in MODULES if room(name) in ("ground", "documents") or name in PURE_SOURCES]


def test_every_module_has_a_room() -> None:
    assert {room(module) for module in MODULES} == set(ROOMS)
    assert {name for names in AT_TOP_LEVEL.values() for name in names} | PURE_SOURCES <= set(MODULES)


def test_a_folder_is_a_screen_of_files() -> None:
    held = Counter(module.rpartition(".")[0] for module in MODULES)
    assert max(held.values()) <= MOST


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_room_says_what_it_is_for_and_entering_it_does_nothing(folder: str) -> None:
    tree = ast.parse(path_of(folder).read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    assert len(tree.body) == 1


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_from_its_room_and_from_those_before_it(module: str) -> None:
    assert not {name for name in own(module) if ROOMS.index(room(name)) > ROOMS.index(room(module))}


def test_what_tells_where_things_stand_takes_no_more_than_words_from_the_page() -> None:
    told = {name for module in MODULES if room(module) == "telemetry" for name in own(module)}
    assert {name for name in told if room(name) == "report"} <= {"report.words"}


def test_no_two_modules_import_each_other() -> None:
    graph = {name: own(name, at_top=True) for name in MODULES}
    assert list(TopologicalSorter(graph).static_order())


def test_to_name_a_document_takes_nothing_of_judging_it() -> None:
    assert reached("documents.identity") - {"documents"} == {"documents.rawbson"}


@pytest.mark.parametrize("module", [name for name in MODULES if room(name) == "sources"])
def test_a_source_finds_and_names_documents_and_judges_none(module: str) -> None:
    assert not {"documents.judge", "documents.rows", "documents.findings"} & reached(module)


@pytest.mark.parametrize("module", [name for name in MODULES if room(name) != "demo"])
def test_only_the_command_line_knows_the_demo_and_only_inside_a_command(module: str) -> None:
    assert not [name for name in own(module, at_top=True) if room(name) == "demo"]
    if room(module) != "commands":
        assert not [name for name in own(module) if room(name) == "demo"]


@pytest.mark.parametrize("library", OWNERS)
def test_a_library_has_one_owner(library: str) -> None:
    users = {m for m in MODULES if any(name.split(".")[0] == library for name in imports(m))}
    if library not in ("luigi", "cerberus"):  # not even the demo knows these
        users = {m for m in users if room(m) != "demo"}
    assert users == OWNERS[library]


@pytest.mark.parametrize("module", PURE)
def test_the_pure_modules_know_no_network_and_no_database(module: str) -> None:
    effects = {
        "socket",
        "subprocess",
        "pymongo",
        "psycopg2",
        "luigi",
        "logging",
        "threading",
        "multiprocessing",
    }
    assert not effects & {name.split(".")[0] for name in imports(module)}
    assert "sqlalchemy.Connection" not in imports(module)


def test_the_package_never_imports_the_tests() -> None:
    for module in MODULES:
        assert not {"tests", "contracts", "pytest", "hypothesis"} & {n.split(".")[0] for n in imports(module)}


def test_the_shared_document_calls_nothing_of_the_package() -> None:
    tree = ast.parse((TESTS / "contracts.py").read_text(encoding="utf-8"))
    assert not [name for name in imported(tree) if is_ours(name)]


# Runs in a process of its own, told which modules to import. The first frame that isn't the library's own
# plumbing tells who asked for a variable; third parties may read what they like.
_PROBE = """
import importlib, os, sys, threading
plumbing = ("<frozen", os.__file__, os.environ.get.__code__.co_filename)
told = []

def asker():
    frame = sys._getframe(2)
    while frame and frame.f_code.co_filename.startswith(plumbing):
        frame = frame.f_back
    return frame.f_code.co_filename if frame else ""

real = os._Environ.__getitem__
def getitem(self, name):
    if "/ccb_luigi/" in asker():
        told.append("reads " + name)
    return real(self, name)
os._Environ.__getitem__ = getitem

def hook(event, args):
    if event in ("socket.connect", "socket.bind", "subprocess.Popen", "os.fork", "os.posix_spawn"):
        told.append(event)
    elif event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        told.append("writes " + str(args[0]))
sys.addaudithook(hook)
for name in sys.argv[1:]:
    importlib.import_module(name)
if threading.active_count() > 1:
    told.append("threads")
print("; ".join(told))
"""


def test_importing_opens_nothing_and_reads_no_environment(tmp_path: Path) -> None:
    silent = [name for name in MODULES if room(name) not in ("demo", "migrations") and name != "__main__"]
    names = [f"ccb_luigi.{name}".rstrip(".") for name in silent]
    done = subprocess.run(
        [sys.executable, "-B", "-c", _PROBE, *names],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env={"CCB_MAX_REJECTED_SHARE": "none", "CCB_TIMEZONE": "none", "PYTHONPATH": str(PACKAGE.parent)},
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.strip() == ""


def test_the_probe_sees_what_it_looks_for(tmp_path: Path) -> None:
    guilty = tmp_path / "ccb_luigi"
    guilty.mkdir()
    (guilty / "guilty.py").write_text(
        "import os, socket\nos.environ.get('HOME')\nos.getenv('LANG')\nopen('x', 'w').close()\n"
        "socket.socket(type=socket.SOCK_DGRAM).connect(('127.0.0.1', 9))\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", _PROBE, "guilty"],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env={"PYTHONPATH": str(guilty)},
        check=False,
    )
    assert done.stdout.strip() == "reads HOME; reads LANG; writes x; socket.connect"
