"""The first packet of a connection."""

import random

import pytest

from jph.mqtt.connect import Login, NotMqttError, login_in


def text(content: bytes) -> bytes:
    return len(content).to_bytes(2, "big") + content


def packet(flags: int, *fields: bytes, version: int = 4) -> bytes:
    properties = b"\x00" if version == 5 else b""
    head = text(b"MQTT") + bytes([version, flags]) + b"\x00\x0a" + properties
    body = head + b"".join(map(text, fields))
    return bytes([0x10, len(body)]) + body


@pytest.mark.parametrize(
    ("data", "login"),
    [
        (packet(0x02, b""), Login(b"", b"")),
        (packet(0xC2, b"", b"", b""), Login(b"", b"")),
        (packet(0xC2, b"id", b"app", b"secret"), Login(b"app", b"secret")),
        (packet(0xCE, b"", b"willtopic", b"text", b"app", b"pw"), Login(b"app", b"pw")),
        (packet(0xC2, b"", b"app", b"pw", version=5), Login(b"app", b"pw")),
        (packet(0xC2, b"id", b"app", b"secret") + b"\x82\x00", Login(b"app", b"secret")),
        (packet(0xC2, b"id", b"app", b"secret")[:-1], None),
        (b"", None),
        (b"\x10", None),
    ],
)
def test_user_and_password_of_a_first_packet(data: bytes, login: Login | None) -> None:
    assert login_in(data) == login


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1",
        b"\x30\x02ab",
        b"\x10\x08\x00\x04HTTP\x04\x02",
        b"\x10\xff\xff\xff\xff\x01",
        b"\x10\xff\x7f",
        packet(0xC2, b"id", b"app"),
    ],
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(NotMqttError):
        login_in(data)


def test_mutated_packets_are_read_or_refused() -> None:
    chance, good = random.Random(3), packet(0xCE, b"", b"will", b"text", b"app", b"pw")
    for _ in range(5000):
        mutated = bytearray(good)
        for _ in range(chance.randint(1, 3)):
            mutated[chance.randrange(len(mutated))] = chance.randrange(256)
        try:
            login_in(bytes(mutated))
        except NotMqttError:
            continue
