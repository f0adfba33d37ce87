"""A socket filter that drops a node's own messages in the kernel.

A multicast socket receives what its own program sends. To read, decode and drop these messages
costs a third of a round trip, and a second wake-up for each message.
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


def filter_out(receiver: socket.socket, epoch: int) -> bool:
    """Let the kernel drop messages of `epoch`; return whether it does.

    A datagram that is too short for an epoch passes, so that it is refused and counted. The kernel
    counts what it filters out among the socket's drops.
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
    program = array("B", b"".join(starmap(_STEP.pack, steps)))  # an array knows its address
    pointer = _PROGRAM.pack(len(steps), program.buffer_info()[0])
    with contextlib.suppress(OSError):
        receiver.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, pointer)
        return True
    return False
