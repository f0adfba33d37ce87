"""Finds the energy indexes and the phases among the codifiers of a network. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from collector.energy import tariff
from collector.energy.tariff import NUMBERED, Tariff
from jph.config.house.house import House
from jph.config.model import Network
from jph.devices.tic.fields import index_field

TOTAL: Final = "TOTAL"
INJECTED: Final = "INJECTED"
_INDEX: Final = "INDEX_"


class Index(NamedTuple):
    """An energy index: its codifier, period and meter, and the codifier of the meter's address.

    The period is one of a tariff, TOTAL (of all periods) or INJECTED (into the grid). An index
    without a known name (`EASF03`) is a period under its own label.
    """

    codifier: str
    period: str
    meter: str
    address: str


class Phase(NamedTuple):
    """The codifiers of a phase, empty where there is none, and its declared limit in A."""

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
        for period, codifier in _periods(meter.fields):
            index = Index(codifier, period, meter.codifier, address)
            found.setdefault((meter.codifier, period), index)
    return list(found.values())


def has_periods(network: Network, meter: str) -> bool:
    """Return whether a meter has an index of a tariff period, beside that of all together."""
    ours = (index.period for index in indexes(network) if index.meter == meter)
    return any(period not in (TOTAL, INJECTED) for period in ours)


def read_tariffs(network: Network, raw: Sequence[Any] | None = None) -> tuple[Tariff, ...]:
    """Return the tariffs of the network, or those of `raw`, the oldest first.

    Raises:
        ConfigError: with every mistake.
    """
    return tariff.read(network.tariffs if raw is None else raw, period_names(network))


def period_names(network: Network) -> set[str]:
    """Return the names of the tariff periods that the meters of the network have."""
    return {index.period for index in indexes(network)} - {TOTAL, INJECTED}


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


def _periods(fields: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield period and codifier of each index of a meter.

    The first numbered indexes are the named ones by another label, so they do not count twice.
    """
    named: dict[str, str] = {}
    for label, codifier in fields.items():
        field = _period_index(label) or label
        if field.startswith(_INDEX):
            named.setdefault(field.removeprefix(_INDEX), codifier)
    yield from named.items()
    many = len(named.keys() - {TOTAL, INJECTED})
    for label in NUMBERED[many:]:
        if label in fields:
            yield label, fields[label]


def _period_index(label: str) -> str | None:
    return None if label.startswith("EASF") else index_field(label, None)
