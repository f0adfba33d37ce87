"""Pins: inputs, pulse counters, outputs, PWM, servos, tachometers.

`fanControl` is the original's name for a fan on a PWM channel.
"""

import asyncio
import time
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from jph.config.model import Sensor, expand, state_dir
from jph.config.settings import described
from jph.devices.kernel.gpio import PwmChannel, Wanted, open_line
from jph.devices.kernel.pins import Counter, Input, Output, Pulses, Pwm, Servo, Tachometer
from jph.errors import DeviceError, StoreError
from jph.node.node import Settings
from jph.util import durable
from jph.values.elements import Element
from jph.values.node import ValueNode
from jph.wire.codec import Control, Flag

PWM_CHIPS: Final = "/sys/class/pwm/pwmchip*"
_SAVE_S: Final = 60.0
"""Pulses of at most this time are lost when the power fails."""
_ORDERED: Final = ("output", "pwm", "servo")
_SERVO_HERTZ: Final = 50.0
Pin = Input | Counter | Output | Pwm | Servo


class PinElement(Element, frozen=True):
    """One pin."""

    mode: Annotated[
        Literal["input", "counter", "tachometer", "output", "pwm", "servo"],
        described("What the pin is"),
    ] = "input"
    line: Annotated[int | None, described("Line of the chip: the GPIO number")] = None
    channel: Annotated[int, described("Channel of the PWM chip", ge=0)] = 0
    bias: Annotated[Literal["", "up", "down", "off"], described("Resistor of an input")] = ""
    inverted: Annotated[bool, described("Whether low is 1")] = False
    debounce: Annotated[
        float,
        described(
            "An input must be still so long; pulses of a counter are so far apart", "s", ge=0
        ),
    ] = 0.0
    edge: Annotated[Literal["rising", "falling"], described("Edge that is counted")] = "falling"
    pulses: Annotated[float, described("Pulses of a turn, for a tachometer", gt=0)] = 2.0
    pulse: Annotated[
        float, described("An output goes back to Start after so long; 0 is never", "s", ge=0)
    ] = 0.0
    frequency: Annotated[float, described("Frequency of a PWM", "Hz", gt=0)] = 25_000.0
    widths: Annotated[tuple[float, float], described("Pulses of a servo at 0° and 180°", "µs")] = (
        1000.0,
        2000.0,
    )
    start: Annotated[float, described("State of an output when the node starts")] = 0.0
    end: Annotated[
        float | None, described("State of an output when the node ends; without it that of Start")
    ] = None
    silence: Annotated[
        float | None,
        described("State of an output without an order for Patience; without it that of Start"),
    ] = None
    patience: Annotated[
        float, described("Longest time between two orders; 0 is any", "s", ge=0)
    ] = 0.0

    def __post_init__(self) -> None:
        Element.__post_init__(self)
        if self.mode not in ("pwm", "servo") and (self.line is None or self.line < 0):
            raise ValueError(f"{self.codifier}: Line: expected the GPIO number")


class GpioSettings(Settings, frozen=True):
    """Pins of one chip."""

    elements: Annotated[tuple[PinElement, ...], described("The pins")]
    chip: Annotated[
        str,
        described(
            "Label of the GPIO chip (pinctrl-rp1), its path, or unix:PATH of a simulated one"
        ),
    ] = ""
    pwm: Annotated[str, described("Path or glob of the PWM chip")] = PWM_CHIPS


