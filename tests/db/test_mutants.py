"""Hundreds of generated documents in one migration, proven by the plain road."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bson
from mutants import mutants
from world import D1, World, at, document, of_dump

from ccb_luigi.proof.verify import Scope, verify

MUTANTS = 300


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

    bad = mutants(MUTANTS)
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
