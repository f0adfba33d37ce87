"""The heating app's door with a plan behind it: what a test publishes is answered at once."""

import datetime
import json
from collections.abc import Iterable
from typing import Any

from jph.config.house.rooms import Room, RoomSettings
from jph.heating.plan.document.refusal import PlanRefusedError
from jph.heating.plan.document.versions import Versions
from jph.heating.plan.edits.commands import Scene, answer_of, carry_out
from jph.heating.plan.edits.edit import Entities, entities_in
from jph.heating.plan.evaluation.wish import DEGREES
from jph.heating.plan.evaluation.wishes import hand_wishes
from jph.mqtt.app.door import AppDoor
from jph.mqtt.door import Climate, Edit, Effect, Plan, Publish, Refused

NOW_MS = 1_796_000_000_000
BASE = "heatingcontrol"
COMMAND = f"{BASE}/command"
EMPTY: dict[str, Any] = {"active_schedule": None, "schedules": [], "temperature_sets": []}


def room(codifier: str, name: str, **more: Any) -> Room:
    return Room(RoomSettings(codifier=codifier, name=name, **more), ())


class AppHouse:
    """A door, its plan, and what the broker keeps and was said."""

    def __init__(self, rooms: Iterable[Room] = (), scheduler: dict[str, Any] | None = None) -> None:
        self.rooms = list(rooms)
        devices = [{"name": r.name, "srventity": r.codifier} for r in self.rooms]
        self.versions = Versions({"devices": devices, "scheduler": scheduler or EMPTY})
        self.door = AppDoor(BASE, self.rooms, DEGREES, datetime.UTC, "1.0")
        self.retained: dict[str, bytes] = {}
        self.said: list[tuple[str, Any]] = []
        self.refused: list[Refused] = []
        self.edits: list[Edit] = []
        self.now_ms = NOW_MS
        self.do(self.door.on_plan(self.plan(), self.now_ms))
        self.do(self.door.on_connect(self.now_ms))

    def plan(self) -> Plan:
        document = self.versions.document
        names = [each["name"] for each in document["devices"]]
        rooms = {}
        for name in names:
            wishes = hand_wishes(document, name)
            degrees = wishes[-1].value if wishes else 19.0
            rooms[name] = {"degrees": degrees, "by": "hand" if wishes else "default"}
        return Plan(document, {"rooms": rooms}, alive=True)

    def climate(self, entity: str, **more: Any) -> None:
        self.do(self.door.on_climate(Climate(entity, **more), self.now_ms))

    def command(self, name: str, params: object) -> dict[str, Any]:
        """Return the answer to a command, and what was said after it."""
        return self.raw(json.dumps({"command": name, "params": params}).encode())

    def raw(self, payload: bytes, *, retained: bool = False) -> dict[str, Any]:
        self.said.clear()
        self.do(self.door.on_message(COMMAND, payload, retained=retained, now_ms=self.now_ms))
        answers = [said for topic, said in self.said if topic == f"{BASE}/on_cmd_response"]
        assert len(answers) <= 1
        return answers[0] if answers else {}

    def kept(self, topic: str) -> Any:
        payload = self.retained.get(f"{BASE}/serverdata/{topic}")
        return None if payload is None else json.loads(payload)

    def do(self, effects: Iterable[Effect]) -> None:
        for effect in list(effects):
            if isinstance(effect, Publish):
                if effect.retain and effect.payload:
                    self.retained[effect.topic] = effect.payload
                elif effect.retain:
                    self.retained.pop(effect.topic, None)
                content = json.loads(effect.payload) if effect.payload else None
                self.said.append((effect.topic, content))
            elif isinstance(effect, Refused):
                self.refused.append(effect)
            elif isinstance(effect, Edit):
                self._carry_out(effect)

    def _carry_out(self, edit: Edit) -> None:
        self.edits.append(edit)
        refused = None
        known = tuple(each["name"] for each in self.versions.document["devices"])
        scene = Scene(
            rooms=known,
            entities=Entities(
                entities_in(edit.verb, edit.params), {each.name for each in self.rooms}
            ),
            now_ms=self.now_ms,
            coming=lambda *_: [],
            planned=lambda _: 19.0,
            next_slot=lambda _: self.now_ms + 1,
        )
        try:
            self.versions = carry_out(self.versions, edit.verb, edit.params, "app", scene)
        except PlanRefusedError as error:
            refused = error
        self.do(self.door.on_plan(self.plan(), self.now_ms))
        answer = answer_of("1", edit.verb, refused, self.versions.number)
        self.do(self.door.on_answer(edit.tag, answer, self.now_ms))
