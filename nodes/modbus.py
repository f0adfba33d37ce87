"""Values in the registers of Modbus devices: meters, inverters, relays; orders to them."""

import asyncio
import contextlib
import struct
from typing import Annotated, Any, Final, Literal

from jph.config.model import expand
from jph.config.settings import described
from jph.devices.modbus.rtu import RtuPort
from jph.devices.modbus.sunspec import BASES, END, MARK, MOST_MODELS, POINTS, find, scaled
from jph.devices.modbus.tcp import (
    HEADER_SIZE,
    PRESETS,
    Span,
    bit,
    body_size,
    number,
    read_reply,
    read_request,
    registers,
    size_of,
    spans,
    write_request,
)
from jph.errors import DeviceError
from jph.node.node import Settings
from jph.values.elements import Element
from jph.values.node import ValueNode
from jph.wire.codec import Control

PORT: Final = 502
_LAST_REGISTER: Final = 65_535


class ModbusElement(Element, frozen=True):
    """One value in registers, or one bit."""

    read: Annotated[str, described("Name of the value in the preset: power.total")] = ""
    register: Annotated[int | None, described("Register, counted from 0")] = None
    area: Annotated[Literal["holding", "input", "coil", "discrete"], described("Where it is")] = (
        "holding"
    )
    type: Annotated[
        Literal["int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"],
        described("Type of a number in registers"),
    ] = "uint16"
    order: Annotated[
        Literal["ABCD", "CDAB", "BADC", "DCBA"], described("Order of the bytes of 0xAABBCCDD")
    ] = "ABCD"
    write: Annotated[
        bool, described('Whether orders write it; its entry needs "Control": "enabled"')
    ] = False

    def __post_init__(self) -> None:
        Element.__post_init__(self)
        if bool(self.read) == (self.register is not None):
            raise ValueError(f"{self.codifier}: expected either Read or Register")
        if self.register is not None and not 0 <= self.register <= _LAST_REGISTER:
            raise ValueError(f"{self.codifier}: Register: expected 0 to {_LAST_REGISTER}")
        if self.write and (self.read or self.area not in ("holding", "coil")):
            raise ValueError(f"{self.codifier}: only holding registers and coils can be written")


class ModbusSettings(Settings, frozen=True):
    """One device."""

    device: Annotated[
        str,
        described("tcp://10.0.0.5:502, a serial port, or rtu+tcp://host:port of a plain converter"),
    ]
    elements: Annotated[tuple[ModbusElement, ...], described("Values of the device")]
    unit: Annotated[int, described("Unit of the device behind a gateway", ge=0, le=255)] = 1
    preset: Annotated[Literal["", "SDM630", "SunSpec"], described("Names of a meter's values")] = ""
    baud_rate: Annotated[int, described("Speed of a serial port", "baud", ge=300)] = 9600
    parity: Annotated[Literal["none", "even", "odd"], described("Parity of a serial port")] = "none"
    timeout: Annotated[float, described("Limit of one request", "s", gt=0, le=60)] = 3.0

    def __post_init__(self) -> None:
        if self.device.startswith("tcp://"):
            address(self.device)
        elif not self.device.startswith(("/", "~", "$", "rtu+tcp://", "rfc2217://")):
            text = "expected tcp://host:port, a serial port or rtu+tcp://host:port"
            raise ValueError(f"Device: {text}, found {self.device[:60]!r}")
        known = POINTS if self.preset == "SunSpec" else PRESETS.get(self.preset, {})
        for element in self.elements:
            if element.read and element.read not in known:
                names = " ".join(known) or "none without Preset"
                raise ValueError(f"{element.codifier}: Read: expected one of {names}")


def address(device: str) -> tuple[str, int]:
    """Return host and port of `tcp://host:port`.

    Raises:
        ValueError: it is no such address.
    """
    host, _, port = device.removeprefix("tcp://").partition(":")
    if not device.startswith("tcp://") or not host or not (port or "502").isdecimal():
        raise ValueError(f"Device: expected tcp://host:port, found {device[:60]!r}")
    return host, int(port or PORT)


