"""The alert of a failed unit, against a real SMTP server and a real web server, and when these fail."""

from __future__ import annotations

import email
import email.message
import email.policy
import errno
import json
import os
import re
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from click.testing import CliRunner, Result
from program import TRIES, free_port
from strangers import ANSWERS, HOST, NOT_HTTP, answering, dripping, greeting

from ccb_luigi import errors
from ccb_luigi.cli import main
from ccb_luigi.telemetry import webhook

UNIT = "ccb-luigi.service"
TO = "on-call@example.com, data@example.com"
PASSWORD = "canary/senha"
QUOTED = PASSWORD.replace("/", "%2F")
NOBODY = "127.0.0.1:1"


@dataclass
class Mailbox:
    """A mail server's ear. ``answers``: what it says to the next messages before it takes one."""

    answers: list[str] = field(default_factory=list)
    mails: list[email.message.EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.answers:
            return self.answers.pop(0)
        self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        self.recipients = list(envelope.rcpt_tos)
        return "250 taken"


@dataclass
class Web:
    """A web server. ``answers``: the status of the next answers before 200."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    posts: list[Any] = field(default_factory=list)


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def smtp(mailbox: Mailbox) -> Iterator[str]:
    with serving(mailbox) as controller:
        yield f"smtp://127.0.0.1:{controller.port}"


class serving:  # noqa: N801
    """The mail server while the block runs."""

    def __init__(self, mailbox: Mailbox, **options: Any) -> None:
        self.options = {"handler": mailbox, "hostname": "127.0.0.1", **options}

    def __enter__(self) -> Controller:
        for left in reversed(range(TRIES)):  # somebody else may take the port that was free a moment ago
            self.controller = Controller(**self.options, port=free_port())
            try:
                self.controller.start()
                break
            except OSError as error:
                if error.errno != errno.EADDRINUSE or not left:
                    raise
        return self.controller

    def __exit__(self, *_: object) -> None:
        self.controller.stop()


@pytest.fixture
def web() -> Iterator[Web]:
    found = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status = found.answers.pop(0) if found.answers else 200
            if status == 200:
                found.posts.append(body)
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", "/elsewhere")
            self.end_headers()

        do_GET = do_POST  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_port}/hooks/{PASSWORD}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings but those of the test, English words, and no waiting between two tries."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("CCB_", "MONITOR_", "LUIGI_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CCB_LANGUAGE", "en")
    monkeypatch.setattr("ccb_luigi.process.retry.LONGEST_WAIT", 0.01)


def alert(*words: object, status: int = 0, **environment: str) -> Result:
    done = CliRunner().invoke(main, ["alert", UNIT, *map(str, words)], env=environment)
    assert done.exit_code == status, done.output
    assert "Traceback" not in done.output
    assert PASSWORD not in done.output
    return done


def test_a_mail_tells_the_unit_its_status_in_words_and_where_to_look(mailbox: Mailbox, smtp: str) -> None:
    done = alert(
        *("--status", 13),
        CCB_ALERT_MAIL_TO=TO,
        CCB_ALERT_SMTP=smtp,
        CCB_REPORT_DIR="/var/lib/ccb-luigi/report",
        CCB_RUNBOOK_URL="https://wiki.example.com/runbook.md",
    )
    (mail,) = mailbox.mails
    assert re.fullmatch(
        rf"{UNIT} failed on \S+: exit status 13: MongoDB can't be reached or read", mail["Subject"]
    )
    text = mail.get_content()
    assert "https://wiki.example.com/runbook.md#exit-code-13" in text
    assert f"journalctl -u {UNIT}" in text
    assert "/var/lib/ccb-luigi/report/ultimo.html" in text
    assert (mail["To"], mailbox.recipients) == (TO, TO.split(", "))
    assert mail["Date"] is not None
    assert mail["Message-ID"] is not None
    assert done.output == f"told by mail: {mail['Subject']}\n"


def test_a_webhook_gets_the_same_words_as_json(mailbox: Mailbox, smtp: str, web: Web) -> None:
    addresses = {"CCB_ALERT_MAIL_TO": TO, "CCB_ALERT_SMTP": smtp, "CCB_ALERT_WEBHOOK": web.url}
    done = alert("--status", 21, **addresses)
    assert done.output.startswith("told by mail and webhook: ")
    assert web.posts == [{"text": mailbox.mails[0].get_content().replace("\r\n", "\n")}]


MONITORED = {"MONITOR_UNIT": UNIT, "MONITOR_SERVICE_RESULT": "exit-code", "MONITOR_EXIT_CODE": "exited"}


@pytest.mark.parametrize("code", sorted(errors.STATUSES))
def test_every_exit_status_has_words_in_both_languages_and_a_place_in_the_runbook(code: int) -> None:
    said = alert("--status", code, "--dry-run").output
    assert f"exit status {code}: {errors.STATUSES[code].meaning}" in said
    assert f"docs/runbook.md#exit-code-{code}\n" in said
    dito = alert("--status", code, "--dry-run", CCB_LANGUAGE="pt").output
    meaning = errors.STATUSES[code].significado
    assert f"código de saída {code}: {meaning[0].lower()}{meaning[1:]}" in dito
    assert f"docs/runbook.md#exit-code-{code}\n" in dito


def test_who_sets_no_language_is_told_in_portuguese_as_on_the_page(
    mailbox: Mailbox, smtp: str, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CCB_LANGUAGE")
    alert(
        *("--status", 13),
        CCB_ALERT_MAIL_TO=TO,
        CCB_ALERT_SMTP=smtp,
        CCB_ALERT_WEBHOOK=web.url,
        CCB_ALERT_WEBHOOK_FORMAT="card",
        CCB_REPORT_DIR="/var/lib/ccb-luigi/report",
        CCB_RUNBOOK_URL="https://wiki.example.com/runbook.md",
    )
    (mail,) = mailbox.mails
    ended = "código de saída 13: o MongoDB não pôde ser alcançado ou lido"
    title = re.fullmatch(rf"{UNIT} falhou em (\S+): {ended}", mail["Subject"])
    assert title
    first, *rest = mail.get_content().splitlines()
    when = r"[\d-]{10} \d\d:\d\d \(America/Sao_Paulo\)"
    assert re.fullmatch(rf"{UNIT} falhou em {re.escape(title[1])}, {when}: {ended}\.", first)
    assert rest == [
        "",
        "O que fazer:  https://wiki.example.com/runbook.md#exit-code-13",
        f"O que disse:  journalctl -u {UNIT} --since -1d",
        "O que está feito:  ccb-luigi status",
        "A página da manhã:  /var/lib/ccb-luigi/report/ultimo.html",
    ]
    assert mail.as_bytes().isascii(), "not every mail server takes eight bits"
    (card,) = web.posts
    assert card["fallbackText"] == mail["Subject"]
    assert [block["inlines"][0]["text"] for block in card["body"]][2:] == rest[1:]


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"MONITOR_SERVICE_RESULT": "timeout", "MONITOR_EXIT_STATUS": "143"},
         r"levou mais tempo do que a unidade permite \(TimeoutStartSec\), código de saída 143: a execução"),
        ({"MONITOR_SERVICE_RESULT": "oom-kill", "MONITOR_EXIT_CODE": "killed", "MONITOR_EXIT_STATUS": "KILL"},
         r": a memória da máquina acabou$"),
        ({"MONITOR_EXIT_STATUS": "99"}, r": código de saída 99$"),
        ({"MONITOR_EXIT_CODE": "killed"}, r": como, não se sabe$"),
        ({"MONITOR_SERVICE_RESULT": "protocol", "MONITOR_EXIT_CODE": "killed"}, r": protocol$"),
    ],
    ids=["timeout", "killed", "unknown status", "unknown", "of another systemd"],
)  # fmt: skip
def test_how_it_ended_is_said_in_portuguese_too(told: dict[str, str], words: str) -> None:
    said = alert("--dry-run", CCB_LANGUAGE="pt", **(MONITORED | told)).output
    assert re.search(words, said.splitlines()[0])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("lock_seconds = ten", ""),
        ("max_rejected_share = 2", ""),
        ("forget_key = short", ""),
        ("timezone = Lua/Norte", "ccb-luigi: CCB_TIMEZONE is not the name of a time zone\n"),
        ("language = de", "ccb-luigi: CCB_LANGUAGE must be one of pt, en\n"),
        ("retry_seconds = x", "ccb-luigi: CCB_RETRY_SECONDS is not a number\n"),
        ("[ccb", "ccb-luigi: site.cfg can't be read as a configuration file\n"),
    ],
)
def test_a_wrong_setting_fails_the_night_and_is_told_all_the_same(
    mailbox: Mailbox, smtp: str, tmp_path: Path, wrong: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "site.cfg").write_text(f"[ccb]\n{wrong}\n")
    monkeypatch.delenv("CCB_LANGUAGE")
    done = alert(*("--status", 15), CCB_ALERT_MAIL_TO=TO, CCB_ALERT_SMTP=smtp, LUIGI_CONFIG_PATH="site.cfg")
    assert done.stderr == said
    assert "código de saída 15: uma configuração falta ou está errada" in mailbox.mails[0]["Subject"]


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (MONITORED | {"MONITOR_EXIT_STATUS": "14"}, "exit status 14: PostgreSQL can't be reached"),
        (
            MONITORED | {"MONITOR_SERVICE_RESULT": "timeout", "MONITOR_EXIT_STATUS": "143"},
            r"it took longer than its unit allows \(TimeoutStartSec\), exit status 143: ended by SIGTERM",
        ),
        (
            MONITORED | {"MONITOR_SERVICE_RESULT": "oom-kill", "MONITOR_EXIT_CODE": "killed"}
            | {"MONITOR_EXIT_STATUS": "KILL"},
            r"the machine ran out of memory$",
        ),
        (MONITORED | {"MONITOR_SERVICE_RESULT": "success"}, f"^Subject: Trial of the alert for {UNIT} on "),
        (MONITORED | {"MONITOR_EXIT_STATUS": "99"}, r"exit status 99$"),
        ({"MONITOR_UNIT": "other.service", "MONITOR_SERVICE_RESULT": "timeout"}, "exit status 11: too many"),
        ({}, "exit status 11: too many documents"),
    ],
    ids=["status", "timeout", "killed", "trial", "unknown status", "another unit's", "older systemd"],
)  # fmt: skip
def test_how_it_ended_is_what_systemd_says(tmp_path: Path, told: dict[str, str], words: str) -> None:
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin" / "systemctl"
    fake.write_text(
        f'#!/bin/sh\n[ "$*" = "show --property=Result,ExecMainCode,ExecMainStatus -- {UNIT}" ] || exit 1\n'
        "printf 'Result=exit-code\\nExecMainCode=1\\nExecMainStatus=11\\n'\n"
    )
    fake.chmod(0o755)
    said = alert("--dry-run", PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}", **told).output
    assert re.search(words, said.splitlines()[0])


@pytest.mark.parametrize("language", ["en", "pt"])
def test_a_unit_that_ended_well_is_not_said_to_have_failed(language: str) -> None:
    said = alert("--status", 0, "--dry-run", CCB_LANGUAGE=language).output
    subject, _, body, *_ = said.splitlines()
    trial, well, failed = {
        "en": ("Trial of the alert for", "it has not failed", " failed on "),
        "pt": ("Teste do aviso de", "ela não falhou", " falhou em "),
    }[language]
    for line in (subject.removeprefix("Subject: "), body):
        assert line.startswith(f"{trial} {UNIT} ")
        assert line.rstrip(".").endswith(well)
        assert failed not in line


def test_without_systemd_an_alert_is_sent_all_the_same(tmp_path: Path) -> None:
    assert "how is not known" in alert("--dry-run", PATH=str(tmp_path)).output


def test_nobody_to_tell_is_an_error_that_names_the_settings() -> None:
    said = alert("--status", 13, status=15).output
    assert "CCB_ALERT_MAIL_TO" in said
    assert "CCB_ALERT_WEBHOOK" in said


@pytest.mark.parametrize(
    "wrong",
    [
        {"CCB_ALERT_WEBHOOK": f"file:///{PASSWORD}"},
        {"CCB_ALERT_WEBHOOK": f"https:{PASSWORD}"},
        {"CCB_ALERT_MAIL_TO": TO, "CCB_ALERT_SMTP": f"mail.example.com:{PASSWORD}"},
        {"CCB_ALERT_MAIL_TO": TO, "CCB_ALERT_SMTP": "smtps://mail.example.com:465x"},
        {"CCB_ALERT_MAIL_TO": TO, "CCB_ALERT_SMTP": "smtp://u:p@mail.example.com"},
    ],
    ids=["a file", "no host", "no scheme", "no port", "a password in clear text"],
)
def test_an_address_that_is_none_is_a_wrong_setting(wrong: dict[str, str]) -> None:
    said = alert("--status", 13, status=15, **wrong).output
    assert re.search(r"^ccb-luigi: CCB_ALERT_(WEBHOOK|SMTP)", said)
    assert said.count("\n") == 1


def test_a_way_that_fails_does_not_keep_the_other_from_telling(mailbox: Mailbox, smtp: str, web: Web) -> None:
    dead = {"CCB_RETRY_SECONDS": "0.05", "CCB_ALERT_MAIL_TO": TO}
    said = alert(
        *("--status", 13), status=22, CCB_ALERT_SMTP=f"smtp://{NOBODY}", CCB_ALERT_WEBHOOK=web.url, **dead
    ).output
    assert f"mail: the mail server at {NOBODY} (CCB_ALERT_SMTP): nothing listens there" in said
    assert len(web.posts) == 1
    said = alert(
        *("--status", 13), status=22, CCB_ALERT_SMTP=smtp, CCB_ALERT_WEBHOOK=f"http://{NOBODY}", **dead
    ).output
    assert f"webhook: at http://{NOBODY} (CCB_ALERT_WEBHOOK): nothing listens there" in said
    assert len(mailbox.mails) == 1


def test_what_may_pass_is_tried_again(mailbox: Mailbox, smtp: str, web: Web) -> None:
    mailbox.answers, web.answers = ["451 later", "421 later"], [503, 429]
    alert("--status", 13, CCB_ALERT_MAIL_TO=TO, CCB_ALERT_SMTP=smtp, CCB_ALERT_WEBHOOK=web.url)
    assert (len(mailbox.mails), len(web.posts)) == (1, 1)


@pytest.mark.parametrize(("status", "words"), [(301, "us elsewhere (redirect 301)"), (404, "status 404")])
def test_a_webhook_that_moved_or_is_gone_is_not_taken_for_one_that_was_told(
    web: Web, status: int, words: str
) -> None:
    web.answers = [status]
    said = alert("--status", 13, status=22, CCB_ALERT_WEBHOOK=web.url).output
    assert re.fullmatch(r"ccb-luigi: webhook: at http://127.0.0.1:\d+ \(CCB_ALERT_WEBHOOK\): .*\n", said)
    assert words in said
    assert web.posts == []


@pytest.mark.parametrize("stranger", ANSWERS)
def test_whatever_answers_and_is_no_webhook_was_not_told(stranger: str) -> None:
    behave, words = ANSWERS[stranger]
    with answering(behave) as port:
        said = alert(
            *("--status", 13), status=22, CCB_RETRY_SECONDS="0",
            CCB_ALERT_WEBHOOK=f"http://me:{QUOTED}@{HOST}:{port}/{PASSWORD}",
        ).output  # fmt: skip
    lines = [line for line in said.splitlines() if line.startswith("ccb-luigi: ")]
    assert len(lines) == 1
    assert lines[0].startswith(f"ccb-luigi: webhook: at http://{HOST}:{port} (CCB_ALERT_WEBHOOK): ")
    assert words in lines[0]


SMTP = {
    "SSH": (NOT_HTTP["SSH"], "something answers that isn't a mail server"),
    "HTTP": (NOT_HTTP["HTTP"], "something answers that isn't a mail server"),
    "hangs up": (greeting(b""), "it broke off in the middle"),
    "half a greeting": (greeting(b"220-mail.example.com wel"), "it broke off in the middle"),
    "greets and goes": (greeting(b"220 mail.example.com\r\n"), "it broke off in the middle"),
    "half an answer": (greeting(b"220 m\r\n250-m\r\n250-SI"), "it broke off in the middle"),
    "not now": (greeting(b"421 too busy\r\n"), "answered with status 421"),
    "no mail here": (greeting(b"554 no\r\n"), "answered with status 554"),
}


@pytest.mark.parametrize("stranger", SMTP)
def test_whatever_answers_and_takes_no_mail_was_not_told(stranger: str) -> None:
    behave, words = SMTP[stranger]
    with answering(behave) as port:
        said = alert(
            *("--status", 13), status=22, CCB_RETRY_SECONDS="0", CCB_ALERT_MAIL_TO=TO,
            CCB_ALERT_SMTP=f"smtp://{HOST}:{port}",
        ).output  # fmt: skip
    lines = [line for line in said.splitlines() if line.startswith("ccb-luigi: ")]
    assert len(lines) == 1
    assert lines[0].startswith(f"ccb-luigi: mail: the mail server at {HOST}:{port} (CCB_ALERT_SMTP)")
    assert words in lines[0]


def test_a_mail_server_whose_name_is_unknown_or_that_offers_no_tls_is_told(smtp: str) -> None:
    where = {"CCB_ALERT_MAIL_TO": TO, "CCB_RETRY_SECONDS": "0"}
    said = alert("--status", 13, status=22, CCB_ALERT_SMTP="smtp://nobody.invalid", **where).output
    assert "nobody.invalid:25 (CCB_ALERT_SMTP): its name can't be resolved" in said
    for scheme, words in (("smtp+starttls", "offers no TLS"), ("smtps", "TLS fails: does it speak TLS?")):
        plain = smtp.replace("smtp://", f"{scheme}://ccb:{QUOTED}@")
        assert words in alert("--status", 13, status=22, CCB_ALERT_SMTP=plain, **where).output


# --- Teams ------------------------------------------------------------------------------------------

TEAMS = [
    "https://prod-12.westeurope.logic.azure.com:443/workflows/x/triggers/manual/paths/invoke?sig=y",
    "https://defaultabc.12.environment.api.powerplatform.com/powerautomate/automations/direct/workflows/x",
    "https://contoso.webhook.office.com/webhookb2/x",
    "https://PROD-1.LOGIC.AZURE.COM/x",
]
OTHERS = [
    "https://hooks.slack.com/services/x",
    "https://chat.googleapis.com/v1/spaces/x",
    "https://mattermost.example.com/hooks/x",
    "https://logic.azure.com.example.com/x",
    "https://notlogic.azure.com/x",
    "http://127.0.0.1:8065/hooks/logic.azure.com",
]


@pytest.mark.parametrize(("url", "form"), [(u, "teams") for u in TEAMS] + [(u, "text") for u in OTHERS])
def test_a_workflow_of_teams_is_known_by_its_host(url: str, form: str) -> None:
    assert webhook.form_of(url, "auto") == form
    assert webhook.form_of(url, "card") == "card"


def assert_shown_by_teams(card: Any, text: str) -> None:
    """By the schema of adaptive cards 1.4: what is required, and nothing that 1.4 doesn't have."""
    assert set(card) == {"$schema", "type", "version", "fallbackText", "msteams", "body"}
    assert card["$schema"] == "http://adaptivecards.io/schemas/adaptive-card.json"
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert card["msteams"] == {"width": "Full"}
    said = []
    for block in card["body"]:
        assert set(block) == {"type", "inlines"}
        assert block["type"] == "RichTextBlock"
        for run in block["inlines"]:
            assert run["type"] == "TextRun"
            assert set(run) <= {"type", "text", "size", "weight", "color"}
            assert run.get("size", "Default") in ("Small", "Default", "Medium", "Large", "ExtraLarge")
            assert run.get("weight", "Default") in ("Lighter", "Default", "Bolder")
            assert run.get("color", "Default") in (
                "Default",
                "Dark",
                "Light",
                "Accent",
                "Good",
                "Warning",
                "Attention",
            )
            said.append(run["text"])
    assert said[0] == card["fallbackText"]
    assert said[1:] == [line for line in text.splitlines() if line]
    assert len(json.dumps(card)) < 28_000, "more than Teams takes"


def test_teams_gets_a_message_with_a_card_that_it_shows(mailbox: Mailbox, smtp: str, web: Web) -> None:
    mail = {"CCB_ALERT_MAIL_TO": TO, "CCB_ALERT_SMTP": smtp}
    for form in ("teams", "card"):
        alert("--status", 13, CCB_ALERT_WEBHOOK=web.url, CCB_ALERT_WEBHOOK_FORMAT=form, **mail)
    message, card = web.posts
    text = mailbox.mails[0].get_content().replace("\r\n", "\n")
    assert set(message) == {"type", "text", "attachments"}
    assert (message["type"], message["text"]) == ("message", text)
    (attachment,) = message["attachments"]
    assert set(attachment) == {"contentType", "contentUrl", "content"}
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert attachment["contentUrl"] is None
    assert_shown_by_teams(attachment["content"], text)
    assert card["fallbackText"].startswith(f"{UNIT} failed on ")
    assert [block["inlines"][0]["text"] for block in card["body"]][2:] == [
        block["inlines"][0]["text"] for block in attachment["content"]["body"]
    ][2:], "but for the moment the same"


def test_a_format_that_is_none_is_a_wrong_setting(web: Web) -> None:
    said = alert("--status", 13, status=15, CCB_ALERT_WEBHOOK=web.url, CCB_ALERT_WEBHOOK_FORMAT="html").output
    assert said == "ccb-luigi: CCB_ALERT_WEBHOOK_FORMAT must be one of auto, text, teams, card\n"


def test_a_mail_that_is_refused_for_good_is_not_tried_again(mailbox: Mailbox, smtp: str) -> None:
    mailbox.answers = ["554 no", "250 never asked"]
    said = alert("--status", 13, status=22, CCB_ALERT_MAIL_TO=TO, CCB_ALERT_SMTP=smtp).output
    assert re.fullmatch(
        r"ccb-luigi: mail: the mail server at 127.0.0.1:\d+ .* answered with status 554\n", said
    )
    assert len(mailbox.answers) == 1


def test_a_silent_server_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ccb_luigi.telemetry.alerts.SECONDS_OF_A_REPLY", 0.2)
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as silent:  # it never accepts
        where = f"127.0.0.1:{silent.server_port}"
        ways = {"CCB_ALERT_SMTP": f"smtp://{where}", "CCB_ALERT_WEBHOOK": f"http://{where}"}
        said = alert(
            *("--status", 13), status=22, CCB_ALERT_MAIL_TO=TO, CCB_RETRY_SECONDS="0.05", **ways
        ).output
    assert said.count("no answer in time") >= 2


@pytest.mark.parametrize("said", [b"220 ", b"220 m\r\n250-m\r\n250-", b"220 m\r\n250 m\r\n25"])
def test_a_mail_server_that_answers_drop_by_drop_is_given_up(
    monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr("ccb_luigi.telemetry.alerts.SECONDS_OF_A_REPLY", 0.2)
    with answering(dripping(said)) as port:
        where = {"CCB_ALERT_SMTP": f"smtp://{HOST}:{port}", "CCB_RETRY_SECONDS": "0"}
        told = alert("--status", 13, status=22, CCB_ALERT_MAIL_TO=TO, **where).output
    assert f"ccb-luigi: mail: the mail server at {HOST}:{port} (CCB_ALERT_SMTP): no answer in time" in told


@pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls"])
def test_mail_with_a_password_goes_over_verified_tls(mailbox: Mailbox, tmp_path: Path, scheme: str) -> None:
    ca = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))

    def login(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        right = LoginPassword(b"ccb", PASSWORD.encode())
        return AuthResult(success=data == right, handled=data == right)

    how = (
        {"ssl_context": context} if scheme == "smtps" else {"tls_context": context, "require_starttls": True}
    )
    with serving(mailbox, authenticator=login, auth_require_tls=scheme != "smtps", **how) as controller:
        where = f"127.0.0.1:{controller.port}"
        trusted = {"CCB_ALERT_MAIL_TO": TO, "SSL_CERT_FILE": str(tmp_path / "ca.pem")}
        address = f"{scheme}://ccb:{PASSWORD.replace('/', '%2F')}@{where}"
        alert("--status", 13, CCB_ALERT_SMTP=address, **trusted)
        assert len(mailbox.mails) == 1
        wrong = alert("--status", 13, status=22, CCB_ALERT_SMTP=f"{scheme}://ccb:wrong@{where}", **trusted)
        assert "refused user or password" in wrong.output
        del trusted["SSL_CERT_FILE"]
        unknown = alert("--status", 13, status=22, CCB_ALERT_SMTP=address, **trusted)
        assert "its certificate is another host's, expired, or of no CA" in unknown.output
    assert len(mailbox.mails) == 1


def test_addresses_and_passwords_may_come_as_credentials_of_systemd(web: Web, tmp_path: Path) -> None:
    (tmp_path / "ccb_alert_webhook").write_text(f"{web.url}\n")
    alert("--status", 13, CREDENTIALS_DIRECTORY=str(tmp_path))
    assert len(web.posts) == 1
