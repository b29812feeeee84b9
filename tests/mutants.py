"""Good documents with one to three fields changed into anything that BSON can hold."""

from __future__ import annotations

from typing import Any

import bson
from contracts import bson_values, changed, field_paths
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from world import D1, at, document

PATHS = sorted(set(field_paths(document("m", "M", at(D1)))) - {"_id"})


def mutants(number: int, *, fixed: bool = False) -> list[bytes]:
    """``number`` of them; ``fixed``: the same ones each time."""
    found: list[bytes] = []

    @settings(
        max_examples=number,
        deadline=None,
        database=None,
        derandomize=fixed or settings.default.derandomize,
        suppress_health_check=[*HealthCheck],
    )
    @given(st.dictionaries(st.sampled_from(PATHS), bson_values(), min_size=1, max_size=3))
    def collect(changes: dict[str, Any]) -> None:
        tag = f"m{len(found)}"
        mutant = document(tag, tag.upper(), at(D1), client=tag)
        if len(found) % 2:  # a double that is rounded: the gate isn't sure, and Cerberus alone judges
            mutant["operation"]["ValorDoIOF"] = 0.1 + 0.2
        for path, value in sorted(changes.items()):
            try:
                mutant = changed(mutant, path, value)
            except (KeyError, TypeError, IndexError, AttributeError, ValueError):
                continue  # an earlier change took the place away
        found.append(bson.encode(mutant))

    collect()
    return found
