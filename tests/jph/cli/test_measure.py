"""`measure` on a running node, and the comparison with the last time."""

from collections.abc import Callable
from pathlib import Path

import pytest

from jph.cli.commands.measure import _keep, _last, _measure
from jph.cli.terminal.context import App
from jph.config.model import load
from nodes.setpoint import Setpoint
from tests.jph.cli.programs import CONSOLE, setpoint
from tests.support import running


async def test_answers_and_messages_are_counted_and_kept(
    config_file: Callable[..., Path], state: Path
) -> None:
    config = config_file(setpoint("S1"), setpoint("S2"), CONSOLE)
    assert _last() is None
    async with running(Setpoint("S1", load(str(config)))):
        found = await _measure(App(str(config)), 1.0)
    there, away = found.nodes
    assert there.node == "S1"
    assert there.answered == there.asked > 0
    assert there.median_ms is not None
    assert there.received > 1
    assert (away.node, away.answered) == ("S2", 0)
    _keep(found)
    assert _last() == found
    (state / "measure.json").write_text("{}")
    assert _last() is None


def test_a_damaged_file_is_no_last_time(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state.mkdir(exist_ok=True)
    (state / "measure.json").write_text("no JSON")
    assert _last() is None
