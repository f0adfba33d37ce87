"""A house of a hub as commands and pages see it: its config, with its history in the hub."""

from contextlib import closing
from typing import TYPE_CHECKING

import msgspec

from collector.db.connecting import connect
from collector.hub.blocks import schema_of
from collector.hub.registry import read_config, read_houses
from jph.config.model import Network, Sql, parse
from jph.config.settings import Settings
from jph.config.stores import embedded_sql, postgres_dsn
from jph.config.validation import read_struct
from jph.errors import ConfigError

if TYPE_CHECKING:
    from psycopg2.extensions import connection


class _Place(Settings, frozen=True):
    sql: Sql | None = msgspec.field(default=None, name="SQL")


def hub_sql(network: Network) -> Sql:
    """Return the server of a config's hub.

    Raises:
        ConfigError: the config has none.
    """
    for entry in network.sensors:
        if entry.type == "Hub":
            known = {"SQL": entry.sensor["SQL"]} if "SQL" in entry.sensor else {}
            place = read_struct(_Place, known, f"Sensors[{entry.codifier}].Sensor", [])
            return (place and place.sql) or network.sql or embedded_sql()
    raise ConfigError("this configuration has no Hub, which knows other houses")


def house_network(network: Network, house: str) -> Network:
    """Return the configuration of a house that a hub collects.

    Raises:
        ConfigError: there is no hub, or no such house.
        StoreError: PostgreSQL is away.
    """
    sql = hub_sql(network)
    with closing(connect(postgres_dsn(network, sql), "hub", read_only=True)) as opened:
        return read_house(opened, sql, house)


def read_house(opened: "connection", sql: Sql, house: str) -> Network:
    """Return the configuration of a house; `opened` is a connection to the hub at `sql`.

    Raises:
        ConfigError: there is no such house, or it has not sent its configuration yet.
        StoreError: PostgreSQL is away.
    """
    found = read_config(opened, house)
    if found is None:
        names = [each.name for each in read_houses(opened)]
        if house in names:
            raise ConfigError(f"{house} has not sent its configuration yet")
        raise ConfigError(f"the hub has no house {house!r}; it has {', '.join(names) or 'none'}")
    made = parse(found[0].encode(), f"the config of {house}")
    return msgspec.structs.replace(made, sql=msgspec.structs.replace(sql, schema=schema_of(house)))
