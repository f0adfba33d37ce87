"""Settings of plain values by MQTT, in and out. Pure."""

from typing import Annotated

from jph.config.settings import Settings, described
from jph.values.elements import PathElement


class InSettings(PathElement, frozen=True):
    """A value of a topic that becomes an element of the node."""

    topic: Annotated[str, described("topic filter")] = ""


class OutSettings(Settings, frozen=True):
    """A codifier whose readings are published."""

    codifier: Annotated[str, described("codifier of the value")]
    topic: Annotated[str, described("topic")]
    retain: Annotated[bool, described("whether the broker keeps it")] = True
