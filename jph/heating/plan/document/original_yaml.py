"""The configuration file of the heating control server: its tree to a document and back. Pure.

The caller parses and writes the YAML. Checks run in the order of that server, with its ids and
paths.
"""

from typing import Any, Final

from jph.heating.plan.document.check import Tree, check_scheduler
from jph.heating.plan.document.refusal import PlanRefusedError, RefusalId, bad_value, missing

FORMAT_VERSION: Final = 7
_TOPICS: Final = (
    "device_base_topic",
    "on_current_temp_subtopic",
    "on_setpoint_subtopic",
    "on_state_subtopic",
    "on_min_temp_subtopic",
    "on_max_temp_subtopic",
    "set_setpoint_subtopic",
)


def document_of(tree: object) -> Tree:
    """Return the document of a parsed file: its devices with their entities, and its scheduler.

    Raises:
        PlanRefusedError: the first mistake.
    """
    if not isinstance(tree, dict):
        raise bad_value("/", tree, "The file is no mapping")
    needed = ("protocols", "remote_control", "scheduler")
    gone = [key for key in needed if tree.get(key) is None]
    gone += [] if "devices" in tree else ["devices"]
    if gone:
        raise missing("/", gone)
    devices = _devices(tree["devices"] or [])
    _check_remote(tree["remote_control"])
    scheduler = check_scheduler(tree["scheduler"], [device["name"] for device in devices])
    _check_discovery(tree.get("settings"))
    for device, entry in zip(devices, tree["devices"] or [], strict=True):
        _check_topics(device["name"], entry[device["name"]])
    return {"devices": devices, "scheduler": scheduler}


def tree_of(document: Tree) -> Tree:
    """Return the part of such a file that a document has: devices and scheduler."""
    devices = [{d["name"]: {"entity": d["srventity"]}} for d in document["devices"]]
    return {
        "version": FORMAT_VERSION,
        "devices": devices,
        "scheduler": document["scheduler"],
    }


def _devices(listed: object) -> list[Tree]:
    if not isinstance(listed, list):
        raise bad_value("/devices", listed, "A list of devices is expected")
    found: list[Tree] = []
    for entry in listed:
        if not isinstance(entry, dict) or len(entry) != 1:
            raise bad_value("/devices", entry, "A device is one name with its keys")
        ((name, content),) = entry.items()
        path = f"/devices/{name}"
        if not isinstance(content, dict):
            raise missing(path, ["entity", "protocol"])
        if gone := [key for key in ("entity", "protocol") if content.get(key) is None]:
            raise missing(path, gone)
        found.append({"name": str(name), "srventity": str(content["entity"])})
    return found


def _check_remote(listed: object) -> None:
    if not isinstance(listed, list):
        path = "/remote_control"
        raise PlanRefusedError(RefusalId.EXPECTED_LIST, path, "A list is expected here")
    for entry in listed:
        _need(entry, "/remote_control", "name", "protocol")
        _need(entry["protocol"], "/remote_control/protocol", "name", "params")


def _check_discovery(settings: object) -> None:
    if isinstance(settings, dict) and "auto_discovery" in settings:
        _need(settings, "/settings", "auto_discovery")


def _check_topics(name: str, content: Tree) -> None:
    protocol = content["protocol"]
    _need(protocol, f"/devices/{name}/protocol", "name", "params")
    path = f"/devices/{name}/protocol[name='{protocol['name']}']/params"
    _need(protocol["params"], path, *_TOPICS)


def _need(tree: Any, path: str, *keys: str) -> None:  # noqa: ANN401 - YAML
    known = tree if isinstance(tree, dict) else {}
    if gone := [key for key in keys if known.get(key) is None]:
        raise missing(path, gone)
