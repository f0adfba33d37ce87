"""A node whose newer instance falls silent is started again."""

import asyncio
from pathlib import Path

import pytest

from jph.cli.supervise import supervisor as module
from jph.cli.supervise.supervisor import Supervisor
from jph.config.model import Sensor
from jph.errors import DuplicateInstance
from jph.wire.codec import EVERY_NODE, Control, Flag
from tests.support import until


async def test_a_replaced_node_is_started_again_when_its_successor_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LEAST_SILENCE_S", 0.2)
    sensor = Sensor(codifier="TI", type="Teleinfo", keep_alive_interval=0.05)
    said: list[str] = []
    supervisor = Supervisor([sensor], {}, tmp_path, said.append)
    part = supervisor.parts["TI"]
    lives: list[float] = []
    forever = asyncio.Event()

    async def live() -> int:
        lives.append(asyncio.get_running_loop().time())
        if len(lives) == 1:
            return DuplicateInstance.exit_status
        await forever.wait()
        return 0

    monkeypatch.setattr(part, "live", live)
    supervisor.start("TI")
    await until(lambda: supervisor.deserted)
    alive = Control(1, 9, 5, Flag.ALIVE, "TI", EVERY_NODE, 1, 0.0, True)
    heard_s = asyncio.get_running_loop().time()
    supervisor.hear(alive)
    await until(lambda: len(lives) == 2)
    assert lives[1] - heard_s >= 0.19
    assert not supervisor.deserted
    assert any("silent; started again here" in line for line in said)
    forever.set()
    await supervisor.stop()
