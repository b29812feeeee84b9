"""A document's fingerprint: the same bytes, read by the same rules, make the same rows.

The rules are our code as Python understands it: what it does counts, and neither its comments nor its
docstrings, nor where in a file it stands.
"""

from __future__ import annotations

import hashlib
import sys
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import version
from importlib.util import cache_from_source
from pathlib import Path
from types import CodeType
from typing import Any
from zoneinfo import ZoneInfo

from ccb_luigi.codes import Strictness

PACKAGE = Path(__file__).parents[1]
RULES = ("codes.py", "tables.py", "documents/**/*.py")
"""The modules that make rows out of bytes: with other code a document is read anew."""
NOT_RULES = frozenset({"documents/erased.py"})
"""... but for these, which make none."""

_LIBRARIES = ("pymongo", "cerberus", "numpy")
_OF_CODE = (
    *("co_name", "co_flags", "co_argcount", "co_posonlyargcount", "co_kwonlyargcount"),
    *("co_code", "co_exceptiontable", "co_names", "co_varnames", "co_freevars", "co_cellvars"),
)


@lru_cache(maxsize=4)
def key(zone: ZoneInfo, strictness: Strictness) -> bytes:
    """What the rows depend on besides the bytes: our code, the libraries, the settings."""
    said = (sorted(strictness.promoted), strictness.emission_days)
    rules = hashlib.sha256(repr((sys.version_info[:2], zone.key, said)).encode())
    for library in _LIBRARIES:
        rules.update(version(library).encode())
    rules.update(_meaning())
    return rules.digest()


def of(raw: bytes, rules: bytes) -> str:
    """32 hexadecimal digits for a document and the ``key`` of the rules.

    SHA-256, cut to 128 bits: processors have instructions for it, so that it is the fastest of the good ones.
    """
    digest = hashlib.sha256(rules)
    digest.update(raw)
    return digest.hexdigest()[:32]


def modules() -> list[str]:
    """The paths in the package of the modules that count."""
    found = {path.relative_to(PACKAGE).as_posix() for rule in RULES for path in PACKAGE.glob(rule)}
    return sorted(found - NOT_RULES)


def _meaning() -> bytes:
    """A hash of what the rules do.

    To compile them takes 50 ms, of a run's six seconds. So it is kept beside Python's own bytecode and by its
    rules (``PYTHONPYCACHEPREFIX``, ``PYTHONDONTWRITEBYTECODE``), after a hash of the bytes that it is of: to
    compare these takes 2 ms. Where nothing can be written each process compiles.
    """
    sources = {path: PACKAGE.joinpath(path).read_bytes() for path in modules()}
    exact = hashlib.sha256(sys.version.encode())
    for path, source in sources.items():
        exact.update(f"{path} {len(source)} ".encode() + source)
    kept = Path(cache_from_source(str(PACKAGE / "documents" / "fingerprint.py"), optimization="rules"))
    with suppress(OSError):
        found = kept.read_bytes()
        if len(found) == 2 * exact.digest_size and found.startswith(exact.digest()):
            return found[exact.digest_size :]
    meaning = hashlib.sha256()
    for path, source in sources.items():
        code = compile(source, path, "exec", dont_inherit=True, optimize=2)
        meaning.update(repr((path, _does(code))).encode())
    if not sys.dont_write_bytecode:
        with suppress(OSError):
            kept.write_bytes(exact.digest() + meaning.digest())
    return meaning.digest()


def _does(constant: Any) -> Any:
    """Code as what it does, without the places where it stands; sets in order, which differs by the process.

    Compiled with ``optimize=2`` it has no docstrings.
    """
    if isinstance(constant, CodeType):
        return (*(getattr(constant, name) for name in _OF_CODE), *map(_does, constant.co_consts))
    if isinstance(constant, frozenset):
        return ("frozenset", *sorted(map(repr, constant)))
    return constant
