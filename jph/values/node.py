"""Base of the kinds that read devices: elements, filters, sending, one log line a cause."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from jph.config.model import Network, Sensor
from jph.config.validation import read_struct
from jph.errors import EncodeError, Problem
from jph.node.node import Node, Settings
from jph.node.outbox import now_ms
from jph.util.logs import Throttle
from jph.values.convert import NoValueError
from jph.values.elements import MOST_ELEMENTS, Element, Feed, Outgoing, PathElement, Picker, Trace
from jph.values.forms import parse_answer
from jph.values.paths import MISSING
from jph.wire.codec import Control, Flag, Quality

_MOST_SHOWN: Final = 2000


class ValueNode(Node):
    """A node whose elements are values of a device.

    A kind overrides `elements_of`, and `read`, which is called each `SensorInterval`. `take` sends
    one value; `take_record` all values that an answer has.

    Attributes:
        on_raw: gets each answer of the device as text, for `control.py probe`.
        on_trace: gets each value with what the filters made of it.
    """

    is_device = True
    every_answer = True
    """Whether each answer should have each element, so that a missing one is worth a log line."""
    on_raw: Callable[[str], None] | None = None
    on_trace: Callable[[Trace], None] | None = None

    source: Any
    """Settings as the kind reads them, from `source_of`."""
    _serving: asyncio.Task[None] | None = None

    @classmethod
    def source_of(cls, entry: Sensor, settings: Any) -> Any:  # noqa: ANN401
        """Return the settings as the kind reads them; one with the original's keys makes them."""
        return settings

    @classmethod
    def elements_of(cls, entry: Sensor, settings: Any) -> Sequence[Element]:  # noqa: ANN401
        """Return the elements that the settings of an entry describe."""
        return tuple(cls.source_of(entry, settings).elements)

    @classmethod
    def check_network(cls, network: Network) -> Sequence[Problem]:
        """Find elements that the node does not own, or has twice."""
        found: list[Problem] = []
        for node in network.nodes():
            if node.type not in cls.types:
                continue
            settings = read_struct(cls.settings_type, node.sensor, "", [])
            if settings is not None:
                found += _element_problems(node, network, cls.elements_of(node, settings))
        return found

    async def open(self) -> None:
        """Prepare the elements."""
        self._no_value = Throttle()
        self._last: dict[str, Outgoing] = {}
        self._prepare()
        self._begin_again()

    def on_reload(self) -> None:
        """Take the new elements, and begin again to serve."""
        self._prepare()
        self._begin_again()

    def serving(self) -> Coroutine[Any, Any, None] | None:
        """Return what runs beside the timer until the settings change; None for nothing."""
        return None

    def ordered(self, message: Control) -> float | None:
        """Return the number that an order sets; None for another message or an unknown last one."""
        if message.flag == Flag.SET:
            return message.number
        last = self.feed.last.get(message.to)
        if message.flag != Flag.STEP or not isinstance(last, int | float):
            return None
        return last + message.number

    def _begin_again(self) -> None:
        if self._serving is not None:
            self._serving.cancel()
            self._serving = None
        if (work := self.serving()) is not None:
            self._serving = self.spawn(work, "device")

    async def on_timer(self, now_ms: int) -> None:
        """Read the device, then send what filters have due."""
        await self.read(now_ms)
        self.tick()

    async def read(self, now_ms: int) -> None:
        """Read the device once."""

    async def probe(self, rounds: int) -> None:
        """Read the device so many times without sending anything; 0 is until it is cancelled.

        `on_raw` and `on_trace` get what happens.
        """
        self.active = False
        await self.open()
        try:
            while True:
                await self.read(now_ms())
                self.tick()
                rounds -= 1
                if rounds == 0:
                    return
                await asyncio.sleep(self.entry.sensor_interval)
        finally:
            tasks, self._tasks = self._tasks, set()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.close()

    def tick(self) -> None:
        """Send what is due without a new value: heartbeats, timeouts."""
        for outgoing in self.feed.tick(time.monotonic()):
            self._emit(outgoing)

    def take(self, codifier: str, raw: Any, own_ms: int | None = None) -> None:  # noqa: ANN401
        """Send a value as a device wrote it, after conversion and filters."""
        sent, reason = self.feed.take(codifier, raw, now_ms(), time.monotonic(), own_ms)
        if reason:
            self.explain(codifier, reason, rejected=sent is not None)
        if sent is not None:
            self._emit(sent)

    def take_text(self, text: str, form: str) -> None:
        """Send the values that an answer in a form (json, text, xml) has."""
        try:
            record = parse_answer(text, form)
        except ValueError as error:
            if any(not picker.in_text for picker in self._pickers.values()):
                self.explain("answer", str(error))
            record = None
        self.take_record(record, text)

    def take_record(self, record: Any, text: str) -> None:  # noqa: ANN401
        """Send the values that an answer has; patterns search its text."""
        for codifier, picker in self._pickers.items():
            if (record is None and not picker.in_text) or not picker.applies(record):
                continue
            raw = picker.pick(text if picker.in_text else record)
            if raw is MISSING and not self.every_answer:
                continue
            try:
                self.take(codifier, raw, picker.at_ms(record))
            except NoValueError as error:
                self.explain(codifier, str(error))

    def show_raw(self, text: str) -> None:
        """Pass an answer on to `control.py probe`."""
        if self.on_raw is not None:
            self.on_raw(text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "…")

    def explain(self, codifier: str, reason: str, *, rejected: bool = False) -> None:
        """Log once a minute why an element has no value or an implausible one.

        A value that is not followed by another one is sent once more as stale, with its own time;
        those of all elements where `codifier` is none of them.
        """
        if not rejected:
            codes = [codifier] if codifier in self.elements else [*self._last]
            for last in [self._last.pop(code) for code in codes if code in self._last]:
                self._emit(last._replace(quality=Quality.STALE))
        if self._no_value.allow(codifier, time.monotonic()):
            what = "sent as implausible" if rejected else "no value"
            self.log.warning("%s: %s: %s", codifier, what, reason)

    def _prepare(self) -> None:
        self.source = self.source_of(self.entry, self.settings)
        described = self.elements_of(self.entry, self.settings)
        own = {self.codifier: self.entry, **self.elements}
        usable = [each for each in described if each.codifier in own]
        for each in described:
            if each.codifier not in own:
                self.log.warning("%s is no element of this node", each.codifier)
        self.described = usable
        self.feed = Feed(usable, lambda codifier: own[codifier].data_type)
        self.feed.on_trace = self.on_trace
        self._pickers = {
            each.codifier: Picker(each) for each in usable if isinstance(each, PathElement)
        }

    def _emit(self, outgoing: Outgoing) -> None:
        if outgoing.quality == Quality.GOOD:
            self._last[outgoing.codifier] = outgoing
        try:
            self.send(
                outgoing.value,
                codifier=outgoing.codifier,
                timestamp_ms=outgoing.at_ms,
                quality=outgoing.quality,
            )
        except EncodeError as error:
            self.explain(outgoing.codifier, str(error))


def _element_problems(node: Sensor, network: Network, elements: Sequence[Element]) -> list[Problem]:
    path = f"Sensors[{node.codifier}].Sensor.Elements"
    own = {node.codifier, *(each.codifier for each in network.elements(node.codifier))}
    found, seen = [], set[str]()
    if len(elements) > MOST_ELEMENTS:
        found.append(Problem(path, f"{len(elements)} elements, expected up to {MOST_ELEMENTS}"))
    for element in elements:
        where = f"{path}[{element.codifier}].Codifier"
        if element.codifier not in own:
            text = f"no element {element.codifier} of {node.codifier}: expected one with Type Proxy"
            found.append(Problem(where, text))
        if element.codifier in seen:
            found.append(Problem(where, f"{element.codifier} is described twice"))
        seen.add(element.codifier)
    return found


__all__ = ["Settings", "ValueNode"]
