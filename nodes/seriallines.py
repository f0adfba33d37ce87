"""Values from a serial line: JSON, XML or text lines, CurrentCost displays, P1 meters.

`CurrentCost` and `DSMR` are the same with the speed and format of those devices.
"""

from collections.abc import Coroutine
from typing import Annotated, Any, Final, Literal

from jph.config.model import expand
from jph.config.settings import described
from jph.devices.serial.currentcost import read_messages
from jph.devices.serial.p1 import TelegramReader
from jph.devices.serial.portkeeper import PortKeeper
from jph.node.node import Settings
from jph.values.elements import PathElement
from jph.values.lines import Lines
from jph.values.node import ValueNode

_FASTEST: Final = 4_000_000
_PRESETS: Final = {
    "SerialLines": ("json", 9600),
    "CurrentCost": ("currentcost", 57_600),
    "DSMR": ("p1", 115_200),
}


class SerialSettings(Settings, frozen=True):
    """One line, many values."""

    device: Annotated[
        str, described("Port: /dev/serial/by-id/…, tcp://host:port, rfc2217://host:port")
    ]
    elements: Annotated[tuple[PathElement, ...], described("Values in the lines")]
    format: Annotated[
        Literal["json", "text", "xml", "currentcost", "p1"] | None,
        described("Form of a line; without it that of the kind, json for SerialLines"),
    ] = None
    baud_rate: Annotated[
        int | None,
        described("Speed; without it that of the kind, 9600 for SerialLines", "baud"),
    ] = None
    silence: Annotated[
        float, described("Time without a byte after which the port is opened again", "s", gt=0)
    ] = 120.0

    def __post_init__(self) -> None:
        if self.baud_rate is not None and not 50 <= self.baud_rate <= _FASTEST:
            raise ValueError(f"BaudRate: expected 50 to {_FASTEST}, found {self.baud_rate}")


class SerialLines(ValueNode, type=("SerialLines", "CurrentCost", "DSMR"), settings=SerialSettings):
    """Publish the values of each line as it comes.

    A line need not have every element. A port that is lost or silent is opened again.
    """

    settings: SerialSettings

    async def open(self) -> None:
        """Start to read; wait for a missing port."""
        self.every_answer = False
        await super().open()

    def serving(self) -> Coroutine[Any, Any, None]:
        """Return what keeps the port open."""
        form, baud = _PRESETS[self.entry.type]
        source = self.settings
        self._form = source.format or form
        keeper = PortKeeper(self._take, lambda text: self.explain("port", text), self._forget)
        path = source.device if "://" in source.device else expand(source.device)
        return keeper.serve(path, source.baud_rate or baud, source.silence)

    def _forget(self) -> None:
        self._lines, self._telegrams = Lines(), TelegramReader()

    def _take(self, chunk: bytes) -> None:
        if self._form == "p1":
            bad = self._telegrams.bad
            for telegram in self._telegrams.feed(chunk):
                self.show_raw("\n".join(f"{k}({v})" for k, v in telegram.items()))
                self.take_record(telegram, "")
            if self._telegrams.bad > bad:
                self.explain("telegram", "its CRC is wrong")
            return
        for line in self._lines.feed(chunk):
            self.show_raw(line)
            if self._form == "currentcost":
                for record in read_messages(line):
                    self.take_record(record, line)
            else:
                self.take_text(line, self._form)
