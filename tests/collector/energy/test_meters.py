from collections.abc import Callable
from typing import Any

from collector.energy.meters import Index, Phase, has_periods, indexes, phases
from jph.config.model import Network, load
from tests.support import REPOSITORY

MakeNetwork = Callable[..., Network]


def meter(*fields: tuple[str, str], code: str = "TI") -> dict[str, Any]:
    proxy = [{"Codifier": codifier, "Field": field} for codifier, field in fields]
    return {"Codifier": code, "Type": "Teleinfo", "Sensor": {"Proxy": proxy}}


def test_the_demo_house() -> None:
    network = load(str(REPOSITORY / "static" / "config.json"))
    assert [index[:3] for index in indexes(network)] == [("X1", "HC", "TI"), ("X2", "HP", "TI")]
    found = phases(network)
    assert [phase.codifiers[:4] for phase in found] == [
        ("I1", "IS", "W1", "S1"),
        ("I2", "IS", "W2", "S2"),
        ("I3", "IS", "W3", "S3"),
    ]
    assert [phase.apparent for phase in found] == ["", "", ""]  # PA is that of all three


def test_labels_and_fields_are_the_same(network: MakeNetwork) -> None:
    labels = network(meter(("X1", "BBRHCJB"), ("X2", "EJPHPM"), ("AD", "ADCO"), ("XT", "EAST")))
    assert indexes(labels) == [
        Index("X1", "HCJB", "TI", "AD"),
        Index("X2", "PM", "TI", "AD"),
        Index("XT", "TOTAL", "TI", "AD"),
    ]
    assert indexes(network(meter(("X1", "EASF01"), ("XI", "INDEX_INJECTED")))) == [
        Index("XI", "INJECTED", "TI", ""),
        Index("X1", "EASF01", "TI", ""),
    ]


def test_a_numbered_index_is_a_period_of_its_own_but_not_a_named_one_again(
    network: MakeNetwork,
) -> None:
    def periods(*fields: tuple[str, str]) -> list[str]:
        return [index.period for index in indexes(network(meter(*fields)))]

    named = ("X1", "INDEX_HC"), ("X2", "INDEX_HP"), ("XT", "INDEX_TOTAL")
    assert periods(*named, ("X3", "EASF03")) == ["HC", "HP", "TOTAL", "EASF03"]
    assert periods(*named, ("X3", "EASF02")) == ["HC", "HP", "TOTAL"]
    assert periods(*named, ("X3", "INDEX_HEURE_WEEK_END")) == [
        "HC",
        "HP",
        "TOTAL",
        "HEURE_WEEK_END",
    ]
    assert has_periods(network(meter(("XT", "INDEX_TOTAL"), ("X3", "EASF03"))), "TI")
    assert not has_periods(network(meter(("XT", "INDEX_TOTAL"), ("XI", "INDEX_INJECTED"))), "TI")


def test_one_phase_has_the_power_of_the_house(network: MakeNetwork) -> None:
    single = network(meter(("I1", "IINST"), ("PA", "PAPP"), ("IS", "ISOUSC"), ("W1", "ADPS")))
    assert phases(single) == [Phase(1, "I1", "IS", "W1", "", "PA")]


def test_power_by_phase_is_better_than_none(network: MakeNetwork) -> None:
    three = network(meter(("I1", "IRMS1"), ("I2", "IRMS2"), ("V1", "SINSTS1"), ("PA", "SINSTS")))
    assert [phase.apparent for phase in phases(three)] == ["V1", ""]


def test_what_has_the_wrong_shape_is_left_to_its_kind(network: MakeNetwork) -> None:
    broken = {"Codifier": "TI", "Type": "Teleinfo", "Sensor": {"Proxy": [7, {"Codifier": "X1"}]}}
    shedder = {"Codifier": "SH", "Type": "Shedding", "Sensor": {"Phases": {"1": "S1"}}}
    odd = network(broken, shedder)
    assert (indexes(odd), phases(odd)) == ([], [])
