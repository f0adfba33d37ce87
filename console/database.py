"""The history for commands: where it is, in whose days, how to connect."""

import re
from contextlib import AbstractContextManager, closing
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import click

from collector.buckets import DEFAULT_ZONE
from collector.calc import CalcSettings, PostgresCalcHandler
from collector.connecting import connect
from collector.jphpostgresql import JphPostgreSQL, PostgresSettings
from console.context import App
from jph.config import Network, Sql
from jph.stores import postgres_dsn

if TYPE_CHECKING:
    from psycopg2.extensions import connection

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


def sql_of(network: Network) -> Sql | None:
    """Return where the config's first collector stores; None is the embedded server."""
    for sensor in network.sensors:
        if sensor.type in JphPostgreSQL.types:
            settings = JphPostgreSQL.check_settings(sensor)
            assert isinstance(settings, PostgresSettings)
            return settings.sql or network.sql
    return network.sql


def dsn_of(network: Network) -> str:
    """Return how to connect to the history.

    Raises:
        StoreError: the password file cannot be read.
    """
    return postgres_dsn(network, sql_of(network))


def zone_of(network: Network) -> ZoneInfo:
    """Return the zone whose days the config's first calculator computes."""
    for sensor in network.sensors:
        if sensor.type in PostgresCalcHandler.types:
            settings = PostgresCalcHandler.check_settings(sensor)
            assert isinstance(settings, CalcSettings)
            return ZoneInfo(settings.time_zone)
    return ZoneInfo(DEFAULT_ZONE)


def reading(app: App, name: str) -> "AbstractContextManager[connection]":
    """Give a connection that reads, for the length of a block.

    Raises:
        StoreError: PostgreSQL is away.
    """
    opened = connect(dsn_of(app.network), name, read_only=True)
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
