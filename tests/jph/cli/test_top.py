"""`top` on a running node: one window as JSON and as a table."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from jph.cli.commands.top import _top
from jph.cli.terminal.context import App
from jph.config.model import load
from nodes.setpoint import Setpoint
from tests.jph.cli.programs import CONSOLE, setpoint
from tests.support import running


async def test_a_node_is_in_the_table_with_its_rate(
    config_file: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    config = config_file(setpoint("S1", "Bath"), CONSOLE)
    async with running(Setpoint("S1", load(str(config)))):
        for as_json in (True, False):
            with pytest.raises(SystemExit) as ended:
                await _top(App(str(config)), True, 1.0, "rate", None, as_json)
            assert ended.value.code == 0
            await asyncio.sleep(0)
    first, *lines = capsys.readouterr().out.splitlines()
    (talker,) = [each for each in msgspec.json.decode(first) if each["bus"] == "data"]
    assert (talker["source"], talker["name"]) == ("S1", "Bath")
    assert talker["rate"] > 1
    assert lines[0].endswith("in 1 s")
    assert any(line.startswith("S1") and "Bath" in line and "data" in line for line in lines)
