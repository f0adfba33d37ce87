"""Devices of the demonstration where other programs reach them: files, ports and sockets.

In one folder: `weather.sock` is a web server on a Unix socket, `submeter` an SDM630 on Modbus RTU,
`gpio.sock` a GPIO chip (17 a motion sensor, 22 a relay), `pwm/pwmchip0` a PWM chip with a fan,
`badge` a reader that writes the number of a card and a line end.
"""

import asyncio
import json
import math
import random
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from jph.sim.chips.gpio import GpioChip
from jph.sim.meter.port import MeterPort
from jph.sim.physics.spec import VOLTS
from jph.util.crc16 import crc16
from jph.util.unixpath import socket_path

MOTION_LINE: Final = 17
UNIT: Final = 1
BADGES: Final = ("0A001F4C22", "0A0042D1E7")
_TICK_S: Final = 1.0
_MOTION_SHARE: Final = 0.05
_BADGE_SHARE: Final = 0.01
_POWER: Final = (12, 52)
"""Registers of the power of phase 1 and of the total."""
_ENERGY: Final = (72, 342)


class Gadgets:
    """Serves the devices of a folder; `outdoor_c` and `watts` return what they measure."""

    def __init__(
        self,
        folder: Path,
        outdoor_c: Callable[[], float],
        watts: Callable[[], float],
        seed: int,
    ) -> None:
        self._folder = folder
        self._outdoor_c = outdoor_c
        self._watts = watts
        self._random = random.Random(seed)
        self._kwh = 1234.0
        self._asked = b""
        self.gpio = GpioChip(folder / "gpio.sock")

    async def open(self) -> None:
        """Make sockets, ports and files."""
        self._folder.mkdir(parents=True, exist_ok=True)
        await self.gpio.start()
        pwm = self._folder / "pwm" / "pwmchip0" / "pwm0"
        pwm.mkdir(parents=True, exist_ok=True)
        for name in ("period", "duty_cycle", "enable"):
            if not (pwm / name).exists():
                (pwm / name).write_text("0")
        weather = self._folder / "weather.sock"
        weather.unlink(missing_ok=True)
        with socket_path(weather) as reachable:
            self._weather = await asyncio.start_unix_server(self._tell_weather, reachable)
        self._meter = MeterPort(self._folder / "submeter")
        self._meter.listen(self._take_request)
        self._badge = MeterPort(self._folder / "badge")

    async def close(self) -> None:
        """Remove them."""
        self._weather.close()
        self._meter.close()
        self._badge.close()
        await self.gpio.close()

    async def run(self) -> None:
        """Let the meter count; now and then a person moves, or shows a badge."""
        before_s = time.monotonic()
        while True:
            await asyncio.sleep(_TICK_S)
            now_s = time.monotonic()
            self._kwh += self._watts() * (now_s - before_s) / 3.6e6
            before_s = now_s
            moves = self._random.random() < _MOTION_SHARE
            if moves != bool(self.gpio.levels.get(MOTION_LINE)):
                self.gpio.drive(MOTION_LINE, int(moves))
            if self._random.random() < _BADGE_SHARE:
                self._badge.write(f"{self._random.choice(BADGES)}\r\n".encode())

    async def _tell_weather(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            body = json.dumps(weather(self._outdoor_c(), time.time())).encode()
            head = (
                f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
            )
            writer.write(f"{head}\r\nConnection: close\r\n\r\n".encode() + body)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return
        finally:
            writer.close()

    def _take_request(self, data: bytes) -> None:
        self._asked = (self._asked + data)[-8:]
        if len(self._asked) == 8:
            answer = reply(self._asked, self._watts(), self._kwh)
            if answer:
                self._asked = b""
                self._meter.write(answer)


def weather(outdoor_c: float, now_s: float) -> dict[str, object]:
    """Return what a weather station measures; all but the temperature follows the hour."""
    turn = math.sin(now_s / 1800)
    return {
        "model": "demo",
        "temperature": round(outdoor_c, 1),
        "humidity": round(70 - 15 * turn),
        "pressure": round(1013 + 4 * math.sin(now_s / 7200), 1),
        "wind": {"speed": round(3 + 2 * turn, 1), "direction": round(now_s / 60) % 360},
    }


def reply(request: bytes, watts: float, kwh: float) -> bytes:
    """Return the reply of an SDM630 to a request of Modbus RTU; empty for any other bytes."""
    body, crc = request[:-2], request[-2:]
    unit, function, first, count = struct.unpack(">BBHH", body)
    if unit != UNIT or function != 4 or not 0 < count <= 100 or crc != _check(body):
        return b""
    values = {**dict.fromkeys(_POWER, watts), **dict.fromkeys(_ENERGY, kwh)}
    values |= {0: VOLTS, 6: watts / VOLTS, 48: watts / VOLTS, 70: 50.0}
    data = bytearray(2 * count)
    for register, value in values.items():
        at = 2 * (register - first)
        if 0 <= at <= len(data) - 4:
            data[at : at + 4] = struct.pack(">f", value)
    answer = bytes((unit, function, len(data))) + data
    return answer + _check(answer)


def _check(data: bytes) -> bytes:
    return crc16(data, 0xFFFF).to_bytes(2, "little")
