"""The commands of the README work."""

import json
import re
import shlex

import pytest

from tests.house.conftest import House
from tests.support import REPOSITORY

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\.venv/bin/python control\.py ([^#\n]+)", README, re.M)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_works_in_a_running_house(house: House, command: str) -> None:
    words = shlex.split(command)
    if words[0] == "watch":
        words += ["--count", "2"]
    done = house.control(*words)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_the_readme_shows_commands_and_only_files_that_are_there() -> None:
    assert len(COMMANDS) >= 4
    links = re.findall(r"\]\(([^):#]+)[^)]*\)", README)
    assert links
    assert [link for link in links if not (REPOSITORY / link).exists()] == []


def test_hosts_has_every_node_of_a_real_house() -> None:
    found = re.search(r"```json\s+\"Hosts\": (\{.*?\})\s+```", README, re.S)
    assert found is not None
    hosts = json.loads(found[1])
    sensors = json.loads((REPOSITORY / "static" / "config.json").read_text())["Sensors"]
    nodes = {s["Codifier"] for s in sensors if s["Type"] not in ("Proxy", "ControlProgram")}
    assert sorted(code for codes in hosts.values() for code in codes) == sorted(nodes - {"HO"})
