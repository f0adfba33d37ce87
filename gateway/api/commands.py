"""Commands to nodes, and what the nodes answer."""

import asyncio
from typing import Any, Final

from litestar import post
from litestar.exceptions import HTTPException

from gateway import page
from gateway.api.sensors import known
from gateway.commands import FLAGS, Answer, TooManyWaiting
from gateway.parts import Parts
from gateway.security.roles import Role, needs
from gateway.shell import WebRequest

BODY_LIMIT_S: Final = 10.0
"""How long the rest of a request may take."""


def handlers(parts: Parts) -> list[Any]:
    """Return the addresses that command."""

    @post("/sensormsg/{codifier:str}/{flag:str}", status_code=200, guards=[needs(Role.OPERATOR)])
    async def message(request: WebRequest) -> Answer:
        await whole(request)
        codifier, flag = request.path_params["codifier"], request.path_params["flag"]
        return await _command(parts, request, codifier, flag)

    return [message]


async def whole(request: WebRequest) -> bytes:
    """Read a request to its end: one that breaks off is no command."""
    try:
        async with asyncio.timeout(BODY_LIMIT_S):
            return await request.body()
    except TimeoutError as error:
        raise HTTPException("the request does not end", status_code=408) from error


async def _command(parts: Parts, request: WebRequest, codifier: str, flag: str) -> Answer:
    sensor = parts.hub.board.network.sensor(known(parts, codifier))
    allowed = {"P": FLAGS["P"]} if sensor.parent else page.flags_of(sensor)
    if flag not in FLAGS:
        raise HTTPException(f"no such command: {flag}; known: {', '.join(FLAGS)}", status_code=404)
    if flag not in allowed:
        raise HTTPException(f"{codifier} takes no {FLAGS[flag]}", status_code=409)
    try:
        answer = await parts.commander.ask(codifier, flag, sensor.parent or codifier)
    except TooManyWaiting as error:
        raise HTTPException("too many commands are waiting", status_code=429) from error
    parts.audit(request, f"{FLAGS[flag]} {codifier}", answer.text)
    return answer
