"""The state directory: for its owner alone.

It holds accounts, orders and what a node resends. A program that starts makes it private, and
refuses one that another user can change.
"""

import os
import stat
from pathlib import Path

from jph.errors import JphError


def claim(state: Path) -> None:
    """Make the state directory if needed, and let its owner alone read it.

    A bit that lets the group of the embedded PostgreSQL pass through stays.

    Raises:
        JphError: it cannot be made, or another user can write to it.
    """
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = state.stat()
    except OSError as error:
        raise JphError(f"the state directory {state} cannot be used: {error}") from error
    mode = stat.S_IMODE(found.st_mode)
    shared_group = mode & stat.S_IWGRP and found.st_gid != os.getegid()
    if found.st_uid != os.geteuid():
        remedy = f"chown -R {os.geteuid()} {state}"
        raise JphError(f"the state directory {state} belongs to another user: {remedy}")
    if mode & stat.S_IWOTH or shared_group:
        raise JphError(
            f"other users can write to the state directory {state}: look for files that are not "
            f"yours, then chmod 700 {state}"
        )
    passing = mode & stat.S_IXGRP if found.st_gid != os.getegid() else 0
    if mode != 0o700 | passing:
        state.chmod(0o700 | passing)


def private_files() -> None:
    """Give what this process and its children create to its owner alone."""
    os.umask(0o077)


def open_lock(path: Path) -> int:
    """Open a lock file that its owner alone can open: what can be opened can be locked.

    Raises:
        OSError: it cannot be made.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    if stat.S_IMODE(os.fstat(handle).st_mode) != 0o600:
        os.fchmod(handle, 0o600)
    return handle
