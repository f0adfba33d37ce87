"""Sensors and switches of 433 MHz through an RFXCOM transceiver (RFXtrx433)."""

import asyncio
import json
import time
from collections.abc import Coroutine
from typing import Annotated, Any, Final

from jph.config.model import expand
from jph.config.settings import described
from jph.devices.radio.rfxcom import (
    BAUD_RATE,
    GET_STATUS,
    RESET,
    START,
    STATUS,
    Packets,
    decode,
    order,
    refusal,
)
from jph.devices.serial.portkeeper import PortKeeper
from jph.devices.tic.link import SerialLink
from jph.errors import DeviceError
from jph.node.node import Settings
from jph.values.elements import Element
from jph.values.node import ValueNode
from jph.wire.codec import Control

_SETTLE_S: Final = 0.3
"""Time that the transceiver needs after a reset; what it sends meanwhile is dropped."""
_PAUSE_S: Final = 0.5
"""A packet takes 10 ms; the rest of one that pauses so long does not come."""
_ANSWER_S: Final = 3.0
_TRIES: Final = 2


class RfxElement(Element, frozen=True, kw_only=True):
    """One value of a device."""

    device: Annotated[str, described("Id of the device, as probe shows it: 70:02, 1234567:2")]
    key: Annotated[str, described("Name of the value: Temperature, Humidity, On")] = "On"
    packet: Annotated[
        str, described("Packet type in hexadecimal, where two devices have one id: 52")
    ] = ""
    set: Annotated[
        tuple[int, int] | None,
        described('Packet type and subtype of orders: [17, 0]; needs "Control": "enabled"'),
    ] = None
    dim: Annotated[bool, described("Whether orders are a level in %")] = False

    def applies(self, record: dict[str, Any]) -> bool:
        """Return whether a packet has the value."""
        right_type = not self.packet or record["Packet"] == self.packet.lower()
        return bool(record.get("Id") == self.device and right_type and self.key in record)


class RfxcomSettings(Settings, frozen=True):
    """One transceiver, many devices."""

    device: Annotated[str, described("Port: /dev/serial/by-id/usb-RFXCOM_…, tcp://host:port")]
    elements: Annotated[tuple[RfxElement, ...], described("Values of the devices")]
    silence: Annotated[
        float, described("Time without a byte after which the port is opened again", "s", gt=0)
    ] = 3600.0


class Rfxcom(ValueNode, type="Rfxcom", settings=RfxcomSettings):
    """Publish what devices send as it comes; send orders one after the other.

    A port that is lost or silent is opened again.
    """

    libraries = ("RFXtrx",)
    settings: RfxcomSettings

    async def open(self) -> None:
        """Start to read; wait for a missing port."""
        self.every_answer = False
        self._link: SerialLink | None = None
        self._sending = asyncio.Lock()
        self._answer: asyncio.Future[str] | None = None
        await super().open()

    def on_control(self, message: Control) -> None:
        """Send an order to the device of an element that has `Set`."""
        for element in self._elements():
            value = self.ordered(message)
            if element.codifier == message.to and element.set is not None and value is not None:
                self.spawn(self._order(element, value), "order")

    def serving(self) -> Coroutine[Any, Any, None]:
        """Return what keeps the port open."""
        self._dropping = True
        keeper = PortKeeper(
            self._take, lambda text: self.explain("port", text), self._forget, self._talk
        )
        device = self.settings.device
        path = device if "://" in device else expand(device)
        return keeper.serve(path, BAUD_RATE, self.settings.silence)

    def _forget(self) -> None:
        self._packets, self._heard_s = Packets(), 0.0
        self._link, self._dropping = None, True

    async def _talk(self, link: SerialLink) -> None:
        """Reset the transceiver, ask for its status, let it start."""
        link.write(RESET)
        await asyncio.sleep(_SETTLE_S)
        self._packets.drop()
        self._dropping = False
        link.write(GET_STATUS)
        link.write(START)
        self._link = link

    def _take(self, chunk: bytes) -> None:
        if self._dropping:
            return
        now_s = time.monotonic()
        if now_s - self._heard_s > _PAUSE_S:
            self._packets.drop()
        self._heard_s = now_s
        for packet in self._packets.feed(chunk):
            self._take_packet(packet)

    def _take_packet(self, packet: bytes) -> None:
        if (reason := refusal(packet)) is not None:
            if self._answer is not None and not self._answer.done():
                self._answer.set_result(reason)
            return
        record = decode(packet)
        self.show_raw(f"{packet.hex()}: {json.dumps(record, ensure_ascii=False, default=str)}")
        if record is None:
            return
        if packet[1] == STATUS and "Firmware" in record:
            protocols = " ".join(record["Protocols"])
            self.log.info("transceiver %s: %s", record["Firmware"], protocols)
        for element in self._elements():
            if element.applies(record):
                self.take(element.codifier, record[element.key])

    async def _order(self, element: RfxElement, value: float) -> None:
        assert element.set is not None
        code = element.codifier
        try:
            packets = order(*element.set, element.device, value, dim=element.dim)
            for packet in packets:
                async with self._sending:
                    await self._send(packet)
        except (DeviceError, OSError) as error:
            self.log.warning("%s: the order %g is not obeyed: %s", code, value, error)
            return
        self.take(code, value if element.dim else int(value != 0))

    async def _send(self, packet: bytes) -> None:
        """Send a packet, a second time where the transceiver is busy.

        Raises:
            DeviceError: it refuses, or does not answer.
        """
        reason = ""
        for _ in range(_TRIES):
            link = self._link
            if link is None or not link.is_open:
                raise DeviceError("the port is not open")
            self._answer = asyncio.get_running_loop().create_future()
            link.write(packet)
            try:
                reason = await asyncio.wait_for(self._answer, _ANSWER_S)
            except TimeoutError:
                raise DeviceError("the transceiver does not answer") from None
            if not reason:
                return
        raise DeviceError(reason)

    def _elements(self) -> list[RfxElement]:
        return [each for each in self.described if isinstance(each, RfxElement)]
