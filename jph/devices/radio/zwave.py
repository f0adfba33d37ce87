"""Messages of a Z-Wave JS server: the state of its nodes, changes, orders. Pure."""

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

SCHEMA: Final = 35
"""Version of the messages that is understood; a server takes any from 0 up to its newest."""
DEAD: Final = 3
_STATUS: Final = {"dead": DEAD, "alive": 4, "sleep": 1, "wake up": 2}
_METER: Final = 50
_SENSOR: Final = 49
OPENZWAVE: Final[dict[int, tuple[int, str, int | None]]] = {
    0: (_METER, "value", 65_537),
    8: (_METER, "value", 66_049),
    16: (_METER, "value", 66_561),
    20: (_METER, "value", 66_817),
    4: (_SENSOR, "Power", None),
}
"""Index of OpenZWave to command class, property, key: kWh, W, V, A of a meter, W of a sensor."""


class ValueId(NamedTuple):
    """Where a value is."""

    node: int
    command_class: int
    property: str | int
    key: str | int | None = None
    endpoint: int = 0


class Change(NamedTuple):
    """A new value; None is unknown."""

    id: ValueId
    value: Any


class Dead(NamedTuple):
    """A node that no longer answers."""

    node: int


class Network:
    """The nodes of a server as its messages tell them.

    Attributes:
        values: each value of the nodes.
        types: `boolean`, `number` … of each value.
        units: unit of each value that has one.
        status: status of each node.
    """

    def __init__(self) -> None:
        self.values: dict[ValueId, Any] = {}
        self.types: dict[ValueId, str] = {}
        self.units: dict[ValueId, str] = {}
        self.status: dict[int, int] = {}

    def is_dead(self, node: int) -> bool:
        """Whether the server says that a node no longer answers."""
        return self.status.get(node) == DEAD

    def missing(self, wanted: ValueId) -> str:
        """Return why a value is not known, empty where its node is not known yet."""
        if wanted.node not in self.status:
            return f"the server has no node {wanted.node}" if self.status else ""
        places = sorted(
            each.endpoint for each in self.values if each._replace(endpoint=0) ==
            wanted._replace(endpoint=0)
        )  # fmt: skip
        if places:
            return f"it is not at endpoint {wanted.endpoint}, but at {places[0]}"
        return f"node {wanted.node} has no such value"

    def take(self, message: Any) -> Iterator[Change | Dead]:  # noqa: ANN401
        """Yield what a message changes; unknown messages change nothing."""
        if not isinstance(message, dict):
            return
        if message.get("type") == "result" and message.get("success") is True:
            yield from self._take_result(message.get("result"))
        elif message.get("type") == "event":
            yield from self._take_event(message.get("event"))

    def _take_result(self, result: Any) -> Iterator[Change | Dead]:  # noqa: ANN401
        state = result.get("state") if isinstance(result, dict) else None
        nodes = state.get("nodes") if isinstance(state, dict) else None
        if not isinstance(nodes, list):
            return
        self.values.clear()
        self.types.clear()
        self.units.clear()
        self.status.clear()
        for node in nodes:
            yield from self._take_node(node)

    def _take_node(self, node: Any) -> Iterator[Change | Dead]:  # noqa: ANN401
        number = node.get("nodeId") if isinstance(node, dict) else None
        if not isinstance(number, int):
            return
        self.status[number] = node.get("status") if isinstance(node.get("status"), int) else 0
        for each in _listed(node.get("values")):
            if (found := value_id(number, each)) is None:
                continue
            self._note_type(found, each)
            yield from self._change(found, each.get("value"))
        if self.is_dead(number):
            yield Dead(number)

    def _take_event(self, event: Any) -> Iterator[Change | Dead]:  # noqa: ANN401
        if not isinstance(event, dict) or event.get("source") != "node":
            return
        number, name, args = event.get("nodeId"), event.get("event"), event.get("args")
        if not isinstance(number, int) or not isinstance(name, str):
            return
        if name in _STATUS:
            self.status[number] = _STATUS[name]
            if name == "dead":
                yield Dead(number)
        elif name in ("value updated", "value added", "value notification", "value removed"):
            if isinstance(args, dict) and (found := value_id(number, args)) is not None:
                yield from self._change(found, args.get("newValue", args.get("value")))
        elif name == "metadata updated":
            if isinstance(args, dict) and (found := value_id(number, args)) is not None:
                self._note_type(found, args)
        elif name == "ready":
            node = event.get("nodeState")
            if isinstance(node, dict):
                yield from self._take_node(node)

    def _note_type(self, found: ValueId, described: dict[str, Any]) -> None:
        metadata = described.get("metadata")
        if isinstance(metadata, dict):
            self.types[found] = str(metadata.get("type"))
            self.units[found] = str(metadata.get("unit") or "")

    def _change(self, found: ValueId, value: Any) -> Iterator[Change]:  # noqa: ANN401
        if value is None:
            self.values.pop(found, None)
        else:
            self.values[found] = value
        yield Change(found, value)


def _listed(values: Any) -> Iterable[Any]:  # noqa: ANN401
    """Return the values of a node: a list, or an object in states that other programs keep."""
    if isinstance(values, dict):
        return values.values()
    return values if isinstance(values, list) else ()


def value_id(node: int, described: Any) -> ValueId | None:  # noqa: ANN401
    """Return where a value is, None if the message does not tell."""
    if not isinstance(described, dict):
        return None
    command_class, name = described.get("commandClass"), described.get("property")
    key, endpoint = described.get("propertyKey"), described.get("endpoint", 0)
    if not isinstance(command_class, int) or not isinstance(name, str | int):
        return None
    if not isinstance(key, str | int | None) or not isinstance(endpoint, int):
        return None
    return ValueId(node, command_class, name, key, endpoint)


def begin(version: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    """Return what is asked of a server after its first message.

    Raises:
        ValueError: it is none of a Z-Wave JS server.
    """
    if not isinstance(version, dict) or version.get("type") != "version":
        raise ValueError("it is no Z-Wave JS server")
    newest = version.get("maxSchemaVersion")
    schema = min(SCHEMA, newest) if isinstance(newest, int) else 0
    return [
        {"messageId": "schema", "command": "set_api_schema", "schemaVersion": schema},
        {"messageId": "listen", "command": "start_listening"},
    ]


def order(number: int, wanted: ValueId, value: float, kind: str) -> dict[str, Any]:
    """Return the message that sets a value; a boolean gets true or false."""
    plain: Any = int(value) if float(value).is_integer() else value
    return {
        "messageId": str(number),
        "command": "node.set_value",
        "nodeId": wanted.node,
        "valueId": _described(wanted),
        "value": value != 0 if kind == "boolean" else plain,
    }


def poll(number: int, wanted: ValueId) -> dict[str, Any]:
    """Return the message that asks a node for a value."""
    return {
        "messageId": str(number),
        "command": "node.poll_value",
        "nodeId": wanted.node,
        "valueId": _described(wanted),
    }


def _described(wanted: ValueId) -> dict[str, Any]:
    found: dict[str, Any] = {
        "commandClass": wanted.command_class,
        "endpoint": wanted.endpoint,
        "property": wanted.property,
    }
    if wanted.key is not None:
        found["propertyKey"] = wanted.key
    return found
