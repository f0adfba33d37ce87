"""An actuator: a switch that writes 0 or 1 into a file, such as the value of a GPIO line.

{"Codifier": "SW", "Type": "FileSwitch", "Name": "Fan", "Control": "enabled",
"DataType": "bool", "Sensor": {"Path": "/tmp/fan"}}

python examples/actuator.py SW              then: control.py set SW 1
"""

import sys
from pathlib import Path

import jph


class FileSwitchSettings(jph.Settings, frozen=True):
    """`Path` in the config; `path` here."""

    path: str


class FileSwitch(jph.Node, type="FileSwitch", settings=FileSwitchSettings):
    """Obeys `set`, and sends what is in the file: the state, not the wish."""

    settings: FileSwitchSettings

    def on_control(self, message: jph.Control) -> None:
        """Write 1 for any number except 0."""
        if message.flag == jph.Flag.SET and message.to == self.codifier:
            Path(self.settings.path).write_text(str(int(message.number != 0)))
            self.send(Path(self.settings.path).read_text() == "1")

    async def on_timer(self, now_ms: int) -> None:
        """Send the state again, so that it does not become late."""
        self.send(Path(self.settings.path).read_text() == "1")


if __name__ == "__main__":
    jph.run(sys.argv[1], own=[FileSwitch])
