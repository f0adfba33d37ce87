"""Settings of Home Assistant's discovery. Pure."""

from typing import Annotated

from jph.config.settings import Settings, described


class HomeAssistantSettings(Settings, frozen=True):
    """Entities that Home Assistant gets, and what it may command."""

    prefix: Annotated[str, described("topic prefix of its discovery")] = "homeassistant"
    every: Annotated[float, described("shortest time between two states", "s", ge=0.05)] = 1.0
    only: Annotated[tuple[str, ...], described("codifiers that are announced; * is any text")] = (
        "*",
    )
    orders: Annotated[bool, described("whether it may command")] = True
