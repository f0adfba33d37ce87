"""The ring on disk: what it keeps through restarts, damage and full disks."""

import errno
import os
from pathlib import Path

import pytest

from jph.errors import StoreError
from jph.node.outbox import Outbox
from jph.retransmit.messages import EpochSpan
from jph.retransmit.resend_buffer import ResendBuffer
from jph.retransmit.resend_log import DatagramRun, ResendLog
from jph.retransmit.resend_store import ResendStore
from jph.wire.codec import Dialect, Quality, decode_data


class Writer:
    """A source that journals; each call of `write` is one flush."""

    def __init__(self, directory: Path, epoch: int, max_bytes: int = 10**6) -> None:
        self.ring = ResendBuffer(900, 10**6)
        self.outbox = Outbox("AA", epoch, self.ring)
        self.journal = ResendLog(directory, max_bytes, 48 * 3600.0)
        self.journal.open()
        self.sent: dict[int, bytes] = {}

    def write(
        self, count: int = 1, codes: tuple[str, ...] = ("AA",), passed_s: float = 5.0
    ) -> None:
        runs = []
        for code in codes:
            batch = [(code, number) for number in range(count)]
            blocks = self.outbox.blocks(batch, 5, Quality.GOOD, Dialect.JPH)
            datagrams = [datagram for block in blocks for datagram in block.datagrams()]
            sequences = [decode_data(datagram).sequence for datagram in datagrams]
            runs.append(
                DatagramRun(
                    code, self.outbox.epoch, sequences[0], len(datagrams), b"".join(datagrams)
                )
            )
            if code == "AA":
                self.sent |= dict(zip(sequences, datagrams, strict=True))
        announced = {code: track.announcement for code, track in self.ring.tracks.items()}
        self.journal.write(runs, announced, passed_s)

    @property
    def first(self) -> int:
        return next(iter(self.sent))


def test_an_older_start_is_served_after_a_restart(tmp_path: Path) -> None:
    old = Writer(tmp_path, 7)
    for _ in range(5):
        old.write(100, ("AA", "BB"))
    old.journal.close()
    new = Writer(tmp_path, 8)
    new.write(10)
    assert new.journal.damaged == 0
    assert new.journal.find("AA", 7, old.first, 501) == old.sent
    assert new.journal.began("AA", 7) == old.first
    assert list(new.journal.held("AA", 7, old.first)) == [(0, 501)]
    assert new.journal.find("AA", 9, old.first, 501) == {}
    history = ResendStore(8, new.ring, new.journal)
    found = history.find("AA", 7, ((old.first + 499) % 2**31, 100), 500)
    assert (len(found.datagrams), found.lost, found.rest) == (2, [], None)
    assert found.next == (old.first + 501) % 2**31
    assert history.find("AA", 7, ((old.first + 501) % 2**31, 0), 500).next == found.next


@pytest.mark.parametrize("cut", [1, 40, 500])
def test_a_cut_tail_costs_the_last_block(tmp_path: Path, cut: int) -> None:
    old = Writer(tmp_path, 7)
    old.write(100)
    kept = dict(old.sent)
    old.write(100)
    old.journal.close()
    (path,) = tmp_path.glob("*.journal")
    os.truncate(path, path.stat().st_size - cut)
    new = Writer(tmp_path, 8)
    assert new.journal.damaged > 0
    assert new.journal.find("AA", 7, old.first, 201) == kept
    new.write(5)
    assert new.journal.find("AA", 8, new.first, 6) == new.sent


def test_damage_in_the_middle_costs_its_block(tmp_path: Path) -> None:
    old = Writer(tmp_path, 7)
    ends = []
    for _ in range(3):
        old.write(100)
        (path,) = tmp_path.glob("*.journal")
        ends.append(path.stat().st_size)
    old.journal.close()
    damaged = bytearray(path.read_bytes())
    damaged[ends[0] + 700] ^= 0xFF
    path.write_bytes(damaged)
    new = Writer(tmp_path, 8)
    assert new.journal.damaged == ends[1] - ends[0]
    found = new.journal.find("AA", 7, old.first, 301)
    sequences = list(old.sent)
    assert list(found) == sequences[:101] + sequences[201:]
    answer = ResendStore(8, new.ring, new.journal).find("AA", 7, (old.first, 301), 500)
    assert answer.lost == [(sequences[101], 100)]
    assert len(answer.datagrams) == 201


