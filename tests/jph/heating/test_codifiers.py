import msgspec

from jph.config.model import Network
from jph.heating.codifiers import roles
from tests.jph.heating.tellinghouse import telling_house


def shedder_with(network: Network, **settings: object) -> Network:
    sensors = [
        msgspec.structs.replace(s, sensor={**s.sensor, **settings}) if s.codifier == "SH" else s
        for s in network.sensors
    ]
    return msgspec.structs.replace(network, sensors=sensors)


def test_every_element_has_its_role() -> None:
    found = roles(telling_house())
    first, second = found.phases[1], found.phases[2]
    assert (first.mask, first.current, first.warning, first.limit) == ("S1", "I1", "", 30)
    assert (second.mask, second.current, second.warning, second.limit) == ("S2", "I2", "W2", None)
    assert (first.story, second.story) == ("E1", "E2")  # by their digit: the config names none
    assert (first.shedder, first.subscribed) == ("SH", "IS")
    assert found.ledgers == {"K1": "P1"}


def test_an_element_named_in_the_phase_counts_before_its_digit() -> None:
    phases = [{"Phase": 1, "Codifier": "S1", "Current": "I1", "Limit": 30, "Story": "E2"}]
    assert roles(shedder_with(telling_house(), Phases=phases)).phases[1].story == "E2"


def test_what_has_no_shape_is_passed_over() -> None:
    for phases in (None, 3, ["x"], [{"Phase": 9}], [{"Codifier": "S1"}]):
        assert roles(shedder_with(telling_house(), Phases=phases)).phases == {}
    odd = [{"Phase": 1, "Codifier": 7, "Current": None, "Limit": "30"}]
    phase = roles(shedder_with(telling_house(), Phases=odd)).phases[1]
    assert (phase.mask, phase.current, phase.limit) == ("", "", None)
