"""Makes the first configuration of a house from what was found on its machine. Pure."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

Entry = dict[str, Any]

_GROUPS: Final = {
    "Control-Channel": {"Address": "239.192.77.1", "Port": 7001},
    "Data-Channel": {"Address": "239.192.77.2", "Port": 7002},
    "Log-Channel": {"Address": "239.192.77.3", "Port": 7003},
}
_WIRES: Final = 8
_FIELDS: Final = {
    "CURRENT_1": ("I1", "Current of phase 1", "A"),
    "CURRENT_2": ("I2", "Current of phase 2", "A"),
    "CURRENT_3": ("I3", "Current of phase 3", "A"),
    "WARNING_1": ("W1", "Overrun warning of phase 1", "A"),
    "WARNING_2": ("W2", "Overrun warning of phase 2", "A"),
    "WARNING_3": ("W3", "Overrun warning of phase 3", "A"),
    "APPARENT_POWER": ("PA", "Apparent power", "VA"),
    "SUBSCRIBED_CURRENT": ("IS", "Subscribed current", "A"),
    "TARIFF_PERIOD": ("TP", "Tariff period", ""),
    "INDEX_BASE": ("X0", "Energy index", "Wh"),
    "INDEX_HC": ("X1", "Energy index, off-peak hours", "Wh"),
    "INDEX_HP": ("X2", "Energy index, peak hours", "Wh"),
    "INDEX_HN": ("X3", "Energy index, normal hours", "Wh"),
    "INDEX_PM": ("X4", "Energy index, mobile peak", "Wh"),
    "INDEX_TOTAL": ("XT", "Energy index, total", "Wh"),
    "INDEX_INJECTED": ("XI", "Energy index, fed in", "Wh"),
}
"""Codifier, name and unit of the fields that a first configuration has."""


class FoundMeter(NamedTuple):
    """A serial port with a meter: its mode, its fields, and the subscribed current if it says."""

    path: str
    mode: str
    fields: frozenset[str]
    subscribed_a: float | None = None


class FoundChip(NamedTuple):
    """An MCP23017 on an I2C bus."""

    bus: int | str
    address: int


class Wanted(NamedTuple):
    """What a configuration is made of.

    `redis_url` and `sql` are stores of the system; without them the embedded ones serve. With
    `cards` each chip becomes a pilot card with eight heaters on phase 1.
    """

    meters: Sequence[FoundMeter] = ()
    chips: Sequence[FoundChip] = ()
    interface: str = ""
    redis_url: str = ""
    sql: Entry | None = None
    cards: bool = False
    page_address: str = "127.0.0.1"


def document(wanted: Wanted) -> Entry:
    """Return a configuration that passes `config check`."""
    multicast: Entry = {**_GROUPS, "TTL": 1}
    if wanted.interface:
        multicast["Interfaces"] = {"*": wanted.interface}
    made: Entry = {"Multicast": multicast}
    if wanted.redis_url:
        made["Redis"] = {"URL": wanted.redis_url}
    if wanted.sql:
        made["SQL"] = wanted.sql
    sensors = [*_always(wanted.page_address)]
    for meter in wanted.meters[:1]:
        sensors += _meter(meter)
    if wanted.cards and wanted.chips:
        phases = _phases(wanted.meters[:1])
        sensors += _shedder(phases, wanted.meters[0]) if phases else []
        for number, chip in enumerate(wanted.chips[:9], 1):
            sensors += _card(number, chip, shed=bool(phases))
    made["Sensors"] = sensors
    return made


def _always(page_address: str) -> Iterator[Entry]:
    yield _node("CC", "ControlProgram", "Console")
    yield _node("R1", "jphRedis", "Cache: the newest state of every codifier")
    yield _node("Q1", "jphPostgreSQL", "Collector: the history of every reading")
    page = {"Address": page_address, "Port": 8080, "Public": "read"}
    yield _node("CF", "Gateway", "Web page and API", page)
    yield _node("AL", "Alerts", "Alerts", {"State": "AS"})
    yield _element("AS", "AL", "Open alerts", DataType="json")


def _meter(meter: FoundMeter) -> Iterator[Entry]:
    fields = [field for field in _FIELDS if field in meter.fields]
    proxy = [{"Codifier": _FIELDS[field][0], "Field": field} for field in fields]
    settings = {"Device": meter.path, "Mode": meter.mode, "Proxy": proxy}
    yield {**_node("TI", "Teleinfo", "Electricity meter", settings), "Symbol": "%"}
    for field in fields:
        code, name, unit = _FIELDS[field]
        kind = "text" if field == "TARIFF_PERIOD" else "integer"
        yield _element(code, "TI", name, Symbol=unit, DataType=kind, TimeoutWarning=60)


def _phases(meters: Sequence[FoundMeter]) -> list[int]:
    return [n for meter in meters for n in (1, 2, 3) if f"CURRENT_{n}" in meter.fields]


def _shedder(phases: Sequence[int], meter: FoundMeter) -> Iterator[Entry]:
    protected = []
    for phase in phases:
        entry: Entry = {"Phase": phase, "Codifier": f"S{phase}", "Current": f"I{phase}"}
        entry["Explain"] = f"E{phase}"
        if f"WARNING_{phase}" in meter.fields:
            entry["Warning"] = f"W{phase}"
        if meter.subscribed_a or "SUBSCRIBED_CURRENT" not in meter.fields:
            entry["Limit"] = meter.subscribed_a or 15.0
        protected.append(entry)
    settings: Entry = {"Phases": protected}
    if "SUBSCRIBED_CURRENT" in meter.fields:
        settings["Subscribed"] = "IS"
    yield {**_node("SH", "Shedding", "Keeps each phase under its limit", settings),
           "SensorInterval": 1}  # fmt: skip
    for phase in phases:
        yield _element(f"S{phase}", "SH", f"Heaters of phase {phase} that are shed (bit mask)")
        yield _element(f"E{phase}", "SH", f"Reasons of phase {phase}", DataType="json")


def _card(number: int, chip: FoundChip, *, shed: bool) -> Iterator[Entry]:
    wires = [
        {"Codifier": f"{number}{wire}", "Wire": wire, "Phase": 1, "Name": f"Heater {number}{wire}"}
        for wire in range(1, _WIRES + 1)
    ]
    settings: Entry = {"Bus": chip.bus, "Address": chip.address, "Wires": wires}
    if shed:
        settings["Shed"] = {"1": "S1"}
        settings["Meter"] = {"1": "I1"}
    yield {**_node(f"P{number}", "PilotCard", f"Pilot-wire card {number}", settings),
           "SensorInterval": 5}  # fmt: skip
    for wire in wires:
        code = str(wire["Codifier"])
        yield _element(code, f"P{number}", f"Order of heater {code}", Control="enabled")


def _node(code: str, kind: str, name: str, settings: Entry | None = None) -> Entry:
    entry: Entry = {"Codifier": code, "Type": kind, "Name": name}
    entry |= {"KeepAliveInterval": 10, "SensorInterval": 10, "TimeoutWarning": 30}
    return {**entry, "Sensor": settings} if settings else entry


def _element(code: str, parent: str, name: str, **more: Any) -> Entry:  # noqa: ANN401
    entry = {"Codifier": code, "Type": "Proxy", "Name": name, "DataType": "integer"}
    return {**entry, **more, "Sensor": {"Codifier": parent}}
