"""`config check`: every mistake in the configuration, and what is probably one."""

import socket
from collections.abc import Iterator

import click
import msgspec

from jph.cli.terminal.context import App, json_option
from jph.cli.terminal.output import echo_json, table
from jph.config import references
from jph.config.document import read
from jph.config.fetch import fetch
from jph.config.model import Network, written_for_original
from jph.config.redis_address import MOST_DATABASES, database_of
from jph.config.sealed import Refused, fetch_signed
from jph.config.settings import keys_of
from jph.errors import ConfigError, Problem
from jph.net.channel import is_interface_name
from jph.node import kinds
from jph.util.secrets import scrub


@click.group()
def config() -> None:
    """Look at the configuration."""


@config.command()
@json_option
@click.pass_obj
def check(app: App, as_json: bool) -> None:
    """Show every mistake with its path, in the settings of each kind too.

    It resolves every codifier, port and host that the settings name. Keys that no program reads
    are warnings; keys that begin with _ are comments. Exit status 2 if there is a mistake;
    warnings alone leave it 0.
    """
    warnings: list[Problem] = []
    error: ConfigError | None = None
    try:
        document = fetch(app.url)
        network = kinds.parse(document, app.url, references_too=True)
        warnings = [
            *_not_admitted(app.url),
            *oddities(network),
            *missing_interfaces(network, socket.gethostname()),
            *_of_the_original(document),
            *kinds.unread_keys(document, network),
        ]
    except ConfigError as caught:
        error = caught
    if as_json:
        mistakes = list(error.problems or [Problem("", str(error))]) if error else []
        echo_json({"mistakes": _as_json(mistakes), "warnings": _as_json(warnings)})
        raise SystemExit(2 if error else 0)
    if error:
        raise error
    for warning in warnings:
        click.echo(scrub(f"warning: {warning}"), err=True)
    nodes, all_ = len(network.nodes()), len(network.sensors)
    click.echo(f"{app.url}: good; {nodes} nodes, {all_ - nodes} elements")


def _not_admitted(url: str) -> Iterator[Problem]:
    """Say that no node takes this config before it is signed."""
    try:
        fetch_signed(url)
    except Refused as error:
        yield Problem("Roster", str(error))


def _of_the_original(document: bytes) -> Iterator[Problem]:
    raw, _ = read(document, "config")
    if written_for_original(raw):
        yield Problem(
            "Multicast.Dialect",
            'not set, and the config has no key that only jph knows: treated as "multi-sensor", '
            "so that original programs understand every reading",
        )


def _as_json(problems: list[Problem]) -> list[dict[str, str]]:
    return [{"path": problem.path, "message": scrub(problem.message)} for problem in problems]


@config.command("keys")
@click.argument("kind", default="", metavar="[TYPE]")
@json_option
def keys(kind: str, as_json: bool) -> None:
    """List the keys of the config, or of a kind's settings (`Sensor`): unit, default, meaning."""
    struct: type[msgspec.Struct] = kinds.find(kind).settings_type if kind else Network
    found = list(keys_of(struct))
    if as_json:
        echo_json([each._asdict() for each in found])
        return
    cells = [
        (each.path, "required" if each.default is None else each.default, each.unit, each.text)
        for each in found
    ]
    for line in table(("key", "default", "unit", "meaning"), cells):
        click.echo(line)


def oddities(network: Network) -> list[Problem]:
    """Return what is allowed, but probably a mistake."""
    return [
        *_late_always(network),
        *_not_run(network),
        *_replaced(network),
        *references.doubts(network),
    ]


def missing_interfaces(network: Network, host: str) -> Iterator[Problem]:
    """Yield the interfaces that `host`, this machine, does not have; it may be unplugged now."""
    present = [name for _, name in socket.if_nameindex()]
    for name in network.multicast.interfaces_of(host):
        if is_interface_name(name) and name not in present:
            yield Problem(
                "Multicast.Interfaces",
                f"this machine ({host}) has no interface {name} now; it has {', '.join(present)}",
            )


def _late_always(network: Network) -> Iterator[Problem]:
    for sensor in network.sensors:
        path = f"Sensors[{sensor.codifier}]"
        node = network.sensor(sensor.parent) if sensor.parent else sensor
        if 0 < sensor.timeout_warning < node.sensor_interval:
            yield Problem(
                f"{path}.TimeoutWarning",
                f"{sensor.timeout_warning:g} s is shorter than the SensorInterval of "
                f"{node.codifier}, {node.sensor_interval:g} s: late every time",
            )
        if not sensor.name and not sensor.short_name:
            yield Problem(path, "no Name and no ShortName: pages show the codifier alone")


def _replaced(network: Network) -> Iterator[Problem]:
    """Name the kinds of the original that cannot work."""
    for sensor in network.nodes():
        if kinds.is_known(sensor.type) and (text := kinds.find(sensor.type).replaced):
            path = f"Sensors[{sensor.codifier}].Type"
            yield Problem(path, f"{sensor.type} sends nothing: {text}")


def _not_run(network: Network) -> Iterator[Problem]:
    if not any(sensor.type == references.CONSOLE_TYPE for sensor in network.sensors):
        yield Problem("Sensors", "no ControlProgram: control.py uses the codifier CC")
    running = {code for codes in network.hosts.values() for code in codes}
    for sensor in network.nodes() if running else ():
        known = kinds.is_known(sensor.type) and sensor.type != references.CONSOLE_TYPE
        if known and sensor.codifier not in running:
            yield Problem("Hosts", f"no host runs {sensor.codifier} ({sensor.type})")
    if network.redis is not None and (number := database_of(network.redis.url)) >= MOST_DATABASES:
        text = f"database {number}: a Redis has 0 to {MOST_DATABASES - 1} unless it is configured"
        yield Problem("Redis.URL", text)
