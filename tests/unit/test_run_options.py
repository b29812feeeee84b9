"""What the options of ``run`` ask for."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from typing import Any

import click
import pytest

from ccb_luigi import cli
from ccb_luigi import settings as settings_module
from ccb_luigi.commands import rerun
from ccb_luigi.commands.run import Asked, dates_asked_for
from ccb_luigi.settings import Settings

OLD, BEFORE, YESTERDAY, TODAY = date(2026, 3, 1), date(2026, 3, 8), date(2026, 3, 9), date(2026, 3, 10)
NOTHING: dict[str, Any] = {"day": None, "since": None, "until": None, "full": False, "so_far": False}


def asked(dump: str = "", **options: Any) -> Asked:
    return dates_asked_for(Settings(source=dump), **(NOTHING | options))


@pytest.fixture(autouse=True)
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings_module, "now", lambda: datetime(2026, 3, 10, 15, tzinfo=UTC))


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, Asked(YESTERDAY, YESTERDAY, many=False)),
        ({"day": OLD}, Asked(OLD, OLD, many=False)),
        ({"day": TODAY}, Asked(TODAY, TODAY, many=False)),
        ({"since": OLD}, Asked(OLD, YESTERDAY, many=True)),
        ({"until": BEFORE}, Asked(BEFORE, BEFORE, many=True)),
        ({"since": OLD, "until": BEFORE}, Asked(OLD, BEFORE, many=True)),
        ({"full": True}, Asked(None, YESTERDAY, many=True)),
        ({"full": True, "until": BEFORE}, Asked(None, BEFORE, many=True)),
        ({"full": True, "day": BEFORE}, Asked(None, BEFORE, many=True)),
    ],
)
def test_a_date_a_range_or_everything(options: dict[str, Any], wanted: Asked) -> None:
    assert asked(**options) == wanted


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, Asked(YESTERDAY, YESTERDAY, many=False, today=TODAY)),
        ({"day": TODAY}, Asked(TODAY, YESTERDAY, many=False, today=TODAY)),
        ({"since": OLD}, Asked(OLD, YESTERDAY, many=True, today=TODAY)),
        ({"since": OLD, "until": TODAY}, Asked(OLD, YESTERDAY, many=True, today=TODAY)),
        ({"since": TODAY, "until": TODAY}, Asked(TODAY, YESTERDAY, many=False, today=TODAY)),
        ({"full": True}, Asked(None, YESTERDAY, many=True, today=TODAY)),
        ({"day": BEFORE}, Asked(BEFORE, BEFORE, many=False)),
        ({"until": BEFORE}, Asked(BEFORE, BEFORE, many=True)),
    ],
)
def test_today_counts_so_far_unless_another_end_is_named(options: dict[str, Any], wanted: Asked) -> None:
    assert asked(so_far=True, **options) == wanted


def test_a_dump_has_today_only_if_today_is_named() -> None:
    assert asked("a.bson", so_far=True) == Asked(YESTERDAY, YESTERDAY, many=False)
    assert asked("a.bson", so_far=True, day=TODAY).today == TODAY


@pytest.mark.parametrize(
    "options",
    [
        {"day": OLD, "since": OLD},
        {"day": OLD, "until": OLD},
        {"full": True, "since": OLD},
        {"since": YESTERDAY, "until": OLD},
        {"since": TODAY},
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(click.UsageError):
        asked(**options)


def test_the_days_are_those_of_the_range_and_none_where_only_the_source_knows() -> None:
    assert asked(since=BEFORE).days == [BEFORE, YESTERDAY]
    assert asked(day=TODAY, so_far=True).days == []
    assert asked(full=True).days == []


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_a_command_is_found_in_the_module_of_its_name(name: str) -> None:
    found = cli.main.get_command(click.Context(cli.main), name)
    assert found is not None
    assert found.name == name
    assert found.get_short_help_str()


def again(report: bytes | None = None, **options: date) -> list[date]:
    named = dict.fromkeys(("day", "since", "until")) | options
    return rerun.dates_asked_for(Settings(), verified=None if report is None else io.BytesIO(report), **named)


def test_a_rerun_is_of_a_date_of_a_range_or_of_what_verify_found() -> None:
    assert again(day=OLD) == [OLD]
    assert again(since=BEFORE) == [BEFORE, YESTERDAY]
    assert again(since=OLD, until=date(2026, 3, 3)) == [OLD, date(2026, 3, 2), date(2026, 3, 3)]
    assert again(b'{"ok": false, "dates": ["2026-03-08", "2026-03-01"]}') == [OLD, BEFORE]
    assert again(b'{"dates": []}') == []


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"until": OLD},
        {"day": OLD, "since": OLD},
        {"day": OLD, "until": OLD},
        {"day": OLD, "report": b'{"dates": []}'},
        {"since": BEFORE, "until": OLD},
        *(
            {"report": each}
            for each in (b"", b"[]", b"{}", b'{"dates": 3}', b'{"dates": ["ontem"]}', b"\xff")
        ),
        *({"report": each} for each in (b'{"dates": [1]}', b"null", b'"dates"')),
    ],
)
def test_a_rerun_of_nothing_or_in_two_ways_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(click.UsageError, match=r"date|--since|--from-verify"):
        again(**options)
