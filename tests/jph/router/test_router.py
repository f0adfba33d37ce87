"""Pure decisions of a router: rules, loops, which router forwards, where unicast leads."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from jph.config.model import Endpoint, Multicast
from jph.router.election import forwards
from jph.router.guard import KEPT_S, Guard
from jph.router.relay import Place, RelayTable
from jph.router.settings import RouterSettings, Rule, network_name

TO = {
    "Control-Channel": {"Address": "239.255.78.1", "Port": 8001},
    "Data-Channel": {"Address": "239.255.78.2", "Port": 8002},
}


def settings(**keys: object) -> RouterSettings:
    return msgspec.convert({"To": TO, **keys}, RouterSettings)


def test_everything_passes_without_rules() -> None:
    assert settings().passes("TI", "i", True)
    assert settings().passes("CC", "H", False)


def test_rules_choose_by_codifier_flag_and_direction() -> None:
    made = settings(
        Pass=[{"Codifier": "T*"}, {"Flag": "NI"}],
        Block=[{"Codifier": "TX"}, {"Codifier": "TI", "Flag": "j", "Direction": "in"}],
    )
    assert made.passes("TI", "i", True)
    assert made.passes("TI", "j", True)
    assert not made.passes("TI", "j", False)
    assert not made.passes("TX", "i", True)
    assert made.passes("SH", "I", True)
    assert not made.passes("SH", "H", True)
    assert Rule(codifier="1?").holds("11", "i", True)


def test_equal_groups_are_told_apart_by_their_interfaces() -> None:
    ends = (Endpoint(address="239.1.1.1", port=1), Endpoint(address="239.1.1.2", port=2))
    one, other, third = (
        Multicast(control=ends[0], data=ends[1], interfaces={"*": name})
        for name in ("eth0", "eth1", "eth0")
    )
    assert network_name(one, other) != network_name(other, one)
    assert network_name(one, third) == network_name(third, one)


def test_a_datagram_is_new_once_in_two_seconds() -> None:
    guard = Guard()
    assert guard.is_new(1, 10.0)
    assert not guard.is_new(1, 10.0 + KEPT_S)
    assert not guard.is_new(1, 10.1 + KEPT_S)
    assert guard.is_new(1, 30.0)


def test_of_two_side_by_side_the_lowest_that_is_alive_forwards() -> None:
    links = {"R1": ("a", "b"), "R2": ("b", "a")}
    assert forwards("R1", links, {"R2"})
    assert not forwards("R2", links, {"R1"})
    assert forwards("R2", links, set())


NETWORKS = st.sampled_from("abcde")
LINKS = st.dictionaries(
    st.sampled_from([f"R{n}" for n in range(8)]),
    st.tuples(NETWORKS, NETWORKS).filter(lambda pair: pair[0] != pair[1]),
    min_size=1,
)


def reach(start: str, pairs: set[tuple[str, str]]) -> set[str]:
    found = {start}
    while more := {b for pair in pairs for a, b in (pair, pair[::-1]) if a in found} - found:
        found |= more
    return found


@given(links=LINKS, data=st.data())
def test_those_that_forward_join_what_can_be_joined_by_one_way(
    links: dict[str, tuple[str, str]], data: st.DataObject
) -> None:
    alive = data.draw(st.sets(st.sampled_from(sorted(links)), min_size=1))
    chosen = {code for code in alive if forwards(code, links, alive - {code})}
    every, tree = {links[code] for code in alive}, {links[code] for code in chosen}
    networks = {network for pair in every for network in pair}
    for network in networks:
        assert reach(network, tree) == reach(network, every)
    # A tree has as many links as networks, less one for each part.
    parts = {frozenset(reach(network, every)) for network in networks}
    assert len(chosen) == len(networks) - len(parts)


def test_an_answer_leads_back_to_the_request() -> None:
    table = RelayTable()
    table.hear("TI", False, ("10.0.0.1", 1), 0.0)
    table.hear("Q1", True, ("10.1.0.1", 1), 0.0)
    asks = Place(True, ("10.1.0.1", 9), "far", 1.0)
    asked = table.target("Q1", "TI", asks)
    assert asked is not None
    assert asked.address == ("10.0.0.1", 1)
    answer = Place(False, ("10.0.0.1", 1), "near", 1.1)
    assert table.target("TI", "Q1", answer) == asks
    # A resent reading names every node.
    assert table.target("TI", "@@", answer) == asks
    assert table.target("TI", "XX", answer._replace(outside=True)) is None
