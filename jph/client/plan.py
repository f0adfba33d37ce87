"""Edits of the plan by unicast to the Schedule node, and its answers on the data bus."""

import asyncio
import contextlib
import json
import random
import secrets
import socket
from typing import Any, Final

from jph.client.client import Client
from jph.client.commands import Address
from jph.client.replies import Heard
from jph.config.model import Network, Sensor
from jph.errors import ConfigError, JphError
from jph.node.outbox import now_ms
from jph.wire.edits import DocumentEdit, encode_edit

SCHEDULE_TYPE: Final = "Schedule"
_AGAIN_S: Final = 0.5
"""A datagram may be lost: the edit is sent again until its answer comes. It is done once."""


class EditRefused(JphError):
    """The Schedule node refused an edit; `answer` is its error object."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.answer = answer
        super().__init__(str(answer.get("generic_desc") or answer.get("id") or "refused"))


class EditUnansweredError(JphError):
    """The Schedule node does not answer; `text` is a template, and `node` its name in it."""

    def __init__(self, text: str, node: str) -> None:
        self.text, self.node = text, node
        super().__init__(text.format(node=node))


def schedule_node(network: Network) -> Sensor:
    """Return the Schedule node of a network.

    Raises:
        ConfigError: there is none, or it has no element for answers.
    """
    node = next((each for each in network.nodes() if each.type == SCHEDULE_TYPE), None)
    if node is None:
        raise ConfigError("no node of the type Schedule is in the config (docs/nodes/schedule.md)")
    if not node.sensor.get("Answer"):
        raise ConfigError(f"{node.codifier}: name an element for its answers: Sensor.Answer")
    return node


async def edit(
    client: Client,
    network: Network,
    own: str,
    verb: str,
    params: object,
    author: str,
) -> dict[str, Any]:
    """Send an edit and return the node's answer.

    Raises:
        ConfigError: the config has no Schedule node.
        EditRefused: the node refuses it.
        EditUnansweredError: the node does not answer.
    """
    node = schedule_node(network)
    answers = str(node.sensor["Answer"])
    found = await client.commands.ping(node.codifier)
    if found.address is None:
        named = f"{node.codifier} ({node.name or node.type})"
        raise EditUnansweredError("{node} does not answer: is it running?", named)
    wanted = DocumentEdit(
        random.getrandbits(32),
        now_ms(),
        own,
        node.codifier,
        secrets.token_hex(8),
        verb,
        params,
        author,
    )
    async with client.replies.hear([answers]) as heard:
        answer = await _exchange(wanted, found.address, heard, answers, client.limits.answer_s)
    if answer is None:
        text = "{node} does not answer the edit: it may or may not be done"
        raise EditUnansweredError(text, node.codifier)
    if answer.get("status") != "success":
        raise EditRefused(answer.get("error") or {})
    return answer


async def _exchange(
    wanted: DocumentEdit, address: Address, heard: Heard, answers: str, limit_s: float
) -> dict[str, Any] | None:
    """Send an edit until its answer is heard, or the time is over."""
    datagram = encode_edit(wanted)
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    found: dict[str, Any] | None = None

    def answered() -> bool:
        nonlocal found
        found = _answer(heard, answers, wanted.request)
        return found is not None

    loop = asyncio.get_running_loop()
    end_s = loop.time() + limit_s
    with socket.socket(family, socket.SOCK_DGRAM) as out:
        while loop.time() < end_s:
            with contextlib.suppress(OSError):
                out.sendto(datagram, address)
            if await heard.until(answered, min(_AGAIN_S, max(end_s - loop.time(), 0.01))):
                break
    return found


def _answer(heard: Heard, answers: str, request: str) -> dict[str, Any] | None:
    reading = heard.readings.get(answers)
    if reading is None:
        return None
    try:
        content = json.loads(str(reading.value))
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) and content.get("id") == request else None
