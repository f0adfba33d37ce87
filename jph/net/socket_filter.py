"""Not hearing oneself: what a node sends does not wake it.

A multicast socket hears what its own program sends, and the program would read it, decode it and
drop it: a third of what a round trip costs, and a second wake-up for each message.
"""

import contextlib
import socket
import struct
from array import array
from itertools import starmap
from typing import Final

# asm-generic/socket.h, linux/filter.h: classic BPF, see socket(7)
_SO_ATTACH_FILTER: Final = 26
_STEP: Final = struct.Struct("=HBBI")
_PROGRAM: Final = struct.Struct("@HP")
_LENGTH, _AT_LEAST, _WORD, _EQUAL, _RETURN = 0x80, 0x35, 0x20, 0x15, 0x06
_EPOCH_AT: Final = 8 + 4
"""Behind the UDP header and the sequence."""
_ALL: Final = 0xFFFF_FFFF


def deafen(receiver: socket.socket, epoch: int) -> bool:
    """Have the kernel keep from a socket what was sent in `epoch`; tell whether it does.

    What is too short to have an epoch is let through, to be refused and counted. The kernel counts
    what it keeps back among the socket's drops.
    """
    word = int.from_bytes(epoch.to_bytes(4, "little"), "big")
    steps = (
        (_LENGTH, 0, 0, 0),
        (_AT_LEAST, 0, 3, _EPOCH_AT + 4),
        (_WORD, 0, 0, _EPOCH_AT),
        (_EQUAL, 0, 1, word),
        (_RETURN, 0, 0, 0),
        (_RETURN, 0, 0, _ALL),
    )
    program = array("B", b"".join(starmap(_STEP.pack, steps)))  # an array tells its address
    pointer = _PROGRAM.pack(len(steps), program.buffer_info()[0])
    with contextlib.suppress(OSError):
        receiver.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, pointer)
        return True
    return False
