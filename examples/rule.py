"""A rule: switches a fan on above a temperature and off two degrees below it.

{"Codifier": "RL", "Type": "FanRule", "Sensor": {"Temperature": "RA", "Fan": "SW", "Above": 25}}

python examples/rule.py RL
"""

import sys
from collections.abc import Sequence

import jph


class FanRuleSettings(jph.Settings, frozen=True):
    """Codifiers of the thermometer and of the switch, and a limit in °C."""

    temperature: str
    fan: str
    above: float = 25.0


class FanRule(jph.Node, type="FanRule", settings=FanRuleSettings):
    """Reacts to each reading in the batch that brought it."""

    settings: FanRuleSettings

    def on_data(self, readings: Sequence[jph.Reading]) -> None:
        """Compare good temperatures with the limit; a stale value must not switch anything."""
        for reading in readings:
            if reading.source == self.settings.temperature and reading.quality == jph.Quality.GOOD:
                value = reading.number
                if value is not None and value > self.settings.above:
                    self.send_control(jph.Flag.SET, self.settings.fan, 1)
                elif value is not None and value < self.settings.above - 2:
                    self.send_control(jph.Flag.SET, self.settings.fan, 0)


if __name__ == "__main__":
    jph.run(sys.argv[1], own=[FanRule])
