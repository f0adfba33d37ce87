"""Who told the house what, when, and what it answered: in the log and in the accounts' file."""

import logging
import sqlite3
from typing import Any, Final, NamedTuple

from jph.gateway.accounts.accounts import Accounts

MOST_KEPT: Final = 20_000
_LONGEST: Final = 400
"""Characters of a text that are kept."""


class AuditRecord(NamedTuple):
    """One command; `at_ms` is in ms since 1970 UTC."""

    id: int
    at_ms: int
    who: str
    address: str
    what: str
    answer: str


class Auditor:
    """Keeps the newest `MOST_KEPT` commands."""

    def __init__(
        self, accounts: Accounts, log: "logging.Logger | logging.LoggerAdapter[Any]"
    ) -> None:
        self._accounts = accounts
        self._log = log

    def note(self, who: str, address: str, what: str, answer: str) -> None:
        """Keep one command. Nothing is raised, and the caller does not wait."""
        at_ms = self._accounts.now_ms()
        texts = [_line(text) for text in (who, address, what, answer)]
        self._log.info("%s from %s: %s: %s", *texts)
        self._accounts.post(_add, at_ms, texts)


def listed(accounts: sqlite3.Connection, before_id: int | None, most: int) -> list[AuditRecord]:
    """Return the newest commands, the newest first; `before_id` asks for older ones."""
    rows = accounts.execute(
        "SELECT * FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?",
        (2**62 if before_id is None else before_id, most),
    )
    return [AuditRecord(*row) for row in rows]


def _add(accounts: sqlite3.Connection, at_ms: int, texts: list[str]) -> None:
    done = accounts.execute(
        "INSERT INTO audit (at_ms, who, address, what, answer) VALUES (?, ?, ?, ?, ?)",
        (at_ms, *texts),
    )
    accounts.execute("DELETE FROM audit WHERE id <= ?", (int(done.lastrowid or 0) - MOST_KEPT,))


def _line(text: str) -> str:
    """Return a text as one line that shows everything in it: nobody forges a line of the log."""
    shown = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text[:_LONGEST])
    return shown.encode("utf-8", "replace").decode()
