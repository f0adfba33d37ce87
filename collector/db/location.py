"""Location and time zone of a network's history. Pure but for the password file."""

from zoneinfo import ZoneInfo

from collector.calc import CalcSettings, PostgresCalcHandler
from collector.jphpostgresql import JphPostgreSQL, PostgresSettings
from collector.statistics.buckets import DEFAULT_ZONE
from jph.config.model import Network, Sql
from jph.config.stores import postgres_dsn


def sql_of(network: Network) -> Sql | None:
    """Return the server of the config's first collector; None is the embedded server."""
    for sensor in network.sensors:
        if sensor.type in JphPostgreSQL.types:
            settings = JphPostgreSQL.check_settings(sensor)
            assert isinstance(settings, PostgresSettings)
            return settings.sql or network.sql
    return network.sql


def dsn_of(network: Network) -> str:
    """Return the connection string of the history.

    Raises:
        StoreError: the password file cannot be read.
    """
    return postgres_dsn(network, sql_of(network))


def zone_of(network: Network) -> ZoneInfo:
    """Return the time zone of the config's first calculator."""
    for sensor in network.sensors:
        if sensor.type in PostgresCalcHandler.types:
            settings = PostgresCalcHandler.check_settings(sensor)
            assert isinstance(settings, CalcSettings)
            return ZoneInfo(settings.time_zone)
    return ZoneInfo(DEFAULT_ZONE)
