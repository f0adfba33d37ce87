"""The MQTT broker: the address in a URL, else that of the broker that `control.py up` keeps."""

import json
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit

from jph.config.model import state_dir
from jph.config.stores import read_password
from jph.errors import StoreError
from jph.util.secrets import remember

NODE_USER: Final = "jph"
APP_USER: Final = "app"
"""Users of the broker that `up` keeps: the Mqtt node, and telephones."""
_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}


class Broker(NamedTuple):
    """Where a broker is and who logs in."""

    host: str
    port: int
    user: str = ""
    password: str = ""
    tls: bool = False

    def __repr__(self) -> str:
        return f"{self.user}@{self.host}:{self.port}" if self.user else f"{self.host}:{self.port}"


def broker_file(state: Path | None = None) -> Path:
    """Return the file that says where the broker of `up` is; private, as it has passwords."""
    return (state or state_dir()) / "mqtt" / "broker.json"


def broker_of(url: str, password_file: str, user: str = NODE_USER) -> Broker:
    """Return the broker of a URL; with an empty one, the broker of `up` as its `user`.

    Raises:
        StoreError: a file cannot be read, or `up` keeps no broker.
    """
    if url:
        parts = urlsplit(url)
        password = read_password(_in_state(password_file)) if password_file else ""
        return Broker(
            parts.hostname or "127.0.0.1",
            parts.port or _PORTS[parts.scheme],
            unquote(parts.username or ""),
            password or unquote(parts.password or ""),
            parts.scheme == "mqtts",
        )
    kept = broker_kept()
    try:
        users, port = dict(kept["users"]), int(kept["port"])
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{broker_file()} cannot be read: {error}") from error
    password = str(users.get(user, ""))
    remember(password)
    return Broker("127.0.0.1", port, user, password)


def broker_kept() -> dict[str, Any]:
    """Return what `up` keeps of its broker: `kind`, `port`, `port5` (MQTT 5) and `users`.

    Raises:
        StoreError: it keeps none, or the file cannot be read.
    """
    try:
        kept = json.loads(broker_file().read_bytes())
    except FileNotFoundError:
        raise StoreError("no Mqtt.URL, and control.py up keeps no broker on this state") from None
    except (OSError, ValueError) as error:
        raise StoreError(f"{broker_file()} cannot be read: {error}") from error
    return kept if isinstance(kept, dict) else {}


def _in_state(path: str) -> str:
    return path.replace("$JPH_STATE", str(state_dir()), 1)
