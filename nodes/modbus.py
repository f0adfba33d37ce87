"""Values in the registers of Modbus TCP devices: meters, inverters, relays; orders to them."""

import asyncio
import contextlib
import struct
from typing import Annotated, Final, Literal

from jph.config.settings import described
from jph.devices.modbus import (
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
from jph.wire.codec import Control, Flag

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

    device: Annotated[str, described("Address: tcp://10.0.0.5:502")]
    elements: Annotated[tuple[ModbusElement, ...], described("Values of the device")]
    unit: Annotated[int, described("Unit of the device behind a gateway", ge=0, le=255)] = 1
    preset: Annotated[Literal["", "SDM630"], described("Names of a meter's values")] = ""
    timeout: Annotated[float, described("Limit of one request", "s", gt=0, le=60)] = 3.0

    def __post_init__(self) -> None:
        address(self.device)
        for element in self.elements:
            if element.read and element.read not in PRESETS.get(self.preset, {}):
                names = " ".join(PRESETS.get(self.preset, {})) or "none without Preset"
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
    """Publish registers each `SensorInterval`, over one connection that stays open.

    A connection that fails is opened again at the next interval.
    """

    settings: ModbusSettings
    _stream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    _transaction = 0

    async def open(self) -> None:
        """Prepare the elements; the first reading connects."""
        self._busy = asyncio.Lock()
        await super().open()

    async def close(self) -> None:
        """Close the connection."""
        self._disconnect()

    def on_reload(self) -> None:
        """Connect again with the new settings."""
        super().on_reload()
        self._disconnect()

    async def read(self, now_ms: int) -> None:
        """Read all spans, then take the values."""
        for span in spans(self._span(each) for each in self._elements()):
            try:
                async with self._busy:
                    data = await self._ask(read_request(self._next(), self.settings.unit, span))
            except (DeviceError, OSError) as error:
                self.explain(f"{span.area} {span.first}", f"{error or 'connection lost'}")
                if self._stream is None:
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
                last = self.feed.last.get(message.to)
                if message.flag == Flag.SET:
                    self.spawn(self._write(element, message.number), "order")
                elif message.flag == Flag.STEP and isinstance(last, int | float):
                    self.spawn(self._write(element, last + message.number), "order")

    def _elements(self) -> list[ModbusElement]:
        return [each for each in self.described if isinstance(each, ModbusElement)]

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
            if not whole:
                self._disconnect()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._stream is None:
            self._stream = await asyncio.open_connection(*address(self.settings.device))
        return self._stream

    def _disconnect(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            with contextlib.suppress(OSError, RuntimeError):
                stream[1].close()
