"""Finds the codifiers that are an index, a phase's current or a shed mask. Pure."""

from typing import Final, NamedTuple

from collector.energy.tariff import PERIODS
from jph.config.house.house import House
from jph.config.model import Network
from jph.devices.tic.fields import index_field

TOTAL: Final = "TOTAL"
INJECTED: Final = "INJECTED"
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
    found: dict[tuple[str, str], Index] = {}
    for meter in House(network).meters:
        address = meter.of("METER_ADDRESS")
        for label, codifier in meter.fields.items():
            field = _period_index(label) or label
            period = field.removeprefix(_INDEX)
            if field.startswith(_INDEX) and period in {*PERIODS, TOTAL, INJECTED}:
                index = Index(codifier, period, meter.codifier, address)
                found.setdefault((meter.codifier, period), index)
    return list(found.values())


def phases(network: Network) -> list[Phase]:
    """Return the phases that the first meter measures or a shedder protects."""
    return [
        Phase(
            phase.number,
            phase.current,
            phase.subscribed,
            phase.warning,
            phase.mask,
            phase.apparent,
            phase.limit_a,
        )
        for phase in House(network).phases
        if phase.current or phase.shedder
    ]


def _period_index(label: str) -> str | None:
    return None if label.startswith("EASF") else index_field(label, None)
