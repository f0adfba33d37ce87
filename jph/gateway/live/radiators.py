"""Messages of the radiator project's app: heaters, currents, power, indexes, sheds, history. Pure.

Each is `{"type": …, "data": …}`. Values that are not known now are left out: the app has no word
for them. Heaters have the numbers 1, 2, … by phase, card and wire.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from jph.config.house.loads import Load
from jph.gateway.live.board import DOUBTED, Board, Row
from jph.util.freshness import State

RANGES_MS: Final = {
    "24h": 86_400_000,
    "7j": 7 * 86_400_000,
    "1m": 31 * 86_400_000,
    "12m": 366 * 86_400_000,
    "inf": 20 * 366 * 86_400_000,
}
"""Length of each range of the app's history."""
HOUR_MS: Final = 3_600_000
_COMMANDS: Final = {"comfort": 0, "off": 1, "frost": 2, "eco": 3, "comfort-1": 0, "comfort-2": 0}
MOST_BYTES: Final = 1000
"""Longest message of the app."""


class Command(NamedTuple):
    """What the app asks for: `history` is a range, `heaters` those that get `order` (0 to 3)."""

    kind: str
    history: str = ""
    heaters: tuple[Load, ...] = ()
    order: int = 0


class Hour(NamedTuple):
    """Statistics of one codifier in one hour: lowest, mean, highest value."""

    low: float
    mean: float
    high: float


def loads_of(board: Board) -> list[Load]:
    """Return the heaters in the order of their numbers."""
    loads = board.house.wiring.heaters.values()
    return sorted(loads, key=lambda each: (each.phase, each.actuator.card, each.actuator.wire))


def heaters(board: Board) -> dict[str, Any]:
    """Return the list of all heaters whose order is known."""
    found = []
    for number, load in enumerate(loads_of(board), start=1):
        row = board.row(load.codifier)
        if row.order is None:
            continue
        found.append(
            {
                "id": number,
                "phase": load.phase,
                "wire": load.actuator.wire,
                "name": " ".join(filter(None, (load.room, load.name))) or load.codifier,
                "floor": 0,
                "watts": round(load.watts or 0),
                "command": _COMMANDS.get(row.order, 0),
            }
        )
    return {"type": "heaters", "data": found}


def states(board: Board, now_s: float) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the newest of each value, with a name that tells one from another."""
    for phase in board.house.phases:
        row = _now(board, phase.current)
        if row is not None:
            data = {"phase": phase.number, "value": round(row.number or 0)}
            yield f"current {phase.number}", {"type": "current", "data": data}
        rows = [board.row(load.codifier) for load in phase.loads]
        if rows and all(each.shed is not None for each in rows):
            data = {"phase": phase.number, "value": sum(each.shed is True for each in rows)}
            yield f"switch {phase.number}", {"type": "switch", "data": data}
    row = _now(board, board.house.power)
    if row is not None:
        at_s = round(now_s - (row.age or 0), 2)
        power = {"time": at_s, "value": round(row.number or 0)}
        yield "power", {"type": "power", "data": power}
    for period, code in indexes(board).items():
        row = _now(board, code)
        if row is not None:
            index = {"period": period, "value": round(row.number or 0)}
            yield f"meter {period}", {"type": "meter", "data": index}


def indexes(board: Board) -> dict[str, str]:
    """Return the elements of the indexes by the app's periods; one index alone is `standard`."""
    of = board.house.meter.of
    peak, low = of("INDEX_HP", "HCHP", "EASF02"), of("INDEX_HC", "HCHC", "EASF01")
    if peak and low:
        return {"standard": peak, "savings": low}
    whole = of("INDEX_BASE", "BASE", "INDEX_TOTAL")
    return {"standard": whole} if whole else {}


def _now(board: Board, codifier: str) -> Row | None:
    """Return a row that holds the value of now, else None."""
    if not codifier or codifier not in board:
        return None
    row = board.row(codifier)
    good = row.state == State.ALIVE and row.quality not in DOUBTED
    return row if good and row.number is not None else None


def read_command(text: str, board: Board) -> Command | None:
    """Return what a message of the app asks for; None for anything else, as the original did."""
    try:
        message = json.loads(text[:MOST_BYTES])
        kind, data = message["type"], message.get("data")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if kind == "loadAllHeaters":
        return Command("heaters")
    if kind == "loadHistory" and isinstance(data, str) and data in RANGES_MS:
        return Command("history", history=data)
    known = loads_of(board)
    if kind == "uniformCommand" and _is_order(data):
        return Command("order", heaters=tuple(known), order=data)
    if kind == "command" and isinstance(data, dict):
        number, order = data.get("id"), data.get("command")
        if isinstance(number, int) and 1 <= number <= len(known) and _is_order(order):
            return Command("order", heaters=(known[number - 1],), order=int(order or 0))
    return None


def _is_order(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 3


def wanted_of(board: Board) -> dict[str, str]:
    """Return the codifiers of the history, by the app's names of columns."""
    found = {f"int{phase.number}": phase.current for phase in board.house.phases}
    found |= {f"off{phase.number}": phase.mask for phase in board.house.phases}
    found |= {"watts": board.house.power}
    found |= {f"meter {period}": code for period, code in indexes(board).items()}
    return {name: code for name, code in found.items() if code}


def history(
    length: str, names: Mapping[str, str], hours: Mapping[str, Mapping[int, Hour]], now_ms: int
) -> dict[str, Any]:
    """Return the hours of a range that are over, in ascending order.

    `names` is from `wanted_of`; `hours` has the statistics of each codifier by the end of the hour
    in ms. An hour without any statistics is left out.
    """
    ends = sorted({end for each in hours.values() for end in each if end <= now_ms})
    rows = []
    for end in ends:
        if end - HOUR_MS < now_ms - RANGES_MS[length]:
            continue
        row: dict[str, Any] = {"start": (end - HOUR_MS) // 1000}
        for number in (1, 2, 3):
            row[f"off{number}"] = _held_s(_hour(names, hours, f"off{number}", end))
            row[f"int{number}"] = _mean(_hour(names, hours, f"int{number}", end))
        row["watts"] = _mean(_hour(names, hours, "watts", end))
        used = [_hour(names, hours, name, end) for name in names if name.startswith("meter ")]
        row["meter"] = round(sum(each.high - each.low for each in used if each is not None))
        rows.append(row)
    return {"type": "history", "data": {"range": length, "history": rows}}


def _hour(
    names: Mapping[str, str], hours: Mapping[str, Mapping[int, Hour]], name: str, end: int
) -> Hour | None:
    return hours.get(names.get(name, ""), {}).get(end)


def _mean(hour: Hour | None) -> int:
    return 0 if hour is None else round(hour.mean)


def _held_s(hour: Hour | None) -> int:
    """Return the seconds of an hour in which a heater was shed, from its masks: half if in part."""
    if hour is None or hour.high == 0:
        return 0
    return 3600 if hour.low > 0 else 1800


def hours_in(
    times: Sequence[int], low: Sequence[float], mean: Sequence[float | None], high: Sequence[float]
) -> dict[int, Hour]:
    """Return the hours of a curve by their end; those without readings are left out."""
    rows = zip(times, low, mean, high, strict=False)
    return {end: Hour(a, b, c) for end, a, b, c in rows if b is not None}
