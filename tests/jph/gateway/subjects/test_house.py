"""Panels of the page, found in the configuration."""

from collections.abc import Callable

from jph.config.house.house import House
from jph.config.model import Network
from jph.gateway.live.board import fingerprint
from tests.jph.gateway.houses import card, element, house, meter, node, shedder

Make = Callable[..., Network]


def test_phases_heaters_and_rooms(network: Make) -> None:
    found = House(network(*house()))
    first, second = found.phases
    assert (first.number, first.current, first.mask, first.subscribed) == (1, "I1", "S1", "IS")
    assert [heater.codifier for heater in first.loads] == ["11", "12"]
    assert [heater.codifier for heater in second.loads] == ["21"]
    assert found.tariff == "TP"
    assert found.power == ""
    rooms = {room.name: room for room in found.rooms}
    assert rooms["Kitchen"].thermometer == "RA"
    assert [heater.codifier for heater in rooms["Kitchen"].heaters] == ["11", "21"]
    assert rooms["Hall"].thermometer is None
    assert found.temperatures == ("C1",)


def test_a_fixed_limit_wins(network: Make) -> None:
    sensors = [*meter(("I1", "IINST1")), *shedder(1)]
    sensors[2]["Sensor"]["Phases"][0]["Limit"] = 25
    (phase,) = House(network(*sensors)).phases
    assert phase.limit_a == 25


def test_a_meter_alone_has_its_phase(network: Make) -> None:
    sensors = meter(("IA", "IINST"), ("PA", "PAPP"), ("IS", "ISOUSC"))
    found = House(network(*sensors))
    (phase,) = found.phases
    assert (phase.number, phase.current, phase.mask, phase.subscribed) == (1, "IA", "", "IS")
    assert found.power == "PA"
    assert found.rooms == ()


def test_heaters_without_a_meter(network: Make) -> None:
    sensors = [element("S2", "P2"), *card("P2", 2, ("21", "Hall"))]
    (phase,) = House(network(*sensors)).phases
    assert (phase.number, phase.current) == (2, "")


def test_no_house_at_all(network: Make) -> None:
    found = House(network(node("C1", "Pipe")))
    assert found.phases == ()
    assert found.rooms == ()
    assert found.temperatures == ()


def test_wiring_with_mistakes_shows_no_heaters(network: Make) -> None:
    sensors = card("P1", 1, ("11", "Hall"))
    sensors[0]["Sensor"]["Wires"][0]["Wire"] = 99
    assert House(network(*sensors)).phases == ()


def test_settings_of_any_shape_do_no_harm(network: Make) -> None:
    odd = [
        node("TI", "Teleinfo", Sensor={"Proxy": "I1"}),
        node("SH", "Shedding", Sensor={"Phases": [7, {"Phase": "one"}]}),
        node("P1", "PilotCard", Sensor={"Wires": 3}),
    ]
    assert House(network(*odd)).phases == ()


def test_the_fingerprint_tells_a_changed_page(network: Make) -> None:
    before = fingerprint(network(*house()))
    assert fingerprint(network(*house())) == before
    assert fingerprint(network(*house(), node("C2", "Pipe"))) != before
