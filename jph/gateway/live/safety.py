"""Protections that end when a node is halted. Pure."""

from typing import Final

from jph.config.model import Network, Sensor
from jph.heating.explain.sentences import Say, english

_LOSSES: Final = {
    "Shedding": "no heater is shed: the breaker may open",
    "Teleinfo": "no current is measured: the shedder cannot see an overload",
    "PilotCard": "its heaters are neither ordered nor shed",
}


def is_protector(sensor: Sensor) -> bool:
    """Whether the house is less protected while a node is halted."""
    return sensor.parent is None and sensor.active and sensor.type in _LOSSES


def loss_of(sensor: Sensor, say: Say = english) -> str:
    """Return what is not protected while a node is halted, "" if nothing."""
    return say(_LOSSES[sensor.type]) if is_protector(sensor) else ""


def losses_of_all(network: Network, say: Say = english) -> str:
    """Return what is not protected while every node is halted, "" if nothing."""
    found = dict.fromkeys(loss_of(node, say) for node in network.nodes())
    return "; ".join(loss for loss in found if loss)
