"""What systemd starts when a unit of ours failed."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from datetime import datetime

import click

from ccb_luigi import settings as settings_module
from ccb_luigi.commands.frame import clean, complain, wait_option
from ccb_luigi.errors import ConfigurationError
from ccb_luigi.settings import Settings
from ccb_luigi.telemetry import alerts

_ADDRESSES = ("alert_mail_to", "alert_mail_from", "alert_smtp", "alert_webhook", "alert_webhook_format")
_WORDS = ("language", "timezone", "report_dir", "runbook_url", "retry_seconds")


@click.command(short_help="Tell by mail or webhook that a unit failed.")
@click.argument("unit")
@click.option("--status", type=click.IntRange(0, 255), help="The exit status (default: what systemd says).")
@click.option("--dry-run", is_flag=True, help="Print the message; send nothing.")
@wait_option
@clean
def alert(unit: str, status: int | None, dry_run: bool) -> None:
    """Tell by mail or webhook that UNIT failed, with what, and where to look.

    CCB_ALERT_MAIL_TO and CCB_ALERT_WEBHOOK say who is told.
    """
    settings = _settings()  # not the demo's: nobody needs a database for this
    ending = alerts.ending_of(unit, os.environ)
    if status is not None:
        ending = alerts.Ending(unit, "exit-code", status)
    mail = alerts.message(settings, ending, socket.gethostname(), datetime.now(settings.zone))
    if dry_run:
        click.echo(f"Subject: {mail['Subject']}\n\n{mail.get_content()}", nl=False)
        return
    ways = alerts.send(settings, mail)
    click.echo(f"told by {' and '.join(ways)}: {mail['Subject']}")


def _settings() -> Settings:
    """Those of an alert: a wrong one is what fails nights, and must not keep anybody from hearing of it.

    Raises:
        ConfigurationError: where to tell it can't be read.
    """
    try:
        return settings_module.load(only=_ADDRESSES + _WORDS)
    except ConfigurationError as error:
        settings = _addresses()
        complain(str(error))
        return settings


def _addresses() -> Settings:
    with suppress(ConfigurationError):
        return settings_module.load(only=_ADDRESSES)
    return settings_module.load(only=_ADDRESSES, files=False)  # the file itself may be what is wrong
