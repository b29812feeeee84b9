"""Telling somebody that a unit of ours failed: what the message says, and the two ways that it goes.

It names the unit, its exit status in words and where to look: nothing of the data, no output of the run.
"""

from __future__ import annotations

import io
import smtplib
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from ccb_luigi.errors import STATUSES, CcbError, ConfigurationError, NotTold
from ccb_luigi.process import web
from ccb_luigi.process.drips import Drips
from ccb_luigi.process.retry import retrying
from ccb_luigi.report import words
from ccb_luigi.settings import Settings
from ccb_luigi.telemetry import webhook

SECONDS_OF_A_REPLY = 15.0
"""A server that is silent for so long is taken for dead."""

_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


@dataclass(frozen=True, slots=True)
class Ending:
    """How a unit ended, as systemd says. ``status``: the exit status, ``None`` if there was none."""

    unit: str
    result: str = ""
    status: int | None = None

    @property
    def is_trial(self) -> bool:
        """Whether the unit ended well: then somebody tries out whether alerts arrive."""
        return self.status == 0 or (self.status is None and self.result == "success")

    def said(self, language: str) -> str:
        """In a few words; a result of systemd's that we have no words for is said as it is."""
        key = f"ended_{self.result}"
        how = words.say(language, key) if key in words.WORDS else self.result.removeprefix("exit-code")
        if self.status is None:
            return how or words.say(language, "ended_unknown")
        number = words.say(language, "exit_status", status=str(self.status))
        if row := STATUSES.get(self.status):
            within = f"{row.significado[0].lower()}{row.significado[1:]}"
            number += f": {row.meaning if language == 'en' else within}"
        return ", ".join(filter(None, (how, number)))


def ending_of(unit: str, environ: Mapping[str, str]) -> Ending:
    """How ``unit`` ended: told by systemd itself to the unit of OnFailure= (251 and newer), or asked for."""
    found = {"Result": environ.get("MONITOR_SERVICE_RESULT", ""), "ExecMainCode": "", "ExecMainStatus": ""}
    if environ.get("MONITOR_UNIT", unit) == unit and found["Result"]:
        found["ExecMainCode"] = "1" if environ.get("MONITOR_EXIT_CODE") == "exited" else "2"
        found["ExecMainStatus"] = environ.get("MONITOR_EXIT_STATUS", "")
    else:
        found |= _asked(unit, list(found))
    number = found["ExecMainStatus"]
    exited = found["ExecMainCode"] == "1" and number.isascii() and number.isdigit()  # 1: CLD_EXITED
    return Ending(unit, found["Result"], int(number) if exited else None)


def _asked(unit: str, names: list[str]) -> dict[str, str]:
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and no option can be made of the unit's name
            ["systemctl", "show", f"--property={','.join(names)}", "--", unit],  # noqa: S607 - PATH of the unit
            capture_output=True,
            text=True,
            timeout=SECONDS_OF_A_REPLY,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return {}
    pairs = (line.partition("=") for line in done.stdout.splitlines())
    return {name: value for name, _, value in pairs if name in names}


def message(settings: Settings, ending: Ending, host: str, moment: datetime) -> EmailMessage:
    """The mail, in the language of the settings; its body is also what a webhook gets."""
    say = partial(words.say, settings.language)
    told = {"unit": ending.unit, "host": host, "how": ending.said(settings.language)}
    key = "unit_trial" if ending.is_trial else "unit_failed"
    mail = EmailMessage()
    mail["Subject"] = say(key, **told)
    mail["From"] = settings.alert_mail_from or f"ccb-luigi@{host}"
    mail["To"] = " ".join(settings.alert_mail_to.split())  # luigi.cfg may have a line for each
    mail["Date"] = format_datetime(moment)
    mail["Message-ID"] = make_msgid("ccb-luigi", host)
    lines = [
        say(f"{key}_at", **told, moment=f"{moment:%Y-%m-%d %H:%M}", zone=settings.timezone),
        "",
        f"{say('do')}:  {settings.runbook(ending.status)}",
        f"{say('what_it_said')}:  journalctl -u {ending.unit} --since -1d",
        f"{say('what_is_done')}:  ccb-luigi status",
    ]
    if settings.report_dir:
        lines.append(f"{say('morning_page')}:  {Path(settings.report_dir) / 'ultimo.html'}")
    text = "\n".join(lines) + "\n"
    # Some mail servers take no 8-bit letters.
    mail.set_content(text, cte="7bit" if text.isascii() else "quoted-printable")
    return mail