class Modbus(ValueNode, type="Modbus", settings=ModbusSettings):
    """Publish registers each `SensorInterval`, over one connection or line that stays open.

    A connection that fails is opened again at the next interval.
    """

    settings: ModbusSettings
    _stream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    _port: RtuPort | None = None
    _transaction = 0
    _away = False
    """Whether the device did not answer the last request at all."""
    _models: dict[int, int] | None = None

    async def open(self) -> None:
        """Prepare the elements; the first reading connects."""
        self._busy = asyncio.Lock()
        await super().open()

    async def close(self) -> None:
        """Close the connection."""
        self._disconnect()
        if self._port is not None:
            await self._port.close()

    def on_reload(self) -> None:
        """Connect again with the new settings."""
        super().on_reload()
        self._models = None
        self._disconnect()
        if self._port is not None:
            self.spawn(self._port.close(), "port")
            self._port = None

    async def read(self, now_ms: int) -> None:
        """Read all spans, then take the values."""
        if self.settings.preset == "SunSpec":
            await self._read_sunspec()
        for span in spans(self._span(each) for each in self._elements()):
            try:
                async with self._busy:
                    data = await self._ask(read_request(self._next(), self.settings.unit, span))
            except (DeviceError, OSError) as error:
                self.explain(f"{span.area} {span.first}", f"{error or 'connection lost'}")
                if self._away:
                    return  # the other requests would wait as long
                continue
            self.show_raw(f"{span.area} {span.first}: {data.hex(' ', 2)}")
            for element in self._elements():
                own = self._span(element)
                if own.area == span.area and 0 <= own.first - span.first < span.size:
                    self._take_registers(element, own, data, own.first - span.first)

    def on_control(self, message: Control) -> None:
        """Take an order to an element that may be written."""
        for element in self._elements():
            if element.codifier == message.to and element.write:
                value = self.ordered(message)
                if value is not None:
                    self.spawn(self._write(element, value), "order")

    def _elements(self) -> list[ModbusElement]:
        """Return the elements in registers that are known without asking."""
        sunspec = self.settings.preset == "SunSpec"
        found = [each for each in self.described if isinstance(each, ModbusElement)]
        return [each for each in found if not (sunspec and each.read)]

    async def _read_sunspec(self) -> None:
        try:
            if self._models is None:
                self._models = await self._find_models()
            for element in self.described:
                if isinstance(element, ModbusElement) and element.read:
                    await self._read_point(element, self._models)
        except (DeviceError, OSError) as error:
            self.explain("SunSpec", f"{error or 'connection lost'}")

    async def _read_point(self, element: ModbusElement, models: dict[int, int]) -> None:
        found = find(element.read, models)
        if found is None:
            self.explain(element.codifier, f"the device has no model with {element.read}")
            return
        point, base = found
        raw = number(
            await self._registers(base + point.at, size_of(point.kind)), point.kind, "ABCD"
        )
        power = 0
        if point.factor_at is not None:
            power = int(
                number(await self._registers(base + point.factor_at, 1), "int16", "ABCD") or 0
            )
        value: Any = None if raw is None else scaled(point.kind, raw, power)
        self.take(element.codifier, value)

    async def _find_models(self) -> dict[int, int]:
        """Return the register of each model of a SunSpec device.

        Raises:
            DeviceError: it is none.
        """
        for base in BASES:
            try:
                if await self._registers(base, 2) != MARK:
                    continue
            except DeviceError:
                if self._away:
                    raise
                continue
            found, at = dict[int, int](), base + 2
            for _ in range(MOST_MODELS):
                model, length = struct.unpack(">HH", await self._registers(at, 2))
                if model == END:
                    break
                found.setdefault(model, at)
                at += 2 + length
            self.log.info("SunSpec models: %s", " ".join(map(str, found)))
            return found
        raise DeviceError("it is no SunSpec device: no SunS in its registers")

    async def _registers(self, first: int, count: int) -> bytes:
        span = Span("holding", first, count)
        async with self._busy:
            data = await self._ask(read_request(self._next(), self.settings.unit, span))
        self.show_raw(f"holding {first}: {data.hex(' ', 2)}")
        return data

    def _place(self, element: ModbusElement) -> tuple[str, int, str]:
        if element.read:
            return PRESETS[self.settings.preset][element.read]
        assert element.register is not None
        return element.area, element.register, element.type

    def _span(self, element: ModbusElement) -> Span:
        area, first, kind = self._place(element)
        return Span(area, first, size_of(kind) if area in ("holding", "input") else 1)

    def _take_registers(self, element: ModbusElement, own: Span, data: bytes, at: int) -> None:
        if own.area in ("coil", "discrete"):
            self.take(element.codifier, bit(data, at))
            return
        kind = self._place(element)[2]
        self.take(element.codifier, number(data[2 * at : 2 * (at + own.size)], kind, element.order))

    async def _write(self, element: ModbusElement, value: float) -> None:
        area, first, kind = self._place(element)
        try:
            coil = bytes([value != 0])
            data = coil if area == "coil" else registers(value, kind, element.order)
            async with self._busy:
                unit = self.settings.unit
                await self._ask(write_request(self._next(), unit, area, first, data))
        except (DeviceError, OSError, ValueError) as error:
            self.log.warning("%s: the order %g was not obeyed: %s", element.codifier, value, error)
        self._timer_due.set()  # what became of it is read at once

    def _next(self) -> int:
        self._transaction = (self._transaction + 1) & 0xFFFF
        return self._transaction

    async def _ask(self, request: bytes) -> bytes:
        """Return the data of a reply.

        Raises:
            DeviceError: the device refuses, does not answer, or answers nonsense.
            OSError: the connection failed.
        """
        if not self.settings.device.startswith("tcp://"):
            return await self._ask_line(request)
        whole = False
        try:
            async with asyncio.timeout(self.settings.timeout):
                reader, writer = await self._connected()
                writer.write(request)
                await writer.drain()
                (transaction,) = struct.unpack(">H", request[:2])
                header = await reader.readexactly(HEADER_SIZE)
                pdu = await reader.readexactly(body_size(header, transaction, request[6]))
                whole = True
                return read_reply(request, pdu)
        except TimeoutError:
            raise DeviceError(f"no reply within {self.settings.timeout:g} s") from None
        except asyncio.IncompleteReadError:
            raise DeviceError("the device closed the connection") from None
        finally:
            self._away = not whole
            if not whole:
                self._disconnect()

    async def _ask_line(self, request: bytes) -> bytes:
        source = self.settings
        if self._port is None:
            path = source.device if "://" in source.device else expand(source.device)
            self._port = RtuPort(path, source.baud_rate, source.parity[0].upper())
        self._away = True
        try:
            async with asyncio.timeout(source.timeout):
                reply = await self._port.ask(request)
            self._away = False
            return read_reply(request, reply)
        except TimeoutError:
            raise DeviceError(f"no reply within {source.timeout:g} s") from None

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._stream is None:
            self._stream = await asyncio.open_connection(*address(self.settings.device))
        return self._stream

    def _disconnect(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            with contextlib.suppress(OSError, RuntimeError):
                stream[1].close()
