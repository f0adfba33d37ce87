"""Plans give what the heating control server gave, where a checkout has its recordings."""

import datetime
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from jph.heating.plan.conditions.calendar import iso_week
from jph.heating.plan.document.check import check_scheduler
from jph.heating.plan.document.original_yaml import document_of
from jph.heating.plan.document.refusal import PlanRefusedError
from jph.heating.plan.edits.edit import Entities, apply_edit
from jph.heating.plan.evaluation.value import scheduled_values
from tests.support import SHARED_DATA

RECORDINGS = SHARED_DATA / "hc-protocol"
PLACE = ("id", "node", "node_path", "node_key")

pytestmark = pytest.mark.skipif(
    not RECORDINGS.exists(), reason="no recordings beside this checkout"
)


class FileLoader(yaml.SafeLoader):  # type: ignore[misc]  # the library has no types
    """Reads the tags of the server's files as plain texts."""


for tag in ("!secret", "!env"):
    FileLoader.add_constructor(tag, lambda loader, node: loader.construct_scalar(node))


def lines(name: str) -> list[dict[str, Any]]:
    """Return a recording's lines."""
    path: Path = RECORDINGS / f"{name}.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def place_of(answer: dict[str, Any] | None) -> list[Any]:
    """Return what identifies a refusal."""
    return [(answer or {}).get(key) for key in PLACE]


@pytest.mark.parametrize("case", lines("setpoints"), ids=lambda case: str(case["case"]))
def test_setpoints_are_those_of_the_server(case: dict[str, Any]) -> None:
    """Along the whole chain of parents, where the server follows one."""
    tree = check_scheduler(case["scheduler"], case["devices"])
    for asked in case["at"]:
        at = datetime.datetime.fromisoformat(asked["at"])
        found = {
            device: [scheduled.value, scheduled.start]
            for device, scheduled in scheduled_values(tree, at, iso_week).items()
        }
        assert found == asked.get("whole_chain", asked["original"]), asked["at"]


@pytest.mark.parametrize("case", lines("configurations"), ids=lambda case: str(case["name"]))
def test_files_are_refused_for_the_same_mistake(case: dict[str, Any]) -> None:
    wanted = case.get("error") or case.get("error_when_devices_start")
    if wanted and wanted["id"] == "BAD_FILE_CONTENT":
        with pytest.raises(yaml.YAMLError):
            yaml.load(case["yaml"], FileLoader)
        return
    tree = yaml.load(case["yaml"], FileLoader)
    try:
        document_of(tree)
        found = None
    except PlanRefusedError as error:
        found = error.as_answer()
    if "crash" not in case:
        assert place_of(found) == place_of(wanted)


def test_commands_are_answered_as_the_server_answers() -> None:
    """From an empty document on; each new document is the one that the server published."""
    document: dict[str, Any] = {
        "devices": [],
        "scheduler": {"active_schedule": None, "schedules": [], "temperature_sets": []},
    }
    entities: set[str] = set()
    command: dict[str, Any] | None = None
    answered = 0
    for line in lines("first-start"):
        topic = line.get("topic", "")
        if topic.endswith("/on_entities") and line["payload"]:
            entities |= {entity["srventity"] for entity in json.loads(line["payload"])}
        elif topic.endswith("/command"):
            command = json.loads(line["payload"])
        elif topic.endswith("/on_cmd_response") and command is not None:
            wanted = json.loads(line["payload"])
            found = None
            try:
                params = command["params"]
                document = apply_edit(document, command["command"], params, Entities(entities))
            except PlanRefusedError as error:
                found = error.as_answer()
            assert place_of(found) == place_of(wanted.get("error")), command
            answered += 1
            command = None
        elif topic.endswith("/on_scheduler") and answered:
            assert document["scheduler"] == json.loads(line["payload"])
    assert answered or not lines("first-start")
