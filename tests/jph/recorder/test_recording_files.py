"""Files: whole or not at all, bounded, and indifferent to being written twice."""

from pathlib import Path

import pytest

from jph.errors import StoreError
from jph.recorder import recording_files
from jph.recorder.frames import MAGIC


def test_a_recording_grows(tmp_path: Path) -> None:
    path = tmp_path / "record" / "000001-x-shed.rec"
    length = recording_files.write(path, 0, [b"one", memoryview(b"-two")])
    assert path.read_bytes() == MAGIC + b"one-two"
    assert recording_files.write(path, length, [b"-three"]) == length + 6
    # A growth that failed half-way, or was longer, is replaced by the next try.
    assert recording_files.write(path, length, [b"-3"]) == length + 2
    assert path.read_bytes() == MAGIC + b"one-two-3"


def test_a_recording_that_was_deleted_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "000001-x-shed.rec"
    length = recording_files.write(path, 0, [b"one"])
    path.unlink()
    assert recording_files.write(path, length, [b"two"]) == len(MAGIC) + 3
    assert path.read_bytes() == MAGIC + b"two"


def test_a_disk_that_refuses_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be written"):
        recording_files.write(tmp_path / "file" / "1-x.rec", 0, [])
    with pytest.raises(StoreError, match="cannot be written"):
        recording_files.add_lines(tmp_path / "file" / "log", ["x\n"], 5)


def test_the_newest_is_known_by_its_number_and_the_oldest_go(tmp_path: Path) -> None:
    names = ["000009-20270101T000000Z-shed", "000010-20260101T000000Z-loss", "000002-x-shed"]
    for name in names:
        (tmp_path / f"{name}.rec").write_bytes(MAGIC)
    left_over = tmp_path / ".000011-x-shed.rec.new"
    left_over.write_bytes(b"half")
    assert recording_files.next_number(tmp_path) == 11
    assert [recording_files.number(path) for path in recording_files.recordings(tmp_path)] == [
        10,
        9,
        2,
    ]
    recording_files.prune(tmp_path, 2, 10**6)
    assert [recording_files.number(path) for path in recording_files.recordings(tmp_path)] == [
        10,
        9,
    ]
    assert not left_over.exists()
    assert recording_files.next_number(tmp_path / "nowhere") == 1


def test_a_log_keeps_its_newest_lines(tmp_path: Path) -> None:
    path = tmp_path / "record" / "log"
    for number in range(0, 30, 2):
        recording_files.add_lines(path, [f"{number}\n", f"{number + 1}\n"], most=5)
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 10
    assert path.read_text(encoding="utf-8").splitlines()[-2:] == ["28", "29"]


def test_a_line_cut_by_a_power_cut_stays_alone(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text('{"a": 1}\n{"b"', encoding="utf-8")
    recording_files.add_lines(path, ["{}\n"], most=5)
    assert path.read_text(encoding="utf-8") == '{"a": 1}\n{"b"\n{}\n'


def test_recordings_are_bounded_by_bytes_too(tmp_path: Path) -> None:
    for number in range(1, 7):
        (tmp_path / f"{number:06d}-x-shed.rec").write_bytes(bytes(1000))
    recording_files.prune(tmp_path, 20, 3500)
    assert [recording_files.number(path) for path in recording_files.recordings(tmp_path)] == [
        6,
        5,
        4,
    ]
    recording_files.prune(tmp_path, 20, 10)
    assert [recording_files.number(path) for path in recording_files.recordings(tmp_path)] == [6]
