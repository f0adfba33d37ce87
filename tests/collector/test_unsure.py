from collector.buffer import Batch
from collector.unsure import Unsure


def test_what_is_on_the_disk_is_sure() -> None:
    unsure, batches = Unsure(), [Batch(), Batch(), Batch()]
    for log, batch in zip((10, 20, 30), batches, strict=True):
        unsure.add(batch, log)
    assert unsure.sure(9) == []
    assert unsure.sure(20) == batches[:2]
    assert unsure
    assert unsure.take_back() == batches[2:]
    assert not unsure


def test_there_is_a_bound() -> None:
    unsure = Unsure()
    for log in range(1, 100):
        unsure.add(Batch(), log)
    assert len(unsure.sure(0)) == 35
    assert len(unsure.take_back()) == 64
