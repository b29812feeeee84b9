"""What preflight says of what it finds: each cause by itself, made up where no server can be made so."""

from __future__ import annotations

import json
import platform
import socket
import stat
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import strangers
from click.testing import CliRunner

from ccb_luigi.commands import preflight as command
from ccb_luigi.errors import SourceError
from ccb_luigi.preflight import addresses, checks, host, source, target, target_settings
from ccb_luigi.preflight.checks import Check
from ccb_luigi.preflight.lines import Level, Line, green, grey, red, worst, yellow
from ccb_luigi.settings import Settings

GREEN, GREY, YELLOW, RED = Level
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)

# --- versions -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "wire", "level"),
    [
        *(("6.0.9", 17, YELLOW), ("7.0.2", 21, GREEN), ("8.0.4", 25, GREEN), ("8.3.0", 28, GREEN)),
        *(("9.0.1", 29, GREEN), ("10.0.0", 40, YELLOW), ("4.4.29", 9, YELLOW)),
        # Where only the protocol is told.
        *(("", 17, YELLOW), ("", 21, GREEN), ("", 30, GREEN), ("", 9, GREY), ("", None, GREY)),
        ("next", 25, GREEN),
    ],
)
def test_mongodbs_version_is_green_while_it_is_maintained_and_was_made_for(
    told: str, wire: int | None, level: Level
) -> None:
    assert source.judge_version(told, wire).level is level


@pytest.mark.parametrize(
    ("major", "level"), [(13, RED), (14, YELLOW), (15, GREEN), (18, GREEN), (19, GREEN), (20, YELLOW)]
)
def test_postgresqls_version_is_green_while_it_is_maintained_and_was_tried(major: int, level: Level) -> None:
    assert target.judge_version(major).level is level


def test_the_python_is_told() -> None:
    assert host.python(Settings()).said.startswith(platform.python_version())


# --- MongoDB's user and indexes -----------------------------------------------------------------------


def privilege(*actions: str, db: str = "ccb", collection: str = "") -> dict[str, Any]:
    return {"resource": {"db": db, "collection": collection}, "actions": [*actions]}


USER = [{"user": "ccb_reader", "db": "ccb"}]


@pytest.mark.parametrize(
    ("privileges", "level", "said"),
    [
        ([privilege("find", "listCollections")], GREEN, "may read, and not write"),
        ([privilege("find", db="")], GREEN, "not write"),
        ([privilege("find", collection="contratos")], GREEN, "not write"),
        ([privilege("find"), privilege("insert", "update", db="other")], GREEN, "not write"),
        ([privilege("find"), privilege("insert", collection="others")], GREEN, "not write"),
        ([privilege("find", "insert", "remove")], YELLOW, "insert, remove"),
        ([{"resource": {"anyResource": True}, "actions": ["anyAction"]}], YELLOW, "anyAction"),
        ([privilege("find", db="other")], RED, "may not read ccb.contratos"),
        ([], RED, "may not read"),
        (None, GREY, "doesn't say"),
    ],
)
def test_what_mongodbs_user_may_do_is_told(privileges: Any, level: Level, said: str) -> None:
    found = source.judge_rights(
        {"authenticatedUsers": USER, "authenticatedUserPrivileges": privileges}, "ccb", "contratos"
    )
    assert found.level is level
    assert said in found.said


def test_who_has_a_role_of_which_no_privilege_is_told_is_not_called_without_rights() -> None:
    found: dict[str, Any] = {"authenticatedUsers": USER, "authenticatedUserPrivileges": []}
    assert source.judge_rights(found | {"authenticatedUserRoles": []}, "ccb", "contratos").level is RED
    found["authenticatedUserRoles"] = [{"role": "read", "db": "ccb"}]
    assert source.judge_rights(found, "ccb", "contratos").level is GREY


def test_a_mongodb_without_logins_is_told_and_a_silent_one_is_not_taken_for_good() -> None:
    assert source.judge_rights({"authenticatedUsers": []}, "ccb", "c").level is YELLOW
    assert source.judge_rights({}, "ccb", "c").level is GREY


