"""Inputs of the gateway beside the board: log lines, traffic, cameras."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from jph.config.model import Network
from jph.gateway.camera.feed import Feed
from jph.gateway.camera.settings import cameras_of, settings_of
from jph.gateway.live.logbook import Logbook
from jph.gateway.live.traffic import Traffic

Log = logging.Logger | logging.LoggerAdapter[logging.Logger]
Spawn = Callable[[Coroutine[Any, Any, Any], str], "asyncio.Task[Any]"]


class Senses:
    """Follows one configuration at a time.

    Attributes:
        logbook: the newest log lines of all nodes.
        traffic: who talks on the buses.
        cameras: those of the configuration, by codifier.
    """

    def __init__(self, log: Log) -> None:
        self.logbook = Logbook()
        self.traffic = Traffic()
        self.cameras: dict[str, Feed] = {}
        self._log = log
        self._tasks: list[asyncio.Task[Any]] = []

    def follow(self, network: Network, spawn: Spawn) -> None:
        """Listen as a configuration says, and no longer as the last one did."""
        for task in self._tasks:
            task.cancel()
        multicast = network.multicast
        self._tasks = [
            spawn(self.logbook.listen(multicast), "log lines"),
            spawn(self.traffic.listen(multicast), "traffic"),
        ]
        self._close_cameras()
        self.cameras = {}
        for entry in cameras_of(network):
            if (settings := settings_of(entry)) is not None:
                self.cameras[entry.codifier] = Feed(entry, settings, self._teller(entry.codifier))

    def close(self) -> None:
        """Let those who wait go."""
        self.logbook.close()
        self._close_cameras()

    def _close_cameras(self) -> None:
        for feed in self.cameras.values():
            feed.close()

    def _teller(self, codifier: str) -> Callable[[str], None]:
        return lambda trouble: self._log.warning("no picture of camera %s: %s", codifier, trouble)
