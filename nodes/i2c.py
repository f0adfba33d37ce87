"""Values of I2C chips without a kernel driver: registers, commands with answers, an ADC Pi."""

import asyncio
from typing import Annotated, Any, Final, Literal

import msgspec

from jph.config.model import expand
from jph.config.settings import described
from jph.devices.i2c.bus import I2CBus, open_bus, read_bytes, write_bytes
from jph.devices.i2c.bus_thread import BusThread
from jph.devices.i2c.registers import (
    CONVERSION_S,
    Form,
    adc_order,
    adc_size,
    adc_volt,
    checked,
    encoded,
    number,
)
from jph.errors import DeviceError
from jph.node.node import Settings
from jph.values.elements import Element
from jph.values.node import ValueNode
from jph.wire.codec import Control

_ADC_TRIES: Final = 4
_MOST_BYTES: Final = 32


class ChipElement(Element, frozen=True):
    """One value of a chip."""

    register: Annotated[int | None, described("Register of the value")] = None
    at: Annotated[int | None, described("First byte of the value in the answer to Write")] = None
    input: Annotated[int | None, described("Input of an ADC Pi, 1 to 8; the value is in V")] = None
    size: Annotated[int, described("Bytes of the value", ge=1, le=4)] = 1
    signed: Annotated[bool, described("Whether it is a two's complement")] = False
    little: Annotated[bool, described("Whether the low byte is first")] = False
    shift: Annotated[int, described("Bits that it is shifted to the right", ge=0, le=31)] = 0
    crc: Annotated[bool, described("Whether a CRC-8 follows it")] = msgspec.field(
        default=False, name="CRC"
    )
    bits: Annotated[Literal[12, 14, 16, 18], described("Bits of a conversion")] = 12
    gain: Annotated[Literal[1, 2, 4, 8], described("Gain before the conversion")] = 1
    order: Annotated[
        bool, described('Whether orders write the register; needs "Control": "enabled"')
    ] = False

    def __post_init__(self) -> None:
        Element.__post_init__(self)
        places = [p for p in (self.register, self.at, self.input) if p is not None]
        if len(places) != 1:
            raise ValueError(f"{self.codifier}: expected one of Register, At and Input")
        if not 0 <= places[0] <= 0xFF or (self.input is not None and not 1 <= self.input <= 8):
            raise ValueError(f"{self.codifier}: {places[0]} is no register, byte or input")
        if self.order and self.register is None:
            raise ValueError(f"{self.codifier}: only registers take orders")

    def form(self) -> Form:
        """Return the form of the number."""
        return Form(self.size, self.signed, self.little, self.shift)


class I2CSettings(Settings, frozen=True):
    """One chip, or the two of an ADC Pi."""

    address: Annotated[int, described("Address of the chip: 104 is 0x68", ge=3, le=0x77)]
    elements: Annotated[tuple[ChipElement, ...], described("Values of the chip")]
    bus: Annotated[int | str, described("Bus: 1, a path, or unix:PATH of a simulated one")] = 1
    start: Annotated[
        tuple[tuple[int, ...], ...],
        described("Bytes written before the first reading: [[register, value], …]"),
    ] = ()
    write: Annotated[tuple[int, ...], described("Command before each reading")] = ()
    wait: Annotated[float, described("Time between command and answer", "s", ge=0, le=5)] = 0.0
    read: Annotated[int, described("Bytes of the answer", ge=0, le=_MOST_BYTES)] = 0

    def __post_init__(self) -> None:
        for each in (*self.start, self.write):
            if not all(0 <= byte <= 0xFF for byte in each) or len(each) > _MOST_BYTES:
                raise ValueError("Start, Write: expected bytes, 0 to 255")
        if any(each.at is not None for each in self.elements) and not self.read:
            raise ValueError("Read: expected the number of bytes that the chip answers")