def send(settings: Settings, mail: EmailMessage) -> list[str]:
    """Sends it on every way that is set; returns their names.

    Raises:
        ConfigurationError: none is set, or an address is none.
        NotTold: a way failed; the others were tried all the same.
    """
    ways: dict[str, Callable[[], None]] = {}
    if settings.alert_mail_to:
        server = _smtp_address(settings.alert_smtp)
        ways["mail"] = lambda: _mail(server, mail)
    if settings.alert_webhook:
        to = web.peer(settings.alert_webhook, "CCB_ALERT_WEBHOOK", "https://host/path")
        form = webhook.form_of(settings.alert_webhook, settings.alert_webhook_format)
        body = webhook.payload(form, str(mail["Subject"]), mail.get_content())
        ways["webhook"] = lambda: webhook.post(to, body, SECONDS_OF_A_REPLY)
    if not ways:
        raise ConfigurationError("nobody to tell: set CCB_ALERT_MAIL_TO or CCB_ALERT_WEBHOOK")
    failed = []
    for name, way in ways.items():
        try:
            retrying(way, settings.first_seconds)
        except CcbError as error:
            failed.append(f"{name}: {error}")
    if failed:
        raise NotTold("; ".join(failed))
    return list(ways)


# --- mail --------------------------------------------------------------------------------------------


def _smtp_address(text: str) -> SplitResult:
    """A password only goes over TLS, or to this machine."""
    try:
        parts = urlsplit(text)
        wrong = parts.scheme not in _PORTS or not parts.hostname or parts.port == 0
    except ValueError:
        wrong = True
    if wrong:
        raise ConfigurationError("CCB_ALERT_SMTP is not an address such as smtp://host")
    if parts.password and parts.scheme == "smtp" and not _is_here(parts.hostname or ""):
        raise ConfigurationError("CCB_ALERT_SMTP: a password needs smtp+starttls:// or smtps://")
    return parts


def greet(settings: Settings) -> None:
    """Talks to the mail server up to the login, and sends nothing.

    Raises:
        ConfigurationError, NotTold: as ``send``.
    """
    with _logged_in(_smtp_address(settings.alert_smtp)):
        pass


def _mail(server: SplitResult, mail: EmailMessage) -> None:
    with _logged_in(server) as smtp:
        refused = smtp.send_message(mail)
    if refused:
        raise NotTold(f"the mail server refused {len(refused)} of the recipients (CCB_ALERT_MAIL_TO)")


class _Smtp(smtplib.SMTP):
    """Waits no longer than ``SECONDS_OF_A_REPLY`` for a whole reply, however slowly it comes."""

    _heard: Drips

    def getreply(self) -> tuple[int, bytes]:
        """See ``smtplib``: it waits so long for each byte."""
        if self.file is None and self.sock is not None:
            self._heard = Drips(self.sock, 0)
            self.file = io.BufferedReader(self._heard)
        self._heard.until = time.monotonic() + SECONDS_OF_A_REPLY
        try:
            return super().getreply()
        finally:
            if self.sock is not None:  # TLS may begin now
                self.sock.settimeout(SECONDS_OF_A_REPLY)


class _Smtps(_Smtp, smtplib.SMTP_SSL):
    pass


@contextmanager
def _logged_in(server: SplitResult) -> Iterator[smtplib.SMTP]:
    host, port = server.hostname or "", server.port or _PORTS[server.scheme]
    with _translated(f"the mail server at {host}:{port} (CCB_ALERT_SMTP)"):
        context = ssl.create_default_context()
        if server.scheme == "smtps":
            smtp: smtplib.SMTP = _Smtps(host, port, timeout=SECONDS_OF_A_REPLY, context=context)
        else:
            smtp = _Smtp(host, port, timeout=SECONDS_OF_A_REPLY)
        with smtp:
            if server.scheme == "smtp+starttls":
                smtp.starttls(context=context)
            if server.username:
                smtp.login(unquote(server.username), unquote(server.password or ""))
            yield smtp


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


@contextmanager
def _translated(who: str) -> Iterator[None]:
    """Errors without the server's own words: they may quote an address or a password."""
    try:
        yield
    except smtplib.SMTPAuthenticationError as error:
        raise NotTold(f"{who} refused user or password", transient=_passes(error.smtp_code)) from None
    except smtplib.SMTPRecipientsRefused as error:  # for the moment, where a server greets strangers so
        again = all(_passes(code) for code, _ in error.recipients.values())
        raise NotTold(f"{who} refused every recipient (CCB_ALERT_MAIL_TO)", transient=again) from None
    except smtplib.SMTPResponseException as error:
        if error.smtp_code < 200:  # smtplib has -1 for what isn't a code
            raise NotTold(f"{who}: something answers that isn't a mail server") from None
        again = _passes(error.smtp_code)
        raise NotTold(f"{who} answered with status {error.smtp_code}", transient=again) from None
    except smtplib.SMTPNotSupportedError:
        raise NotTold(f"{who} offers no TLS, or no login") from None
    except smtplib.SMTPServerDisconnected as error:  # so smtplib calls also a server that stays silent
        silent = isinstance(error.__context__, TimeoutError)
        why = "no answer in time" if silent else "it broke off in the middle"
        raise NotTold(f"{who}: {why}", transient=True) from None
    except ssl.SSLCertVerificationError as error:
        raise NotTold(f"{who}: {web.broken(error)}") from None
    except (OSError, smtplib.SMTPException, UnicodeError) as error:
        raise NotTold(f"{who}: {web.broken(error)}", transient=True) from None


def _passes(code: int) -> bool:
    return 400 <= code < 500  # RFC 5321: the sender is to try again
