"""Audit of commands: user, time, answer, in the accounts' file. No log channel carries it."""

import sqlite3
import unicodedata
from typing import Final, NamedTuple

from jph.gateway.accounts.accounts import Accounts

MOST_KEPT: Final = 20_000
MOST_OF_PROGRAMS: Final = 5000
"""Lines of tokens and of failed logins have this limit of their own, so that a program that
commands every second does not push out what people did."""
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
    """Keeps the newest `MOST_KEPT` commands of people, `MOST_OF_PROGRAMS` of programs."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    def note(
        self, who: str, address: str, what: str, answer: str, *, of_program: bool = False
    ) -> None:
        """Keep one command. Does not raise and does not wait."""
        at_ms = self._accounts.now_ms()
        texts = [_line(text) for text in (who, address, what, answer)]
        self._accounts.post(_add, at_ms, texts, of_program)


def listed(accounts: sqlite3.Connection, before_id: int | None, most: int) -> list[AuditRecord]:
    """Return the newest commands, newest first; `before_id` asks for older ones."""
    rows = accounts.execute(
        "SELECT id, at_ms, who, address, what, answer FROM audit "
        "WHERE id < ? ORDER BY id DESC LIMIT ?",
        (2**62 if before_id is None else before_id, most),
    )
    return [AuditRecord(*row) for row in rows]


def _add(accounts: sqlite3.Connection, at_ms: int, texts: list[str], of_program: bool) -> None:
    done = accounts.execute(
        "INSERT INTO audit (at_ms, who, address, what, answer) VALUES (?, ?, ?, ?, ?)",
        (at_ms, *texts),
    )
    if of_program:
        accounts.execute("INSERT INTO audit_programs (id) VALUES (?)", (done.lastrowid,))
        _limit(accounts, "id IN (SELECT id FROM audit_programs)", MOST_OF_PROGRAMS)
    else:
        _limit(accounts, "id NOT IN (SELECT id FROM audit_programs)", MOST_KEPT)


def _limit(accounts: sqlite3.Connection, which: str, most: int) -> None:
    """Delete the oldest lines beyond a number."""
    accounts.execute(
        f"DELETE FROM audit WHERE {which} AND id <= "
        f"(SELECT id FROM audit WHERE {which} ORDER BY id DESC LIMIT 1 OFFSET ?)",
        (most,),
    )


def _line(text: str) -> str:
    """Return a text as one line in which every character is visible: no text forges a line."""
    shown = "".join(_visible(c) for c in text[:_LONGEST])
    return shown.encode("utf-8", "replace").decode()


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    if unicodedata.category(character) == "Zs":  # a narrow space between thousands
        return " "
    return f"\\x{ord(character):02x}"
