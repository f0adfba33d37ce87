"""Commands to nodes, and what the nodes answer, for whatever address they come by."""

import asyncio
from typing import Final

from litestar.exceptions import HTTPException

from jph.gateway.live.commands import FLAGS, Answer, TooManyWaiting
from jph.gateway.platform import language
from jph.gateway.platform.services import Services
from jph.gateway.platform.shell import WebRequest
from jph.gateway.subjects.sensors import known
from jph.gateway.view import panels

BODY_LIMIT_S: Final = 10.0
"""How long the rest of a request may take."""


async def whole(request: WebRequest) -> bytes:
    """Read a request to its end: one that breaks off is no command."""
    try:
        async with asyncio.timeout(BODY_LIMIT_S):
            return await request.body()
    except TimeoutError as error:
        raise HTTPException("the request does not end", status_code=408) from error


async def command(services: Services, request: WebRequest, codifier: str, flag: str) -> Answer:
    """Give a node a command of `FLAGS`; an element takes a ping, which its node answers."""
    sensor = services.hub.board.network.sensor(known(services, codifier))
    allowed = {"P": FLAGS["P"]} if sensor.parent else panels.flags_of(sensor)
    if flag not in allowed:
        raise HTTPException(f"{codifier} takes no {FLAGS[flag]}", status_code=409)
    node, say = sensor.parent or codifier, language.of(request).say
    try:
        answer = await services.commander.ask(codifier, flag, node, say)
    except TooManyWaiting as error:
        raise HTTPException("too many commands are waiting", status_code=429) from error
    services.audit(request, f"{FLAGS[flag]} {codifier}", answer.text)
    return answer


async def command_all(services: Services, request: WebRequest, flag: str) -> list[Answer]:
    """Give every node that takes it a command of `FLAGS`; each answers for itself."""
    network = services.hub.board.network
    nodes = [s.codifier for s in network.nodes() if flag in panels.flags_of(s)]
    try:
        answers = await services.commander.ask_all(flag, nodes, language.of(request).say)
    except TooManyWaiting as error:
        raise HTTPException("too many commands are waiting", status_code=429) from error
    silent = " ".join(each.codifier for each in answers if not each.answered)
    services.audit(request, f"{FLAGS[flag]} all", f"no answer: {silent or 'none'}")
    return answers
