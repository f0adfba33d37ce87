"""The plan of `up`, decided from configs alone."""

from collections.abc import Callable

import pytest

from jph.cli.supervise.plan import address_of, gateway_of, parts_here, stores_needed
from jph.config.model import Network
from jph.errors import ConfigError
from tests.jph.cli.programs import CONSOLE, element, setpoint

MakeNetwork = Callable[..., Network]
KNOWN = frozenset({"Setpoint", "Gateway", "jphRedis", "jphPostgreSQL", "ControlProgram"})
HOUSE = (
    setpoint("SP"),
    element("EL", "SP"),
    {"Codifier": "XX", "Type": "ZwavePower"},
    {"Codifier": "CF", "Type": "Gateway"},
    {"Codifier": "Q1", "Type": "jphPostgreSQL"},
    CONSOLE,
)
SQL = {"Database": "sensors", "User": "jph"}


def codes(network: Network, host: str = "pi") -> list[str]:
    return [sensor.codifier for sensor in parts_here(network, host, KNOWN)]


def test_without_hosts_all_kinds_that_are_here(network: MakeNetwork) -> None:
    assert codes(network(*HOUSE)) == ["SP", "CF", "Q1"]


@pytest.mark.parametrize("host", ["pi", "pi.lan"])
def test_hosts_chooses(network: MakeNetwork, host: str) -> None:
    assert codes(network(*HOUSE, Hosts={"pi": ["CF"], "nas": ["Q1"]}), host) == ["CF"]


def test_hosts_for_every_machine(network: MakeNetwork) -> None:
    assert codes(network(*HOUSE, Hosts={"*": ["SP"], "nas": ["Q1"]})) == ["SP"]


@pytest.mark.parametrize(
    ("hosts", "words"),
    [({"nas": ["Q1"]}, "it names nas"), ({"pi": ["EL"]}, "EL"), ({"pi": ["XX"]}, "ZwavePower")],
)
def test_hosts_that_cannot_be(
    network: MakeNetwork, hosts: dict[str, list[str]], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        codes(network(*HOUSE, Hosts=hosts))


def test_stores_are_started_where_they_are_needed_and_not_named(network: MakeNetwork) -> None:
    def needed(**top_level: object) -> tuple[bool, bool]:
        made = network(*HOUSE, **top_level)
        return stores_needed(made, parts_here(made, "pi", KNOWN))

    assert needed() == (True, True)
    assert needed(Redis={"URL": "redis://nas"}) == (False, True)
    assert needed(SQL=SQL) == (True, False)
    assert needed(Hosts={"pi": ["SP"]}) == (False, False)


def test_a_collector_with_its_own_sql_needs_none(network: MakeNetwork) -> None:
    made = network({"Codifier": "Q1", "Type": "jphPostgreSQL", "Sensor": {"SQL": SQL}})
    assert stores_needed(made, list(made.sensors)) == (False, False)


def test_the_gateway_is_found(network: MakeNetwork) -> None:
    made = network(*HOUSE)
    found = gateway_of(list(made.sensors))
    assert found is not None
    assert found.codifier == "CF"
    assert gateway_of([]) is None


@pytest.mark.parametrize(
    ("settings", "address"),
    [
        ({}, "127.0.0.1"),
        ({"Address": "0.0.0.0"}, "127.0.0.1"),
        ({"Address": "10.0.0.7"}, "10.0.0.7"),
    ],
)
def test_where_the_page_is_reached(
    network: MakeNetwork, settings: dict[str, str], address: str
) -> None:
    made = network({"Codifier": "CF", "Type": "Gateway", "Sensor": settings})
    assert address_of(made.sensor("CF")) == address
