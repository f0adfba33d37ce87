"""Finds out whether files in a folder can grow, without writing."""

import os
import resource
from pathlib import Path
from typing import Final

LEAST_BYTES: Final = 65_536
"""With less space than this, a state file may not fit."""


def is_full(folder: Path) -> bool:
    """Whether no file of this process in a folder can grow: full, read-only, or a limit of 0.

    A folder that does not exist has no files.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if soft != resource.RLIM_INFINITY and soft < LEAST_BYTES:
        return folder.is_dir()
    try:
        found = os.statvfs(folder)
    except OSError:
        return False
    free = found.f_bavail if os.geteuid() else found.f_bfree
    return free * found.f_frsize < LEAST_BYTES or bool(found.f_flag & os.ST_RDONLY)
