"""Takes each guard out of a copy of the program, in turn, and asks the tests whether they notice.

``make mutations`` (by hand: it takes some minutes). A guard whose removal no test notices isn't guarded.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).parents[1]


class Mutation(NamedTuple):
    """In ``file`` of the package ``old`` becomes ``new``; of ``tests`` at least one must fail then."""

    guard: str
    file: str
    old: str
    new: str
    tests: str


RULES, SWEEP = "db/test_rules.py", "db/test_sweep.py"

MUTATIONS = (
    Mutation(
        "newest wins: clients",
        "loading.py",
        'not_older = "(n.atualizado_em, n.mongo_id) >= (t.atualizado_em, t.mongo_id)"',
        'not_older = "true"',
        RULES,
    ),
    Mutation(
        "newest wins: contracts",
        "loading.py",
        "WHERE k.lote = :lote AND o.mongo_id = k.mongo_id AND o.atualizado_em > k.atualizado_em",
        "WHERE k.lote = :lote AND o.mongo_id = k.mongo_id AND false",
        RULES,
    ),
    Mutation(
        "one ccbCode, two documents",
        "loading.py",
        "AND (o.atualizado_em, o.mongo_id) > (k.atualizado_em, k.mongo_id)\n",
        "AND false\n",
        RULES,
    ),
    Mutation("children are replaced", "loading.py", "n.acao = 'D' AND", "n.acao = 'X' AND", RULES),
    Mutation(
        "staged rows are counted", "pipeline.py", "if found != expected.get(name, 0):", "if False:", RULES
    ),
    Mutation(
        "the marker is in the transaction",
        "pipeline.py",
        "markers.put(connection, table.name, day, rows, counts)",
        "postgres.Postgres(settings).run(lambda c: markers.put(c, table.name, day, rows, counts))\n"
        "            connection.execute(text('SELECT pg_sleep(0)'))",
        "db/test_faults.py",
    ),
    Mutation(
        "a step is done by one",
        "pipeline.py",
        "postgres.lock(connection, markers.update_id(step, day))",
        "pass",
        RULES,
    ),
    Mutation(
        "a proof that fails leaves no marker",
        "reconcile.py",
        "return not self.differences",
        "return True",
        f"{RULES} acceptance/test_cli.py",
    ),
    Mutation("NUL", "values.py", 'if "\\0" in stripped:', "if False:", "unit/test_values.py"),
    Mutation(
        "keys that occur twice",
        "transform.py",
        "if opened.rows is None and (path := rawbson.repeated_key(raw, opened.document)) is not None:",
        "if False:",
        "db/test_hostile.py",
    ),
    Mutation(
        "keys that occur twice beside the schedule",
        "transform.py",
        "if opened.rows is not None and not rawbson.written_the_same(opened.bytes, opened.document):",
        "if False:",
        "unit/test_uniform.py",
    ),
    Mutation(
        "lengths inside a schedule",
        "uniform.py",
        "(?=[^\\0]{{{length}}}\\0)",
        "",
        "unit/test_uniform.py",
    ),
    Mutation(
        "a read that ends early",
        "source.py",
        "if found < expected:\n            raise",
        "if False:\n            raise",
        "db/test_faults.py",
    ),
    Mutation(
        "a hand at the tables is noticed",
        "versions.py",
        "USING (mongo_id, linhas, escritas)",
        "USING (mongo_id)",
        "db/test_versions.py",
    ),
    Mutation(
        "other rules read anew",
        "fingerprint.py",
        "digest = hashlib.sha256(rules)",
        "digest = hashlib.sha256()",
        "db/test_versions.py",
    ),
    Mutation("sweep: an empty source", "sweep.py", "if not swept.lidos_origem and", "if False and", SWEEP),
    Mutation(
        "sweep: an incomplete reading",
        "sweep.py",
        "if swept.lidos_origem < counted and",
        "if False and",
        SWEEP,
    ),
    Mutation(
        "sweep: too many vanished",
        "sweep.py",
        "if swept.sumidos > max(FEW, SMALL_SHARE * swept.contratos_destino) and not this.confirmed:",
        "if False:",
        SWEEP,
    ),
    Mutation(
        "sweep: looked up again", "sweep.py", "there = this.origin.still_there(group)", "there = set()", SWEEP
    ),
    Mutation(
        "sweep: what is loaded meanwhile",
        "sweep.py",
        "carregado_em < :started\n",
        "carregado_em < now() + interval '1 day' AND :started IS NOT NULL\n",
        SWEEP,
    ),
    Mutation(
        "erased clients stay away",
        "block.py",
        "if task.forgotten and task.forgotten.drops(judged):",
        "if False:",
        "db/test_forget.py",
    ),
    Mutation(
        "another schema's worker",
        "schema.py",
        "if found < REVISION:",
        "if False:",
        "db/test_schema.py db/test_upgrade.py",
    ),
)


def noticed(mutation: Mutation) -> str:
    """Which tests failed without the guard; empty if none did.

    Raises:
        ValueError: the guard isn't where this list says.
    """
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / "ccb_luigi"
        shutil.copytree(PROJECT / "ccb_luigi", copy, ignore=shutil.ignore_patterns("__pycache__"))
        file = copy / mutation.file
        code = file.read_text(encoding="utf-8")
        if mutation.old not in code:
            raise ValueError(f"{mutation.guard}: {mutation.file} has changed, and this list has not")
        file.write_text(code.replace(mutation.old, mutation.new), encoding="utf-8")
        # Not the project's own folder first, as pyproject.toml has it.
        options = ("-q", "-x", "-n", "0", "-p", "no:cacheprovider", "-o", "pythonpath=")
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *mutation.tests.split()],
            cwd=PROJECT / "tests",
            env={**os.environ, "PYTHONPATH": f"{directory}{os.pathsep}{PROJECT}", "CI": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return failed[0].partition(" - ")[0].partition("::")[2] if done.returncode == 1 and failed else ""


def main(wanted: list[str]) -> int:
    """All mutations, or those whose guard's name holds one of the words."""
    missed = 0
    for mutation in MUTATIONS:
        if wanted and not any(word in mutation.guard for word in wanted):
            continue
        test = noticed(mutation)
        missed += not test
        print(f"{'caught' if test else 'MISSED':7} {mutation.guard:36} {test}", flush=True)
    print(f"{missed} missed" if missed else "every guard is guarded")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
