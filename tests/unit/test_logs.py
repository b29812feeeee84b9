"""Log lines: text for people, JSON for machines, and nothing in either that quotes data."""

from __future__ import annotations

import io
import json
import logging
import os
import warnings
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import IO, Any

import pytest

from ccb_luigi.errors import SourceError
from ccb_luigi.process.events import Event
from ccb_luigi.telemetry import logs
from ccb_luigi.telemetry.loglines import FIELDS
from ccb_luigi.telemetry.runs import Recorder

DAY = date(2026, 11, 22)
QUIETED = ("", "ccb_luigi", "ccb_luigi.run", "luigi", "luigi-interface", "luigi.scheduler", "alembic",
           "pymongo", "sqlalchemy", "urllib3")  # fmt: skip


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where lines go; afterwards logging is as it was."""
    root = logging.getLogger()
    levels = {name: logging.getLogger(name).level for name in QUIETED}
    handlers, root.handlers = root.handlers, []
    yield io.StringIO()
    root.handlers = handlers
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    logging.captureWarnings(False)
    logs.begin("")
    logs._lines = False


def configure(form: str, *, verbose: bool, stream: IO[str]) -> None:
    """As the command line does it, where nothing has been set up before (pytest has)."""
    logging.getLogger().handlers.clear()
    logs.configure(form, verbose=verbose, stream=stream)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_the_promised_fields_in_order(stream: io.StringIO) -> None:
    configure("json", verbose=False, stream=stream)
    recorder = Recorder("run", [DAY])
    recorder.begin()
    recorder.handle(Event("started", "parcelas", DAY))
    recorder.handle(Event("done", "parcelas", DAY, 12))
    recorder.handle(Event("failed", "reconciliacoes", DAY, message="one\nline", exit_code=12))
    recorder.end(12)
    found = lines(stream)
    assert [line["event"] for line in found] == [
        *("run_started", "step_started", "step_done", "step_failed", "run_ended")
    ]
    for line in found:
        names = list(line)
        assert names[:5] == ["ts", "level", "event", "message", "logger"]
        assert [name for name in FIELDS if name in names] == names[5:]
        assert line["ts"].endswith("Z")
        assert line["run_id"] == recorder.run.run_id
        assert all(isinstance(value, (str, int, float)) for value in line.values()), "as GELF wants it"
    begun, _, done, failed, ended = found
    assert begun["dates"] == "2026-11-22/2026-11-22"
    assert (done["task"], done["table"], done["partition"]) == ("parcelas", "parcelas", "2026-11-22")
    assert (done["rows"], done["level"]) == (12, "info")
    assert done["seconds"] >= 0
    assert "table" not in failed
    assert (failed["level"], failed["exit_code"], failed["message"]) == ("error", 12, "one\nline")
    assert (ended["level"], ended["exit_code"], ended["incomplete"]) == ("error", 12, 1)
    assert ended["message"] == "run ended with 12: 0 of 1 dates complete"


def test_people_see_what_they_always_saw_and_with_verbose_the_steps_too(stream: io.StringIO) -> None:
    configure("text", verbose=False, stream=stream)
    Recorder("run", [DAY]).handle(Event("failed", "parcelas", DAY, message="no"))  # the display says it
    logging.getLogger("ccb_luigi.process.retry").warning("gone; trying again")
    assert stream.getvalue().endswith(" WARNING gone; trying again\n")
    assert stream.getvalue().count("\n") == 1
    configure("text", verbose=True, stream=stream)
    Recorder("run", [DAY]).handle(Event("started", "parcelas", DAY))
    assert stream.getvalue().endswith(" INFO    parcelas 2026-11-22 started\n")


def test_lines_are_json_where_stderr_is_the_journal_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: io.StringIO
) -> None:
    with (tmp_path / "journal").open("w") as journal, (tmp_path / "file").open("w") as file:
        found = os.fstat(journal.fileno())
        monkeypatch.setenv("INVOCATION_ID", "x")
        monkeypatch.delenv("JOURNAL_STREAM", raising=False)
        configure("auto", verbose=False, stream=journal)
        assert not logs.are_lines()
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
        for form, expected in (("auto", True), ("text", False), ("json", True)):
            configure(form, verbose=False, stream=journal)
            assert logs.are_lines() is expected
        for other in (file, stream):  # the latter is no file at all
            configure("auto", verbose=False, stream=other)
            assert not logs.are_lines()


SECRETS = [
    "connecting to mongodb://reader:TOPSECRET@db.example.com/?tls=true failed",
    "mongodb://reader:TOP/SECRET/TOPSECRET@h:x:y",
    "postgresql://u:TOPSECRET@h/d?sslmode=require",
    "host=h user=u password=TOPSECRET dbname=d",
    "host=h password='TOPSECRET with blanks TOPSECRET' dbname=d",
    "duplicate key value\nDETAIL:  Key (valor)=(TOPSECRET) already exists.",
    'no\nCONTEXT:  COPY contatos, line 1: "TOPSECRET"',
    "chave duplicada\nDETALHE:  Chave (valor)=(TOPSECRET) já existe.",
    "falhou CONTEXTO: linha TOPSECRET\nmore TOPSECRET",
    "(psycopg2.Error) no [SQL: INSERT INTO x VALUES (%(a)s)] [parameters: {'a': 'TOPSECRET'}]",
]


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize("words", SECRETS, ids=range(len(SECRETS)))
def test_what_libraries_say_passes_a_sieve(stream: io.StringIO, words: str, form: str) -> None:
    configure(form, verbose=True, stream=stream)
    logging.getLogger("luigi-interface").info("%s", words)
    if form == "json":  # else Python prints them itself
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn(words, stacklevel=1)
    assert "TOPSECRET" not in stream.getvalue()
    assert words[:2] in stream.getvalue()


def test_an_exception_tells_its_kind_and_place_and_only_ours_its_words(stream: io.StringIO) -> None:
    for form in ("json", "text"):
        configure(form, verbose=False, stream=stream)
        for error in (ValueError("TOPSECRET"), SourceError("the dump ends in the middle")):
            try:
                raise error
            except (ValueError, SourceError):
                logging.getLogger("luigi.worker").critical("failed", exc_info=True)
    said = stream.getvalue()
    assert "TOPSECRET" not in said
    assert said.count("ValueError") == 2
    assert said.count("SourceError: the dump ends in the middle") == 2
    first = json.loads(said.splitlines()[0])
    assert first["error"] == "ValueError"
    assert first["where"].startswith("test_logs.py:")


def test_libraries_keep_their_commands_and_statements_to_themselves(stream: io.StringIO) -> None:
    configure("json", verbose=True, stream=stream)
    for name in ("pymongo.command", "sqlalchemy.engine.Engine", "urllib3.connectionpool"):
        logging.getLogger(name).info("INSERT INTO clientes ('TOPSECRET')")
    assert stream.getvalue() == ""
    logging.getLogger("pymongo.topology").warning("heartbeat failed")
    (line,) = lines(stream)
    assert (line["event"], line["logger"], line["level"]) == ("log", "pymongo.topology", "warning")


def test_a_record_of_a_library_brings_no_fields_of_its_own(stream: io.StringIO) -> None:
    configure("json", verbose=False, stream=stream)
    logging.getLogger("x").warning("words", extra={"document": "TOPSECRET", "rows": 3})
    (line,) = lines(stream)
    assert set(line) == {"ts", "level", "event", "message", "logger", "rows"}
