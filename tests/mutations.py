"""Takes each guard out of a copy of the program, in turn, and asks the tests whether they notice.

``make mutations`` (by hand: some ten minutes), ``python tests/mutations.py sweep NUL`` for some guards alone.
A guard whose removal no test notices isn't guarded. Each mutation names the tests that are to notice it, and
they pass before anything is taken out. Of all guards together the table in ``docs/proof.md`` is written anew.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).parents[1]
PAGE = PROJECT / "docs" / "proof.md"
BEGIN, END = "<!-- make mutations -->\n", "<!-- /make mutations -->\n"


class Mutation(NamedTuple):
    """In ``file`` of the package ``old`` becomes ``new``; of ``tests`` at least one must fail then."""

    guard: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


def rules(*names: str) -> tuple[str, ...]:
    return tuple(f"db/test_rules.py::test_{name}" for name in names)


def sweep(*names: str) -> tuple[str, ...]:
    return tuple(f"db/test_sweep.py::test_{name}" for name in names)


MUTATIONS = (
    Mutation(
        "newest wins: clients",
        "load/loading.py",
        'not_older = "(n.atualizado_em, n.mongo_id) >= (t.atualizado_em, t.mongo_id)"',
        'not_older = "true"',
        rules(
            "dates_end_in_the_same_tables_in_whatever_order_they_run",
            "a_client_of_many_contracts_is_the_newest_documents_in_every_part",
            "a_document_that_arrives_later_with_the_same_instant_and_a_lesser_id_stays_behind",
        ),
    ),
    Mutation(
        "newest wins: contracts",
        "load/loading.py",
        "WHERE k.lote = :lote AND o.mongo_id = k.mongo_id AND o.atualizado_em > k.atualizado_em",
        "WHERE k.lote = :lote AND o.mongo_id = k.mongo_id AND false",
        rules(
            "changes_of_a_loaded_source_end_in_the_same_tables_in_whatever_order",
            "every_document_of_a_mixed_date_is_accounted_for",
        ),
    ),
    Mutation(
        "one ccbCode, two documents",
        "load/loading.py",
        "AND (o.atualizado_em, o.mongo_id) > (k.atualizado_em, k.mongo_id) AND o.excluido_em IS NULL\n",
        "AND false\n",
        rules(
            "dates_end_in_the_same_tables_in_whatever_order_they_run",
            "of_two_documents_of_one_code_the_newest_has_the_row_and_the_other_is_kept_whole",
        ),
    ),
    Mutation(
        "a contract that is gone holds no code",
        "load/loading.py",
        " AND o.excluido_em IS NULL\n",
        "\n",
        sweep("the_loser_of_a_code_has_it_when_the_winner_is_gone_and_as_long_as_it_is"),
    ),
    Mutation(
        "children are replaced",
        "load/loading.py",
        "n.acao = 'D' AND",
        "n.acao = 'X' AND",
        rules(
            "a_client_keeps_nothing_that_its_newest_document_does_not_say",
            "a_schedule_of_12_then_9_then_0_then_5_is_exactly_that_after_each_run",
            "a_schedule_may_vanish_altogether_and_with_it_the_parts_of_the_cet",
        ),
    ),
    Mutation(
        "staged rows are counted",
        "load/pipeline.py",
        "if found != expected.get(name, 0):",
        "if False:",
        rules("a_step_whose_staging_lost_rows_loads_nothing"),
    ),
    Mutation(
        "the marker is in the transaction",
        "load/pipeline.py",
        "markers.put(connection, table.name, day, rows, counts)",
        "postgres.Postgres(settings).run(lambda c: markers.put(c, table.name, day, rows, counts))\n"
        "            connection.execute(text('SELECT pg_sleep(0)'))",
        (
            *rules(
                "a_step_killed_between_rows_and_marker_leaves_neither",
                "a_process_that_ends_between_rows_and_marker_leaves_neither",
            ),
            "db/test_faults.py::test_a_database_that_crashes_before_the_marker_of_any_step_is_awaited",
        ),
    ),
    Mutation(
        "a step is done by one (advisory lock)",
        "load/pipeline.py",
        "postgres.lock(connection, markers.update_id(step, day))",
        "pass",
        (
            *rules("two_runs_of_one_date_at_once_do_it_once"),
            "db/test_postgres.py::test_a_step_that_another_run_is_doing_makes_busy",
        ),
    ),
    Mutation(
        "a proof that fails leaves no marker",
        "load/reconcile.py",
        "return not self.differences",
        "return True",
        rules("a_target_that_differs_by_a_cent_is_not_marked_as_proven"),
    ),
    Mutation(
        "too many rejections (circuit breaker)",
        "load/pipeline.py",
        "return share < 1 and",
        "return False and",
        (
            *sweep("a_date_that_the_circuit_breaker_kept_out_does_not_come_in_by_the_sweep"),
            "db/test_quarantine.py::test_a_promoted_finding_counts_for_the_breaker_and_closes_without_the_promotion",
        ),
    ),
    Mutation("NUL", "documents/values.py", 'if "\\0" in stripped:', "if False:", ("unit/test_values.py",)),
    Mutation(
        "keys that occur twice",
        "documents/transform.py",
        "if opened.rows is None and (path := rawbson.repeated_key(raw, opened.document)) is not None:",
        "if False:",
        ("db/test_hostile.py::test_any_document_loads_faithfully_or_is_kept_and_harms_no_neighbour",),
    ),
    Mutation(
        "keys that occur twice beside the schedule",
        "documents/transform.py",
        "if opened.rows is not None and not rawbson.written_the_same(opened.bytes, opened.document):",
        "if False:",
        ("unit/test_uniform.py",),
    ),
    Mutation(
        "lengths inside a schedule",
        "documents/uniform.py",
        "(?=[^\\0]{{{length}}}\\0)",
        "",
        ("unit/test_uniform.py",),
    ),
    Mutation(
        "a read that ends early",
        "sources/source.py",
        "if found < expected:\n            raise",
        "if False:\n            raise",
        (
            "db/test_faults.py::test_a_cursor_that_ends_early_is_not_taken_for_the_end",
            "db/test_faults.py::test_also_the_rarer_reads_are_not_cut_short",
        ),
    ),
    Mutation(
        "what no retry mends is told at once",
        "process/retry.py",
        "if not error.transient:\n            raise",
        "if False:\n            raise",
        ("unit/test_retry.py", "db/test_faults.py::test_a_refusal_that_no_retry_mends_is_told_at_once"),
    ),
    Mutation(
        "a hand at the tables is noticed",
        "load/versions.py",
        "USING (mongo_id, linhas, escritas)",
        "USING (mongo_id)",
        ("db/test_versions.py::test_a_hand_at_the_tables_is_noticed_and_undone",),
    ),
    Mutation(
        "other rules read anew",
        "documents/fingerprint.py",
        "digest = hashlib.sha256(rules)",
        "digest = hashlib.sha256()",
        ("db/test_versions.py::test_other_rules_read_every_document_anew",),
    ),
    Mutation(
        "sweep: an empty source",
        "proof/sweep.py",
        "if not swept.lidos_origem and",
        "if False and",
        sweep("an_empty_source_is_never_believed"),
    ),
    Mutation(
        "sweep: an incomplete reading",
        "proof/sweep.py",
        "if swept.lidos_origem < counted and",
        "if False and",
        sweep("fewer_documents_than_mongodb_counts_are_no_reading"),
    ),
    Mutation(
        "sweep: too many vanished",
        "proof/sweep.py",
        "if swept.sumidos > max(FEW, SMALL_SHARE * swept.contratos_destino) and not this.confirmed:",
        "if False:",
        sweep(
            "more_than_twenty_and_more_than_one_in_two_hundred_have_to_be_confirmed",
            "what_is_missing_is_loaded_although_too_much_is_gone",
        ),
    ),
    Mutation(
        "sweep: looked up again",
        "proof/sweep.py",
        "there = this.origin.still_there(group)",
        "there = set()",
        sweep("what_is_back_by_the_time_that_it_would_be_marked_is_not_marked"),
    ),
    Mutation(
        "sweep: what is loaded meanwhile",
        "proof/sweep.py",
        "carregado_em < :started\n",
        "carregado_em < now() + interval '1 day' AND :started IS NOT NULL\n",
        sweep("what_was_loaded_while_the_sweep_ran_is_never_marked"),
    ),
    Mutation(
        "erased clients stay away",
        "documents/block.py",
        "if task.forgotten and task.forgotten.drops(judged):",
        "if False:",
        ("db/test_forget.py::test_no_run_brings_the_client_back_and_each_proof_is_exact",),
    ),
    Mutation(
        "older tables are refused",
        "database/schema.py",
        "if found < REVISION:",
        "if False:",
        ("db/test_upgrade.py::test_new_code_refuses_old_tables",),
    ),
    Mutation(
        "newer tables are refused",
        "database/schema.py",
        "if found > REVISION:",
        "if False:",
        ("db/test_upgrade.py::test_old_code_refuses_new_tables",),
    ),
    Mutation(
        "Ctrl-C within a fork",
        "process/stopping.py",
        'if getattr(_forking, "now", False) or _is_deaf(frame):',
        "if False:",
        (
            "unit/test_deadline.py::test_what_arrives_within_a_fork_is_heard",
            "unit/test_deadline.py::test_what_arrives_within_an_event_handler_of_luigi_is_heard",
        ),
    ),
    Mutation(
        "a cluster's worker with other rules",
        "load/cluster.py",
        "!= order.rules:",
        "!= order.rules and False:",
        ("db/test_dask.py",),
    ),
    Mutation(
        "migrations queue for no table",
        "database/schema.py",
        "        postgres.wait_briefly(connection)\n",
        "",
        ("db/test_gentle_upgrades.py",),
    ),
    Mutation(
        "exchanging parcelas queues for nobody",
        "database/partitioning.py",
        "                postgres.wait_briefly(connection)\n",
        "",
        ("db/test_partitioning.py",),
    ),
)


def failed(program: Path, *tests: str) -> list[str]:
    """The names of those of the tests (files or single ones) that fail with the package in ``program``.

    Raises:
        RuntimeError: pytest couldn't run them.
    """
    # Not the project's own folder first, as pyproject.toml has it.
    options = ("-q", "-n", "0", "-p", "no:cacheprovider", "-o", "pythonpath=")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *tests],
        cwd=PROJECT / "tests",
        env={**os.environ, "PYTHONPATH": f"{program}{os.pathsep}{PROJECT}", "CI": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 1):
        raise RuntimeError(f"pytest ended with {done.returncode}\n{done.stdout}{done.stderr}")
    found = re.findall(r"^(?:FAILED|ERROR) \S+::(\w+)", done.stdout, re.MULTILINE)
    return list(dict.fromkeys(found))


def noticed(mutation: Mutation) -> list[str]:
    """Which tests fail without the guard.

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
        return failed(Path(directory), *mutation.tests)


