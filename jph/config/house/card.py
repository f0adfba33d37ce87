"""Settings of a pilot card: its chip, its wires and its fallback without a shedder."""

import math
from typing import Annotated, Final, Literal

import msgspec

from jph.config.house.orders import WIRES, Order
from jph.config.settings import Settings, described

FIRST_ADDRESS: Final = 0x20
"""I2C address of an MCP23017 whose address pins are all low."""

LAST: Final = "last"
"""`PowerOn` of a heater that goes on with its last order after a power cut."""


class WireSettings(msgspec.Struct, rename="pascal", frozen=True, kw_only=True):
    """One line of a card's wiring table."""

    codifier: Annotated[str, described("Element that carries the heater's order")]
    wire: Annotated[int, described("Wire of the card, 1 to 8")]
    phase: Annotated[int, described("Phase of the heater: 1, 2 or 3")]
    room: Annotated[str, described("Room of the heater")] = ""
    name: Annotated[str, described("Name of the heater within its room")] = ""
    watts: Annotated[float | None, described("Rated power of the heater, if known", "W")] = None
    priority: Annotated[int, described("Importance: a higher one is shed later")] = 1
    solid_state: Annotated[
        bool, described("The wire may switch often, so it takes comfort-1 and comfort-2")
    ] = False
    power_on: Annotated[str, described("Order after a power cut, or last")] = LAST
    active_low: Annotated[
        bool | None, described("The board pulls at 0 instead of 1; without it, as the card says")
    ] = None
    applied: Annotated[str, described("Element that carries the order on the wire")] = ""
    verified: Annotated[
        str, described("Element that carries the order read back from the chip")
    ] = ""

    def __post_init__(self) -> None:
        if not 1 <= self.wire <= WIRES:
            raise ValueError(f"Wire: expected 1 to {WIRES}, found {self.wire}")
        if self.phase not in (1, 2, 3):
            raise ValueError(f"Phase: expected 1, 2 or 3, found {self.phase}")
        if self.watts is not None and not 0 < self.watts < math.inf:
            raise ValueError(f"Watts: expected more than 0, found {self.watts:g}")
        try:
            order = None if self.power_on == LAST else Order.named(self.power_on)
        except ValueError as error:
            raise ValueError(f"PowerOn: {error}, and {LAST}") from None
        if order is not None and order.pulsed and not self.solid_state:
            raise ValueError(f"PowerOn: {order.word} needs a wire with SolidState")


class PilotCardSettings(Settings, frozen=True):
    """The chip of a card, its wires and its fallback (`jph.heating.card.leases`)."""

    bus: Annotated[
        int | str, described("I2C bus: a number, or unix: and the path of a simulated one")
    ]
    address: Annotated[int, described("I2C address of the chip, 32 to 39")] = FIRST_ADDRESS
    wires: Annotated[tuple[WireSettings, ...], described("The heaters on the card's wires")] = ()
    shed: Annotated[dict[str, str], described("Phase to the element of its shed mask")] = (
        msgspec.field(default_factory=dict)
    )
    meter: Annotated[
        dict[str, str],
        described("Phase to the element of its current; shows that the meter is read"),
    ] = msgspec.field(default_factory=dict)
    state: Annotated[str, described("Element that carries the state of all wires as JSON")] = ""
    active_low: Annotated[
        bool, described("The board pulls at 0 instead of 1, on all its wires")
    ] = False
    hold: Annotated[
        float, described("Time for which the last mask counts when none comes", "s")
    ] = 60.0
    meter_hold: Annotated[
        float, described("Time for which masks count when the meter is silent", "s")
    ] = 120.0
    share: Annotated[
        float, described("Part of the phase's rated power that may heat without masks, 0 to 1")
    ] = 0.5
    share_for: Annotated[float, described("Duration of the share before Then follows", "s")] = (
        1800.0
    )
    then: Annotated[
        Literal["frost", "orders"],
        described("What follows the share: frost protection, or all orders"),
    ] = "frost"
    release_interval: Annotated[
        float, described("Time between two heaters that the fallback releases", "s")
    ] = 5.0

    def __post_init__(self) -> None:
        if not 0x20 <= self.address <= 0x27:
            raise ValueError(f"Address: expected 32 to 39 (0x20 + module), found {self.address}")
        for name, phases in (("Shed", self.shed), ("Meter", self.meter)):
            if wrong := [phase for phase in phases if phase not in ("1", "2", "3")]:
                raise ValueError(f"{name}: expected phases 1, 2 or 3, found {wrong[0]!r}")
        if min(self.hold, self.meter_hold, self.share_for, self.release_interval) < 0:
            raise ValueError(
                "Hold, MeterHold, ShareFor and ReleaseInterval: expected seconds, 0 or more"
            )
        if not 0 <= self.share <= 1:
            raise ValueError(f"Share: expected 0 to 1, found {self.share:g}")

    @property
    def active_low_wires(self) -> tuple[int, ...]:
        """The wires whose board pulls at 0, those without a heater too where the card says so."""
        own = {each.wire: each.active_low for each in self.wires if each.active_low is not None}
        return tuple(n for n in range(1, WIRES + 1) if own.get(n, self.active_low))
