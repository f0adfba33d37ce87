"""The door of Home Assistant: descriptions, states and commands. Pure."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from jph.config.model import Network
from jph.mqtt.door import Door, Effect, Note, Plan, Publish
from jph.mqtt.homeassistant.commands import Commands
from jph.mqtt.homeassistant.discovery import Catalogue
from jph.mqtt.homeassistant.settings import HomeAssistantSettings
from jph.mqtt.homeassistant.states import OFFLINE, ONLINE, States
from jph.wire.codec import Control, Reading

_SETTLE_MS: Final = 1000
"""After a description Home Assistant needs a moment until it listens to the states."""
_LOOK_MS: Final = 5000
"""Interval of looking for what has become late."""
_MOST_CLEARED: Final = 5000
_LONGEST_DESCRIPTION: Final = 1_000_000


class HomeAssistantDoor(Door):
    """Describes devices, publishes their states and takes commands.

    A description of this house under the prefix that is not ours any more is cleared: a codifier
    left the configuration.
    """

    name = "Home Assistant"

    def __init__(
        self,
        network: Network,
        settings: HomeAssistantSettings,
        bridge: str,
    ) -> None:
        self.catalogue = Catalogue(network, settings, bridge, commands=settings.orders)
        self.states = States(self.catalogue)
        self.commands = Commands(self.catalogue, self.states)
        self._described: dict[str, bytes] = {}
        self._schedules: tuple[str, ...] = ()
        self._again_ms: int | None = None
        self._looked_ms = 0
        self._connected = False

    @property
    def described(self) -> list[bytes]:
        """The descriptions that were published last."""
        return list(self._described.values())

    def subscriptions(self) -> Sequence[tuple[str, int]]:
        """Return commands, Home Assistant's birth, and the descriptions that exist already."""
        names = self.catalogue.names
        return (
            (names.commands, 0),
            (names.birth, 0),
            (names.configs, 0),
        )

    def will(self) -> Publish | None:
        """Return the end of the bridge: everything becomes unavailable."""
        return Publish(self.catalogue.names.bridge, OFFLINE.encode(), retain=True, qos=1)

    def on_goodbye(self, now_ms: int) -> Iterable[Effect]:
        """Say that the bridge ends."""
        return [Publish(self.catalogue.names.bridge, OFFLINE.encode(), retain=True, qos=1)]

    def on_connect(self, now_ms: int) -> Iterator[Effect]:
        """Describe every device; states follow at once, and again when they can be heard."""
        self._connected = True
        yield from self._everything(now_ms)

    def takes(self, topic: str) -> bool:
        """Say whether a message is a command, a birth or a description of this house."""
        names = self.catalogue.names
        if topic == names.birth or topic.startswith(f"{names.base}/"):
            return True
        return names.is_own_config(topic)

    def on_message(
        self, topic: str, payload: bytes, *, retained: bool, now_ms: int
    ) -> Iterator[Effect]:
        """Take a command, Home Assistant's birth, or an old description."""
        names = self.catalogue.names
        if topic == names.birth:
            if payload == ONLINE.encode() and not retained:
                yield Note("Home Assistant has started: everything is published again")
                yield from self._everything(now_ms)
        elif topic.startswith(f"{names.prefix}/"):
            yield from self._old(topic, payload, retained=retained)
        else:
            yield from self.commands.take(topic, payload, retained=retained)
            yield from self.states.due(now_ms)

    def on_readings(self, readings: Sequence[Reading], now_ms: int) -> Iterable[Effect]:
        """Publish what is new, unless its codifier was published a moment ago."""
        self.states.take(readings, now_ms)
        return self.states.due(now_ms) if self._connected else ()

    def on_control(self, message: Control, now_ms: int) -> Iterable[Effect]:
        """Take a sign of life."""
        if message.flag in "IT":
            self.states.hear_life(message.source, active=message.active, now_ms=now_ms)
        return ()

    def on_plan(self, plan: Plan, now_ms: int) -> Iterator[Effect]:
        """Publish the rooms, and the names of schedules where they have changed."""
        self.states.take_plan(plan, now_ms)
        listed = plan.document.get("scheduler", {}).get("schedules", ())
        schedules = tuple(str(each.get("alias")) for each in listed if isinstance(each, Mapping))
        if schedules != self._schedules:
            self._schedules = schedules
            if self._connected:
                yield from self._describe()
        if self._connected:
            yield from self.states.due(now_ms)

    def on_answer(self, tag: int, answer: Mapping[str, Any], now_ms: int) -> Iterator[Effect]:
        """Log why an edit was refused; the states show what holds."""
        if answer.get("status") != "success":
            error = answer.get("error")
            reason = error.get("generic_desc") if isinstance(error, Mapping) else None
            yield Note(f"the plan refuses a command of Home Assistant: {reason or error}", 30)

    def on_timer(self, now_ms: int) -> Iterator[Effect]:
        """Publish what waited, what has become late, and everything after a description."""
        if self._again_ms is not None and now_ms >= self._again_ms:
            self._again_ms = None
            yield from self._states_again(now_ms)
        yield from self.states.due(now_ms)
        if now_ms - self._looked_ms >= _LOOK_MS or now_ms < self._looked_ms:
            self._looked_ms = now_ms
            yield from self.states.ages(now_ms)

    def _everything(self, now_ms: int) -> Iterator[Effect]:
        self._described.clear()
        yield from self._describe()
        yield from self._states_again(now_ms)
        self._again_ms = now_ms + _SETTLE_MS

    def _states_again(self, now_ms: int) -> Iterator[Effect]:
        yield Publish(self.catalogue.names.bridge, ONLINE.encode(), retain=True)
        self.states.everything()
        yield from self.states.ages(now_ms)
        yield from self.states.due(now_ms)

    def _describe(self) -> Iterator[Effect]:
        """Yield the descriptions that differ from what was said."""
        for device in self.catalogue.devices(self._schedules):
            topic = self.catalogue.names.config(device.codifier)
            payload = self.catalogue.message(device)
            if self._described.get(topic) != payload:
                self._described[topic] = payload
                yield Publish(topic, payload, retain=True)

    def _old(self, topic: str, payload: bytes, *, retained: bool) -> Iterator[Effect]:
        """Clear a retained description of a device that is announced no more."""
        if not retained or not payload or topic in self._described:
            return
        names = self.catalogue.names
        code = topic.removeprefix(f"{names.prefix}/device/").removesuffix("/config")
        yield Publish(topic, b"", retain=True)
        for state in state_topics(payload, names.base):
            yield Publish(state, b"", retain=True)
        yield Note(f"{code} is cleared from Home Assistant: the configuration has it no more")


def state_topics(description: bytes, base: str) -> list[str]:
    """Return the topics of states that a description names, below `base`."""
    if len(description) > _LONGEST_DESCRIPTION:
        return []
    try:
        content = json.loads(description)
    except (ValueError, RecursionError):
        return []
    found: dict[str, None] = {}
    parts = content.get("cmps") if isinstance(content, dict) else None
    for part in parts.values() if isinstance(parts, dict) else ():
        if not isinstance(part, dict):
            continue
        listed = [value for key, value in part.items() if key == "t" or key.endswith("_t")]
        listed += [a.get("t") for a in part.get("avty", ()) if isinstance(a, dict)]
        for topic in listed:
            if isinstance(topic, str) and topic.startswith(f"{base}/") and "/set/" not in topic:
                found[topic] = None
    found.pop(f"{base}/status", None)
    return list(found)[:_MOST_CLEARED]
