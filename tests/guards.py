"""The guards of the program: how each is taken out, and the tests that are to notice it (``mutations.py``).

A replacement takes away the guard alone and leaves a program that runs: what fails then fails for want of it.
"""

from __future__ import annotations

from typing import NamedTuple


class Mutation(NamedTuple):
    """In ``file`` ``old`` (there so many times) becomes ``new``; of ``tests`` at least one must fail then."""

    guard: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    places: int = 1


def rules(*names: str) -> tuple[str, ...]:
    return tuple(f"db/test_rules.py::test_{name}" for name in names)


def sweep(*names: str) -> tuple[str, ...]:
    return tuple(f"db/test_sweep.py::test_{name}" for name in names)


def plan(*names: str) -> tuple[str, ...]:
    return tuple(f"db/test_backfill.py::test_{name}" for name in names)


def raw_columns(*names: str) -> tuple[str, ...]:
    return tuple(f"unit/test_raw_columns.py::test_{name}" for name in names)


def text_schedule(*names: str) -> tuple[str, ...]:
    return tuple(f"unit/test_text_schedule.py::test_{name}" for name in names)


UPGRADES = (
    "db/test_partitioning.py::test_steps_wait_until_it_is_done",
    "db/test_upgrade.py::test_an_upgrade_does_not_begin_while_an_extraction_runs",
)

