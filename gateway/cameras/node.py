"""A camera's node: says whether its pictures come. The page fetches them by itself."""

import time

from collector.worker import Worker
from gateway.cameras.fetch import pictures
from gateway.cameras.pictures import NoPicture
from gateway.cameras.settings import CameraSettings
from jph.errors import StoreError
from jph.logs import Throttle
from jph.node import Node
from jph.stores import read_password


class Camera(Node, type="Camera", settings=CameraSettings):
    """Publish 1 while the camera sends pictures, 0 while it does not."""

    settings: CameraSettings

    async def open(self) -> None:
        """Begin to look."""
        self._worker = Worker(f"{self.codifier} camera")
        self._throttle = Throttle()

    async def close(self) -> None:
        """Look no more."""
        self._worker.stop()

    async def on_timer(self, now_ms: int) -> None:
        """Ask for one picture."""
        try:
            await self._worker.run(self._look)
        except (NoPicture, StoreError) as error:
            if self._throttle.allow(str(error), time.monotonic()):
                self.log.warning("no picture: %s", error)
            self.send(0)
        else:
            self.send(1)

    def _look(self) -> None:
        password = read_password(self.settings.password) if self.settings.password else ""
        for _ in pictures(self.settings.target(password), lambda: True):
            return
        raise NoPicture("it sends no picture")
