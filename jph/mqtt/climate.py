"""Settings of thermostats by MQTT. Pure."""

from typing import Annotated, Literal

from jph.config.settings import Settings, described


class ClimateSettings(Settings, frozen=True):
    """One thermostat by MQTT."""

    codifier: Annotated[str, described("element that carries its setpoint")]
    base: Annotated[str, described("base topic, such as homeassistant/climate/bureau")]
    temperature: Annotated[str, described("element that carries its temperature")] = ""
    form: Annotated[Literal["statestream", "zigbee2mqtt"], described("form of its messages")] = (
        "statestream"
    )
