"""Packets of RFXCOM transceivers: from bytes, to records, and orders. Pure beside pyRFXtrx.

A packet begins with the number of bytes that follow, then its type. pyRFXtrx decodes them.
"""

from collections.abc import Iterator
from typing import Any, Final

from jph.errors import DeviceError

BAUD_RATE: Final = 38_400
RESET: Final = bytes((13, *13 * (0,)))
GET_STATUS: Final = bytes((13, 0, 0, 1, 2, *9 * (0,)))
START: Final = bytes((13, 0, 0, 3, 7, *9 * (0,)))
ACKNOWLEDGE: Final = 0x02
STATUS: Final = 0x01
_LONGEST: Final = 64
_SHORTEST: Final = 3
_ON: Final = {
    **dict.fromkeys(("On", "Group on", "All on", "Open", "Up", "Set level"), 1),
    **dict.fromkeys(("Off", "Group off", "All off", "Close", "Down"), 0),
}


class Packets:
    """Packets in a stream of bytes; a length that no packet has is skipped."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the packets that are complete."""
        data = self._rest + chunk
        at = 0
        while at < len(data):
            length = data[at]
            if not _SHORTEST <= length <= _LONGEST:
                at += 1
                continue
            if at + length + 1 > len(data):
                break
            yield data[at : at + length + 1]
            at += length + 1
        self._rest = data[at:]

    def drop(self) -> None:
        """Drop a packet that is not complete: its rest will not come."""
        self._rest = b""


def decode(packet: bytes) -> dict[str, Any] | None:
    """Return what a packet tells, by pyRFXtrx' names; None for one that it does not know.

    `Id` is the device, `Type` its model, `Packet` the packet type, `On` 1 or 0 of a command.
    """
    from RFXtrx import ConnectionEvent, RFXtrxTransport, StatusEvent

    try:
        event = RFXtrxTransport.parse(bytearray(packet))
    except (IndexError, KeyError, ValueError, TypeError, AttributeError, ZeroDivisionError):
        return None  # what a damaged packet raises in the library
    if event is None or isinstance(event, ConnectionEvent):
        return None
    device = event.device
    record: dict[str, Any] = {"Packet": f"{packet[1]:02x}", "Type": str(device.type_string)}
    if isinstance(event, StatusEvent):
        record |= {"Firmware": device.firmware_version, "Protocols": device.devices}
        return record
    if record["Type"].startswith("Unknown type"):
        return None  # its values would be a guess
    record |= {"Id": device.id_string, **event.values}
    if (command := event.values.get("Command")) in _ON:
        record["On"] = _ON[command]
    return record


def refusal(packet: bytes) -> str | None:
    """Return why the transceiver does not send, empty if it does, None for another packet."""
    if packet[1] != ACKNOWLEDGE or len(packet) < 5:
        return None
    reasons = {0: "", 1: "", 2: "it is busy", 3: "it refuses the address"}
    return reasons.get(packet[4], f"it answers {packet[4]}")


def order(packet_type: int, subtype: int, device: str, value: float, *, dim: bool) -> list[bytes]:
    """Return the packets that switch a device: 0 is off, anything else on, or a level in %.

    Raises:
        DeviceError: the library does not know the device.
    """
    import RFXtrx

    sent: list[bytes] = []

    class _Collect(RFXtrx.RFXtrxTransport):  # type: ignore[misc]
        def send(self, data: bytes) -> None:
            sent.append(bytes(data))

    try:
        found = RFXtrx.get_device(packet_type, subtype, device)
        if dim and value:
            found.send_dim(_Collect(), round(min(max(value, 0.0), 100.0)))
        else:
            names = ("send_on", "send_open") if value else ("send_off", "send_close")
            method = next(name for name in (*names, "") if not name or hasattr(found, name))
            getattr(found, method)(_Collect())
    except (ValueError, TypeError, AttributeError, IndexError) as error:
        text = f"no device {device} of type {packet_type}, {subtype} that takes orders: {error}"
        raise DeviceError(text) from None
    return sent
