"""A sensor: sends the load average of this machine every `SensorInterval` seconds.

Entry in the config, and how to start it:

    {"Codifier": "LA", "Type": "LoadAverage", "Name": "Load average", "SensorInterval": 5}

    JPH_CONFIG=static/config.json python examples/sensor.py LA
"""

import os
import sys

import jph


class LoadAverage(jph.Node, type="LoadAverage"):
    """Measures how many processes wanted the processor in the last minute."""

    async def on_timer(self, now_ms: int) -> None:
        """Send one reading."""
        self.send(os.getloadavg()[0])


if __name__ == "__main__":
    jph.run(sys.argv[1], own=[LoadAverage])
