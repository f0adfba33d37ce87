"""A config becomes typed objects at the door, or every mistake in it is reported."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jph.config import model as config
from jph.config.model import JournalSettings, Network, RingSettings
from jph.errors import ConfigError
from jph.node.sender import journal_of, pasts
from jph.wire.codec import Dialect
from tests.support import REPOSITORY, SHARED_DATA

GOOD: dict[str, Any] = {
    "Multicast": {
        "Control-Channel": {"Address": "239.255.1.1", "Port": 7001},
        "Data-Channel": {"Address": "239.255.1.2", "Port": 7002},
    },
    "Sensors": [
        {"Codifier": "TI", "Name": "Meter", "Type": "Teleinfo", "SensorInterval": 5},
        {"Codifier": "I1", "Name": "Current", "Type": "Proxy", "Sensor": {"Codifier": "TI"}},
    ],
}


def parse(raw: object) -> config.Network:
    return config.parse(json.dumps(raw).encode())


def problems(raw: object) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        parse(raw)
    assert all(str(problem) in str(caught.value) for problem in caught.value.problems)
    return {problem.path: problem.message for problem in caught.value.problems}


def test_a_good_config_and_its_defaults() -> None:
    network = parse(GOOD)
    assert network.multicast.control == config.Endpoint(address="239.255.1.1", port=7001)
    assert (network.multicast.ttl, network.multicast.dialect) == (1, Dialect.MULTI_SENSOR)
    meter = network.sensor("TI")
    assert (meter.sensor_interval, meter.keep_alive_interval, meter.active) == (5.0, 60.0, True)
    assert meter.parent is None
    assert [element.codifier for element in network.elements("TI")] == ["I1"]
    assert [node.codifier for node in network.nodes()] == ["TI"]
    assert network.redis_url is None


def test_ten_mistakes_are_all_told() -> None:
    raw = {
        "Multicast": {
            "Control-Channel": {"Address": "192.168.0.1", "Port": 7001},
            "Data-Channel": {"Adress": "239.255.1.2", "Port": 70_000},
            "TTL": "two",
        },
        "Sensors": [
            {"Codifier": "T", "Type": "Teleinfo"},
            {"Codifier": "AA", "Type": "Pipe", "SensorInterval": 0},
            {"Codifier": "AA", "Type": "Pipe", "Active": "yes"},
            {"Codifier": "BB", "Type": "Proxy"},
            {"Codifier": "CC", "Type": "Proxy", "Sensor": {"Codifier": "XX"}},
            {"Codifier": "DD"},
            {"Codifier": "EE", "Type": "Pipe", "Control": "yes"},
        ],
    }
    found = problems(raw)
    assert set(found) == {
        "Multicast.Control-Channel.Address",
        "Multicast.Data-Channel.Adress",
        "Multicast.Data-Channel.Address",
        "Multicast.Data-Channel.Port",
        "Multicast.TTL",
        "Sensors[T].Codifier",
        "Sensors[AA].Codifier",
        "Sensors[AA].SensorInterval",
        "Sensors[AA].Active",
        "Sensors[BB].Sensor.Codifier",
        "Sensors[CC].Sensor.Codifier",
        "Sensors[DD].Type",
        "Sensors[EE].Control",
    }
    assert found["Multicast.Data-Channel.Adress"] == "unknown key; did you mean 'Address'?"
    assert found["Sensors[AA].Active"] == 'expected true or false, found "yes"'
    assert found["Multicast.Control-Channel.Address"].endswith("found '192.168.0.1'")


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"Multicast": None}, "Multicast"),
        ({"Sensors": {}}, "Sensors"),
        ({"Hosts": {"pi": ["ZZ"]}}, "Hosts.pi"),
        ({"SQL": {"Database": "sensors"}}, "SQL.User"),
        ({"Redis": {"URL": 6379}}, "Redis.URL"),
        (
            {"Multicast": {**GOOD["Multicast"], "Dialect": "latin"}},
            "Multicast.Dialect",
        ),
        (
            {"Multicast": dict.fromkeys(GOOD["Multicast"], GOOD["Multicast"]["Data-Channel"])},
            "Multicast",
        ),
        (
            {
                "Sensors": [
                    *GOOD["Sensors"],
                    {"Codifier": "I2", "Type": "Proxy", "Sensor": {"Codifier": "I1"}},
                ]
            },
            "Sensors[I2].Sensor.Codifier",
        ),
    ],
)
def test_a_mistake_is_told_with_its_path(change: dict[str, Any], path: str) -> None:
    assert path in problems(GOOD | change)


def test_keys_of_somebody_elses_are_left_alone() -> None:
    ours = {**GOOD, "Multicast": {**GOOD["Multicast"], "Dialect": "jph"}}
    extra = {**ours, "Dashboard": {"Colour": "blue"}, "_comment": "mine"}
    assert parse(extra) == parse(ours)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["Multicast", "Sensors", "Codifier", "Type", "Sensor", "Hosts", "Address", "Port"]
            )
            | st.text(max_size=4),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@given(json_values)
def test_any_json_is_a_network_or_a_config_error(raw: object) -> None:
    try:
        network = parse(raw)
    except ConfigError:
        network = None
    assert network is None or network.multicast.control.port > 0


def test_an_unknown_codifier_names_those_near() -> None:
    network = parse(GOOD)
    with pytest.raises(ConfigError, match="near: TI \\(Meter\\)"):
        network.sensor("T1")
    assert [s.codifier for s in network.near("meter")] == ["TI"]
    with pytest.raises(ConfigError, match="'99' is not in the config; the nodes are TI"):
        network.sensor("99")


@pytest.mark.parametrize("document", [b"", b"{", b"[" * 100_000, b"\xff\xfe", b'"text"'])
def test_what_is_not_a_config_is_a_config_error(document: bytes) -> None:
    with pytest.raises(ConfigError):
        config.parse(document)


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    handler: Callable[..., Any] = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_from_a_path_a_file_url_and_the_web(tmp_path: Path, web: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(GOOD))
    urls = [str(path), f"file:{path}", f"file://{path}", f"{web}/config.json"]
    assert [config.load(url) for url in urls] == [parse(GOOD)] * 4
    for missing in (f"{web}/none.json", "file:/nowhere/at/all"):
        with pytest.raises(ConfigError, match="cannot read the config"):
            config.load(missing)


def test_interfaces_of_a_host() -> None:
    multicast = {**GOOD["Multicast"], "Interfaces": {"pi": ["eth0", "wlan0"], "*": "lo"}}
    chosen = parse({**GOOD, "Multicast": multicast}).multicast
    assert chosen.interfaces_of("pi") == ["eth0", "wlan0"]
    assert chosen.interfaces_of("other") == ["lo"]
    assert parse(GOOD).multicast.interfaces_of("pi") == []


def test_the_demonstration_config_loads() -> None:
    network = config.load(str(REPOSITORY / "static" / "config.json"))
    named = {sensor.codifier for sensor in network.sensors}
    nodes = {"HO", "TI", "P1", "P2", "P3", "SH", "R1", "Q1", "CF", "CC", "C1"}
    heaters = {f"{phase}{wire}" for phase in (1, 2, 3) for wire in range(1, 9)}
    assert named >= nodes | heaters | {"I1", "I2", "I3", "PA", "S1", "S2", "S3"}


ORIGINAL = SHARED_DATA / "config" / "multi-sensor.json"


@pytest.mark.skipif(not ORIGINAL.exists(), reason="the captured config is not beside this checkout")
def test_a_real_networks_config_loads_unchanged() -> None:
    network = config.load(str(ORIGINAL))
    assert len(network.sensors) == 76
    assert network.sensor("C1").sensor["Pipe"].startswith("/sys/class/thermal")


def test_what_a_node_keeps_of_what_it_sent(network: Callable[..., Network]) -> None:
    made = network(
        {"Codifier": "AA", "Type": "Pipe"},
        {"Codifier": "BB", "Type": "Pipe", "Ring": {"Minutes": 1}, "Journal": True},
        {"Codifier": "CC", "Type": "Pipe", "Journal": {"Hours": 2}},
        {"Codifier": "DD", "Type": "Proxy", "Sensor": {"Codifier": "CC"}},
    )
    assert made.sensor("AA").ring == RingSettings(minutes=15, megabytes=4)
    assert made.sensor("BB").ring == RingSettings(minutes=1, megabytes=4)
    kept = {code: journal_of(made.sensor(code)) for code in ("AA", "BB", "CC")}
    assert kept == {"AA": None, "BB": JournalSettings(), "CC": JournalSettings(hours=2)}
    assert pasts(made) == {"BB": 48 * 3600, "CC": 7200, "DD": 7200}


def test_mistakes_in_what_a_node_keeps(document: Callable[..., dict[str, Any]]) -> None:
    raw = document(
        {"Codifier": "AA", "Type": "Pipe", "Ring": {"Minuts": 1}},
        {"Codifier": "BB", "Type": "Pipe", "Ring": {"Minutes": -1}},
        {"Codifier": "CC", "Type": "Pipe", "Journal": {"FlushSeconds": 0}},
        {"Codifier": "DD", "Type": "Pipe", "Journal": "yes"},
    )
    with pytest.raises(ConfigError) as caught:
        config.parse(json.dumps(raw).encode())
    assert [(p.path, p.message) for p in caught.value.problems] == [
        ("Sensors[AA].Ring.Minuts", "unknown key; did you mean 'Minutes'?"),
        ("Sensors[BB].Ring", "expected Minutes and Megabytes of 0 or more"),
        ("Sensors[CC].Journal", "FlushSeconds: expected 0 to 3600 s, found 0.0"),
        ("Sensors[DD].Journal", 'expected true or false or an object, found "yes"'),
    ]


@pytest.mark.parametrize(
    "answer", [b"\0\1garbage\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"]
)
def test_a_web_server_that_answers_nonsense(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            asker, _ = server.accept()
            with asker:
                asker.recv(4096)
                asker.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(ConfigError):
            config.load(f"http://127.0.0.1:{server.getsockname()[1]}/config.json")
        thread.join()


def test_text_that_is_no_unicode() -> None:
    with pytest.raises(ConfigError, match="no Unicode"):
        config.parse(json.dumps(GOOD).replace("Meter", r"\ud800").encode())


CHANNELS = {
    "Control-Channel": {"Address": "239.255.91.1", "Port": 1},
    "Data-Channel": {"Address": "239.255.91.2", "Port": 2},
}
SENSORS = [{"Codifier": "A1", "Type": "failsafeReader"}]
OLD = {"Multicast": CHANNELS, "Logging": {}, "Sensors": SENSORS}


@pytest.mark.parametrize(
    ("changes", "dialect"),
    [
        ({}, "multi-sensor"),
        ({"__comment": "of the original"}, "multi-sensor"),
        ({"Multicast": {**CHANNELS, "Dialect": "jph"}}, "jph"),
        ({"Multicast": {**CHANNELS, "TTL": 1}}, "jph"),
        ({"Redis": {"URL": "redis://127.0.0.1"}}, "jph"),
        ({"Sensors": [{"Codifier": "A1", "Type": "Pool", "Journal": True}]}, "jph"),
    ],
)
def test_a_config_of_the_original_is_multi_sensor(changes: dict[str, Any], dialect: str) -> None:
    """Original programs end at the data flags d and q."""
    network = config.parse(json.dumps(OLD | changes).encode())
    assert network.multicast.dialect == dialect
