"""Inputs, counters, tachometers and outputs on lines and PWM channels."""

import asyncio
from collections.abc import Callable
from typing import Final

from jph.devices.kernel.gpio import Edge, Line, PwmChannel

_NS: Final = 1e9


class Input:
    """An input whose level counts once it has been still for a time."""

    def __init__(self, line: Line, debounce_s: float, changed: Callable[[], None]) -> None:
        self.line = line
        self.level: int | None = _whole(line.read())
        self._debounce_s = debounce_s
        self._changed = changed
        self._settling: asyncio.TimerHandle | None = None

    def readable(self) -> None:
        """Take changes of the line."""
        self.line.edges()
        if self.level is None or not self._debounce_s:
            self._settle()
            return
        if self._settling is not None:
            self._settling.cancel()
        self._settling = asyncio.get_running_loop().call_later(self._debounce_s, self._settle)

    def value(self) -> int | None:
        """Return the level."""
        return self.level

    def close(self) -> None:
        """Release the line."""
        if self._settling is not None:
            self._settling.cancel()
        self.line.close()

    def _settle(self) -> None:
        level = _whole(self.line.read())
        if level != self.level:
            self.level = level
            self._changed()


class Pulses:
    """Counts edges of one direction that are not too close to each other. Pure."""

    def __init__(self, rising: bool, gap_s: float, count: int = 0) -> None:
        self.count = count
        self._rising = rising
        self._gap_ns = gap_s * _NS
        self._last_ns: int | None = None

    def take(self, edge: Edge) -> None:
        """Count an edge; one closer to the last counted one than the gap is a bounce."""
        if edge.rising != self._rising:
            return
        if self._last_ns is not None and edge.at_ns - self._last_ns < self._gap_ns:
            return
        self._last_ns = edge.at_ns
        self.count += 1


class Counter:
    """Counts pulses of an input."""

    def __init__(self, line: Line, pulses: Pulses) -> None:
        self.line = line
        self.pulses = pulses

    def readable(self) -> None:
        """Count the edges of the line."""
        for edge in self.line.edges():
            self.pulses.take(edge)

    def value(self) -> int:
        """Return the count."""
        return self.pulses.count

    def close(self) -> None:
        """Release the line."""
        self.line.close()


class Tachometer(Counter):
    """Turns a minute from pulses; a fan gives two a turn."""

    def __init__(self, line: Line, pulses: Pulses, per_turn: float, now_s: float) -> None:
        super().__init__(line, pulses)
        self._per_turn = per_turn
        self._since = pulses.count, now_s

    def rpm(self, now_s: float) -> float | None:
        """Return the mean speed since the last call."""
        (count, then_s), self._since = self._since, (self.pulses.count, now_s)
        if now_s <= then_s:
            return None
        return (self.pulses.count - count) / self._per_turn / (now_s - then_s) * 60


class Output:
    """A level that orders set; with `pulse_s` it goes back after each order."""

    def __init__(
        self, line: Line, start: float, pulse_s: float, changed: Callable[[], None]
    ) -> None:
        self.line = line
        self.level = int(start != 0)
        self._rest = self.level
        self._pulse_s = pulse_s
        self._changed = changed
        self._back: asyncio.TimerHandle | None = None

    def order(self, value: float) -> None:
        """Set the level; `OSError` if the line is gone."""
        self._stop_pulse()
        self.level = int(value != 0)
        self.line.write(bool(self.level))
        if self._pulse_s and self.level != self._rest:
            self._back = asyncio.get_running_loop().call_later(self._pulse_s, self._end_pulse)

    def value(self) -> int:
        """Return the level."""
        return self.level

    def close(self) -> None:
        """Release the line."""
        self._stop_pulse()
        self.line.close()

    def _end_pulse(self) -> None:
        self.level = self._rest
        self.line.write(bool(self.level))
        self._changed()

    def _stop_pulse(self) -> None:
        if self._back is not None:
            self._back.cancel()
            self._back = None


class Pwm:
    """A duty in % that orders set."""

    def __init__(self, channel: PwmChannel, start: float) -> None:
        self._channel = channel
        self.order(start)

    def order(self, value: float) -> None:
        """Set the duty within 0 to 100 %."""
        self._value = min(max(value, 0.0), 100.0)
        self._channel.set_fraction(self._value / 100)

    def value(self) -> float:
        """Return the duty."""
        return self._value

    def close(self) -> None:
        """Leave the channel as it is."""


class Servo:
    """An angle that orders set; `widths_us` are the pulses of 0° and 180°."""

    def __init__(self, channel: PwmChannel, widths_us: tuple[float, float], start: float) -> None:
        self._channel = channel
        self._widths_us = widths_us
        self.order(start)

    def order(self, value: float) -> None:
        """Set the angle within 0 to 180°."""
        self._value = min(max(value, 0.0), 180.0)
        low, high = self._widths_us
        self._channel.set_us(low + (high - low) * self._value / 180)

    def value(self) -> float:
        """Return the angle."""
        return self._value

    def close(self) -> None:
        """Leave the channel as it is."""


def _whole(level: bool | None) -> int | None:
    return None if level is None else int(level)
