"""Settings of the shedder: the phases it protects and the numbers of its policy."""

from typing import Annotated, Final

import msgspec

from jph.config.house.steered import SteeredLoadSettings
from jph.config.settings import Settings, described

BREAKER_CURVE: Final = ((1.13, 3600.0), (1.45, 60.0), (2.0, 10.0), (2.55, 1.0), (5.0, 0.02))
"""(current over rating, s): the shortest times EN 60898-1 allows a breaker of type C, about."""


class PhaseSettings(msgspec.Struct, rename="pascal", frozen=True, kw_only=True):
    """One phase: the codifiers of its mask, its current and what else is known of it."""

    phase: Annotated[int, described("Number of the phase: 1, 2 or 3")]
    codifier: Annotated[
        str, described("Element of this shedder that carries the phase's shed mask")
    ]
    current: Annotated[str, described("Element that carries the phase's current")]
    limit: Annotated[float | None, described("Limit, beside that of Subscribed", "A")] = None
    warning: Annotated[str, described("Element that carries the meter's overrun warning")] = ""
    explain: Annotated[
        str, described("Element of this shedder that carries its reasons as JSON")
    ] = ""
    peak: Annotated[
        str, described("Element that carries the meter's highest power of its day, VA")
    ] = ""

    fed_in: Annotated[str, described("Element with the current that the phase feeds in, A")] = ""

    def __post_init__(self) -> None:
        if self.phase not in (1, 2, 3):
            raise ValueError(f"Phase: expected 1, 2 or 3, found {self.phase}")
        if self.limit is not None and not 0 < self.limit < 1000:
            raise ValueError(f"Limit: expected amperes above 0, found {self.limit:g}")


class SheddingSettings(Settings, frozen=True):
    """The phases to protect and the numbers of the policy."""

    phases: Annotated[tuple[PhaseSettings, ...], described("The phases to protect")]
    subscribed: Annotated[
        str,
        described(
            "Element that carries the contract's current; the smaller of it and Limit counts"
        ),
    ] = ""
    status: Annotated[str, described("Element that carries the meter's status word (STGE)")] = ""
    urgent: Annotated[
        str, described("Element of the Schedule with the heaters of boosts and cold rooms")
    ] = ""
    rank: Annotated[int, described("Of several shedders the one of lowest rank decides")] = 1
    shadow: Annotated[bool, described("Decide and log, but send no mask")] = False
    margin: Annotated[float, described("Part of the limit that is kept free", "A")] = 0.6
    settle: Annotated[float, described("Time until the meter shows a switched heater", "s")] = 2.6
    minimum_off: Annotated[float, described("Shortest time for which a heater is shed", "s")] = (
        120.0
    )
    minimum_on: Annotated[
        float,
        described("Time after a return in which a heater is shed only if nothing else helps", "s"),
    ] = 60.0
    maximum_off: Annotated[
        float, described("Time after which a heater that is still shed counts as overdue", "s")
    ] = 3600.0
    silence: Annotated[
        float, described("Time without a current that makes the meter silent", "s")
    ] = 3.9
    surprise: Annotated[
        float, described("Current that may be switched on unseen while the meter is silent", "A")
    ] = 12.0
    blind_after: Annotated[
        float, described("Silence after which only BlindShare of the limit stays on", "s")
    ] = 300.0
    blind_share: Annotated[
        float, described("Part of the limit that heaters may use while the meter is silent, 0 to 1")
    ] = 0.5
    assumed_watts: Annotated[
        float, described("Power of a heater that is neither declared nor learned", "W")
    ] = 1150.0
    voltage: Annotated[float, described("Voltage between phase and neutral", "V")] = 230.0
    breaker: Annotated[float | None, described("Rated current of the main breaker", "A")] = None
    breaker_curve: Annotated[
        tuple[tuple[float, float], ...],
        described("Trip times of the main breaker as [multiple of its rating, seconds]"),
    ] = BREAKER_CURVE
    priority_worth: Annotated[
        float, described("Heat shortage that one step of Priority outweighs", "s")
    ] = 200.0
    eco_first: Annotated[
        bool, described("A heater whose turn ends goes to eco first where its room is not cold")
    ] = False

    loads: Annotated[
        tuple[SteeredLoadSettings, ...], described("Switches and chargers beside the heaters")
    ] = ()
    state: Annotated[
        str, described("Element of this shedder: its loads, why, and energy of the day, as JSON")
    ] = ""
    off_peak: Annotated[str, described("Element with the tariff period (HC… or not 0)")] = ""
    import_margin: Annotated[
        float, described("Current that loads on sun may import on a phase", "A", ge=0, le=10)
    ] = 0.5

    def __post_init__(self) -> None:
        numbers = [phase.phase for phase in self.phases]
        if len(set(numbers)) < len(numbers):
            raise ValueError("Phases: a phase is there twice")
        if self.voltage <= 0 or not 0 <= self.blind_share <= 1:
            raise ValueError("Voltage: expected volts above 0; BlindShare: expected 0 to 1")
        if self.breaker is not None and self.breaker <= 0:
            raise ValueError(f"Breaker: expected amperes above 0, found {self.breaker:g}")
        ratios = [ratio for ratio, _ in self.breaker_curve]
        if not ratios or ratios[0] <= 0 or ratios != sorted(set(ratios)):
            raise ValueError("BreakerCurve: expected [multiple, seconds] by rising multiple")
        if any(seconds <= 0 for _, seconds in self.breaker_curve):
            raise ValueError("BreakerCurve: expected seconds above 0")
        unlimited = [phase.phase for phase in self.phases if phase.limit is None]
        if unlimited and not self.subscribed:
            raise ValueError(f"Phases: phase {unlimited[0]} has no Limit, and no Subscribed is set")
