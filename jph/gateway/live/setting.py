"""Results of setting and stepping codifiers, as the API returns them."""

import msgspec

from jph.client.setting import SettingResult
from jph.config.model import Sensor
from jph.gateway.view.figures import shown
from jph.heating.explain.sentences import Say, english


class Taken(msgspec.Struct, frozen=True, omit_defaults=True):
    """The result of a number: `value` is the codifier's newest value, `text` is for people."""

    codifier: str
    asked: float
    done: bool
    text: str
    value: float | str | None = None


def taken(result: SettingResult, say: Say = english) -> Taken:
    """Put the result of a number into words."""
    code, reading = result.sensor.codifier, result.reading
    if reading is None:
        return Taken(code, result.asked, False, _silence(result, say))
    named = {
        "code": code,
        "value": _shown(result.sensor, reading.value),
        "asked": _shown(result.sensor, result.asked),
    }
    value = reading.number if reading.number is not None else str(reading.value)
    return Taken(code, result.asked, result.done, say(_text(result), **named), value)


def _text(result: SettingResult) -> str:
    if not result.granted:
        return "{code} refuses {asked}: it says {value}"
    if result.stale:
        return "{code} took {value}, but its device does not answer"
    if result.clamped:
        return "{code} was asked for {asked} and took {value}"
    return "{code} says {value}"


def _silence(result: SettingResult, say: Say) -> str:
    """Say whether the node is there at all."""
    code, answer = result.sensor.codifier, result.node
    node = result.sensor.parent or code
    if answer is None or not answer.answered:
        return say("{node} does not answer", node=node)
    if not answer.active:
        text = "{node} is there, but no reading of {code} followed: it is halted"
        return say(text, node=node, code=code)
    return say("{node} is there, but no reading of {code} followed", node=node, code=code)


def _shown(sensor: Sensor, value: float | str) -> str:
    return " ".join(filter(None, shown(str(value), sensor.symbol, sensor.data_type)))
