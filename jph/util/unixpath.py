"""Names for Unix sockets whose path is longer than the kernel takes in an address."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

MAX_SOCKET_PATH: Final = 107  # bytes: sun_path of unix(7) has 108, one of them the final NUL


@contextlib.contextmanager
def socket_path(path: Path | str) -> Iterator[str]:
    """Yield a name for `path` that `bind` and `connect` take, valid inside the block.

    Raises:
        OSError: the directory does not exist.
    """
    if len(os.fsencode(path)) <= MAX_SOCKET_PATH:
        yield str(path)
        return
    directory = os.open(Path(path).parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{Path(path).name}"
    finally:
        os.close(directory)