ID = {"v": 2, "key": {"_id": 1}, "name": "_id_"}


@pytest.mark.parametrize(
    ("more", "key", "serves"),
    [
        ({}, {"updatedAt": 1}, True),
        ({}, {"updatedAt": -1}, True),
        ({}, {"updatedAt": 1, "status": 1}, True),
        ({"hidden": False}, {"updatedAt": 1}, True),
        ({}, {"status": 1, "updatedAt": 1}, False),
        ({}, {"updatedAt": "hashed"}, False),
        ({"sparse": True}, {"updatedAt": 1}, False),
        ({"hidden": True}, {"updatedAt": 1}, False),
        ({"partialFilterExpression": {"status": "x"}}, {"updatedAt": 1}, False),
        ({"collation": {"locale": "pt"}}, {"updatedAt": 1}, False),
    ],
)
def test_only_an_index_that_serves_the_query_counts(
    more: dict[str, Any], key: dict[str, Any], serves: bool
) -> None:
    found = source.judge_indexes([ID, {"v": 2, "key": key, "name": "mine", **more}], "contratos")
    assert found.level is (GREEN if serves else YELLOW)
    assert serves or found.do == "db.contratos.createIndex({updatedAt: 1})"


def test_no_index_is_told_with_the_command_that_makes_one() -> None:
    found = source.judge_indexes([ID], "ccbs")
    assert (found.level, found.do) == (YELLOW, "db.ccbs.createIndex({updatedAt: 1})")


# --- clocks and passwords -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("off", "level", "said"),
    [
        *((timedelta(), GREEN, "goes as"), (timedelta(seconds=59), GREEN, "goes as")),
        (timedelta(minutes=3), YELLOW, "3 min ahead of this machine's"),
        (timedelta(minutes=-3), YELLOW, "3 min behind this machine's"),
        (timedelta(hours=5), YELLOW, "5 h ahead"),
        (timedelta(days=1), RED, "24 h ahead"),
        (timedelta(days=-14), RED, "14 days behind"),
    ],
)
def test_minutes_between_two_clocks_are_a_warning_and_a_day_is_a_refusal(
    off: timedelta, level: Level, said: str
) -> None:
    found = source.judge_clock(NOW + off, NOW, NOW)
    assert found.level is level
    assert said in found.said


def test_a_slow_answer_is_not_taken_for_a_wrong_clock() -> None:
    assert source.judge_clock(NOW, NOW - timedelta(minutes=5), NOW + timedelta(minutes=5)).level is GREEN


@pytest.mark.parametrize(
    ("left", "level"),
    [(None, GREEN), (timedelta(days=90), GREEN), (timedelta(days=6), YELLOW), (timedelta(0), RED)],
)
def test_a_password_that_ends_soon_is_told(left: timedelta | None, level: Level) -> None:
    assert target.judge_expiry(left if left is None else NOW + left, NOW).level is level


# --- PostgreSQL's settings ----------------------------------------------------------------------------

FINE = {"transaction_isolation": "read committed", "transaction_read_only": "off", "statement_timeout": "0",
        "session_replication_role": "origin", "standard_conforming_strings": "on"}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "level"),
    [
        ("statement_timeout", "0", GREEN),
        ("transaction_isolation", "repeatable read", RED),
        ("transaction_read_only", "on", RED),
        ("session_replication_role", "replica", RED),
        ("standard_conforming_strings", "off", RED),
        ("statement_timeout", "5000", YELLOW),
        ("idle_in_transaction_session_timeout", "5000", YELLOW),
        ("transaction_timeout", "5000", YELLOW),
    ],
)
def test_a_setting_that_a_transaction_can_not_have_is_named(name: str, value: str, level: Level) -> None:
    found = target_settings.judge_session(FINE | {name: value})
    assert found.level is level
    assert level is GREEN or name in found.said


DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}


