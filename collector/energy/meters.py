"""Which codifier of the network is an index, a phase's current, a shed mask. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from collector.energy.tariff import PERIODS
from jph.config.model import Network, Sensor
from jph.devices.tic.fields import CANONICAL, index_field

TOTAL: Final = "TOTAL"
INJECTED: Final = "INJECTED"
_METER: Final = "Teleinfo"
_SHEDDER: Final = "Shedding"
_INDEX: Final = "INDEX_"


class Index(NamedTuple):
    """An energy index: its codifier and period, its meter, and the codifier of that's address.

    The period is one of a tariff, TOTAL (of all periods) or INJECTED (into the grid).
    """

    codifier: str
    period: str
    meter: str
    address: str


class Phase(NamedTuple):
    """The codifiers that tell of a phase, empty where there is none; A of its declared limit."""

    phase: int
    current: str = ""
    limit: str = ""
    warning: str = ""
    mask: str = ""
    apparent: str = ""
    declared_a: float | None = None

    @property
    def codifiers(self) -> tuple[str, ...]:
        """The codifiers, in the order of collector.hours.PhaseStreams."""
        return self.current, self.limit, self.warning, self.mask, self.apparent


def indexes(network: Network) -> list[Index]:
    """Return every index that a meter of the network sends."""
    found = []
    for node, fields in _meters(network):
        for field, codifier in fields.items():
            period = field.removeprefix(_INDEX)
            if field.startswith(_INDEX) and period in {*PERIODS, TOTAL, INJECTED}:
                address = fields.get("METER_ADDRESS", "")
                found.append(Index(codifier, period, node.codifier, address))
    return found


def phases(network: Network) -> list[Phase]:
    """Return the phases of the first meter, with what a shedder knows of them."""
    fields: Mapping[str, str] = next((fields for _, fields in _meters(network)), {})
    limit = fields.get("SUBSCRIBED_CURRENT", "")
    found = {}
    alone = "CURRENT_2" not in fields  # one phase: the whole house's power is its own
    for number in (1, 2, 3):
        if current := fields.get(f"CURRENT_{number}"):
            whole = fields.get("APPARENT_POWER", "") if alone else ""
            apparent = fields.get(f"APPARENT_POWER_{number}", whole)
            warning = fields.get(f"WARNING_{number}", "")
            found[number] = Phase(number, current, limit, warning, "", apparent)
    for node in network.sensors:
        if node.type == _SHEDDER:
            for told in _told(node):
                known = found.get(told.phase, Phase(told.phase))
                found[told.phase] = known._replace(
                    current=told.current,
                    limit=str(node.sensor.get("Subscribed") or known.limit),
                    warning=told.warning or known.warning,
                    mask=told.codifier,
                    declared_a=told.limit,
                )
    return [found[number] for number in sorted(found)]


class _Told(msgspec.Struct, rename="pascal"):
    """What a shedder's settings say of a phase; the rest is its own business."""

    phase: int
    codifier: str
    current: str
    limit: float | None = None
    warning: str = ""


class _Element(msgspec.Struct, rename="pascal"):
    codifier: str
    field: str


def _told(node: Sensor) -> Sequence[_Told]:
    return _converted(node.sensor.get("Phases"), _Told)


def _meters(network: Network) -> list[tuple[Sensor, dict[str, str]]]:
    """Return each meter with the codifiers of its canonical fields, the first of each."""
    found = []
    for node in network.sensors:
        if node.type == _METER:
            fields: dict[str, str] = {}
            for element in _converted(node.sensor.get("Proxy"), _Element):
                label = element.field
                name = CANONICAL.get(label) or _period_index(label) or label
                fields.setdefault(name, element.codifier)
            found.append((node, fields))
    return found


def _period_index(label: str) -> str | None:
    return None if label.startswith("EASF") else index_field(label, None)


def _converted(raw: object, kind: type[Any]) -> list[Any]:
    """Return the entries of a list that have the right shape; others are told by their kind."""
    found = []
    for entry in raw if isinstance(raw, list) else []:
        try:
            found.append(msgspec.convert(entry, kind))
        except msgspec.ValidationError:
            continue
    return found
