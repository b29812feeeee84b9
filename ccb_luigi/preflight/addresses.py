"""Whoever else is asked or told in a night: luigid, mail, webhook, Pushgateway, Dask. Nothing is sent."""

from __future__ import annotations

import socket
import ssl
from urllib.parse import SplitResult, urlsplit

from ccb_luigi.errors import CcbError, ConfigurationError
from ccb_luigi.load import cluster
from ccb_luigi.orchestration import luigid
from ccb_luigi.preflight.lines import Line, green, grey, red, yellow
from ccb_luigi.process import web
from ccb_luigi.settings import LOCAL, Settings
from ccb_luigi.telemetry import alerts

SECONDS = 5.0
"""For each step: an address where nobody answers may not hold the rest up."""

TRIAL = "systemctl start ccb-luigi-alert@trial.service (docs/operations.md)"
_ALONE = "the night schedules by itself; or mend CCB_SCHEDULER_URL"


def scheduler(settings: Settings) -> Line:
    """luigid, and whether it lets anybody work."""
    if not settings.scheduler_url:
        return green("none set: the night schedules by itself")
    try:
        peer = luigid.peer(settings.scheduler_url)
        paused = luigid.paused(peer, SECONDS)
    except ConfigurationError as error:
        return yellow(str(error), _ALONE)
    except web.NoAnswer as error:
        return yellow(f"{peer.name}: {error}", _ALONE)
    if paused:
        return yellow(f"{peer.name} is paused: runs go without it", "unpause it in the visualizer")
    return green(f"luigid answers at {peer.name}")


def mail(settings: Settings) -> Line:
    """The mail server: up to the login, without a mail."""
    if not settings.alert_mail_to and not settings.alert_webhook:
        return yellow("nobody is told of a failure", f"CCB_ALERT_MAIL_TO or CCB_ALERT_WEBHOOK; then {TRIAL}")
    if not settings.alert_mail_to:
        return green("none set: the webhook is told")
    try:
        alerts.greet(settings)
    except CcbError as error:
        return yellow(str(error), "CCB_ALERT_SMTP: no failure would be told by mail")
    return green("the mail server answers, and lets us in")


def webhook(settings: Settings) -> Line:
    """Its address: up to the certificate, without a message."""
    if not settings.alert_webhook:
        return green("none set")
    try:
        peer = web.peer(settings.alert_webhook, "CCB_ALERT_WEBHOOK", "https://host/...")
    except ConfigurationError as error:
        return yellow(str(error), TRIAL)
    if "proxy" in peer.name:
        return grey(f"{peer.name}", TRIAL)
    try:
        _shake_hands(urlsplit(settings.alert_webhook))
    except (OSError, UnicodeError) as error:
        return yellow(
            f"{peer.name}: {web.broken(error)}", "CCB_ALERT_WEBHOOK: no failure would be told by it"
        )
    return green(f"{peer.name} listens; whether it takes a message: {TRIAL}")


def _shake_hands(parts: SplitResult) -> None:
    host = parts.hostname or ""
    port = parts.port or {"https": 443}.get(parts.scheme, 80)
    with socket.create_connection((host, port), SECONDS) as plain:
        if parts.scheme == "https":
            ssl.create_default_context().wrap_socket(plain, server_hostname=host).close()


def pushgateway(settings: Settings) -> Line:
    """A Pushgateway tells its own state; whatever else answers doesn't."""
    if not settings.pushgateway_url:
        return green("none set")
    without = "CCB_PUSHGATEWAY_URL: the night's metrics would be lost"
    try:
        peer = web.peer(settings.pushgateway_url.rstrip("/"), "CCB_PUSHGATEWAY_URL", "http://host:9091")
        found = peer.ask(SECONDS, "/api/v1/status")
    except ConfigurationError as error:
        return yellow(str(error), without)
    except web.NoAnswer as error:
        return yellow(f"{peer.name}: {error}", without)
    if b'"status":"success"' not in found.replace(b" ", b""):
        return yellow(f"{peer.name}: something answers that isn't a Pushgateway", without)
    return green(f"a Pushgateway answers at {peer.name}")


def dask(settings: Settings) -> Line:
    """The cluster that judges documents, and whether it has workers."""
    if settings.executor == LOCAL:
        return green("none set: this machine judges the documents")
    instead = "this machine judges them until it is there; or CCB_EXECUTOR=local"
    try:
        found, why = cluster.asked(settings)
    except ConfigurationError as error:
        return red(str(error), "or CCB_EXECUTOR=local")
    if not found:
        return yellow(f"{settings.executor}: {why or 'it has no worker'}", instead)
    return green(f"{found} workers")
