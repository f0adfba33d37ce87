"""Runs a Python program under its own host name: `python -m tests.faults.named NAME PROGRAM…`."""

import ctypes
import os
import socket
import sys

CLONE_NEWUTS = 0x04000000

if __name__ == "__main__":
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUTS) != 0:
        raise SystemExit(f"no host name of our own: {os.strerror(ctypes.get_errno())}")
    socket.sethostname(sys.argv[1])
    os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
