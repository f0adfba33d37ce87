"""Settings of the Mqtt node: the connection and its doors. Pure."""

from typing import Annotated

import msgspec

from jph.config.settings import Settings, described
from jph.mqtt.climate import ClimateSettings
from jph.mqtt.homeassistant.settings import HomeAssistantSettings
from jph.mqtt.values import InSettings, OutSettings


class AppSettings(Settings, frozen=True):
    """The heating app."""

    base: Annotated[str, described("first level of its topics")] = "heatingcontrol"


class MqttSettings(Settings, frozen=True):
    """Settings of a Mqtt node. A door whose key is absent is closed."""

    url: Annotated[
        str, msgspec.Meta(pattern=r"^(mqtts?://\S+)?$"), described("broker; empty: the one of `up`")
    ] = msgspec.field(default="", name="URL")
    password: Annotated[str, described("file that holds the password")] = ""
    ca: Annotated[str, described("file with the certificate that signed the broker's")] = (
        msgspec.field(default="", name="CA")
    )
    version: Annotated[str, described("MQTT version: 5, 3.1.1, or empty for either")] = ""
    app: Annotated[AppSettings | None, described("the heating app")] = None
    home_assistant: Annotated[
        HomeAssistantSettings | None, described("devices of Home Assistant")
    ] = None
    thermostats: Annotated[
        tuple[ClimateSettings, ...], described("thermostats by MQTT that hold wishes")
    ] = ()
    in_: Annotated[tuple[InSettings, ...], described("values of topics for elements")] = (
        msgspec.field(default=(), name="In")
    )
    out: Annotated[tuple[OutSettings, ...], described("codifiers for topics")] = ()

    def __post_init__(self) -> None:
        if self.version not in ("", "5", "3.1.1"):
            raise ValueError(f"Version: expected 5 or 3.1.1, found {self.version!r}")