def test_it_is_bounded_and_remembers_how_a_start_began(tmp_path: Path) -> None:
    writer = Writer(tmp_path, 7, max_bytes=40_000)
    for _ in range(300):
        writer.write(20)
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert 30_000 < size < 41_000
    assert writer.journal.began("AA", 7) == writer.first
    ((_, one), (start, end)) = writer.journal.held("AA", 7, writer.first)
    assert (one, end) == (1, 6_001)
    assert 4_000 < start < end
    reopened = Writer(tmp_path, 8, max_bytes=40_000).journal
    assert list(reopened.held("AA", 7, writer.first)) == [(0, 1), (start, end)]


def test_age_is_counted_while_it_is_written(tmp_path: Path) -> None:
    writer = Writer(tmp_path, 7, max_bytes=6_400)
    writer.write(20)
    for _ in range(3):
        writer.write(20, passed_s=20 * 3600.0)
    held = writer.journal.held("AA", 7, writer.first)
    assert (1 in held, held.end) == (False, 81)


def test_a_full_disk_is_told_and_what_was_written_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = Writer(tmp_path, 7)
    writer.write(10)
    kept = dict(writer.sent)
    real = os.write

    def almost_full(file: int, data: memoryview) -> int:
        if len(data) < 300:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(file, data[:100])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", almost_full)
        with pytest.raises(StoreError, match="No space left"):
            writer.write(10)
    assert writer.journal.find("AA", 7, writer.first, 21) == kept
    writer.write(10)
    assert len(writer.journal.find("AA", 7, writer.first, 31)) == 21
    assert Writer(tmp_path, 8).journal.damaged == 0


def test_a_directory_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be read"):
        ResendLog(tmp_path / "file", 10**6, 3600.0).open()


def test_two_instances_that_overlap_keep_all_of_both(tmp_path: Path) -> None:
    """The older one writes what is left while the newer has read the directory already."""
    old = Writer(tmp_path, 7)
    old.write(100)
    new = Writer(tmp_path, 8)
    old.write(50)
    old.journal.close()
    history = ResendStore(8, new.ring, new.journal)
    found = history.find("AA", 7, (old.first, 300), 500)
    assert found.datagrams == list(old.sent.values())
    assert (found.lost, found.next) == ([], (old.first + 151) % 2**31)
    new.write(10)
    assert Writer(tmp_path, 9).journal.find("AA", 8, new.first, 20) == new.sent


def test_a_number_that_another_instance_took_is_passed_over(tmp_path: Path) -> None:
    old, new = Writer(tmp_path, 7), Writer(tmp_path, 8)
    for writer in (old, new):
        writer.write(5)
    assert [path.stem for path in sorted(tmp_path.iterdir())] == [f"{n:016x}" for n in (1, 2)]
    assert new.journal.find("AA", 8, new.first, 9) == new.sent
    assert new.journal.find("AA", 7, old.first, 9) == old.sent


def test_it_lists_the_starts_it_holds_newest_first(tmp_path: Path) -> None:
    lives = [Writer(tmp_path, epoch) for epoch in (7, 5, 9)]
    for writer in lives:
        writer.write(10, ("AA", "BB"))
        writer.write(10)
        writer.journal.close()
    old, middle, new = lives
    listed = ResendStore(9, new.ring, new.journal).epochs()
    after = [
        EpochSpan("AA", w.outbox.epoch, w.first, (w.first + 21) % 2**31) for w in (middle, old)
    ]
    assert listed[:2] == after
    assert [(life.codifier, life.epoch) for life in listed[2:]] == [("BB", 5), ("BB", 7)]
    assert ResendStore(9, new.ring).epochs() == []


def test_only_an_epoch_that_ended_in_order_is_complete(tmp_path: Path) -> None:
    killed, ended, present = (Writer(tmp_path, epoch) for epoch in (7, 5, 9))
    for writer in (killed, ended, present):
        writer.write(10)
    killed.journal.close()  # as the kernel does: without a mark
    ended.journal.close(5)
    listed = ResendStore(9, present.ring, present.journal).epochs()
    assert {span.epoch: span.complete for span in listed} == {7: False, 5: True}
    again = ResendLog(tmp_path, 10**6, 3600.0)
    again.open()
    assert again.damaged == 0


def test_an_epoch_with_a_failed_write_is_not_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = Writer(tmp_path, 7)
    writer.write(10)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        patch.setattr(os, "fdatasync", full, raising=False)
        with pytest.raises(StoreError):
            writer.write(10)
    writer.journal.close(7)
    (span,) = ResendStore(9, ResendBuffer(900, 10**6), writer.journal).epochs()
    assert not span.complete
