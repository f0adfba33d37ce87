"""Panels of the pages: phases, rooms, heaters, table rows. Pure."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from jph.config.house.loads import Load
from jph.config.model import Sensor
from jph.gateway.live.board import Board, Row, announces, obeys
from jph.gateway.live.commands import FLAGS
from jph.gateway.view.figures import decimal, figure
from jph.util.freshness import State

_NUMBERS: Final = re.compile(r"\d+")


class TableRow(NamedTuple):
    """One codifier of the table; `flags` are the commands it takes."""

    codifier: str
    name: str
    short: str
    kind: str
    parent: str | None
    speaks: bool
    flags: dict[str, str]
    row: Row


class Watched(NamedTuple):
    """A node's name in sentences and its `TimeoutWarning` in s."""

    name: str
    timeout: float


class Chip(NamedTuple):
    """One heater; `solid` is whether its wire may carry the orders with pulses."""

    codifier: str
    label: str
    title: str
    row: Row
    applied: str = ""
    verified: str = ""
    solid: bool = False


class Dial(NamedTuple):
    """One phase: its gauge if its current is known, its heaters, who tells how near a trip is."""

    number: int
    current: str | None
    row: Row | None
    limit: str
    chips: list[Chip]
    story: str


class Tile(NamedTuple):
    """One temperature; `codifier` is None in a room without a thermometer."""

    label: str
    codifier: str | None
    row: Row | None
    chips: list[Chip]


def lines_of(board: Board) -> list[TableRow]:
    """Return every codifier, each node followed by its elements."""
    lines: list[TableRow] = []
    for node in board.network.nodes():
        lines.append(_table_row(board, node))
        lines += [_table_row(board, element) for element in board.network.elements(node.codifier)]
    return lines


def flags_of(sensor: Sensor) -> dict[str, str]:
    """Return the commands a codifier takes, by flag: elements obey their node."""
    if sensor.parent is not None or not announces(sensor):
        return {}
    return {flag: word for flag, word in FLAGS.items() if obeys(sensor) or flag not in "SH"}


def dials_of(board: Board) -> list[Dial]:
    """Return the phases."""
    return [
        Dial(
            number=phase.number,
            current=phase.current or None,
            row=row,
            limit=figure(row.limit) if row and row.limit else "",
            chips=chips_of(board, phase.loads, with_room=True),
            story=_story(board, phase.number),
        )
        for phase in board.house.phases
        for row in [_row(board, phase.current)]
    ]


def rooms_of(board: Board) -> list[Tile]:
    """Return the rooms, then the temperatures of no room."""
    rooms = [
        Tile(
            label=room.name,
            codifier=room.thermometer,
            row=_row(board, room.thermometer),
            chips=chips_of(board, room.heaters),
        )
        for room in board.house.rooms
    ]
    others = [board.network.sensor(codifier) for codifier in board.house.temperatures]
    return rooms + [Tile(label(s), s.codifier, board.row(s.codifier), []) for s in others]


def heated_rooms_of(board: Board) -> list[Tile]:
    """Return the rooms with heaters, each a target of its own; then each heater of no room."""
    wires = board.house.wiring
    rooms = [tile for tile in rooms_of(board) if tile.chips]
    placed = {chip.codifier for tile in rooms for chip in tile.chips}
    alone = [h for h in wires.heaters.values() if h.codifier not in placed]
    return rooms + [Tile(h.name or h.codifier, None, None, chips_of(board, [h])) for h in alone]


def label(sensor: Sensor) -> str:
    """Return the shortest name a sensor has."""
    return sensor.short_name or sensor.name or sensor.codifier


def _row(board: Board, codifier: str | None) -> Row | None:
    return board.row(codifier) if codifier and codifier in board else None


def _table_row(board: Board, sensor: Sensor) -> TableRow:
    name = sensor.name or sensor.short_name or sensor.type
    speaks = sensor.parent is not None or announces(sensor)
    flags, row = flags_of(sensor), board.row(sensor.codifier)
    return TableRow(
        sensor.codifier, name, label(sensor), sensor.type, sensor.parent, speaks, flags, row
    )


def troubles_of(board: Board) -> list[TableRow]:
    """Return the nodes that are late, dead, silent or halted, by their codifiers."""
    states = {State.LATE, State.DEAD, State.SILENT, State.HALTED}
    nodes = (_table_row(board, board.network.sensor(code)) for code in sorted(watched_of(board)))
    return [line for line in nodes if line.row.state in states]


def watched_of(board: Board) -> dict[str, Watched]:
    """Return the nodes that announce themselves, for a page to say in words how they are."""
    return {
        s.codifier: Watched(s.name or label(s), s.timeout_warning)
        for s in board.network.nodes()
        if s.active and announces(s)
    }


def worded(row: Row | None, say: Callable[..., str], code: str = "en") -> tuple[str, str]:
    """Return a row's value and unit in a language."""
    if row is None:
        return "–", ""
    if row.order is not None:
        order = say(row.order)
        return (say("{order}, shed", order=order) if row.shed else order), ""
    if row.number is not None and not row.words:
        return decimal(row.value, code), row.unit
    return ", ".join(say(word) for word in row.value.split(", ")), row.unit


def counted(text: str, say: Callable[..., str]) -> str:
    """Say a text with numbers in it in a language: "3 holes" is known as "# holes"."""
    numbers = iter(_NUMBERS.findall(text))
    services = (say(_NUMBERS.sub("#", part)) for part in text.split("; "))
    return re.sub("#", lambda _: next(numbers), "; ".join(services))


def chips_of(board: Board, heaters: Iterable[Load], *, with_room: bool = False) -> list[Chip]:
    """Return heaters as a page shows them."""
    return list(_chips(board, heaters, with_room=with_room))


def masks_of(board: Board) -> list[str]:
    """Return the elements that shed heaters."""
    return sorted(phase.mask for phase in board.house.phases if phase.mask)


def _story(board: Board, phase: int) -> str:
    role = board.evidence.phases.get(phase) if board.evidence else None
    return role.explain if role and role.explain in board else ""


def _chips(board: Board, heaters: Iterable[Load], *, with_room: bool = False) -> Iterator[Chip]:
    for heater in heaters:
        words = [heater.room, heater.name] if with_room else [heater.name]
        text = " · ".join(dict.fromkeys(word for word in words if word))
        wire = heater.actuator
        title = f"{heater}, card {wire.card}, wire {wire.wire}, priority {heater.priority}"
        row = board.row(heater.codifier)
        told = (wire.applied, wire.verified, wire.solid_state)
        yield Chip(heater.codifier, text, title, row, *told)
