"""The state directory: private, and refused where another user can change it."""

import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jph.errors import JphError
from jph.util.statedir import claim, open_lock
from tests.support import LIMIT_S, REPOSITORY


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_one_is_for_its_owner_alone(tmp_path: Path) -> None:
    os.umask(0o022)
    claim(tmp_path / "a" / "state")
    assert mode(tmp_path / "a" / "state") == 0o700


@pytest.mark.parametrize("before", [0o755, 0o775, 0o710, 0o700])
def test_an_older_one_becomes_private(tmp_path: Path, before: int) -> None:
    tmp_path.chmod(before)
    claim(tmp_path)
    assert mode(tmp_path) == 0o700


def test_the_group_of_the_database_passes_through(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a directory to another group")
    os.chown(tmp_path, -1, 65534)
    tmp_path.chmod(0o750)
    claim(tmp_path)
    assert mode(tmp_path) == 0o710


def test_one_that_others_can_write_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(JphError, match=r"other users can write to .*chmod 700"):
        claim(tmp_path)


def test_one_of_another_user_or_group_is_refused(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a directory away")
    os.chown(tmp_path, 65534, -1)
    with pytest.raises(JphError, match="belongs to another user"):
        claim(tmp_path)
    os.chown(tmp_path, 0, 65534)
    tmp_path.chmod(0o770)
    with pytest.raises(JphError, match="other users can write"):
        claim(tmp_path)


def test_a_lock_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "up.lock"
    path.touch(0o644)
    os.close(open_lock(path))
    assert mode(path) == 0o600
    (tmp_path / "link").symlink_to("/etc/hostname")
    with pytest.raises(OSError, match="link"):
        open_lock(tmp_path / "link")


def test_what_a_node_writes_is_private(
    config_file: Callable[..., Path], state: Path, tmp_path: Path
) -> None:
    path = config_file({"Codifier": "SP", "Type": "Setpoint", "Journal": True})
    command = [sys.executable, "control.py", "--config", str(path), "run", "SP"]
    program = subprocess.Popen(command, cwd=REPOSITORY, umask=0o000, stderr=subprocess.DEVNULL)
    try:
        deadline_s = time.monotonic() + LIMIT_S
        while not list((state / "journal").glob("*/*")) and time.monotonic() < deadline_s:
            time.sleep(0.02)
    finally:
        program.terminate()
        program.wait()
    made = [state, *state.rglob("*")]
    assert len(made) > 2
    assert [path for path in made if mode(path) & 0o077] == []


def test_a_node_refuses_a_state_that_others_can_write_to(
    config_file: Callable[..., Path], state: Path
) -> None:
    state.mkdir()
    state.chmod(0o777)
    path = config_file({"Codifier": "SP", "Type": "Setpoint"})
    for words in (["run", "SP"], ["up"]):
        done = subprocess.run(
            [sys.executable, "control.py", "--config", str(path), *words],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1
        assert "other users can write to the state directory" in done.stderr
