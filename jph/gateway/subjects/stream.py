"""The stream of changes."""

import asyncio
from typing import Annotated, Any, Final

from litestar import Response, get
from litestar.exceptions import HTTPException
from litestar.params import QueryParameter
from litestar.types import ASGIApp

from jph.errors import JphError
from jph.gateway.accounts.throttle import place_of
from jph.gateway.platform.authentication import Identity, still_valid
from jph.gateway.platform.services import Services
from jph.gateway.platform.shell import WebRequest
from jph.wire.codec import is_codifier

ASK_AGAIN_S: Final = 15.0
"""How often a stream checks that its session has not ended."""
_MOST_CODES: Final = 64


class EventStream(Response[str]):
    """A response that the hub writes for as long as the client stays."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__("", media_type="text/event-stream")
        self._app = app

    def to_asgi_response(self, *_: Any, **__: Any) -> ASGIApp:  # type: ignore[override] # noqa: ANN401
        """Return the ASGI application that streams."""
        return self._app


def handlers(services: Services) -> list[Any]:
    """Return the stream of changes."""

    @get(
        ["/events", "/api/events"],
        media_type="text/event-stream",
        sync_to_thread=False,
        summary="The stream of changes (server-sent events)",
    )
    def events(
        request: WebRequest,
        codes: Annotated[
            str | None,
            QueryParameter(description="Codifiers, as I1,I2; without it all", max_length=200),
        ] = None,
    ) -> EventStream:
        """Send an event `board` whenever something changes, after all that is known now.

        Its data is a JSON object: `rows` by codifier, `summary` of the house, `layout` and, without
        `codes`, `history`. A client resumes with the header `Last-Event-ID`.
        """
        wanted = codes_in(codes)
        last_id = request.headers.get("last-event-id", "")
        client = request.client
        place = place_of(client.host) if client else ""

        async def stream(_: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
            serving = asyncio.ensure_future(
                services.hub.serve(receive, send, last_id, wanted, place)
            )
            watching = asyncio.ensure_future(_until_logged_out(services, request.auth))
            try:
                await asyncio.wait({serving, watching}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (serving, watching):
                    task.cancel()
                await asyncio.gather(serving, watching, return_exceptions=True)

        return EventStream(stream)

    return [events]


def codes_in(text: str | None) -> frozenset[str] | None:
    """Return the codifiers of a list, None without one.

    Raises:
        HTTPException: 400, it is no list of codifiers.
    """
    codes = frozenset(text.split(",")) if text else None
    if codes and (len(codes) > _MOST_CODES or not all(is_codifier(code) for code in codes)):
        raise HTTPException("codes are two letters or digits each, as I1,I2", status_code=400)
    return codes


async def _until_logged_out(services: Services, identity: Identity) -> None:
    """Return when the session or token of a client has ended."""
    while True:
        await asyncio.sleep(ASK_AGAIN_S)
        try:
            if not await still_valid(services.accounts, identity, public=services.public()):
                return
        except JphError:  # a file that cannot be read now ends no stream
            continue
