"""Expressions on a real bus: values, orders with rights, mistakes in the config."""

from collections.abc import Callable
from typing import Any

import pytest

from jph.config.model import Network
from jph.errors import ConfigError
from nodes.controlprogram import ListeningProgram, on_bus
from nodes.expression import Expression
from nodes.setpoint import Setpoint
from tests.support import running, until

MakeNetwork = Callable[..., Network]
CONSOLE = {"Codifier": "CC", "Type": "ControlProgram"}


def house(**output: Any) -> list[dict[str, Any]]:
    """Return a set point A1, a set point FK that obeys, and an expression over A1."""
    described = {"Codifier": "E1", "Value": "A1 * 2", **output}
    return [
        {"Codifier": "A1", "Type": "Setpoint", "Control": "enabled", "SensorInterval": 0.05,
         "Sensor": {"Default": 5}},
        {"Codifier": "FK", "Type": "Setpoint", "Control": "enabled", "SensorInterval": 0.05},
        {"Codifier": "E1", "Type": "Expression", "SensorInterval": 0.05,
         "Sensor": {"Fresh": 60, "Outputs": [described]}},
        CONSOLE,
    ]  # fmt: skip


async def test_values_follow_their_inputs_and_orders_are_obeyed(network: MakeNetwork) -> None:
    made = network(*house(Set="FK", Max=100))
    heard: dict[str, Any] = {}
    nodes = (Setpoint("A1", made), Setpoint("FK", made), Expression("E1", made))
    async with on_bus(ListeningProgram("CC", made)) as console:
        console.read = lambda readings: heard.update(
            {r.source: r.value for r in readings if r.flag != "n"}
        )
        async with running(*nodes):
            await until(lambda: heard.get("E1") == 10.0 and heard.get("FK") == 10.0)
            console.send_control("A", "A1", 70.0)
            await until(lambda: heard.get("E1") == 100.0 and heard.get("FK") == 100.0)


@pytest.mark.parametrize(
    ("output", "path", "message"),
    [
        ({"Value": "ZZ + 1"}, "Value", "column 1: ZZ is not in Sensors"),
        ({"Else": ["1 +"]}, r"Else\[0\]", "column"),
        ({"Value": "A1 == 1 and A1"}, "Value", "compare it"),
        ({"Set": "ZZ"}, "Set", "no codifier"),
        ({"Set": "CC"}, "Set", "takes no orders"),
        ({"Codifier": "E2"}, "Codifier", "no element E2"),
    ],
)
def test_mistakes_have_their_place(
    network: MakeNetwork, output: dict[str, Any], path: str, message: str
) -> None:
    problems = Expression.check_network(network(*house(**output)))
    assert any(path.replace("\\", "") in p.path and message in p.message for p in problems)


@pytest.mark.parametrize("outputs", [[], [{"Codifier": "E1", "Value": "1"}] * 2])
def test_settings_that_cannot_be(network: MakeNetwork, outputs: list[Any]) -> None:
    entry = {"Codifier": "E1", "Type": "Expression", "Sensor": {"Outputs": outputs}}
    with pytest.raises(ConfigError):
        Expression("E1", network(entry))
