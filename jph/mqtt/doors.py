"""The doors that the settings of a Mqtt node open. Pure."""

from zoneinfo import ZoneInfo

from jph.config.house.loads import wiring
from jph.config.house.rooms import Room, rooms_of
from jph.config.model import Network
from jph.config.validation import read_struct
from jph.errors import ConfigError
from jph.heating.plan.settings import ScheduleSettings
from jph.mqtt.app.door import AppDoor
from jph.mqtt.door import Door
from jph.mqtt.homeassistant.door import HomeAssistantDoor
from jph.mqtt.settings import MqttSettings
from jph.mqtt.thermostats import ThermostatsDoor
from jph.mqtt.values import ValuesDoor
from jph.version import __version__


def open_doors(network: Network, codifier: str, settings: MqttSettings) -> list[Door]:
    """Return the doors of the node `codifier`, in the order in which they speak."""
    doors: list[Door] = []
    if settings.app is not None:
        doors.append(_app(network, settings.app.base))
    if settings.home_assistant is not None:
        doors.append(HomeAssistantDoor(network, settings.home_assistant, codifier))
    if settings.thermostats:
        doors.append(ThermostatsDoor(settings.thermostats, _rooms(network)))
    if settings.in_ or settings.out:
        types = {each.codifier: each.data_type for each in network.sensors}
        doors.append(ValuesDoor(settings.in_, settings.out, lambda code: types.get(code, "float")))
    return doors


def _rooms(network: Network) -> tuple[Room, ...]:
    try:
        heaters = wiring(network).heaters
    except ConfigError:
        heaters = {}
    return rooms_of(network, heaters)


def _app(network: Network, base: str) -> AppDoor:
    plans = [node.sensor for node in network.nodes() if node.type == "Schedule"]
    plan = read_struct(ScheduleSettings, plans[0], "", []) if plans else None
    plan = plan or ScheduleSettings()
    zone = ZoneInfo(plan.time_zone)
    return AppDoor(base, _rooms(network), plan.degrees_by_order(), zone, __version__)
