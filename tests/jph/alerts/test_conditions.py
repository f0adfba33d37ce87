"""Each condition from the readings and messages that show it."""

import math

import msgspec
import pytest

from jph.alerts.conditions import Conditions, Limits
from jph.alerts.observer import Observer
from jph.alerts.rules import Condition
from jph.config.house.house import House
from jph.config.house.orders import Order
from jph.config.model import Network, Sensor
from jph.wire.codec import Control, Flag, Quality, Reading, Value
from tests.jph.heating.explain.tellinghouse import telling_house

AT_MS = 1_795_000_000_000


class Stage:
    """A house whose parts speak unless a test makes them silent."""

    def __init__(self) -> None:
        base = telling_house()
        heater = next(iter(House(base).wiring.heaters.values()))
        extra = [
            Sensor(codifier="K0", type="Files", name="Sensors"),
            Sensor(codifier="Q1", type="jphPostgreSQL", name="History"),
            Sensor(codifier="WN", type="Proxy", sensor={"Codifier": "K0"}),
            Sensor(codifier="TH", type="Proxy", symbol="°C", sensor={"Codifier": "K0"}),
        ]
        sensors = [*base.sensors, *extra]
        rooms = [
            {
                "Codifier": "RM",
                "Name": "Hall",
                "Thermometers": ["TH"],
                "Windows": ["WN"],
                "Heaters": [heater.codifier],
            }
        ]
        self.heater = heater.codifier
        self.network: Network = msgspec.structs.replace(base, sensors=sensors, rooms=rooms)
        self.house = House(self.network)
        self.observer = Observer(self.network, 0.0)
        self.clocks: dict[str, float] = {}
        self.backup_age_s: float | None = None
        self.silent: set[str] = set()

    def says(self, code: str, value: Value, quality: int = Quality.GOOD) -> None:
        self.observer.hear_data([Reading(1, 9, AT_MS, "d", code, "@@", 1, quality, value)], 100.0)

    def lives(self, code: str, *, disk_full: bool = False, not_storing: bool = False) -> None:
        message = Control(1, 9, AT_MS, Flag.ALIVE, code, "@@", 1, float(AT_MS), True)
        message = message._replace(disk_full=disk_full, not_storing=not_storing)
        self.observer.hear_control(message, 100.0)

    def found(self) -> set[tuple[str, str]]:
        return {(c.rule, c.subject) for c in self.conditions()}

    def conditions(self) -> list[Condition]:
        conditions = Conditions(self.network, Limits())
        found = conditions.now(self.observer, 100.5, self.clocks, self.backup_age_s)
        return list(found)


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    for node in stage.network.nodes():
        stage.lives(node.codifier)
    for phase in stage.house.phases:
        for code in (phase.current, phase.mask):
            if code:
                stage.says(code, 1.0)
    for card in stage.house.cards:
        stage.says(card.codifier, 0.0)
    return stage


def test_a_healthy_house_has_none(stage: Stage) -> None:
    assert stage.found() == set()


def test_a_phase_above_its_limit(stage: Stage) -> None:
    phase = next(p for p in stage.house.phases if p.current and p.smaller_limit(None))
    stage.says(phase.current, (phase.limit_a or 0) + 1)
    assert stage.found() == {("overrun", str(phase.number))}
    (only,) = stage.conditions()
    assert only.text.format(**only.values).startswith(f"Phase {phase.number} draws")
    stage.says(phase.current, (phase.limit_a or 0) + 1, Quality.IMPLAUSIBLE)
    assert ("overrun", str(phase.number)) not in stage.found()


def test_a_silent_meter_and_a_dead_card() -> None:
    fresh = Stage()
    for node in fresh.network.nodes():
        fresh.lives(node.codifier)
    rules = {rule for rule, _ in fresh.found()}
    assert {"blind", "card"} <= rules


def test_a_store_that_does_not_write(stage: Stage) -> None:
    stage.lives("Q1", not_storing=True)
    assert stage.found() == {("store", "Q1")}


def test_a_full_disk_and_a_clock_that_is_off(stage: Stage) -> None:
    node = stage.network.nodes()[0].codifier
    stage.lives(node, disk_full=True)
    stage.clocks = {node: 40.0}
    assert stage.found() == {("disk", node), ("clock", node)}


def test_a_cold_room(stage: Stage) -> None:
    stage.says("TH", 11.5)
    assert stage.found() == {("cold", "TH")}
    assert stage.conditions()[0].values == {"room": "Hall", "celsius": "11.5"}
    stage.says("TH", 12.5)
    assert stage.found() == set()


@pytest.mark.parametrize(
    ("window", "order", "wrong"),
    [
        (1.0, Order.COMFORT, True),
        (1.0, Order.ECO, True),
        (1.0, Order.FROST, False),
        (1.0, Order.OFF, False),
        (0.0, Order.COMFORT, False),
    ],
)
def test_an_open_window_with_its_heating_on(
    stage: Stage, window: float, order: Order, wrong: bool
) -> None:
    stage.says("WN", window)
    stage.says(stage.heater, float(order))
    assert stage.found() == ({("window", "RM")} if wrong else set())


@pytest.mark.parametrize(("days", "wrong"), [(7.0, False), (9.0, True), (math.inf, True)])
def test_an_old_backup(stage: Stage, days: float, wrong: bool) -> None:
    stage.backup_age_s = days * 86_400
    assert stage.found() == ({("backup", "")} if wrong else set())
    assert all(c.text.format(**c.values) for c in stage.conditions())