MUTATIONS = (
    Mutation(
        "newest wins: clients",
        "ccb_luigi/load/loading.py",
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
        "ccb_luigi/load/loading.py",
        "WHERE k.lote = :lote AND o.mongo_id = k.mongo_id AND o.atualizado_em > k.atualizado_em",
        "WHERE k.lote = :lote AND o.mongo_id = k.mongo_id AND false",
        rules(
            "changes_of_a_loaded_source_end_in_the_same_tables_in_whatever_order",
            "every_document_of_a_mixed_date_is_accounted_for",
        ),
    ),
    Mutation(
        "one ccbCode, two documents",
        "ccb_luigi/load/loading.py",
        "AND (o.atualizado_em, o.mongo_id) > (k.atualizado_em, k.mongo_id) AND o.excluido_em IS NULL\n",
        "AND false\n",
        rules(
            "dates_end_in_the_same_tables_in_whatever_order_they_run",
            "of_two_documents_of_one_code_the_newest_has_the_row_and_the_other_is_kept_whole",
        ),
    ),
    Mutation(
        "a contract that is gone holds no code",
        "ccb_luigi/load/loading.py",
        " AND o.excluido_em IS NULL\n",
        "\n",
        sweep("the_loser_of_a_code_has_it_when_the_winner_is_gone_and_as_long_as_it_is"),
    ),
    Mutation(
        "children are replaced",
        "ccb_luigi/load/loading.py",
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
        "ccb_luigi/load/pipeline.py",
        "if found != expected.get(name, 0):",
        "if False:",
        rules("a_step_whose_staging_lost_rows_loads_nothing"),
    ),
    Mutation(
        "the marker is in the transaction",
        "ccb_luigi/load/pipeline.py",
        "markers.put(connection, table.name, day, rows, counts)",
        "postgres.Postgres(settings).run(lambda c: markers.put(c, table.name, day, rows, counts))\n"
        "        batch.run('SELECT pg_sleep(0)')",
        ("db/test_faults.py::test_a_database_that_crashes_before_the_marker_of_any_step_is_awaited",),
    ),
    Mutation(
        "a step is done by one (advisory lock)",
        "ccb_luigi/load/pipeline.py",
        "postgres.lock(connection, markers.update_id(step, day))",
        "pass",
        (
            *rules("two_runs_of_one_date_at_once_do_it_once"),
            "db/test_postgres.py::test_a_step_that_another_run_is_doing_makes_busy",
        ),
    ),
    Mutation(
        "what is marked is left alone",
        "ccb_luigi/load/pipeline.py",
        "return markers.find(connection, step, day) is None",
        "return True",
        rules("a_date_that_is_marked_is_left_alone"),
    ),
    Mutation(
        "a proof that fails leaves no marker",
        "ccb_luigi/load/reconcile.py",
        "return not self.differing",
        "return True",
        rules("a_target_that_differs_by_a_cent_is_not_marked_as_proven"),
    ),
    Mutation(
        "too many rejections (circuit breaker)",
        "ccb_luigi/load/breaker.py",
        "return share < 1 and",
        "return False and",
        (
            *sweep("a_date_that_the_circuit_breaker_kept_out_does_not_come_in_by_the_sweep"),
            "db/test_quarantine.py::test_a_promoted_finding_counts_for_the_breaker_and_closes_without_the_promotion",
        ),
    ),
    Mutation(
        "NUL",
        "ccb_luigi/documents/values.py",
        'if "\\0" in stripped:',
        "if False:",
        ("unit/test_values.py::test_what_is_no_text_is_refused",),
    ),
    Mutation(
        "days: a midnight at offset zero is that day",
        "ccb_luigi/documents/times.py",
        "named = found.tzinfo is zone or _midnight(found)",
        "named = found.tzinfo is zone",
        ("unit/test_days.py::test_a_midnight_at_offset_zero_is_that_day_in_every_form",),
    ),
    Mutation(
        "days: a small bare number is nobody's guess",
        "ccb_luigi/documents/times.py",
        "if abs(number) < SURELY_MILLISECONDS:",
        "if False:",
        ("unit/test_days.py::test_a_bare_number_that_may_be_several_dates_is_rejected_in_every_field",),
    ),
    Mutation(
        "moments: of the hour that comes twice the second",
        "ccb_luigi/documents/times.py",
        "return max(_shifted(local.replace(fold=fold), UTC) for fold in (0, 1))",
        "return _shifted(local, UTC)",
        (
            "unit/test_days.py::"
            "test_of_the_hour_that_comes_twice_the_second_counts_and_one_that_never_was_is_an_hour_later",
        ),
    ),
    Mutation(
        "sweep: what is older in the source",
        "ccb_luigi/proof/sweep.py",
        "WHERE v.momento < o.atualizado_em",
        "WHERE v.momento > o.atualizado_em",
        sweep("a_version_that_is_older_than_the_loaded_one_is_told"),
    ),
    Mutation(
        "keys that occur twice",
        "ccb_luigi/documents/judge.py",
        "if (path := rawbson.repeated_key(raw, decoded)) is not None:",
        "if False:",
        ("db/test_hostile.py::test_any_document_loads_faithfully_or_is_kept_and_harms_no_neighbour",),
    ),
    Mutation(
        "keys that occur twice in what has no column",
        "ccb_luigi/documents/rawbson.py",
        " or not written_the_same(raw, document)",
        "",
        raw_columns("a_key_twice_in_what_has_no_column_is_nothing_to_be_sure_of"),
    ),
    Mutation(
        "side by side: each document has the expected keys and no more",
        "ccb_luigi/documents/fast/raw_columns.py",
        "self.fall_back(of.docs[(position != of.ends - 1) | (self.bytes[position] != 0)])",
        "pass",
        raw_columns("no_byte_of_a_document_can_change_unseen", "a_key_twice_is_nothing_to_be_sure_of"),
    ),
    Mutation(
        "side by side: a value ends within what holds it",
        "ccb_luigi/documents/fast/raw_columns.py",
        "ends = np.minimum(starts + sizes, within)",
        "ends = np.minimum(starts + sizes, len(self.raw) - _PADDING)",
        raw_columns("lengths_that_go_past_their_document_take_no_memory"),
    ),
    Mutation(
        "side by side: nulls and references are no sub-documents",
        "ccb_luigi/documents/fast/raw_columns.py",
        'key.startswith((b"@", b"$"))',
        "False",
        raw_columns("an_order_is_learnt_from_parts_of_it"),
    ),
    Mutation(
        "side by side: texts end where they say",
        "ccb_luigi/documents/fast/raw_columns.py",
        "self.fall_back(found.docs[self.bytes[found.ends - 1] != 0])",
        "pass",
        raw_columns("values_of_every_type_are_judged_the_same"),
    ),
    Mutation(
        "side by side: unknown fields in the rows of an unusual schedule",
        "ccb_luigi/documents/fast/vectorised.py",
        "if self._knows_not_all(value):",
        "if False:",
        text_schedule("a_field_more_or_less_or_elsewhere_is_read_value_by_value"),
    ),
    Mutation(
        "texts inside a schedule end where they say",
        "ccb_luigi/documents/fast/schedule_bytes.py",
        "good = (found.kinds == STRING) & (block.bytes[ends] == 0)",
        "good = found.kinds == STRING",
        text_schedule("no_length_of_a_text_can_be_another", "no_byte_of_a_schedule_can_change_unseen"),
    ),
    Mutation(
        "forms of texts inside a schedule",
        "ccb_luigi/documents/fast/schedule_bytes.py",
        "block.fall_back(found.docs[odd[~null]])",
        "pass",
        text_schedule("a_value_of_another_form_is_never_taken_for_text_that_can_be_copied"),
    ),
    Mutation(
        "a schedule that lacks a value that a rule needs doesn't surely add up",
        "ccb_luigi/documents/fast/schedule_totals.py",
        "holds &= ~table.missing[name]",
        "pass",
        text_schedule("a_balance_that_is_missing_is_not_taken_for_zero"),
    ),
    Mutation(
        "a schedule whose numbers don't rise is looked at row by row",
        "ccb_luigi/documents/fast/schedule_bytes.py",
        "block.fall_back(rows.docs[~rises])",
        "pass",
        text_schedule("a_repeated_number_is_not_passed"),
    ),
    Mutation(
        "an empty key is not learnt",
        "ccb_luigi/documents/fast/raw_columns.py",
        "not key or len(key)",
        "len(key)",
        raw_columns("an_empty_key_harms_not_even_the_last_of_its_block"),
    ),
    Mutation(
        "an amount that is rounded is Cerberus' to judge",
        "ccb_luigi/documents/kinds.py",
        "certain=lambda value, found: type(found) is not values.Rounded,",
        "",
        ("unit/test_findings.py",),
    ),
    Mutation(
        "a number for a tax id is Cerberus' to judge",
        "ccb_luigi/documents/kinds.py",
        "certain=lambda value, found: type(value) is str,",
        "",
        ("unit/test_compiled.py::test_how_many_digits_a_number_had_for_a_tax_id_depends_on_the_person",),
    ),
    Mutation(
        "a night by a clock that is a day off",
        "ccb_luigi/load/circumstances.py",
        "if apart and abs(apart) >= REFUSED}",
        "if apart and abs(apart) >= 99 * REFUSED}",
        ("db/test_circumstances.py::test_a_night_by_a_clock_a_day_off_is_refused_before_it_does_anything",),
    ),
    Mutation(
        "a date remembers its zone",
        "ccb_luigi/load/pipeline.py",
        "asdict(counts) | zone)",
        "asdict(counts))",
        (
            "db/test_circumstances.py::test_dates_that_another_zone_has_cut_are_told_until_they_are_done_again",
        ),
    ),
    Mutation(
        "a session that ends within a COPY prints nothing",
        "ccb_luigi/database/postgres.py",
        "cursor() as cursor, copying.unheard():",
        "cursor() as cursor:",
        ("db/test_sessions.py::test_a_session_that_ends_in_the_middle_of_a_copy_shows_no_row",),
    ),
    Mutation(
        "a refusal at the beginning doesn't end the session",
        "ccb_luigi/database/connecting.py",
        "SET LOCAL exit_on_error TO off; ",
        "",
        ("db/test_faults.py::test_a_server_that_refuses_to_look_after_its_clients_is_used_all_the_same",),
    ),
    Mutation(
        "the second Ctrl-C waits until the first has been told",
        "ccb_luigi/process/stopping.py",
        "    swallows(told)  # a screen",
        "    # a screen",
        ("unit/test_deadline.py::test_the_second_ctrl_c_waits_until_the_first_has_been_told",),
    ),
    Mutation(
        "the question whether a server answers has a limit",
        "ccb_luigi/database/postgres.py",
        "                late.start()\n",
        "",
        ("db/test_faults.py::test_the_question_whether_a_server_answers_has_a_limit_of_its_own",),
    ),
    Mutation(
        "a read that ends early",
        "ccb_luigi/sources/mongo.py",
        "if found < expected:\n            raise",
        "if False:\n            raise",
        (
            "db/test_faults.py::test_a_cursor_that_ends_early_is_not_taken_for_the_end",
            "db/test_faults.py::test_also_the_rarer_reads_are_not_cut_short",
        ),
    ),
    Mutation(
        "what no retry mends is told at once",
        "ccb_luigi/process/retry.py",
        "if not error.transient:\n            raise",
        "if False:\n            raise",
        ("unit/test_retry.py", "db/test_faults.py::test_a_refusal_that_no_retry_mends_is_told_at_once"),
    ),
    Mutation(
        "a hand at the tables is noticed",
        "ccb_luigi/load/unchanged.py",
        "USING (mongo_id, linhas, escritas)",
        "USING (mongo_id)",
        ("db/test_unchanged.py::test_a_hand_at_the_tables_is_noticed_and_undone",),
    ),
    Mutation(
        "other bytes are read anew",
        "ccb_luigi/documents/fingerprint.py",
        "    digest.update(raw)\n",
        "",
        ("db/test_unchanged.py::test_a_change_of_any_byte_counts_also_without_a_newer_time",),
    ),
    Mutation(
        "other rules read anew",
        "ccb_luigi/documents/fingerprint.py",
        "digest = hashlib.sha256(rules)",
        "digest = hashlib.sha256()",
        ("db/test_unchanged.py::test_other_rules_read_every_document_anew",),
    ),
    Mutation(
        "rules: a kept hash of other code",
        "ccb_luigi/documents/fingerprint.py",
        " and found.startswith(exact.digest())",
        "",
        ("unit/test_fingerprint.py::test_the_same_code_is_compiled_once_and_other_code_anew",),
    ),
    Mutation(
        "rules: half a kept hash",
        "ccb_luigi/documents/fingerprint.py",
        "len(found) == 2 * exact.digest_size and ",
        "",
        ("unit/test_fingerprint.py::test_a_kept_hash_that_is_not_whole_or_of_other_code_counts_for_nothing",),
    ),
    Mutation(
        "sweep: an empty source",
        "ccb_luigi/proof/sweep.py",
        "if not swept.lidos_origem and (why := this.origin.why_empty()):",
        "if False and (why := this.origin.why_empty()):",
        sweep("an_empty_source_is_never_believed"),
    ),
    Mutation(
        "sweep: an incomplete reading",
        "ccb_luigi/proof/sweep.py",
        "if swept.lidos_origem < counted and",
        "if False and",
        sweep("fewer_documents_than_mongodb_counts_are_no_reading"),
    ),
    Mutation(
        "sweep: too many vanished",
        "ccb_luigi/proof/sweep.py",
        "if swept.sumidos > max(FEW, SMALL_SHARE * swept.contratos_destino) and not this.confirmed:",
        "if False:",
        sweep(
            "more_than_twenty_and_more_than_one_in_two_hundred_have_to_be_confirmed",
            "what_is_missing_is_loaded_although_too_much_is_gone",
        ),
    ),
    Mutation(
        "sweep: looked up again",
        "ccb_luigi/proof/sweep.py",
        "there = this.origin.still_there(group)",
        "there = set()",
        sweep("what_is_back_by_the_time_that_it_would_be_marked_is_not_marked"),
    ),
    Mutation(
        "sweep: what is loaded meanwhile",
        "ccb_luigi/proof/sweep.py",
        "carregado_em < :started\n",
        "carregado_em < now() + interval '1 day' AND :started IS NOT NULL\n",
        sweep("what_was_loaded_while_the_sweep_ran_is_never_marked"),
        places=3,
    ),
    Mutation(
        "erased clients stay away",
        "ccb_luigi/documents/block.py",
        "if spec.erased and spec.erased.drops(judged):",
        "if False:",
        ("db/test_forget.py::test_no_run_brings_the_client_back_and_each_proof_is_exact",),
    ),
    Mutation(
        "erased clients need their key",
        "ccb_luigi/load/erasures.py",
        "if {row.verificador for row in rows} != {erased.verifier(secret)}:",
        "if False:",
        ("db/test_forget.py::test_without_the_key_or_with_another_one_nothing_runs",),
    ),
    Mutation(
        "older tables are refused",
        "ccb_luigi/database/schema.py",
        "if found < REVISION:",
        "if False:",
        ("db/test_upgrade.py::test_new_code_refuses_old_tables",),
    ),
    Mutation(
        "tables of before the first revision are refused",
        "ccb_luigi/database/schema.py",
        "if found < FIRST:",
        "if False:",
        (
            "db/test_upgrade.py::test_tables_that_no_revision_leads_on_from_stay_as_they_are_and_the_way_is_told",
        ),
    ),
    Mutation(
        "newer tables are refused",
        "ccb_luigi/database/schema.py",
        "if found > REVISION:",
        "if False:",
        ("db/test_upgrade.py::test_old_code_refuses_new_tables",),
    ),
    Mutation(
        "Ctrl-C within a fork",
        "ccb_luigi/process/stopping.py",
        'if getattr(_forking, "now", False) or _is_deaf(frame):',
        "if False:",
        (
            "unit/test_deadline.py::test_what_arrives_within_a_fork_is_heard",
            "unit/test_deadline.py::test_what_arrives_within_an_event_handler_of_luigi_is_heard",
        ),
    ),
    Mutation(
        "a cluster that failed is not asked again",
        "ccb_luigi/load/cluster.py",
        "or settings.executor in _given_up:",
        "or False:",
        ("db/test_dask.py::test_workers_with_other_rules_judge_nothing_and_that_is_told",),
    ),
    Mutation(
        "an estimate that is too low is none",
        "ccb_luigi/sources/mongo.py",
        "whole = self._found == total > 0",
        "whole = self._found >= total",
        ("db/test_faults.py::test_an_estimate_that_is_too_low_takes_no_short_read_for_a_whole_one",),
    ),
    Mutation(
        "a passing error doesn't cost the snapshot",
        "ccb_luigi/sources/mongo.py",
        "if error.code != NO_SNAPSHOT and (is_transient(error) or is_refused(error)):",
        "if False:",
        ("db/test_faults.py::test_a_passing_refusal_does_not_cost_the_snapshot",),
    ),
    Mutation(
        "what answers at luigid's address is luigid",
        "ccb_luigi/orchestration/luigid.py",
        'if not isinstance(found, dict) or "paused" not in found:',
        "if False:",
        ("unit/test_luigid.py::test_whoever_is_not_luigid_is_told_in_one_warning",),
    ),
    Mutation(
        "a luigid that went away ends no run",
        "ccb_luigi/orchestration/luigid.py",
        "self.lost = True",
        "raise",
        ("unit/test_luigid.py::test_a_luigid_that_turns_into_something_else_ends_no_run",),
    ),
    Mutation(
        "of two who share a name nobody is lost",
        "ccb_luigi/load/namesakes.py",
        "places.remove(place)",
        "pass",
        ("db/test_odd_ids.py::test_two_of_one_name_that_are_alike_are_two_all_the_same",),
    ),
    Mutation(
        "two who share a name are two for the proof",
        "ccb_luigi/proof/verify.py",
        "GROUP BY mongo_id, atualizado_em HAVING count(*) > 1",
        "GROUP BY mongo_id, atualizado_em HAVING count(*) > 2",
        ("db/test_odd_ids.py::test_two_of_one_name_that_are_alike_are_two_all_the_same",),
    ),
    Mutation(
        "one who answers drop by drop is not waited for",
        "ccb_luigi/process/drips.py",
        "left = self.until - time.monotonic()",
        "left = 60.0",
        ("unit/test_web.py::test_one_who_answers_drop_by_drop_is_waited_for_as_a_silent_one_is",),
    ),
    Mutation(
        "no redirection is followed",
        "ccb_luigi/process/web.py",
        "        _NoRedirect(),\n",
        "",
        ("unit/test_web.py::test_whatever_else_answers_is_told_in_one_line",),
    ),
    Mutation(
        "half an answer is none",
        "ccb_luigi/process/web.py",
        "if answer.length or answer.headers.defects:",
        "if False:",
        ("unit/test_web.py::test_whatever_else_answers_is_told_in_one_line",),
    ),
    Mutation(
        "Ctrl-C while an object is thrown away",
        "ccb_luigi/process/stopping.py",
        "if not isinstance(what.exc_value, KeyboardInterrupt):",
        "if True:",
        ("unit/test_deadline.py::test_what_arrives_while_an_object_is_thrown_away_is_heard",),
    ),
    Mutation(
        "a signal before the command line is imported",
        "ccb_luigi/__main__.py",
        "early.take_over()  # the rest",
        "pass  # the rest",
        ("unit/test_signals.py::test_a_signal_at_any_moment_ends_the_program_with_its_status_and_one_line",),
    ),
    Mutation(
        "a cluster's worker with other rules",
        "ccb_luigi/load/cluster.py",
        "!= request.rules:",
        "!= request.rules and False:",
        ("db/test_dask.py::test_workers_with_other_rules_judge_nothing_and_that_is_told",),
    ),
    Mutation(
        "migrations queue for no table",
        "ccb_luigi/database/schema.py",
        "        postgres.wait_briefly(connection)\n",
        "",
        (
            "db/test_gentle_upgrades.py::test_a_migration_gives_up_rather_than_queue_for_a_table_in_use",
            "db/test_gentle_upgrades.py::test_others_read_while_a_migration_tries_to_get_a_table",
        ),
    ),
    Mutation(
        "preflight: what can't be asked is grey",
        "ccb_luigi/preflight/checks.py",
        "if before and before.level in (Level.RED, Level.GREY):",
        "if False:",
        ("unit/test_preflight.py::test_what_can_not_be_asked_is_grey_and_never_green",),
    ),
    Mutation(
        "preflight: red has a status of its own",
        "ccb_luigi/commands/preflight.py",
        "PreflightFailed.exit_code if level is Level.RED else 0",
        "0",
        ("unit/test_preflight.py::test_only_red_has_a_status_of_its_own",),
    ),
    Mutation(
        "a view is replaced only where its text differs",
        "ccb_luigi/database/words.py",
        "self._ran.get(name) != _hash(statement) or",
        "True or",
        (
            "db/test_words.py::test_an_upgrade_with_nothing_to_change_writes_nothing",
            "db/test_words.py::test_readers_of_every_view_and_an_upgrade_with_nothing_to_change_do_not_meet",
        ),
    ),
    Mutation(
        "a view that is made anew keeps its rights",
        "ccb_luigi/database/words.py",
        "for right in self._rights.pop(name, ()):",
        "for right in ():",
        (
            "db/test_words.py::test_a_view_with_other_columns_is_made_anew_with_its_rights_and_what_of_ours_uses_it",
        ),
    ),
    Mutation(
        "exchanging parcelas queues for nobody",
        "ccb_luigi/database/partitioning.py",
        "                postgres.wait_briefly(connection)\n",
        "",
        ("db/test_partitioning.py::test_it_gives_up_rather_than_queue_behind_a_reader",),
    ),
    Mutation(
        "an index of a table in parts queues for nobody",
        "ccb_luigi/database/online_ddl.py",
        "    postgres.wait_briefly(connection)\n",
        "",
        (
            "db/test_gentle_upgrades.py::test_readers_and_writers_go_on_while_an_index_is_built_and_a_check_validated",
        ),
    ),
    Mutation(
        "who settles waits for no other who does",
        "ccb_luigi/database/online_ddl.py",
        'if not todo or postgres.try_lock(watching, "settle"):',
        'if not todo or not postgres.lock(watching, "settle"):',
        ("db/test_gentle_upgrades.py::test_of_two_upgrades_one_settles_and_the_other_does_not_wait_for_it",),
    ),
    Mutation(
        "an upgrade waits for steps under way",
        "ccb_luigi/database/schema.py",
        "    if postgres.try_lock(connection, LOCK):\n        return\n",
        "    if True:\n        return\n",
        UPGRADES,
    ),
    Mutation(
        "steps wait for an upgrade",
        "ccb_luigi/database/schema.py",
        "postgres.lock(connection, LOCK, shared=True)",
        "pass",
        UPGRADES,
    ),
    Mutation(
        "an upgrade tells whom it waits for, and gives up",
        "ccb_luigi/database/schema.py",
        "    if postgres.try_lock(connection, LOCK):\n        return\n",
        "    postgres.lock(connection, LOCK)\n    if True:\n        return\n",
        ("db/test_forget.py::test_it_waits_for_a_run_and_gives_up_in_one_line",),
    ),
    Mutation(
        "newest wins: clients of one instant",
        "ccb_luigi/load/loading.py",
        'not_older = "(n.atualizado_em, n.mongo_id) >= (t.atualizado_em, t.mongo_id)"',
        'not_older = "n.atualizado_em >= t.atualizado_em"',
        rules("a_document_that_arrives_later_with_the_same_instant_and_a_lesser_id_stays_behind"),
    ),
    Mutation(
        "newest wins: clients of one batch",
        "ccb_luigi/load/loading.py",
        "ORDER BY client_id, atualizado_em DESC, mongo_id DESC",
        "ORDER BY client_id, atualizado_em, mongo_id",
        rules("of_versions_of_one_instant_the_greater_id_by_bytes_counts"),
    ),
    Mutation(
        "one ccbCode, two documents of one batch",
        "ccb_luigi/load/loading.py",
        "AND (r.atualizado_em, r.mongo_id) > (k.atualizado_em, k.mongo_id))",
        "AND false)",
        rules("two_documents_of_one_code_and_one_date_leave_one_row_and_one_rejection"),
    ),
    Mutation(
        "loads of one table come one by one",
        "ccb_luigi/load/pipeline.py",
        "postgres.lock(connection, whole.table_lock(table))",
        "pass",
        rules("a_load_waits_for_another_dates_load_of_the_same_table"),
    ),
    Mutation(
        "nothing moves beneath a proof",
        "ccb_luigi/load/pipeline.py",
        "postgres.lock(connection, *map(whole.table_lock, (tables.operacoes, tables.parcelas)))",
        "pass",
        rules("a_date_is_proven_although_the_next_one_overtakes_it_at_that_moment"),
    ),
    Mutation(
        "a document that is read twice",
        "ccb_luigi/load/staging.py",
        "        self._drop_repeated()\n",
        "",
        ("db/test_source.py::test_of_a_document_that_moves_while_it_is_read_the_later_reading_counts",),
    ),
    Mutation(
        "NUL without a column",
        "ccb_luigi/documents/judge.py",
        "        _refuse_nul(rows.extras)\n",
        "",
        (
            "unit/test_judge.py"
            "::test_a_nul_in_a_field_without_a_column_is_refused_because_jsonb_has_no_place_for_it",
        ),
    ),
    Mutation(
        "how deep a document may be doesn't depend on Python",
        "ccb_luigi/documents/rawbson.py",
        "if _is_deeper(raw, DEEPEST):",
        "if False:",
        ("unit/test_judge.py::test_what_no_server_can_nest_is_refused_whatever_python_could_read",),
    ),
    Mutation(
        "a line of a person hides what PostgreSQL would quote of it",
        "ccb_luigi/documents/block.py",
        'HIDING = "0" * 100',
        'HIDING = ""',
        ("db/test_server_log.py::test_a_session_ended_within_a_copy_of_many_lines_quotes_none",),
    ),
    Mutation(
        "a text isn't called what another _id is called",
        "ccb_luigi/documents/identity.py",
        "len(value) <= MAX_ID and not _is_anothers_name(value):",
        "len(value) <= MAX_ID:",
        ("unit/test_identity.py::test_different_ids_have_different_names",),
    ),
    Mutation(
        "a server isn't asked for an _id that a query takes for more than a value",
        "ccb_luigi/documents/identity.py",
        "if _is_plain(value) and id_text(value) == name]",
        "if id_text(value) == name]",
        ("unit/test_identity.py::test_each_id_has_a_name_and_is_found_again_by_it",),
    ),
    Mutation(
        "a second _id names no document",
        "ccb_luigi/documents/identity.py",
        ' or rawbson.occurs_twice(raw, b"_id")',
        "",
        ("unit/test_judge.py::test_of_two_ids_a_refused_document_is_named_by_the_first",),
    ),
    Mutation(
        "a rerun of one table vouches for no other",
        "ccb_luigi/load/pipeline.py",
        "if _all_loaded_since(connection, day, extraction):",
        "if True:",
        ("db/test_unchanged.py::test_a_rerun_of_one_table_vouches_for_no_other",),
    ),
    Mutation(
        "who lost a code is read again",
        "ccb_luigi/load/by_id.py",
        "missing = dict.fromkeys(quarantine.without_document(connection))",
        "missing = dict.fromkeys(list[str]())",
        (
            *rules("of_two_documents_of_one_code_the_newest_has_the_row_and_the_other_is_kept_whole"),
            "db/test_lost_codes.py::test_a_loser_that_a_killed_run_left_unread_is_read_by_the_next",
        ),
    ),
    Mutation(
        "who wasn't read again yet may have a vacated code",
        "ccb_luigi/load/quarantine.py",
        "if raw is None or _code(bytes(raw)) in wanted]",
        "if raw is not None and _code(bytes(raw)) in wanted]",
        ("db/test_lost_codes.py::test_a_loser_that_was_not_read_yet_has_the_code_as_soon_as_it_is_vacated",),
    ),
    Mutation(
        "who loses a code twice",
        "ccb_luigi/load/loading.py",
        "SELECT DISTINCT ON (mongo_id) mongo_id, particao FROM (",
        "SELECT mongo_id, particao FROM (",
        ("db/test_lost_codes.py::test_who_loses_its_code_in_its_batch_and_in_the_table_is_rejected_once",),
    ),
    Mutation(
        "rejections stay open for an older reading",
        "ccb_luigi/load/quarantine.py",
        "AND (q.ultima_vez <= :read_at\n",
        "AND (q.ultima_vez IS DISTINCT FROM :read_at\n",
        ("db/test_quarantine.py::test_it_is_not_closed_by_a_reading_from_before_the_rejection",),
    ),
    Mutation(
        "rejections of what is found again stay open",
        "ccb_luigi/load/quarantine.py",
        " AND ultima_vez < now()\n",
        "\n",
        ("db/test_quarantine.py::test_a_retry_loads_what_has_become_good_whatever_its_date",),
    ),
    Mutation(
        "one sweep at a time",
        "ccb_luigi/proof/sweep.py",
        "        postgres.lock(connection, LOCK)\n",
        "",
        sweep("two_sweeps_at_once_run_one_after_the_other"),
    ),
    Mutation(
        "a shard stages for itself alone",
        "ccb_luigi/load/backfill.py",
        "batch = Batch.own(connection, shard)",
        "batch = Batch(connection, shard)",
        plan("no_shard_leaves_anything_in_the_staging_that_all_share"),
    ),
    Mutation(
        "a shard's marker is in its transaction",
        "ccb_luigi/load/backfill.py",
        "markers.put(connection, backfill_plan.STEP, None, counts.lidos, kept, name=name)",
        "postgres.Postgres(settings).run(\n"
        "            lambda c: markers.put(c, backfill_plan.STEP, None, counts.lidos, kept, name=name)\n"
        "        )",
        plan("a_shard_that_ends_before_its_commit_leaves_neither_rows_nor_marker"),
    ),
    Mutation(
        "a date's markers of a plan are in one transaction",
        "ccb_luigi/load/backfill.py",
        "markers.put(connection, step, day, of_step, counts, timed=False)",
        "alone = connection.engine.connect().execution_options(isolation_level='AUTOCOMMIT')\n"
        "            markers.put(alone, step, day, of_step, counts, timed=False)",
        plan("dates_of_a_plan_are_marked_with_their_proofs_or_not_at_all"),
    ),
    Mutation(
        "a shard is done by one",
        "ccb_luigi/load/backfill.py",
        "        postgres.lock(connection, name)\n",
        "",
        plan("all_runners_at_once_make_one_plan_and_do_each_shard_once"),
    ),
    Mutation(
        "a plan is made by one",
        "ccb_luigi/load/backfill_plan.py",
        "        postgres.lock(connection, LOCK)\n",
        "",
        plan("all_runners_at_once_make_one_plan_and_do_each_shard_once"),
    ),
    Mutation(
        "a plan ends when all its shards are done",
        "ccb_luigi/load/backfill.py",
        "if missing := backfill_plan.missing(connection, number):",
        "if (missing := backfill_plan.missing(connection, number)) and False:",
        plan("no_date_is_marked_before_all_shards_are_done"),
    ),
    Mutation(
        "a plan's dump is the one that was cut",
        "ccb_luigi/load/backfill.py",
        "if origin.identity() != ours.origem:",
        "if False:",
        plan("another_dump_is_not_taken_for_the_one_that_was_planned"),
    ),
    Mutation(
        "too many rejections in a shard",
        "ccb_luigi/load/backfill.py",
        "if _flooded_in_part(settings, counts):  # what is staged",
        "if False:  # what is staged",
        plan("too_many_rejected_documents_of_a_date_stop_its_shard_and_stay_in_quarantine"),
    ),
    Mutation(
        "a shard that isn't proven isn't kept",
        "ccb_luigi/load/whole.py",
        "        if not result.ok:\n            of =",
        "        if False:\n            of =",
        plan("a_shard_whose_target_differs_by_a_cent_keeps_nothing"),
    ),
    Mutation(
        "a child of a fork connects anew",
        "ccb_luigi/database/postgres.py",
        "if _of_process and _of_process[0] != os.getpid():",
        "if False:",
        (
            "db/test_postgres.py::test_a_forked_child_has_a_connection_of_its_own_and_leaves_its_parents_alone",
            "db/test_postgres.py::test_a_child_forked_within_a_transaction_does_not_end_it",
        ),
    ),
    Mutation(
        "who judges ends with its parent",
        "ccb_luigi/load/parallel.py",
        "    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()\n",
        "",
        ("unit/test_parallel.py::test_who_judges_ends_when_its_parent_is_killed",),
    ),
    Mutation(
        "who judges keeps no connection open",
        "ccb_luigi/load/parallel.py",
        "            os.close(descriptor)\n",
        "            pass\n",
        ("unit/test_parallel.py::test_who_judges_holds_no_connection_of_its_parent",),
    ),
    Mutation(
        "nothing is forked while a thread gets ready",
        "ccb_luigi/load/staging.py",
        "        helper.join()\n",
        "        pass\n",
        (
            "db/test_staging.py::test_what_is_made_ready_while_the_source_thinks_is_ready_before_anything_is_forked",
        ),
    ),
    Mutation(
        "what has no marker isn't done",
        "ccb_luigi/orchestration/worker.py",
        "        return asked.task_id in self._marked or bool(asked.complete())\n",
        "        return True\n",
        ("db/test_tasks.py::test_what_was_not_marked_is_asked_for_anew_and_so_is_the_task_itself",),
    ),
    Mutation(
        "a dead server is given up",
        "ccb_luigi/process/heartbeat.py",
        "            give_up()\n",
        "            pass\n",
        ("db/test_faults.py::test_a_database_that_stops_answering_is_given_up",),
    ),
    Mutation(
        "a dump that changes while it is read",
        "ccb_luigi/sources/dump.py",
        '            raise SourceError(f"{self.path} changed',
        '            SourceError(f"{self.path} changed',
        ("unit/test_dump_changes.py",),
    ),
    Mutation(
        "a person waits a moment for who has not answered yet",
        "ccb_luigi/settings.py",
        "return min(self.retry_seconds, IMPATIENCE) if self.impatient else self.retry_seconds",
        "return self.retry_seconds",
        (
            "unit/test_settings.py::test_a_person_waits_a_moment_for_who_has_not_answered_yet_unless_something_else_is_set",
        ),
    ),
    Mutation(
        "an explicit patience stands above a person's",
        "ccb_luigi/settings.py",
        'impatient="retry_seconds" not in found and somebody_waits()',
        "impatient=somebody_waits()",
        (
            "unit/test_settings.py::test_a_person_waits_a_moment_for_who_has_not_answered_yet_unless_something_else_is_set",
        ),
    ),
    Mutation(
        "who has answered once is waited for as by night",
        "ccb_luigi/database/postgres.py",
        "            soon(self._connect, self._first)\n            self._first = None",
        "            self._deadline = self._patience = self._first",
        (
            "db/test_faults.py::test_a_person_is_told_soon_that_postgresql_is_away_but_what_has_answered_once_is_awaited",
        ),
    ),
    Mutation(
        "an empty variable takes away what luigi.cfg says",
        "ccb_luigi/settings.py",
        "if name not in environ:",
        "if True:",
        (
            "unit/test_settings.py::test_every_setting_may_stand_in_the_file_and_an_empty_variable_takes_it_away_again",
        ),
    ),
    Mutation(
        "what failed too often in an earlier run is tried",
        "ccb_luigi/orchestration/luigid.py",
        '            self._enable(data["task_id"])',
        "            pass",
        ("unit/test_luigid.py::test_what_failed_too_often_in_an_earlier_run_is_tried_by_the_next_one",),
    ),
    Mutation(
        "a paused luigid is not waited for",
        "ccb_luigi/orchestration/luigid.py",
        "if paused(found, SECONDS_TO_FIND):",
        "if paused(found, SECONDS_TO_FIND) and False:",
        ("unit/test_luigid.py::test_a_paused_luigid_is_not_waited_for",),
    ),
    Mutation(
        "what luigid gives to nobody is done without it",
        "ccb_luigi/orchestration/runner.py",
        '_build_once([MigrateCCB(date=day) for day in left], "", settings, workers)',
        "pass",
        ("acceptance/test_luigi.py::test_a_scheduler_that_takes_no_second_claim_for_a_while_costs_no_rerun",),
    ),
    Mutation(
        "no line about progress among lines of JSON",
        "ccb_luigi/telemetry/logs.py",
        "_progress = not (quiet or _lines)",
        "_progress = not quiet",
        ("unit/test_plain_progress.py::test_json_lines_and_quiet_mean_no_progress",),
    ),
    Mutation(
        "Luigi's own command line quotes no parameter",
        "ccb_luigi/luigi_line.py",
        'if isinstance(error, ValueError) and "_get_task_kwargs" in places:',
        "if False:",
        ("acceptance/test_luigi.py::test_luigis_own_command_line_has_one_line_for_what_is_wrong_with_it",),
    ),
    Mutation(
        "a document without a date counts with one date",
        "ccb_luigi/documents/block.py",
        "if each[2].mongo_id in ours[each[0]]]",
        "]",
        (
            "db/test_source.py::test_a_document_whose_time_can_not_be_read_is_found_by_any_run_and_counts_with_the_first",
        ),
    ),
    Mutation(
        "what another date has put into quarantine for want of a date is left alone",
        "ccb_luigi/load/quarantine.py",
        "WHERE :again OR q.particao IS NOT DISTINCT FROM excluded.particao",
        "WHERE true OR q.particao IS NOT DISTINCT FROM excluded.particao",
        (
            "db/test_quarantine.py::test_of_dates_side_by_side_the_first_to_commit_has_the_document_whose_time_can_not_be_read",
        ),
    ),
    Mutation(
        "the recount: rows of another version are no loss",
        "ccb_luigi/load/recount.py",
        '(operacoes.ccb_code IS NULL OR {_same_version("operacoes")})',
        "true",
        ("db/test_recount.py::test_a_newer_version_of_another_date_that_is_under_way_is_no_loss",),
    ),
    Mutation(
        "the recount: a client's rows are the newest document's",
        "ccb_luigi/load/recount.py",
        'LEFT JOIN clientes ON {_same_version("clientes")}',
        "LEFT JOIN clientes ON clientes.client_id = v.client_id",
        ("db/test_recount.py::test_what_later_loads_change_is_no_loss",),
    ),
    Mutation(
        "the recount: a date between two steps is left out",
        "ccb_luigi/load/recount.py",
        "WHERE target_table = '{markers.EXTRACTION}'",
        "WHERE target_table = 'nenhum'",
        ("db/test_recount.py::test_between_the_steps_of_a_date_nothing_is_missed",),
    ),
    Mutation(
        "the recount: who loses a code loses the count as well",
        "ccb_luigi/load/whole.py",
        "    forget_documents(batch.connection, [name for name, _ in losers])",
        "    pass",
        ("db/test_recount.py::test_what_later_loads_change_is_no_loss",),
    ),
)
