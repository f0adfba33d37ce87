"""The page of energy and costs."""

from typing import Any, Final

from litestar import Response, get

from collector.energy.meters import indexes
from jph.config.model import Network
from jph.gateway.platform.services import Parts
from jph.gateway.platform.shell import Link, WebRequest
from jph.gateway.subjects.history.gaps import keeps_history


def _shown(network: Network) -> bool:
    return keeps_history(network) and bool(indexes(network))


LINKS: Final = [Link("/energy", "Energy", 30, shown=_shown)]


def handlers(parts: Parts) -> list[Any]:
    """Return the page; what it shows comes by `/api/energy`."""

    @get("/energy", include_in_schema=False, sync_to_thread=False)
    def energy(request: WebRequest) -> Response[str]:
        network = parts.network()
        return parts.shell.page(
            request, "energy.html", counted=_shown(network), priced=bool(network.tariffs)
        )

    return [energy]
