"""Settings of a `Site`: the carrier, what is exported, and the elements that are imported."""

import re
from typing import Annotated

import msgspec

from jph.config.model import Network
from jph.config.settings import Settings, described
from jph.errors import Problem

SITE_NAME = "^[a-z0-9][a-z0-9-]{0,39}$"
"""A site is a part of subjects, of file names and of a schema's name."""


class Export(Settings, frozen=True):
    """One codifier that leaves the house."""

    codifier: Annotated[str, described("Codifier of this house that the others may read")]
    every: Annotated[float, described("Least time between two readings", "s", ge=0)] = 0.0
    transit: Annotated[
        bool, described("Whether an imported codifier is passed on to further sites")
    ] = False


class SiteSettings(Settings, frozen=True):
    """Nothing leaves but what `Export` lists, and with `Hub` all but what was imported.

    Imported elements name `Remote`: site/codifier.
    """

    name: Annotated[str, described("Name of this site", pattern=SITE_NAME)]
    url: Annotated[
        tuple[str, ...],
        described("Servers of NATS: nats://host:4222, or tls:// with TLS"),
    ] = msgspec.field(name="URL")
    credentials: Annotated[
        str, described("File with the nkey seed or the credentials of this site")
    ] = ""
    authority: Annotated[str, described("Certificate file that the servers must prove with")] = ""
    export: Annotated[tuple[Export, ...], described("What leaves")] = ()
    hub: Annotated[
        bool,
        described(
            "Whether all readings, gaps and the config without secrets leave, for a hub only"
        ),
    ] = False
    block: Annotated[float, described("Longest time that a reading waits for its block", "s")] = 1.0
    megabytes: Annotated[
        float, described("Space for blocks that wait for the carrier", "MB", gt=0)
    ] = 64.0
    backlog: Annotated[
        float, described("Waiting blocks sent in a second, behind the newest", gt=0)
    ] = 50.0
    state: Annotated[str, described("Element that carries the counters as JSON")] = ""


def is_site_name(text: str) -> bool:
    """Return whether a site may have this name: a stranger may have given it to a stream."""
    return re.fullmatch(SITE_NAME, text) is not None


def imports_of(network: Network, node: str) -> dict[tuple[str, str], str]:
    """Return the element of a node that takes each (site, codifier)."""
    found = {}
    for element in network.elements(node):
        site, _, code = str(element.sensor.get("Remote", "")).partition("/")
        if site and code:
            found[site, code] = element.codifier
    return found


def site_problems(network: Network, node: str, settings: SiteSettings) -> list[Problem]:
    """Return the mistakes of a Site in its network."""
    known = {entry.codifier for entry in network.sensors}
    path = f"Sensors[{node}].Sensor.Export"
    problems = [
        Problem(path, f"{rule.codifier} is not in the config")
        for rule in settings.export
        if rule.codifier not in known
    ]
    imported = set(imports_of(network, node).values())
    problems += [
        Problem(path, f"{rule.codifier} is imported: it leaves only with Transit")
        for rule in settings.export
        if rule.codifier in imported and not rule.transit
    ]
    problems += [
        Problem(f"Sensors[{code}].Sensor.Remote", "names this very site")
        for (site, _), code in imports_of(network, node).items()
        if site == settings.name
    ]
    return problems
