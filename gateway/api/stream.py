"""The stream of changes."""

from typing import Any

from litestar import asgi
from litestar.exceptions import HTTPException

from gateway.parts import Parts


def handlers(parts: Parts) -> list[Any]:
    """Return the stream."""

    @asgi("/events", copy_scope=True)
    async def events(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
        if scope["method"] != "GET":
            raise HTTPException("events are for GET", status_code=405)
        headers = dict(scope["headers"])
        last_id = headers.get(b"last-event-id", b"").decode("latin-1")
        await parts.hub.serve(receive, send, last_id)

    return [events]
