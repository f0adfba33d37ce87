"""One process under the supervisor: starts it, reads its output, ends it."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from jph.cli.supervise.logfile import LogFile
from jph.util.backoff import Backoff

CONTROL: Final = Path(__file__).resolve().parents[3] / "control.py"
_CHUNK: Final = 65_536
_FIRST_DELAY_S: Final = 0.2
_LONGEST_DELAY_S: Final = 30.0
_GOOD_RUN_S: Final = 60.0
"""A program that ran this long starts again with the first delay."""


def restart_backoff() -> Backoff:
    """Return the delays between the starts of a process that ends again and again."""
    return Backoff(_FIRST_DELAY_S, _LONGEST_DELAY_S, _GOOD_RUN_S)


class Part:
    """The process of one codifier: `control.py run XX` in a session of its own.

    A session of its own, so that Ctrl-C in the terminal reaches the supervisor alone, which then
    ends the parts in order.
    """

    def __init__(self, codifier: str, environment: Mapping[str, str], log: Path) -> None:
        self.codifier = codifier
        self.log = LogFile(log)
        self._environment = environment
        self._process: Process | None = None
        self._started_s = 0.0

    @property
    def pid(self) -> int | None:
        """The process while it runs."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if self._process and running else None

    @property
    def lived_s(self) -> float:
        """Seconds since the process was started."""
        return time.monotonic() - self._started_s

    async def live(self) -> int:
        """Start the process, keep its log, and return how it ended (as `Popen.returncode`)."""
        self._started_s = time.monotonic()
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(CONTROL), "run", "--with-parent", self.codifier),
            stdin=PIPE,  # the lifeline: never written, closed by the kernel if we die
            stdout=PIPE,
            stderr=STDOUT,
            env=self._environment,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        while chunk := await self._process.stdout.read(_CHUNK):
            self.log.write(chunk)
        return await self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process and what it started, if it still runs."""
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)


def tell_end(status: int) -> str:
    """Return in words how a process ended."""
    if status < 0:
        return f"ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"
