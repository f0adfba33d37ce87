"""The stream of changes."""

import asyncio
from typing import Any, Final
from urllib.parse import parse_qs

from litestar import asgi
from litestar.exceptions import HTTPException

from jph.errors import JphError
from jph.gateway.accounts.throttle import place_of
from jph.gateway.platform.authentication import Identity, still_valid
from jph.gateway.platform.services import Services
from jph.wire.codec import is_codifier

ASK_AGAIN_S: Final = 15.0
"""How often it is asked whether a session still is: who has been logged out hears no more."""
_MOST_CODES: Final = 64


def handlers(services: Services) -> list[Any]:
    """Return the stream, which resumes after `Last-Event-ID`; `?codes=I1,I2` for these only."""

    @asgi(["/events", "/api/events"], copy_scope=True)
    async def events(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
        if scope["method"] != "GET":
            raise HTTPException("events are for GET", status_code=405)
        headers = dict(scope["headers"])
        last_id = headers.get(b"last-event-id", b"").decode("latin-1")
        codes = codes_in(scope["query_string"])
        place = place_of(scope["client"][0]) if scope["client"] else ""
        serving = asyncio.ensure_future(services.hub.serve(receive, send, last_id, codes, place))
        watching = asyncio.ensure_future(_until_logged_out(services, scope["auth"]))
        try:
            await asyncio.wait({serving, watching}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (serving, watching):
                task.cancel()
            await asyncio.gather(serving, watching, return_exceptions=True)

    return [events]


def codes_in(query: bytes) -> frozenset[str] | None:
    """Return the codifiers that a query names, None if it names none.

    Raises:
        HTTPException: 400, that is no list of codifiers.
    """
    try:
        text = parse_qs(query.decode("ascii"), max_num_fields=10).get("codes", [""])[-1]
    except ValueError as error:
        raise HTTPException("that is no query", status_code=400) from error
    codes = frozenset(text.split(",")) if text else None
    if codes and (len(codes) > _MOST_CODES or not all(is_codifier(code) for code in codes)):
        raise HTTPException("codes are two letters or digits each, as I1,I2", status_code=400)
    return codes


async def _until_logged_out(services: Services, identity: Identity) -> None:
    """Return when the session or token of a client has ended."""
    while True:
        await asyncio.sleep(ASK_AGAIN_S)
        try:
            if not await still_valid(services.accounts, identity):
                return
        except JphError:  # a file that cannot be read now ends nobody's stream
            continue