class Gpio(ValueNode, type="Gpio", settings=GpioSettings):
    """Publish pins each `SensorInterval` and inputs at each change; obey orders to outputs.

    An output has its `Start` when the node starts, `Silence` when orders stay away, and `End`
    when the node ends. Pins that cannot be opened are tried again each `SensorInterval`.
    """

    async def open(self) -> None:
        """Open the pins."""
        self._pins: dict[str, Pin] = {}
        self._quiet: dict[str, asyncio.TimerHandle] = {}
        self._saved_s = time.monotonic()
        self._counts = await asyncio.to_thread(_load, self._path)
        await super().open()
        await self._open_pins()

    async def close(self) -> None:
        """Put outputs in their last state and keep the counts."""
        for handle in self._quiet.values():
            handle.cancel()
        for element in self._elements():
            if element.codifier in self._pins and element.mode in _ORDERED:
                end = element.start if element.end is None else element.end
                self._write(element.codifier, end)
        await self._save()
        for code in [*self._pins]:
            self._release(code)

    def on_reload(self) -> None:
        """Open the pins again with the new settings."""
        self._keep_counts()
        for code in [*self._pins]:
            self._release(code)
        super().on_reload()
        self._timer_due.set()

    async def read(self, now_ms: int) -> None:
        """Publish each pin; open those that are missing."""
        await self._open_pins()
        for element in self._elements():
            if element.codifier in self._pins:
                self._publish(element.codifier)
        if time.monotonic() - self._saved_s >= _SAVE_S:
            await self._save()

    def on_control(self, message: Control) -> None:
        """Set an output and publish what it is."""
        element = next((e for e in self._elements() if e.codifier == message.to), None)
        if element is None or element.mode not in _ORDERED:
            return
        if message.flag not in (Flag.SET, Flag.STEP):
            return
        pin = self._pins.get(message.to)
        if pin is None:
            self.log.warning("%s: the order is not obeyed: the pin is not open", message.to)
            return
        value = message.number + (pin.value() or 0 if message.flag == Flag.STEP else 0)
        self._order(element, value)

    def _order(self, element: PinElement, value: float) -> None:
        code = element.codifier
        self._write(code, value)
        if handle := self._quiet.pop(code, None):
            handle.cancel()
        if element.patience:
            loop = asyncio.get_running_loop()
            self._quiet[code] = loop.call_later(element.patience, self._silent, element)
        if code in self._pins:
            self._publish(code)

    def _silent(self, element: PinElement) -> None:
        state = element.start if element.silence is None else element.silence
        self.log.warning("%s: no order for %g s: %g", element.codifier, element.patience, state)
        self._write(element.codifier, state)
        if element.codifier in self._pins:
            self._publish(element.codifier)

    def _write(self, code: str, value: float) -> None:
        pin = self._pins.get(code)
        if not isinstance(pin, Output | Pwm | Servo):
            return
        try:
            pin.order(value)
        except OSError as error:
            self._lose(code, error)

    def _publish(self, code: str) -> None:
        pin = self._pins[code]
        value = pin.rpm(time.monotonic()) if isinstance(pin, Tachometer) else pin.value()
        self.show_raw(f"{code}: {value}")
        if value is not None:
            self.take(code, value)

    async def _open_pins(self) -> None:
        for element in self._elements():
            if element.codifier in self._pins:
                continue
            try:
                pin = await self._make(element)
            except (DeviceError, OSError) as error:
                self.explain(element.codifier, str(error))
                continue
            self._pins[element.codifier] = pin
            if isinstance(pin, Input | Counter):
                loop = asyncio.get_running_loop()
                loop.add_reader(pin.line.fd, self._readable, element.codifier)
            if element.mode in _ORDERED and element.patience:
                self._order(element, element.start)

    async def _make(self, element: PinElement) -> Pin:
        source, code = self.source, element.codifier
        if element.mode in ("pwm", "servo"):
            hertz = _SERVO_HERTZ if element.mode == "servo" else element.frequency
            channel = await asyncio.to_thread(
                PwmChannel, expand(source.pwm), element.channel, hertz
            )
            if element.mode == "servo":
                return Servo(channel, element.widths, element.start)
            return Pwm(channel, element.start)
        assert element.line is not None
        start = element.start != 0 if element.mode == "output" else None
        chip = expand(source.chip)
        line = open_line(chip, Wanted(element.line, start, element.bias, element.inverted))
        if element.mode == "output":
            return Output(line, element.start, element.pulse, lambda: self._publish(code))
        if element.mode == "input":
            return Input(line, element.debounce, lambda: self._publish(code))
        count = self._counts.get(code, 0) if element.mode == "counter" else 0
        pulses = Pulses(element.edge == "rising", element.debounce, count)
        if element.mode == "tachometer":
            return Tachometer(line, pulses, element.pulses, time.monotonic())
        return Counter(line, pulses)

    def _readable(self, code: str) -> None:
        pin = self._pins[code]
        try:
            if isinstance(pin, Input | Counter):
                pin.readable()
        except OSError as error:
            self._lose(code, error)

    def _lose(self, code: str, error: OSError) -> None:
        self.explain(code, f"opening it again: {error}")
        self._keep_counts()
        self._release(code)

    def _release(self, code: str) -> None:
        pin = self._pins.pop(code)
        if isinstance(pin, Input | Counter):
            asyncio.get_running_loop().remove_reader(pin.line.fd)
        pin.close()

    def _elements(self) -> list[PinElement]:
        return [each for each in self.described if isinstance(each, PinElement)]

    def _keep_counts(self) -> None:
        for code, pin in self._pins.items():
            if isinstance(pin, Counter) and not isinstance(pin, Tachometer):
                self._counts[code] = pin.value()

    async def _save(self) -> None:
        self._saved_s = time.monotonic()
        before = dict(self._counts)
        self._keep_counts()
        if self._counts == before:
            return
        try:
            await asyncio.to_thread(durable.save, self._path, dict(self._counts))
        except StoreError as error:
            self.log.error("the counts will not survive a restart: %s", error)

    @property
    def _path(self) -> Path:
        return state_dir() / "counters" / f"{self.codifier}.json"


def _load(path: Path) -> dict[str, int]:
    """Return the counts of the last run; a damaged file is set aside."""
    try:
        found = durable.load(path)
    except StoreError:
        durable.set_aside(path)
        return {}
    return {code: count for code, count in found.items() if isinstance(count, int) and count >= 0}


class FanSettings(Settings, frozen=True):
    """The original had none: its fan was on GPIO 25, by software."""

    pwm: Annotated[str, described("Path or glob of the PWM chip")] = ""
    channel: Annotated[int, described("Channel of the PWM chip", ge=0)] = 0
    frequency: Annotated[float, described("Frequency", "Hz", gt=0)] = 25_000.0


class FanControl(Gpio, type="fanControl", settings=FanSettings):
    """The original's fan: a duty in %, 100 when the node starts and ends."""

    @classmethod
    def source_of(cls, entry: Sensor, settings: Any) -> GpioSettings:  # noqa: ANN401
        """Return one PWM channel."""
        assert isinstance(settings, FanSettings)
        fan = PinElement(
            codifier=entry.codifier,
            mode="pwm",
            channel=settings.channel,
            frequency=settings.frequency,
            start=100.0,
        )
        return GpioSettings(elements=(fan,), pwm=settings.pwm or PWM_CHIPS)
