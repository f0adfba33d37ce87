"""Log lines on the network: bounded, discreet, and never a burden to who says them."""

import contextlib
import json
import logging
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jph.config.model import Network
from jph.errors import ConfigError, DecodeError
from jph.net.channel import Channel
from jph.net.log_channel import (
    LARGEST,
    LONGEST_TEXT,
    LogBusHandler,
    LogLine,
    bounded,
    decode,
    discreet,
    encode,
    level_of,
    send_log,
)
from tests.support import LIMIT_S

LINE = LogLine(n=7, time=1_790_000_000_000, code="TI", level="WARNING", text="silent", host="attic")


@pytest.fixture
def log_network(network: Callable[..., Network], ports: tuple[int, int]) -> Network:
    """Return a network with a log channel, on a port that is held for its buses already."""
    return network(Multicast={"Log-Channel": {"Address": "239.255.91.3", "Port": ports[0]}})


@pytest.fixture
def listener(log_network: Network) -> Iterator[socket.socket]:
    """Yield a socket that hears the log channel."""
    assert log_network.multicast.log is not None
    channel = Channel(log_network.multicast.log, ["lo"], ttl=0)
    (heard,) = channel.open(listen=True)
    heard.settimeout(LIMIT_S)
    yield heard
    channel.close()


@pytest.fixture
def handler(log_network: Network) -> Iterator[LogBusHandler]:
    handler = LogBusHandler(log_network.multicast, host="attic")
    yield handler
    handler.close()


def record(text: str, level: int = logging.INFO, **extra: Any) -> logging.LogRecord:
    made = logging.LogRecord("jph", level, __file__, 1, text, None, None)
    vars(made).update({"codifier": "TI"} | extra)
    return made


def test_a_line_arrives_as_it_was_said(handler: LogBusHandler, listener: socket.socket) -> None:
    handler.handle(record("the meter is silent", logging.WARNING))
    line = decode(listener.recv(LARGEST))
    assert (line.n, line.code, line.level, line.host) == (0, "TI", "WARNING", "attic")
    assert line.text == "the meter is silent"
    assert abs(line.time / 1000 - time.time()) < LIMIT_S
    handler.handle(record("again", codifier="<script>"))
    assert (decode(listener.recv(LARGEST)).n, handler.held) == (1, 0)


def test_a_traceback_goes_with_its_line(handler: LogBusHandler, listener: socket.socket) -> None:
    try:
        raise ValueError("x" * 5000)
    except ValueError as error:
        handler.handle(record("failed", exc_info=(ValueError, error, error.__traceback__)))
    line = decode(listener.recv(LARGEST))
    assert line.text.startswith("failed\nTraceback")
    assert len(line.text) == LONGEST_TEXT
    assert __file__ not in line.text
    assert "…/test_log_channel.py" in line.text


def test_too_many_lines_are_held_and_counted(log_network: Network, listener: socket.socket) -> None:
    handler = LogBusHandler(log_network.multicast, rate=1e-9, burst=3)
    for number in range(10):
        handler.handle(record(str(number)))
    assert [decode(listener.recv(LARGEST)).text for _ in range(3)] == ["0", "1", "2"]
    assert handler.held == 7
    handler._allowance.give_back()
    handler.handle(record("after"))
    assert decode(listener.recv(LARGEST)).held == 7
    assert handler.held == 0
    handler.close()


def test_without_a_network_a_node_goes_on(network: Callable[..., Network]) -> None:
    nowhere = {"Log-Channel": {"Address": "239.255.91.3", "Port": 9}, "Interfaces": {"*": "none0"}}
    handler = LogBusHandler(network(Multicast=nowhere).multicast)
    handler.handle(record("lost"))
    handler.handle(record("%d"))
    handler.handle(record("bad arguments: %d", args=("x",)))
    assert handler.held == 3


def test_every_logger_of_the_config_is_heard(log_network: Network, listener: socket.socket) -> None:
    table: dict[str, object] = {"loggers": {"Apart": {"propagate": False}, "Usual": {}}}
    logging.getLogger("Apart").propagate = False
    handler = send_log(log_network.multicast, table)
    assert handler is not None
    try:
        for name in ("Apart", "Usual"):
            logging.getLogger(name).warning("from %s", name)
            assert decode(listener.recv(LARGEST)).text == f"from {name}"
        logging.getLogger("Usual").debug("not this")
        logging.getLogger("Usual").error("this")
        assert decode(listener.recv(LARGEST)).text == "this"
    finally:
        for logger in (None, "Apart"):
            logging.getLogger(logger).removeHandler(handler)
        logging.getLogger("Apart").propagate = True
        handler.close()


def test_no_channel_no_handler(network: Callable[..., Network]) -> None:
    assert send_log(network().multicast, {}) is None


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        ("cannot read /home/ann/secret/key: no", "cannot read …/key: no"),
        ("~/jph/password.txt is empty", "…/password.txt is empty"),
        ("camera http://ann:hunter2@10.0.0.9/live", "camera http://…@10.0.0.9/live"),
        ("redis://:hunter2@host/0", "redis://…@host/0"),
        ("host=db password='a b' user=jph", "host=db password=… user=jph"),
        ('{"token": "abc", "n": 1}', '{"token": …, "n": 1}'),
        ("12 p/m at 20/11/2026, 3/4 done", "12 p/m at 20/11/2026, 3/4 done"),
    ],
)
def test_lines_carry_no_secrets_and_no_folders(said: str, sent: str) -> None:
    assert discreet(said) == sent


def test_levels_between_the_standard_ones_count_down() -> None:
    numbers = (0, 10, 19, 20, 35, 49, 50, 99)
    found = ("DEBUG", "DEBUG", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "CRITICAL")
    assert tuple(map(level_of, numbers)) == found


@given(st.text(max_size=4000))
def test_every_text_survives_bounded(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    line = decode(encode(LogLine(n=1, time=2, code="--", level="INFO", text=bounded(text))))
    assert line.text == bounded(text)
    assert len(line.text) <= LONGEST_TEXT
    assert not any(ord(c) < 32 and c not in "\t\n" for c in line.text)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_line_or_refused(datagram: bytes) -> None:
    with contextlib.suppress(DecodeError):
        assert len(decode(datagram).text) <= LONGEST_TEXT


@pytest.mark.parametrize(
    "change",
    [
        {"jph": "other"},
        {"level": "LOUD"},
        {"code": "<b>"},
        {"code": ""},
        {"n": -1},
        {"time": 1.5},
        {"time": 2**63},
        {"text": None},
        {"held": "many"},
    ],
)
def test_a_line_with_a_wrong_field_is_refused(change: dict[str, Any]) -> None:
    document = json.loads(encode(LINE)) | change
    with pytest.raises(DecodeError):
        decode(json.dumps(document).encode())


def test_too_many_bytes_are_not_looked_at() -> None:
    with pytest.raises(DecodeError):
        decode(encode(LINE) + b" " * LARGEST)


def test_channels_that_collide_are_told(network: Callable[..., Network], ports: Any) -> None:
    same = {"Log-Channel": {"Address": "239.255.91.1", "Port": ports[0]}}
    with pytest.raises(ConfigError, match="same address and port"):
        network(Multicast=same)
    with pytest.raises(ConfigError, match=r"Log-Channel\.Address"):
        network(Multicast={"Log-Channel": {"Address": "10.0.0.1", "Port": 5}})