@pytest.mark.parametrize("name", DURABLE)
def test_a_server_that_forgets_in_a_crash_is_told(name: str) -> None:
    found = target_settings.judge_durability(DURABLE | {name: "off"})
    assert (found.level, f"({name} = off)" in found.said) == (YELLOW, True)
    for value in ("on", "local", "remote_apply"):
        assert target_settings.judge_durability(DURABLE | {"synchronous_commit": value}).level is GREEN


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        *(("log_statement", "none", False), ("log_statement", "ddl", False), ("log_statement", "all", True)),
        *(("log_min_duration_statement", "-1", False), ("log_min_duration_statement", "1000", True)),
        *(("log_min_duration_sample", "10", True), ("log_transaction_sample_rate", "0.01", True)),
        *(("log_transaction_sample_rate", "0", False), ("log_lock_waits", "on", True)),
        *(("auto_explain.log_min_duration", "100", True), ("pgaudit.log", "write", True)),
        ("pgaudit.log", "none", False),
    ],
)
def test_settings_that_write_statements_into_the_log_are_named(name: str, value: str, told: bool) -> None:
    found = target_settings.judge_log({name: value})
    assert found.level is GREEN, "statements hold ids, and nothing else of a document"
    assert (f"{name} = {value}" in found.said) is told


# --- other addresses ----------------------------------------------------------------------------------


def url(port: int) -> str:
    return f"http://user:canary-secret@{strangers.HOST}:{port}"


@pytest.mark.parametrize("kind", strangers.ANSWERS)
def test_a_stranger_at_luigids_or_the_pushgateways_address_is_told_and_costs_no_night(kind: str) -> None:
    behave, said = strangers.ANSWERS[kind]
    with strangers.answering(behave) as port:
        for found in (
            addresses.scheduler(Settings(scheduler_url=url(port))),
            addresses.pushgateway(Settings(pushgateway_url=url(port))),
        ):
            assert found.level is YELLOW
            assert said in found.said
            assert "canary" not in found.said + found.do


JSON = "Content-Type: application/json"


@pytest.mark.parametrize(
    ("body", "level", "said"),
    [
        (b'{"response": {"paused": false}}', GREEN, "luigid answers"),
        (b'{"response": {"paused": true}}', YELLOW, "is paused"),
        (b'{"response": {}}', YELLOW, "isn't luigid"),
        (b'{"status": "success"}', YELLOW, "isn't luigid"),
    ],
)
def test_luigid_is_known_by_its_answer_and_a_pause_is_told(body: bytes, level: Level, said: str) -> None:
    with strangers.answering(strangers.saying(strangers.http("200 OK", body, JSON))) as port:
        found = addresses.scheduler(Settings(scheduler_url=url(port)))
    assert (found.level, said in found.said) == (level, True)


@pytest.mark.parametrize(
    ("body", "level"), [(b'{"status": "success", "data": {}}', GREEN), (b'{"response": 1}', YELLOW)]
)
def test_a_pushgateway_is_known_by_its_answer(body: bytes, level: Level) -> None:
    with strangers.answering(strangers.saying(strangers.http("200 OK", body, JSON))) as port:
        assert addresses.pushgateway(Settings(pushgateway_url=url(port))).level is level


def test_what_no_address_can_be_is_told_for_each() -> None:
    wrong = Settings(scheduler_url="nowhere", alert_webhook="ftp://x/canary", alert_mail_to="a@example.com",
                     alert_smtp="gopher://canary")  # fmt: skip
    for check in (addresses.scheduler, addresses.webhook, addresses.mail):
        found = check(wrong)
        assert found.level is YELLOW
        assert "canary" not in found.said + found.do


def test_nothing_is_sent_to_a_webhook() -> None:
    heard: list[bytes] = []
    done = threading.Event()

    def behave(client: socket.socket) -> None:
        heard.append(client.recv(1 << 16))
        done.set()

    with strangers.answering(behave) as port:
        found = addresses.webhook(Settings(alert_webhook=f"{url(port)}/hooks/canary"))
        assert done.wait(30)
    assert found.level is GREEN
    assert "canary" not in found.said + found.do
    assert heard == [b""]


