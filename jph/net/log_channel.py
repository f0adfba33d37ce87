"""Log lines on the network: each a small JSON datagram to the group `Multicast.Log-Channel`.

No program acknowledges them. A line without a listener costs its sender one datagram; a line that
cannot leave is counted, and the next line that leaves carries the count. The node's own log keeps
all lines.

    {"jph": "log", "n": 7, "time": 1790000000000, "code": "TI", "level": "WARNING",
     "host": "attic", "text": "the meter is silent", "held": 0}

`n` counts the lines of one program, so that a listener knows what it missed. `held` is how many the
program did not send since its last line (too many at once, or no network).
"""

import logging
import re
import socket
import time
from typing import Annotated, Final

import msgspec

from jph.config.model import Multicast
from jph.errors import BusError, DecodeError
from jph.net import seals
from jph.net.channel import Channel, interfaces_from_environment
from jph.util.secrets import scrub
from jph.util.token_bucket import TokenBucket
from jph.wire.codec import is_codifier

LONGEST_TEXT: Final = 1000
"""Characters of a text; a longer one loses its middle: a traceback's end says most."""
LARGEST: Final = 8192
"""Bytes of a datagram that is read: JSON may write a character as six bytes."""
LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
NO_NODE: Final = "--"
"""The codifier of a line that no node logged."""
_RATE: Final = 20.0
_BURST: Final = 200.0
_REOPEN_S: Final = 5.0
_LONGEST_HOST: Final = 64
_MOST_LOOKED_AT: Final = 20_000
_SECRETS: Final = (
    (re.compile(r"(?<=//)[^/\s@]*:[^/\s@]*@"), "…@"),
    (
        re.compile(
            r"(?i)\b(password|passwd|passphrase|token|secret|api[-_]?key)(\"?'?\s*[=:]\s*)"
            r"(\"[^\"]*\"|'[^']*'|\S+)"
        ),
        r"\1\2…",
    ),
    (re.compile(r"(?<![\w/.:~-])(?:~|/[^\s/:,;'\"]+)(?:/[^\s/:,;'\"]+)*/(?=[^\s/])"), "…/"),
)
"""Parts of a line that must not leave over a network: credentials and folders."""
_CONTROLS: Final = {code: None for code in range(32) if code not in (9, 10)} | {127: None}


class LogLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="jph", tag="log"):
    """One line: `time` in ms since 1970, `level` one of LEVELS, `text` perhaps of several lines."""

    n: Annotated[int, msgspec.Meta(ge=0, lt=2**53)]
    time: Annotated[int, msgspec.Meta(ge=0, lt=2**53)]
    code: str
    level: str
    text: str
    host: str = ""
    held: Annotated[int, msgspec.Meta(ge=0, lt=2**53)] = 0


_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(LogLine)


def encode(line: LogLine) -> bytes:
    """Return a line as the bytes of a datagram."""
    return _ENCODER.encode(line)


def decode(datagram: bytes | memoryview) -> LogLine:
    """Read a datagram; the texts are bounded and without control characters.

    Raises:
        DecodeError: it is none.
    """
    if len(datagram) > LARGEST:
        raise DecodeError("too long", f"{len(datagram)} bytes are too many for a log line")
    try:
        line = _DECODER.decode(datagram)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise DecodeError("no log line", f"no log line: {error}") from error
    if line.level not in LEVELS:
        raise DecodeError("level", "a log line has an unknown level")
    if line.code != NO_NODE and not is_codifier(line.code):
        raise DecodeError("codifier", "a log line has no valid codifier")
    return msgspec.structs.replace(
        line, text=bounded(line.text), host=_plain(line.host)[:_LONGEST_HOST]
    )


def bounded(text: str) -> str:
    """Return a text without control characters, and without its middle if it is too long."""
    text = _plain(text)
    if len(text) <= LONGEST_TEXT:
        return text
    head = LONGEST_TEXT // 3
    return f"{text[:head]}\n…\n{text[head + 3 - LONGEST_TEXT :]}"


def discreet(text: str) -> str:
    """Return a text without passwords and without the folders of paths."""
    text = scrub(text)
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text


def level_of(number: int) -> str:
    """Return the name of the standard level that a level counts as."""
    return LEVELS[max(0, min(number // 10 - 1, len(LEVELS) - 1))]


class LogBusHandler(logging.Handler):
    """Sends each record as a datagram; never waits, never raises, never says anything itself.

    At most `burst` lines at once and `rate` a second leave; of others the next line tells.

    Attributes:
        held: lines not sent since the last one that was.
    """

    def __init__(
        self,
        multicast: Multicast,
        host: str = "",
        level: int = logging.INFO,
        *,
        rate: float = _RATE,
        burst: float = _BURST,
    ) -> None:
        super().__init__(level)
        assert multicast.log is not None
        host = host or socket.gethostname()
        interfaces = interfaces_from_environment() or multicast.interfaces_of(host)
        self._channel = Channel(multicast.log, interfaces, multicast.ttl, multicast.mtu)
        self._host = host[:_LONGEST_HOST]
        self._allowance = TokenBucket(rate, burst)
        self._tried_s: float | None = None
        self._count = 0
        self.held = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record, or count it as held."""
        try:
            sent = self._allowance.take(time.monotonic()) and self._send(record)
        except Exception:  # a line must never end its node
            sent = False
        self.held = 0 if sent else self.held + 1

    def close(self) -> None:
        """Close the sockets."""
        self._channel.close()
        super().close()

    def _send(self, record: logging.LogRecord) -> bool:
        if not self._open():
            return False
        line = LogLine(
            n=self._count,
            time=max(0, int(record.created * 1000)),
            code=_code_of(record),
            level=level_of(record.levelno),
            host=self._host,
            text=bounded(discreet(_text_of(record)[:_MOST_LOOKED_AT])),
            held=self.held,
        )
        self._count += 1
        datagram = encode(line)
        if (seal := seals.current()) is not None:
            datagram = seal.log_frame(datagram)
        if self._channel.send(datagram):
            return True
        self._channel.close()  # the interface or the address may have changed
        return False

    def _open(self) -> bool:
        """Whether the channel is open; opening is tried again every few seconds."""
        if self._channel.is_open:
            return True
        now_s = time.monotonic()
        if self._tried_s is not None and now_s - self._tried_s < _REOPEN_S:
            return False
        self._tried_s = now_s
        try:
            self._channel.open(listen=False)
        except BusError:
            return False
        return True


def send_log(multicast: Multicast, table: dict[str, object]) -> LogBusHandler | None:
    """Send what this program logs to the network's `Log-Channel`, if there is one.

    `table` is the config's `Logging`: its loggers that do not propagate to the root are included.
    """
    if multicast.log is None:
        return None
    handler = LogBusHandler(multicast)
    loggers = table.get("loggers")
    named = loggers.items() if isinstance(loggers, dict) else ()
    alone = [
        n for n, entry in named if isinstance(entry, dict) and not entry.get("propagate", True)
    ]
    for name in (None, *alone):
        logging.getLogger(name).addHandler(handler)
    return handler


def _code_of(record: logging.LogRecord) -> str:
    code = str(getattr(record, "codifier", NO_NODE))
    return code if is_codifier(code) else NO_NODE


def _text_of(record: logging.LogRecord) -> str:
    """Return a record's message, with its traceback."""
    text = record.getMessage()
    if record.exc_info:
        text = f"{text}\n{logging.Formatter().formatException(record.exc_info)}"
    return text


def _plain(text: str) -> str:
    return text.translate(_CONTROLS)
