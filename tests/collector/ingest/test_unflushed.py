from collector.ingest.buffer import Batch
from collector.ingest.unflushed import UnflushedCommits
from jph.wire.codec import Reading


def test_what_is_on_the_disk_is_sure() -> None:
    unsure, batches = UnflushedCommits(), [Batch(), Batch(), Batch()]
    for log, batch in zip((10, 20, 30), batches, strict=True):
        unsure.add(batch, log)
    assert unsure.sure(9) == []
    assert unsure.sure(20) == batches[:2]
    assert unsure
    assert unsure.take_back() == batches[2:]
    assert not unsure


def test_there_is_a_bound() -> None:
    unsure = UnflushedCommits()
    for log in range(1, 100):
        unsure.add(Batch(), log)
    assert len(unsure.sure(0)) == 35
    assert len(unsure.take_back()) == 64


def test_it_is_full_by_batches_and_by_memory() -> None:
    unsure = UnflushedCommits()
    for log in range(64):
        assert not unsure.full
        unsure.add(Batch(), log)
    assert unsure.full
    unsure.sure(63)
    text = Reading(1, 7, 1000, "s", "TI", "@@", 1, 0, "x" * 2**20)
    unsure.add(Batch([text] * 15), 70)
    assert not unsure.full
    unsure.add(Batch([text]), 71)
    assert unsure.full
    unsure.sure(71)
    assert not unsure.full
