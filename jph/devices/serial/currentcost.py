"""Messages of CurrentCost displays: CC128, EnviR and the older classic. Pure.

A message is `<msg>…</msg>`; noise before it and cut messages are skipped. What is read is
`{"sensor0": {"watts": "00305", "temperature": "21.4", …}}`, as text: a letter in a number is no
value of that element alone. History comes as a burst of messages and is not read.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

_MESSAGE: Final = re.compile(r"<msg>(?:(?!<msg>).){0,65000}?</msg>", re.DOTALL)
_TAG: Final = r"<{0}>([^<>]{{0,40}})</{0}>"
_SENSOR: Final = re.compile(_TAG.format("sensor"))
_HISTORY: Final = re.compile(r"<hist>.*?</hist>", re.DOTALL)
_CHANNEL: Final = re.compile(r"<ch([1-9])>\s*<watts>([^<>]{0,20})</watts>\s*</ch\1>")
_FIELDS: Final = {
    "temperature": re.compile(_TAG.format("tmpr")),
    "temperature_f": re.compile(_TAG.format("tmprF")),
    "id": re.compile(_TAG.format("id")),
    "pulses": re.compile(_TAG.format("imp")),
    "pulses_per_unit": re.compile(_TAG.format("ipu")),
}


def read_messages(line: str) -> Iterator[dict[str, Any]]:
    """Yield what the whole messages in a line say; nothing for history and unknown sensors."""
    for match in _MESSAGE.finditer(line):
        text = _HISTORY.sub("", match.group())
        channels = dict(_CHANNEL.findall(text))
        sensor = _SENSOR.search(text)
        number = sensor.group(1).strip() if sensor else "0"
        if not re.fullmatch(r"[0-9]", number):
            continue
        found: dict[str, Any] = {f"ch{index}": watts for index, watts in channels.items()}
        for name, pattern in _FIELDS.items():
            if value := pattern.search(text):
                found[name] = value.group(1)
        if not channels and "pulses" not in found:
            continue
        if "1" in channels:
            found["watts"] = channels["1"]
        if found.get("temperature", "").strip() == ".0":  # the display has no temperature
            del found["temperature"]
        yield {f"sensor{number}": found}
