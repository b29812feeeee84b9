"""The webhook that is told of a failed unit: what it gets, and whether it took that.

Slack, Mattermost and Google Chat show ``text``. A workflow of Teams answers 202 to whatever it gets, and
posts nothing but adaptive cards: the template of Teams posts each attachment of a message, one that somebody
made may want the card alone.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from ccb_luigi.errors import NotTold
from ccb_luigi.process.web import NoAnswer, Peer

_OF_TEAMS = ("logic.azure.com", "logic.azure.us", "logic.azure.cn", "powerplatform.com", "powerplatform.us",
             "powerplatform.cn", "webhook.office.com")  # fmt: skip
"""Where workflows of Teams listen (Logic Apps, Power Platform), and the connectors before them."""

CARD_TYPE = "application/vnd.microsoft.card.adaptive"


def form_of(url: str, form: str) -> str:
    """``form``, or if that is ``auto`` what the address wants."""
    if form != "auto":
        return form
    host = (urlsplit(url).hostname or "").lower()
    return "teams" if any(host.endswith(f".{name}") for name in _OF_TEAMS) else "text"


def payload(form: str, title: str, text: str) -> dict[str, Any]:
    """What is sent: see ``Settings.alert_webhook_format``."""
    if form == "text":
        return {"text": text}
    if form == "card":
        return _card(title, text)
    attachment = {"contentType": CARD_TYPE, "contentUrl": None, "content": _card(title, text)}
    return {"type": "message", "text": text, "attachments": [attachment]}


def _card(title: str, text: str) -> dict[str, Any]:
    """The title, and each line as it is: a ``TextBlock`` would take ``*`` and ``_`` for Markdown."""
    lines = [line for line in text.splitlines() if line.strip()]
    return {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": title,
        "msteams": {"width": "Full"},
        "body": [_plain(title, size="Medium", weight="Bolder", color="Attention"), *map(_plain, lines)],
    }


def _plain(words: str, **style: str) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": words, **style}]}


def post(to: Peer, body: dict[str, Any], seconds: float) -> None:
    """Sends it.

    Raises:
        NotTold: what answered didn't take it.
    """
    try:
        to.ask(seconds, body=json.dumps(body).encode(), kind="application/json; charset=UTF-8")
    except NoAnswer as error:
        raise NotTold(f"at {to.name} (CCB_ALERT_WEBHOOK): {error}", transient=error.transient) from None
