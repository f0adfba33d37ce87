"""The spool on a disk that fills up, is torn, or flips bits."""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.ingest.buffer import Batch
from collector.ingest.ledger import ReadingRun
from collector.ingest.spool import Spool
from jph.retransmit import Cause, Gap
from jph.wire.codec import Quality, Reading

Make = Callable[..., Spool]
HOLE = Gap("TI", 7, 1, 2, Cause.GONE, 0, 0)

os_write = os.write


def reading(sequence: int, flag: str = "d", value: float | str = 1.5) -> Reading:
    return Reading(sequence, 7, 1000 * sequence, flag, "TI", "@@", 1, Quality.STALE, value)


def batch(first: int, last: int) -> Batch:
    return Batch([reading(n) for n in range(first, last + 1)])


def drained(spool: Spool) -> tuple[list[int], list[Gap]]:
    """Read everything; return the sequences, and the gaps."""
    sequences, gaps = list[int](), list[Gap]()
    while found := spool.next():
        sequences += [each.sequence for each in found.readings]
        gaps += found.gaps
    return sequences, gaps


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Return a maker of spools in one directory, which are closed at the end."""
    with contextlib.ExitStack() as stack:

        def make(max_bytes: int = 10**6) -> Spool:
            spool = Spool(tmp_path / "Q1", max_bytes)
            stack.callback(spool.close)
            return spool

        yield make


@pytest.fixture
def spool(make: Make) -> Spool:
    spool = make()
    spool.open()
    return spool


def files(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "Q1").glob("*.spool"))


def test_batches_come_back_as_they_were(spool: Spool) -> None:
    sent = [
        reading(1, "n", 1)._replace(version=0, epoch=0, quality=0),
        reading(2, "s", "Heures Creuses · ␀\0"),
        reading(3, "j", '{"value": NaN}'),
        reading(4, "f", 0.5)._replace(to="Q1"),
        reading(5, "q", -(2**40)),
    ]
    spool.append(Batch(sent, [HOLE]))
    found = spool.next()
    assert found
    assert (found.readings, found.gaps) == (sent, [HOLE])
    assert spool.next() is None


def test_what_was_not_released_is_found_again(spool: Spool, make: Make) -> None:
    for n in range(0, 30, 10):
        spool.append(batch(n, n + 9))
    first = spool.next()
    assert first
    assert first.place
    spool.next()
    spool.release(first.place)
    spool.rewind()
    assert drained(spool)[0] == list(range(10, 30))
    assert not spool
    again = make()
    assert again.open() == {
        ("TI", 7): [ReadingRun(n, n + 9, 1000 * n, 1000 * (n + 9)) for n in (0, 10, 20)]
    }
    assert drained(again)[0] == list(range(30))  # where it was is not written: twice is harmless


def test_what_is_released_leaves_the_disk(tmp_path: Path, spool: Spool) -> None:
    for n in range(10):
        spool.append(batch(n * 1000, n * 1000 + 999))
    assert len(files(tmp_path)) > 2
    while found := spool.next():
        assert found.place
        spool.release(found.place)
    assert (files(tmp_path), spool.bytes) == ([], 0)
    spool.append(batch(1, 2))
    assert drained(spool) == ([1, 2], [])


def test_a_full_spool_drops_the_oldest_and_tells_what(make: Make) -> None:
    spool = make(50_000)
    spool.open()
    spool.append(Batch([], [HOLE]))
    dropped = list[Gap]()
    for n in range(0, 5000, 100):
        dropped += spool.append(batch(n, n + 99))
    assert spool.bytes <= 50_000
    assert HOLE in dropped
    full = [gap for gap in dropped if gap.cause is Cause.SPOOL_FULL]
    lost = [n for gap in full for n in range(gap.first, gap.first + gap.count)]
    kept, _ = drained(spool)
    assert lost + kept == list(range(5000))


def test_what_was_drained_is_not_lost_when_it_is_dropped(make: Make) -> None:
    spool = make(50_000)
    spool.open()
    dropped = list[Gap]()
    for n in range(0, 5000, 100):
        dropped += spool.append(batch(n, n + 99))
        found = spool.next()
        assert found
        assert found.place
        spool.release(found.place)
    assert dropped == []


@pytest.mark.parametrize("room", [0, 8, 30, 60, 200])
def test_a_disk_that_takes_a_part_and_then_no_more_takes_nothing(
    spool: Spool, make: Make, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    spool.append(batch(0, 9))
    left = room

    def almost_full(file: int, data: memoryview) -> int:
        """Take what there is room for, as write(2) does, and refuse only the next write."""
        nonlocal left
        if not left:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = os_write(file, data[:left])
        left -= taken
        return taken

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", almost_full)
        with pytest.raises(OSError, match="No space"):
            spool.append(batch(10, 19))
    spool.append(batch(20, 29))
    again = make()
    assert again.open() == {
        ("TI", 7): [ReadingRun(0, 9, 0, 9000), ReadingRun(20, 29, 20_000, 29_000)]
    }
    kept = [*range(10), *range(20, 30)]
    assert drained(spool) == drained(again) == (kept, [])
    assert (spool.damaged, again.damaged) == (0, 0)


def test_a_disk_that_cuts_nothing_off_gets_a_new_segment(
    spool: Spool, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool.append(batch(0, 9))

    def refuse(file: int, size: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    def half(file: int, data: memoryview) -> int:
        if len(data) < 200:
            raise OSError(errno.ENOSPC, "No space left on device")
        return os_write(file, data[: len(data) // 2])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", half)
        patch.setattr(os, "ftruncate", refuse)
        with pytest.raises(OSError, match="No space"):
            spool.append(batch(10, 19))
    spool.append(batch(20, 29))
    assert drained(spool) == ([*range(10), *range(20, 30)], [])
    again = make()
    again.open()
    assert drained(again) == ([*range(10), *range(20, 30)], [])
    assert again.damaged == 1


def test_a_write_in_two_parts_is_whole(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    spool.append(batch(0, 9))
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda file, data: os_write(file, data[:50]))
        spool.append(batch(10, 19))
    assert drained(spool) == (list(range(20)), [])


@pytest.mark.parametrize("at", [0, 5, 9, 13, 17, 21])  # magic, checksums, lengths, summary
@pytest.mark.parametrize("restarted", [False, True])
def test_damage_in_the_middle_costs_one_block_and_is_told(
    tmp_path: Path, spool: Spool, make: Make, at: int, restarted: bool
) -> None:
    for first in (0, 10):
        spool.append(batch(first, first + 9))
    starts = [spool.bytes]
    for first in (20, 30, 40):
        spool.append(batch(first, first + 9))
        starts.append(spool.bytes)
    (path,) = files(tmp_path)
    data = bytearray(path.read_bytes())
    data[starts[0] + at] ^= 0xFF
    path.write_bytes(data)
    if restarted:
        spool = make()
        known = {n for run in spool.open()["TI", 7] for n in range(run.first, run.last + 1)}
        assert known >= {*range(20), *range(40, 50)}
    # The summary tells when the readings were; without it, the neighbours do.
    times = (20_000, 29_000) if at in (9, 17) else (19_000, 30_000)
    gap = Gap("TI", 7, 20, 10, Cause.DAMAGED, *times)
    assert drained(spool) == ([*range(20), *range(30, 50)], [gap])
    assert spool.damaged == 1


def test_what_damage_cannot_have_held_is_not_told(tmp_path: Path, spool: Spool) -> None:
    spool.append(batch(0, 9))
    start = spool.bytes
    spool.append(batch(10, 10))
    spool.append(batch(9000, 9000))  # what is between was never received: it is asked for
    spool.append(Batch([reading(3)._replace(source="HO")]))
    (path,) = files(tmp_path)
    data = bytearray(path.read_bytes())
    data[start] ^= 1
    path.write_bytes(data)
    assert drained(spool) == ([*range(10), 9000, 3], [])
    assert spool.damaged == 1


@pytest.mark.parametrize("cut", [1, 30, 60, 200])
def test_a_torn_tail_costs_the_last_block(
    tmp_path: Path, spool: Spool, make: Make, cut: int
) -> None:
    spool.append(batch(1, 5))
    spool.append(batch(6, 10))
    (path,) = files(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - cut])
    again = make()
    assert again.open()["TI", 7] == [ReadingRun(1, 5, 1000, 5000)]
    assert again.damaged == 1
    again.append(batch(11, 12))
    assert drained(again)[0] == [1, 2, 3, 4, 5, 11, 12]


def test_damaged_data_become_a_hole(tmp_path: Path, spool: Spool, make: Make) -> None:
    spool.append(batch(1, 5))
    size = spool.bytes
    spool.append(batch(6, 10))
    (path,) = files(tmp_path)
    data = bytearray(path.read_bytes())
    data[size - 1] ^= 1
    path.write_bytes(data)
    again = make()
    again.open()
    assert drained(again) == (
        [6, 7, 8, 9, 10],
        [Gap("TI", 7, 1, 5, Cause.DAMAGED, 1000, 5000)],
    )


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.binary(max_size=200), st.integers(0, 10_000), st.integers(0, 300))
def test_no_damage_ends_it(tmp_path: Path, make: Make, noise: bytes, at: int, cut: int) -> None:
    for path in files(tmp_path):
        path.unlink()
    spool = make()
    spool.open()
    for n in range(0, 100, 20):
        spool.append(batch(n, n + 19))
    spool.close()
    (path,) = files(tmp_path)
    data = path.read_bytes()
    at %= len(data)
    path.write_bytes(data[:at] + noise + data[at + cut :])
    again = make()
    again.open()
    found, _ = drained(again)
    assert found == sorted(set(found))
    assert set(found) <= set(range(100))
    again.append(batch(200, 201))
    assert drained(again)[0] == [200, 201]
    again.close()


def test_a_disk_that_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    spool = Spool(tmp_path / "file" / "Q1", 10**6)
    with pytest.raises(OSError, match="Q1"):
        spool.open()
    with pytest.raises(OSError, match="Q1"):
        spool.append(batch(1, 2))
    assert not spool
