"""Keeps the parts of a house running: readiness, failures, restarts, an orderly end."""

import asyncio
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from jph.cli.supervise.process import Part, restart_backoff, tell_end
from jph.config.model import Sensor
from jph.errors import DuplicateInstance
from jph.wire.codec import Control, Flag

TERM_GRACE_S: Final = 3.0
LEAST_SILENCE_S: Final = 10.0
"""A newer instance that is silent for less is not taken for gone."""
_SIGNS_OF_LIFE: Final = (Flag.NEW, Flag.ALIVE)


class Supervisor:
    """Runs one process for each of `sensors` until `stop`.

    Events are reported through `say`, a line at a time. Only processes started here are ever
    signalled.
    """

    def __init__(
        self,
        sensors: list[Sensor],
        environment: Mapping[str, str],
        logs: Path,
        say: Callable[[str], None],
    ) -> None:
        self.parts = {
            s.codifier: Part(s.codifier, environment, logs / f"{s.codifier}.log") for s in sensors
        }
        self.changed = asyncio.Event()
        self._sensors = {s.codifier: s for s in sensors}
        self._say = say
        self._ready: set[str] = set()
        self._ready_once: set[str] = set()
        self._refused: set[str] = set()
        self._heard_s: dict[str, float] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stopping = False

    @property
    def pending(self) -> list[str]:
        """Codifiers that have neither been ready yet nor been given up."""
        return [c for c in self.parts if c not in self._ready_once | self._refused]

    @property
    def deserted(self) -> bool:
        """Whether newer instances elsewhere have taken every single part."""
        return bool(self.parts) and len(self._refused) == len(self.parts)

    def start(self, codifier: str) -> None:
        """Start a part and keep it alive from now on."""
        if codifier not in self._tasks and not self._stopping:
            self._tasks[codifier] = asyncio.create_task(
                self._keep_alive(self.parts[codifier]), name=f"part {codifier}"
            )

    def hear(self, message: Control) -> None:
        """Take `N` and `I` of a running part for its word that it is ready."""
        part = self.parts.get(message.source)
        if part is None or message.flag not in _SIGNS_OF_LIFE:
            return
        self._heard_s[part.codifier] = time.monotonic()
        if part.codifier in self._ready:
            return
        if part.pid is None:
            return  # an instance elsewhere; ours is not up yet
        again = " again" if part.codifier in self._ready_once else ""
        self._ready.add(part.codifier)
        self._ready_once.add(part.codifier)
        sensor = self._sensors[part.codifier]
        what = sensor.name or sensor.short_name or sensor.type
        self._say(f"{part.codifier:<10} ready{again} in {part.lived_s:.1f} s  {what}")
        self.changed.set()

    async def stop(self) -> None:
        """End every part: SIGTERM, and after 3 s SIGKILL."""
        self._stopping = True
        for codifier, task in self._tasks.items():
            if self.parts[codifier].pid is None:
                task.cancel()  # it waits to be started again
            self.parts[codifier].signal(signal.SIGTERM)
        running = list(self._tasks.values())
        if running:
            _, stubborn = await asyncio.wait(running, timeout=TERM_GRACE_S)
            for codifier, task in self._tasks.items():
                if task in stubborn:
                    self._say(f"{codifier:<10} does not end; killed")
                    self.parts[codifier].signal(signal.SIGKILL)
            await asyncio.gather(*running, return_exceptions=True)
        for part in self.parts.values():
            part.log.close()

    async def _keep_alive(self, part: Part) -> None:
        backoff = restart_backoff()
        while not self._stopping:
            try:
                status = await part.live()
                end = tell_end(status)
            except OSError as error:  # no memory or no process to be had, now
                status, end = 1, f"cannot be started: {error}"
            self._ready.discard(part.codifier)
            if self._stopping:
                return
            if status == DuplicateInstance.exit_status:
                self._give_up(part)
                await self._until_silent(part.codifier)
                self._refused.discard(part.codifier)
                self._say(f"{part.codifier:<10} the newer instance is silent; started again here")
                continue
            delay_s = backoff.next_s(part.lived_s)
            self._tell_death(part, f"{end}; again in {delay_s:.1f} s")
            await asyncio.sleep(delay_s)

    async def _until_silent(self, codifier: str) -> None:
        """Wait until no instance of a codifier is heard for three keep-alive intervals."""
        silence_s = max(3 * self._sensors[codifier].keep_alive_interval, LEAST_SILENCE_S)
        since_s = time.monotonic()
        wait_s = silence_s
        while wait_s > 0:
            await asyncio.sleep(wait_s)
            last_s = max(since_s, self._heard_s.get(codifier, 0.0))
            wait_s = last_s + silence_s - time.monotonic()

    def _give_up(self, part: Part) -> None:
        self._refused.add(part.codifier)
        self._tell_death(part, "a newer instance has taken its place; not started again here")
        self.changed.set()

    def _tell_death(self, part: Part, end: str) -> None:
        self._say(f"{part.codifier:<10} {end}  ({part.log.path})")
        for line in part.log.tail():
            self._say(f"{'':<10} | {line}")