def test_a_webhook_where_nobody_listens_is_told() -> None:
    with strangers.closed_port() as port:
        assert addresses.webhook(Settings(alert_webhook=url(port))).level is YELLOW


def post(words: dict[bytes, bytes], heard: list[bytes]) -> strangers.Behaviour:
    """A mail server's side of the talk: what it says to each command."""

    def behave(client: socket.socket) -> None:
        client.sendall(b"220 mail ESMTP\r\n")
        with client.makefile("rb") as lines:
            for line in lines:
                heard.append(line.split()[0].upper())
                client.sendall(words.get(heard[-1], b"250 ok\r\n"))
                if heard[-1] == b"QUIT":
                    return

    return behave


def test_the_mail_server_is_greeted_and_gets_no_mail() -> None:
    heard: list[bytes] = []
    with strangers.answering(post({b"QUIT": b"221 bye\r\n"}, heard)) as port:
        settings = Settings(alert_mail_to="a@example.com", alert_smtp=f"smtp://{strangers.HOST}:{port}")
        assert addresses.mail(settings).level is GREEN
    assert not {b"MAIL", b"RCPT", b"DATA"} & set(heard)


def test_a_mail_server_that_lets_us_not_in_or_is_none_is_told() -> None:
    heard: list[bytes] = []
    refusing = {b"EHLO": b"250-mail\r\n250 AUTH PLAIN\r\n", b"AUTH": b"535 no\r\n", b"QUIT": b"221 bye\r\n"}
    with strangers.answering(post(refusing, heard)) as port:
        at = f"smtp://u:canary@{strangers.HOST}:{port}"
        found = addresses.mail(Settings(alert_mail_to="a@example.com", alert_smtp=at))
    assert found.level is YELLOW
    assert found.said.endswith("refused user or password")
    assert "canary" not in found.said
    with strangers.answering(strangers.NOT_HTTP["SSH"]) as port:
        at = f"smtp://{strangers.HOST}:{port}"
        assert addresses.mail(Settings(alert_mail_to="a@example.com", alert_smtp=at)).level is YELLOW


def test_a_night_of_which_nobody_would_hear_is_told() -> None:
    assert addresses.mail(Settings()).level is YELLOW
    assert addresses.mail(Settings(alert_webhook="https://example.com/x")).level is GREEN


def test_a_dask_cluster_that_is_not_there_costs_no_night_and_is_told() -> None:
    pytest.importorskip("distributed")
    with strangers.closed_port() as port:
        assert addresses.dask(Settings(executor=f"tcp://{strangers.HOST}:{port}")).level is YELLOW
    assert addresses.dask(Settings()).level is GREEN


# --- directories --------------------------------------------------------------------------------------


def of_table(name: str, settings: Settings) -> Line:
    """What the check of that name says."""
    return next(check for check in checks.CHECKS if check.name == name).ask(settings)


