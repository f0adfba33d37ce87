"""Asks Redis and PostgreSQL how they are, each within a few seconds."""

import contextlib
from typing import Any, Final

from collector.db import schema
from collector.db.connecting import connect
from collector.db.location import dsn_of, sql_of
from collector.jphpostgresql import JphPostgreSQL
from jph.cli.supervise.plan import REDIS_TYPES
from jph.cli.terminal.place import require_here
from jph.client.doctor.facts import Store
from jph.client.last_values import LIMIT_S
from jph.config.model import Network
from jph.config.stores import redis_url
from jph.errors import StoreError

_LEAST_REDIS: Final = "5.0"
_LEAST_POSTGRESQL: Final = "14"


def redis_store(network: Network) -> Store | None:
    """Return the state of Redis; None if the config needs none here."""
    if not any(node.type in REDIS_TYPES and node.active for node in network.nodes()):
        return None
    if network.redis_url is None and not _here(network, REDIS_TYPES):
        return None
    from redis import Redis, RedisError

    try:
        client = Redis.from_url(
            redis_url(network), socket_timeout=LIMIT_S, socket_connect_timeout=LIMIT_S
        )
        with client:
            info: dict[str, Any] = client.info()
    except (RedisError, OSError, ValueError) as error:
        return Store("Redis", error=f"it does not answer: {error}")
    evicts = str(info.get("maxmemory_policy", "noeviction")) != "noeviction"
    limited = int(info.get("maxmemory", 0) or 0) > 0
    version = str(info.get("redis_version", ""))
    return Store("Redis", version=version, least=_LEAST_REDIS, evicts=evicts and limited)


def sql_store(network: Network) -> Store | None:
    """Return the state of PostgreSQL; None if the config needs none here."""
    if not any(node.type in JphPostgreSQL.types and node.active for node in network.nodes()):
        return None
    if sql_of(network) is None and not _here(network, JphPostgreSQL.types):
        return None
    import psycopg2

    found = None
    try:
        opened = connect(dsn_of(network), "doctor", read_only=True)
    except StoreError as error:
        return Store("PostgreSQL", error=f"it does not answer: {error}")
    with contextlib.closing(opened), opened.cursor() as cursor:
        cursor.execute("SHOW server_version")
        row = cursor.fetchone()
        version = str(row[0]) if row else ""
        try:
            cursor.execute("SELECT max(version) FROM jph_schema")
            row = cursor.fetchone()
            found = int(row[0]) if row and row[0] is not None else None
        except psycopg2.Error as error:
            text = str(error).partition("\n")[0]
            return Store("PostgreSQL", error=f"it has no history of jph yet: {text}")
    wanted = schema.migrations()[-1].version
    return Store("PostgreSQL", "", version, _LEAST_POSTGRESQL, found, wanted)


def _here(network: Network, types: frozenset[str] | tuple[str, ...]) -> bool:
    try:
        require_here(network, types, "it")
    except StoreError:
        return False
    return True
