"""The page of the pool."""

from typing import Any, Final

from litestar import Response, get

from jph.config.model import Network
from jph.gateway.platform.services import Parts
from jph.gateway.platform.shell import Link, WebRequest
from jph.gateway.subjects.pool.api import pools_of


def _shown(network: Network) -> bool:
    return bool(pools_of(network))


LINKS: Final = [Link("/pool", "Pool", 90, shown=_shown)]


def handlers(parts: Parts) -> list[Any]:
    """Return the page; what it shows comes by `/api/pool`."""

    @get("/pool", include_in_schema=False, sync_to_thread=False)
    def pool(request: WebRequest) -> Response[str]:
        pools = [(s.codifier, s.name or s.codifier) for s in pools_of(parts.network())]
        return parts.shell.page(request, "pool.html", pools=pools)

    return [pool]
