"""Hundreds of generated documents in one migration, proven by the plain road."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import bson
from contracts import bson_values, changed, field_paths
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from world import D1, World, at, document, of_dump

from ccb_luigi.proof.verify import Scope, verify

PATHS = sorted(set(field_paths(document("m", "M", at(D1)))) - {"_id"})
MUTANTS = 300


def mutants() -> list[bytes]:
    """Good documents with one to three fields changed into anything that BSON can hold."""
    found: list[bytes] = []

    @settings(max_examples=MUTANTS, deadline=None, database=None, suppress_health_check=[*HealthCheck])
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


def test_generated_mutants_are_loaded_as_the_plain_road_reads_them_or_kept(
    world: World, tmp_path: Path
) -> None:
    good = [bson.encode(document(f"g{n}", f"G{n}", at(D1), client=f"g{n}")) for n in range(MUTANTS // 3)]
    dump = tmp_path / "good.bson"
    reading = World(replace(world.settings, **of_dump(dump, D1), max_rejected_share=1, processes=1))
    dump.write_bytes(b"".join(good))
    reading.migrate(D1)
    alone = reading.tables()
    reading.clear()

    bad = mutants()
    dump.write_bytes(b"".join([*good[:50], *bad, *good[50:]]))
    reading.migrate(D1)
    together = reading.tables()
    for name, rows in alone.items():
        assert set(together[name]) >= set(rows), name
    proof = verify(reading.settings, Scope(day=D1))
    assert proof.differences == []
    assert proof.contracts + proof.quarantined == proof.documents
    assert proof.quarantined > MUTANTS / 10
    assert proof.contracts > len(good)
