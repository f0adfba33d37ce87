"""Finds meters, chips, interfaces and stores of this machine; it only listens and reads."""

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from jph.cli.doctor.machine import interfaces
from jph.cli.setup.document import FoundChip, FoundMeter
from jph.devices.i2c.bus import I2CBus, open_bus
from jph.devices.tic.link import MeterLine
from jph.devices.tic.meter import Fact, Meter
from jph.devices.tic.reader import ReaderEvent
from jph.errors import DeviceError

_SERIAL: Final = ("serial/by-id/*", "serial0", "ttyUSB*", "ttyACM*", "ttyAMA*")
_FRAMES: Final = 2
_SILENCE_S: Final = 10.0
_ADDRESSES: Final = range(0x20, 0x28)
_IOCON: Final = (0x0A, 0x0B)
"""One register of an MCP23017 at two places: both bytes are equal."""

Say = Callable[[str], None]


def serial_ports(dev: Path = Path("/dev")) -> list[str]:
    """Return the serial ports that may carry a meter, each once, by its most stable name."""
    found: dict[Path, str] = {}
    for pattern in _SERIAL:
        for path in sorted(dev.glob(pattern)):
            found.setdefault(path.resolve(), str(path))
    return list(found.values())


async def listen(ports: Sequence[str], seconds: float, say: Say) -> list[FoundMeter]:
    """Listen to all ports at the same time, at both speeds; return those with a meter."""
    found = await asyncio.gather(*(_listen_to(port, seconds, say) for port in ports))
    return [meter for meter in found if meter is not None]


async def _listen_to(port: str, seconds: float, say: Say) -> FoundMeter | None:
    meter = Meter(15.0, time.gmtime().tm_year)
    facts: dict[str, Fact] = {}
    whole = asyncio.Event()

    def take(events: list[ReaderEvent]) -> None:
        facts.update((fact.field, fact) for fact in meter.update(events, time.monotonic()))
        if line.reader.frames >= _FRAMES:
            whole.set()

    quiet = logging.getLogger("jph.setup")
    quiet.setLevel(logging.CRITICAL)
    line = MeterLine(port, None, _SILENCE_S, take, lambda _: None, quiet)
    serving = asyncio.create_task(line.serve(give_up=True))
    waiting = asyncio.create_task(whole.wait())
    await asyncio.wait((serving, waiting), timeout=seconds, return_when="FIRST_COMPLETED")
    for task in (serving, waiting):
        task.cancel()
    results = await asyncio.gather(serving, waiting, return_exceptions=True)
    if isinstance(results[0], DeviceError):
        say(f"{port}: {results[0]}")
        return None
    reader = line.reader
    if not reader.groups or reader.mode is None:
        heard = "bytes that are no meter's" if line.reader.bytes else "nothing"
        say(f"{port}: {heard} in {seconds:g} s, at both speeds")
        return None
    fields = frozenset(facts) | frozenset(_warnings(meter.phases))
    subscribed = facts.get("SUBSCRIBED_CURRENT")
    value = subscribed.value if subscribed is not None else None
    amperes = float(value) if isinstance(value, int | float) else None
    say(f"{port}: a meter in mode {reader.mode.value}, {meter.phases or 'unknown'} phases")
    return FoundMeter(port, reader.mode.value, fields, amperes)


def _warnings(phases: int | None) -> Iterable[str]:
    """Return the fields of warnings: a meter sends them only during an overrun."""
    return (f"WARNING_{number}" for number in range(1, (phases or 0) + 1))


def chips(buses: Sequence[int | str], say: Say) -> list[FoundChip]:
    """Return the MCP23017 on these buses; only registers without side effects are read."""
    found = []
    for bus in buses:
        try:
            opened = open_bus(bus)
        except DeviceError as error:
            say(str(error))
            continue
        try:
            mine = [FoundChip(bus, address) for address in _ADDRESSES if _answers(opened, address)]
        finally:
            opened.close()
        for chip in mine:
            say(f"I2C bus {bus}: an MCP23017 at address {chip.address} (0x{chip.address:02x})")
        found += mine
    return found


def i2c_buses(dev: Path = Path("/dev")) -> list[int]:
    """Return the numbers of the I2C buses of this machine."""
    numbers = (path.name.removeprefix("i2c-") for path in dev.glob("i2c-*"))
    return sorted(int(number) for number in numbers if number.isdecimal())


def _answers(bus: I2CBus, address: int) -> bool:
    try:
        first, second = (bus.read_byte_data(address, register) for register in _IOCON)
    except OSError:
        return False
    return first == second


def usable_interfaces() -> list[str]:
    """Return the interfaces that carry multicast to other machines."""
    return [
        each.name
        for each in interfaces()
        if each.name != "lo" and each.up and each.multicast and each.addressed
    ]


def system_redis(host: str = "127.0.0.1", port: int = 6379) -> str:
    """Return the URL of a Redis of the system, empty if none listens."""
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1.0):
        return f"redis://{host}:{port}/0"
    return ""


def system_sql(folder: Path = Path("/var/run/postgresql"), port: int = 5432) -> dict[str, Any]:
    """Return the place of a PostgreSQL of the system, empty if none listens."""
    if (folder / f".s.PGSQL.{port}").exists():
        return {"Host": str(folder), "Port": port, "Database": "jph", "User": "jph"}
    return {}
