"""Ends this process when its parent ends, for whatever reason.

A part holds the reading end of a pipe as its standard input; the supervisor holds the writing end
and never writes. However the supervisor dies, the kernel closes its end and the part reads the
end of file. Chosen over `PR_SET_PDEATHSIG`: it needs no code between fork and exec (`preexec_fn`
is unsafe beside threads and forbids vfork), is not tied to the thread that forked, works off
Linux, and cannot be missed when the parent dies before the child has asked for it.
"""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

GRACE_S: Final = 3.0
"""Time for an orderly end, before SIGKILL."""
_POLL_S: Final = 0.5
_SIGNALS_OF_A_TERMINAL: Final = (signal.SIGINT, signal.SIGHUP)


def end_with_stdin() -> None:
    """Let this process end when its standard input does: SIGTERM to itself, then the hard way.

    A thread, so that a busy event loop cannot be deaf to it.
    """
    threading.Thread(target=_wait_for_end, name="lifeline", daemon=True).start()


def _wait_for_end() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_S)
    os._exit(1)


async def follow_parent(stop: Callable[[], None]) -> None:
    """Call `stop` when the parent dies, or begins to die of SIGINT or SIGHUP.

    `make` hands SIGTERM on to what it runs, but after SIGINT or SIGHUP it resets the signal and
    waits for its children, as a terminal signals these itself. Such a signal sent to make alone
    would never reach us; that make no longer catches it can be read in /proc.
    """
    parent = os.getppid()
    caught = _caught(parent)
    while os.getppid() == parent and not caught - _caught(parent):  # noqa: ASYNC110
        await asyncio.sleep(_POLL_S)  # no event reports it
    stop()


def _caught(pid: int) -> frozenset[int]:
    """Return which of the terminal's signals the process `pid` handles; empty where unknown."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return frozenset()
    for line in status.splitlines():
        if line.startswith("SigCgt:"):
            mask = int(line.split()[1], 16)
            return frozenset(s for s in _SIGNALS_OF_A_TERMINAL if mask >> (s - 1) & 1)
    return frozenset()
