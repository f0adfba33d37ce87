"""Segment files: whole blocks only, and the next good block behind damage."""

import os
import random
import zlib
from io import BytesIO
from pathlib import Path

import pytest

from jph.util.segments import SegmentFile, SegmentFolder, SegmentView, find_blocks, surplus

MAGIC = b"blk!"


def pack(body: bytes) -> bytes:
    return MAGIC + bytes([len(body)]) + zlib.crc32(body).to_bytes(4, "big") + body


def read(data: bytes, start: int) -> tuple[bytes, int] | None:
    body = start + 9
    if not data.startswith(MAGIC, start) or body > len(data):
        return None
    end = body + data[start + 4]
    found = data[body:end]
    good = zlib.crc32(found).to_bytes(4, "big") == data[start + 5 : body]
    return (found, end) if good and end <= len(data) else None


def test_damage_costs_only_the_blocks_that_it_touches() -> None:
    bodies = [bytes([n]) * (20 + n) for n in range(12)]
    data = b"".join(map(pack, bodies))
    assert [found.block for found in find_blocks(data, MAGIC, read)] == bodies
    for at in range(0, len(data), 7):
        damaged = bytearray(data)
        damaged[at] ^= 0xFF
        blocks = [found.block for found in find_blocks(bytes(damaged), MAGIC, read)]
        assert len(blocks) == 11
        assert set(blocks) < set(bodies)


def test_noise_holds_no_block_and_ends_no_reader() -> None:
    noise = random.Random(1).randbytes(5000)
    assert list(find_blocks(noise, MAGIC, read)) == []
    (found,) = find_blocks(noise + pack(b"one") + noise, MAGIC, read)
    assert (found.start, found.block) == (5000, b"one")
    assert list(find_blocks(b"", MAGIC, read)) == []


@pytest.mark.parametrize("at", [0, 1000, 256 * 1024 - 2, 256 * 1024 + 1, 600_000])
def test_a_view_finds_what_lies_across_its_chunks(at: int) -> None:
    data = bytearray(700_000)
    data[at : at + 4] = MAGIC
    view = SegmentView(BytesIO(bytes(data)), len(data))
    assert view.find(MAGIC, 0) == at
    assert view.find(MAGIC, at + 1) == -1
    assert view.read(at, 4) == MAGIC
    assert SegmentView(BytesIO(bytes(data)), at + 3).find(MAGIC, 0) == -1


def test_the_oldest_are_surplus_and_the_newest_stays() -> None:
    assert surplus([5, 5, 5], 15) == 0
    assert surplus([5, 5, 5], 14) == 1
    assert surplus([5, 5, 50], 14) == 2
    assert surplus([], 0) == 0


def test_segments_are_numbered_upward_and_two_programs_share_a_folder(tmp_path: Path) -> None:
    one = SegmentFolder(tmp_path / "log", "{:04x}.seg", base=16)
    other = SegmentFolder(tmp_path / "log", "{:04x}.seg", base=16)
    names = [folder.create().path.name for folder in (one, other, one)]
    assert names == ["0001.seg", "0002.seg", "0003.seg"]
    assert one.create(after=0x1F).path.name == "0020.seg"
    assert [path.name for path in other.paths()] == [*names, "0020.seg"]
    assert one.number(tmp_path / "notes.seg") == 0


def test_a_segment_is_reopened_behind_its_good_blocks(tmp_path: Path) -> None:
    segment = SegmentFolder(tmp_path, "{}.seg").create()
    segment.append(b"one", memoryview(b"two"))
    segment.sync()
    segment.close()
    os.truncate(segment.path, 9)
    again = SegmentFile.reopen(segment.path, 3)
    again.append(b"three")
    again.close()
    assert segment.path.read_bytes() == b"onethree"
    assert again.size == 8
