"""Finds a network's history and the time zone of its days, for programs that read them."""

from zoneinfo import ZoneInfo

from collector.calc import CalcSettings, PostgresCalcHandler
from collector.jphpostgresql import JphPostgreSQL, PostgresSettings
from collector.statistics.buckets import DEFAULT_ZONE
from jph.config.model import Network, Sql
from jph.config.stores import postgres_dsn


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