def test_a_directory_is_looked_at_and_not_made(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert of_table("morning page", Settings()).level is GREEN
    assert of_table("morning page", Settings(report_dir=str(tmp_path))).level is GREEN
    assert of_table("metrics", Settings(metrics_dir=str(tmp_path / "a" / "b"))).said.endswith("can be made")
    assert not (tmp_path / "a").exists()
    assert of_table("morning page", Settings(report_dir=str(file / "x"))).level is YELLOW


def test_a_directory_of_somebody_else_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(stat.S_IRUSR)
    monkeypatch.setattr(host.os, "access", lambda path, mode: False)  # root may everything
    assert of_table("metrics", Settings(metrics_dir=str(tmp_path))).level is YELLOW
    tmp_path.chmod(stat.S_IRWXU)


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = host.shutil.disk_usage(tmp_path)._replace(free=1 << 20)
    monkeypatch.setattr(host.shutil, "disk_usage", lambda path: full)
    assert of_table("morning page", Settings(report_dir=str(tmp_path))).level is YELLOW


# --- the table and how it is asked --------------------------------------------------------------------


def test_each_check_has_a_name_of_its_own_and_needs_one_before_it() -> None:
    names = [check.name for check in checks.CHECKS]
    assert len(set(names)) == len(names)
    for number, check in enumerate(checks.CHECKS):
        assert not check.needs or check.needs in names[:number]


def test_what_can_not_be_asked_is_grey_and_never_green(monkeypatch: pytest.MonkeyPatch) -> None:
    never = threading.Event()

    def refused(_: Settings) -> Line:
        raise SourceError("the user may not ask")

    def broken(_: Settings) -> Line:
        raise ValueError("canary")

    def silent(_: Settings) -> Line:
        never.wait()
        return green("much later")

    table = (
        *(Check("refused", refused), Check("broken", broken), Check("silent", silent)),
        *(Check("gate", lambda _: red("shut", "open it")), Check("behind", lambda _: green("x"), "gate")),
        *(Check("wet", lambda _: yellow("wet", "dry it")), Check("after", lambda _: green("y"), "wet")),
        Check("after refused", lambda _: green("x"), "refused"),
    )
    monkeypatch.setattr(checks, "CHECKS", table)
    monkeypatch.setattr(checks, "SECONDS", 0.05)
    found = {check.name: line for check, line in checks.run(Settings())}
    never.set()
    levels = {name: line.level for name, line in found.items()}
    assert levels == {"refused": GREY, "broken": GREY, "silent": GREY, "gate": RED, "behind": GREY,
                      "wet": YELLOW, "after": GREEN, "after refused": GREY}  # fmt: skip
    assert found["behind"].said == "not known: needs gate"
    assert not [line for line in found.values() if "canary" in line.said]


def test_the_worst_line_decides() -> None:
    lines = [green(""), grey(""), yellow("", ""), red("", "")]
    for number in range(1, 5):
        assert worst(lines[:number]) is list(Level)[number - 1]


def ask(monkeypatch: pytest.MonkeyPatch, *arguments: str, **lines: Line) -> Any:
    def run(settings: Settings, begun: Any) -> Iterator[tuple[Check, Line]]:
        for name, line in lines.items():
            begun(name)
            yield Check(name, lambda _: green("")), line

    monkeypatch.setattr(command.checks, "run", run)
    monkeypatch.setenv("CCB_POSTGRES_URL", "postgresql://u:canary@127.0.0.1:1/x")
    return CliRunner().invoke(command.preflight_command, arguments)


@pytest.mark.parametrize(
    ("line", "status", "verdict"),
    [
        (green("fine"), 0, "nothing stands in the night's way"),
        (grey("who knows"), 0, "grey lines could not be asked"),
        (yellow("hm", "look"), 0, "yellow lines want a look"),
        (red("no", "mend it"), 25, "the night would fail"),
    ],
)
def test_only_red_has_a_status_of_its_own(
    monkeypatch: pytest.MonkeyPatch, line: Line, status: int, verdict: str
) -> None:
    done = ask(monkeypatch, first=green("x"), it=line)
    assert done.exit_code == status
    assert verdict in done.output
    asked = json.loads(ask(monkeypatch, "--json", first=green("x"), it=line).stdout)
    assert (asked["exit_code"], asked["level"]) == (status, line.level)
    assert asked["checks"][1] == {"check": "it", "level": line.level, "found": line.said, "do": line.do}


def test_a_name_with_control_characters_moves_no_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    done = ask(monkeypatch, it=red("there are: \x1b[2Jx\ny", "z"))
    assert "\x1b" not in done.output
    assert "\\u001b[2Jx\\u000ay" in done.output


def test_checks_that_were_not_asked_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    unasked = replace(grey("needs it"), needs="it")
    done = ask(monkeypatch, it=red("no", "do"), a=unasked, b=unasked)
    (line,) = [line for line in done.output.splitlines() if line.startswith("grey")]
    assert "not known: a, b" in line
