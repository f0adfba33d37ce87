"""Modbus RTU: frames with a CRC on a serial line or a plain TCP connection to one."""

import asyncio
from typing import Final

from jph.devices.serial.portkeeper import port_url
from jph.devices.tic.link import SerialLink
from jph.errors import DeviceError
from jph.util.crc16 import crc16

_START: Final = 0xFFFF
_UNIT_AT: Final = 6
"""Place of unit and PDU in a frame of Modbus TCP."""
_CRC_SIZE: Final = 2
_LONGEST: Final = 256


def frame(request: bytes) -> bytes:
    """Return a request of Modbus TCP as a frame of RTU."""
    body = request[_UNIT_AT:]
    return body + crc16(body, _START).to_bytes(_CRC_SIZE, "little")


def reply_size(head: bytes) -> int | None:
    """Return the size of the reply that begins with these bytes; None for too few."""
    if len(head) < 3:
        return None
    function = head[1]
    if function & 0x80:
        return 5
    return 3 + head[2] + _CRC_SIZE if function <= 4 else 8


def pdu_of(reply: bytes, unit: int) -> bytes:
    """Return the PDU in a whole reply.

    Raises:
        DeviceError: the checksum is wrong, or another unit answers.
    """
    body, crc = reply[:-_CRC_SIZE], reply[-_CRC_SIZE:]
    if crc16(body, _START) != int.from_bytes(crc, "little"):
        raise DeviceError("the checksum of the reply is wrong")
    if body[0] != unit:
        raise DeviceError(f"unit {body[0]} answers, expected {unit}")
    return body[1:]


class RtuPort:
    """A line with one request at a time; opened by the first one."""

    def __init__(self, device: str, baud_rate: int, parity: str) -> None:
        self._link = SerialLink(port_url(device.removeprefix("rtu+")), self._take)
        self._baud_rate = baud_rate
        self._parity = parity
        self._data = b""
        self._arrived = asyncio.Event()

    async def ask(self, request: bytes) -> bytes:
        """Send a request of Modbus TCP in a frame of RTU; return the PDU of its reply.

        Raises:
            DeviceError: the port cannot be opened, or the reply is damaged.
        """
        if not self._link.is_open:
            await self._link.close()
            try:
                await self._link.open(self._baud_rate, self._parity)
            except DeviceError as error:
                raise DeviceError(str(error).replace("the meter's port", "the port")) from None
        self._data = b""
        self._link.write(frame(request))
        while (size := reply_size(self._data)) is None or len(self._data) < size:
            self._arrived.clear()
            if not self._link.is_open:
                raise DeviceError(await self._link.lost(0) or "the port is lost")
            await self._arrived.wait()
        return pdu_of(self._data[:size], request[_UNIT_AT])

    async def close(self) -> None:
        """Close the port."""
        await self._link.close()

    def _take(self, chunk: bytes) -> None:
        self._data = (self._data + chunk)[-_LONGEST:]
        self._arrived.set()
