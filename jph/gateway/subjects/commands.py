"""Commands to nodes and their answers, for the API and for the addresses of the original."""

import asyncio
from typing import Final

import msgspec
from litestar.exceptions import HTTPException, PermissionDeniedException

from jph.client.commands import TooManyWaiting
from jph.gateway.accounts.roles import Role
from jph.gateway.live.commands import FLAGS, Answer, answer_of
from jph.gateway.live.safety import loss_of, losses_of_all
from jph.gateway.platform import language
from jph.gateway.platform.services import Services
from jph.gateway.platform.shell import WebRequest
from jph.gateway.subjects.sensors import known
from jph.gateway.view import panels
from jph.wire.codec import Flag

BODY_LIMIT_S: Final = 10.0
"""How long the rest of a request may take to arrive."""


async def whole(request: WebRequest) -> bytes:
    """Read a request to its end: an incomplete one is no command."""
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
    loss = loss_of(sensor, say) if flag == Flag.HALT else ""
    _check_halt(request, loss)
    try:
        heard = await services.client.commands.ask(codifier, flag, node)
    except TooManyWaiting as error:
        raise HTTPException("too many commands are waiting", status_code=429) from error
    answer = answer_of(codifier, heard, services.client.limits, say)
    if loss and answer.answered:
        text = say("{answer}; until it is started again: {loss}", answer=answer.text, loss=loss)
        answer = msgspec.structs.replace(answer, text=text)
    services.audit(request, f"{FLAGS[flag]} {codifier}", answer.text)
    return answer


async def command_all(services: Services, request: WebRequest, flag: str) -> list[Answer]:
    """Give every node that takes it a command of `FLAGS` and return the answer of each."""
    network = services.hub.board.network
    _check_halt(request, losses_of_all(network) if flag == Flag.HALT else "")
    nodes = [s.codifier for s in network.nodes() if flag in panels.flags_of(s)]
    try:
        heard = await services.client.commands.ask_all(flag, nodes)
    except TooManyWaiting as error:
        raise HTTPException("too many commands are waiting", status_code=429) from error
    limits, say = services.client.limits, language.of(request).say
    answers = [answer_of(each.node, each, limits, say) for each in heard]
    silent = " ".join(each.codifier for each in answers if not each.answered)
    services.audit(request, f"{FLAGS[flag]} all", f"no answer: {silent or 'none'}")
    return answers


def _check_halt(request: WebRequest, loss: str) -> None:
    """Let only admins halt what protects the house."""
    if loss and request.user.role < Role.ADMIN:
        raise PermissionDeniedException(f"halting this needs the role admin: {loss}")
