"""Warnings that expire: a meter does not send the end of an overrun. Pure."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from jph.devices.tic.fields import CANONICAL, PHASES, WARNINGS
from jph.devices.tic.status import ALARMS as STATUS_ALARMS

OVERLOADS: Mapping[int, str] = MappingProxyType({phase: f"OVERLOAD_{phase}" for phase in PHASES})
"""Keys of the phases that standard mode's one overrun bit is about."""

FIELDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {label: (label, CANONICAL[label]) for label in WARNINGS}
    | {name: (name,) for name in STATUS_ALARMS}
    | {key: (f"WARNING_{phase}",) for phase, key in OVERLOADS.items()}
)
"""Fields that each warning holds above 0."""


class Alarms:
    """Warnings under way. Times are monotonic seconds. Bounded by ``FIELDS``."""

    def __init__(self, expiry_s: float) -> None:
        self.expiry_s = expiry_s
        self._until: dict[str, float] = {}

    def warn(self, key: str, now_s: float) -> None:
        """Begin or renew a warning."""
        self._until[key] = now_s + self.expiry_s

    def absent(self, keys: Iterable[str]) -> list[str]:
        """Return the fields that are 0 if ``keys`` are: those without a warning under way."""
        return self._free(key for key in keys if key not in self._until)

    def end(self, keys: Iterable[str]) -> list[str]:
        """End warnings, and return the fields that this brings to 0."""
        return self._free([key for key in keys if self._until.pop(key, None) is not None])

    def expire(self, now_s: float) -> list[str]:
        """End what was not renewed in time, and return the fields that this brings to 0."""
        return self.end([key for key, until_s in self._until.items() if now_s >= until_s])

    def _free(self, keys: Iterable[str]) -> list[str]:
        """Return the fields of ``keys`` that no other warning holds."""
        held = {field for key in self._until for field in FIELDS[key]}
        fields = (field for key in keys for field in FIELDS[key])
        return [field for field in dict.fromkeys(fields) if field not in held]
