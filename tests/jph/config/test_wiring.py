from typing import Any

import pytest

from jph.config.house.loads import ECO_SHIFT, Wiring, ceilings, wiring
from jph.config.model import Endpoint, Multicast, Network, Sensor
from jph.errors import ConfigError
from jph.heating.orders.coding import Order

CHANNELS = Multicast(
    control=Endpoint(address="239.255.77.1", port=7001),
    data=Endpoint(address="239.255.77.2", port=7002),
)


def wire(codifier: str, number: int, phase: int = 1, **more: Any) -> dict[str, Any]:
    return {"Codifier": codifier, "Wire": number, "Phase": phase, **more}


def network(cards: dict[str, list[dict[str, Any]]], **settings: dict[str, Any]) -> Network:
    sensors = []
    for address, (card, wires) in enumerate(cards.items(), 0x20):
        table = {"Bus": 1, "Address": address, "Wires": wires} | settings.get(card, {})
        sensors.append(Sensor(codifier=card, type="PilotCard", sensor=table))
        sensors += [
            Sensor(codifier=entry["Codifier"], type="Proxy", sensor={"Codifier": card})
            for entry in wires
            if isinstance(entry.get("Codifier"), str)
        ]
    return Network(multicast=CHANNELS, sensors=sensors)


def problems(of: Network) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        wiring(of)
    assert caught.value.exit_status == 2
    return [str(problem) for problem in caught.value.problems]


HOUSE = network(
    {
        "P2": [wire("21", 1, 2), wire("1A", 2, 1, Watts=1500, Priority=3, Room="Bath")],
        "P1": [wire("12", 8, 1), wire("11", 1, 1, Name="left")],
    }
)


def test_bits_follow_the_codifiers_of_a_phase_across_cards() -> None:
    house = wiring(HOUSE)
    assert [(h.codifier, h.actuator.card, h.bit) for h in house.phases[1]] == [
        ("11", "P1", 0),
        ("12", "P1", 1),
        ("1A", "P2", 2),
    ]
    assert [h.bit for h in house.phases[2]] == [0]
    assert [h.codifier for h in house.card("P2")] == ["1A", "21"]
    assert house.heaters["1A"].watts == 1500
    assert str(house.heaters["1A"]) == "1A (Bath)"
    assert str(house.heaters["12"]) == "12"


def test_masks_and_back() -> None:
    house = wiring(HOUSE)
    assert house.mask(1, ["11", "1A", "21", "ZZ"]) == 0b101
    assert house.held(1, 0xFFFF_FFF4) == {"1A": Order.OFF}
    assert house.mask(3, ["11"]) == 0
    assert house.held(3, 1) == {}


def test_masks_have_a_gentler_stage() -> None:
    house = wiring(HOUSE)
    mask = house.mask(1, ["11"], eco=["11", "12", "21"])
    assert mask == 1 | 1 << ECO_SHIFT + 1
    assert ceilings(house.phases[1], mask) == {"11": Order.OFF, "12": Order.ECO}
    assert house.held(1, mask) == {"11": Order.OFF, "12": Order.ECO}
    last = house.phases[1][0]._replace(bit=31)
    assert Wiring([last]).mask(1, [], eco=["11"]) == 1 << 31  # an i64 holds no bit 63


def test_what_a_wire_may_carry() -> None:
    house = wiring(
        network({"P1": [wire("11", 1, SolidState=True, PowerOn="confort-1"), wire("12", 2)]})
    )
    assert house.heaters["11"].actuator.power_on is Order.COMFORT_1
    assert house.heaters["11"].takes(Order.COMFORT_2)
    assert house.heaters["12"].actuator.power_on is None
    assert not house.heaters["12"].takes(Order.COMFORT_1)
    assert house.heaters["12"].takes(Order.ECO)


