"""The page of the living picture of the network."""

from typing import Any, Final

from litestar import Response, get

from jph.gateway.platform.services import Parts
from jph.gateway.platform.shell import Link, WebRequest

LINKS: Final = [Link("/diagram", "Diagram", 70)]


def handlers(parts: Parts) -> list[Any]:
    """Return the page; what it draws comes by `/api/diagram`."""

    @get("/diagram", include_in_schema=False, sync_to_thread=False)
    def diagram(request: WebRequest) -> Response[str]:
        return parts.shell.page(request, "diagram.html")

    return [diagram]
