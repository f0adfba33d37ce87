"""A camera's node: says whether its pictures come. The page fetches them by itself."""

import time

from jph.config.stores import read_password
from jph.errors import StoreError
from jph.gateway.camera.fetch import pictures
from jph.gateway.camera.pictures import NoPicture
from jph.gateway.camera.settings import CameraSettings
from jph.node.node import Node
from jph.util.logs import Throttle
from jph.util.worker import Worker


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
