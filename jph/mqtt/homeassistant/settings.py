"""Settings of Home Assistant's discovery, and the names of its topics and ids. Pure."""

import re
from fnmatch import fnmatchcase
from typing import Annotated, Final, NamedTuple

import msgspec

from jph.config.model import Sensor
from jph.config.settings import Settings, described

_WORD: Final = r"^[a-z0-9]{1,20}$"
_LEVELS: Final = r"^[^#+\s/]+(/[^#+\s/]+)*$"


class HomeAssistantSettings(Settings, frozen=True):
    """Entities that Home Assistant gets, and whether it may command."""

    prefix: Annotated[
        str, msgspec.Meta(pattern=_LEVELS), described("topic prefix of its discovery")
    ] = "homeassistant"
    base: Annotated[
        str, msgspec.Meta(pattern=_LEVELS), described("first level of the topics of states")
    ] = "jph"
    network: Annotated[
        str,
        msgspec.Meta(pattern=_WORD),
        described("word for this house in ids and topics; lasts, and differs between two houses"),
    ] = "home"
    every: Annotated[
        float, described("shortest time between two states of a codifier", "s", ge=0.05, le=3600)
    ] = 1.0
    only: Annotated[
        tuple[str, ...], described("codifiers or kinds that are announced; * is any text")
    ] = ("*",)
    orders: Annotated[
        bool, described("whether it may give wishes and orders; commands of nodes are never taken")
    ] = True
    page: Annotated[str, described("address of the page, for links from Home Assistant")] = ""

    def wants(self, sensor: Sensor) -> bool:
        """Say whether a codifier is announced."""
        return any(
            fnmatchcase(sensor.codifier, each) or fnmatchcase(sensor.type, each)
            for each in self.only
        )


class Names(NamedTuple):
    """Topics and ids of one house."""

    prefix: str
    base: str
    network: str

    @classmethod
    def of(cls, settings: HomeAssistantSettings) -> "Names":
        """Return the names that the settings give."""
        return cls(settings.prefix, f"{settings.base}/{settings.network}", settings.network)

    def id_of(self, codifier: str, part: str = "") -> str:
        """Return the lasting id of a device, or of a part of it."""
        return "_".join(filter(None, ("jph", self.network, codifier, part)))

    def config(self, codifier: str) -> str:
        """Return the topic of a device's description."""
        return f"{self.prefix}/device/{self.id_of(codifier)}/config"

    @property
    def configs(self) -> str:
        """The filter of all descriptions of devices, those of other programs too."""
        return f"{self.prefix}/device/+/config"

    def is_own_config(self, topic: str) -> bool:
        """Say whether a description is of a device of this house."""
        return topic.startswith(f"{self.prefix}/device/jph_{self.network}_")

    @property
    def birth(self) -> str:
        """The topic on which Home Assistant says that it has started."""
        return f"{self.prefix}/status"

    @property
    def bridge(self) -> str:
        """The topic of the bridge's own state, which its will sets to offline."""
        return f"{self.base}/status"

    def state(self, codifier: str, part: str = "state") -> str:
        """Return the topic of a value."""
        return f"{self.base}/{codifier}/{part}"

    def command(self, codifier: str, part: str) -> str:
        """Return the topic of a command."""
        return f"{self.base}/{codifier}/set/{part}"

    @property
    def commands(self) -> str:
        """The filter of all commands."""
        return f"{self.base}/+/set/+"

    def command_of(self, topic: str) -> tuple[str, str] | None:
        """Return codifier and part of a command's topic."""
        found = re.fullmatch(f"{re.escape(self.base)}/([0-9A-Z]{{2}})/set/([a-z_]{{1,20}})", topic)
        return None if found is None else (found[1], found[2])
