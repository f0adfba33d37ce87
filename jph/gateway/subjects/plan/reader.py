"""Asks the Schedule node: state of the rooms, edits, refusals as answers of the API."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

from litestar.exceptions import HTTPException

from jph.client import plan
from jph.config.model import Network
from jph.errors import ConfigError, JphError
from jph.gateway.platform.services import Services
from jph.gateway.platform.shell import WebRequest

FRESH_S: Final = 2.0
"""An answer is given again for so long: many pages cost the Schedule node one question."""
AGAIN_S: Final = 5.0
"""So soon a Schedule node that did not answer is asked again by pages."""


def has_plan(network: Network) -> bool:
    """Say whether a configuration has rooms, and a Schedule node that answers edits."""
    try:
        plan.schedule_node(network)
    except ConfigError:
        return False
    return bool(network.rooms)


def author_of(request: WebRequest) -> str:
    """Return the author of a change for the plan's list of changes."""
    token = request.auth.token
    name = request.user.name or "-"
    return f"{name} (page)" if token is None else f"{name} (token {token.name})"


class Plans:
    """The plan as the Schedule node tells it, asked at most every `FRESH_S`."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._lock = asyncio.Lock()
        self._told: dict[str, Any] | None = None
        self._at_s = -float("inf")
        self._key: object = None

    async def now(self) -> dict[str, Any] | None:
        """Return what holds today; None while the node does not answer."""
        async with self._lock:
            key, now_s = self._what_counts(), time.monotonic()
            limit_s = FRESH_S if self._told is not None else AGAIN_S
            if key != self._key or now_s - self._at_s > limit_s:
                try:
                    answer = await self._ask("explain", {"hours": 24, "days": 1}, "page")
                    self._told = answer["result"]
                except (JphError, KeyError):
                    self._told = None
                self._key, self._at_s = key, time.monotonic()
            return self._told

    def _what_counts(self) -> object:
        """Return what makes an answer old when it changes: the wishes and the configuration."""
        board = self._services.hub.board
        codes = [str(room.get("Codifier", "")) for room in board.network.rooms]
        rows = [board.row(code).value for code in codes if code in board]
        return board.layout, board.epoch, rows

    async def explain(self, **params: object) -> dict[str, Any]:
        """Return the rooms, with further `params` of the verb `explain`."""
        return await self._result("explain", params)

    async def document(self) -> dict[str, Any]:
        """Return the document, with its version as `number`."""
        result = await self._result("document", {})
        return {**result["document"], "number": result["number"]}

    async def _result(self, verb: str, params: object) -> dict[str, Any]:
        answer = await self._answer(verb, params, "page")
        result = answer.get("result")
        if not isinstance(result, dict):
            raise HTTPException("the Schedule node gives no result", status_code=503)
        return result | {"number": answer.get("value", 0)}

    async def change(self, request: WebRequest, verb: str, params: object) -> int:
        """Carry out an edit, note it in the audit, and return the version after it."""
        what = f"plan {verb} {params}"[:200]
        try:
            answer = await self._answer(verb, params, author_of(request))
        except HTTPException as error:
            self._services.audit(request, what, str(error.detail))
            raise
        finally:
            self._at_s = -float("inf")
        self._services.audit(request, what, "done")
        return int(answer.get("value", 0))

    async def at_version(
        self, version: int | None, worded: Callable[[dict[str, Any]], str]
    ) -> None:
        """Refuse an edit of a version that is not the newest: another person was faster."""
        if version is None:
            return
        report = await self.explain(hours=1)
        if report["value"] == version:
            return
        last = next(reversed(report["changes"]), {"author": "?", "what": "?"})
        what = worded(last)
        text = "the plan has changed meanwhile: {what} ({author})"
        values = {"what": what, "author": last["author"]}
        extra = {"id": "CHANGED", "path": "", "text": text, "values": values}
        raise HTTPException(text.format_map(values), status_code=409, extra=extra)

    async def _answer(self, verb: str, params: object, author: str) -> dict[str, Any]:
        try:
            return await self._ask(verb, params, author)
        except plan.EditRefused as error:
            report = error.answer
            extra = {
                "id": report.get("id", ""),
                "path": report.get("node_path", ""),
                "key": report.get("node_key"),
            } | {name: report[name] for name in ("text", "values") if name in report}
            raise HTTPException(str(error), status_code=409, extra=extra) from error
        except plan.EditUnansweredError as error:
            values = {"node": error.node}
            extra = {"text": error.text, "values": values}
            raise HTTPException(str(error), status_code=503, extra=extra) from error
        except ConfigError as error:
            raise HTTPException(str(error), status_code=404) from error
        except JphError as error:
            raise HTTPException(str(error), status_code=503) from error

    async def _ask(self, verb: str, params: object, author: str) -> dict[str, Any]:
        client, network = self._services.client, self._services.network()
        return await plan.edit(client, network, client.commands.own, verb, params, author)
