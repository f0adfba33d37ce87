"""Forms of notices for ntfy, Gotify, webhooks and mail. Pure."""

import json
from collections.abc import Sequence
from email.message import EmailMessage
from email.utils import formatdate
from typing import Final

from jph.alerts.notices import Notice
from jph.devices.services.http_request import Request

_TAGS: Final = {True: "white_check_mark", False: "warning"}


def ntfy(url: str, token: str, notice: Notice, house: str, dropped: int) -> Request:
    """Return the request for a topic of ntfy."""
    headers = [
        ("Title", _header(f"{house}: {notice.title}")),
        ("Priority", "5" if notice.urgent and not notice.end else "3"),
        ("Tags", _TAGS[notice.end]),
    ]
    if token:
        headers.append(("Authorization", f"Bearer {token}"))
    return Request(url, "POST", tuple(headers), body_of(notice, dropped).encode())


def gotify(url: str, token: str, notice: Notice, house: str, dropped: int) -> Request:
    """Return the request for an application of Gotify."""
    content = {
        "title": f"{house}: {notice.title}",
        "message": body_of(notice, dropped),
        "priority": 8 if notice.urgent and not notice.end else 4,
    }
    headers = (("X-Gotify-Key", token), ("Content-Type", "application/json"))
    return Request(f"{url.rstrip('/')}/message", "POST", headers, json.dumps(content).encode())


def webhook(url: str, token: str, notice: Notice, house: str, dropped: int) -> Request:
    """Return the request for any program: the notice as JSON."""
    content = {
        "house": house,
        "number": notice.number,
        "rule": notice.rule,
        "text": notice.text,
        "urgent": notice.urgent,
        "end": notice.end,
        "at_ms": notice.at_ms,
        "dropped": dropped,
    }
    headers = [("Content-Type", "application/json")]
    if token:
        headers.append(("Authorization", f"Bearer {token}"))
    return Request(url, "POST", tuple(headers), json.dumps(content).encode())


def mail(
    sender: str, recipients: Sequence[str], notice: Notice, house: str, dropped: int
) -> EmailMessage:
    """Return the mail of a notice."""
    message = EmailMessage()
    message["From"], message["To"] = sender, ", ".join(recipients)
    message["Subject"] = f"{house}: {notice.title}".replace("\n", " ")
    message["Date"] = formatdate(notice.at_ms / 1000)
    message.set_content(body_of(notice, dropped) + "\n")
    return message


def body_of(notice: Notice, dropped: int) -> str:
    """Return the text of a notice, with how many before it were dropped."""
    return f"{notice.text}\n({dropped} older notices were dropped.)" if dropped else notice.text


def _header(text: str) -> str:
    """Return a text that a header can carry."""
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in text)
