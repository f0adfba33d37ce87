"""`setup`: finds what is on this machine and writes its first configuration."""

import json
from pathlib import Path
from typing import Any

import click

from jph.cli.setup import finding
from jph.cli.setup.document import FoundChip, FoundMeter, Wanted, document
from jph.cli.terminal.context import run_async
from jph.errors import StoreError
from jph.node import kinds


@click.command()
@click.option("--yes", is_flag=True, help="Ask nothing: take what is found.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("/etc/jph/config.json"),
    show_default=True,
    help="The configuration to write.",
)
@click.option("--force", is_flag=True, help="Replace it if it is there.")
@click.option("--serial", multiple=True, metavar="PATH", help="Listen here too; repeatable.")
@click.option("--i2c", multiple=True, metavar="BUS", help="Look on this bus only; repeatable.")
@click.option("--interface", metavar="NAME", help="Interface of the buses.  [default: the first]")
@click.option("--seconds", type=click.FloatRange(1, 600), default=15.0, show_default=True,
              help="Time to listen to serial ports.")  # fmt: skip
@click.option("--cards", is_flag=True, help="Make each MCP23017 a pilot card of eight heaters.")
@click.option("--embedded", is_flag=True, help="Use the embedded stores, whatever the system has.")
def setup(
    yes: bool,
    out: Path,
    force: bool,
    serial: tuple[str, ...],
    i2c: tuple[str, ...],
    interface: str | None,
    seconds: float,
    cards: bool,
    embedded: bool,
) -> None:
    r"""Find meters, chips, interfaces and stores of this machine, and write a configuration.

    \b
      sudo jph setup
      control.py setup --yes --out house.json

    It listens to each serial port at both speeds and says what it hears, and reads I2C chips
    without writing to them. A chip becomes a pilot card only with --cards or after a question: a
    card drives its pins. What it writes passes `config check`; `units` makes services of it.
    """
    if out.exists() and not force:
        raise StoreError(f"{out} exists already: name another file by --out, or take --force")
    meters, chips = _find(serial, i2c, seconds)
    meters = [m for m in meters if yes or click.confirm(f"Use the meter at {m.path}?", True)][:1]
    if chips and not cards and not yes:
        cards = click.confirm("Do the MCP23017 switch heaters by pilot wires?", False)
    wanted = Wanted(
        meters,
        chips,
        interface or _interface(yes),
        "" if embedded else finding.system_redis(),
        None if embedded else finding.system_sql() or None,
        cards=cards,
    )
    made = document(wanted)
    text = json.dumps(made, indent=1, ensure_ascii=False) + "\n"
    kinds.parse(text.encode(), str(out), references_too=True)
    _write(out, text)
    _tell(made, wanted, out)


def _find(
    serial: tuple[str, ...], i2c: tuple[str, ...], seconds: float
) -> tuple[list[FoundMeter], list[FoundChip]]:
    def say(text: str) -> None:
        click.echo(text, err=True)

    ports = list(serial) or finding.serial_ports()
    if ports:
        say(f"listening to {' '.join(ports)} …")
    else:
        say("no serial port: plug the adapter in; on a Raspberry Pi, enable_uart=1 in config.txt")
    meters = run_async(finding.listen(ports, seconds, say))
    buses = [int(bus) if bus.isdecimal() else bus for bus in i2c] or list(finding.i2c_buses())
    if not buses:
        say("no I2C bus: on a Raspberry Pi, dtparam=i2c_arm=on in its config.txt switches one on")
    return meters, finding.chips(buses, say)


def _interface(yes: bool) -> str:
    known = finding.usable_interfaces()
    if yes or len(known) < 2:
        return known[0] if known else ""
    return str(click.prompt("Interface of the buses", known[0], type=click.Choice(known)))


def _write(out: Path, text: str) -> None:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{out} cannot be written: {error}") from error


def _tell(made: dict[str, Any], wanted: Wanted, out: Path) -> None:
    """Print what was written, and what to do next."""
    nodes = [entry for entry in made["Sensors"] if entry["Type"] != "Proxy"]
    click.echo(f"written: {out}, {' '.join(entry['Codifier'] for entry in nodes)}")
    if wanted.chips and not wanted.cards:
        click.echo("The chips are not in it: `setup --cards` makes pilot cards of them.")
    command = f"{click.get_current_context().find_root().info_name} --config {out}"
    if wanted.redis_url and wanted.sql:
        click.echo(f"next: {command} sql database; {command} units --write /")
    else:
        click.echo(f"next: {command} up")
