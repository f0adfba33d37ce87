"""The model of the house: one reading of other kinds' settings for all programs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jph.config.house.house import House
from jph.config.model import Network, load
from tests.jph.heating.explain.tellinghouse import telling_house
from tests.support import REPOSITORY

MakeNetwork = Callable[..., Network]


def shedder_with(network: Network, **settings: object) -> Network:
    sensors = [
        msgspec.structs.replace(s, sensor={**s.sensor, **settings}) if s.codifier == "SH" else s
        for s in network.sensors
    ]
    return msgspec.structs.replace(network, sensors=sensors)


def test_every_element_has_its_meaning() -> None:
    house = House(telling_house())
    found = house.watched()
    first, second = found[1], found[2]
    assert (first.mask, first.current, first.warning, first.limit_a) == ("S1", "I1", "", 30)
    assert (second.mask, second.current, second.warning, second.limit_a) == ("S2", "I2", "W2", None)
    assert (first.explain, second.explain) == ("E1", "E2")  # by their digit: the config names none
    assert (first.shedder, first.subscribed) == ("SH", "IS")
    assert house.states == {"K1": "P1"}


def test_an_element_named_in_the_phase_counts_before_its_digit() -> None:
    phases = [{"Phase": 1, "Codifier": "S1", "Current": "I1", "Limit": 30, "Explain": "E2"}]
    assert House(shedder_with(telling_house(), Phases=phases)).watched()[1].explain == "E2"


def test_entries_with_mistakes_are_left_out() -> None:
    odd = [{"Phase": 1, "Codifier": 7, "Current": None, "Limit": "30"}]
    for phases in (None, 3, ["x"], [{"Phase": 9}], [{"Codifier": "S1"}], odd):
        assert House(shedder_with(telling_house(), Phases=phases)).watched() == {}


def test_of_several_shedders_the_first_of_a_phase_counts(network: MakeNetwork) -> None:
    def shedder(code: str, current: str) -> dict[str, Any]:
        phase = {"Phase": 1, "Codifier": f"{code[0]}1", "Current": current, "Limit": 30}
        return {"Codifier": code, "Type": "Shedding", "Sensor": {"Phases": [phase], "Rank": 2}}

    house = House(network(shedder("SA", "I1"), shedder("SB", "I2")))
    assert [(s.codifier, s.rank) for s in house.shedders] == [("SA", 2), ("SB", 2)]
    assert house.watched()[1].current == "I1"


def test_the_demo_house_has_cards_and_loads() -> None:
    house = House(load(str(REPOSITORY / "static" / "config.json")))
    assert {card.address for card in house.cards} == {32, 33, 34}
    assert {load.actuator.card for load in house.phases[0].loads} == {"P1"}


@pytest.mark.parametrize("folder", ["jph", "nodes", "collector"])
def test_no_other_module_reads_these_keys_by_name(folder: str) -> None:
    """`House` is the only place that knows the config keys of meter, shedder and card."""
    keys = ("Shed", "Wires", "Subscribed", "Phases", "Proxy", "Rank")
    wrong = [
        f"{path.relative_to(REPOSITORY)}: {key}"
        for path in Path(REPOSITORY / folder).rglob("*.py")
        if path.parent.name != "house" or path.parent.parent.name != "config"
        for key in keys
        if f'.get("{key}"' in path.read_text() or f'sensor["{key}"]' in path.read_text()
    ]
    assert wrong == []
