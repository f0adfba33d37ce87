"""Loads for tests, in one line each."""

from typing import Any

from jph.config.house.loads import Load, PilotWire


def pilot_heater(
    codifier: str,
    card: str,
    wire: int,
    phase: int,
    bit: int,
    room: str,
    name: str,
    watts: float | None,
    priority: int,
    **actuator: Any,
) -> Load:
    """Return a heater on a pilot wire; `actuator` are further arguments of `PilotWire`."""
    on = PilotWire(card, wire, **actuator)
    return Load(codifier, phase, bit, room, name, watts, priority, on)
