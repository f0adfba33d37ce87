"""Kinds: the table of ours, the entry points of other packages, and their part in a config."""

import ast
import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jph.errors import ConfigError
from jph.node import kinds
from tests.support import REPOSITORY


def test_the_table_names_the_class_of_each_type() -> None:
    for node_type in kinds.table():
        assert node_type in kinds.find(node_type).types


def test_no_kind_is_missing_in_the_table() -> None:
    written: set[str] = set()
    for package in ("nodes", "collector", "jph"):
        for path in (REPOSITORY / package).rglob("*.py"):
            for each in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(each, ast.ClassDef):
                    types = [k.value for k in each.keywords if k.arg == "type"]
                    written.update(*map(names_of, types))
    assert written == set(kinds.table())


def names_of(written: ast.expr) -> set[str]:
    """Return the types that a class names: one text or a tuple of them."""
    value = ast.literal_eval(written)
    return {value} if isinstance(value, str) else set(value)


def test_an_unknown_type_names_those_that_exist() -> None:
    with pytest.raises(ConfigError, match=r"unknown type 'Teleinfos'; known: .*Teleinfo"):
        kinds.find("Teleinfos")


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Return an installer of a package that registers types: `Type = module:Class`, a line each."""

    def installer(entry_points: str) -> None:
        site = tmp_path / "site"
        info = site / "strangers-1.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strangers\nVersion: 1\n")
        (info / "entry_points.txt").write_text(f"[{kinds.ENTRY_POINTS}]\n{entry_points}\n")
        (site / "strangers.py").write_text(
            "import jph\n"
            "class Depth(jph.Settings, frozen=True):\n    depth: int = 0\n"
            "class Rain(jph.Node, type='Rain', settings=Depth):\n    pass\n"
            "NOTHING = 1\n"
        )
        monkeypatch.syspath_prepend(str(site))
        kinds.foreign.cache_clear()

    yield installer
    kinds.foreign.cache_clear()
    sys.modules.pop("strangers", None)


def test_another_package_brings_a_kind(
    install: Callable[[str], None], config_file: Callable[..., Path]
) -> None:
    install("Rain = strangers:Rain\nTeleinfo = strangers:Rain")
    path = str(config_file({"Codifier": "RN", "Type": "Rain", "Sensor": {"Depth": "deep"}}))
    with pytest.raises(ConfigError, match=r"Sensors\[RN\].Sensor.Depth"):
        kinds.load(path)
    path = str(config_file({"Codifier": "RN", "Type": "Rain"}))
    node = kinds.make("RN", kinds.load(path), path)
    assert type(node).types == ("Rain",)
    assert kinds.find("Teleinfo").__module__ == "nodes.teleinfo"  # ours come first


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("strangers:NOTHING", "is not a subclass of jph.Node"),
        ("strangers:Snow", "cannot be loaded from strangers:Snow"),
        ("missing:Rain", "cannot be loaded from missing:Rain"),
    ],
)
def test_a_bad_registration_is_one_line(
    install: Callable[[str], None], target: str, text: str
) -> None:
    install(f"Rain = {target}")
    with pytest.raises(ConfigError, match=text):
        kinds.find("Rain")


def test_our_kinds_never_look_at_other_packages(config_file: Callable[..., Path]) -> None:
    sensors = [
        {"Codifier": "SP", "Type": "Setpoint"},
        {"Codifier": "S9", "Type": "Proxy", "Sensor": {"Codifier": "SP"}},
        {"Codifier": "NN", "Type": "NestReader"},
        {"Codifier": "RN", "Type": "Rain"},
    ]
    path = str(config_file(*sensors))
    code = (
        "import sys\nfrom jph.node import kinds\n"
        f"kinds.make('SP', kinds.load({path!r}, ['SP']), {path!r})\n"
        "print('importlib.metadata' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_a_kind_of_another_machine_need_not_be_installed(config_file: Callable[..., Path]) -> None:
    sensors = [{"Codifier": "RN", "Type": "Rain"}, {"Codifier": "SP", "Type": "Setpoint"}]
    there = {"another-machine": ["RN"], socket.gethostname(): ["SP"]}
    assert kinds.load(str(config_file(*sensors, Hosts=there)))
    for hosts in ({"*": ["RN", "SP"]}, {socket.gethostname(): ["RN"]}, {}):
        with pytest.raises(ConfigError, match="unknown type 'Rain'"):
            kinds.load(str(config_file(*sensors, Hosts=hosts)))


def test_types_and_settings_are_checked_with_the_rest(
    config_file: Callable[..., Path],
) -> None:
    sensors: list[dict[str, Any]] = [
        {"Codifier": "AA", "Type": "Teleinfos"},
        {"Codifier": "BB", "Type": "Setpoint", "Sensor": {"Min": "low"}},
        {"Codifier": "C", "Type": "Pipe"},
        {"Codifier": "DD", "Type": "NestReader"},
    ]
    with pytest.raises(ConfigError) as caught:
        kinds.load(str(config_file(*sensors)))
    paths = {problem.path for problem in caught.value.problems}
    assert paths >= {"Sensors[AA].Type", "Sensors[BB].Sensor.Min", "Sensors[C].Codifier"}
    assert not any(path.startswith("Sensors[DD]") for path in paths)


def test_contradictions_are_told_beside_other_mistakes(config_file: Callable[..., Path]) -> None:
    wires = [{"Codifier": code, "Wire": 1, "Phase": 1} for code in ("11", "12")]
    sensors: list[dict[str, Any]] = [
        {"Codifier": "P1", "Type": "PilotCard", "Sensor": {"Bus": 1, "Wires": wires}},
        {"Codifier": "P2", "Type": "PilotCard", "Sensor": {"Bus": 1}},
        *({"Codifier": c, "Type": "Proxy", "Sensor": {"Codifier": "P1"}} for c in ("11", "12")),
        {"Codifier": "X", "Type": "Pipe", "Sensor": {"Pipe": "/proc/loadavg"}},
    ]
    with pytest.raises(ConfigError) as caught:
        kinds.load(str(config_file(*sensors)))
    assert {problem.path for problem in caught.value.problems} == {
        "Sensors[P1].Sensor.Wires[12]",
        "Sensors[P2].Sensor.Address",
        "Sensors[X].Codifier",
    }


def test_an_element_cannot_be_run(config_file: Callable[..., Path]) -> None:
    path = config_file(
        {"Codifier": "SP", "Type": "Setpoint"},
        {"Codifier": "S9", "Type": "Proxy", "Sensor": {"Codifier": "SP"}},
    )
    network = kinds.load(str(path))
    with pytest.raises(ConfigError, match="S9 is an element that SP sends"):
        kinds.make("S9", network, str(path))


async def test_a_made_node_reads_its_config_again(config_file: Callable[..., Path]) -> None:
    path = config_file({"Codifier": "SP", "Type": "Setpoint", "Name": "before"})
    node = kinds.make("SP", kinds.load(str(path)), str(path))
    document = json.loads(path.read_text())
    document["Sensors"][0]["Name"] = "after"
    path.write_text(json.dumps(document))
    assert node._reload is not None
    assert (await node._reload()).sensor("SP").name == "after"
