from hypothesis import given
from hypothesis import strategies as st

from jph.recorder.recent_frames import RecentFrames


def kept(ring: RecentFrames, position: int = 0) -> bytes:
    return b"".join(bytes(part) for part in ring.since(position))


def test_what_came_is_handed_out_from_any_position() -> None:
    ring = RecentFrames(60, 2**20)
    for number in range(10):
        ring.append(bytes([number]), float(number))
    assert kept(ring) == bytes(range(10))
    assert kept(ring, 4) == bytes(range(4, 10))
    assert kept(ring, ring.end) == b""


def test_the_old_goes_and_the_last_minutes_stay() -> None:
    ring = RecentFrames(seconds=160, max_bytes=2**20)
    for second in range(1000):
        ring.append(bytes([second % 256]), float(second))
    # At least what is asked for, and at most a chunk's time more.
    assert 160 <= len(kept(ring)) <= 175
    ring.forget(2000.0)
    assert len(kept(ring)) <= 11


def test_a_flood_never_takes_more_memory_than_allowed() -> None:
    ring = RecentFrames(seconds=600, max_bytes=100_000)
    for number in range(5000):
        ring.append(bytes(100), number / 1000)
        assert ring.size <= 100_000
    assert ring.size > 80_000
    assert len(kept(ring)) == ring.size


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=60), st.data())
def test_whole_frames_only_and_the_newest_of_them(frames: list[bytes], data: st.DataObject) -> None:
    ring = RecentFrames(seconds=1e9, max_bytes=400)
    for number, frame in enumerate(frames):
        ring.append(frame, float(number))
    content = kept(ring)
    endings = [b"".join(frames[start:]) for start in range(len(frames) + 1)]
    assert content in endings
    assert len(content) == ring.size <= 400
    position = data.draw(st.integers(0, ring.end))
    assert kept(ring, position) == content[max(0, position - (ring.end - ring.size)) :]
