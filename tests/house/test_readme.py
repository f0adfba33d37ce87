"""The commands of the README work."""

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
