"""A kind in a package of its own: a tipping-bucket rain gauge. `pip install ./examples/rain`.

    {"Codifier": "RG", "Type": "RainGauge", "Symbol": "mm", "Sensor": {"File": "/run/rain/tips"}}

Then `control.py run RG`, like any kind of jph. The file holds the number of tips since the start.
"""

import asyncio
from pathlib import Path

import jph


class RainGaugeSettings(jph.Settings, frozen=True):
    """Settings: file with the count of tips, and what one tip is worth."""

    file: str
    millimetres_per_tip: float = 0.2


class RainGauge(jph.Node, type="RainGauge", settings=RainGaugeSettings):
    """Sends the rain since the start, in mm."""

    settings: RainGaugeSettings

    async def on_timer(self, now_ms: int) -> None:
        """Read in a thread: a slow disk must not stop keep-alives."""
        try:
            text = await asyncio.to_thread(Path(self.settings.file).read_text)
            self.send(int(text) * self.settings.millimetres_per_tip)
        except (OSError, ValueError) as error:
            self.log.warning("no count in %s: %s", self.settings.file, error)
