"""Chooses the parts and stores that `up` runs on this machine. Pure except for the port."""

import errno
import socket
from typing import Final

from jph.config.model import Network, Sensor
from jph.errors import ConfigError, JphError

GATEWAY_TYPES: Final = frozenset({"Gateway", "Flask"})
REDIS_TYPES: Final = GATEWAY_TYPES | {"jphRedis"}
SQL_TYPES: Final = frozenset({"jphPostgreSQL", "postgresCalcHandler", "jphCalcHistory"})
MQTT_TYPES: Final = frozenset({"Mqtt"})
DEFAULT_PORT: Final = 8080
LOOPBACK: Final = "127.0.0.1"
_NOT_RUN: Final = frozenset({"Proxy", "ControlProgram"})


def parts_here(network: Network, host: str, known_types: frozenset[str]) -> list[Sensor]:
    """Return the nodes of this host: those `Hosts` gives it, else all whose type has a kind here.

    Raises:
        ConfigError: `Hosts` names other machines only, or an element or console as a program.
    """
    if not network.hosts:
        return [
            sensor
            for sensor in network.nodes()
            if sensor.type in known_types and sensor.type not in _NOT_RUN
        ]
    for name in (host, host.partition(".")[0], "*"):
        if name in network.hosts:
            chosen = [network.sensor(code) for code in network.hosts[name]]
            break
    else:
        named = ", ".join(network.hosts)
        raise ConfigError(f"Hosts has nothing for this machine, {host!r}; it names {named}")
    for sensor in chosen:
        if sensor.type in _NOT_RUN or sensor.type not in known_types:
            raise ConfigError(
                f"Hosts.{name}: {sensor.codifier} has the type {sensor.type!r}, "
                "which is no program to run here"
            )
    return chosen


def stores_needed(network: Network, parts: list[Sensor]) -> tuple[bool, bool]:
    """Return whether these parts need an embedded Redis and an embedded PostgreSQL."""
    redis = network.redis_url is None and any(p.type in REDIS_TYPES for p in parts)
    sql = network.sql is None and any(p.type in SQL_TYPES and "SQL" not in p.sensor for p in parts)
    return redis, sql


def broker_needed(parts: list[Sensor]) -> bool:
    """Return whether one of these parts needs the MQTT broker of this machine."""
    return any(part.type in MQTT_TYPES and not part.sensor.get("URL") for part in parts)


def gateway_of(parts: list[Sensor]) -> Sensor | None:
    """Return the part that serves the page, if there is one."""
    return next((part for part in parts if part.type in GATEWAY_TYPES), None)


def address_of(gateway: Sensor) -> str:
    """Return where this machine reaches the page: its address, or loopback if it is all of them."""
    address = str(gateway.sensor.get("Address", LOOPBACK))
    return {"": LOOPBACK, "0.0.0.0": LOOPBACK, "::": "::1"}.get(address, address)


def claim_port(address: str, port: int) -> int:
    """Return a port that can be had on `address`: `port` itself, or a free one if it is 0.

    Raises:
        JphError: another program has it.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, port))
            return int(probe.getsockname()[1])
    except OSError as error:
        reason = "is in use by another program" if error.errno == errno.EADDRINUSE else str(error)
        raise JphError(
            f"port {port} on {address} {reason}: stop that, or choose another port, "
            f"as in JPH_PORT={port + 1 if port < 65535 else DEFAULT_PORT} make run"
        ) from error