def test_elements_beside_the_order() -> None:
    wires = [wire("11", 1, Applied="A1", Verified="A2"), wire("12", 2)]
    good = network({"P1": wires})
    good.sensors.extend(
        Sensor(codifier=code, type="Proxy", sensor={"Codifier": "P1"}) for code in ("A1", "A2")
    )
    heater = wiring(good).heaters["11"]
    assert (heater.actuator.applied, heater.actuator.verified) == ("A1", "A2")
    wires[1]["Applied"] = "A2"
    wires[1]["Verified"] = "11"
    assert problems(good) == [
        "Sensors[P1].Sensor.Wires[11]: element A2 has more than one meaning",
        "Sensors[P1].Sensor.Wires[12]: element A2 has more than one meaning",
        "Sensors[P1].Sensor.Wires[12]: element 11 has more than one meaning",
    ]
    wires[1]["Applied"] = wires[1]["Verified"] = "ZZ"
    assert 'expected a sensor ZZ of Type "Proxy" and parent P1' in problems(good)[0]


def test_no_card_is_an_empty_house() -> None:
    empty = wiring(Network(multicast=CHANNELS, sensors=[]))
    assert not empty.heaters
    assert isinstance(empty, Wiring)


@pytest.mark.parametrize(
    ("wires", "expected"),
    [
        ([wire("11", 1), wire("12", 1)], "P1].Sensor.Wires[12]: wire 1 already has heater 11"),
        ([wire("11", 1), wire("11", 2)], "Wires[11]: heater 11 is already on wire 1 of P1"),
        ([{"Codifier": "11", "Wire": 1}], "Wires[11].Phase: missing; expected a whole number"),
        ([wire("11", 9)], "Wires[11]: Wire: expected 1 to 8, found 9"),
        ([wire("11", 1, 4)], "Wires[11]: Phase: expected 1, 2 or 3, found 4"),
        ([wire("11", 1, Watt=1500)], "unknown key; did you mean 'Watts'?"),
        ([wire("11", 1, Watts=-5)], "Watts: expected more than 0, found -5"),
        ([wire("11", 1, PowerOn="warm")], "PowerOn: 'warm' is no order; the orders are comfort, o"),
        ([wire("11", 1, PowerOn="comfort-2")], "PowerOn: comfort-2 needs a wire with SolidState"),
        ([wire("11", 1, Watts="much")], "Wires[11].Watts: expected"),
    ],
)
def test_one_mistake(wires: list[dict[str, Any]], expected: str) -> None:
    assert [text for text in problems(network({"P1": wires})) if expected in text]


def test_every_mistake_is_told_at_once() -> None:
    wires = [wire("11", 0), wire("12", 2), wire("13", 2), {"Codifier": "14", "Wire": 3}]
    assert len(problems(network({"P1": wires}))) == 3


def test_a_heater_is_an_element_of_its_card() -> None:
    stranger = Network(multicast=CHANNELS, sensors=HOUSE.sensors[:1])
    told = problems(stranger)
    assert len(told) == 2
    assert 'expected a sensor 21 of Type "Proxy" and parent P2' in told[0]


def test_two_cards_on_one_chip() -> None:
    shared = network({"P1": [wire("11", 1)], "P2": [wire("21", 1)]}, P2={"Address": 0x20})
    told = ["Sensors[P2].Sensor.Address: the chip at 32 of bus 1 belongs to P1"]
    assert problems(shared) == told


def test_a_phase_without_its_mask() -> None:
    missing = network({"P1": [wire("11", 1, 2)]}, P1={"Shed": {"1": "S1"}})
    assert problems(missing) == [
        "Sensors[P1].Sensor.Wires[11]: phase 2 has no mask in this card's Shed"
    ]


def test_wires_that_are_no_list() -> None:
    odd = Sensor(codifier="P1", type="PilotCard", sensor={"Wires": 5})
    assert problems(Network(multicast=CHANNELS, sensors=[odd])) == [
        "Sensors[P1].Sensor.Wires: expected a list of wires"
    ]


def test_more_heaters_than_a_mask_has_bits() -> None:
    names = [f"{a}{b}" for a in "ABCDE" for b in "12345678"][:33]
    cards = {
        f"P{i}": [wire(code, j + 1) for j, code in enumerate(names[8 * i : 8 * i + 8])]
        for i in range(5)
    }
    assert problems(network(cards)) == ["Sensors: phase 1 has 33 heaters, a mask holds 32"]
