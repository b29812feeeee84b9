"""A document's fingerprint: the same bytes, read by the same rules, make the same rows."""

from __future__ import annotations

import hashlib
import sys
from functools import lru_cache
from importlib.metadata import version
from importlib.resources import files
from zoneinfo import ZoneInfo

from ccb_luigi.codes import Strictness

RULES = (
    "codes",
    "dictionary",
    "tables",
    "documents/fast/schedule_bytes",
    "documents/block",
    "documents/fast/vectorised",
    "documents/contract",
    "documents/extras",
    "documents/copytext",
    "documents/findings",
    "documents/fingerprint",
    "documents/compiled",
    "documents/identifiers",
    "documents/identity",
    "documents/rawbson",
    "documents/rows",
    "documents/sanity",
    "documents/shard",
    "documents/fast/raw_columns",
    "documents/times",
    "documents/judge",
    "documents/schedule",
    "documents/values",
)
"""The modules that make rows out of bytes, as paths: with other code a document is read anew."""

_LIBRARIES = ("pymongo", "cerberus", "numpy")


@lru_cache(maxsize=4)
def key(zone: ZoneInfo, strictness: Strictness) -> bytes:
    """What the rows depend on besides the bytes: our code, the libraries, the settings."""
    said = (sorted(strictness.promoted), strictness.emission_days)
    rules = hashlib.sha256(repr((sys.version_info[:2], zone.key, said)).encode())
    for library in _LIBRARIES:
        rules.update(version(library).encode())
    for module in RULES:
        rules.update(files("ccb_luigi").joinpath(f"{module}.py").read_bytes())
    return rules.digest()


def of(raw: bytes, rules: bytes) -> str:
    """32 hexadecimal digits for a document and the ``key`` of the rules.

    SHA-256, cut to 128 bits: processors have instructions for it, so that it is the fastest of the good ones.
    """
    digest = hashlib.sha256(rules)
    digest.update(raw)
    return digest.hexdigest()[:32]
