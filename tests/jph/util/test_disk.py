"""Files that cannot grow, on a disk and under a limit of the process."""

import os
import resource
from pathlib import Path
from types import SimpleNamespace

import pytest

from jph.util.disk import LEAST_BYTES, is_full


def test_a_disk_with_space_is_not_full(tmp_path: Path) -> None:
    assert not is_full(tmp_path)
    assert not is_full(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("blocks", "flag", "full"),
    [(0, 0, True), (15, 0, True), (16, 0, False), (1000, os.ST_RDONLY, True)],
)
def test_too_few_blocks_or_no_right_to_write(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, blocks: int, flag: int, full: bool
) -> None:
    found = SimpleNamespace(f_bavail=blocks, f_bfree=blocks, f_frsize=4096, f_flag=flag)
    monkeypatch.setattr(os, "statvfs", lambda _: found)
    assert is_full(tmp_path) is full


def test_a_limit_of_the_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (LEAST_BYTES - 1, -1))
    assert is_full(tmp_path)
    assert not is_full(tmp_path / "nothing")
