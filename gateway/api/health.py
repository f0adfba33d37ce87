"""Whether the gateway is well, for whoever watches over it."""

from typing import Any

from litestar import get

from gateway.parts import Parts


def handlers(parts: Parts) -> list[Any]:
    """Return the address of health."""

    @get("/healthz", sync_to_thread=False)
    def health() -> dict[str, object]:
        hub = parts.hub
        return {"status": "ok", "redis": hub.board.cache_here, "clients": hub.clients}

    return [health]
