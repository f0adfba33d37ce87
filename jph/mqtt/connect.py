"""The first packet of an MQTT connection: whether it has a user and a password. Pure."""

from typing import Final, NamedTuple

LARGEST: Final = 4096
"""Bytes of a first packet that is read; a will or a certificate could make it larger."""
_CONNECT: Final = 0x10
_USER, _PASSWORD, _WILL = 0x80, 0x40, 0x04


class NotMqttError(ValueError):
    """The first bytes are no MQTT."""


class Login(NamedTuple):
    """User and password of a connection; empty where it has none."""

    user: bytes
    password: bytes


def login_in(data: bytes) -> Login | None:
    """Return the login of the first packet; None while it is not whole.

    Raises:
        NotMqttError: it is none.
    """
    if data and data[0] != _CONNECT:
        raise NotMqttError(f"a first byte {data[0]:#04x}")
    reader = _Reader(data, 1)
    try:
        length = reader.varint()
        if length > LARGEST:
            raise NotMqttError(f"a first packet of {length} bytes")
        if len(data) < reader.at + length:
            return None
    except IndexError:
        return None
    try:
        return _login(reader)
    except IndexError:
        raise NotMqttError("a first packet that ends early") from None


def _login(reader: "_Reader") -> Login:
    if reader.text() not in (b"MQTT", b"MQIsdp"):
        raise NotMqttError("another protocol")
    version, flags = reader.byte(), reader.byte()
    reader.skip(2)  # keep-alive
    if version >= 5:
        reader.skip(reader.varint())
    reader.text()  # client id
    if flags & _WILL:
        if version >= 5:
            reader.skip(reader.varint())
        reader.text()
        reader.text()
    user = reader.text() if flags & _USER else b""
    return Login(user, reader.text() if flags & _PASSWORD else b"")


class _Reader:
    """Reads fields one after the other; IndexError where the bytes end."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at = data, at

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def skip(self, count: int) -> None:
        if self.at + count > len(self.data):
            raise IndexError
        self.at += count

    def text(self) -> bytes:
        length = self.byte() << 8 | self.byte()
        start = self.at
        self.skip(length)
        return self.data[start : self.at]

    def varint(self) -> int:
        value = shift = 0
        while True:
            each = self.byte()
            value |= (each & 0x7F) << shift
            if each < 0x80:
                return value
            shift += 7
            if shift > 21:
                raise NotMqttError("a length of more than four bytes")