def write(caught: dict[str, list[str]]) -> None:
    """The table in ``docs/proof.md``."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    lines = ["| guard that was taken out | tests that failed |", "|---|---|"]
    lines += [
        f"| {guard} | {'<br>'.join(f'`{test}`' for test in tests)} |" for guard, tests in caught.items()
    ]
    PAGE.write_text(
        "\n".join([before + BEGIN + "\n" + lines[0], *lines[1:], "", END]) + after, encoding="utf-8"
    )


def main(wanted: list[str]) -> int:
    """All mutations, or those whose guard's name holds one of the words."""
    chosen = [m for m in MUTATIONS if not wanted or any(word in m.guard for word in wanted)]
    if broken := failed(PROJECT, *dict.fromkeys(test for m in chosen for test in m.tests)):
        print(f"fails with every guard in place: {', '.join(broken)}")
        return 1
    caught: dict[str, list[str]] = {}
    for mutation in chosen:
        tests = caught[mutation.guard] = noticed(mutation)
        print(f"{'caught' if tests else 'MISSED':7} {mutation.guard:38} {', '.join(tests)}", flush=True)
    missed = [guard for guard, tests in caught.items() if not tests]
    if not wanted and not missed:
        write(caught)
    print(f"{len(missed)} missed" if missed else "every guard is guarded")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
