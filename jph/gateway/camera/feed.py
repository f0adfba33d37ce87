"""The newest picture of one camera, fetched only while a client watches."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from typing import Final

from jph.config.model import Sensor
from jph.config.stores import read_password
from jph.errors import StoreError
from jph.gateway.camera.fetch import pictures
from jph.gateway.camera.pictures import NoPicture, Picture
from jph.gateway.camera.settings import CameraSettings
from jph.util.logs import Throttle

WATCHED_S: Final = 8.0
"""How long after a request the camera is still asked for pictures."""
RETRY_S: Final = 2.0
MOST_WAITING: Final = 16
"""So many browsers may wait for the next picture of a camera."""

Tell = Callable[[str], None]


class Crowded(NoPicture):
    """Too many wait for this camera."""


class Feed:
    """The newest picture of one camera.

    `tell` takes what is wrong with it, now and then; it never holds the camera's address.

    Attributes:
        count: how many pictures have come; that of the newest.
        trouble: why there is no newer one, "" while they come.
    """

    def __init__(self, entry: Sensor, settings: CameraSettings, tell: Tell) -> None:
        self.entry = entry
        self.settings = settings
        self.count = 0
        self.trouble = ""
        self._tell = tell
        self._throttle = Throttle()
        self._newest: Picture | None = None
        self._came = asyncio.Event()
        self._waiting = 0
        self._until_s = -float("inf")
        self._thread: threading.Thread | None = None

    async def next(self, after: int, limit_s: float) -> Picture:
        """Return the newest picture if it is another than number `after`, or wait for the next.

        Raises:
            NoPicture: none comes in time; says why.
        """
        if self._waiting >= MOST_WAITING:
            raise Crowded("too many look at this camera")
        self._watch()
        self._waiting += 1
        try:
            async with asyncio.timeout(limit_s):
                while self._newest is None or self.count == after:
                    await self._came.wait()
                    if self.trouble and self.count in (0, after):
                        raise NoPicture(self.trouble)
        except TimeoutError as error:
            raise NoPicture(self.trouble or "it sends no picture") from error
        finally:
            self._waiting -= 1
        return self._newest

    def close(self) -> None:
        """Have the thread end."""
        self._until_s = -float("inf")

    @property
    def watched(self) -> bool:
        """Whether a client watches."""
        return time.monotonic() < self._until_s

    def _watch(self) -> None:
        self._until_s = time.monotonic() + WATCHED_S
        if self._thread is None or not self._thread.is_alive():
            loop = asyncio.get_running_loop()
            name = f"jph camera {self.entry.codifier}"
            self._thread = threading.Thread(target=self._live, args=(loop,), name=name, daemon=True)
            self._thread.start()

    def _live(self, loop: asyncio.AbstractEventLoop) -> None:
        """Fetch while a client watches; in the thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended
            while self.watched:
                began_s = time.monotonic()
                try:
                    target = self.settings.target(self._password())
                    for each in pictures(target, lambda: self.watched):
                        loop.call_soon_threadsafe(self._take, each)
                except (NoPicture, StoreError) as error:
                    words = str(error) if isinstance(error, NoPicture) else "its password is away"
                    loop.call_soon_threadsafe(self._fail, words)
                    self._rest(began_s, RETRY_S)
                else:
                    self._rest(began_s, self.settings.interval)

    def _password(self) -> str:
        return read_password(self.settings.password) if self.settings.password else ""

    def _rest(self, began_s: float, interval_s: float) -> None:
        """Wait until an interval is over or no client watches."""
        while self.watched and (left := began_s + interval_s - time.monotonic()) > 0:
            time.sleep(min(left, 0.5))

    def _take(self, newest: Picture) -> None:
        self._newest, self.trouble = newest, ""
        self.count += 1
        self._wake()

    def _fail(self, trouble: str) -> None:
        self.trouble = trouble
        if self._throttle.allow(trouble, time.monotonic()):
            self._tell(trouble)
        self._wake()

    def _wake(self) -> None:
        event, self._came = self._came, asyncio.Event()
        event.set()
