"""`config check`: all mistakes at once, and oddities that are none."""

import json
from collections.abc import Callable
from pathlib import Path

from jph.cli.commands.config import oddities
from jph.config.model import Network
from tests.jph.cli.programs import CONSOLE, control, element, setpoint

WriteConfig = Callable[..., Path]


def ten_mistakes(write: WriteConfig) -> tuple[Path, list[str]]:
    """Write a config and return where its ten mistakes are."""
    config = write(
        setpoint("S1", SensorInterval=-1),
        setpoint("S2", Sensor={"Default": True}),
        setpoint("S3", Control="yes"),
        setpoint("S4", Type="Setpiont"),
        setpoint("S5"),
        setpoint("S5"),
        setpoint("toolong"),
        element("E1", "S9"),
        element("E2", "E1"),
        {"Codifier": "S6", "Type": "Pipe", "Name": "A pipe without path", "Sensor": {}},
        CONSOLE,
        Multicast={"TTL": 300},
    )
    return config, [
        "Multicast.TTL",
        "Sensors[E1].Sensor.Codifier",
        "Sensors[E2].Sensor.Codifier",
        "Sensors[S1].SensorInterval",
        "Sensors[S2].Sensor.Default",
        "Sensors[S3].Control",
        "Sensors[S4].Type",
        "Sensors[S5].Codifier",
        "Sensors[S6].Sensor.Pipe",
        "Sensors[toolong].Codifier",
    ]


def test_ten_mistakes_are_all_told(config_file: WriteConfig) -> None:
    config, paths = ten_mistakes(config_file)
    done = control(config, "config", "check")
    assert done.returncode == 2
    told = [line.strip().partition(": ")[0] for line in done.stderr.splitlines()[1:]]
    assert sorted(told) == paths


def test_mistakes_for_a_script(config_file: WriteConfig) -> None:
    config, paths = ten_mistakes(config_file)
    done = control(config, "config", "check", "--json")
    assert done.returncode == 2
    assert sorted(m["path"] for m in json.loads(done.stdout)["mistakes"]) == paths


def test_a_good_config_is_good(config_file: WriteConfig) -> None:
    done = control(config_file(setpoint("SP"), CONSOLE), "config", "check")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("good; 2 nodes, 0 elements\n")


def test_a_config_of_the_original_is_named(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    channels = {
        "Control-Channel": {"Address": "239.255.91.1", "Port": 7001},
        "Data-Channel": {"Address": "239.255.91.2", "Port": 7002},
    }
    for multicast, named in ((channels, 1), (channels | {"Dialect": "jph"}, 0)):
        document = {"Multicast": multicast, "Sensors": [setpoint("SP"), CONSOLE]}
        path.write_text(json.dumps(document), encoding="utf-8")
        done = control(path, "config", "check")
        assert done.returncode == 0
        assert done.stderr.count("warning: Multicast.Dialect: not set") == named
        assert done.stderr.count('treated as "multi-sensor"') == named


def test_what_is_not_json_is_said(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text("{", encoding="utf-8")
    done = control(path, "config", "check", "--json")
    assert done.returncode == 2
    assert "is not JSON" in json.loads(done.stdout)["mistakes"][0]["message"]


def test_oddities(network: Callable[..., Network]) -> None:
    odd = network(
        setpoint("SP", SensorInterval=60),
        element("EL", "SP", Name="", TimeoutWarning=90),
        setpoint("SQ"),
        Hosts={"pi": ["SP"]},
    )
    assert [problem.path for problem in oddities(odd)] == [
        "Sensors[SP].TimeoutWarning",
        "Sensors[EL]",
        "Sensors",
        "Hosts",
    ]
    assert oddities(network(setpoint("SP"), CONSOLE)) == []


def test_an_interface_that_this_machine_lacks_is_named(config_file: WriteConfig) -> None:
    multicast = json.loads(config_file(setpoint("SP")).read_text(encoding="utf-8"))["Multicast"]
    for interfaces, named in (("nowhere0", 1), (["lo", "192.0.2.1"], 0)):
        path = config_file(
            setpoint("SP"), CONSOLE, Multicast=multicast | {"Interfaces": {"*": interfaces}}
        )
        done = control(path, "config", "check")
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("has no interface nowhere0 now; it has lo") == named
