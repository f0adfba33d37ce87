"""With what a codifier that takes numbers is set: an order, a switch, a slider, a number. Pure."""

from typing import Final

import msgspec

from jph.config.house.loads import Wiring
from jph.config.model import Sensor
from jph.gateway.view.figures import is_temperature, unit_of

_STEPS: Final = 100
_WIDE: Final = 20.0


class Control(msgspec.Struct, frozen=True, omit_defaults=True):
    """`kind` is order, switch, slider or number; `step` is that of its buttons.

    Of an order, `orders` are the words that the wire may carry, with their numbers.
    """

    kind: str
    min: float | None = None
    max: float | None = None
    step: float = 1.0
    unit: str = ""
    orders: dict[str, int] = {}


def control_of(sensor: Sensor, wires: Wiring, orders: dict[str, int]) -> Control | None:
    """Return how a codifier is set, None if it takes no numbers.

    `orders` are all words with their numbers; a relay is given only those it can carry.
    """
    if sensor.control != "enabled":
        return None
    heater = wires.heaters.get(sensor.codifier)
    if heater is not None:
        pulsed = "comfort-"
        able = {
            w: n
            for w, n in orders.items()
            if heater.actuator.solid_state or not w.startswith(pulsed)
        }
        return Control("order", orders=able)
    if sensor.data_type == "bool":
        return Control("switch", 0, 1)
    least, most = _number(sensor, "Min"), _number(sensor, "Max")
    step, unit = _step(sensor, least, most), unit_of(sensor.symbol)
    if least is not None and most is not None and least < most:
        return Control("slider", least, most, step, unit)
    return Control("number", least, most, step, unit)


def _step(sensor: Sensor, least: float | None, most: float | None) -> float:
    if sensor.data_type == "integer":
        return 1.0
    if is_temperature(sensor.symbol):
        return 0.5
    if least is None or most is None or most - least >= _WIDE:
        return 1.0
    return (most - least) / _STEPS


def _number(sensor: Sensor, key: str) -> float | None:
    value = sensor.sensor.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
