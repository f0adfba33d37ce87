"""The doors that the settings of a Mqtt node open. Pure."""

from jph.config.model import Network
from jph.mqtt.door import Door
from jph.mqtt.settings import MqttSettings


def open_doors(network: Network, codifier: str, settings: MqttSettings) -> list[Door]:
    """Return the doors of the node `codifier`, in the order in which they speak."""
    return []
