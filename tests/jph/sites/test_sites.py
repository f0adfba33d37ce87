"""Blocks, accounts and the log of blocks of a site."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jph.errors import DecodeError
from jph.sites.accounts import Accounts
from jph.sites.block_log import BlockLog
from jph.sites.blocks import Chooser, decode_block, encode_block
from jph.sites.settings import Export
from jph.wire.codec import Reading


def reading(source: str = "I1", sequence: int = 1, at_ms: int = 0, value: float = 1.0) -> Reading:
    return Reading(sequence, 7, at_ms, "d", source, "@@", 1, 0, value)


@given(st.lists(st.integers(0, 2**31 - 1), max_size=20))
def test_a_block_is_read_as_it_was_written(sequences: list[int]) -> None:
    readings = [reading(sequence=each) for each in sequences]
    assert decode_block(encode_block(("erquy", "paris"), readings)) == (
        ("erquy", "paris"),
        readings,
    )


@given(st.binary(max_size=200))
def test_any_bytes_are_a_block_or_refused(block: bytes) -> None:
    try:
        path, _ = decode_block(block)
    except DecodeError:
        return
    assert all(path)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30))))
def test_each_reading_counts_once_also_after_a_restart(taken: list[tuple[int, int]]) -> None:
    accounts, seen = Accounts(), set[tuple[int, int]]()
    for epoch, sequence in taken:
        first = accounts.take(("erquy", "I1"), epoch, sequence)
        assert first is ((epoch, sequence) not in seen)
        seen.add((epoch, sequence))
        accounts = Accounts.restored(msgspec.json.decode(msgspec.json.encode(accounts.stored())))


def test_a_checkpoint_says_what_is_missing() -> None:
    accounts = Accounts()
    for sequence in (5, 6, 9):
        accounts.take(("", "I1"), 3, sequence)
    (point,) = accounts.checkpoints()
    assert (point.source, point.epoch, point.last, point.missing) == ("I1", 3, 9, ((7, 2),))


def test_only_listed_codifiers_leave_and_not_too_often() -> None:
    rules = [Export(codifier="I1", every=10.0), Export(codifier="J1")]
    chooser = Chooser(rules, imported=["J1"])
    assert chooser.lists("I1")
    assert not chooser.lists("I2")
    assert not chooser.lists("J1")  # imported, without Transit
    times = [t for t in range(0, 60_000, 1000) if chooser.leaves(reading(at_ms=t + 1))]
    assert len(times) == 6


def test_blocks_survive_a_restart_and_those_that_were_sent_do_not(tmp_path: Path) -> None:
    log = BlockLog(tmp_path, 2**20)
    log.open()
    numbers = [log.append(b"block %d" % n) for n in range(3)]
    log.done(numbers[1])
    after = BlockLog(tmp_path, 2**20)
    assert set(after.open()) >= {numbers[0], numbers[2]}
    assert after.read(numbers[2]) == b"block 2"
    for number in after.open():
        after.done(number)
    assert list(tmp_path.iterdir()) == []


def test_a_torn_block_is_left_out(tmp_path: Path) -> None:
    log = BlockLog(tmp_path, 2**20)
    number = log.append(b"whole")
    log.append(b"torn")
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-2])
    assert BlockLog(tmp_path, 2**20).open() == [number]


def test_a_full_log_drops_the_oldest_blocks_and_counts_them(tmp_path: Path) -> None:
    log = BlockLog(tmp_path, 600_000)
    numbers = [log.append(bytes(100_000)) for _ in range(20)]
    assert log.dropped > 0
    assert log.read(numbers[0]) is None
    assert log.read(numbers[-1]) == bytes(100_000)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 1_000_000


@pytest.mark.parametrize("path", [(), ("",), tuple("abcdefghijklmnopqrs")])
def test_a_block_without_a_usable_path_is_refused(path: tuple[str, ...]) -> None:
    with pytest.raises(DecodeError):
        decode_block(encode_block(path, []))
