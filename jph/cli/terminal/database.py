"""The history for commands: where it is, in whose days, how to connect."""

import re
from contextlib import AbstractContextManager, closing
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import click

from collector.db.connecting import connect
from collector.db.location import dsn_of, sql_of
from jph.cli.terminal.context import App
from jph.errors import StoreError

if TYPE_CHECKING:
    from psycopg2.extensions import connection

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


def reading(app: App, name: str) -> "AbstractContextManager[connection]":
    """Give a connection that reads, for the length of a block.

    Raises:
        StoreError: PostgreSQL is away; says what to do.
    """
    try:
        opened = connect(dsn_of(app.network), name, read_only=True)
    except StoreError as error:
        if sql_of(app.network) is None:  # ours, which runs with the house
            hint = "the house's own PostgreSQL does not answer; control.py up runs it"
            raise StoreError(f"{hint} ({error})") from error
        raise
    opened.autocommit = True
    return closing(opened)


def parse_moment(text: str, now: datetime, zone: ZoneInfo) -> datetime:
    """Return the moment `text` means: `now`, `90m`, `2h`, `7d` ago, a date or a date and time.

    Raises:
        click.BadParameter: it is none of them.
    """
    if text == "now":
        return now
    if match := re.fullmatch(r"(\d{1,6})([smhdw])", text):
        return now - timedelta(seconds=int(match[1]) * _UNITS[match[2]])
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is neither 2h, 7d … nor a date") from None
    return moment.replace(tzinfo=zone) if moment.tzinfo is None else moment
