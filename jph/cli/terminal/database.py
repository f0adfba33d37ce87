"""Connections to the history for commands, and the moments that their options name."""

import re
from contextlib import AbstractContextManager, closing
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import click

from collector.db.connecting import connect
from collector.db.location import dsn_of, sql_of
from collector.jphpostgresql import JphPostgreSQL
from jph.cli.terminal.context import App
from jph.cli.terminal.place import require_here
from jph.errors import StoreError

if TYPE_CHECKING:
    from psycopg2.extensions import connection

FIRST_YEAR: Final = 1970
LAST_YEAR: Final = 2100
"""Years of the times that a reading can have: timestamps count from 1970."""
_DAYS_BACK: Final = {"today": 0, "yesterday": 1}
_UNITS: Final = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


def history_dsn(app: App) -> str:
    """Return the connection string of the history.

    Raises:
        StoreError: its embedded server is on another machine, or a password cannot be read.
    """
    if sql_of(app.network) is None:
        require_here(app.network, JphPostgreSQL.types, "the history")
    return dsn_of(app.network)


def reading(app: App, name: str) -> "AbstractContextManager[connection]":
    """Open a read-only connection for a block.

    Raises:
        StoreError: PostgreSQL is away; says what to do.
    """
    dsn = history_dsn(app)
    try:
        opened = connect(dsn, name, read_only=True)
    except StoreError as error:
        if sql_of(app.network) is None:  # the embedded server, which runs with the house
            hint = "the house's own PostgreSQL does not answer; control.py up runs it"
            raise StoreError(f"{hint} ({error})") from error
        raise
    opened.autocommit = True
    return closing(opened)


def parse_moment(text: str, now: datetime, zone: ZoneInfo) -> datetime:
    """Return the moment that `text` means.

    That is `now`, `today` and `yesterday` (their local midnight), `30min`, `90m`, `2h`, `7d` ago, a
    date, or a date and time.

    Raises:
        click.BadParameter: it is none of them, or in a year that no reading can have.
    """
    moment = _moment(text, now, zone)
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        expected = f"expected a time between {FIRST_YEAR} and {LAST_YEAR}"
        raise click.BadParameter(f"{text!r}: {expected}, found the year {moment.year}")
    return moment


def _moment(text: str, now: datetime, zone: ZoneInfo) -> datetime:
    if text == "now":
        return now
    if text in _DAYS_BACK:
        day = now.astimezone(zone).date() - timedelta(days=_DAYS_BACK[text])
        return datetime(day.year, day.month, day.day, tzinfo=zone)
    try:
        if match := re.fullmatch(r"(\d{1,6})(min|[smhdw])", text):
            return now - timedelta(seconds=int(match[1]) * _UNITS[match[2]])
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=zone) if moment.tzinfo is None else moment
    except OverflowError:
        raise click.BadParameter(f"{text!r} is before the year {FIRST_YEAR}") from None
    except ValueError:
        hint = "today, yesterday, 30min, 2h, 7d … or a date as 2026-10-05"
        raise click.BadParameter(f"{text!r} is none of {hint}") from None
