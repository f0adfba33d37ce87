"""The line kept open on a pseudo-terminal: 8N1, the right speed, and back to it after garbage."""

import asyncio
import contextlib
import fcntl
import logging
import os
import termios
import tty
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from jph.devices.tic import link, watch
from jph.devices.tic.labels import Mode
from jph.devices.tic.link import MeterLine
from jph.devices.tic.reader import MODE_FRAMES, ReaderEvent
from jph.errors import DeviceError
from tests.jph.devices.tic.frames import HISTORIQUE_SINGLE, SHORT, STANDARD_SINGLE, even, frame
from tests.support import until

GARBAGE = bytes(range(0x90, 0xF0)) * 2


@pytest.fixture
def ends() -> Iterator[tuple[int, str]]:
    """Yield the meter's end of a line, and the path of ours."""
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    yield master, os.ttyname(slave)
    os.close(master)
    os.close(slave)


@pytest.fixture
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what takes seconds take hundredths."""
    for module, name, seconds in (
        (link, "TICK_S", 0.01),
        (link, "QUIET_S", 0.05),
        (link, "HUNT_S", 0.1),
        (link, "FAITH_S", 0.4),
        (watch, "HUNT_S", 0.1),
    ):
        monkeypatch.setattr(module, name, seconds)


@contextlib.asynccontextmanager
async def serving(line: MeterLine) -> AsyncIterator[None]:
    task = asyncio.create_task(line.serve())
    try:
        await until(lambda: line.link.is_open)
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def line_to(
    path: str, mode: Mode | None = None, **more: Any
) -> tuple[MeterLine, list[ReaderEvent]]:
    heard: list[ReaderEvent] = []
    log = logging.getLogger("a meter")
    silence_s = more.get("silence_s", 10.0)
    return MeterLine(path, mode, silence_s, heard.extend, lambda silent: None, log), heard


async def test_the_port_is_opened_with_eight_bits_and_no_parity(ends: tuple[int, str]) -> None:
    line, _ = line_to(ends[1])
    async with serving(line):
        port = line.link._port
        assert port is not None
        assert (port.bytesize, port.parity, port.stopbits, port.baudrate) == (8, "N", 1, 1200)


@pytest.mark.parametrize(("mode", "rate"), [(Mode.HISTORIQUE, 1200), (Mode.STANDARD, 9600)])
async def test_a_given_mode_keeps_its_speed(
    mode: Mode, rate: int, ends: tuple[int, str], brisk: None
) -> None:
    line, _ = line_to(ends[1], mode)
    async with serving(line):
        await until(lambda: fed(ends[0], GARBAGE) and "speed" in line._complaints)
        assert line.baud_rate == rate


def drained(master: int) -> bool:
    """Whether all that the meter sent was read."""
    return not any(fcntl.ioctl(master, termios.TIOCOUTQ, bytes(4)))


def fed(master: int, data: bytes) -> bool:
    with contextlib.suppress(BlockingIOError):  # not read yet: enough for now
        os.write(master, data)
    return True


async def test_garbage_leads_to_the_other_speed_and_frames_hold_it(
    ends: tuple[int, str], brisk: None
) -> None:
    line, heard = line_to(ends[1], silence_s=0.3)
    async with serving(line):
        await until(lambda: fed(ends[0], GARBAGE) and line.baud_rate == 9600)
        # A meter at 9600 baud: whatever is tried meanwhile, it is garbage at the other speed.
        good = b"\r" + even(frame(STANDARD_SINGLE))

        def heard_as_it_is_sent() -> bool:
            if drained(ends[0]):  # nothing sent at one speed is read at the other
                fed(ends[0], good if line.baud_rate == 9600 else GARBAGE)
            return line._known_rate == 9600

        await until(heard_as_it_is_sent)
        assert line.reader.mode is Mode.STANDARD
        assert heard
        # Garbage for long: opened anew, the other speed tried, and back to the known one for most.
        rates: dict[int, int] = {1200: 0, 9600: 0}

        def tried() -> bool:
            rates[line.baud_rate] += 1
            return rates[1200] > 0 and line.baud_rate == 9600

        await until(lambda: fed(ends[0], GARBAGE) and tried())
        assert rates[9600] > rates[1200]
        groups = line.reader.groups
        os.write(ends[0], b"\r" + even(frame(STANDARD_SINGLE)))
        await until(lambda: line.reader.groups > groups)


async def test_one_frame_does_not_make_a_speed_the_known_one(
    ends: tuple[int, str], brisk: None
) -> None:
    line, heard = line_to(ends[1])
    async with serving(line):
        os.write(ends[0], frame(HISTORIQUE_SINGLE))
        await until(lambda: line.reader.frames == 1)
        ticks = 0

        def ticked() -> bool:
            nonlocal ticks
            ticks += 1
            return ticks > 3

        await until(ticked)
        assert line._known_rate is None
        os.write(ends[0], frame(SHORT) * MODE_FRAMES)
        await until(lambda: line._known_rate == 1200)
        assert heard


async def test_who_gives_up_is_told_why(tmp_path: Any) -> None:
    line, _ = line_to(str(tmp_path / "nothing"))
    with pytest.raises(DeviceError, match="cannot open the meter's port"):
        await line.serve(give_up=True)
