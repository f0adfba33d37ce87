"""References of a configuration: each kind of mistake, and a house without any."""

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from jph.config import references
from jph.errors import ConfigError
from jph.node import kinds

Document = dict[str, Any]
HOUSE: list[Document] = [
    {
        "Codifier": "TI",
        "Type": "Teleinfo",
        "Sensor": {
            "Device": "/dev/ttyS0",
            "Proxy": [
                {"Codifier": "I1", "Field": "CURRENT_1"},
                {"Codifier": "I2", "Field": "IINST2"},
                {"Codifier": "PA", "Field": "PAPP"},
                {"Codifier": "IS", "Field": "SUBSCRIBED_CURRENT"},
            ],
        },
    },
    *(
        {"Codifier": code, "Type": "Proxy", "Name": code, "Sensor": {"Codifier": node}}
        for node, codes in (("TI", "I1 I2 PA IS"), ("P1", "11 K1"), ("SH", "S1 S2 E1"))
        for code in codes.split()
    ),
    {
        "Codifier": "P1",
        "Type": "PilotCard",
        "Sensor": {
            "Bus": 1,
            "Wires": [{"Codifier": "11", "Wire": 1, "Phase": 1}],
            "Shed": {"1": "S1"},
            "Meter": {"1": "I1"},
            "State": "K1",
        },
    },
    {
        "Codifier": "SH",
        "Type": "Shedding",
        "Sensor": {
            "Phases": [
                {"Phase": 1, "Codifier": "S1", "Current": "I1", "Explain": "E1"},
                {"Phase": 2, "Codifier": "S2", "Current": "I2"},
            ],
            "Subscribed": "IS",
        },
    },
    {"Codifier": "R1", "Type": "jphRedis"},
    {"Codifier": "CF", "Type": "Gateway", "Sensor": {"Address": "0.0.0.0"}},
]


def put(house: list[Document], code: str, path: str, value: object) -> None:
    """Set one key of the settings of a node; a number in the path is an index."""
    *way, last = path.split(".")
    target: Any = next(each for each in house if each["Codifier"] == code)["Sensor"]
    for step in way:
        target = target[int(step) if step.isdigit() and isinstance(target, list) else step]
    target[last] = value


Examine = Callable[..., list[tuple[str, str]]]


@pytest.fixture
def examine(document: Callable[..., Document]) -> Examine:
    """Return the mistakes of a house."""

    def check(house: list[Document], **top_level: Any) -> list[tuple[str, str]]:
        raw = json.dumps(document(*house, **top_level)).encode()
        try:
            kinds.parse(raw, "config", references_too=True)
        except ConfigError as error:
            return [(problem.path, problem.message) for problem in error.problems]
        return []

    return check


def test_a_good_house_has_no_mistake(examine: Examine) -> None:
    assert examine(HOUSE) == []


@pytest.mark.parametrize(
    ("code", "path", "value", "where", "text"),
    [
        ("SH", "Phases.0.Current", "I9", "Phases[S1].Current", "no codifier 'I9'"),
        ("SH", "Phases.0.Current", "PA", "Phases[S1].Current", "in A, but PA (PA) is in VA"),
        ("SH", "Phases.0.Current", "I2", "Phases[S1].Current", "the current of phase 2, not 1"),
        ("SH", "Subscribed", "I8", "Subscribed", "no codifier 'I8' in Sensors (near: "),
        ("SH", "Subscribed", "PA", "Subscribed", "in A, but PA (PA) is in VA"),
        ("SH", "Phases.0.Codifier", "S7", "Phases[S7].Codifier", "no element S7 of SH"),
        ("SH", "Phases.0.Explain", "K1", "Phases[S1].Explain", "no element K1 of SH"),
        ("P1", "Shed", {"1": "S9"}, "Shed.1", "no codifier 'S9'"),
        ("P1", "Shed", {"1": "I1"}, "Shed.1", "no shedder sends I1"),
        ("P1", "Shed", {"1": "S2"}, "Shed.1", "S2 is the mask of phase 2, not 1"),
        ("P1", "Meter", {"1": "Z1"}, "Meter.1", "no codifier 'Z1'"),
        ("P1", "Meter", {"1": "PA"}, "Meter.1", "in A, but PA"),
        ("P1", "State", "E1", "State", "no element E1 of P1"),
        ("TI", "Proxy.2.Field", "PAP", "Proxy[PA].Field", "did you mean PAPP"),
        ("TI", "Proxy.0.Field", "CURENT_1", "Proxy[I1].Field", "did you mean CURRENT_1"),
        ("TI", "Proxy.0.Codifier", "I3", "Proxy[I3].Codifier", "no element I3 of TI"),
        ("TI", "Proxy.1.Codifier", "I1", "Proxy[I1].Codifier", "more than one Field"),
    ],
)
def test_a_reference_that_leads_nowhere(
    examine: Examine, code: str, path: str, value: object, where: str, text: str
) -> None:
    house = deepcopy(HOUSE)
    put(house, code, path, value)
    found = dict(examine(house))
    assert text in found[f"Sensors[{code}].Sensor.{where}"]


