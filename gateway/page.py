"""What the templates are filled with. Pure."""

from collections.abc import Iterator
from typing import NamedTuple

from gateway.board import Board, Row, announces, obeys
from gateway.commands import FLAGS
from gateway.figures import figure
from heating.wiring import Heater
from jph.config import Sensor


class Line(NamedTuple):
    """One codifier of the table; `flags` are the commands it takes."""

    codifier: str
    name: str
    short: str
    kind: str
    parent: str | None
    speaks: bool
    flags: dict[str, str]
    row: Row


class Chip(NamedTuple):
    """One heater."""

    codifier: str
    label: str
    title: str
    row: Row


class Dial(NamedTuple):
    """One phase: its gauge if its current is known, and its heaters."""

    number: int
    current: str | None
    row: Row | None
    limit: str
    chips: list[Chip]


class Tile(NamedTuple):
    """One temperature; `codifier` is None in a room without a thermometer."""

    label: str
    codifier: str | None
    row: Row | None
    chips: list[Chip]


def lines_of(board: Board) -> list[Line]:
    """Return every codifier, each node followed by its elements."""
    lines: list[Line] = []
    for node in board.network.nodes():
        lines.append(_line(board, node))
        lines += [_line(board, element) for element in board.network.elements(node.codifier)]
    return lines


def flags_of(sensor: Sensor) -> dict[str, str]:
    """Return the commands a codifier takes, by flag: elements obey their node."""
    if sensor.parent is not None or not announces(sensor):
        return {}
    return FLAGS if obeys(sensor) else {"P": FLAGS["P"]}


def dials_of(board: Board) -> list[Dial]:
    """Return the phases."""
    return [
        Dial(
            number=phase.number,
            current=phase.current,
            row=row,
            limit=figure(row.limit) if row and row.limit else "",
            chips=list(_chips(board, phase.heaters, with_room=True)),
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
            chips=list(_chips(board, room.heaters)),
        )
        for room in board.house.rooms
    ]
    others = [board.network.sensor(codifier) for codifier in board.house.temperatures]
    return rooms + [Tile(label(s), s.codifier, board.row(s.codifier), []) for s in others]


def label(sensor: Sensor) -> str:
    """Return the shortest name a sensor has."""
    return sensor.short_name or sensor.name or sensor.codifier


def _row(board: Board, codifier: str | None) -> Row | None:
    return board.row(codifier) if codifier and codifier in board else None


def _line(board: Board, sensor: Sensor) -> Line:
    name = sensor.name or sensor.short_name or sensor.type
    speaks = sensor.parent is not None or announces(sensor)
    flags, row = flags_of(sensor), board.row(sensor.codifier)
    return Line(
        sensor.codifier, name, label(sensor), sensor.type, sensor.parent, speaks, flags, row
    )


def _chips(board: Board, heaters: tuple[Heater, ...], *, with_room: bool = False) -> Iterator[Chip]:
    for heater in heaters:
        words = [heater.room, heater.name] if with_room else [heater.name]
        text = " · ".join(dict.fromkeys(word for word in words if word))
        title = f"{heater}, card {heater.card}, wire {heater.wire}, priority {heater.priority}"
        yield Chip(heater.codifier, text, title, board.row(heater.codifier))
