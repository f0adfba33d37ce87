"""`mqtt`: whether the broker answers and what a telephone needs; what is published."""

import asyncio
import contextlib
import logging
import secrets
import socket
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import click
import msgspec

from jph.cli.supervise.plan import address_of, gateway_of
from jph.cli.terminal.context import App, run_async
from jph.config.broker import APP_USER, Broker, broker_kept, broker_of
from jph.config.model import Network, Sensor
from jph.config.validation import read_struct
from jph.errors import ConfigError, JphError
from jph.mqtt.settings import AppSettings, MqttSettings
from jph.node import kinds
from jph.node.outbox import now_ms

_ANSWER_S: Final = 3.0
_RETAINED_S: Final = 0.7
"""Time in which a broker hands over what it keeps."""
_QUIET: Final = logging.getLogger("jph.cli.mqtt")
_LONGEST: Final = 2000


class Heard(NamedTuple):
    """One message."""

    topic: str
    payload: bytes
    retained: bool


@click.group()
def mqtt() -> None:
    """Look at the broker that the Mqtt node uses."""


@mqtt.command()
@click.option("--password", "shows_password", is_flag=True, help="Show the app's password.")
@click.pass_obj
def status(app: App, shows_password: bool) -> None:
    """Show the broker, the node's sign of life, and what to enter in the heating app."""
    network = kinds.load(app.url)
    node, settings = _node(network)
    broker = broker_of(settings.url, settings.password)
    base = (settings.app or AppSettings()).base
    kept: dict[str, bytes] = {}
    version = run_async(_look(broker, settings, base, kept))
    kind = "" if settings.url else f"{broker_kept().get('kind', '')} of this machine, "
    click.echo(f"broker  {kind}{broker.host}:{broker.port}, answers (MQTT {version})")
    click.echo(f"node    {node.codifier}: {_sign(kept.get(f'{base}/serverdata/is_alive'))}")
    if settings.app is not None:
        click.echo(f"app     {_for_app(network, settings, shows_password=shows_password)}")


@mqtt.command()
@click.argument("topic", default="#")
@click.option("--count", default=0, metavar="N", help="End after N messages.")
@click.option("--seconds", type=float, default=None, help="End after this time.")
@click.pass_obj
def listen(app: App, topic: str, count: int, seconds: float | None) -> None:
    r"""Print every message of TOPIC (a filter; all by default), those that the broker keeps first.

    \b
      control.py mqtt listen 'heatingcontrol/#'
      control.py mqtt listen '#' --seconds 5
    """
    _, settings = _node(kinds.load(app.url))
    broker = broker_of(settings.url, settings.password)
    run_async(_listen(broker, settings, topic, count, seconds))


def _node(network: Network) -> tuple[Sensor, MqttSettings]:
    for node in network.nodes():
        if node.type == "Mqtt":
            settings = read_struct(MqttSettings, node.sensor, "", [])
            if settings is not None:
                return node, settings
    raise ConfigError("the config has no Mqtt node (docs/nodes/mqtt.md)")


async def _look(broker: Broker, settings: MqttSettings, base: str, kept: dict[str, bytes]) -> str:
    """Fill in what the broker keeps of the app's topics; return the protocol version."""

    def take(heard: Heard) -> None:
        kept[heard.topic] = heard.payload

    async with _connected(broker, settings, f"{base}/#", take) as link:
        await asyncio.sleep(_RETAINED_S)
        return "5" if link.version == 5 else "3.1.1"


async def _listen(
    broker: Broker, settings: MqttSettings, topic: str, count: int, seconds: float | None
) -> None:
    done, left = asyncio.Event(), count or -1

    def take(heard: Heard) -> None:
        nonlocal left
        if left:
            left -= 1
            click.echo(_line(heard))
        if not left:
            done.set()

    async with _connected(broker, settings, topic, take):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await done.wait()


def _line(heard: Heard) -> str:
    text = heard.payload[:_LONGEST].decode("utf-8", "replace")
    shown = "".join(each if each.isprintable() else "·" for each in text)
    kept = "kept" if heard.retained else "    "
    return f"{time.strftime('%H:%M:%S')} {kept} {heard.topic} {shown}"


@contextlib.asynccontextmanager
async def _connected(
    broker: Broker, settings: MqttSettings, topic: str, take: Callable[[Heard], None]
) -> Any:  # noqa: ANN401 - the library is loaded here alone
    """Connect beside the node, with an id of our own.

    Raises:
        JphError: the broker does not answer.
    """
    from jph.mqtt.link import Link, resolve

    link = Link(
        f"jph-console-{secrets.token_hex(4)}",
        lambda: resolve(broker, settings.version, settings.ca),
        None,
        _QUIET,
    )
    _QUIET.disabled = True
    ready = asyncio.Event()
    link.on_connect = ready.set
    link.on_message = lambda *message: take(Heard(*message))
    running = asyncio.create_task(link.run())
    try:
        try:
            async with asyncio.timeout(_ANSWER_S):
                await ready.wait()
        except TimeoutError:
            reason = link.reason or "it does not answer"
            raise JphError(f"the broker at {broker.host}:{broker.port}: {reason}") from None
        link.subscribe([(topic, 0)])
        yield link
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await link.close(())


def _sign(payload: bytes | None) -> str:
    if not payload:
        return "no sign of life for the app"
    with contextlib.suppress(ValueError, KeyError, msgspec.DecodeError, TypeError):
        import datetime

        kept = datetime.datetime.fromisoformat(msgspec.json.decode(payload)["date"])
        return f"sign of life {max(now_ms() / 1000 - kept.timestamp(), 0):.0f} s ago"
    return "a sign of life that cannot be read"


def _for_app(network: Network, settings: MqttSettings, *, shows_password: bool) -> str:
    """Return what a person enters in the app: the page's host and port, user and password."""
    gateway = gateway_of(list(network.nodes()))
    if gateway is None:
        return "connect it to the broker's own WebSocket: the config has no page to pass it on"
    secure = bool(gateway.sensor.get("Certificate"))
    address = address_of(gateway)
    host = socket.gethostname() if address in ("127.0.0.1", "::1") else address
    where = f"server {host}, port {gateway.sensor.get('Port', 8080)}, {_TLS[secure]}"
    if settings.url:
        return f"{where}; user and password of your broker"
    password = str(dict(broker_kept().get("users") or {}).get(APP_USER, ""))
    shown = password if shows_password else "… (--password shows it)"
    return f"{where}; user {APP_USER}, password {shown}"


_TLS: Final = {True: "secure", False: "not secure"}