def test_a_current_that_the_meter_does_not_send(examine: Examine) -> None:
    house = deepcopy(HOUSE)
    del house[0]["Sensor"]["Proxy"][0]
    found = dict(examine(house))
    text = "I1 is never sent: no Proxy entry of TI has it"
    assert found["Sensors[SH].Sensor.Phases[S1].Current"] == text
    assert found["Sensors[P1].Sensor.Meter.1"] == text


def test_all_mistakes_are_reported_at_once(examine: Examine) -> None:
    house = deepcopy(HOUSE)
    put(house, "SH", "Phases.0.Current", "I9")
    put(house, "SH", "Subscribed", "I8")
    put(house, "P1", "Shed", {"1": "S9"})
    put(house, "TI", "Proxy.2.Field", "PAP")
    house.append({"Codifier": "bad", "Type": "Proxy", "Sensor": {"Codifier": "TI"}})
    assert len(examine(house)) == 5


def test_two_meters_on_one_port(examine: Examine) -> None:
    second = {"Codifier": "TJ", "Type": "Teleinfo", "Sensor": {"Device": "/dev/ttyS0"}}
    [(path, text)] = examine([*HOUSE, second])
    assert (path, text) == ("Sensors[TJ].Sensor.Device", "/dev/ttyS0 belongs to TI already")
    apart = {"attic": ["TI"], "cellar": ["TJ"]}
    assert examine([*HOUSE, second], Hosts=apart) == []


def test_a_second_meter_needs_a_name_in_each_tariff(examine: Examine) -> None:
    second = {"Codifier": "TJ", "Type": "Teleinfo", "Sensor": {"Device": "/dev/ttyS1"}}
    tariff = {
        "Name": "Blue",
        "From": "2026-01-01",
        "Power": "9",
        "Subscription": {"9": "15"},
        "Prices": {"BASE": "0.2"},
    }
    assert examine(HOUSE, Tariffs=[tariff]) == []
    [(path, text)] = examine([*HOUSE, second], Tariffs=[tariff])
    assert path == "Tariffs[Blue].Meter"
    assert "there are 2 meters: expected TI or TJ" in text
    [(path, text)] = examine(HOUSE, Tariffs=[{**tariff, "Meter": "TX"}])
    assert "no meter 'TX' in Sensors (meters: TI)" in text


def test_several_machines(examine: Examine) -> None:
    [(path, text)] = examine(HOUSE, Hosts={"pi": ["TI", "SH"], "nas": ["TI"]})
    assert path == "Hosts.pi"
    assert "TI would run on nas and pi" in text
    [(path, text)] = examine(HOUSE, Hosts={"pi": ["R1"], "nas": ["CF"]})
    assert path == "Redis.URL"
    assert "R1 runs on pi and CF on nas" in text
    store = {"URL": "redis://nas:6379/0"}
    assert examine(HOUSE, Hosts={"pi": ["R1"], "nas": ["CF"]}, Redis=store) == []


def test_doubts_of_several_machines(network: Callable[..., Any]) -> None:
    local = [{**each, "Sensor": {}} if each["Codifier"] == "CF" else each for each in HOUSE]
    made = network(*local, Hosts={"pi": ["TI"], "nas": ["CF"]}, Security={"Keys": []})
    assert [problem.path for problem in references.doubts(made)] == [
        "Security",
        "Sensors[CF].Sensor.Address",
        "Multicast.TTL",
        "Multicast.Interfaces",
        "Multicast.Interfaces",
    ]
    assert list(references.doubts(network(*HOUSE))) == []
    named = deepcopy(HOUSE)
    put(named, "CF", "Address", "127.0.0.1")
    put(named, "CF", "Hosts", ["house.example"])
    [doubt] = references.doubts(network(*named))
    assert "its Hosts names house.example" in doubt.message
