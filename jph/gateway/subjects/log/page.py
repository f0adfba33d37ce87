"""The page of the log."""

from typing import Any, Final

from litestar import Response, get

from jph.gateway.live import view
from jph.gateway.platform.services import Parts
from jph.gateway.platform.shell import Link, WebRequest

LINKS: Final = [Link("/log", "Log", 60)]


def handlers(parts: Parts) -> list[Any]:
    """Return the page; its lines come by `/api/log`."""

    @get("/log", include_in_schema=False, sync_to_thread=False)
    def log(request: WebRequest) -> Response[str]:
        network = parts.network()
        return parts.shell.page(
            request,
            "log.html",
            nodes=[(node.codifier, view.label(node)) for node in network.nodes()],
            channel=network.multicast.log is not None,
        )

    return [log]
