"""Settings of the electricity meter's node: the device and the element of each label."""

from typing import Annotated, Literal

import msgspec

from jph.config.settings import Settings, described


class MeterElementSettings(Settings, frozen=True):
    """One element of the meter."""

    codifier: Annotated[str, described("Codifier under which the value is sent")]
    field: Annotated[str, described("Label of the meter, or canonical field such as CURRENT_1")]


class TeleinfoSettings(Settings, frozen=True):
    """The meter's device, and which of its labels are sent under which codifiers."""

    device: Annotated[
        str, described("Path of the serial port, best below /dev/serial/by-id, or any pyserial URL")
    ]
    mode: Annotated[
        Literal["auto", "historique", "standard"], described("Mode of the meter; auto tries both")
    ] = "auto"
    proxy: Annotated[list[MeterElementSettings], described("Elements of the meter")] = (
        msgspec.field(default_factory=list)
    )
    warning_expiry: Annotated[
        float,
        described("Time after which an overrun warning that is not renewed goes back to 0", "s"),
    ] = 15.0
    silence: Annotated[
        float,
        described("Time without a group after which the port of the meter is opened again", "s"),
    ] = 10.0

    def __post_init__(self) -> None:
        if min(self.warning_expiry, self.silence) <= 0:
            raise ValueError("WarningExpiry and Silence must be above 0 s")
