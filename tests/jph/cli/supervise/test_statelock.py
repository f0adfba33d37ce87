"""The lock of a state directory on a disk that takes no more bytes."""

import contextlib
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from jph.cli.supervise.statelock import state_lock
from jph.errors import JphError


@contextlib.contextmanager
def full_disk() -> Iterator[None]:
    """Let no file of this process grow; pytest's own output must be able to afterwards."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_named_and_stops_no_house(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with full_disk(), state_lock(tmp_path / "state"):
        said = capsys.readouterr().err
        assert f"warning: {tmp_path}/state cannot be written: File too large; the nodes run" in said
        with pytest.raises(JphError, match="is in use by another"), state_lock(tmp_path / "state"):
            pass
