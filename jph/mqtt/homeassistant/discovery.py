"""Devices of Home Assistant from a configuration: one message for each device. Pure.

A heater and a room are devices of their own; every other element belongs to its node's device.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from jph.config.house.house import House
from jph.config.house.loads import Load
from jph.config.house.rooms import Room, rooms_of
from jph.config.model import Network, Sensor
from jph.heating.orders.coding import Order
from jph.mqtt.homeassistant.entities import TEXTS, Component, Device, expiry_s, measure_of, name_of
from jph.mqtt.homeassistant.settings import HomeAssistantSettings, Names
from jph.version import __version__

NO_SCHEDULE: Final = "(none)"
POOL_MODES: Final = ("off", "on", "auto")
BOOST, AWAY = "boost", "away"
PRESETS: Final = {
    "comfort": Order.COMFORT,
    "comfort -1": Order.COMFORT_1,
    "comfort -2": Order.COMFORT_2,
    "eco": Order.ECO,
    "frost": Order.FROST,
}
"""Presets of a heater: words with a space, as Home Assistant shows them."""
ORDER_WORDS: Final = {**PRESETS, "off": Order.OFF}
_SILENT_KINDS: Final = frozenset({"ControlProgram"})
"""Kinds without readings of their own."""
_LEAST, _MOST = -1_000_000, 1_000_000


def word_of(order: Order) -> str:
    """Return the word of an order in Home Assistant."""
    return next(word for word, each in ORDER_WORDS.items() if each is order)


class Catalogue:
    """What is announced of a configuration, and what each codifier is.

    `commands` is whether Home Assistant may command.
    """

    def __init__(
        self,
        network: Network,
        settings: HomeAssistantSettings,
        bridge: str,
        *,
        commands: bool = True,
    ) -> None:
        self.names = Names.of(settings)
        self.settings = settings
        self.bridge = bridge
        self.commands = commands
        self.network = network
        self.house = House(network)
        self.sensors = {each.codifier: each for each in network.sensors}
        wanted = {code for code, each in self.sensors.items() if settings.wants(each)}
        loads = self.house.wiring.heaters
        self.heaters: dict[str, Load] = {c: each for c, each in loads.items() if c in wanted}
        self.rooms: dict[str, Room] = {
            room.codifier: room for room in rooms_of(network, loads) if room.codifier in wanted
        }
        self.wires = {
            code: load.codifier
            for load in self.heaters.values()
            for code in (load.actuator.applied, load.actuator.verified)
            if code in wanted
        }
        """Elements that carry an order on a wire, and their heater."""
        self.schedule = next((n for n in network.nodes() if n.type == "Schedule"), None)
        self.active = self._own("Active")
        self.next = self._own("Next")
        self.pool_modes = {
            str(node.sensor["Mode"])
            for node in network.nodes()
            if node.type == "Pool" and node.sensor.get("Mode")
        }
        self.trips = {p.explain for p in self.house.phases if p.explain}
        self.plain = {
            code: self.sensors[code]
            for code in self.sensors
            if code in wanted
            and code not in self.heaters
            and code not in self.rooms
            and code not in self.wires
            and self.sensors[code].type not in _SILENT_KINDS
        }
        """Nodes and elements with one value, which are no heater, room or wire."""

    def _own(self, key: str) -> str:
        return "" if self.schedule is None else str(self.schedule.sensor.get(key) or "")

    def can_set(self, sensor: Sensor) -> bool:
        """Say whether a codifier takes commands from Home Assistant."""
        return self.commands and sensor.control == "enabled"

    def devices(self, schedules: Sequence[str] = ()) -> Iterator[Device]:
        """Yield every device, the bridge first: others are reached through it."""
        nodes = sorted(self.network.nodes(), key=lambda node: node.codifier != self.bridge)
        for node in nodes:
            parts = tuple(self._node_parts(node, schedules))
            if parts:
                via = "" if node.codifier == self.bridge else self.bridge
                yield Device(node.codifier, name_of(node), node.type, "", via, parts)
        for load in self.heaters.values():
            name = " ".join(filter(None, (load.room, load.name))) or load.codifier
            parts = tuple(self._heater_parts(load))
            card = load.actuator.card
            yield Device(load.codifier, name, "Pilot-wire heater", load.room, card, parts)
        for room in self.rooms.values():
            owner = self.sensors[room.codifier].parent or self.bridge
            parts = tuple(self._room_parts(room))
            yield Device(room.codifier, room.name, "Room", room.name, owner, parts)

    def _node_parts(self, node: Sensor, schedules: Sequence[str]) -> Iterator[Component]:
        code = node.codifier
        if node.type in _SILENT_KINDS or not self.settings.wants(node):
            own: list[Sensor] = []
        else:
            own = [node]
            yield self._connectivity(node)
        for sensor in (*own, *self.network.elements(code)):
            if sensor.codifier in self.plain:
                yield self._value(sensor, schedules)
        if node is self.schedule and own:
            yield from self._house_parts(node)

    def _connectivity(self, node: Sensor) -> Component:
        code = node.codifier
        config = {
            "stat_t": self.names.bridge if code == self.bridge else self.names.state(code, "alive"),
            "pl_on": "online",
            "pl_off": "offline",
            "dev_cla": "connectivity",
            "ent_cat": "diagnostic",
        }
        if code == self.bridge:
            return Component(f"{code}_alive", "binary_sensor", "Connection", "@", config)
        return Component(f"{code}_alive", "binary_sensor", "Connection", "", config)

    def _value(self, sensor: Sensor, schedules: Sequence[str]) -> Component:
        """Return the entity of a codifier with one value."""
        code, names = sensor.codifier, self.names
        config: dict[str, Any] = {"stat_t": names.state(code)}
        name = "Value" if sensor.parent is None else name_of(sensor)
        if code == self.active and self.commands:
            options = [*schedules, NO_SCHEDULE]
            config |= {"cmd_t": names.command(code, "schedule"), "options": options}
            return Component(code, "select", name, code, config)
        if code in self.pool_modes and self.can_set(sensor):
            config |= {"cmd_t": names.command(code, "mode"), "options": list(POOL_MODES)}
            return Component(code, "select", name, code, config)
        if code == self.next:
            config |= {"dev_cla": "timestamp", "json_attr_t": names.state(code, "attributes")}
            return Component(code, "sensor", name, code, config)
        if sensor.data_type == "bool":
            return self._switch(sensor, name, config)
        if sensor.data_type in TEXTS:
            return Component(code, "sensor", name, code, config | _expires(sensor))
        if sensor.data_type == "json":
            config |= {"json_attr_t": names.state(code, "attributes")}
            if code in self.trips:
                config |= {"dev_cla": "duration", "unit_of_meas": "s", "ic": "mdi:timer-alert"}
            config |= {"ent_cat": "diagnostic"}
            return Component(code, "sensor", name, code, config | _expires(sensor))
        config |= measure_of(sensor)
        if self.can_set(sensor):
            return self._number(sensor, name, config)
        if sensor.parent is None and not sensor.symbol:
            config["ent_cat"] = "diagnostic"
        return Component(code, "sensor", name, code, config | _expires(sensor))

    def _switch(self, sensor: Sensor, name: str, config: dict[str, Any]) -> Component:
        code = sensor.codifier
        config |= {"pl_on": "1", "pl_off": "0"}
        if self.can_set(sensor):
            config |= {"cmd_t": self.names.command(code, "value")}
            return Component(code, "switch", name, code, config)
        return Component(code, "binary_sensor", name, code, config | _expires(sensor))

    def _number(self, sensor: Sensor, name: str, config: dict[str, Any]) -> Component:
        least, most = _bound(sensor, "Min", _LEAST), _bound(sensor, "Max", _MOST)
        config.pop("stat_cla", None)
        if config.get("dev_cla") in ("energy", "monetary"):
            del config["dev_cla"]  # a number that is set is no meter
        config |= {
            "cmd_t": self.names.command(sensor.codifier, "value"),
            "min": least,
            "max": most,
            "step": 1 if sensor.data_type == "integer" else 0.1,
            "mode": "box",
        }
        return Component(sensor.codifier, "number", name, sensor.codifier, config)

    def _house_parts(self, node: Sensor) -> Iterator[Component]:
        """Yield what concerns all rooms."""
        code = node.codifier
        config: dict[str, Any] = {
            "stat_t": self.names.state(code, "away"),
            "ic": "mdi:home-export-outline",
        }
        config |= {"json_attr_t": self.names.state(code, "away_attributes")}
        config |= {"pl_on": "1", "pl_off": "0"}
        if self.commands:
            config |= {"cmd_t": self.names.command(code, "away")}
            yield Component(f"{code}_away", "switch", "Away", code, config)
        else:
            yield Component(f"{code}_away", "binary_sensor", "Away", code, config)

    def _heater_parts(self, load: Load) -> Iterator[Component]:
        code, names = load.codifier, self.names
        presets = [word for word, order in PRESETS.items() if load.takes(order)]
        climate: dict[str, Any] = {
            "modes": ["off", "heat"],
            "mode_stat_t": names.state(code, "mode"),
            "pr_modes": presets,
            "pr_mode_stat_t": names.state(code, "preset"),
            "act_t": names.state(code, "action"),
            "json_attr_t": names.state(code, "attributes"),
        }
        thermometer = self._thermometer(load)
        if thermometer:
            climate["curr_temp_t"] = names.state(thermometer)
        order: dict[str, Any] = {"stat_t": names.state(code, "order"), "ic": "mdi:radiator"}
        words = [word for word, each in ORDER_WORDS.items() if load.takes(each)]
        if self.can_set(self.sensors[code]):
            climate["mode_cmd_t"] = names.command(code, "mode")
            climate["pr_mode_cmd_t"] = names.command(code, "preset")
            order |= {"cmd_t": names.command(code, "order"), "options": words}
            yield Component(f"{code}_climate", "climate", None, code, climate)
            yield Component(code, "select", "Order", code, order)
        else:
            climate["pr_mode_cmd_t"] = names.command(code, "refused")  # presets need a topic
            yield Component(f"{code}_climate", "climate", None, code, climate)
            yield Component(code, "sensor", "Order", code, order)
        shed = {"stat_t": names.state(code, "shed"), "pl_on": "1", "pl_off": "0"}
        shed |= {"ic": "mdi:transmission-tower-off"}
        yield Component(f"{code}_shed", "binary_sensor", "Shed", code, shed)
        power = {
            "stat_t": names.state(code, "power"),
            "dev_cla": "power",
            "stat_cla": "measurement",
            "unit_of_meas": "W",
        }
        yield Component(f"{code}_power", "sensor", "Learned power", code, power)
        for wire, heater in self.wires.items():
            if heater == code:
                name = "Order on the wire" if wire == load.actuator.applied else "Order read back"
                extra = {"stat_t": names.state(wire), "ent_cat": "diagnostic"}
                yield Component(wire, "sensor", name, wire, extra)

    def _thermometer(self, load: Load) -> str:
        """Return the thermometer of a heater's room that is announced, if there is one."""
        for room in self.rooms.values():
            if load in room.heaters:
                listed = [c for c in room.settings.thermometers if c in self.plain]
                return listed[0] if listed else ""
        return ""

    def _room_parts(self, room: Room) -> Iterator[Component]:
        code, names, settings = room.codifier, self.names, room.settings
        climate: dict[str, Any] = {
            "modes": ["auto", "heat", "off"],
            "mode_stat_t": names.state(code, "mode"),
            "temp_stat_t": names.state(code, "target"),
            "pr_modes": [BOOST, AWAY],
            "pr_mode_stat_t": names.state(code, "preset"),
            "act_t": names.state(code, "action"),
            "json_attr_t": names.state(code, "attributes"),
            "min_temp": settings.minimum,
            "max_temp": settings.maximum,
            "temp_step": 0.5,
            "precision": 0.1,
            "temp_unit": "C",
        }
        if settings.thermometers:
            climate["curr_temp_t"] = names.state(code, "current")
        for key, part in (
            ("mode_cmd_t", "mode"),
            ("temp_cmd_t", "target"),
            ("pr_mode_cmd_t", "preset"),
        ):
            if self.commands:
                climate[key] = names.command(code, part)
            elif key != "mode_cmd_t":
                climate[key] = names.command(code, "refused")
        yield Component(f"{code}_climate", "climate", None, code, climate)
        if self.commands:
            for part, name in (
                (BOOST, "Boost"),
                ("skip", "Skip the next change"),
                ("advance", "Begin the next slot"),
            ):
                yield self._button(code, part, name, {})

    def _button(self, code: str, part: str, name: str, extra: dict[str, Any]) -> Component:
        config = {"cmd_t": self.names.command(code, part), **extra}
        return Component(f"{code}_{part}", "button", name, code, config)

    def message(self, device: Device) -> bytes:
        """Return the description of a device, as Home Assistant reads it."""
        names = self.names
        info: dict[str, Any] = {
            "ids": [names.id_of(device.codifier)],
            "name": device.name,
            "mf": "jph",
            "mdl": device.model,
            "sw": __version__,
        }
        if device.area:
            info["sa"] = device.area
        if device.via:
            info["via_device"] = names.id_of(device.via)
        origin: dict[str, str] = {"name": "jph", "sw": __version__}
        if self.settings.page:
            origin["url"] = info["cu"] = self.settings.page
        listed = {each.key: self._component(each) for each in device.components}
        content = {"dev": info, "o": origin, "cmps": listed}
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()

    def _component(self, part: Component) -> dict[str, Any]:
        names, unique = self.names, self.names.id_of(part.key)
        found: dict[str, Any] = {
            "p": part.platform,
            "uniq_id": unique,
            "default_entity_id": f"{part.platform}.{unique.lower()}",
            "name": part.name,
            **part.config,
        }
        if part.codifier != "@":  # the bridge's own connection is shown, not hidden
            topics = [names.bridge]
            if part.codifier:
                topics.append(names.state(part.codifier, "available"))
            found["avty"] = [{"t": topic} for topic in topics]
            found["avty_mode"] = "all"
        return found


def _expires(sensor: Sensor) -> dict[str, int]:
    seconds = expiry_s(sensor)
    return {} if seconds is None else {"exp_aft": seconds}


def _bound(sensor: Sensor, key: str, without: float) -> float:
    value = sensor.sensor.get(key)
    usable = isinstance(value, int | float) and not isinstance(value, bool)
    return value if usable and value is not None else without
