"""The house of the other tests with two rooms and a Schedule node that owns their wishes."""

from typing import Any

from jph.node.node import Node
from nodes.schedule import Schedule
from tests.jph.gateway.houses import Document, element, house, node

ELEMENTS = {"Answer": "SR", "State": "SK", "Document": "SD", "Active": "SA", "Next": "SN"}
ROOMS: list[dict[str, Any]] = [
    {
        "Codifier": "ZK",
        "Name": {"en": "Kitchen", "fr": "Cuisine"},
        "Thermometers": ["RA"],
        "Default": 17.0,
        "Maximum": 24.0,
    },
    {"Codifier": "ZH", "Name": {"en": "Hall", "fr": "Entrée"}, "Default": "eco"},
]


def room_house(**settings: Any) -> list[Document]:
    """Return the entries of the house; `settings` are further ones of the Schedule node."""
    quick = {"KeepAliveInterval": 0.2, "SensorInterval": 0.2, "Control": "enabled"}
    return [
        *house(),
        node("SC", "Schedule", "Wishes", Sensor=ELEMENTS | settings, **quick),
        *(element(code, "SC", code, "°C", Control="enabled") for code in ("ZK", "ZH")),
        *(element(code, "SC", code) for code in ELEMENTS.values()),
    ]


def schedule_of(home: Any) -> Node:
    """Return the Schedule node of such a house."""
    return Schedule("SC", home)
