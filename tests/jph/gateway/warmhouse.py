"""A house that can be heated: a real pilot card on a chip that is served on a socket."""

from typing import Any

from nodes.pilotcard import PilotCard
from tests.i2cserver import I2CServer
from tests.jph.gateway.houses import Document, element, house, node


class QuickCard(PilotCard):
    """A card that looks after its chip quickly enough for tests."""

    tick_s = 0.02
    settle_s = 0.005


def warm_house(chip: I2CServer, gateway: Document | None = None) -> list[Document]:
    """Return the house of the other tests; its card P1 has a chip and tells everything.

    Heater 11 (Kitchen) may carry every order, 12 (Hall) is switched by a relay. SP is a setpoint.
    """
    entries = house(gateway)
    card = next(entry for entry in entries if entry["Codifier"] == "P1")
    settings: dict[str, Any] = card["Sensor"]
    settings |= {"Bus": chip.bus, "State": "K1"}
    settings["Wires"][0] |= {"SolidState": True, "Applied": "1A", "Verified": "1V"}
    card |= {"SensorInterval": 0.2, "KeepAliveInterval": 0.2}
    for entry in entries:
        if entry["Codifier"] in ("11", "12"):
            entry["Control"] = "enabled"
    bounds = {"Default": 20, "Min": 5, "Max": 28}
    setpoint = {"Symbol": "°C", "Control": "enabled", "KeepAliveInterval": 0.2, "Sensor": bounds}
    told = [element(code, "P1") for code in ("K1", "1A", "1V")]
    return [*entries, *told, node("SP", "Setpoint", "Wished temperature", **setpoint)]
