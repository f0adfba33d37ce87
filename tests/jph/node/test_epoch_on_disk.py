"""The resend log of a node that has just begun: its epoch is known before the first interval."""

from collections.abc import Callable
from pathlib import Path

from jph.config.model import Network
from jph.retransmit.resend_log import ResendLog
from tests.jph.node.test_node import EAR, Ear
from tests.support import running, until


async def test_an_epoch_is_on_the_disk_soon_after_its_first_reading(
    network: Callable[..., Network], state: Path
) -> None:
    """Killed before, and heard by no receiver, it would be a gap that no program knows."""
    node = Ear("EA", network({**EAR, "Journal": {"FlushSeconds": 3600}}))
    log = ResendLog(state / "journal" / "EA", 2**20, 3600)
    async with running(node):
        log.open()
        node.send(1)

        def epochs() -> list[int]:
            log.refresh()
            return [span.epoch for span in log.lives(without=0)]

        await until(lambda: epochs() == [node._sender.epoch])
