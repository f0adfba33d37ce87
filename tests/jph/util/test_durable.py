import os
import re
from pathlib import Path

import pytest

from jph.errors import StoreError
from jph.util import durable
from tests.support import REPOSITORY


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "orders" / "P1.json"
    durable.save(path, {"11": 3})
    durable.save(path, {"11": 1, "12": 0})
    assert durable.load(path) == {"11": 1, "12": 0}
    assert [file.name for file in path.parent.iterdir()] == ["P1.json"]


def test_no_file_is_no_content(tmp_path: Path) -> None:
    assert durable.load(tmp_path / "P1.json") == {}


@pytest.mark.parametrize(
    "damage", [b"", b"\0" * 40, b'{"11": 1', b"[1, 2]", b"\xff\xfe", b"[" * 9000]
)
def test_a_damaged_file_is_told_and_can_be_set_aside(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "P1.json"
    path.write_bytes(damage)
    with pytest.raises(StoreError, match=r"P1\.json cannot be read"):
        durable.load(path)
    assert durable.set_aside(path).read_bytes() == damage
    assert durable.load(path) == {}


def test_a_save_that_fails_leaves_the_old_state(tmp_path: Path) -> None:
    path = tmp_path / "P1.json"
    durable.save(path, {"11": 1})
    (tmp_path / ".P1.json.new").mkdir()  # the fresh file cannot be made
    with pytest.raises(StoreError, match="cannot be written"):
        durable.save(path, {"11": 2})
    assert durable.load(path) == {"11": 1}


def test_file_and_folder_are_on_the_disk_before_replace_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "P1.json"
    synced: list[tuple[str, bool]] = []

    def record(handle: int) -> None:
        synced.append((str(Path(f"/proc/self/fd/{handle}").readlink()), path.exists()))

    monkeypatch.setattr(os, "fsync", record)
    assert durable.replace(path, [b"two ", memoryview(b"parts")]) == 9
    assert synced == [(str(tmp_path / ".P1.json.new"), False), (str(tmp_path), True)]


def test_the_state_of_each_kind_is_replaced_durably() -> None:
    """No program replaces a file by its own means; `initdb` alone makes a whole folder."""
    own = {
        str(path.relative_to(REPOSITORY))
        for package in ("jph", "nodes", "collector")
        for path in (REPOSITORY / package).rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"(fresh|new|part|temporary)\w*\.(replace|rename)\(|os\.replace\(", line)
    }
    links = {"jph/sim/meter/port.py"}
    assert own - links == {"jph/cli/supervise/servers.py", "jph/util/durable.py"}
