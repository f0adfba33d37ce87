"""`config check`: every mistake in the configuration, and what may be none but looks odd."""

import click

from jph.cli.terminal.context import App, json_option
from jph.cli.terminal.output import echo_json
from jph.config.model import Network
from jph.errors import ConfigError, Problem
from jph.node import kinds


@click.group()
def config() -> None:
    """Look at the configuration."""


@config.command()
@json_option
@click.pass_obj
def check(app: App, as_json: bool) -> None:
    """Tell every mistake, each kind's own settings included, with codifier and path.

    Exit status 2 if there is one; warnings alone leave it 0.
    """
    warnings: list[Problem] = []
    error: ConfigError | None = None
    try:
        network = kinds.load(app.url)
        warnings = oddities(network)
    except ConfigError as caught:
        error = caught
    if as_json:
        mistakes = list(error.problems or [Problem("", str(error))]) if error else []
        echo_json(
            {
                "mistakes": [mistake._asdict() for mistake in mistakes],
                "warnings": [warning._asdict() for warning in warnings],
            }
        )
        raise SystemExit(2 if error else 0)
    if error:
        raise error
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    nodes, all_ = len(network.nodes()), len(network.sensors)
    click.echo(f"{app.url}: good; {nodes} nodes, {all_ - nodes} elements")


def oddities(network: Network) -> list[Problem]:
    """Return what is allowed but probably not meant."""
    odd = []
    for sensor in network.sensors:
        path = f"Sensors[{sensor.codifier}]"
        node = network.sensor(sensor.parent) if sensor.parent else sensor
        if sensor.timeout_warning < node.sensor_interval:
            odd.append(
                Problem(
                    f"{path}.TimeoutWarning",
                    f"{sensor.timeout_warning:g} s is shorter than the SensorInterval of "
                    f"{node.codifier}, {node.sensor_interval:g} s: late every time",
                )
            )
        if not sensor.name and not sensor.short_name:
            odd.append(Problem(path, "no Name and no ShortName: pages show the codifier alone"))
    if not any(sensor.type == "ControlProgram" for sensor in network.sensors):
        odd.append(Problem("Sensors", "no ControlProgram: control.py speaks as CC"))
    running = {code for codes in network.hosts.values() for code in codes}
    if running:
        odd += [
            Problem("Hosts", f"no host runs {sensor.codifier} ({sensor.type})")
            for sensor in network.nodes()
            if kinds.is_known(sensor.type)
            and sensor.type != "ControlProgram"
            and sensor.codifier not in running
        ]
    return odd
