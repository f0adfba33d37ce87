"""The MQTT broker as a child process, for houses whose config names none.

mosquitto where it is installed, else rumqttd of the package iotcore. It listens on loopback alone
and lets in two users, the Mqtt node and telephones; their passwords are made at the first start and
stand, with the port, in a private file (`jph.config.broker`).
"""

import asyncio
import base64
import contextlib
import hashlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import sys
from pathlib import Path
from typing import Any, ClassVar, Final

from jph.cli.supervise.servers import Server, guarded
from jph.config.broker import APP_USER, NODE_USER, broker_file
from jph.errors import StoreError
from jph.util import durable

PORT: Final = 1883
_HOST: Final = "127.0.0.1"
_LARGEST: Final = 262_144
"""Bytes of a message; the schedules of a large house are 25 kB."""
_ROUNDS: Final = 101
_PLACES: Final = ("/usr/sbin", "/usr/local/sbin")
"""Not on the path of every user."""


class BrokerServer(Server):
    """A broker on a port of loopback; `kind` is mosquitto or iotcore, by default the better one."""

    name = "mqtt"
    stop_signals: ClassVar[tuple[signal.Signals, ...]] = (signal.SIGTERM,)

    def __init__(self, state: Path | None = None, kind: str = "", port: int = PORT) -> None:
        super().__init__(state)
        self._kind = kind
        self._wanted = port
        self.home = self.state / self.name
        self.ports: tuple[int, int] = (0, 0)

    async def prepare(self, lock: int) -> None:
        """Choose ports, make the users' passwords, and write the broker's own files."""
        kind = self._kind or ("mosquitto" if mosquitto() else "iotcore")
        if kind == "iotcore" and importlib.util.find_spec("iotcore") is None:
            raise StoreError(
                "no MQTT broker is installed: install mosquitto or the extra 'embedded', "
                "or name a broker in Mqtt.URL"
            )
        self._running = kind
        kept = self._kept()
        first = _free_port(int(kept.get("port", 0)) or self._wanted)
        second = first if kind == "mosquitto" else _free_port(int(kept.get("port5", 0)))
        self.ports = (first, second)
        users = dict(kept.get("users") or {})
        for user in (NODE_USER, APP_USER):
            users.setdefault(user, secrets.token_urlsafe(18 if user == NODE_USER else 9))
        self.home.chmod(0o700)
        if kind == "mosquitto":
            self._write("users", "".join(f"{u}:{hashed(p)}\n" for u, p in users.items()))
            self._write("mosquitto.conf", self._mosquitto_config())
        else:
            self._write("rumqttd.toml", self._rumqttd_config(users))
        content = {"kind": kind, "port": first, "port5": second, "users": users}
        durable.save(broker_file(self.state), content)
        broker_file(self.state).chmod(0o600)

    def command(self) -> list[str]:
        """Return the command line."""
        if self._running == "mosquitto":
            return [*guarded("SIGTERM"), str(mosquitto()), "-c", str(self.home / "mosquitto.conf")]
        words = (sys.executable, "-c", _SERVE, str(self.home / "rumqttd.toml"))
        return [*guarded("SIGTERM"), *words]

    async def answers(self) -> bool:
        """Whether every port takes connections."""
        for port in dict.fromkeys(self.ports):
            try:
                _, writer = await asyncio.open_connection(_HOST, port)
            except OSError:
                return False
            writer.close()
        return True

    def _kept(self) -> dict[str, Any]:
        with contextlib.suppress(StoreError):
            return durable.load(broker_file(self.state))
        return {}

    def _write(self, name: str, text: str) -> None:
        path = self.home / name
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)

    def _mosquitto_config(self) -> str:
        lines = [
            f"listener {self.ports[0]} {_HOST}",
            "allow_anonymous false",
            f"password_file {self.home / 'users'}",
            "persistence true",
            f"persistence_location {self.home}/",
            "autosave_interval 600",
            f"max_packet_size {_LARGEST}",
            "max_queued_messages 1000",
            f"user {pwd.getpwuid(os.geteuid()).pw_name}",
            "log_dest stderr",
            "log_type error",
            "log_type warning",
            "connection_messages false",
            "set_tcp_nodelay true",
        ]
        return "\n".join(lines) + "\n"

    def _rumqttd_config(self, users: dict[str, str]) -> str:
        text = _ROUTER
        for version, port in zip(("v4", "v5"), self.ports, strict=True):
            text += _LISTENER.format(version=version, host=_HOST, port=port, largest=_LARGEST)
            text += "".join(f'{user} = "{password}"\n' for user, password in users.items())
        return text


_SERVE: Final = (
    "import logging, sys; from iotcore import IotCoreBroker; "
    "logging.getLogger('rumqttd').setLevel(logging.CRITICAL); "
    "IotCoreBroker(config_path=sys.argv[1]).run_forever()"
)
_ROUTER: Final = """id = 0
[router]
id = 0
max_connections = 200
max_outgoing_packet_count = 200
max_segment_size = 1048576
max_segment_count = 4
"""
_LISTENER: Final = """
[{version}.1]
name = "{version}"
listen = "{host}:{port}"
next_connection_delay_ms = 1
[{version}.1.connections]
connection_timeout_ms = 5000
max_payload_size = {largest}
max_inflight_count = 500
dynamic_filters = true
[{version}.1.connections.auth]
"""


def mosquitto() -> Path | None:
    """Return the program mosquitto, if it is installed."""
    found = shutil.which("mosquitto")
    places = [Path(found)] if found else [Path(place) / "mosquitto" for place in _PLACES]
    return next((place for place in places if place.exists()), None)


def hashed(password: str, salt: bytes | None = None) -> str:
    """Return a password as mosquitto's file holds it (PBKDF2 with SHA-512)."""
    salt = salt or os.urandom(12)
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ROUNDS, 64)
    parts = (base64.b64encode(each).decode() for each in (salt, key))
    return f"$7${_ROUNDS}${'$'.join(parts)}"


def _free_port(wanted: int) -> int:
    """Return a port of loopback that is free: the wanted one if it is."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((_HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise StoreError("no port of loopback is free")