class I2C(ValueNode, type="I2C", settings=I2CSettings):
    """Publish values of a chip each `SensorInterval`; write registers by orders.

    A transfer runs in a thread. One that fails is explained, and the bus is opened again.
    """

    settings: I2CSettings

    async def open(self) -> None:
        """Prepare the elements and the thread; the first reading opens the bus."""
        await super().open()
        self._thread = BusThread(f"{self.codifier} I2C")
        self._bus: I2CBus | None = None
        self._busy = asyncio.Lock()

    async def close(self) -> None:
        """Close the bus."""
        await self._drop_bus()
        self._thread.stop()

    async def read(self, now_ms: int) -> None:
        """Read the answer to the command, the registers and the inputs."""
        async with self._busy:
            try:
                bus = await self._opened()
                answer = await self._command(bus)
            except (DeviceError, OSError) as error:
                await self._fail("chip", error)
                return
            for element in self._elements():
                try:
                    self.take(element.codifier, await self._value(bus, element, answer))
                except DeviceError as error:
                    self.explain(element.codifier, str(error))
                except OSError as error:
                    await self._fail(element.codifier, error)
                    return

    def on_control(self, message: Control) -> None:
        """Write an order to its register."""
        for element in self._elements():
            if element.codifier == message.to and element.order:
                value = self.ordered(message)
                if value is not None:
                    self.spawn(self._set_register(element, value), "order")

    async def _set_register(self, element: ChipElement, value: float) -> None:
        assert element.register is not None
        try:
            data = encoded(value, element.form())
            async with self._busy:
                bus = await self._opened()
                await self._thread.transfer(
                    bus.write_i2c_block_data, self.settings.address, element.register, list(data)
                )
        except (DeviceError, OSError, ValueError) as error:
            self.log.warning("%s: the order %g is not obeyed: %s", element.codifier, value, error)
        self._timer_due.set()  # what became of it is read at once

    async def _opened(self) -> I2CBus:
        if self._bus is None:
            name = self.settings.bus
            path = expand(name) if isinstance(name, str) else name
            bus = self._bus = await self._thread.transfer(open_bus, path)
            for data in self.settings.start:
                await self._thread.transfer(write_bytes, bus, self.settings.address, bytes(data))
        return self._bus

    async def _command(self, bus: I2CBus) -> bytes:
        source = self.settings
        if source.write:
            await self._thread.transfer(write_bytes, bus, source.address, bytes(source.write))
        if source.wait:
            await asyncio.sleep(source.wait)
        if not source.read:
            return b""
        answer = await self._thread.transfer(read_bytes, bus, source.address, source.read)
        self.show_raw(f"answer: {answer.hex(' ')}")
        return answer

    async def _value(self, bus: I2CBus, element: ChipElement, answer: bytes) -> Any:  # noqa: ANN401
        if element.input is not None:
            return await self._convert(bus, element)
        form, data = element.form(), answer[element.at or 0 :]
        if element.register is not None:
            count = form.size + element.crc
            read = await self._thread.transfer(
                bus.read_i2c_block_data, self.settings.address, element.register, count
            )
            data = bytes(read)
            self.show_raw(f"register {element.register}: {data.hex(' ')}")
        return number(checked(data, form.size) if element.crc else data, form)

    async def _convert(self, bus: I2CBus, element: ChipElement) -> float:
        assert element.input is not None
        chip, channel = divmod(element.input - 1, 4)
        address, bits = self.settings.address + chip, element.bits
        order = adc_order(channel, bits, element.gain)
        await self._thread.transfer(write_bytes, bus, address, bytes([order]))
        for _ in range(_ADC_TRIES):
            await asyncio.sleep(CONVERSION_S[bits])
            answer = await self._thread.transfer(read_bytes, bus, address, adc_size(bits))
            self.show_raw(f"input {element.input}: {answer.hex(' ')}")
            if (volt := adc_volt(answer, order)) is not None:
                return volt
        raise DeviceError("the conversion does not end")

    async def _fail(self, code: str, error: Exception) -> None:
        self.explain(code, f"address 0x{self.settings.address:02x}: {error}")
        await self._drop_bus()

    async def _drop_bus(self) -> None:
        bus, self._bus = self._bus, None
        if bus is not None:
            self._thread.post(bus.close)

    def _elements(self) -> list[ChipElement]:
        return [each for each in self.described if isinstance(each, ChipElement)]
