"""Values that a program prints: once each interval, or line by line while it runs."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Coroutine
from typing import Annotated, Any, Final, Literal

from jph.config.model import expand
from jph.config.settings import described
from jph.node.node import Settings
from jph.util.backoff import Backoff
from jph.values.elements import PathElement
from jph.values.lines import Lines
from jph.values.node import ValueNode
from jph.values.tolerant import MAX_CHARS

_FIRST_RETRY_S: Final = 1.0
_LAST_RETRY_S: Final = 60.0
_GOOD_S: Final = 60.0
"""A program that ran so long starts again at once."""
_PATIENCE_S: Final = 2.0
"""Time between the request to end and the kill."""
_CHUNK: Final = 65_536
_STDERR: Final = 4_096


class CommandSettings(Settings, frozen=True):
    """One program, many values."""

    run: Annotated[
        tuple[str, ...], described('Program and arguments: ["rtl_433", "-F", "json"]; no shell')
    ]
    elements: Annotated[tuple[PathElement, ...], described("Values in what it prints")]
    mode: Annotated[
        Literal["once", "lines"],
        described("once: started each SensorInterval; lines: runs on and prints lines"),
    ] = "once"
    format: Annotated[Literal["json", "text", "xml"], described("Form of what it prints")] = "json"
    timeout: Annotated[float, described("Limit of a run in the mode once", "s", gt=0, le=3600)] = (
        10.0
    )

    def __post_init__(self) -> None:
        if not self.run or not self.run[0]:
            raise ValueError("Run: expected a program")
        if any("\0" in word for word in self.run):
            raise ValueError("Run: a NUL character")


class Command(ValueNode, type="Command", settings=CommandSettings):
    """Publish what a program prints; it and its children end with the node.

    A program that fails or takes too long gives no value, and the log names the reason. One that
    should run on is started again, after 1 s and up to 60 s.
    """

    settings: CommandSettings

    def serving(self) -> Coroutine[Any, Any, None] | None:
        """Return what keeps the program running, in the mode `lines`."""
        self.every_answer = self.settings.mode == "once"
        return None if self.every_answer else self._serve()

    async def read(self, now_ms: int) -> None:
        """Run the program, in the mode `once`."""
        if self.settings.mode != "once":
            return
        try:
            async with asyncio.timeout(self.settings.timeout):
                text = await self._run_once()
        except TimeoutError:
            self.explain("program", f"it runs longer than {self.settings.timeout:g} s: ended")
        except (OSError, ValueError) as error:
            self.explain("program", str(error))
        else:
            self.show_raw(text)
            self.take_text(text, self.settings.format)

    async def _run_once(self) -> str:
        process = await self._launch()
        try:
            out, err, code = await asyncio.gather(
                _read_up_to(process.stdout, MAX_CHARS),
                _read_up_to(process.stderr, _STDERR),
                process.wait(),
            )
        finally:
            await _end(process)
        if code != 0:
            raise ValueError(f"it ended with status {code}{_last_line(err)}")
        return out.decode("utf-8", "replace")

    async def _serve(self) -> None:
        backoff = Backoff(_FIRST_RETRY_S, _LAST_RETRY_S, _GOOD_S)
        while True:
            begin_s = time.monotonic()
            try:
                await self._run_on()
            except OSError as error:
                self.explain("program", str(error))
            await asyncio.sleep(backoff.next_s(time.monotonic() - begin_s))

    async def _run_on(self) -> None:
        process = await self._launch()
        try:
            errors = asyncio.create_task(_read_up_to(process.stderr, _STDERR))
            assert process.stdout is not None
            lines = Lines()
            while chunk := await process.stdout.read(_CHUNK):
                for line in lines.feed(chunk):
                    self.show_raw(line)
                    self.take_text(line, self.settings.format)
            err, code = await errors, await process.wait()
        finally:
            await _end(process)
        self.explain("program", f"it ended with status {code}{_last_line(err)}; starting it again")

    async def _launch(self) -> asyncio.subprocess.Process:
        program, *arguments = self.settings.run
        return await asyncio.create_subprocess_exec(
            expand(program),
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )


async def _read_up_to(stream: asyncio.StreamReader | None, most: int) -> bytes:
    """Return the first bytes of a stream; the rest is read and dropped."""
    assert stream is not None
    kept = b""
    while chunk := await stream.read(_CHUNK):
        kept += chunk[: most - len(kept)]
    return kept


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a program and all of its children, and wait for it."""
    for each, patience_s in ((signal.SIGTERM, _PATIENCE_S), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, each)
        try:
            async with asyncio.timeout(patience_s):
                await process.wait()
        except TimeoutError:
            continue
        if each == signal.SIGTERM:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)  # children that outlive their parent
        return


def _last_line(errors: bytes) -> str:
    lines = errors.decode("utf-8", "replace").strip().splitlines()
    return f": {lines[-1][:200]}" if lines else ""
